//! Reading a password without showing it: from the environment, from a pipe, or typed.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::Context as _;

/// Where a password may stand; never in an argument, which every process of the machine can read.
pub(super) const VARIABLE: &str = "TESSERA_PASSWORD";

/// The password in [`VARIABLE`], else one line of standard input, which a terminal does not echo.
pub(super) fn password() -> anyhow::Result<String> {
    if let Ok(password) = std::env::var(VARIABLE) {
        return Ok(password);
    }
    if !io::stdin().is_terminal() {
        return line();
    }
    let first = typed("Password: ")?;
    anyhow::ensure!(typed("Again: ")? == first, "the two passwords differ");
    Ok(first)
}

fn line() -> anyhow::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context("reading the password from standard input")?;
    let password = line.trim_end_matches(['\r', '\n']);
    anyhow::ensure!(!password.is_empty(), "no password: set {VARIABLE} or write it to standard input");
    Ok(password.to_owned())
}

fn typed(prompt: &str) -> anyhow::Result<String> {
    let mut err = io::stderr().lock();
    write!(err, "{prompt}")?;
    err.flush()?;
    let silent = Silent::start();
    let typed = line();
    drop(silent);
    writeln!(err)?;
    typed
}

/// A terminal that does not echo, until dropped.
struct Silent(libc::termios);

impl Silent {
    /// `None` where the terminal cannot be told: then the password shows, as it is typed.
    fn start() -> Option<Self> {
        // SAFETY: termios is plain data, and tcgetattr fills it or says that it did not.
        let before = unsafe {
            let mut now = std::mem::zeroed::<libc::termios>();
            (libc::tcgetattr(libc::STDIN_FILENO, &mut now) == 0).then_some(now)
        }?;
        let mut silent = before;
        silent.c_lflag &= !libc::ECHO;
        // SAFETY: a valid termios, for a descriptor that is only looked up.
        let told = unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSAFLUSH, &silent) == 0 };
        told.then_some(Self(before))
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // SAFETY: as above, with what tcgetattr gave.
        unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSAFLUSH, &self.0) };
    }
}
