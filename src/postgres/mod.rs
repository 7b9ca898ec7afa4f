//! The private PostgreSQL server for a machine that has no database running.
//!
//! When no `DATABASE_URL` is set, Tessera keeps a cluster of its own below one directory and starts
//! the PostgreSQL binaries it finds on the machine. The server is reached through a unix socket in
//! a directory only its owner can enter, so it needs no password and no port.
//!
//! What lies below the directory: `data` (the cluster), `run` (the socket), `server.log`, and the
//! two lock files `start.lock` (held while a server is started or stopped) and `use.lock` (shared by
//! every process that uses the server; the last one to leave stops it).
//!
//! It must never listen on a network, never delete or overwrite a data directory, never start a
//! second server on one data directory, never stop a server that another live process uses, and
//! never signal a process it has not recognised as the server of its own data directory.
//!
//! Every function here blocks; call it outside of an async runtime's worker threads.

mod binaries;
mod cluster;
mod error;
mod identity;
mod limit;
mod lock;
mod postmaster;
mod probe;
mod settings;
mod socket;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use binaries::find_binaries;
pub use error::Error;

use identity::Identity;
use lock::Locks;
use postmaster::{Postmaster, Running};

/// The role that owns the cluster: a superuser, trusted on the private socket.
pub const OWNER: &str = "tessera_owner";

/// The number in the socket's name. The server never opens a network port.
pub const PORT: u16 = 5432;

/// Longer than the longest start of another process: a crashed server that replays its log.
const START_TURN: Duration = Duration::from_secs(12 * 60);

/// Whoever starts the server at our end will use it and stop it, so that waiting gains nothing.
const STOP_TURN: Duration = Duration::from_secs(60);

/// How to run the server.
#[derive(Debug, Clone)]
pub struct Options {
    /// Everything of the server lives below this directory, for example `./.tessera/postgres`.
    /// It is created when missing, together with its parents.
    pub dir: PathBuf,
    /// What a crash of the machine may cost.
    pub durability: Durability,
    /// PostgreSQL settings on top of ours, as name and value; a later one wins. Those that say
    /// where the server lives and listens are refused.
    pub extra_settings: Vec<(String, String)>,
}

/// What a crash of the machine may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Nothing that was committed is lost.
    Durable,
    /// The whole cluster may be lost. For tests only.
    Fast,
}

/// A running server that this process uses.
///
/// Dropping it stops the server, unless another live process uses it too. A process that ends
/// without dropping it leaves the server running; the next start takes it over.
#[derive(Debug)]
pub struct Server {
    data: PathBuf,
    socket_dir: PathBuf,
    pid: u32,
    locks: Locks,
    stopped: bool,
}

impl Server {
    /// Starts the server, or joins the one that already runs on this directory, and returns when it
    /// accepts connections. The first start on a directory creates the cluster (some seconds).
    ///
    /// A running server with other settings is restarted when nobody else uses it.
    ///
    /// # Errors
    ///
    /// [`Error::NoBinaries`] when the machine has no PostgreSQL; [`Error::Namespace`] when root may
    /// neither hand the server to another user nor open a user namespace; [`Error::Start`] with the
    /// end of the log when the server gives up; the other kinds name the file or setting at fault.
    pub fn start(options: Options) -> Result<Self, Error> {
        let wanted = settings::arguments(options.durability, &options.extra_settings)?;
        let dir = create_dir(&options.dir)?;
        let data = dir.join("data");
        check_owner(&data)?;
        let locks = Locks::open(&dir)?;
        let starting = locks.begin(START_TURN)?;
        locks.join()?;

        if let Some(running) = postmaster::find_running(&data)? {
            if running.has_settings(&data, &wanted) {
                socket::check(&running.socket_dir, owner(&data)?)?;
                tracing::info!(pid = running.pid, dir = %dir.display(), "using the running PostgreSQL server");
                return Ok(Self::new(data, running, locks));
            }
            if !locks.is_last()? {
                return Err(Error::OtherSettings { pid: running.pid });
            }
            tracing::info!(pid = running.pid, "restarting the PostgreSQL server: its settings have changed");
            postmaster::stop(&data)?;
            locks.join()?;
        }

        let bin = binaries::for_cluster(&data)?;
        let identity = Identity::choose(&bin, &dir, &data)?;
        cluster::create_if_missing(&bin, &identity, &dir, &starting, options.durability)?;
        let socket_dir = socket::prepare(&dir, &data, &identity)?;
        let running =
            Postmaster { bin: &bin, identity: &identity, dir: &dir, socket_dir: &socket_dir, settings: &wanted }
                .launch(options.durability)?;
        tracing::info!(pid = running.pid, dir = %dir.display(), "started the private PostgreSQL server");
        Ok(Self::new(data, running, locks))
    }

    fn new(data: PathBuf, running: Running, locks: Locks) -> Self {
        Self { data, socket_dir: running.socket_dir, pid: running.pid, locks, stopped: false }
    }

    /// The libpq URL of `database` as `user` (the cluster's superuser is [`OWNER`]), over the socket.
    #[must_use]
    pub fn url(&self, database: &str, user: &str) -> String {
        format!(
            "postgres://{}@/{}?host={}&port={PORT}",
            percent_encode(user.as_ref()),
            percent_encode(database.as_ref()),
            percent_encode(self.socket_dir.as_os_str()),
        )
    }

    /// The process id of the server, as it was when this process started or joined it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Stops the server and waits for it, unless another process uses it: then it only leaves.
    /// Open connections are cut, committed work is kept. A server that does not end is left alone
    /// after 40 seconds.
    ///
    /// # Errors
    ///
    /// [`Error::Stop`] when the server is still there afterwards, [`Error::Busy`] when another
    /// process has been starting or stopping it for a minute.
    pub fn stop(mut self) -> Result<(), Error> {
        self.leave()
    }

    fn leave(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.stopped, true) {
            return Ok(());
        }
        let _starting = self.locks.begin(STOP_TURN)?;
        if !self.locks.is_last()? {
            tracing::info!(pid = self.pid, "another process uses the PostgreSQL server: it keeps running");
            return Ok(());
        }
        postmaster::stop(&self.data)?;
        // Another process may have replaced a crashed server of ours, whose entry is still to be collected.
        postmaster::reap(self.pid);
        socket::remove(&self.socket_dir);
        tracing::info!(pid = self.pid, "stopped the private PostgreSQL server");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.leave() {
            tracing::warn!(%error, "could not stop the private PostgreSQL server");
        }
    }
}

/// Creates the directory and returns its absolute path without symlinks.
fn create_dir(dir: &Path) -> Result<PathBuf, Error> {
    // Root hands the server to another user, who has to pass through but not to look around.
    let mode = if identity::effective_user() == 0 { 0o711 } else { 0o700 };
    fs::DirBuilder::new().recursive(true).mode(mode).create(dir).map_err(|source| Error::io("create", dir, source))?;
    dir.canonicalize().map_err(|source| Error::io("resolve", dir, source))
}

/// Tells a user who cannot run a cluster of somebody else so, before a less clear message does.
fn check_owner(data: &Path) -> Result<(), Error> {
    let user = identity::effective_user();
    match fs::metadata(data) {
        Ok(found) if user != 0 && found.uid() != user => {
            Err(Error::Owner { path: data.to_path_buf(), owner: found.uid(), user })
        }
        _ => Ok(()),
    }
}

fn owner(data: &Path) -> Result<u32, Error> {
    Ok(fs::metadata(data).map_err(|source| Error::io("read", data, source))?.uid())
}

fn percent_encode(text: &OsStr) -> String {
    use std::fmt::Write;
    text.as_bytes().iter().fold(String::new(), |mut out, &byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}
