//! Member prices, and goods that are for some members first (PROGRAMME.md §6 and §8).
//!
//! The till sends each line at its list price. A member price is the price of one unit of an article
//! for members, for a tier and those above it, or for segments; where several hold, the lowest counts, and a member
//! price above the list price counts for nothing. It may be for so much of the article per purchase:
//! what is beyond takes the next best price, in the end the list price. What a member price saves is
//! rounded down to the minor unit, line by line, as every discount is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::amount::{MAX_MAGNITUDE, Minor, OutOfRange, Quantity};
use crate::command::Line;
use crate::programme::{Problems, Programme};
use crate::segment::shares;
use crate::time::Day;

/// The prices that members have before others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prices {
    /// The price list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub member: Vec<MemberPrice>,
    /// Goods that are for some members first (优先购买).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub early_access: Vec<EarlyAccess>,
}

/// A price of an article for members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberPrice {
    /// Names the price, unique among member prices.
    pub code: String,
    /// The article.
    pub sku: String,
    /// What a unit (or a kilogram, or a metre) costs, in minor units; 0: nothing.
    pub price: Minor,
    /// The lowest tier that has it, by code; absent: every member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_tier: Option<String>,
    /// Segments that have it: members in any of them; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<String>,
    /// First day, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Day>,
    /// Last day, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Day>,
    /// How much of the article has this price in one purchase; absent: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<Quantity>,
}

/// Goods that until a day only some tiers, or members in some segments, may buy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyAccess {
    /// Names the window, unique among them.
    pub code: String,
    /// The articles.
    pub skus: Vec<String>,
    /// The lowest tier that may buy them now, by code; the lowest of all means: every member. Absent: a tier
    /// does not help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_tier: Option<String>,
    /// Segments whose members may buy them now, whatever their tier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<String>,
    /// The last day on which others may not, inclusive.
    pub until: Day,
}

/// A line with what a member pays for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced {
    /// What it costs after member prices, in minor units.
    pub price: Minor,
    /// What each member price saved, by its code, in minor units above 0; best price first.
    pub saved: Vec<(String, Minor)>,
    /// Why it may not be sold to this buyer yet.
    pub withheld: Option<Withheld>,
}

/// A line that is for others first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// Code of the early access.
    pub code: String,
    /// Code of the lowest tier that may buy it now; absent: a tier does not help.
    pub minimum_tier: Option<String>,
    /// The last day on which others may not.
    pub until: Day,
}

impl Prices {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.member.is_empty() && self.early_access.is_empty()
    }

    /// Lines at list prices with what they cost on a day a member of the tier at a position and in segments,
    /// or somebody who is no member.
    ///
    /// # Errors
    /// A quantity in thousandths is beyond 2^53 − 1.
    pub fn of(
        &self,
        programme: &Programme,
        tier: Option<usize>,
        segments: &[String],
        day: Day,
        lines: &[Line],
    ) -> Result<Vec<Priced>, OutOfRange> {
        let mut offers = self.offers(programme, tier, segments, day, lines);
        let of_line = |line: &Line| {
            if line.quantity.units() > MAX_MAGNITUDE {
                return Err(OutOfRange);
            }
            let sku = line.sku.as_deref().unwrap_or_default();
            let withheld = self.withheld(programme, tier, segments, day, sku);
            let mut priced = Priced { price: line.amount, saved: Vec::new(), withheld };
            let mut left = line.quantity.units();
            for offer in offers.get_mut(sku).into_iter().flatten().take_while(|_| priced.withheld.is_none()) {
                let part = left.min(offer.left);
                let saved = saving(line, offer.entry.price, part);
                if saved > 0 {
                    (left, offer.left) = (left - part, offer.left - part);
                    let saved = Minor::new(saved)?;
                    priced.price = priced.price.minus(saved)?;
                    priced.saved.push((offer.entry.code.clone(), saved));
                }
            }
            Ok(priced)
        };
        lines.iter().map(of_line).collect()
    }

    /// The prices that hold for what is in the basket, by article, the lowest first.
    fn offers(
        &self,
        programme: &Programme,
        tier: Option<usize>,
        segments: &[String],
        day: Day,
        lines: &[Line],
    ) -> BTreeMap<&str, Vec<Offer<'_>>> {
        let Some(tier) = tier else {
            return BTreeMap::new();
        };
        // A price list may be long and a basket is short: the list is walked once.
        let wanted: std::collections::BTreeSet<&str> = lines.iter().filter_map(|line| line.sku.as_deref()).collect();
        let holds = |entry: &&MemberPrice| {
            let needed = entry.minimum_tier.as_ref().map_or(0, |code| programme.tier_position(code));
            wanted.contains(entry.sku.as_str())
                && needed <= tier
                && (entry.segments.is_empty() || shares(&entry.segments, segments))
                && entry.from.is_none_or(|from| from <= day)
                && entry.to.is_none_or(|to| day <= to)
        };
        let mut offers: BTreeMap<&str, Vec<Offer<'_>>> = BTreeMap::new();
        for entry in self.member.iter().filter(holds) {
            let left = entry.most.map_or(i64::MAX, Quantity::units);
            offers.entry(&entry.sku).or_default().push(Offer { entry, left });
        }
        for of_sku in offers.values_mut() {
            of_sku.sort_by_key(|offer| (offer.entry.price, &offer.entry.code));
        }
        offers
    }

    /// Of several windows that hold an article back, the one that lasts longest is told.
    fn withheld(
        &self,
        programme: &Programme,
        tier: Option<usize>,
        segments: &[String],
        day: Day,
        sku: &str,
    ) -> Option<Withheld> {
        let holds_back = |window: &&EarlyAccess| {
            let least = window.minimum_tier.as_ref().map(|code| programme.tier_position(code));
            let high = tier.zip(least).is_some_and(|(tier, least)| least <= tier);
            let enough = high || tier.is_some() && shares(&window.segments, segments);
            day <= window.until && !enough && window.skus.iter().any(|own| own == sku)
        };
        let longest = self.early_access.iter().filter(holds_back).max_by_key(|window| (window.until, &window.code));
        longest.map(|window| Withheld {
            code: window.code.clone(),
            minimum_tier: window.minimum_tier.clone(),
            until: window.until,
        })
    }

    pub(crate) fn check(&self, programme: &Programme, found: &mut Problems) {
        let known = |tier: &str| programme.tiers.levels.iter().any(|level| level.code == tier);
        found.codes("/prices/member", self.member.iter().map(|entry| entry.code.as_str()));
        for (i, entry) in self.member.iter().enumerate() {
            let at = |field: &str| format!("/prices/member/{i}/{field}");
            found.refuse(entry.sku.is_empty(), &at("sku"), "empty", "name an article");
            found.refuse(entry.price < Minor::ZERO, &at("price"), "too_small", "must be at least 0");
            let unknown = entry.minimum_tier.as_ref().is_some_and(|tier| !known(tier));
            found.refuse(unknown, &at("minimum_tier"), "unknown_tier", "no tier has this code");
            programme.check_segments(&entry.segments, &at("segments"), found);
            let backwards = matches!((entry.from, entry.to), (Some(from), Some(to)) if to < from);
            found.refuse(backwards, &at("to"), "before_from", "must not be before `from`");
            let nothing = entry.most.is_some_and(|most| most.units() <= 0);
            found.refuse(nothing, &at("most"), "too_small", "must be above 0");
        }
        found.codes("/prices/early_access", self.early_access.iter().map(|window| window.code.as_str()));
        for (i, window) in self.early_access.iter().enumerate() {
            let at = |field: &str| format!("/prices/early_access/{i}/{field}");
            let nameless = window.skus.is_empty() || window.skus.iter().any(String::is_empty);
            found.refuse(nameless, &at("skus"), "empty", "name the articles");
            let unknown = window.minimum_tier.as_ref().is_some_and(|tier| !known(tier));
            found.refuse(unknown, &at("minimum_tier"), "unknown_tier", "no tier has this code");
            programme.check_segments(&window.segments, &at("segments"), found);
            let nobody = window.minimum_tier.is_none() && window.segments.is_empty();
            found.refuse(nobody, &at("minimum_tier"), "tier_or_segments", "name a tier, or segments");
        }
    }
}

/// A price that holds, and how much of the article may still have it, in thousandths.
struct Offer<'p> {
    entry: &'p MemberPrice,
    left: i64,
}

/// What is saved when `part` (in thousandths) of a line has a unit price, in minor units rounded down;
/// 0 where the list price is not above it.
fn saving(line: &Line, unit_price: Minor, part: i64) -> i64 {
    let quantity = i128::from(line.quantity.units());
    let unit = i128::from(Quantity::UNIT);
    let whole = i128::from(line.amount.get()) * unit - i128::from(unit_price.get()) * quantity;
    if part <= 0 || whole <= 0 {
        return 0;
    }
    // At most the amount of the line, as no unit price is below 0.
    (whole * i128::from(part) / (quantity * unit)) as i64
}
