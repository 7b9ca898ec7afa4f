//! As whom the server runs. PostgreSQL refuses to run as root; containers often have nobody else.

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::Error;

/// Who may be lent the server by root, in this order. `nobody` may also run other services, so it
/// comes last.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// The user id in the namespace when the machine knows no name for one: initdb wants a name.
const NAMELESS: u32 = 1000;

/// As whom a PostgreSQL program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// As the user of this process.
    Caller,
    /// As another user, who owns the data and socket directories.
    User {
        /// The user id.
        uid: u32,
        /// The group id.
        gid: u32,
    },
    /// In a user namespace where root goes by another number: the files stay root's.
    Namespace {
        /// That number.
        inside: u32,
    },
}

/// The user this process acts as.
pub(super) fn effective_user() -> u32 {
    // SAFETY: geteuid takes no arguments, touches no memory and cannot fail.
    unsafe { libc::geteuid() }
}

fn effective_group() -> u32 {
    // SAFETY: getegid takes no arguments, touches no memory and cannot fail.
    unsafe { libc::getegid() }
}

impl Identity {
    /// Finds an identity that can run the binaries in the directory. An existing data directory has
    /// settled it: only its owner can use it.
    pub(super) fn choose(bin: &Path, dir: &Path, data: &Path) -> Result<Self, Error> {
        if effective_user() != 0 {
            return Ok(Self::Caller);
        }
        let names = fs::read_to_string("/etc/passwd").unwrap_or_default();
        if let Ok(found) = fs::metadata(data) {
            if found.uid() == 0 {
                return Self::namespace(&names, bin, dir);
            }
            let user = Self::User { uid: found.uid(), gid: found.gid() };
            return match user.try_out(bin, dir) {
                Ok(()) => Ok(user),
                Err(source) => Err(Error::Closed { path: dir.to_path_buf(), owner: found.uid(), source }),
            };
        }
        let users = USERS.iter().filter_map(|name| find_user(&names, |user| user.name == *name));
        for user in users {
            let user = Self::User { uid: user.uid, gid: user.gid };
            if user.try_out(bin, dir).is_ok() {
                return Ok(user);
            }
        }
        Self::namespace(&names, bin, dir)
    }

    fn namespace(names: &str, bin: &Path, dir: &Path) -> Result<Self, Error> {
        let known = USERS
            .iter()
            .find_map(|name| find_user(names, |user| user.name == *name))
            .or_else(|| find_user(names, |user| user.uid != 0));
        let identity = Self::Namespace { inside: known.map_or(NAMELESS, |user| user.uid) };
        match identity.try_out(bin, dir) {
            Ok(()) => Ok(identity),
            Err(source) => Err(Error::Namespace { path: dir.to_path_buf(), source }),
        }
    }

    /// Trying is the only sure way to know: besides the permission bits, access lists, container
    /// profiles and missing capabilities have a say.
    fn try_out(self, bin: &Path, dir: &Path) -> io::Result<()> {
        let postgres = bin.join("postgres");
        let output = self.command(&postgres, dir).arg("--version").output()?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(io::Error::other(format!("{} fails: {}", postgres.display(), said.trim())))
    }

    /// The user that owns the files of a server with this identity.
    pub(super) fn owner(self) -> u32 {
        match self {
            Self::Caller | Self::Namespace { .. } => effective_user(),
            Self::User { uid, .. } => uid,
        }
    }

    /// Gives a directory this process has just created to the identity.
    pub(super) fn hand_over(self, path: &Path) -> Result<(), Error> {
        match self {
            Self::Caller | Self::Namespace { .. } => Ok(()),
            Self::User { uid, gid } => {
                lchown(path, Some(uid), Some(gid)).map_err(|source| Error::io("hand over", path, source))
            }
        }
    }

    /// A command that runs `program` in `dir` under this identity, without the caller's `PG…`
    /// variables, which are meant for clients of other servers.
    pub(super) fn command(self, program: &Path, dir: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(dir).stdin(Stdio::null()).env("LC_ALL", "C");
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        match self {
            Self::Caller => {}
            Self::User { uid, gid } => {
                command.uid(uid).gid(gid);
            }
            Self::Namespace { inside } => {
                let users = format!("{inside} {} 1", effective_user()).into_bytes();
                let groups = format!("{inside} {} 1", effective_group()).into_bytes();
                // SAFETY: between fork and exec the closure only makes system calls on memory that
                // was allocated before the fork.
                unsafe { command.pre_exec(move || enter_namespace(&users, &groups)) };
            }
        }
        command
    }
}

/// Takes a server out of the terminal's reach: Ctrl-C is for this process, which then stops it in
/// good order.
pub(super) fn detach(command: &mut Command) {
    // SAFETY: between fork and exec the closure makes one system call and touches no memory. It
    // fails only for a process group leader, which a fresh child is not.
    unsafe {
        command.pre_exec(|| if libc::setsid() == -1 { Err(io::Error::last_os_error()) } else { Ok(()) });
    }
}

#[cfg(target_os = "linux")]
fn enter_namespace(users: &[u8], groups: &[u8]) -> io::Result<()> {
    // SAFETY: unshare takes a number and touches no memory of ours.
    if unsafe { libc::unshare(libc::CLONE_NEWUSER) } == -1 {
        return Err(io::Error::last_os_error());
    }
    // The kernel wants this order: no group map before the groups are fixed.
    write_at_once(c"/proc/self/setgroups", b"deny")?;
    write_at_once(c"/proc/self/uid_map", users)?;
    write_at_once(c"/proc/self/gid_map", groups)
}

#[cfg(not(target_os = "linux"))]
fn enter_namespace(_users: &[u8], _groups: &[u8]) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}

/// Writes without allocating, as a forked child must.
#[cfg(target_os = "linux")]
fn write_at_once(path: &std::ffi::CStr, text: &[u8]) -> io::Result<()> {
    // SAFETY: the path is a C string that outlives the call.
    let file = unsafe { libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) };
    if file == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the pointer and the length describe one live slice; the descriptor is open.
    let written = unsafe { libc::write(file, text.as_ptr().cast(), text.len()) };
    let result = if written == -1 { Err(io::Error::last_os_error()) } else { Ok(()) };
    // SAFETY: the descriptor was opened above and is not used afterwards.
    unsafe { libc::close(file) };
    result
}

struct User<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
}

fn find_user<'a>(names: &'a str, wanted: impl Fn(&User<'a>) -> bool) -> Option<User<'a>> {
    names
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            Some(User { name, uid, gid })
        })
        .find(|user| user.uid != 0 && wanted(user))
}
