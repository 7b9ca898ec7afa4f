//! Cells as quantities: each reader takes the text of one cell and says in words what it expected.

use chrono::{DateTime, NaiveDate, Utc};
use tessera_rules::amount::{Minor, Points, Quantity, parse_decimal};
use tessera_rules::time::{Instant, Zone, to_micros};

use super::report::RowError;
use super::source::Row;

/// A mistake in one cell: code and detail.
pub(super) type Mistake = (&'static str, String);

fn mistake(code: &'static str, detail: &str) -> Mistake {
    (code, detail.to_owned())
}

/// Gathers the mistakes of a row, so that all of them are told at once.
pub(super) struct Reader<'r> {
    row: Row<'r>,
    /// What was wrong so far.
    pub(super) errors: Vec<RowError>,
}

impl<'r> Reader<'r> {
    pub(super) fn new(row: Row<'r>) -> Self {
        Self { row, errors: row.whole().err().into_iter().collect() }
    }

    /// An optional cell, read by `parse`.
    pub(super) fn optional<T>(&mut self, column: &str, parse: impl FnOnce(&str) -> Result<T, Mistake>) -> Option<T> {
        match self.row.cell(column) {
            Ok(text) => self.keep(column, parse, text?),
            Err(error) => {
                self.errors.push(error);
                None
            }
        }
    }

    /// A cell that must not be empty, read by `parse`.
    pub(super) fn needed<T>(&mut self, column: &str, parse: impl FnOnce(&str) -> Result<T, Mistake>) -> Option<T> {
        match self.row.cell(column) {
            Ok(Some(text)) => self.keep(column, parse, text),
            Ok(None) => {
                self.errors.push(RowError::new(self.row.line, column, "missing", "the cell is empty"));
                None
            }
            Err(error) => {
                self.errors.push(error);
                None
            }
        }
    }

    fn keep<T>(&mut self, column: &str, parse: impl FnOnce(&str) -> Result<T, Mistake>, text: &str) -> Option<T> {
        parse(text).map_err(|(code, detail)| self.errors.push(RowError::new(self.row.line, column, code, detail))).ok()
    }
}

/// A text of 1 to `most` characters, none of them a control.
pub(super) fn text(most: usize) -> impl Fn(&str) -> Result<String, Mistake> {
    move |text| {
        let length = text.chars().count();
        if (1..=most).contains(&length) && !text.chars().any(char::is_control) {
            return Ok(text.to_owned());
        }
        Err(("length_invalid", format!("expected 1 to {most} characters")))
    }
}

/// An instant not before the year 1900, a date as long as there were shops like today's, and not
/// after `now`: a member's clock would run ahead until then.
fn within(at: Instant, now: Instant, late: &'static str) -> Result<Instant, Mistake> {
    let first = NaiveDate::from_ymd_opt(1900, 1, 1).unwrap_or_default().and_time(chrono::NaiveTime::MIN).and_utc();
    if at > now {
        return Err(mistake(late, "the instant lies in the future"));
    }
    if at < first {
        return Err(mistake("instant_invalid", "the instant lies before 1900"));
    }
    Ok(to_micros(at))
}

/// An instant as RFC 3339, not after `now`.
pub(super) fn instant(now: Instant) -> impl Fn(&str) -> Result<Instant, Mistake> {
    move |text| match DateTime::parse_from_rfc3339(text) {
        Ok(at) => within(at.with_timezone(&Utc), now, "occurred_too_late"),
        Err(_) => Err(mistake("instant_invalid", "expected an instant such as 2024-05-17T16:03:00+08:00")),
    }
}

/// An instant as RFC 3339, or a date: its midnight in the programme's time zone.
pub(super) fn instant_or_date(zone: Zone, now: Instant) -> impl Fn(&str) -> Result<Instant, Mistake> {
    move |text| {
        let midnight = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|day| zone.midnight(day));
        let at = DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc)).or_else(midnight);
        match at {
            Some(at) => within(at, now, "enrolled_too_late"),
            None => {
                Err(mistake("instant_invalid", "expected 2024-05-17 or an instant such as 2024-05-17T16:03:00+08:00"))
            }
        }
    }
}

/// Points that are given: a whole number, not negative.
pub(super) fn points(text: &str) -> Result<Points, Mistake> {
    let points = text.parse().ok().and_then(|value| Points::new(value).ok()).filter(|points| *points >= Points::ZERO);
    points.ok_or_else(|| mistake("points_invalid", "expected a whole number from 0 to 9007199254740991"))
}

/// An amount in major units as minor units, exactly.
pub(super) fn amount(decimals: u32) -> impl Fn(&str) -> Result<Minor, Mistake> {
    move |text| {
        let value = parse_decimal(without_idle_zeros(text, decimals), decimals);
        let value = value.map_err(|error| mistake("amount_invalid", &error.to_string()))?;
        Minor::new(value).map_err(|error| mistake("amount_out_of_range", &error.to_string()))
    }
}

/// `12.500` is `12.5`: zeros beyond the last place say nothing.
fn without_idle_zeros(text: &str, places: u32) -> &str {
    let Some((whole, fraction)) = text.split_once('.') else { return text };
    match fraction.split_at_checked(places as usize) {
        Some((_, idle)) if !idle.is_empty() && idle.bytes().all(|byte| byte == b'0') => {
            let kept = &text[..text.len() - idle.len()];
            if places == 0 { whole } else { kept }
        }
        _ => text,
    }
}

/// A quantity above 0.
pub(super) fn quantity(text: &str) -> Result<Quantity, Mistake> {
    let quantity: Quantity = without_idle_zeros(text, Quantity::PLACES)
        .parse()
        .map_err(|error: tessera_rules::amount::DecimalError| mistake("quantity_invalid", &error.to_string()))?;
    if (1..=tessera_rules::amount::MAX_MAGNITUDE).contains(&quantity.units()) {
        return Ok(quantity);
    }
    Err(mistake("quantity_invalid", "the quantity must be above 0 and within 2^53"))
}
