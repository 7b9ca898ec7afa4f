//! What a till is told before a purchase: why goods are withheld, and what would give more points.

use tessera_rules::Programme;
use tessera_rules::price::Withheld;
use tessera_rules::promise::Missed;
use tessera_rules::text::Text;

use super::accrual::reason;
use super::words::{Names, date, money, say};

/// Why a line may not be sold to this member yet.
pub(in crate::api) fn withheld(withheld: &Withheld, programme: &Programme) -> Text {
    let until = date(withheld.until);
    let Some(tier) = &withheld.minimum_tier else {
        return say!("Through {until} it is for certain members.", "{until}（含）前仅限部分会员购买。", until = until);
    };
    let tier = Names(programme).tier(tier);
    say!(
        "Through {until} it is for members of {tier} and above.",
        "{until}（含）前仅限“{tier}”及以上会员购买。",
        until = until,
        tier = tier,
    )
}

/// What a promotion is called.
pub(in crate::api) fn name(missed: &Missed, programme: &Programme) -> Text {
    Names(programme).promotion(&missed.code)
}

/// Why a promotion does not apply, or what would make it apply.
pub(in crate::api) fn missed(missed: &Missed, programme: &Programme) -> Text {
    let name = name(missed, programme);
    let Some(missing) = missed.missing else {
        let why = reason(missed.why);
        return say!("{name} does not apply: {why}.", "“{name}”不适用：{why}。", name = name, why = why);
    };
    let missing = money(missing.get(), programme.currency);
    let promotion = programme.promotions.iter().find(|promotion| promotion.code == missed.code);
    if promotion.is_some_and(|promotion| !promotion.categories.is_empty() || !promotion.skus.is_empty()) {
        return say!(
            "Spend {missing} more on what it is for: {name}.",
            "活动商品再消费 {missing} 即可享“{name}”。",
            missing = missing,
            name = name,
        );
    }
    say!("Spend {missing} more: {name}.", "再消费 {missing} 即可享“{name}”。", missing = missing, name = name)
}
