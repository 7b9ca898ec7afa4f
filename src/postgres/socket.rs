//! The directory of the unix socket. Whoever can enter it is the database's superuser, so it is
//! never shared and never anybody else's.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::PORT;
use super::error::Error;
use super::identity::Identity;

/// Systems allow 104 to 108 bytes for the path of a socket.
const LONGEST: usize = 99;

pub(super) fn file(dir: &Path) -> PathBuf {
    dir.join(format!(".s.PGSQL.{PORT}"))
}

/// The socket directory for the server, created or checked: `run` below `dir`, or a private one with
/// a short name in the system's temporary directory where that path does not do.
pub(super) fn prepare(dir: &Path, data: &Path, identity: &Identity) -> Result<PathBuf, Error> {
    let path = choose(dir, data, identity.owner());
    match fs::DirBuilder::new().mode(0o700).create(&path) {
        Ok(()) => identity.hand_over(&path)?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(source) => return Err(Error::io("create", &path, source)),
    }
    check(&path, identity.owner())?;
    // No server answers here (the caller has asked), so these are left over from one that crashed.
    // PostgreSQL would take the number in the lock for that of a live process if it is one again.
    for leftover in [file(&path), path.join(format!(".s.PGSQL.{PORT}.lock"))] {
        match fs::remove_file(&leftover) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                return Err(Error::io("remove", &leftover, source));
            }
            _ => {}
        }
    }
    Ok(path)
}

/// Refuses a directory that anybody but `owner` (and root) can enter.
pub(super) fn check(path: &Path, owner: u32) -> Result<(), Error> {
    let found = fs::symlink_metadata(path).map_err(|source| Error::io("read", path, source))?;
    let reason = if !found.is_dir() {
        "it is not a directory".to_owned()
    } else if found.uid() != owner {
        format!("it belongs to user id {}, not {owner}", found.uid())
    } else if found.permissions().mode() & 0o077 != 0 {
        format!("its mode is {:o}", found.permissions().mode() & 0o7777)
    } else {
        return Ok(());
    };
    Err(Error::SocketDir { path: path.to_path_buf(), reason })
}

/// Removes the empty directory of a stopped server: one less name in the temporary directory, and
/// the next server may have another owner.
pub(super) fn remove(path: &Path) {
    // It is not empty while another server has taken our place, and then it stays.
    let _ = fs::remove_dir(path);
}

fn choose(dir: &Path, data: &Path, owner: u32) -> PathBuf {
    let beside = dir.join("run");
    if usable(&beside) {
        return beside;
    }
    // The same name every time, so that a server left behind is found again.
    let name = format!("tessera-{owner}-{:016x}", fingerprint(data.as_os_str().as_bytes()));
    let temporary = env::temp_dir().join(&name);
    if temporary.is_absolute() && usable(&temporary) { temporary } else { Path::new("/tmp").join(name) }
}

/// PostgreSQL's clients take a comma for the end of a host, and its files hold one path a line.
fn usable(dir: &Path) -> bool {
    let bytes = dir.as_os_str().as_bytes();
    file(dir).as_os_str().len() <= LONGEST && !bytes.iter().any(|byte| byte.is_ascii_control() || b",\"".contains(byte))
}

/// FNV-1a: the standard library's hasher may change from one release to the next.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
