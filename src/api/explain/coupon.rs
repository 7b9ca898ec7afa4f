//! Coupons in words: what one takes off, and why it cannot be used.

use tessera_rules::Programme;
use tessera_rules::amount::{Currency, Minor};
use tessera_rules::coupon::NotApplied;
use tessera_rules::discount::{Discount, Off, Pick, Step};
use tessera_rules::text::Text;
use tessera_rules::time::Instant;

use super::words::{Names, money, say};
use crate::api::error::both;

/// The stable word of a reason.
pub(in crate::api) const fn word(reason: &NotApplied) -> &'static str {
    match reason {
        NotApplied::Unknown => "unknown",
        NotApplied::Withdrawn => "withdrawn",
        NotApplied::OthersCoupon => "others_coupon",
        NotApplied::Revoked => "revoked",
        NotApplied::UsedUp => "used_up",
        NotApplied::NotYet { .. } => "not_yet",
        NotApplied::Expired { .. } => "expired",
        NotApplied::MembersOnly { .. } => "members_only",
        NotApplied::TierTooLow { .. } => "tier_too_low",
        NotApplied::NotInSegment => "not_in_segment",
        NotApplied::TotalLimit => "total_limit",
        NotApplied::Budget => "budget",
        NotApplied::NothingMatches => "nothing_matches",
        NotApplied::MinimumSpend { .. } => "minimum_spend",
        NotApplied::TooFewUnits { .. } => "too_few_units",
        NotApplied::NotCombinable { .. } => "not_combinable",
        NotApplied::AddsNothing => "adds_nothing",
        NotApplied::EarnsLess => "earns_less",
    }
}

/// Why a coupon takes nothing off. Without a programme, tiers are told by their codes, amounts in minor units and
/// instants in UTC.
pub(in crate::api) fn not_applied(reason: &NotApplied, programme: Option<&Programme>) -> Text {
    let when = |at: Instant| match programme {
        Some(programme) => programme.time_zone.local(at).format("%Y-%m-%d %H:%M").to_string(),
        None => at.format("%Y-%m-%d %H:%M UTC").to_string(),
    };
    let tier_name = |code: &str| programme.map_or_else(|| Text::from(code), |programme| Names(programme).tier(code));
    match reason {
        NotApplied::Unknown => both("There is no such coupon.", "该优惠券不存在。"),
        NotApplied::Withdrawn => both("Coupons of this kind are no longer accepted.", "该类优惠券已停用。"),
        NotApplied::OthersCoupon => both("It is for the member it was issued to.", "该优惠券仅限领取会员本人使用。"),
        NotApplied::Revoked => both("It was taken back.", "该优惠券已被收回。"),
        NotApplied::UsedUp => both("It is used up.", "该优惠券已用完。"),
        NotApplied::NotYet { from } => {
            say!("It can be used from {from} on.", "该优惠券自 {from} 起可用。", from = when(*from))
        }
        NotApplied::Expired { at } => {
            say!("It could be used until {at}.", "该优惠券已于 {at} 过期。", at = when(*at))
        }
        NotApplied::MembersOnly { tier } | NotApplied::TierTooLow { tier } => {
            let tier = tier_name(tier);
            say!("It is for members of {tier} and above.", "该优惠券仅限“{tier}”及以上会员使用。", tier = tier)
        }
        NotApplied::NotInSegment => both("It is for certain members.", "该优惠券仅限部分会员使用。"),
        NotApplied::TotalLimit => {
            both("Coupons of this kind were used as often as they may be.", "该类优惠券的总使用次数已用完。")
        }
        NotApplied::Budget => {
            both("Too little is left of what coupons of this kind may take off.", "该类优惠券的剩余优惠额度不足。")
        }
        NotApplied::NothingMatches => both("Nothing is bought that it is for.", "未购买该优惠券适用的商品。"),
        NotApplied::MinimumSpend { missing } => {
            let missing = match programme {
                Some(programme) => {
                    both(money(missing.get(), programme.currency), money(missing.get(), programme.currency))
                }
                None => both(format!("{missing} minor units"), format!("{missing}（最小货币单位）")),
            };
            say!("Spend {missing} more on what it is for.", "适用商品再消费 {missing} 即可使用。", missing = missing)
        }
        NotApplied::TooFewUnits { missing } => say!(
            "Take {missing} more of what it is for.",
            "适用商品再购 {missing} 件即可使用。",
            missing = missing.to_string(),
        ),
        NotApplied::NotCombinable { with } => {
            say!("It cannot be used together with {with}.", "该优惠券不能与 {with} 同时使用。", with = with.as_str())
        }
        NotApplied::AddsNothing => both("It would take nothing off.", "使用该优惠券不会更优惠。"),
        NotApplied::EarnsLess => {
            both("With it the purchase would earn fewer points.", "使用该优惠券会减少本次所得积分。")
        }
    }
}

/// What a kind of coupons is called; its code where the programme does not know it any more.
pub(in crate::api) fn name(of: &str, programme: &Programme) -> Text {
    programme.coupon(of).map_or_else(|| Text::from(of), |of| of.name.clone())
}

/// What a discount takes off.
pub(in crate::api) fn discount(discount: &Discount, currency: Currency) -> Text {
    let money = |amount: Minor| money(amount.get(), currency);
    let mut told = off(&discount.off, currency);
    if let Some(least) = discount.minimum_spend {
        let least = money(least);
        told = say!("{told} from {least} on", "满 {least}：{told}", told = told, least = least);
    }
    if let Some(cap) = discount.cap {
        let cap = money(cap);
        told = say!("{told}, at most {cap}", "{told}，最多减 {cap}", told = told, cap = cap);
    }
    if discount.goods.is_everything() {
        told
    } else {
        say!("{told}, on certain goods", "{told}（限指定商品）", told = told)
    }
}

fn off(off: &Off, currency: Currency) -> Text {
    let money = |amount: Minor| money(amount.get(), currency);
    match off {
        Off::Percent { percent } => say!("{percent} % off", "减免 {percent}%", percent = *percent),
        Off::Amount { amount } => say!("{amount} off", "减 {amount}", amount = money(*amount)),
        Off::Steps { steps, every } => {
            let step = |step: &Step| {
                let (spend, amount) = (money(step.spend), money(step.amount));
                match every {
                    true => (format!("{amount} off every {spend}"), format!("每满 {spend} 减 {amount}")),
                    false => (format!("{amount} off from {spend} on"), format!("满 {spend} 减 {amount}")),
                }
            };
            let (en, zh): (Vec<String>, Vec<String>) = steps.iter().map(step).unzip();
            both(en.join(", "), zh.join("，"))
        }
        Off::ItemFree { units, pick } => {
            let which = match pick {
                Pick::Cheapest => both("cheapest", "最便宜的"),
                Pick::Dearest => both("dearest", "最贵的"),
            };
            say!("The {which} {units} free", "{which} {units} 件免费", which = which, units = *units)
        }
        Off::BuyGet { buy, get } => {
            say!("Buy {buy}, get {get} free", "买 {buy} 送 {get}", buy = *buy, get = *get)
        }
        Off::EveryNth { nth, percent } => {
            say!("Every unit no. {nth} {percent} % off", "每第 {nth} 件减免 {percent}%", nth = *nth, percent = *percent)
        }
    }
}
