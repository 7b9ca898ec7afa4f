//! Receipts understood: texts become quantities, or mistakes with their place.

use tessera_rules::amount::{Currency, Quantity};
use tessera_rules::command::Line;
use tessera_rules::programme::is_code;
use tessera_rules::time::Instant;

use super::cells::{self, Mistake};
use super::raw::{Raw, RawLine};
use super::report::RowError;

/// Categories a line may have.
const CATEGORIES_MAX: usize = 8;
/// Characters of a receipt number, a member's external id, a store, an SKU or a category.
const NAME_MAX: usize = 64;

/// A receipt whose every cell is of its kind; its member and its store are still names.
#[derive(Debug)]
pub(super) struct Receipt {
    pub(super) external_id: String,
    pub(super) member: String,
    pub(super) store: String,
    pub(super) occurred_at: Instant,
    pub(super) currency: Currency,
    pub(super) channel: Option<String>,
    pub(super) lines: Vec<Line>,
}

/// Reads a receipt; `currency` is what it is in where it does not say.
pub(super) fn parse(raw: Raw, currency: Currency, now: Instant) -> Result<Receipt, Vec<RowError>> {
    let mut marks = Marks { at: raw.at, place: String::new(), errors: raw.errors };
    // With a mistake in its shape, what is missing is not what is wrong.
    if raw.lines.is_empty() {
        if marks.errors.is_empty() {
            marks.wrong("lines", ("missing", "a receipt has at least one line".to_owned()));
        }
        return Err(marks.errors);
    }
    let name = cells::text(NAME_MAX);
    let external_id = marks.needed("external_id", raw.head.external_id.as_deref(), &name);
    let member = marks.needed("member", raw.head.member.as_deref(), &name);
    let store = marks.needed("store", raw.head.store.as_deref(), &name);
    let occurred_at = marks.needed("occurred_at", raw.head.occurred_at.as_deref(), cells::instant(now));
    let stated = marks.optional("currency", raw.head.currency.as_deref(), |text| {
        text.parse::<Currency>().map_err(|error| ("currency_invalid", error.to_string()))
    });
    let currency = stated.unwrap_or(currency);
    let channel = marks.optional("channel", raw.head.channel.as_deref(), |text| match is_code(text) {
        true => Ok(text.to_owned()),
        false => Err(("channel_invalid", "expected 1 to 64 of a-z, 0-9, '-' and '_'".to_owned())),
    });
    let lines: Vec<Option<Line>> =
        raw.lines.iter().enumerate().map(|(i, line)| marks.line(i + 1, line, currency.decimals())).collect();
    match (external_id, member, store, occurred_at, lines.into_iter().collect::<Option<Vec<Line>>>()) {
        (Some(external_id), Some(member), Some(store), Some(occurred_at), Some(lines)) if marks.errors.is_empty() => {
            Ok(Receipt { external_id, member, store, occurred_at, currency, channel, lines })
        }
        _ => Err(marks.errors),
    }
}

/// Gathers the mistakes of a receipt, so that all of them are told at once.
struct Marks {
    at: u64,
    place: String,
    errors: Vec<RowError>,
}

impl Marks {
    fn wrong(&mut self, column: &str, (code, detail): Mistake) {
        self.errors.push(RowError::new(self.at, &format!("{}{column}", self.place), code, detail));
    }

    fn needed<T>(
        &mut self,
        column: &str,
        text: Option<&str>,
        parse: impl FnOnce(&str) -> Result<T, Mistake>,
    ) -> Option<T> {
        let full = format!("{}{column}", self.place);
        // What could not be read at all has been told already.
        let told = self.errors.iter().any(|error| error.line == self.at && error.column == full);
        if text.is_none() && !told {
            self.wrong(column, ("missing", "the cell is empty".to_owned()));
        }
        self.optional(column, text, parse)
    }

    fn optional<T>(
        &mut self,
        column: &str,
        text: Option<&str>,
        parse: impl FnOnce(&str) -> Result<T, Mistake>,
    ) -> Option<T> {
        parse(text?).map_err(|mistake| self.wrong(column, mistake)).ok()
    }

    fn line(&mut self, number: usize, raw: &RawLine, decimals: u32) -> Option<Line> {
        self.at = raw.at;
        self.place.clone_from(&raw.place);
        // Returns name lines by their position: rows that were shuffled would give back other goods.
        self.optional("line", raw.number.as_deref(), |text| match text.parse::<usize>() {
            Ok(stated) if stated == number => Ok(()),
            _ => Err((
                "line_out_of_order",
                format!("expected line {number}: the rows of a receipt stand together, numbered from 1"),
            )),
        });
        let sku = self.optional("sku", raw.sku.as_deref(), cells::text(NAME_MAX));
        if raw.categories.len() > CATEGORIES_MAX {
            let detail = format!("a line has at most {CATEGORIES_MAX} categories");
            self.wrong("categories", ("too_many_categories", detail));
        }
        let categories: Option<Vec<String>> =
            raw.categories.iter().map(|name| self.optional("categories", Some(name), cells::text(NAME_MAX))).collect();
        let quantity = match raw.quantity.as_deref() {
            Some(text) => self.optional("quantity", Some(text), cells::quantity),
            None => Some(Quantity::ONE),
        };
        let amount = self.needed("amount", raw.amount.as_deref(), cells::amount(decimals));
        Some(Line { sku, categories: categories?, quantity: quantity?, amount: amount? })
    }
}
