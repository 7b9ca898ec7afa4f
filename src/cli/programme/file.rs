//! A programme in a file: what it says, and on which line.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};
use serde_path_to_error::{Path as Place, Segment, Track};
use tessera_rules::Programme;
use tessera_rules::document::Document as _;
use tessera_rules::programme::Problem;
use toml::de::{DeTable, DeValue};

use crate::cli::output;

/// A file that holds a programme.
pub(in crate::cli) struct ProgrammeFile {
    path: PathBuf,
    text: String,
    /// What it says.
    pub(in crate::cli) programme: Programme,
}

impl ProgrammeFile {
    /// Reads a file; the error names line and column.
    pub(in crate::cli) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let programme = parse(&text).with_context(|| path.display().to_string())?;
        Ok(Self { path: path.to_owned(), text, programme })
    }

    /// What is wrong with it, as JSON.
    pub(super) fn listed(&self, problems: &[Problem]) -> Vec<Value> {
        let one = |Problem { pointer, code, detail }: &Problem| {
            let line = line_of(&self.text, pointer);
            json!({ "pointer": pointer, "line": line, "code": code, "detail": detail })
        };
        problems.iter().map(one).collect()
    }

    /// Says what is wrong with it, one line each.
    pub(super) fn tell(&self, problems: &[Problem]) {
        for Problem { pointer, code, detail } in problems {
            let (path, line) = (self.path.display(), line_of(&self.text, pointer));
            output::message(format_args!("error: {path}:{line}: {pointer}: {detail} ({code})"));
        }
    }
}

/// Reads a programme; the error names the line, and the column or the field.
pub(in crate::cli) fn parse(text: &str) -> anyhow::Result<Programme> {
    // The parser's words end in an empty line.
    let document = toml::Deserializer::parse(text);
    let document = document.map_err(|error| anyhow::anyhow!("{}", error.to_string().trim_end()))?;
    let mut track = Track::new();
    Programme::read_from(serde_path_to_error::Deserializer::new(document, &mut track)).map_err(|error| {
        let pointer = pointer_to(&track.path());
        let line = line_of(text, &pointer);
        anyhow::anyhow!("line {line}: {pointer}: {}", error.message().lines().next().unwrap_or_default())
    })
}

/// Where a value stands, as a JSON pointer.
fn pointer_to(path: &Place) -> String {
    let part = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    };
    path.iter().map(part).collect()
}

/// The line, from 1, on which a JSON pointer's value stands; of what the file does not say, that of what it
/// would stand in.
fn line_of(text: &str, pointer: &str) -> usize {
    let mut at = 0;
    if let Ok(table) = DeTable::parse(text) {
        let mut value = DeValue::Table(table.into_inner());
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            let inner = match value {
                DeValue::Table(table) => {
                    table.into_iter().find(|(key, _)| *key.get_ref() == part).map(|(key, inner)| {
                        // An array of tables begins anew at each of its headers: the key stands at the first.
                        (key.span().start, inner)
                    })
                }
                DeValue::Array(items) => {
                    let item = part.parse().ok().and_then(|i: usize| items.into_iter().nth(i));
                    item.map(|item| (item.span().start, item))
                }
                _ => None,
            };
            let Some((start, inner)) = inner else { break };
            at = start;
            value = inner.into_inner();
        }
    }
    text[..at.min(text.len())].matches('\n').count() + 1
}
