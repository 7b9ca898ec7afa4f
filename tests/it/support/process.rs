//! The real binary as a process of its own, to be signalled and killed.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::{Caller, eventually};

/// The command, in a directory and without the settings of whoever runs the tests.
pub(crate) fn tessera(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
    for (name, _) in std::env::vars() {
        if name.starts_with("TESSERA") || name.starts_with("DATABASE_") {
            command.env_remove(name);
        }
    }
    command.current_dir(dir).env("TESSERA__HTTP__BIND", "127.0.0.1:0").stdin(Stdio::null());
    command
}

/// Runs a command to its end: exit code, standard output, standard error.
pub(crate) fn finish(command: &mut Command) -> (i32, String, String) {
    let output = command.output().expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// A process that serves. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    out: Lines,
    log: Lines,
}

/// What a process has said so far.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn follow(&self, from: impl std::io::Read + Send + 'static) {
        let lines = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                lines.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
    }

    fn find<T>(&self, look: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().find_map(|line| look(line))
    }

    fn all(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }
}

impl Process {
    /// Starts a command, which logs as JSON.
    pub(crate) fn start(command: &mut Command) -> Self {
        command.env("TESSERA__LOG__FORMAT", "json").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let (out, log) = (Lines::default(), Lines::default());
        out.follow(child.stdout.take().expect("standard output"));
        log.follow(child.stderr.take().expect("standard error"));
        Self { child, out, log }
    }

    /// Waits for a line on standard output that says what is looked for.
    pub(crate) fn says<T>(&mut self, what: &str, look: impl Fn(&str) -> Option<T>) -> T {
        let out = self.out.clone();
        self.until(what, || out.find(&look))
    }

    /// Waits until it listens, and returns somebody who speaks to it.
    pub(crate) fn listening(&mut self) -> Caller {
        let log = self.log.clone();
        let address = self.until("the server listens", || {
            log.find(|line| {
                let line: Value = serde_json::from_str(line).ok()?;
                let address = (line["message"] == "listening").then(|| line["address"].as_str())??;
                address.parse::<SocketAddr>().ok()
            })
        });
        Caller::anon(address)
    }

    /// Waits for something, as long as the process lives.
    fn until<T>(&mut self, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
        eventually(what, || {
            let answer = ask();
            if answer.is_none() {
                let ended = self.child.try_wait().expect("a child");
                assert!(ended.is_none(), "{what}: it ended with {ended:?}\n{}", self.log.all());
            }
            answer
        })
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.id()).expect("a process id");
        // SAFETY: kill takes two numbers and touches no memory; the child has not been waited for.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    /// Whether it has ended, and how.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child")
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let log = self.log.clone();
        let ended = eventually("the process ends", || self.ended());
        if !ended.success() {
            eprintln!("{}", log.all());
        }
        ended
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
