//! What conditions are told about a purchase and the member who makes it.

use chrono::Datelike;
use serde::{Deserialize, Serialize};

use crate::command::{Line, Tender};
use crate::decision::Balance;
use crate::event::EventFacts;
use crate::member::Standing;
use crate::time::{BirthDate, Day, LeapDay, LocalTime, Zone};

/// Everything a condition may ask about, of a purchase or of what else sets a promotion off. Stored with a sale whose promotions hang on its goods: when
/// some come back, the same question is asked of what remains, and the member is as he was then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The member, just before the purchase.
    pub member: MemberFacts,
    /// Code of the store.
    pub store: String,
    /// How it came about: a short code, empty where nobody said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub channel: String,
    /// When the purchase happened, by the programme's clocks.
    pub at: LocalTime,
    /// How it was paid, beside points.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenders: Vec<Tender>,
    /// Its lines.
    pub lines: Vec<Line>,
    /// What the event says of itself, where one is asked about and no purchase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventFacts>,
}

/// A member as conditions see him: what was known when the purchase arrived, before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberFacts {
    /// Code of the tier that counts for the purchase.
    pub tier: String,
    /// Its position in the ladder; 0: the lowest.
    pub tier_rank: i64,
    /// Whole local days since the member enrolled.
    pub days_enrolled: i64,
    /// Local days until the next birthday, 0 on the day itself; absent: nobody knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days_to_birthday: Option<i64>,
    /// Month of the birthday, 1 to 12; absent: nobody knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_month: Option<u32>,
    /// Purchases so far, without those that came back whole.
    pub purchases: i64,
    /// Local days since the latest purchase; absent: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days_since_purchase: Option<i64>,
    /// Points ever earned.
    pub lifetime_earned: i64,
    /// Points the member could spend.
    pub available: i64,
    /// Points that wait to become available.
    pub pending: i64,
    /// Base points in the window that tiers measure.
    pub window_points: i64,
    /// Spend in that window, in minor units.
    pub window_spend: i64,
    /// Purchases in that window.
    pub window_visits: i64,
    /// The tags he had when the purchase happened, in alphabetical order; told where the programme asks for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Codes of the segments he was in, in the order of the programme; told where it asks for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<String>,
}

impl Facts {
    /// What is known where nothing is bought: the member alone.
    pub fn of_member(member: MemberFacts, at: LocalTime) -> Self {
        let (store, channel) = (String::new(), String::new());
        Self { member, store, channel, at, tenders: Vec::new(), lines: Vec::new(), event: None }
    }

    /// What the lines come to, in minor units.
    pub fn amount(&self) -> i64 {
        self.lines.iter().map(|line| line.amount.get()).sum()
    }
}

impl MemberFacts {
    /// What is known of a member on a local day: his standing, the points in his reach, the tier that
    /// counts with its position, and his birth date where it was loaded.
    pub(crate) fn of(
        standing: &Standing,
        balance: Balance,
        (tier, rank): (&str, usize),
        (zone, day): (Zone, Day),
        birth: Option<BirthDate>,
    ) -> Self {
        let since = |at| (day - zone.day_of(at)).num_days().max(0);
        Self {
            tier: tier.to_owned(),
            tier_rank: rank as i64,
            days_enrolled: since(standing.enrolled_at),
            days_to_birthday: birth.and_then(|birth| days_to(birth, day)),
            birth_month: birth.map(|birth| birth.month),
            purchases: standing.purchases,
            days_since_purchase: standing.purchased_at.map(since),
            lifetime_earned: standing.lifetime_earned.get(),
            available: balance.available.get(),
            pending: balance.pending.get(),
            window_points: standing.window.points,
            window_spend: standing.window.spend,
            window_visits: standing.window.visits,
            tags: Vec::new(),
            segments: Vec::new(),
        }
    }
}

/// Days until the next birthday. One of 29 February is kept on 28 February in common years.
fn days_to(birth: BirthDate, day: Day) -> Option<i64> {
    let kept = |year| birth.kept_in(year, LeapDay::February28);
    let next = kept(day.year()).filter(|kept| *kept >= day).or_else(|| kept(day.year() + 1))?;
    Some((next - day).num_days())
}
