//! What is counted of promotions: what the purchases that remain say they have used, and what was granted for
//! occasions.

use std::collections::BTreeMap;

use tessera_rules::Programme;
use tessera_rules::limit::{Counted, PromotionUsage};
use tessera_rules::perk::PerkGift;
use tessera_rules::trigger::promotion_of;

use super::books::{Bad, Books, Member};
use super::perks::gift;
use crate::store::verify::Frame;

/// What purchases of which something remains have used, by the promotion's code.
pub(super) type Used = Vec<(String, Counted)>;

/// What all members have used.
#[derive(Default)]
pub(super) struct Totals(BTreeMap<String, PromotionUsage>);

impl Totals {
    /// Checks a member's own counts, and adds what he used.
    pub(super) fn member(&mut self, member: &Member<'_>, used: Used) -> Result<(), Bad> {
        let mut own = BTreeMap::new();
        for (promotion, counted) in used {
            if let Some(day) = counted.day {
                *own.entry((promotion.clone(), day)).or_insert(0_i64) += 1;
            }
            let usage = self.0.entry(promotion).or_default();
            *usage = usage.plus(PromotionUsage::of(counted));
        }
        let granted = self.granted(member)?;
        for (promotion, grants) in &granted {
            // By day they are not told apart here: the days are those of the time zone at the time.
            let stored = member.promotion_uses.iter().filter(|(_, row)| row.promotion == *promotion);
            let stored: i64 = stored.map(|(_, row)| row.uses).sum();
            let bought: i64 = own.iter().filter(|((code, _), _)| code == promotion).map(|(_, uses)| uses).sum();
            if stored != bought + grants {
                let what = format!("{stored} uses are counted, purchases and grants say {}", bought + grants);
                return Err(member.bad("promotion_member_usage", promotion, what));
            }
        }
        own.retain(|(promotion, _), _| !granted.contains_key(promotion));
        for (_, row) in member.promotion_uses.iter().filter(|(_, row)| !granted.contains_key(&row.promotion)) {
            let right = own.remove(&(row.promotion.clone(), row.day)).unwrap_or_default();
            if row.uses != right {
                let what = format!("{} uses are counted, purchases say {right}", row.uses);
                return Err(member.bad(
                    "promotion_member_usage",
                    format_args!("{} of {}", row.promotion, row.day),
                    what,
                ));
            }
        }
        match own.into_iter().next() {
            None => Ok(()),
            Some(((promotion, day), right)) => {
                let what = format!("0 uses are counted, purchases say {right}");
                Err(member.bad("promotion_member_usage", format_args!("{promotion} of {day}"), what))
            }
        }
    }

    /// How often promotions granted something to a member; adds it to what all have used.
    fn granted(&mut self, member: &Member<'_>) -> Result<BTreeMap<String, i64>, Bad> {
        let mut granted = BTreeMap::new();
        for (_, row) in member.grants {
            let Some(promotion) = promotion_of(&row.perk) else { continue };
            let points = match gift(&row.gift) {
                Some(PerkGift::Points { points }) => points.get(),
                Some(_) => 0,
                None => return Err(member.bad("perk_grant", &row.perk, "its gift cannot be read")),
            };
            *granted.entry(promotion.to_owned()).or_default() += 1;
            let usage = self.0.entry(promotion.to_owned()).or_default();
            *usage = usage.plus(PromotionUsage { uses: 1, points, money: 0 });
        }
        Ok(granted)
    }

    /// What is wrong with the counts of all members together.
    pub(super) fn check(mut self, frame: &Frame, books: &Books) -> Vec<Bad> {
        let stored = frame.promotions_used.iter().map(|(promotion, uses, points, money)| {
            let stored = PromotionUsage { uses: *uses, points: *points, money: *money };
            (promotion.clone(), stored, self.0.remove(promotion).unwrap_or_default())
        });
        let stored: Vec<_> = stored.collect();
        let uncounted = self.0.into_iter().map(|(promotion, right)| (promotion, PromotionUsage::default(), right));
        stored
            .into_iter()
            .chain(uncounted)
            .filter_map(|(promotion, stored, right)| {
                let what = if stored != right {
                    format!("{} are counted, purchases say {}", told(stored), told(right))
                } else if !books.any(|programme| allows(programme, &promotion, stored)) {
                    "more is used of it than any version of the programme allows".to_owned()
                } else {
                    return None;
                };
                Some(Bad::overall("promotion_usage", Some(promotion), what))
            })
            .collect()
    }
}

/// Whether a version of the programme lets so much be used. Limits may be lowered later.
fn allows(programme: &Programme, code: &str, usage: PromotionUsage) -> bool {
    let promotion = programme.promotions.iter().find(|promotion| promotion.code == code);
    promotion.is_some_and(|promotion| {
        promotion.limits.total.is_none_or(|total| usage.uses <= i64::from(total))
            && promotion.limits.budget_points.is_none_or(|budget| usage.points <= budget.get())
            && promotion.limits.budget_money.is_none_or(|budget| usage.money <= budget.get())
    })
}

fn told(PromotionUsage { uses, points, money }: PromotionUsage) -> String {
    match money {
        0 => format!("{uses} uses and {points} points"),
        _ => format!("{uses} uses, {points} points and {money} minor units"),
    }
}
