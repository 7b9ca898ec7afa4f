//! Creating the cluster: whole or not at all.

use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::Stdio;

use super::error::{Error, log_tail};
use super::identity::Identity;
use super::{Durability, OWNER, lock};

/// Where the server and initdb write. Kept small: the previous one goes when it has grown.
pub(super) const LOG: &str = "server.log";

/// Creates the cluster in `data` below `dir` if there is none.
///
/// initdb works in a directory beside it, which takes the name once it is complete: a cluster that
/// was interrupted is thrown away and made again. `starting` goes to initdb as its standard input,
/// so that the lock lasts if it outlives this process.
pub(super) fn create_if_missing(
    bin: &Path,
    identity: &Identity,
    dir: &Path,
    starting: &File,
    durability: Durability,
) -> Result<(), Error> {
    let data = dir.join("data");
    if data.join("PG_VERSION").exists() {
        return Ok(());
    }
    if data.exists() {
        // Only an empty directory can be removed.
        fs::remove_dir(&data).map_err(|_| Error::NotACluster { path: data.clone() })?;
    }
    let draft = dir.join("data.new");
    if draft.exists() {
        tracing::info!(dir = %draft.display(), "removing what an interrupted start has left");
        fs::remove_dir_all(&draft).map_err(|source| Error::io("remove", &draft, source))?;
    }
    fs::DirBuilder::new().mode(0o700).create(&draft).map_err(|source| Error::io("create", &draft, source))?;
    identity.hand_over(&draft)?;
    initdb(bin, identity, dir, &draft, starting, durability)?;
    fs::rename(&draft, &data).map_err(|source| Error::io("rename", &draft, source))?;
    // The new name must survive a crash as the files under it do.
    File::open(dir).and_then(|opened| opened.sync_all()).map_err(|source| Error::io("sync", dir, source))
}

fn initdb(
    bin: &Path,
    identity: &Identity,
    dir: &Path,
    draft: &Path,
    starting: &File,
    durability: Durability,
) -> Result<(), Error> {
    let program = bin.join("initdb");
    let log_path = dir.join(LOG);
    let log = lock::open_own(&log_path)?;
    let begin = log.metadata().map_err(|source| Error::io("read", &log_path, source))?.len();
    let copy = |file: &File| file.try_clone().map(Stdio::from).map_err(|source| Error::io("open", &log_path, source));

    let mut command = identity.command(&program, dir);
    command.arg("-D").arg(draft).args(["-U", OWNER, "--auth-local=trust", "--auth-host=reject"]);
    command.args(["--encoding=UTF8", "--locale=C", "--data-checksums", "--no-instructions"]);
    if durability == Durability::Fast {
        command.arg("--no-sync");
    }
    let status = command
        .stdin(copy(starting)?)
        .stdout(copy(&log)?)
        .stderr(copy(&log)?)
        .status()
        .map_err(|source| Error::io("run", &program, source))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Initdb { status: status.to_string(), log: log_tail(&log_path, begin), path: log_path })
}
