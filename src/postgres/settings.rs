//! The server's settings. They go on its command line, which outranks every file in the data
//! directory, and where `postmaster.opts` tells a later process what the running server was given.

use super::Durability;
use super::error::Error;

/// Where the server lives and listens is ours to say.
const RESERVED: [&str; 9] = [
    "config_file",
    "data_directory",
    "external_pid_file",
    "hba_file",
    "ident_file",
    "listen_addresses",
    "port",
    "unix_socket_directories",
    "unix_socket_permissions",
];

const ALWAYS: [(&str, &str); 14] = [
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0700"),
    ("max_connections", "200"),
    ("shared_buffers", "256MB"),
    ("max_wal_size", "4GB"),
    ("checkpoint_timeout", "15min"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("lc_messages", "C"),
    ("logging_collector", "off"),
    ("log_destination", "stderr"),
    ("log_error_verbosity", "terse"),
    ("log_checkpoints", "off"),
    ("cluster_name", "tessera"),
];

const DURABLE: [(&str, &str); 3] = [("fsync", "on"), ("synchronous_commit", "on"), ("full_page_writes", "on")];

/// No replication either: it needs more in the log than a test does.
const FAST: [(&str, &str); 7] = [
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("wal_init_zero", "off"),
    ("wal_recycle", "off"),
];

/// `name=value` for every setting but those that depend on the machine; later ones win.
pub(super) fn arguments(durability: Durability, extra: &[(String, String)]) -> Result<Vec<String>, Error> {
    for (name, value) in extra {
        let well_formed = !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
            && !value.contains('\0');
        if !well_formed || RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(Error::Setting { name: name.clone() });
        }
    }
    let by_durability: &[(&str, &str)] = match durability {
        Durability::Durable => &DURABLE,
        Durability::Fast => &FAST,
    };
    let ours = ALWAYS.iter().chain(by_durability).map(|(name, value)| format!("{name}={value}"));
    Ok(ours.chain(extra.iter().map(|(name, value)| format!("{name}={value}"))).collect())
}
