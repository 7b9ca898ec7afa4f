//! What goes wrong, in ONE table: code, status, English title, Chinese title.
//!
//! A `code` never changes its meaning and is never translated: clients branch on it. The page
//! `/docs/errors`, the OpenAPI document and every answer are made from this table, so nothing else
//! in the API may name a status for a failure. A refusal of the rules has its line here and its arm
//! in `refusal.rs`; the match there has no `_`, so that a new refusal does not compile without both.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;
use tessera_rules::programme;
use tessera_rules::text::Text;

use crate::engine::Failure;
use crate::store;

macro_rules! codes {
    ($($variant:ident, $code:literal, $status:literal, $en:literal, $zh:literal;)*) => {
        /// The stable name of one way to fail.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $en] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            const fn titles(self) -> (&'static str, &'static str) {
                match self { $(Self::$variant => ($en, $zh),)* }
            }
        }
    };
}

codes! {
    // the shape of a request
    MalformedJson, "malformed_json", 400, "The body is not valid JSON", "请求体不是有效的 JSON";
    InvalidField, "invalid_field", 400, "A field has an invalid value", "字段的值无效";
    UnknownField, "unknown_field", 400, "The body has an unknown field", "请求体含有未知字段";
    MissingField, "missing_field", 400, "A required field is missing", "缺少必填字段";
    InvalidPath, "invalid_path", 400, "The path is malformed", "路径格式不正确";
    InvalidQuery, "invalid_query", 400, "A query parameter is invalid", "查询参数无效";
    CursorInvalid, "cursor_invalid", 400, "The cursor is not one of ours", "游标无效";
    IfMatchInvalid, "if_match_invalid", 400, "If-Match is not one of our entity tags", "If-Match 不是有效的实体标签";
    IdempotencyKeyMissing, "idempotency_key_missing", 400, "The Idempotency-Key header is missing", "缺少 Idempotency-Key 请求头";
    IdempotencyKeyInvalid, "idempotency_key_invalid", 400, "The Idempotency-Key header is malformed", "Idempotency-Key 请求头格式不正确";
    RequestTimeout, "request_timeout", 408, "The body did not arrive in time", "请求体未能及时送达";
    BodyTooLarge, "body_too_large", 413, "The body is too large", "请求体过大";
    UnsupportedMediaType, "unsupported_media_type", 415, "The body must be application/json", "请求体必须是 application/json";
    IdempotencyKeyReused, "idempotency_key_reused", 422, "This Idempotency-Key was used with another request", "该 Idempotency-Key 已用于另一个请求";
    // who asks
    TokenMissing, "token_missing", 401, "A bearer token is needed", "需要访问令牌";
    TokenInvalid, "token_invalid", 401, "The token is invalid or has expired", "令牌无效或已过期";
    SessionRevoked, "session_revoked", 401, "The session has ended", "会话已失效";
    InvalidCredentials, "invalid_credentials", 401, "The identifier or the password is wrong", "账号或密码错误";
    AccountMerged, "account_merged", 401, "This account was merged into another: sign in with that one", "该账号已合并至另一账号，请使用另一账号登录";
    Forbidden, "forbidden", 403, "The caller may not do this", "无权执行此操作";
    CodeWrong, "code_wrong", 403, "The member's code is wrong", "会员动态码错误";
    CodeUsed, "code_used", 403, "The member's code was used before", "会员动态码已被使用";
    HandedOver, "handed_over", 403, "The goods were handed over: a manager takes them back", "奖品已交付，须由店长撤销";
    VoucherShown, "voucher_shown", 403, "The code was shown: an admin takes it back", "券码已展示，须由管理员撤销";
    DrawClosed, "draw_closed", 403, "The draw is closed: an admin takes a ticket back", "抽奖已截止，须由管理员撤销";
    PinWrong, "pin_wrong", 403, "The PIN is wrong", "PIN 码错误";
    AuthorisationLocked, "authorisation_locked", 403, "Too many wrong codes: redeeming is locked for a while", "错误次数过多，兑换已暂时锁定";
    SecondPersonNeeded, "second_person_needed", 403, "Somebody else has to decide on this adjustment", "须由另一名员工审批该调整";
    AuthorisationMissing, "authorisation_missing", 422, "The member's authorisation is needed", "需要会员授权";
    TooManyRequests, "too_many_requests", 429, "Too many requests", "请求过于频繁";
    // which thing, in which version
    NotFound, "not_found", 404, "There is no such thing", "未找到";
    NotSandbox, "not_sandbox", 404, "This is not a sandbox", "当前不是沙盒环境";
    MemberUnknown, "member_unknown", 404, "There is no such member", "会员不存在";
    RewardUnknown, "reward_unknown", 404, "There is no such reward", "奖品不存在";
    PurchaseUnknown, "purchase_unknown", 404, "There is no such purchase", "消费单据不存在";
    RedemptionUnknown, "redemption_unknown", 404, "There is no such redemption", "兑换记录不存在";
    EntitlementUnknown, "entitlement_unknown", 404, "The member's tier has no such entitlement", "会员等级没有该权益";
    MethodNotAllowed, "method_not_allowed", 405, "The path has no such method", "不支持该请求方法";
    VersionConflict, "version_conflict", 412, "The object was changed in the meantime", "对象已被他人修改";
    PreconditionRequired, "precondition_required", 428, "The If-Match header is needed", "需要 If-Match 请求头";
    // state and duplicates
    DuplicateExternalId, "duplicate_external_id", 409, "This document is on record with another content", "该单据已存在且内容不同";
    ReturnConflict, "return_conflict", 409, "This return is on record with another content", "该退货单已存在且内容不同";
    PhoneTaken, "phone_taken", 409, "The phone number is in use", "手机号已被使用";
    EmailTaken, "email_taken", 409, "The e-mail address is in use", "邮箱已被使用";
    ExternalIdTaken, "external_id_taken", 409, "The external id is in use", "外部编号已被使用";
    CodeTaken, "code_taken", 409, "The code is in use", "编码已被使用";
    IdentifierTaken, "identifier_taken", 409, "The identifier is in use", "登录账号已被使用";
    ClockBackwards, "clock_backwards", 409, "The sandbox clock never goes back", "沙盒时钟不能倒退";
    StateConflict, "state_conflict", 409, "The object's state does not allow this", "对象当前状态不允许此操作";
    PromotionState, "promotion_state", 409, "The promotion's state does not allow this", "活动当前状态不允许此操作";
    OutOfStock, "out_of_stock", 409, "The reward is out of stock", "奖品已无库存";
    FulfilmentState, "fulfilment_state", 409, "The goods do not stand where this step begins", "奖品当前状态不允许此操作";
    VoucherCodeTaken, "voucher_code_taken", 409, "Codes of the list are there already", "列表中的券码已存在";
    NotHeld, "not_held", 409, "The redemption is not on hold", "该兑换不处于冻结状态";
    VoidedBefore, "voided_before", 409, "The redemption was voided before", "该兑换已被撤销";
    PaidForPurchase, "paid_for_purchase", 409, "The points paid for a purchase: return its goods instead", "该积分已用于支付消费，请办理退货";
    MemberMerged, "member_merged", 409, "The member was merged into another", "该会员已合并至另一会员";
    NotMerged, "not_merged", 409, "The member was not merged", "该会员未被合并";
    InPool, "in_pool", 409, "The member is in a household pool", "该会员已在家庭积分池中";
    NotInPool, "not_in_pool", 409, "The member is in no household pool", "该会员不在任何家庭积分池中";
    NotAHead, "not_a_head", 409, "This member cannot be the head of a pool", "该会员不能作为家庭积分池的户主";
    PoolFull, "pool_full", 409, "The household pool is full", "家庭积分池成员已满";
    ReturnedBefore, "returned_before", 409, "The purchase was returned or moved before", "该消费单据已退货或已转移";
    QuoteChanged, "quote_changed", 409, "The purchase would not come out as it was quoted", "消费结果与报价不一致";
    QuoteLapsed, "quote_lapsed", 409, "The quote has lapsed", "报价已失效";
    QuoteUsed, "quote_used", 409, "Another purchase was made of the quote", "该报价已被另一笔消费使用";
    ReRatingOutdated, "re_rating_outdated", 409, "Purchases have changed since the re-rating was planned", "计划之后消费单据已发生变更";
    PaidWithPoints, "paid_with_points", 409, "Points paid for a part of the purchase: return its goods instead", "该消费部分由积分支付，请办理退货";
    PaidFromWallet, "paid_from_wallet", 409, "The wallet paid for a part of the purchase: return its goods instead", "该消费部分由钱包支付，请办理退货";
    // rules of the programme and of the trade
    ProgrammeInvalid, "programme_invalid", 422, "The programme has mistakes", "积分计划配置有误";
    PasswordUnfit, "password_unfit", 422, "The password is not acceptable", "密码不符合要求";
    PinUnfit, "pin_unfit", 422, "The PIN is not acceptable", "PIN 码不符合要求";
    BirthDateSet, "birth_date_set", 422, "The birth date is set; a change needs a manager and a reason", "生日已设置，修改须由店长操作并说明原因";
    VerificationInvalid, "verification_invalid", 422, "The verification is wrong or has expired", "验证码错误或已过期";
    MemberFrozen, "member_frozen", 422, "The member is frozen", "会员已被冻结";
    ReferrerUnknown, "referrer_unknown", 422, "The referrer is not a member", "推荐人不是会员";
    ReferrerFrozen, "referrer_frozen", 422, "The referrer is frozen", "推荐人已被冻结";
    CurrencyMismatch, "currency_mismatch", 422, "The currency is not the programme's", "币种与积分计划不符";
    OccurredTooEarly, "occurred_too_early", 422, "The purchase is older than 30 days", "消费时间早于 30 天前";
    OccurredTooLate, "occurred_too_late", 422, "The purchase lies in the future", "消费时间在未来";
    GoodsWithheld, "goods_withheld", 422, "Some goods are for other members first", "部分商品暂时仅限其他会员购买";
    CouponNotApplicable, "coupon_not_applicable", 422, "A coupon does not apply", "优惠券不适用";
    CouponOver, "coupon_over", 422, "Coupons of this kind could never be used any more", "该优惠券已过使用期";
    TendersExceedTotal, "tenders_exceed_total", 422, "The tenders exceed the total", "支付金额超过总额";
    RewardNotOffered, "reward_not_offered", 422, "The reward is not offered today", "奖品当前不可兑换";
    MemberLimit, "member_limit", 422, "The member has as many of the reward as he may", "会员兑换该奖品已达上限";
    TierTooLow, "tier_too_low", 422, "The member's tier is too low for the reward", "会员等级不足";
    MoneyOffNotOffered, "money_off_not_offered", 422, "Points cannot be redeemed for money off", "积分不可抵扣现金";
    BelowMinimum, "below_minimum", 422, "Fewer points than the minimum", "低于最低兑换积分";
    NotAStep, "not_a_step", 422, "Points are redeemed in steps", "积分必须按整数倍兑换";
    InsufficientPoints, "insufficient_points", 422, "Not enough points", "积分不足";
    SameMember, "same_member", 422, "Both members are the same", "两个会员相同";
    ReceiverUnavailable, "receiver_unavailable", 422, "Points cannot be given to this member", "无法向该会员转赠积分";
    TransfersNotOffered, "transfers_not_offered", 422, "Points cannot be given to other members", "积分不可转赠";
    PoolsNotOffered, "pools_not_offered", 422, "There are no household pools", "未提供家庭积分池";
    InvitationInvalid, "invitation_invalid", 422, "The invitation is wrong, used or has expired", "邀请码错误、已使用或已过期";
    MayNotSpend, "may_not_spend", 422, "The member may not spend from the pool", "该会员无权使用家庭积分池";
    DailyLimit, "daily_limit", 422, "More points than may be passed on in a day", "超过每日可转出的积分";
    MovedTooLate, "moved_too_late", 422, "A purchase can be moved for 24 hours", "消费单据仅可在 24 小时内转移";
    ShareTooLarge, "share_too_large", 422, "Points may not pay that large a share of the purchase", "积分抵扣超过本次消费允许的比例";
    CaptureOutOfRange, "capture_out_of_range", 422, "Only points on hold can be captured", "确认的积分超出冻结范围";
    RewardIsWhole, "reward_is_whole", 422, "A reward cannot be captured in part", "奖品不能部分确认";
    SoldElsewhere, "sold_elsewhere", 422, "The goods were sold at another store", "商品由其他门店售出";
    LineUnknown, "line_unknown", 422, "The purchase has no such line", "消费单据没有该明细行";
    NotAPart, "not_a_part", 422, "What is to be returned is not a part of the line", "退货内容不属于该明细行";
    MoreThanLeft, "more_than_left", 422, "Less than that is left of the line", "退货超过该明细行剩余部分";
    NothingToReturn, "nothing_to_return", 422, "Nothing is left to return", "没有可退的商品";
    TierUnknown, "tier_unknown", 422, "There is no such tier", "等级不存在";
    PlacementOver, "placement_over", 422, "The placement must end in the future", "等级指定的截止时间必须在未来";
    EntitlementDay, "entitlement_day", 422, "The day cannot be chosen", "不能选择该日期";
    EntitlementUsedUp, "entitlement_used_up", 422, "The entitlement is used up for the year", "该权益本年度已用完";
    NotReplayed, "not_replayed", 422, "Only promotions on purchases can be simulated", "仅可模拟由消费触发的活动";
    EventUnknown, "event_unknown", 422, "The programme has no such kind of event", "积分计划没有该事件类型";
    EventAttribute, "event_attribute", 422, "An attribute of the event is not as it is declared", "事件属性与声明不符";
    TagOver, "tag_over", 422, "The time of a tag must end in the future", "标签的截止时间必须在未来";
    TooManyTags, "too_many_tags", 422, "The member has as many tags as he may", "会员标签数量已达上限";
    ReasonUnknown, "reason_unknown", 422, "The programme has no such reason for an adjustment", "积分计划没有该调整原因";
    WalletNotOffered, "wallet_not_offered", 422, "There is no wallet", "未提供储值钱包";
    TopUpTooSmall, "top_up_too_small", 422, "Less is paid in than the minimum", "低于最低充值金额";
    WalletFull, "wallet_full", 422, "The wallet would hold more than it may", "超过钱包余额上限";
    InsufficientMoney, "insufficient_money", 422, "Not enough money in the wallet", "钱包余额不足";
    WalletPaysTooMuch, "wallet_pays_too_much", 422, "The wallet would pay more than is left to pay", "钱包支付超过应付金额";
    NothingToRefund, "nothing_to_refund", 422, "Nothing of the wallet can be paid out", "钱包中没有可退金额";
    NothingToAdjust, "nothing_to_adjust", 422, "An adjustment gives or takes at least one point", "调整积分不能为零";
    AmountOutOfRange, "amount_out_of_range", 422, "An amount would leave its range", "数值超出允许范围";
    // us
    Internal, "internal", 500, "Something went wrong on our side", "服务器内部错误";
    Busy, "busy", 503, "The service is busy", "系统繁忙";
    Unavailable, "unavailable", 503, "The service cannot reach its database", "服务暂不可用";
    NoProgramme, "no_programme", 503, "No programme has been applied yet", "尚未启用积分计划";
    ShuttingDown, "shutting_down", 503, "The process is shutting down", "服务正在关闭";
}

impl Code {
    /// What any command that moves points may be refused for: for a handler's list of codes.
    pub const MOVES: &'static [Self] =
        &[Self::MemberUnknown, Self::MemberFrozen, Self::AmountOutOfRange, Self::NoProgramme];

    /// The title in a language.
    pub const fn title(self, language: Language) -> &'static str {
        let (en, zh) = self.titles();
        match language {
            Language::En => en,
            Language::ZhCn => zh,
        }
    }

    /// Seconds after which trying again makes sense, for the codes that pass by themselves.
    const fn retry_after(self) -> Option<u32> {
        match self {
            Self::Busy | Self::TooManyRequests => Some(1),
            Self::Unavailable | Self::NoProgramme | Self::ShuttingDown => Some(2),
            _ => None,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The languages answers are written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Simplified Chinese.
    ZhCn,
}

impl Language {
    /// The tag for `Content-Language`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::ZhCn => "zh-CN",
        }
    }

    /// The part of a text in this language.
    pub fn of(self, text: &Text) -> &str {
        text.get(matches!(self, Self::ZhCn))
    }
}

/// A text in both languages.
pub fn both(en: impl Into<String>, zh: impl Into<String>) -> Text {
    Text { en: en.into(), zh: Some(zh.into()) }
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// RFC 6901 pointer into the body; for a query or a header, the name after `/`.
    pub pointer: String,
    /// Stable code of the mistake.
    pub code: &'static str,
    /// What is wrong.
    pub detail: Text,
}

/// A failure as it is answered: a code of the table and what is to be said beyond its title.
///
/// Who reads it (language, request id, path) is known only when it is rendered (`problem.rs`).
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    code: Code,
    // Boxed: a `Result` must not grow by what only a failure needs.
    more: Option<Box<More>>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct More {
    pub(super) detail: Option<Text>,
    pub(super) errors: Vec<FieldError>,
    pub(super) members: BTreeMap<&'static str, Value>,
    pub(super) retry_after: Option<u32>,
    pub(super) allow: Option<String>,
    pub(super) etag: Option<i64>,
}

impl Problem {
    /// Just the code.
    pub const fn new(code: Code) -> Self {
        Self { code, more: None }
    }

    /// A mistake in one field.
    pub fn field(code: Code, pointer: impl Into<String>, mistake: &'static str, detail: Text) -> Self {
        Self::new(code).with_error(FieldError { pointer: pointer.into(), code: mistake, detail })
    }

    /// Says more than the title.
    #[must_use]
    pub fn with_detail(mut self, detail: Text) -> Self {
        self.more_mut().detail = Some(detail);
        self
    }

    /// Names a field at fault.
    #[must_use]
    pub fn with_error(mut self, error: FieldError) -> Self {
        self.more_mut().errors.push(error);
        self
    }

    /// Adds a member of its own to the body (`available`, `required`, …).
    #[must_use]
    pub fn with_member(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.more_mut().members.insert(name, value.into());
        self
    }

    /// Says after how many seconds to try again.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.more_mut().retry_after = Some(seconds);
        self
    }

    /// Names the methods the path does have, for the `Allow` header.
    #[must_use]
    pub fn with_allow(mut self, methods: impl Into<String>) -> Self {
        self.more_mut().allow = Some(methods.into());
        self
    }

    /// Tells the version the object is at now, for the `ETag` header of a 412.
    #[must_use]
    pub fn with_current_version(mut self, version: i64) -> Self {
        self.more_mut().etag = Some(version);
        self
    }

    /// The code.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        self.code.status()
    }

    /// What it says to a reader: its detail, or else the title of its code.
    pub fn said(&self, language: Language) -> &str {
        let detail = self.more().and_then(|more| more.detail.as_ref());
        detail.map_or(self.code.title(language), |detail| language.of(detail))
    }

    /// Seconds for the `Retry-After` header.
    pub fn retry_after(&self) -> Option<u32> {
        self.more().and_then(|more| more.retry_after).or(self.code.retry_after())
    }

    pub(super) fn more(&self) -> Option<&More> {
        self.more.as_deref()
    }

    fn more_mut(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.fmt(f)
    }
}

impl std::error::Error for Problem {}

impl From<Vec<programme::Problem>> for Problem {
    fn from(mistakes: Vec<programme::Problem>) -> Self {
        mistakes.into_iter().fold(Self::new(Code::ProgrammeInvalid), |problem, mistake| {
            let programme::Problem { pointer, code, detail } = mistake;
            problem.with_error(FieldError { pointer, code, detail: Text::from(detail.as_str()) })
        })
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::KeyReused => Code::IdempotencyKeyReused.into(),
            Failure::ReceiptConflict => Code::DuplicateExternalId.into(),
            Failure::ReturnConflict => Code::ReturnConflict.into(),
            Failure::Busy => Code::Busy.into(),
            Failure::Unavailable => Code::Unavailable.into(),
            Failure::NoProgramme => Code::NoProgramme.into(),
            Failure::Internal(reason) => internal(&reason),
        }
    }
}

/// A mistake of ours: the log is told why, the caller is not.
pub fn internal(reason: &str) -> Problem {
    tracing::error!(reason, "a request failed through a mistake of ours");
    Code::Internal.into()
}

/// Constraints whose violation is the caller's business. Any other is a mistake of ours.
const CONSTRAINTS: &[(&str, Code)] = &[
    ("member_phone_key", Code::PhoneTaken),
    ("member_email_key", Code::EmailTaken),
    ("member_external_id_key", Code::ExternalIdTaken),
    ("store_code_key", Code::CodeTaken),
    ("staff_identifier_key", Code::IdentifierTaken),
    ("adjustment_two_people_check", Code::SecondPersonNeeded),
    ("adjustment_decider_check", Code::Forbidden),
];

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        use store::Error;
        match error {
            Error::Unavailable(reason) => {
                tracing::warn!(reason, "the database cannot be reached");
                Code::Unavailable.into()
            }
            Error::Conflict { constraint } => match CONSTRAINTS.iter().find(|(name, _)| *name == constraint) {
                Some(&(_, code)) => code.into(),
                None => internal(&format!("constraint {constraint} was violated")),
            },
            // Contention, which passes.
            Error::Serialization => Code::Busy.into(),
            Error::Internal(reason) => internal(&reason),
        }
    }
}
