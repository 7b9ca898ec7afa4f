//! Why a purchase earned what it earned, from the explanation that is stored with it.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use tessera_rules::Programme;
use tessera_rules::amount::{Minor, Multiplier, format_decimal};
use tessera_rules::explain::{
    CapExplained, CapKind, DiscountSource, Exclusion, Explanation, LineExplained, PromotionExplained,
};
use tessera_rules::promotion::{Miss, PromotionEffect};
use tessera_rules::text::Text;
use tessera_rules::time::Zone;

use super::words::{Names, day, money, points, say};
use crate::api::error::both;
use crate::store::ledger::EntryView;

/// What the stored answer to a purchase tells.
#[derive(Debug, Deserialize)]
pub(super) struct Bought {
    occurred_at: DateTime<Utc>,
    points: Given,
    redeemed: Option<Paid>,
    pub(super) explanation: Explanation,
}

#[derive(Debug, Deserialize)]
struct Given {
    given: i64,
}

#[derive(Debug, Deserialize)]
struct Paid {
    points: i64,
    worth: i64,
}

/// Lines that are told one by one; a receipt may have a thousand.
const LINES_TOLD: usize = 20;

/// The sentences for an entry of a purchase. `programme` is the one it was decided by.
pub(super) fn tell(entry: &EntryView, bought: &Bought, programme: &Programme, zone: Zone) -> Vec<Text> {
    let why = &bought.explanation;
    let mut told = vec![head(entry, bought, zone)];
    told.extend(price(why, programme));
    told.extend(basis(why, programme));
    told.extend(factors(why, programme));
    told.extend(why.promotions.iter().map(|promotion| match cashback(promotion, programme) {
        Some(told) => told,
        None => promoted(promotion, &Names(programme)),
    }));
    told.extend(why.caps.iter().map(capped));
    told.extend(rounding(why, programme));
    if let Some(Paid { points: count, worth }) = &bought.redeemed {
        let worth = money(*worth, programme.currency);
        told.push(say!(
            "{count} paid {worth} of it.",
            "其中 {worth} 由 {count}抵扣。",
            count = points(*count),
            worth = worth,
        ));
    }
    told
}

fn head(entry: &EntryView, bought: &Bought, zone: Zone) -> Text {
    let (on, given) = (day(zone, bought.occurred_at), points(bought.points.given));
    if entry.points == bought.points.given {
        return say!("The purchase of {on} earned {given}.", "{on}的消费获得 {given}。", on = on, given = given);
    }
    let here = points(entry.points);
    say!(
        "The purchase of {on} earned {given}, of which {here} here.",
        "{on}的消费共获得 {given}，本条记录为其中的 {here}。",
        on = on,
        given = given,
        here = here,
    )
}

/// What the goods were at list price, and what made them cheaper.
fn price(why: &Explanation, programme: &Programme) -> Option<Text> {
    let off = |source| {
        let all = why.lines.iter().flat_map(|line| &line.discounts);
        all.filter(|discount| discount.source == source).map(|discount| discount.amount.get()).sum::<i64>()
    };
    let list: i64 = why.lines.iter().map(|line| line.list.unwrap_or(line.amount()).get()).sum();
    let (saved, coupons) = (off(DiscountSource::MemberPrice), off(DiscountSource::Coupon));
    let money = |amount| money(amount, programme.currency);
    (saved + coupons > 0).then(|| {
        say!(
            "At list price it came to {list}; member prices took {saved} off, coupons {coupons}.",
            "原价合计 {list}，会员价优惠 {saved}，优惠券抵减 {coupons}。",
            list = money(list),
            saved = money(saved),
            coupons = money(coupons),
        )
    })
}

/// What counted of the lines, and what that earns at the base rate.
fn basis(why: &Explanation, programme: &Programme) -> Vec<Text> {
    let notable: Vec<Text> = why.lines.iter().filter_map(|line| exception(line, programme)).collect();
    let more = notable.len().saturating_sub(LINES_TOLD);
    let mut told: Vec<Text> = notable.into_iter().take(LINES_TOLD).collect();
    if more > 0 {
        told.push(say!("So with {more} more lines.", "另有 {more} 行类似。", more = more));
    }
    told.push(say!(
        "{basis} of it counted; {rate} for every {per} makes {base}.",
        "其中 {basis} 计入积分，每 {per} 得 {rate}：基础积分 {base}。",
        basis = money(why.basis.get(), programme.currency),
        rate = points(why.rate.points.into()),
        per = money(why.rate.per.into(), programme.currency),
        base = points(why.base_points.get()),
    ));
    told
}

/// A line that did not count as it stands.
fn exception(line: &LineExplained, programme: &Programme) -> Option<Text> {
    let number = line.line;
    match &line.excluded {
        Some(Exclusion::Sku) => Some(say!(
            "Line {number} earned nothing: its article is excluded.",
            "第 {number} 行不积分：该商品不参与积分。",
            number = number,
        )),
        Some(Exclusion::Category(category)) => Some(say!(
            "Line {number} earned nothing: its category {category} is excluded.",
            "第 {number} 行不积分：类别 {category} 不参与积分。",
            number = number,
            category = category.as_str(),
        )),
        None if line.multiplier != Multiplier::ONE => Some(say!(
            "Line {number} counts {times} times, by the rule {rule}.",
            "第 {number} 行按规则 {rule} 以 {times} 倍计算。",
            number = number,
            times = line.multiplier,
            rule = line.rule.as_deref().unwrap_or("-"),
        )),
        None if line.amount() != line.basis => Some(say!(
            "Of line {number}, {basis} of {amount} counted.",
            "第 {number} 行 {amount} 中有 {basis} 计入。",
            number = number,
            basis = money(line.basis.get(), programme.currency),
            amount = money(line.amount().get(), programme.currency),
        )),
        None => None,
    }
}

fn factors(why: &Explanation, programme: &Programme) -> Option<Text> {
    let (tier, times) = (Names(programme).tier(&why.tier), why.tier_multiplier);
    (times != Multiplier::ONE).then(|| {
        say!("The tier {tier} multiplied it by {times}.", "会员等级“{tier}”乘以 {times}。", tier = tier, times = times)
    })
}

/// What a promotion gave to the wallet, where that is what it gives.
fn cashback(promotion: &PromotionExplained, programme: &Programme) -> Option<Text> {
    let (gave, name) = (promotion.cashback.as_ref()?, Names(programme).promotion(&promotion.code));
    let PromotionEffect::Cashback { percent, .. } = promotion.effect else { return None };
    let money = |amount: Minor| money(amount.get(), programme.currency);
    let told = say!(
        "{name} gave {percent} % back: {given} to the wallet.",
        "“{name}”返现 {percent}%：{given} 存入钱包。",
        name = name,
        percent = percent,
        given = money(gave.given),
    );
    let Some(wanted) = gave.wanted else { return Some(told) };
    Some(match (gave.left_of_budget, gave.left) {
        (Some(_), _) => say!(
            "{told} That was what was left of its budget; it would have been {wanted}.",
            "{told}活动预算仅余此数，否则应为 {wanted}。",
            told = told,
            wanted = money(wanted),
        ),
        (None, Some(_)) => say!(
            "{told} That was what was left of the month's limit; it would have been {wanted}.",
            "{told}本月额度仅余此数，否则应为 {wanted}。",
            told = told,
            wanted = money(wanted),
        ),
        (None, None) => say!(
            "{told} Without its limit it would have been {wanted}.",
            "{told}若无上限应为 {wanted}。",
            told = told,
            wanted = money(wanted),
        ),
    })
}

fn promoted(promotion: &PromotionExplained, names: &Names<'_>) -> Text {
    let name = names.promotion(&promotion.code);
    if let Some(missed) = promotion.missed {
        return say!("{name} did not apply: {why}.", "“{name}”未生效：{why}。", name = name, why = reason(missed));
    }
    let charged = points(promotion.charged.get());
    let lines = promotion.goods.as_ref().and_then(|goods| goods.lines.as_deref());
    let told = match (&promotion.effect, lines) {
        (PromotionEffect::Multiply { by }, Some(lines)) => say!(
            "{name} multiplied {lines} by {by} and so added {charged}.",
            "“{name}”将{lines}乘以 {by}，增加 {charged}。",
            name = name,
            lines = numbered(lines),
            by = *by,
            charged = charged,
        ),
        (PromotionEffect::Multiply { by }, None) => say!(
            "{name} multiplied it by {by} and so added {charged}.",
            "“{name}”乘以 {by}，增加 {charged}。",
            name = name,
            by = *by,
            charged = charged,
        ),
        (PromotionEffect::Add { .. } | PromotionEffect::PerAmount { .. } | PromotionEffect::Cashback { .. }, _) => {
            say!("{name} added {charged}.", "“{name}”增加 {charged}。", name = name, charged = charged)
        }
        (PromotionEffect::Coupon { coupon }, _) => {
            let coupon = names.coupon(coupon);
            say!("{name} gave the coupon {coupon}.", "“{name}”赠送优惠券“{coupon}”。", name = name, coupon = coupon)
        }
        (_, _) => {
            say!("{name} applied.", "“{name}”已生效。", name = name)
        }
    };
    match promotion.wanted {
        None => told,
        Some(wanted) if promotion.left.is_some() => say!(
            "{told} That was what was left of its budget; it would have been {wanted}.",
            "{told}活动预算仅余此数，否则应为 {wanted}。",
            told = told,
            wanted = points(wanted.get()),
        ),
        Some(wanted) => say!(
            "{told} Without its limit it would have been {wanted}.",
            "{told}若无上限应为 {wanted}。",
            told = told,
            wanted = points(wanted.get()),
        ),
    }
}

/// Why a promotion does not apply, as a part of a sentence.
pub(super) fn reason(missed: Miss) -> Text {
    match missed {
        Miss::Paused => both("paused for now", "活动已暂停"),
        Miss::Schedule => both("not on that day", "不在活动时间内"),
        Miss::Hours => both("not at that time of day", "不在活动时段内"),
        Miss::Store => both("not in that store", "不适用于该门店"),
        Miss::Channel => both("not for purchases made in that way", "不适用于该渠道"),
        Miss::Tier => both("not for that tier", "不适用于该等级"),
        Miss::Segment => both("only for certain members", "仅限部分会员"),
        Miss::Tag => both("only for members with a certain tag", "仅限带有指定标签的会员"),
        Miss::FirstPurchase => both("only for a first purchase", "仅限首次消费"),
        Miss::NthPurchase => both("for another of the member's purchases", "消费次数不符合要求"),
        Miss::Lines => both("nothing was bought that it is for", "未购买活动商品"),
        Miss::MinimumSpend => both("too little was spent on what it is for", "未达到最低消费金额"),
        Miss::Condition => both("its condition was not met", "未满足活动条件"),
        Miss::NotBest => both("another one gave more", "已有更优的活动"),
        Miss::ExclusionGroup => {
            both("another one that it cannot be combined with counts", "不可与已生效的其他活动同享")
        }
        Miss::MemberLimit => both("the member has used it as often as it may be used", "该会员的参与次数已用完"),
        Miss::DayLimit => {
            both("the member has used it as often as it may be used on one day", "该会员当日的参与次数已用完")
        }
        Miss::TotalLimit => both("it was used as often as it may be used", "活动总参与次数已用完"),
        Miss::Budget => both("nothing is left of its budget", "活动预算已用完"),
    }
}

/// Lines by their numbers, as far as one reads them.
fn numbered(lines: &[u32]) -> Text {
    let told: Vec<String> = lines.iter().take(LINES_TOLD).map(u32::to_string).collect();
    let more = if lines.len() > LINES_TOLD { ", …" } else { "" };
    let (noun, told) = (if lines.len() == 1 { "line" } else { "lines" }, told.join(", "));
    both(format!("{noun} {told}{more}"), format!("第 {told}{more} 行"))
}

fn capped(cap: &CapExplained) -> Text {
    let (limit, cut) = (points(cap.limit.get()), points(cap.cut.get()));
    match cap.cap {
        CapKind::Purchase => say!(
            "A purchase earns at most {limit}; cut off: {cut}.",
            "单笔消费最多得 {limit}：扣减 {cut}。",
            limit = limit,
            cut = cut,
        ),
        CapKind::Day => say!(
            "At most {limit} more could be earned on that day; cut off: {cut}.",
            "当日最多还可得 {limit}：扣减 {cut}。",
            limit = limit,
            cut = cut,
        ),
    }
}

fn rounding(why: &Explanation, programme: &Programme) -> Vec<Text> {
    let mut told = Vec::new();
    if why.carried_points.is_positive() {
        let carried = points(why.carried_points.get());
        told.push(say!(
            "{carried} came from fractions kept from earlier purchases.",
            "其中 {carried} 来自此前消费累积的零头。",
            carried = carried,
        ));
    }
    // Where a cap bit, no fraction mattered: none is kept (PROGRAMME.md §1).
    if why.remainder_micropoints > 0 && why.caps.is_empty() {
        let rest = format_decimal(why.remainder_micropoints, 6);
        told.push(match programme.earning.carry_remainder {
            true => say!(
                "{rest} of a point is kept for the next purchase.",
                "剩余 {rest} 积分结转至下次消费。",
                rest = rest,
            ),
            false => say!(
                "Points are rounded down, once and at the end: {rest} of a point was left out.",
                "积分在最后一次性向下取整：舍去 {rest} 积分。",
                rest = rest,
            ),
        });
    }
    told
}
