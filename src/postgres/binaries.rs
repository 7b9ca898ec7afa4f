//! Where the PostgreSQL binaries are.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::Error;

/// Where Debian and Ubuntu keep one directory for each major version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The directory that holds `postgres` and `initdb`.
///
/// Looked for in this order: the variable `PG_BIN_DIR` (when set, nowhere else), `PATH`, what
/// `pg_config --bindir` says, and the newest `/usr/lib/postgresql/*/bin`.
///
/// # Errors
///
/// [`Error::NoBinaries`] when there is none.
pub fn find_binaries() -> Result<PathBuf, Error> {
    all()?.into_iter().next().ok_or_else(none_found)
}

/// The binaries for a data directory: the first of the version that made it, or the first at all
/// when there is no cluster yet.
pub(super) fn for_cluster(data: &Path) -> Result<PathBuf, Error> {
    let found = all()?;
    let Ok(made_by) = fs::read_to_string(data.join("PG_VERSION")) else {
        return found.into_iter().next().ok_or_else(none_found);
    };
    if found.is_empty() {
        return Err(none_found());
    }
    let mut versions = Vec::new();
    for bin in found {
        match major_version(&bin) {
            Some(version) if version == made_by.trim() => return Ok(bin),
            Some(version) if !versions.contains(&version) => versions.push(version),
            _ => {}
        }
    }
    Err(Error::Version { path: data.to_path_buf(), data: made_by.trim().to_owned(), found: versions.join(", ") })
}

/// Every directory with the binaries, the preferred one first.
fn all() -> Result<Vec<PathBuf>, Error> {
    if let Some(dir) = env::var_os("PG_BIN_DIR").filter(|dir| !dir.is_empty()) {
        let dir = PathBuf::from(dir);
        // Taking another one than the one asked for would hide the mistake.
        return match complete(&dir) {
            Some(dir) => Ok(vec![dir]),
            None => Err(Error::NoBinaries {
                looked: format!("PG_BIN_DIR is {}, which does not hold postgres and initdb", dir.display()),
            }),
        };
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).filter(|dir| dir.is_absolute());
    let mut found: Vec<PathBuf> = Vec::new();
    for dir in on_path.chain(pg_config()).chain(debian()).filter_map(|dir| complete(&dir)) {
        if !found.contains(&dir) {
            found.push(dir);
        }
    }
    Ok(found)
}

fn none_found() -> Error {
    Error::NoBinaries { looked: format!("looked in PATH, pg_config --bindir and {DEBIAN}/*/bin") }
}

/// The directory without symlinks, when both binaries are in it.
fn complete(dir: &Path) -> Option<PathBuf> {
    let executable = |name: &str| {
        fs::metadata(dir.join(name)).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    if executable("postgres") && executable("initdb") { dir.canonicalize().ok() } else { None }
}

fn pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let line = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(line.trim()))
}

/// Debian's directories, the newest version first.
fn debian() -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, bin)| bin).collect()
}

/// `15` of `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn major_version(bin: &Path) -> Option<String> {
    let output = Command::new(bin.join("postgres")).arg("--version").output().ok()?;
    let line = String::from_utf8(output.stdout).ok()?;
    let number = line.split_whitespace().nth(2)?;
    let major: String = number.chars().take_while(char::is_ascii_digit).collect();
    (!major.is_empty()).then_some(major)
}
