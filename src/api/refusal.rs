//! A refusal of the rules as it is answered: which line of the table in `error.rs`, and what is said
//! beyond its title.

use serde_json::{Value, json};
use tessera_rules::Refusal;
use tessera_rules::event::AttributeType;
use tessera_rules::fulfilment::FulfilmentStatus;
use tessera_rules::refusal::{Changed, CouponRefused};

use super::error::{Code, FieldError, Problem, both};
use super::explain::coupon;

/// The line of a refusal. Without `_`, so that a new refusal does not compile before it has one.
const fn code(refusal: &Refusal) -> Code {
    match refusal {
        Refusal::MemberUnknown => Code::MemberUnknown,
        Refusal::MemberMerged => Code::MemberMerged,
        Refusal::MemberFrozen => Code::MemberFrozen,
        // Whether there is such a member is not for a giver to know.
        Refusal::ReceiverFrozen => Code::ReceiverUnavailable,
        Refusal::SameMember => Code::SameMember,
        Refusal::TransfersNotOffered => Code::TransfersNotOffered,
        Refusal::PoolsNotOffered => Code::PoolsNotOffered,
        Refusal::InPool => Code::InPool,
        Refusal::NotInPool => Code::NotInPool,
        Refusal::NotAHead => Code::NotAHead,
        Refusal::PoolFull(_) => Code::PoolFull,
        Refusal::MayNotSpend => Code::MayNotSpend,
        Refusal::DailyLimit(_) => Code::DailyLimit,
        Refusal::NotMerged => Code::NotMerged,
        Refusal::LinkCircle => Code::Internal,
        Refusal::MovedTooLate => Code::MovedTooLate,
        Refusal::PaidWithPoints => Code::PaidWithPoints,
        Refusal::ReturnedBefore => Code::ReturnedBefore,
        Refusal::CurrencyMismatch { .. } => Code::CurrencyMismatch,
        Refusal::OccurredTooEarly => Code::OccurredTooEarly,
        Refusal::OccurredTooLate => Code::OccurredTooLate,
        Refusal::EventUnknown(_) => Code::EventUnknown,
        Refusal::EventAttribute { .. } => Code::EventAttribute,
        Refusal::Withheld { .. } => Code::GoodsWithheld,
        Refusal::CouponNotApplicable(_) => Code::CouponNotApplicable,
        Refusal::QuoteLapsed => Code::QuoteLapsed,
        Refusal::QuoteUsed => Code::QuoteUsed,
        Refusal::QuoteChanged(_) => Code::QuoteChanged,
        Refusal::TendersExceedTotal => Code::TendersExceedTotal,
        Refusal::CodeUsed => Code::CodeUsed,
        Refusal::RewardUnknown => Code::RewardUnknown,
        Refusal::RewardNotOffered => Code::RewardNotOffered,
        Refusal::TierTooLow(_) => Code::TierTooLow,
        Refusal::MemberLimit(_) => Code::MemberLimit,
        Refusal::OutOfStock => Code::OutOfStock,
        Refusal::MoneyOffNotOffered => Code::MoneyOffNotOffered,
        Refusal::BelowMinimum(_) => Code::BelowMinimum,
        Refusal::NotAStep(_) => Code::NotAStep,
        Refusal::InsufficientPoints { .. } => Code::InsufficientPoints,
        Refusal::ShareTooLarge(_) => Code::ShareTooLarge,
        Refusal::RedemptionUnknown => Code::RedemptionUnknown,
        Refusal::NotHeld(_) => Code::NotHeld,
        Refusal::VoidedBefore => Code::VoidedBefore,
        Refusal::FulfilmentState(_) => Code::FulfilmentState,
        Refusal::HandedOver => Code::HandedOver,
        Refusal::VoucherShown => Code::VoucherShown,
        Refusal::DrawClosed => Code::DrawClosed,
        Refusal::PaidForPurchase(_) => Code::PaidForPurchase,
        Refusal::CaptureOutOfRange(_) => Code::CaptureOutOfRange,
        Refusal::RewardIsWhole => Code::RewardIsWhole,
        Refusal::PurchaseUnknown => Code::PurchaseUnknown,
        Refusal::PurchaseChanged(_) => Code::ReRatingOutdated,
        Refusal::SoldElsewhere => Code::SoldElsewhere,
        Refusal::LineUnknown(_) => Code::LineUnknown,
        Refusal::NotAPart(_) => Code::NotAPart,
        Refusal::MoreThanLeft(_) => Code::MoreThanLeft,
        Refusal::NothingToReturn => Code::NothingToReturn,
        Refusal::TierUnknown(_) => Code::TierUnknown,
        Refusal::PlacementOver => Code::PlacementOver,
        Refusal::EntitlementUnknown => Code::EntitlementUnknown,
        Refusal::EntitlementDay => Code::EntitlementDay,
        Refusal::EntitlementUsedUp => Code::EntitlementUsedUp,
        Refusal::TagOver => Code::TagOver,
        Refusal::TooManyTags => Code::TooManyTags,
        Refusal::ReasonUnknown(_) => Code::ReasonUnknown,
        Refusal::NothingToAdjust => Code::NothingToAdjust,
        Refusal::WalletNotOffered => Code::WalletNotOffered,
        Refusal::TopUpTooSmall(_) => Code::TopUpTooSmall,
        Refusal::WalletFull(_) => Code::WalletFull,
        Refusal::InsufficientMoney { .. } => Code::InsufficientMoney,
        Refusal::WalletPaysTooMuch(_) => Code::WalletPaysTooMuch,
        Refusal::NothingToRefund => Code::NothingToRefund,
        Refusal::PaidFromWallet => Code::PaidFromWallet,
        Refusal::AmountOutOfRange => Code::AmountOutOfRange,
    }
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        let problem = Self::new(code(refusal));
        match refusal {
            Refusal::CurrencyMismatch { wanted, given } => problem
                .with_detail(both(
                    format!("The currency is {given}; the programme's is {wanted}."),
                    format!("单据币种为 {given}，积分计划币种为 {wanted}。"),
                ))
                .with_member("required", wanted.code()),
            Refusal::Withheld { line, minimum_tier } => problem.with_error(FieldError {
                pointer: format!("/lines/{}", line.saturating_sub(1)),
                code: "withheld",
                detail: match minimum_tier {
                    Some(tier) => both(
                        format!("It is for members of tier {tier} and above first."),
                        format!("该商品目前仅限“{tier}”及以上会员购买。"),
                    ),
                    None => both("It is for certain members first.", "该商品目前仅限部分会员购买。"),
                },
            }),
            Refusal::EventUnknown(event) => problem.with_error(FieldError {
                pointer: "/code".to_owned(),
                code: "event_unknown",
                detail: both(format!("There is no event {event}."), format!("没有事件“{event}”。")),
            }),
            Refusal::EventAttribute { name, wanted } => problem.with_error(attribute_error(name, *wanted)),
            Refusal::CouponNotApplicable(refused) => problem
                .with_detail(coupon::not_applied(&refused.reason, None))
                .with_member("coupon", refused.code.as_str())
                .with_member("reason", coupon::word(&refused.reason))
                .with_error(coupon_error(refused)),
            Refusal::QuoteChanged(changed) => {
                let problem = problem.with_member("changes", differences(changed));
                changed.coupons.iter().map(coupon_error).fold(problem, Self::with_error)
            }
            Refusal::TierTooLow(tier) => problem
                .with_detail(both(format!("The reward needs tier {tier}."), format!("该奖品需要等级 {tier}。")))
                .with_member("required", tier.as_str()),
            Refusal::BelowMinimum(least) => problem
                .with_detail(both(format!("At least {least} points."), format!("至少需要 {least} 积分。")))
                .with_member("minimum", least.get()),
            Refusal::DailyLimit(limit) => problem
                .with_detail(both(
                    format!("At most {limit} points can be passed on in a day."),
                    format!("每日最多可转出 {limit} 积分。"),
                ))
                .with_member("limit", limit.get()),
            Refusal::PoolFull(members) => problem
                .with_detail(both(
                    format!("A household pool has at most {members} members."),
                    format!("家庭积分池最多 {members} 名成员。"),
                ))
                .with_member("limit", *members),
            Refusal::NotAStep(step) => problem
                .with_detail(both(
                    format!("Redeem in steps of {step} points."),
                    format!("兑换积分必须是 {step} 的倍数。"),
                ))
                .with_member("step", step.get()),
            Refusal::InsufficientPoints { available, required } => problem
                .with_detail(both(
                    format!("{available} points are available; {required} are needed."),
                    format!("可用积分 {available}，本次需要 {required}。"),
                ))
                .with_member("available", available.get())
                .with_member("required", required.get()),
            Refusal::ShareTooLarge(most) => problem
                .with_detail(both(
                    format!("Points may pay at most {most} minor units of this purchase."),
                    format!("本次消费最多可用积分抵扣 {most}（最小货币单位）。"),
                ))
                .with_member("most", most.get()),
            Refusal::TopUpTooSmall(least) => problem.with_member("minimum", least.get()),
            Refusal::WalletFull(most) | Refusal::WalletPaysTooMuch(most) => problem.with_member("most", most.get()),
            Refusal::InsufficientMoney { available, required } => {
                problem.with_member("available", available.get()).with_member("required", required.get())
            }
            Refusal::MemberLimit(most) => problem
                .with_detail(both(
                    format!("A member may have {most} of this reward."),
                    format!("每位会员最多可兑换 {most} 份。"),
                ))
                .with_member("limit", *most),
            Refusal::FulfilmentState(stands) => problem.with_member("fulfilment", stands.map(FulfilmentStatus::as_str)),
            Refusal::NotHeld(status) => problem.with_member("redemption_status", status.as_str()),
            Refusal::PaidForPurchase(purchase) => problem.with_member("purchase_id", purchase.to_string()),
            Refusal::CaptureOutOfRange(held) => problem
                .with_detail(both(
                    format!("1 to {held} points can be captured."),
                    format!("可确认的积分为 1 到 {held}。"),
                ))
                .with_member("held", held.get()),
            Refusal::LineUnknown(line) | Refusal::NotAPart(line) | Refusal::MoreThanLeft(line) => {
                problem.with_member("line", *line)
            }
            Refusal::TierUnknown(tier) => problem.with_member("tier", tier.as_str()),
            Refusal::ReasonUnknown(reason) => problem.with_member("reason", reason.as_str()),
            _ => problem,
        }
    }
}

fn attribute_error(name: &str, wanted: Option<AttributeType>) -> FieldError {
    let pointer = format!("/attributes/{}", name.replace('~', "~0").replace('/', "~1"));
    match wanted.map(AttributeType::as_str) {
        None => {
            FieldError {
                pointer, code: "attribute_unknown", detail: both("It is not declared.", "该属性未声明。")
            }
        }
        Some(wanted) => FieldError {
            pointer,
            code: "attribute_invalid",
            detail: both(
                format!("Expected a value of type {wanted}, within its bounds."),
                format!("应为 {wanted} 类型且在允许范围内的值。"),
            ),
        },
    }
}

fn coupon_error(refused: &CouponRefused) -> FieldError {
    FieldError {
        pointer: format!("/coupons/{}", refused.position),
        code: coupon::word(&refused.reason),
        detail: coupon::not_applied(&refused.reason, None),
    }
}

/// What was promised and is otherwise now, by its place in the quote: lines are those that were to be sold.
fn differences(changed: &Changed) -> Value {
    let Changed { promised, now, .. } = changed;
    let mut differences = Vec::new();
    let mut compare = |pointer: String, promised: i64, now: i64| {
        if promised != now {
            differences.push(json!({"pointer": pointer, "promised": promised, "now": now}));
        }
    };
    for (i, (was, is)) in promised.nets.iter().zip(&now.nets).enumerate() {
        compare(format!("/lines/{i}/net"), was.get(), is.get());
    }
    compare("/total".to_owned(), promised.total.get(), now.total.get());
    compare("/due".to_owned(), promised.due.get(), now.due.get());
    compare("/purchase/points/given".to_owned(), promised.points.get(), now.points.get());
    compare("/purchase/wallet/cashback".to_owned(), promised.cashback.get(), now.cashback.get());
    differences.into()
}
