//! The server's process: launching it, recognising it, stopping it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::cluster::LOG;
use super::error::{Error, log_tail};
use super::identity::{self, Identity};
use super::limit::Limit;
use super::probe::{self, Answer};
use super::{Durability, lock, socket};

/// For a server that says nothing at all.
const SILENT: Duration = Duration::from_secs(60);
/// For a server that says it is starting: after a crash it replays up to `max_wal_size` of log.
const RECOVERY: Duration = Duration::from_secs(10 * 60);
/// For a shutdown that writes everything out, before it is cut short.
const FAST_STOP: Duration = Duration::from_secs(30);
/// For a shutdown that writes nothing.
const IMMEDIATE_STOP: Duration = Duration::from_secs(10);
/// For the sessions of a killed server, which end by themselves when they notice.
const ORPHANS: Duration = Duration::from_secs(15);
/// Every try leaves lines in the log.
const NEXT_TRY: Duration = Duration::from_millis(300);

/// A log larger than this makes way for a new one at the next start, in bytes.
const LARGE_LOG: u64 = 16 << 20;

/// No process has this number: Linux ends at 2^22, macOS at 99998.
const NOBODY: u32 = i32::MAX.cast_unsigned();

/// A server that accepts connections.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) pid: u32,
    pub(super) socket_dir: PathBuf,
}

impl Running {
    /// Whether the server was started with exactly these settings.
    pub(super) fn has_settings(&self, data: &Path, settings: &[String]) -> bool {
        // The server writes its command line there, every argument in double quotes. Ours come last.
        let wanted: String = settings.iter().map(|setting| format!(" \"-c\" \"{setting}\"")).collect();
        let given = fs::read(data.join("postmaster.opts")).unwrap_or_default();
        given.trim_ascii_end().ends_with(wanted.trim_ascii_end().as_bytes())
    }
}

/// What `postmaster.pid` says; the server writes it line by line while it starts.
struct PidFile {
    pid: u32,
    socket_dir: Option<PathBuf>,
}

impl PidFile {
    fn read(data: &Path) -> Option<Self> {
        let text = fs::read(data.join("postmaster.pid")).ok()?;
        let mut lines = text.split(|&byte| byte == b'\n');
        let pid = std::str::from_utf8(lines.next()?).ok()?.trim().parse().ok()?;
        let socket_dir = lines.nth(3).filter(|line| line.starts_with(b"/"));
        Some(Self { pid, socket_dir: socket_dir.map(|line| PathBuf::from(OsStr::from_bytes(line))) })
    }

    fn ask(&self) -> Answer {
        self.socket_dir.as_ref().map_or(Answer::Absent, |dir| probe::ask(&socket::file(dir)))
    }
}

/// The server of this data directory if one runs, once it accepts connections. One that is on its
/// way up or down is waited for. Only while the start lock is held.
pub(super) fn find_running(data: &Path) -> Result<Option<Running>, Error> {
    let limit = Limit::after(RECOVERY);
    loop {
        let Some(file) = PidFile::read(data) else {
            return Ok(None);
        };
        let answer = file.ask();
        if let (Answer::Ready, Some(socket_dir)) = (answer, &file.socket_dir) {
            return Ok(Some(Running { pid: file.pid, socket_dir: socket_dir.clone() }));
        }
        // An answer counts more than the process: in another container it has another number.
        if answer == Answer::Absent && !is_postmaster(file.pid, data) {
            return Ok(None);
        }
        if !limit.pause() {
            let status = format!("process {}, left by an earlier start, accepts no connections", file.pid);
            let path = data.with_file_name(LOG);
            return Err(Error::Start { status, log: log_tail(&path, 0), path });
        }
    }
}

/// How to launch a server.
pub(super) struct Postmaster<'a> {
    pub(super) bin: &'a Path,
    pub(super) identity: &'a Identity,
    pub(super) dir: &'a Path,
    pub(super) socket_dir: &'a Path,
    /// `name=value`, see `settings`.
    pub(super) settings: &'a [String],
}

impl Postmaster<'_> {
    /// Launches the server and waits until it accepts connections.
    pub(super) fn launch(&self, durability: Durability) -> Result<Running, Error> {
        let compression = match durability {
            Durability::Durable => self.wal_compression(),
            Durability::Fast => "off",
        };
        let data = self.data();
        make_way(&data)?;
        let limit = Limit::after(ORPHANS);
        loop {
            match self.launch_once(compression) {
                // Sessions of a killed server still hold its memory.
                Err(Error::Start { log, .. }) if log.contains("shared memory block") && limit.pause_for(NEXT_TRY) => {}
                result => return result,
            }
        }
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn launch_once(&self, compression: &str) -> Result<Running, Error> {
        let program = self.bin.join("postgres");
        let log_path = self.dir.join(LOG);
        let log = lock::open_own(&log_path)?;
        let read = |source| Error::io("read", &log_path, source);
        if log.metadata().map_err(read)?.len() > LARGE_LOG {
            log.set_len(0).map_err(|source| Error::io("empty", &log_path, source))?;
        }
        let begin = log.metadata().map_err(read)?.len();
        let failed = |status: String| Error::Start { status, log: log_tail(&log_path, begin), path: log_path.clone() };

        let mut command = self.identity.command(&program, self.dir);
        command.arg("-D").arg(self.data());
        command.arg("-c").arg(socket_setting(self.socket_dir));
        command.arg("-c").arg(format!("port={}", super::PORT));
        command.arg("-c").arg(format!("wal_compression={compression}"));
        for setting in self.settings {
            command.args(["-c", setting]);
        }
        identity::detach(&mut command);
        let copy = || log.try_clone().map(Stdio::from).map_err(|source| Error::io("open", &log_path, source));
        let mut child =
            command.stdout(copy()?).stderr(copy()?).spawn().map_err(|source| Error::io("run", &program, source))?;

        let (silent, recovery) = (Limit::after(SILENT), Limit::after(RECOVERY));
        let socket = socket::file(self.socket_dir);
        loop {
            let answer = probe::ask(&socket);
            if answer == Answer::Ready {
                return Ok(Running { pid: child.id(), socket_dir: self.socket_dir.to_path_buf() });
            }
            if let Ok(Some(status)) = child.try_wait() {
                return Err(failed(status.to_string()));
            }
            let more = if answer == Answer::Busy { recovery.pause() } else { silent.pause() };
            if !more {
                // Neither its own users nor ours can do anything with it.
                signal(child.id(), libc::SIGQUIT);
                let _ = child.wait();
                return Err(failed("it accepted no connection in time".to_owned()));
            }
        }
    }

    /// The cheapest compression this build of PostgreSQL has.
    fn wal_compression(&self) -> &'static str {
        let supported = |name: &str| {
            let mut command: Command = self.identity.command(&self.bin.join("postgres"), self.dir);
            command.arg("-D").arg(self.data()).args(["-C", "wal_compression"]);
            command.arg("-c").arg(format!("wal_compression={name}"));
            command.output().is_ok_and(|output| output.status.success())
        };
        if supported("lz4") { "lz4" } else { "on" }
    }
}

/// The setting is a list; quotes keep a path with spaces in one piece.
fn socket_setting(dir: &Path) -> OsString {
    let mut setting = OsString::from("unix_socket_directories=\"");
    setting.push(dir);
    setting.push("\"");
    setting
}

/// Keeps PostgreSQL from taking a stranger for the server that left `postmaster.pid` behind.
///
/// In a container the numbers of processes start over, so a stale one is often that of a live
/// process. The rest of the file stays: PostgreSQL finds in it the memory that sessions of the old
/// server may still be using.
fn make_way(data: &Path) -> Result<(), Error> {
    let path = data.join("postmaster.pid");
    let fail = |source| Error::io("replace", &path, source);
    let remove = || match fs::remove_file(&path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(fail(source)),
        _ => Ok(()),
    };
    let Some(file) = PidFile::read(data) else {
        // Without a number in it, as a crash of the machine leaves it, it only keeps servers away.
        return remove();
    };
    if !signal(file.pid, 0) || is_postmaster(file.pid, data) {
        return Ok(());
    }
    let text = fs::read(&path).map_err(fail)?;
    let rest = text.iter().position(|&byte| byte == b'\n').map_or(&[][..], |end| &text[end..]);
    let owner = fs::metadata(data).map_err(fail)?;
    // Removed and created anew, never written through: in the directory of another user, root would
    // follow whatever link that user has put there.
    remove()?;
    let mut fresh = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(fail)?;
    if identity::effective_user() == 0 {
        fchown(&fresh, Some(owner.uid()), Some(owner.gid())).map_err(fail)?;
    }
    fresh.write_all(NOBODY.to_string().as_bytes()).and_then(|()| fresh.write_all(rest)).map_err(fail)
}

/// Stops the server of this data directory, whoever started it, and waits until it is gone. Only
/// while the start lock is held and nobody else uses the server.
pub(super) fn stop(data: &Path) -> Result<(), Error> {
    let Some(file) = PidFile::read(data) else {
        return Ok(());
    };
    let pid = file.pid;
    if !is_postmaster(pid, data) && file.ask() != Answer::Absent {
        // It runs in another container, where no signal of ours arrives.
        return Err(Error::Stop { pid });
    }
    // Fast (open connections are cut), then immediate (the next start replays the log). The gentle
    // one would wait for every client, and ours are pools that never leave.
    for (number, wait) in [(libc::SIGINT, FAST_STOP), (libc::SIGQUIT, IMMEDIATE_STOP)] {
        let limit = Limit::after(wait);
        if is_postmaster(pid, data) {
            signal(pid, number);
        }
        loop {
            reap(pid);
            if !is_postmaster(pid, data) {
                return Ok(());
            }
            if !limit.pause() {
                break;
            }
        }
        tracing::warn!(pid, "the PostgreSQL server does not stop");
    }
    Err(Error::Stop { pid })
}

/// Collects an ended child, which would stay in the table of processes otherwise. Nothing happens
/// when the process is not ours or still runs.
pub(super) fn reap(pid: u32) {
    let Ok(pid) = libc::pid_t::try_from(pid) else {
        return;
    };
    // SAFETY: a null status is allowed; with a positive number and WNOHANG the call touches no
    // memory and does not wait.
    unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::WNOHANG) };
}

/// Whether the process is a server of this data directory. A number alone says nothing: it may have
/// been given to another process since.
#[cfg(target_os = "linux")]
fn is_postmaster(pid: u32, data: &Path) -> bool {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let Ok(line) = fs::read(process.join("cmdline")) else {
        return false;
    };
    let mut words = line.split(|&byte| byte == 0);
    words.next().is_some_and(|program| program.ends_with(b"postgres"))
        && (words.any(|word| word == data.as_os_str().as_bytes())
            || fs::read_link(process.join("cwd")).is_ok_and(|dir| dir == data))
}

/// Whether the process is alive: there is no portable way to see what it runs.
#[cfg(not(target_os = "linux"))]
fn is_postmaster(pid: u32, _data: &Path) -> bool {
    signal(pid, 0)
}

/// Sends a signal; false when there is no such process or it is not ours to signal.
fn signal(pid: u32, number: libc::c_int) -> bool {
    match libc::pid_t::try_from(pid) {
        // Zero and negative numbers would mean whole groups of processes.
        // SAFETY: kill takes two numbers and touches no memory.
        Ok(pid) if pid > 0 => unsafe { libc::kill(pid, number) == 0 },
        _ => false,
    }
}
