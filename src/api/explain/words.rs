//! How days, points and money read in both languages, and what things are called.

use tessera_rules::Programme;
use tessera_rules::amount::{Currency, format_decimal};
use tessera_rules::text::Text;
use tessera_rules::time::{Day, Instant, Zone};
use tessera_rules::trigger::promotion_of;

use crate::api::error::both;
use crate::store::explain::Touched;

/// The local day of an instant.
pub(super) fn day(zone: Zone, at: Instant) -> Text {
    date(zone.day_of(at))
}

/// A local day.
pub(super) fn date(day: Day) -> Text {
    both(day.format("%-d %B %Y").to_string(), day.format("%Y年%-m月%-d日").to_string())
}

/// So many points.
pub(super) fn points(count: i64) -> Text {
    both(if count == 1 { "1 point".to_owned() } else { format!("{count} points") }, format!("{count} 积分"))
}

/// Minor units with all their places: `25.00 CNY`.
pub(super) fn money(amount: i64, currency: Currency) -> String {
    let places = currency.decimals() as usize;
    let plain = format_decimal(amount, currency.decimals());
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    if places == 0 { format!("{whole} {currency}") } else { format!("{whole}.{fraction:0<places$} {currency}") }
}

/// A sentence in both languages; texts of both are put in by the language.
macro_rules! say {
    ($en:literal, $zh:literal $(, $name:ident = $value:expr)* $(,)?) => {{
        $(let $name = $crate::api::explain::words::Both::from($value);)*
        let en = { $(let $name = $name.get(false);)* format!($en) };
        let zh = { $(let $name = $name.get(true);)* format!($zh) };
        $crate::api::error::both(en, zh)
    }};
}
pub(super) use say;

/// Something that is put into a sentence: a text of both languages, or one for both.
pub(super) struct Both(Text);

impl Both {
    pub(super) fn get(&self, chinese: bool) -> &str {
        self.0.get(chinese)
    }
}

impl From<Text> for Both {
    fn from(text: Text) -> Self {
        Self(text)
    }
}

impl From<&Text> for Both {
    fn from(text: &Text) -> Self {
        Self(text.clone())
    }
}

impl From<String> for Both {
    fn from(text: String) -> Self {
        Self(Text { en: text, zh: None })
    }
}

impl From<&str> for Both {
    fn from(text: &str) -> Self {
        Self(Text::from(text))
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl From<$number> for Both {
            fn from(number: $number) -> Self {
                number.to_string().into()
            }
        }
    )*};
}
numbers!(i64, i32, u32, usize, tessera_rules::amount::Multiplier, tessera_rules::amount::Quantity);

/// Until when points may be spent.
pub(super) fn life(zone: Zone, lot: &Touched) -> Text {
    match (lot.expires_at, lot.idle_months) {
        (Some(expires_at), _) => {
            let last = day(zone, expires_at - chrono::TimeDelta::microseconds(1));
            say!("To be spent through {last}.", "可使用至{last}。", last = last)
        }
        (None, Some(months)) => say!(
            "To be spent until {months} months have passed without an activity.",
            "连续 {months} 个月无活动后失效。",
            months = months,
        ),
        (None, None) => both("To be spent at any time.", "长期有效。"),
    }
}

/// What a tier, a promotion, a perk, an entitlement or a reward is called; its code where the
/// programme does not know it any more.
pub(super) struct Names<'p>(pub(super) &'p Programme);

impl Names<'_> {
    pub(super) fn tier(&self, code: &str) -> Text {
        let level = self.0.tiers.levels.iter().find(|level| level.code == code);
        level.map_or_else(|| Text::from(code), |level| level.name.clone())
    }

    pub(super) fn reward(&self, code: &str) -> Text {
        self.0.reward(code).map_or_else(|| Text::from(code), |reward| reward.name.clone())
    }

    pub(super) fn coupon(&self, code: &str) -> Text {
        self.0.coupon(code).map_or_else(|| Text::from(code), |coupon| coupon.name.clone())
    }

    /// A perk as grants name it: of a promotion, the promotion.
    pub(super) fn perk(&self, code: &str) -> Text {
        if let Some(promotion) = promotion_of(code) {
            return self.promotion(promotion);
        }
        let perk = self.0.perks.iter().find(|perk| perk.code == code);
        perk.map_or_else(|| Text::from(code), |perk| perk.name.clone())
    }

    /// A promotion as explanations name it: those that perks and entitlements stand for carry a prefix.
    pub(super) fn promotion(&self, code: &str) -> Text {
        if let Some(perk) = code.strip_prefix("perk:") {
            return self.perk(perk);
        }
        if let Some(entitlement) = code.strip_prefix("entitlement:") {
            let mut all = self.0.tiers.levels.iter().flat_map(|level| &level.entitlements);
            let known = all.find(|known| known.code == entitlement);
            return known.map_or_else(|| Text::from(entitlement), |known| known.name.clone());
        }
        let promotion = self.0.promotions.iter().find(|promotion| promotion.code == code);
        promotion.map_or_else(|| Text::from(code), |promotion| promotion.name.clone())
    }
}
