//! What came of the rows: the counts, and the list of those that were not taken.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowError {
    /// Line of the file, from 1.
    pub(super) line: u64,
    /// The column at fault; empty where it is the row.
    pub(super) column: String,
    /// Stable code; the API's where it has one.
    pub(super) code: &'static str,
    /// What is wrong. It never repeats the cell: an error list must not spread personal data.
    pub(super) detail: String,
}

impl RowError {
    /// A mistake in a column.
    pub(super) fn new(line: u64, column: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self { line, column: column.to_owned(), code, detail: detail.into() }
    }
}

/// Rows by what came of them; the first is the sum of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Rows of the file.
    pub(super) rows: u64,
    /// Taken now.
    pub(super) accepted: u64,
    /// Taken before.
    pub(super) duplicates: u64,
    /// Not taken.
    pub(super) rejected: u64,
}

/// Counts rows and lists those that were not taken.
pub(super) struct Report {
    counts: Counts,
    path: PathBuf,
    ours: bool,
    list: Option<csv::Writer<File>>,
}

impl Report {
    /// A report on `input`; the list goes to `path`, or beside the input.
    pub(super) fn new(input: &Path, path: Option<&Path>) -> anyhow::Result<Self> {
        let beside = || {
            let mut name = input.as_os_str().to_owned();
            name.push(".errors.csv");
            PathBuf::from(name)
        };
        let ours = path.is_none();
        let path = path.map_or_else(beside, Path::to_path_buf);
        if fs::canonicalize(&path).is_ok_and(|list| fs::canonicalize(input).is_ok_and(|input| input == list)) {
            anyhow::bail!("the list of errors would overwrite the file that is read");
        }
        Ok(Self { counts: Counts::default(), path, ours, list: None })
    }

    /// Notes rows that were taken.
    pub(super) fn accept(&mut self, rows: u64) {
        self.counts.rows += rows;
        self.counts.accepted += rows;
    }

    /// Notes rows that were taken before.
    pub(super) fn duplicate(&mut self, rows: u64) {
        self.counts.rows += rows;
        self.counts.duplicates += rows;
    }

    /// Notes rows that were not taken, and why.
    pub(super) fn reject(&mut self, rows: u64, errors: &[RowError]) -> anyhow::Result<()> {
        self.counts.rows += rows;
        self.counts.rejected += rows;
        let path = &self.path;
        if self.list.is_none() {
            let file = File::create(path).with_context(|| format!("writing {}", path.display()))?;
            let mut list = csv::Writer::from_writer(file);
            list.write_record(["line", "column", "code", "detail"])?;
            self.list = Some(list);
        }
        for error in errors {
            if let Some(list) = &mut self.list {
                let line = error.line.to_string();
                list.write_record([&line, &harmless(&error.column), error.code, &harmless(&error.detail)])
                    .with_context(|| format!("writing {}", path.display()))?;
            }
        }
        Ok(())
    }

    /// Closes the list. Where every row was taken, the list of an earlier try is removed.
    pub(super) fn finish(&mut self) -> anyhow::Result<()> {
        match &mut self.list {
            Some(list) => list.flush().with_context(|| format!("writing {}", self.path.display())),
            None if self.ours && self.path.is_file() => {
                fs::remove_file(&self.path).with_context(|| format!("removing {}", self.path.display()))
            }
            None => Ok(()),
        }
    }

    /// The counts.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// The list, if any row is on it.
    pub(super) fn errors_file(&self) -> Option<&Path> {
        self.list.as_ref().map(|_| self.path.as_path())
    }
}

/// A text that no spreadsheet takes for a formula.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\0']) { format!("'{text}") } else { text.to_owned() }
}
