//! Files as rows: plain or gzip, with or without a byte order mark, CSV or JSON lines. A row is held
//! in memory, a file never; a row that does not end is an error.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use anyhow::Context as _;
use csv::ByteRecord;
use flate2::bufread::MultiGzDecoder;
use indicatif::ProgressBar;

use super::report::RowError;
use crate::cli::output;

/// What a file is read through.
pub(super) type Input = Box<dyn BufRead>;

/// The longest row: a receipt of 1,000 lines fits.
const ROW_BYTES_MAX: usize = 1 << 20;

/// Opens a file, with a bar over its bytes as they lie on the disk.
pub(super) fn open(path: &Path) -> anyhow::Result<(Input, ProgressBar)> {
    let shown = || format!("reading {}", path.display());
    let file = File::open(path).with_context(shown)?;
    let bar = output::progress(file.metadata().with_context(shown)?.len(), "bytes read");
    let mut raw = BufReader::new(bar.wrap_read(file));
    let compressed = raw.fill_buf().with_context(shown)?.starts_with(&[0x1f, 0x8b]);
    let mut input: Input = if compressed { Box::new(BufReader::new(MultiGzDecoder::new(raw))) } else { Box::new(raw) };
    if input.fill_buf().with_context(shown)?.starts_with("\u{feff}".as_bytes()) {
        input.consume('\u{feff}'.len_utf8());
    }
    Ok((input, bar))
}

/// A reader that fails once too much was read since the counter was last set back, and that ends
/// lines with `\n` alone: a `\r\n` would shift the line numbers by one.
struct Bounded {
    input: Input,
    since: Rc<Cell<usize>>,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since.get() > ROW_BYTES_MAX {
            return Err(io::Error::other("a row is longer than 1 MiB: is there a quote that is never closed?"));
        }
        let ahead = self.input.fill_buf()?;
        let length = ahead.len().min(buffer.len());
        let line_end = ahead[..length].iter().position(|&byte| byte == b'\r');
        // Up to a carriage return as it is; the return itself by its own, for what follows it may
        // not have been read yet.
        let taken = match line_end {
            Some(0) => {
                self.input.consume(1);
                buffer[0] = if self.input.fill_buf()?.first() == Some(&b'\n') { b'\n' } else { b'\r' };
                if buffer[0] == b'\n' {
                    self.input.consume(1);
                }
                self.since.set(self.since.get() + 1);
                return Ok(1);
            }
            Some(end) => end,
            None => length,
        };
        buffer[..taken].copy_from_slice(&ahead[..taken]);
        self.input.consume(taken);
        self.since.set(self.since.get() + taken);
        Ok(taken)
    }
}

/// A CSV file with named columns.
pub(super) struct Table {
    reader: csv::Reader<Bounded>,
    since: Rc<Cell<usize>>,
    columns: Vec<String>,
    record: ByteRecord,
}

impl Table {
    /// Reads the header, which names columns in any order.
    pub(super) fn open(input: Input, known: &[&str], needed: &[&str]) -> anyhow::Result<Self> {
        let since = Rc::new(Cell::new(0));
        let bounded = Bounded { input, since: Rc::clone(&since) };
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bounded);
        let mut record = ByteRecord::new();
        anyhow::ensure!(reader.read_byte_record(&mut record)?, "the file is empty: its first line names the columns");
        let mut columns: Vec<String> = Vec::new();
        for cell in &record {
            let name = std::str::from_utf8(cell).context("the first line is not UTF-8")?.trim().to_owned();
            anyhow::ensure!(known.contains(&name.as_str()), "unknown column {name:?}: known are {}", known.join(","));
            anyhow::ensure!(!columns.contains(&name), "column {name:?} is there twice");
            columns.push(name);
        }
        for name in needed {
            anyhow::ensure!(columns.iter().any(|column| column == name), "column {name:?} is missing");
        }
        Ok(Self { reader, since, columns, record })
    }

    /// The next row.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Row<'_>>> {
        self.since.set(0);
        let before = self.reader.position().line();
        let read = self.reader.read_byte_record(&mut self.record);
        if !read.with_context(|| format!("in the row at line {before}"))? {
            return Ok(None);
        }
        let line = self.record.position().map_or(0, csv::Position::line);
        Ok(Some(Row { line, columns: &self.columns, record: &self.record }))
    }
}

/// A row of a table.
#[derive(Clone, Copy)]
pub(super) struct Row<'t> {
    /// Its first line in the file.
    pub(super) line: u64,
    columns: &'t [String],
    record: &'t ByteRecord,
}

impl<'t> Row<'t> {
    /// That there are as many cells as columns.
    pub(super) fn whole(&self) -> Result<(), RowError> {
        let (columns, cells) = (self.columns.len(), self.record.len());
        if columns == cells {
            return Ok(());
        }
        Err(RowError::new(self.line, "", "cell_count", format!("expected {columns} cells, found {cells}")))
    }

    /// A cell without the blanks around it; `None` where it is empty or there is no such column.
    pub(super) fn cell(&self, column: &str) -> Result<Option<&'t str>, RowError> {
        let place = self.columns.iter().position(|name| name == column);
        let Some(bytes) = place.and_then(|place| self.record.get(place)) else { return Ok(None) };
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
            Err(_) => Err(RowError::new(self.line, column, "not_utf8", "the cell is not UTF-8")),
        }
    }
}

/// A file of one JSON object a line.
pub(super) struct Lines {
    input: Input,
    line: u64,
    buffer: Vec<u8>,
}

impl Lines {
    pub(super) fn new(input: Input) -> Self {
        Self { input, line: 0, buffer: Vec::new() }
    }

    /// The next line that is not blank, with its number.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<(u64, Result<&str, RowError>)>> {
        loop {
            self.line += 1;
            self.buffer.clear();
            let limit = ROW_BYTES_MAX as u64 + 1;
            if self.input.by_ref().take(limit).read_until(b'\n', &mut self.buffer)? == 0 {
                return Ok(None);
            }
            if self.buffer.len() > ROW_BYTES_MAX {
                self.skip()?;
                let error = RowError::new(self.line, "", "row_too_long", "the line is longer than 1 MiB");
                return Ok(Some((self.line, Err(error))));
            }
            if !self.buffer.trim_ascii().is_empty() {
                break;
            }
        }
        let text = std::str::from_utf8(&self.buffer).map(str::trim);
        let text = text.map_err(|_| RowError::new(self.line, "", "not_utf8", "the line is not UTF-8"));
        Ok(Some((self.line, text)))
    }

    /// Reads on to the end of the line.
    fn skip(&mut self) -> io::Result<()> {
        while self.buffer.last() != Some(&b'\n') {
            let ahead = self.input.fill_buf()?;
            let end = ahead.iter().position(|&byte| byte == b'\n');
            let taken = end.map_or(ahead.len(), |end| end + 1);
            self.input.consume(taken);
            if end.is_some() || taken == 0 {
                break;
            }
        }
        Ok(())
    }
}
