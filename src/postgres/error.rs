//! What can go wrong with the private server, in words that say what to do about it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Lines of the log an error carries.
const LOG_LINES: usize = 20;

/// Why the private server could not be started, joined or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No directory holds both `postgres` and `initdb`.
    #[error(
        "no PostgreSQL server found ({looked}): install one (apt-get install postgresql), or set \
         PG_BIN_DIR to the directory that holds postgres and initdb, or set DATABASE_URL to use a \
         database that already runs"
    )]
    NoBinaries {
        /// Where it was looked for.
        looked: String,
    },
    /// The cluster was made by another major version than the one installed.
    #[error(
        "the data directory {} was made by PostgreSQL {data}, found is {found}: install PostgreSQL \
         {data} or name its directory in PG_BIN_DIR", path.display()
    )]
    Version {
        /// The data directory.
        path: PathBuf,
        /// The major version that made it.
        data: String,
        /// The major versions found on the machine.
        found: String,
    },
    /// The data directory is another user's.
    #[error(
        "{} belongs to user id {owner}, this process runs as user id {user}: run it as that user, \
         choose another directory, or set DATABASE_URL", path.display()
    )]
    Owner {
        /// The data directory.
        path: PathBuf,
        /// Who owns it.
        owner: u32,
        /// Who we are.
        user: u32,
    },
    /// The owner of the data directory cannot get at it or at the binaries.
    #[error(
        "the data directory below {} belongs to user id {owner}, who cannot run PostgreSQL there \
         ({source}): open the directories above it (chmod o+x), or set DATABASE_URL", path.display()
    )]
    Closed {
        /// The directory of the server.
        path: PathBuf,
        /// Who owns the data directory in it.
        owner: u32,
        /// What the system said.
        source: io::Error,
    },
    /// PostgreSQL refuses to run as root, and root found no way to run it as somebody else.
    #[error(
        "PostgreSQL does not run as root; no other user can run it in {}, and the system refuses a user \
         namespace ({source}): start tessera as a normal user, choose a directory every user can \
         pass through (chmod o+x on each directory above it), or set DATABASE_URL", path.display()
    )]
    Namespace {
        /// The directory of the server.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A setting that is not the caller's to make.
    #[error("the PostgreSQL setting {name:?} cannot be set here")]
    Setting {
        /// Its name.
        name: String,
    },
    /// Another process has been starting or stopping the server for too long.
    #[error("another process has held {} for more than {} seconds", path.display(), waited.as_secs())]
    Busy {
        /// The lock file.
        path: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The running server has other settings and cannot be restarted now.
    #[error(
        "the PostgreSQL server (process {pid}) runs with other settings and is in use by another \
         process: stop that one first"
    )]
    OtherSettings {
        /// The server's process.
        pid: u32,
    },
    /// The data directory holds something else than a cluster.
    #[error("{} is not empty and not a PostgreSQL data directory: move it away", path.display())]
    NotACluster {
        /// The data directory.
        path: PathBuf,
    },
    /// Somebody else could reach into the socket directory.
    #[error("the socket directory {} is not private ({reason}): remove it", path.display())]
    SocketDir {
        /// The socket directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Creating the cluster failed.
    #[error("initdb failed ({status}); the end of {}:\n{log}", path.display())]
    Initdb {
        /// How it ended.
        status: String,
        /// The log file.
        path: PathBuf,
        /// The last lines of it.
        log: String,
    },
    /// The server gave up, or did not accept connections in time.
    #[error("the PostgreSQL server did not start ({status}); the end of {}:\n{log}", path.display())]
    Start {
        /// How it ended.
        status: String,
        /// The log file.
        path: PathBuf,
        /// The last lines of it.
        log: String,
    },
    /// The server does not end.
    #[error("the PostgreSQL server (process {pid}) does not stop")]
    Stop {
        /// The server's process.
        pid: u32,
    },
    /// A file, a directory or a program could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file, directory or program.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_path_buf(), source }
    }
}

/// The last lines of the log at `path`, from the byte `from` on: older lines would mislead.
pub(super) fn log_tail(path: &Path, from: u64) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::Start(from))?;
        file.take(1 << 20).read_to_end(&mut bytes)
    });
    if let Err(error) = read {
        return format!("(the log cannot be read: {error})");
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}
