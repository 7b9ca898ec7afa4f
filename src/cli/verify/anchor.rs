//! Anchors: the heads of all chains, kept outside the database. Who can change every row can compute a
//! chain anew from the row he changed; he cannot change the file somebody else has kept.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tessera_rules::id::MemberId;
use uuid::Uuid;

/// The first line of every such file.
const TITLE: &str = "tessera anchor 1";
/// The last line begins so, and counts the members: a file that was cut off would let those whose lines
/// are missing be rewritten.
const END: &str = "end ";

/// How a member's chain stood: how many entries, and the hash of the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) entries: i64,
    pub(super) head: [u8; 32],
}

/// The marks of a file, by member. Those that were met are taken out.
pub(super) type Marks = HashMap<Uuid, Mark>;

/// Reads the marks of a file.
pub(super) fn read(path: &Path) -> anyhow::Result<Marks> {
    let name = path.display();
    let file = File::open(path).with_context(|| format!("{name} cannot be read"))?;
    let mut lines = BufReader::new(file).lines();
    if lines.next().transpose()?.as_deref() != Some(TITLE) {
        bail!("{name} is not an anchor: its first line must be {TITLE:?}");
    }
    let mut marks = Marks::new();
    let mut ended = false;
    for (line, number) in lines.zip(2..) {
        let line = line.with_context(|| format!("{name} cannot be read"))?;
        if ended {
            bail!("{name}, line {number}, comes after the end");
        }
        if let Some(count) = line.strip_prefix(END) {
            ended = count.parse() == Ok(marks.len());
            if !ended {
                bail!("{name} is not whole: it has {} members, and its last line says {count}", marks.len());
            }
            continue;
        }
        let (member, mark) = parse(&line).with_context(|| format!("{name}, line {number}, is not a member's head"))?;
        marks.insert(member, mark);
    }
    if !ended {
        bail!("{name} is not whole: its last line must begin with {END:?}");
    }
    Ok(marks)
}

/// `mem_… <number of entries> <hash in hexadecimal>`.
fn parse(line: &str) -> Option<(Uuid, Mark)> {
    let mut words = line.split(' ');
    let member: MemberId = words.next()?.parse().ok()?;
    let entries = words.next()?.parse().ok().filter(|entries| *entries >= 0)?;
    let (hex, end) = (words.next()?, words.next());
    if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) || end.is_some() {
        return None;
    }
    let mut head = [0; 32];
    for (byte, digits) in head.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some((member.uuid(), Mark { entries, head }))
}

/// A file in the making. It takes its name when the books have turned out right, and not before.
pub(super) struct Writer {
    out: BufWriter<File>,
    members: usize,
    path: PathBuf,
    draft: PathBuf,
}

impl Writer {
    /// Begins a file.
    pub(super) fn new(path: &Path) -> anyhow::Result<Self> {
        let mut draft = path.as_os_str().to_owned();
        draft.push(".new");
        let draft = PathBuf::from(draft);
        let file = File::create(&draft).with_context(|| format!("{} cannot be written", draft.display()))?;
        let mut out = BufWriter::new(file);
        writeln!(out, "{TITLE}")?;
        Ok(Self { out, members: 0, path: path.to_owned(), draft })
    }

    /// Adds a member.
    pub(super) fn add(&mut self, member: Uuid, entries: i64, head: &[u8]) -> std::io::Result<()> {
        write!(self.out, "{} {entries} ", MemberId::new(member))?;
        head.iter().try_for_each(|byte| write!(self.out, "{byte:02x}"))?;
        self.members += 1;
        writeln!(self.out)
    }

    /// Ends the file: gives it its name where the books are right, removes it where they are not.
    pub(super) fn finish(self, right: bool) -> anyhow::Result<()> {
        let Self { mut out, members, path, draft } = self;
        writeln!(out, "{END}{members}")?;
        let file = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        if !right {
            return Ok(fs::remove_file(&draft)?);
        }
        file.sync_all()?;
        fs::rename(&draft, &path).with_context(|| format!("{} cannot be written", path.display()))
    }
}
