//! Offers in words: what one gives, what it hangs on or why it does not apply, and how far the member has come.

use tessera_rules::Programme;
use tessera_rules::amount::{Minor, Multiplier, Points};
use tessera_rules::coupon::NotApplied;
use tessera_rules::offer::{Bar, Counted, Fit, Need, Offer, OfferKind, Progress};
use tessera_rules::price::MemberPrice;
use tessera_rules::promotion::{Promotion, PromotionEffect};
use tessera_rules::referral::ReferralSide;
use tessera_rules::text::Text;
use tessera_rules::trigger::Trigger;

use super::accrual::reason;
use super::words::{Names, money, points, say};
use super::{coupon, words};
use crate::api::error::both;

/// What an offer is called.
pub(in crate::api) fn name(offer: &Offer, programme: &Programme) -> Text {
    let names = Names(programme);
    match offer.kind {
        OfferKind::Promotion => names.promotion(&offer.code),
        OfferKind::Coupon => coupon::name(offer.of.as_deref().unwrap_or(&offer.code), programme),
        OfferKind::Reward => names.reward(&offer.code),
        OfferKind::Tier => names.tier(&offer.code),
        OfferKind::MemberPrice => both("Member price", "会员价"),
        OfferKind::EarlyAccess => both("Early access", "优先购买"),
    }
}

/// What it gives.
pub(in crate::api) fn gives(offer: &Offer, programme: &Programme) -> Text {
    let told = match offer.kind {
        OfferKind::Promotion => programme.promotion(&offer.code).map(|promotion| promoted(promotion, programme)),
        OfferKind::Coupon => {
            let of = offer.of.as_ref().and_then(|of| programme.coupon(of));
            of.map(|of| coupon::discount(&of.discount, programme.currency))
        }
        OfferKind::Reward => offer.points.map(|cost| reward(&offer.code, cost, programme)),
        OfferKind::MemberPrice => {
            let price = programme.prices.member.iter().find(|price| price.code == offer.code);
            price.map(|price| member_price(price, programme))
        }
        OfferKind::EarlyAccess => {
            let window = programme.prices.early_access.iter().find(|window| window.code == offer.code);
            window.map(|window| Text::from(window.skus.join(", ").as_str()))
        }
        OfferKind::Tier => Some(tier(&offer.code, programme)),
    };
    told.unwrap_or_else(|| Text::from(offer.code.as_str()))
}

fn times(by: Multiplier) -> Text {
    say!("{by}× points", "{by} 倍积分", by = by)
}

fn promoted(promotion: &Promotion, programme: &Programme) -> Text {
    let amount = |amount: Minor| money(amount.get(), programme.currency);
    let told = match &promotion.effect {
        PromotionEffect::Multiply { by } => times(*by),
        PromotionEffect::Add { points: count } => points(count.get()),
        PromotionEffect::PerAmount { points: count, per } => say!(
            "{points} for every {per}",
            "每消费 {per} 得 {points}",
            points = points(count.get()),
            per = amount(*per),
        ),
        PromotionEffect::Coupon { coupon } => {
            say!("A coupon: {coupon}", "优惠券：{coupon}", coupon = Names(programme).coupon(coupon))
        }
        PromotionEffect::Reward { reward: code, .. } => reward(code, Points::ZERO, programme),
        PromotionEffect::Multiplier { multiplier, days } => say!(
            "{times} through the {days}th day after",
            "{times}，至其后第 {days} 天",
            times = times(*multiplier),
            days = *days,
        ),
        PromotionEffect::Cashback { percent, cap, cap_per_month } => {
            let mut told = say!("{percent} % back to the wallet", "返现 {percent}%", percent = *percent);
            if let Some(cap) = cap {
                told = say!("{told}, at most {cap}", "{told}，单笔最多 {cap}", told = told, cap = amount(*cap));
            }
            if let Some(cap) = cap_per_month {
                told = say!("{told}, {cap} a month", "{told}，每月最多 {cap}", told = told, cap = amount(*cap));
            }
            told
        }
        // Nothing that a member is offered.
        PromotionEffect::Tag { .. } | PromotionEffect::Untag { .. } | PromotionEffect::Message { .. } => {
            promotion.name.clone()
        }
    };
    if promotion.categories.is_empty() && promotion.skus.is_empty() {
        return told;
    }
    say!("{told}, on certain goods", "{told}（限指定商品）", told = told)
}

fn reward(code: &str, cost: Points, programme: &Programme) -> Text {
    let name = Names(programme).reward(code);
    if cost.is_zero() {
        return say!("{name} for nothing", "免费兑换{name}", name = name);
    }
    say!("{name} for {cost}", "{cost} 兑换{name}", name = name, cost = points(cost.get()))
}

fn member_price(price: &MemberPrice, programme: &Programme) -> Text {
    let (sku, amount) = (price.sku.as_str(), money(price.price.get(), programme.currency));
    let told = say!("{sku} at {amount}", "{sku}：{amount}", sku = sku, amount = amount);
    match price.most {
        Some(most) => {
            say!("{told}, {most} of it a purchase", "{told}，每单限 {most}", told = told, most = most)
        }
        None => told,
    }
}

fn tier(code: &str, programme: &Programme) -> Text {
    let level = programme.tier(programme.tier_position(code));
    let multiplier = (level.earn_multiplier > Multiplier::ONE).then(|| times(level.earn_multiplier));
    let all: Vec<Text> = multiplier.into_iter().chain(level.benefits.iter().cloned()).collect();
    if all.is_empty() {
        return level.name.clone();
    }
    let join = |chinese: bool| all.iter().map(|text| text.get(chinese)).collect::<Vec<_>>();
    both(join(false).join("; "), join(true).join("；"))
}

/// What an offer hangs on, or why it does not apply; `None`: it does.
pub(in crate::api) fn fits(offer: &Offer, programme: &Programme) -> Option<Text> {
    match &offer.fit {
        Fit::Now => None,
        Fit::Depends(needs) => {
            let all: Vec<Text> = needs.iter().map(|need| needed(*need, offer, programme)).collect();
            let join = |chinese: bool| all.iter().map(|text| text.get(chinese)).collect::<Vec<_>>();
            let (en, zh) = (join(false).join(", "), join(true).join("，"));
            Some(both(format!("It applies {en}."), format!("适用条件：{zh}。")))
        }
        Fit::No(bar) => Some(barred(bar, offer, programme)),
    }
}

fn needed(need: Need, offer: &Offer, programme: &Programme) -> Text {
    let promotion = programme.promotion(&offer.code).filter(|_| offer.kind == OfferKind::Promotion);
    match need {
        Need::Goods => both("to certain goods, or enough of them", "购买指定商品或达到指定数量"),
        Need::MinimumSpend => {
            let least = money(minimum_spend(offer, programme).map_or(0, Minor::get), programme.currency);
            say!("from {least} on", "满 {least}", least = least)
        }
        Need::Store => both("in certain stores", "在指定门店"),
        Need::Channel => both("to purchases made in certain ways", "通过指定渠道"),
        Need::Condition => both("where a condition is met that hangs on the purchase", "满足与消费相关的条件"),
        Need::Event => match promotion.map(|promotion| &promotion.trigger) {
            Some(Trigger::Event { event }) => {
                let name =
                    programme.event(event).map_or_else(|| Text::from(event.as_str()), |known| known.name.clone());
                say!("when this happens: {name}", "完成“{name}”", name = name)
            }
            _ => both("when something happens", "发生指定事件"),
        },
        Need::TierChange => both("when the tier is reached", "达到指定等级"),
        Need::Referral => match promotion.map(|promotion| &promotion.trigger) {
            Some(Trigger::Referral { whom: ReferralSide::Referrer }) => {
                both("when somebody whom the member referred buys for the first time", "所推荐的新会员完成首次消费")
            }
            _ => {
                let least = programme.referral.map_or(0, |terms| terms.minimum_spend.get());
                let least = money(least, programme.currency);
                say!("to the first purchase from {least} on", "首次消费满 {least}", least = least)
            }
        },
        Need::Absence => both("after a while without a purchase", "一段时间未消费"),
    }
}

/// The least that must be spent for an offer, where that is asked.
pub(in crate::api) fn minimum_spend(offer: &Offer, programme: &Programme) -> Option<Minor> {
    match offer.kind {
        OfferKind::Promotion => programme.promotion(&offer.code)?.minimum_spend,
        OfferKind::Coupon => {
            let least = programme.coupon(offer.of.as_ref()?)?.discount.least_spend();
            least.is_positive().then_some(least)
        }
        _ => None,
    }
}

fn barred(bar: &Bar, offer: &Offer, programme: &Programme) -> Text {
    let like_coupon = |why: NotApplied| coupon::not_applied(&why, Some(programme));
    match bar {
        Bar::Frozen => both("The membership is frozen.", "会员账户已冻结。"),
        Bar::Missed(missed) => {
            let (name, why) = (name(offer, programme), reason(*missed));
            say!("{name} does not apply: {why}.", "“{name}”不适用：{why}。", name = name, why = why)
        }
        Bar::NotYet { from } => like_coupon(NotApplied::NotYet { from: *from }),
        Bar::TierTooLow { tier } if offer.kind == OfferKind::Tier => {
            let (tier, left) = (words::Names(programme).tier(tier), offer.progress.first().and_then(Progress::left));
            let left = measured(offer.progress.first().map(|progress| progress.of), left.unwrap_or(0), programme);
            say!("{left} more to {tier}.", "距“{tier}”还差 {left}。", left = left, tier = tier)
        }
        Bar::TierTooLow { tier } => like_coupon(NotApplied::TierTooLow { tier: tier.clone() }),
        Bar::MonthLimit => both("All that is given in a month was given.", "本月返现已达上限。"),
        Bar::OutOfStock => both("None is left.", "已兑完。"),
        Bar::Points { missing } => {
            say!("{missing} more are needed.", "还差 {missing}。", missing = points(missing.get()))
        }
    }
}

/// So much of what is counted.
fn measured(of: Option<Counted>, count: i64, programme: &Programme) -> Text {
    match of {
        Some(Counted::TierSpend | Counted::CashbackOfMonth) => {
            let amount = money(count, programme.currency);
            both(amount.clone(), amount)
        }
        Some(Counted::TierVisits | Counted::Purchases) => {
            let noun = if count == 1 { "purchase" } else { "purchases" };
            both(format!("{count} {noun}"), format!("{count} 次消费"))
        }
        Some(Counted::DaysAway) => both(format!("{count} days"), format!("{count} 天")),
        _ => points(count),
    }
}

/// How far the member has come.
pub(in crate::api) fn progress(progress: &Progress, programme: &Programme) -> Text {
    let Progress { of, done, target } = *progress;
    let Some(target) = target else {
        return say!("{done} times so far", "已有 {done} 次", done = done);
    };
    match of {
        Counted::Uses => say!("used {done} of {target} times", "已用 {done}/{target} 次", done = done, target = target),
        Counted::UsesOfDay => {
            say!(
                "used {done} of {target} times on the day",
                "当日已用 {done}/{target} 次",
                done = done,
                target = target
            )
        }
        Counted::UsesOfAll => say!(
            "used {done} of {target} times by all members",
            "全体会员已用 {done}/{target} 次",
            done = done,
            target = target,
        ),
        _ => {
            let (done, target) = (measured(Some(of), done, programme), measured(Some(of), target, programme));
            say!("{done} of {target}", "{done}，共 {target}", done = done, target = target)
        }
    }
}
