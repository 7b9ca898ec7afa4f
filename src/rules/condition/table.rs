//! The one table of what conditions may name. The checker types by it, the evaluator reads through it,
//! and `docs/conditions.md` prints it: a new variable is one row here and its value in
//! [`Facts`].

use std::borrow::Cow;

use chrono::{Datelike, Timelike};

use super::Facts;
use crate::command::{Line, Tender};
use crate::segment::SEGMENTS_MAX;
use crate::tag::TAGS_MAX;
use crate::time::Weekday;

/// One value, as a condition knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// A text; what is absent is the empty text.
    Text,
    /// The code of a segment: a text that must name one.
    Segment,
    /// A quantity of goods, exact to a thousandth.
    Quantity,
    /// A line of the receipt.
    Line,
    /// A part of how the receipt was paid.
    Tender,
}

/// The type of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// One value.
    One(Item),
    /// A list of values, and the most there can be.
    List(Item, u32),
}

/// The value of a variable.
#[derive(Debug, Clone)]
pub enum Fact<'f> {
    /// True or false.
    Bool(bool),
    /// A whole number; a quantity in thousandths.
    Int(i64),
    /// A text.
    Text(Cow<'f, str>),
    /// A list of texts.
    Texts(&'f [String]),
    /// The lines.
    Lines(&'f [Line]),
    /// The tenders.
    Tenders(&'f [Tender]),
}

/// A name, its type, and where its value stands in a `T`.
#[derive(Debug)]
pub struct Field<T> {
    /// What a condition writes.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
    /// What it means, in English.
    pub about: &'static str,
    /// Its value.
    pub get: for<'f> fn(&'f T) -> Fact<'f>,
}

const BOOL: Type = Type::One(Item::Bool);
const INT: Type = Type::One(Item::Int);
const TEXT: Type = Type::One(Item::Text);
const QUANTITY: Type = Type::One(Item::Quantity);

/// Every variable, with its full name.
pub static VARIABLES: &[Field<Facts>] = &[
    field("member.tier", TEXT, "code of the tier that counts for the purchase", |f| text(&f.member.tier)),
    field("member.tier_rank", INT, "position of that tier in the ladder; 0 is the lowest", |f| {
        Fact::Int(f.member.tier_rank)
    }),
    field("member.days_enrolled", INT, "days since the member enrolled", |f| Fact::Int(f.member.days_enrolled)),
    field("member.has_birthday", BOOL, "whether the birthday is known", |f| {
        Fact::Bool(f.member.days_to_birthday.is_some())
    }),
    field("member.days_to_birthday", INT, "days until the next birthday; 0 on the day itself, -1 if unknown", |f| {
        Fact::Int(f.member.days_to_birthday.unwrap_or(-1))
    }),
    field("member.birth_month", INT, "month of the birthday, 1 to 12; 0 if unknown", |f| {
        Fact::Int(f.member.birth_month.map_or(0, i64::from))
    }),
    field("member.purchases", INT, "purchases before this one, without those returned whole", |f| {
        Fact::Int(f.member.purchases)
    }),
    field("member.days_since_purchase", INT, "days since the latest purchase; -1 if there was none", |f| {
        Fact::Int(f.member.days_since_purchase.unwrap_or(-1))
    }),
    field("member.lifetime_earned", INT, "points ever earned", |f| Fact::Int(f.member.lifetime_earned)),
    field("member.available", INT, "points that can be spent", |f| Fact::Int(f.member.available)),
    field("member.pending", INT, "points that wait to become available", |f| Fact::Int(f.member.pending)),
    field("member.window_points", INT, "base points in the window that tiers measure", |f| {
        Fact::Int(f.member.window_points)
    }),
    field("member.window_spend", INT, "spend in that window, in minor units", |f| Fact::Int(f.member.window_spend)),
    field("member.window_visits", INT, "purchases in that window", |f| Fact::Int(f.member.window_visits)),
    field("member.tags", Type::List(Item::Text, TAGS_MAX as u32), "the tags the member has", |f| {
        Fact::Texts(&f.member.tags)
    }),
    field("member.segments", Type::List(Item::Segment, SEGMENTS_MAX as u32), "the segments he is in", |f| {
        Fact::Texts(&f.member.segments)
    }),
    field("purchase.amount", INT, "what the lines come to, in minor units", |f| Fact::Int(f.amount())),
    field("purchase.store", TEXT, "code of the store", |f| text(&f.store)),
    field("purchase.channel", TEXT, "how it came about: `shop`, `web`, `app` …", |f| text(&f.channel)),
    field("purchase.weekday", TEXT, "`monday` to `sunday`", weekday),
    field("purchase.hour", INT, "hour of the day, 0 to 23", |f| Fact::Int(f.at.hour().into())),
    field("purchase.tenders", Type::List(Item::Tender, 20), "how it was paid, beside points", |f| {
        Fact::Tenders(&f.tenders)
    }),
    field("lines", Type::List(Item::Line, 1_000), "the lines of the receipt", |f| Fact::Lines(&f.lines)),
    field("now.date", TEXT, "the day as `YYYY-MM-DD`; such texts compare in the order of time", |f| {
        Fact::Text(f.at.format("%Y-%m-%d").to_string().into())
    }),
    field("now.year", INT, "the year", |f| Fact::Int(f.at.year().into())),
    field("now.month", INT, "1 to 12", |f| Fact::Int(f.at.month().into())),
    field("now.day", INT, "day of the month, 1 to 31", |f| Fact::Int(f.at.day().into())),
    field("now.weekday", TEXT, "`monday` to `sunday`", weekday),
    field("now.hour", INT, "0 to 23", |f| Fact::Int(f.at.hour().into())),
    field("now.minute", INT, "0 to 59", |f| Fact::Int(f.at.minute().into())),
];

/// What a line of the receipt has.
pub static LINE: &[Field<Line>] = &[
    field("sku", TEXT, "the article", |line| text(line.sku.as_deref().unwrap_or(""))),
    field("categories", Type::List(Item::Text, 8), "its categories", |line| Fact::Texts(&line.categories)),
    field("quantity", QUANTITY, "how much was sold", |line| Fact::Int(line.quantity.units())),
    field("amount", INT, "net line total in minor units; negative for a deposit returned", |line| {
        Fact::Int(line.amount.get())
    }),
];

/// What a tender has.
pub static TENDER: &[Field<Tender>] = &[
    field("type", TEXT, "`cash`, `card`, `gift_card` …", |tender| text(&tender.kind)),
    field("amount", INT, "what it paid, in minor units", |tender| Fact::Int(tender.amount.get())),
];

/// Every function and how it is written, for the docs and for the hint when another is tried.
pub static FUNCTIONS: &[(&str, &str)] = &[
    ("list.exists(x, test)", "whether the test holds for any"),
    ("list.all(x, test)", "whether it holds for all; so it does for none at all"),
    ("list.exists_one(x, test)", "whether it holds for exactly one"),
    ("list.filter(x, test)", "those for which it holds"),
    ("list.map(x, value)", "a value of each; `map(x, test, value)` of those for which the test holds"),
    ("count(list)", "how many there are"),
    ("sum(list)", "the sum of whole numbers, or of quantities; of none 0"),
    ("size(list)", "as `count`; of a text, how many characters it has"),
    ("text.startsWith(text)", "whether the text begins so"),
    ("text.endsWith(text)", "whether it ends so"),
    ("text.contains(text)", "whether that stands anywhere in it"),
    ("quantity(2)", "a quantity to compare with; a text for decimals: `quantity(\"0.5\")`"),
];

const fn field<T>(name: &'static str, ty: Type, about: &'static str, get: for<'f> fn(&'f T) -> Fact<'f>) -> Field<T> {
    Field { name, ty, about, get }
}

fn text(text: &str) -> Fact<'_> {
    Fact::Text(Cow::Borrowed(text))
}

fn weekday(facts: &Facts) -> Fact<'_> {
    text(match Weekday::of(facts.at.date()) {
        Weekday::Monday => "monday",
        Weekday::Tuesday => "tuesday",
        Weekday::Wednesday => "wednesday",
        Weekday::Thursday => "thursday",
        Weekday::Friday => "friday",
        Weekday::Saturday => "saturday",
        Weekday::Sunday => "sunday",
    })
}

/// The variable of a full name.
pub(super) fn variable(name: &str) -> Option<&'static Field<Facts>> {
    VARIABLES.iter().find(|variable| variable.name == name)
}

/// The last parts of the names under a group.
pub(super) fn members(group: &str) -> impl Iterator<Item = &'static str> + use<'_> {
    VARIABLES.iter().filter_map(move |variable| variable.name.strip_prefix(group)?.strip_prefix('.'))
}

/// The names of a value's fields, with their types.
pub(super) fn fields(item: Item) -> Vec<(&'static str, Type)> {
    match item {
        Item::Line => LINE.iter().map(|field| (field.name, field.ty)).collect(),
        Item::Tender => TENDER.iter().map(|field| (field.name, field.ty)).collect(),
        Item::Bool | Item::Int | Item::Text | Item::Segment | Item::Quantity => Vec::new(),
    }
}

impl Item {
    /// Whether two of them are equal or not: lines and tenders are compared by their fields.
    pub(super) fn compares(self) -> bool {
        !matches!(self, Self::Line | Self::Tender)
    }

    /// Whether one of them is more than another.
    pub(super) fn orders(self) -> bool {
        matches!(self, Self::Int | Self::Text | Self::Quantity)
    }

    /// Whether they add up.
    pub(super) fn adds(self) -> bool {
        matches!(self, Self::Int | Self::Quantity)
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (item, list) = match self {
            Self::One(item) => (item, false),
            Self::List(item, _) => (item, true),
        };
        let (one, many) = match item {
            Item::Bool => ("true or false", "a list of truths"),
            Item::Int => ("a whole number", "a list of whole numbers"),
            Item::Text => ("a text", "a list of texts"),
            Item::Segment => ("a segment", "a list of segments"),
            Item::Quantity => ("a quantity", "a list of quantities"),
            Item::Line => ("a line", "a list of lines"),
            Item::Tender => ("a tender", "a list of tenders"),
        };
        f.write_str(if list { many } else { one })
    }
}

/// The tables of `docs/conditions.md`, in Markdown.
pub fn markdown() -> String {
    fn rows<T>(under: &str, fields: &[Field<T>]) -> Vec<String> {
        fields.iter().map(|field| format!("| `{under}{}` | {} | {} |", field.name, field.ty, field.about)).collect()
    }
    let mut page = vec!["| name | is | means |".to_owned(), "|---|---|---|".to_owned()];
    page.extend(rows("", VARIABLES));
    page.extend(rows("l.", LINE));
    page.extend(rows("t.", TENDER));
    page.extend(["", "| function | tells |", "|---|---|"].map(str::to_owned));
    page.extend(FUNCTIONS.iter().map(|(form, about)| format!("| `{form}` | {about} |")));
    page.join("\n")
}
