//! Who may start and stop the server when several processes share a directory.
//!
//! The locks belong to open files, so the system gives them back however a process ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::Error;
use super::identity;
use super::limit::Limit;

/// The two lock files of a directory.
#[derive(Debug)]
pub(super) struct Locks {
    start_path: PathBuf,
    use_path: PathBuf,
    users: File,
}

impl Locks {
    /// Opens the lock files and takes no lock yet.
    pub(super) fn open(dir: &Path) -> Result<Self, Error> {
        let use_path = dir.join("use.lock");
        let users = open_own(&use_path)?;
        Ok(Self { start_path: dir.join("start.lock"), use_path, users })
    }

    /// Takes the right to start or stop the server; it lasts as long as the returned file is open,
    /// here or in a child process that inherits it. Waits for another process that has it.
    pub(super) fn begin(&self, wait: Duration) -> Result<File, Error> {
        let file = open_own(&self.start_path)?;
        let limit = Limit::after(wait);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if limit.pause() => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Busy { path: self.start_path.clone(), waited: wait });
                }
                Err(TryLockError::Error(source)) => return Err(Error::io("lock", &self.start_path, source)),
            }
        }
    }

    /// Says that this process uses the server. Only between `begin` and the end of it, when nobody
    /// holds the lock alone for more than a moment.
    pub(super) fn join(&self) -> Result<(), Error> {
        self.release()?;
        self.users.lock_shared().map_err(|source| Error::io("lock", &self.use_path, source))
    }

    /// Gives up the use of the server; true when nobody else uses it. Only after `begin`, so that
    /// nobody can join between the question and what the answer allows.
    pub(super) fn is_last(&self) -> Result<bool, Error> {
        self.release()?;
        match self.users.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(source)) => Err(Error::io("lock", &self.use_path, source)),
        }
    }

    fn release(&self) -> Result<(), Error> {
        self.users.unlock().map_err(|source| Error::io("unlock", &self.use_path, source))
    }
}

/// Opens a file of ours for appending, creating it for its owner alone.
///
/// Root gives it to the owner of the directory, who would otherwise be locked out of it by one
/// start as root. A symlink is refused: that owner could point it at any file of root's.
pub(super) fn open_own(path: &Path) -> Result<File, Error> {
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
        .map_err(|source| Error::io("open", path, source))?;
    if identity::effective_user() == 0
        && let Some(Ok(dir)) = path.parent().map(fs::metadata)
    {
        fchown(&file, Some(dir.uid()), Some(dir.gid())).map_err(|source| Error::io("hand over", path, source))?;
    }
    Ok(file)
}
