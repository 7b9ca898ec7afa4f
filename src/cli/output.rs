//! Where words go: results to standard output, messages and progress to standard error.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};

/// Writes one line of result.
///
/// # Errors
/// Standard output is closed or full.
pub fn result(line: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Writes one line for whoever watches.
pub fn message(line: impl Display) {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// A bar over `length` steps of `what`; hidden unless standard error is a terminal.
pub fn progress(length: u64, what: &'static str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length).with_message(what);
    match ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len}  {elapsed} (left: {eta})") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
