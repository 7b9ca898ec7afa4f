//! Receipts as a file has them: rows that stand together, or one JSON object.

use std::path::Path;

use serde_json::{Map, Value};

use super::report::RowError;
use super::source::{Input, Lines, Row, Table};

/// The columns of a CSV file.
const COLUMNS: [&str; 11] = [
    "external_id",
    "member",
    "store",
    "occurred_at",
    "currency",
    "channel",
    "line",
    "sku",
    "categories",
    "quantity",
    "amount",
];
/// Those it cannot do without.
const NEEDED: [&str; 5] = ["external_id", "member", "store", "occurred_at", "amount"];
/// Lines a receipt may have, as at the till.
const LINES_MAX: usize = 1_000;

/// What stands once on a receipt.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) external_id: Option<String>,
    pub(super) member: Option<String>,
    pub(super) store: Option<String>,
    pub(super) occurred_at: Option<String>,
    pub(super) currency: Option<String>,
    pub(super) channel: Option<String>,
}

/// A line of a receipt.
#[derive(Debug)]
pub(super) struct RawLine {
    /// Where it stands in the file.
    pub(super) at: u64,
    /// What its columns are called in full: `` or `lines[0].`.
    pub(super) place: String,
    /// Its position on the receipt, where the file has one.
    pub(super) number: Option<String>,
    pub(super) sku: Option<String>,
    pub(super) categories: Vec<String>,
    pub(super) quantity: Option<String>,
    pub(super) amount: Option<String>,
}

/// A receipt before its texts are understood.
#[derive(Debug, Default)]
pub(super) struct Raw {
    /// Where it begins in the file.
    pub(super) at: u64,
    /// How many rows of the file it takes.
    pub(super) rows: u64,
    pub(super) head: Head,
    pub(super) lines: Vec<RawLine>,
    /// What was wrong with its shape.
    pub(super) errors: Vec<RowError>,
}

/// Receipts of a file, one after the other.
pub(super) enum Receipts {
    /// Rows; the receipt that was begun.
    Csv(Box<Table>, Option<Raw>),
    /// Objects.
    Json(Lines),
}

impl Receipts {
    /// Opens a file as what its name says it is.
    pub(super) fn open(input: Input, path: &Path) -> anyhow::Result<Self> {
        let name = path.to_string_lossy().to_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        if name.ends_with(".jsonl") || name.ends_with(".ndjson") {
            return Ok(Self::Json(Lines::new(input)));
        }
        Ok(Self::Csv(Box::new(Table::open(input, &COLUMNS, &NEEDED)?), None))
    }

    /// The next receipt.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Raw>> {
        match self {
            Self::Csv(table, begun) => loop {
                let Some(row) = table.next()? else { return Ok(begun.take()) };
                let read = of_row(row);
                match begun {
                    Some(raw) if raw.goes_on_with(&read) => raw.add(read),
                    _ => match begun.replace(read) {
                        Some(whole) => return Ok(Some(whole)),
                        None => continue,
                    },
                }
            },
            Self::Json(lines) => Ok(match lines.next()? {
                None => None,
                Some((at, Err(error))) => Some(Raw { at, rows: 1, errors: vec![error], ..Raw::default() }),
                Some((at, Ok(text))) => Some(of_json(at, text)),
            }),
        }
    }
}

impl Raw {
    /// Whether a row belongs to the same receipt: same store, same number.
    fn goes_on_with(&self, row: &Self) -> bool {
        let store = |head: &Head| head.store.as_ref().map(|store| store.to_lowercase());
        self.head.external_id.is_some()
            && self.head.external_id == row.head.external_id
            && store(&self.head) == store(&row.head)
    }

    fn add(&mut self, row: Self) {
        self.rows += 1;
        // A file that is one endless receipt must not fill the memory with its mistakes.
        if self.errors.len() > LINES_MAX {
            return;
        }
        let differs = [
            ("member", self.head.member != row.head.member),
            ("occurred_at", self.head.occurred_at != row.head.occurred_at),
            ("currency", self.head.currency != row.head.currency),
            ("channel", self.head.channel != row.head.channel),
        ];
        for (column, _) in differs.into_iter().filter(|(_, differs)| *differs) {
            let detail = "differs from the row above, which is of the same receipt";
            self.errors.push(RowError::new(row.at, column, "receipt_inconsistent", detail));
        }
        self.errors.extend(row.errors);
        if self.lines.len() < LINES_MAX {
            self.lines.extend(row.lines);
        } else if self.rows == LINES_MAX as u64 + 1 {
            self.errors.push(too_many_lines(row.at));
        }
    }
}

fn too_many_lines(at: u64) -> RowError {
    RowError::new(at, "", "too_many_lines", format!("a receipt has at most {LINES_MAX} lines"))
}

fn of_row(row: Row<'_>) -> Raw {
    let mut raw = Raw { at: row.line, rows: 1, errors: row.whole().err().into_iter().collect(), ..Raw::default() };
    let mut cell = |column: &str| match row.cell(column) {
        Ok(text) => text.map(str::to_owned),
        Err(error) => {
            raw.errors.push(error);
            None
        }
    };
    raw.head = Head {
        external_id: cell("external_id"),
        member: cell("member"),
        store: cell("store"),
        occurred_at: cell("occurred_at"),
        currency: cell("currency"),
        channel: cell("channel"),
    };
    let line = RawLine {
        at: row.line,
        place: String::new(),
        number: cell("line"),
        sku: cell("sku"),
        categories: cell("categories").map(|list| split(&list)).unwrap_or_default(),
        quantity: cell("quantity"),
        amount: cell("amount"),
    };
    raw.lines.push(line);
    raw
}

/// Categories as CSV has them: `music|vinyl`.
fn split(list: &str) -> Vec<String> {
    list.split('|').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn of_json(at: u64, text: &str) -> Raw {
    let mut raw = Raw { at, rows: 1, ..Raw::default() };
    let mut object = match serde_json::from_str(&quote_numbers(text)) {
        Ok(Value::Object(object)) => object,
        Ok(_) => {
            raw.errors.push(RowError::new(at, "", "invalid_type", "expected an object"));
            return raw;
        }
        Err(error) => {
            let detail = format!("not valid JSON at column {}", error.column());
            raw.errors.push(RowError::new(at, "", "malformed_json", detail));
            return raw;
        }
    };
    let mut fields = Fields { at, place: String::new(), errors: Vec::new() };
    raw.head = Head {
        external_id: fields.text(&mut object, "external_id"),
        member: fields.text(&mut object, "member"),
        store: fields.text(&mut object, "store"),
        occurred_at: fields.text(&mut object, "occurred_at"),
        currency: fields.text(&mut object, "currency"),
        channel: fields.text(&mut object, "channel"),
    };
    let lines = match object.remove("lines") {
        Some(Value::Array(lines)) => lines,
        None => {
            fields.wrong("lines", "missing", "the field is missing");
            Vec::new()
        }
        Some(_) => {
            fields.wrong("lines", "invalid_type", "expected an array");
            Vec::new()
        }
    };
    fields.rest(&object);
    if lines.len() > LINES_MAX {
        fields.errors.push(too_many_lines(at));
    }
    for (i, line) in lines.into_iter().take(LINES_MAX).enumerate() {
        fields.place = format!("lines[{i}].");
        match line {
            Value::Object(line) => raw.lines.push(fields.line(line)),
            _ => fields.wrong("", "invalid_type", "expected an object"),
        }
    }
    raw.errors = fields.errors;
    raw
}

/// Takes the fields of an object out of it.
struct Fields {
    at: u64,
    place: String,
    errors: Vec<RowError>,
}

impl Fields {
    fn wrong(&mut self, field: &str, code: &'static str, detail: &str) {
        let column = format!("{}{field}", self.place);
        self.errors.push(RowError::new(self.at, column.trim_end_matches('.'), code, detail));
    }

    fn text(&mut self, object: &mut Map<String, Value>, field: &str) -> Option<String> {
        match object.remove(field) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Some(_) => {
                self.wrong(field, "invalid_type", "expected a string or a number");
                None
            }
        }
    }

    fn line(&mut self, mut object: Map<String, Value>) -> RawLine {
        let line = RawLine {
            at: self.at,
            place: self.place.clone(),
            number: self.text(&mut object, "line"),
            sku: self.text(&mut object, "sku"),
            categories: self.categories(object.remove("categories")),
            quantity: self.text(&mut object, "quantity"),
            amount: self.text(&mut object, "amount"),
        };
        self.rest(&object);
        line
    }

    fn categories(&mut self, value: Option<Value>) -> Vec<String> {
        let names = match value {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(Value::String(list)) => Some(split(&list)),
            Some(Value::Array(names)) => {
                names.into_iter().map(|name| name.as_str().map(|name| name.trim().to_owned())).collect()
            }
            Some(_) => None,
        };
        names.unwrap_or_else(|| {
            self.wrong("categories", "invalid_type", "expected an array of strings");
            Vec::new()
        })
    }

    /// What is left in an object is not known.
    fn rest(&mut self, object: &Map<String, Value>) {
        for field in object.keys() {
            self.wrong(field, "unknown_field", "there is no such field");
        }
    }
}

/// Puts every number of a JSON text into quotes: `11.77` then arrives as it was written, and not as
/// the nearest binary fraction.
fn quote_numbers(json: &str) -> String {
    let mut quoted = String::with_capacity(json.len() + 32);
    let (mut in_text, mut escaped, mut in_number) = (false, false, false);
    for c in json.chars() {
        if in_text {
            in_text = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else {
            let goes_on = in_number && matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E');
            let begins = !in_number && matches!(c, '0'..='9' | '-');
            if begins || in_number && !goes_on {
                quoted.push('"');
            }
            in_number = begins || goes_on;
            in_text = c == '"';
        }
        quoted.push(c);
    }
    if in_number {
        quoted.push('"');
    }
    quoted
}
