//! Settings of the server: what differs between one machine and the next.
//!
//! Later sources win: `config/default.toml` (compiled in) < `config/local.toml` (optional, in the
//! working directory) < `DATABASE_URL` and `DATABASE_OWNER_URL` < `TESSERA__SECTION__KEY`. A key
//! nobody knows and a value out of range stop the start with the key's name: a setting that is
//! silently not applied is worse than none. What the *programme* is (tiers, rates, rules) is data in
//! the database and never stands here.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use config::{Config, Environment, File, FileFormat};
use serde::Deserialize;

/// The settings a binary starts from, and the documentation of every key.
pub const DEFAULT: &str = include_str!("../config/default.toml");

/// Where local changes are looked for, relative to the working directory.
pub const LOCAL: &str = "config/local.toml";

/// A setting is missing, unknown, malformed or out of range. The text names the key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A source could not be read, or holds a key or a value that does not fit.
    #[error("settings: {0}")]
    Source(#[from] config::ConfigError),
    /// A value lies outside its range.
    #[error("settings: {key} must be {range}, not {value}")]
    OutOfRange {
        /// The key, as `section.key`.
        key: &'static str,
        /// The range, in words.
        range: &'static str,
        /// What was given.
        value: u64,
    },
}

/// Every setting of the server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the server keeps what is its own.
    pub data_dir: PathBuf,
    /// Sandbox mode: the clock can be moved, messages are kept instead of sent.
    pub sandbox: bool,
    /// The HTTP server.
    pub http: HttpSettings,
    /// The database.
    pub database: DatabaseSettings,
    /// Passwords, tokens and sign-ins.
    pub auth: AuthSettings,
    /// The write path.
    pub engine: EngineSettings,
    /// Logs.
    pub log: LogSettings,
}

/// The HTTP server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    /// Address and port to listen on.
    pub bind: SocketAddr,
    /// Worker threads; 0 means one for each core.
    pub workers: usize,
    /// The largest request body taken, in bytes.
    pub body_limit_bytes: usize,
    /// How long requests in flight may take to finish on the way down, in seconds.
    pub drain_seconds: u64,
    /// Who may say for whom a request is.
    pub trusted_proxies: Networks,
}

/// Addresses and networks (`10.0.0.0/8`, `::1`), between commas or blanks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Networks(Vec<(IpAddr, u8)>);

impl TryFrom<String> for Networks {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let network = |text: &str| {
            let (address, length) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
            let address: IpAddr = address.parse().ok()?;
            let longest = if address.is_ipv4() { 32 } else { 128 };
            let length = length.map_or(Some(longest), |bits| bits.parse().ok())?;
            (length <= longest).then_some((address, length))
        };
        let texts = text.split([',', ' ']).filter(|text| !text.is_empty());
        let networks = texts.map(|text| network(text).ok_or_else(|| format!("{text} is no address and no network")));
        networks.collect::<Result<_, _>>().map(Self)
    }
}

impl Networks {
    /// Whether an address lies in one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = |address: IpAddr| match address {
            IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
            IpAddr::V6(address) => address.to_bits(),
        };
        let address = address.to_canonical();
        self.0.iter().any(|&(network, length)| {
            let same = network.is_ipv4() == address.is_ipv4();
            same && (bits(network) ^ bits(address)).checked_shr(128 - u32::from(length)).unwrap_or(0) == 0
        })
    }
}

/// The database. The addresses hold passwords, so that `Debug` keeps them back.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// The database to work on; without it a private server is started.
    pub url: Option<String>,
    /// The same database as the owner of the tables, for migrations.
    pub owner_url: Option<String>,
    /// Connections kept by this process.
    pub pool_size: u32,
    /// Whether `serve` may connect as owner or superuser.
    pub allow_owner: bool,
}

impl fmt::Debug for DatabaseSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |url: &Option<String>| if url.is_some() { "(set)" } else { "(not set)" };
        f.debug_struct("DatabaseSettings")
            .field("url", &hidden(&self.url))
            .field("owner_url", &hidden(&self.owner_url))
            .field("pool_size", &self.pool_size)
            .field("allow_owner", &self.allow_owner)
            .finish()
    }
}

/// Passwords, tokens and sign-ins.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthSettings {
    /// Life of an access token, in seconds.
    pub access_ttl_seconds: u32,
    /// Days after which a sign-in ends.
    pub refresh_ttl_days: u32,
    /// Where the signing keys are kept. Never empty once loaded.
    pub keys_dir: PathBuf,
    /// Passwords hashed at the same time.
    pub hash_slots: u32,
    /// Wrong passwords and codes from one address without consequence.
    pub source_attempts: u32,
}

/// The write path.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineSettings {
    /// The most commands committed together.
    pub batch_limit: usize,
    /// Commands that may wait before callers are told to come back.
    pub queue_limit: usize,
}

/// Logs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// For people or for machines.
    pub format: LogFormat,
    /// A filter: a level, or directives such as `info,tessera=debug`.
    pub level: String,
}

/// How a line of log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

impl Settings {
    /// Reads the settings of this process: files in the working directory and the environment.
    ///
    /// # Errors
    /// [`Error`] with the key's name, for a key nobody knows, a value that does not fit, or a file
    /// that is not TOML.
    pub fn load() -> Result<Self, Error> {
        Self::load_from(Path::new(LOCAL), std::env::vars().collect())
    }

    /// Reads the settings from a given local file (which need not exist) and a given environment.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn load_from(local: &Path, environment: HashMap<String, String>) -> Result<Self, Error> {
        // An empty variable is how a container file says "not set".
        let url_of = |name: &str| environment.get(name).filter(|url| !url.is_empty()).cloned();
        let urls = Config::builder()
            .set_override_option("database.url", url_of("DATABASE_URL"))?
            .set_override_option("database.owner_url", url_of("DATABASE_OWNER_URL"))?
            .build()?;
        let ours = Environment::with_prefix("TESSERA")
            .prefix_separator("__")
            .separator("__")
            .ignore_empty(true)
            .source(Some(environment.into_iter().collect()));
        let mut settings: Self = Config::builder()
            .add_source(File::from_str(DEFAULT, FileFormat::Toml))
            .add_source(File::from(local).format(FileFormat::Toml).required(false))
            .add_source(urls)
            .add_source(ours)
            .build()?
            .try_deserialize()?;
        if settings.auth.keys_dir.as_os_str().is_empty() {
            settings.auth.keys_dir = settings.data_dir.join("keys");
        }
        settings.check()?;
        Ok(settings)
    }

    /// The bounds that the types do not show.
    fn check(&self) -> Result<(), Error> {
        let size = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        let bounds = [
            ("http.workers", size(self.http.workers), 0, 1024, "0 to 1024"),
            ("http.body_limit_bytes", size(self.http.body_limit_bytes), 1024, 16 << 20, "1024 to 16777216"),
            ("http.drain_seconds", self.http.drain_seconds, 0, 300, "0 to 300"),
            ("database.pool_size", self.database.pool_size.into(), 1, 256, "1 to 256"),
            ("auth.access_ttl_seconds", self.auth.access_ttl_seconds.into(), 1, 3600, "1 to 3600"),
            ("auth.refresh_ttl_days", self.auth.refresh_ttl_days.into(), 1, 365, "1 to 365"),
            ("auth.hash_slots", self.auth.hash_slots.into(), 1, 64, "1 to 64"),
            ("auth.source_attempts", self.auth.source_attempts.into(), 1, 1_000_000, "1 to 1000000"),
            ("engine.batch_limit", size(self.engine.batch_limit), 1, 4096, "1 to 4096"),
            ("engine.queue_limit", size(self.engine.queue_limit), 1, 1_000_000, "1 to 1000000"),
        ];
        for (key, value, least, most, range) in bounds {
            if value < least || value > most {
                return Err(Error::OutOfRange { key, range, value });
            }
        }
        Ok(())
    }
}
