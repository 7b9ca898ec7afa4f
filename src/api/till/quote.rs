//! `/v1/till/quote`: what a basket costs a member, and what it earns.

use actix_web::http::header::CONTENT_LANGUAGE;
use actix_web::{HttpResponse, post, web};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use tessera_rules::amount::{Currency, Minor, Multiplier, Points};
use tessera_rules::command::{Line, Pricing, Purchase, Tender};
use tessera_rules::coupon::{Applied, NotApplied};
use tessera_rules::id::{MemberId, PurchaseId, QuoteId};
use tessera_rules::limit::Left;
use tessera_rules::programme::MoneyOff;
use tessera_rules::promise::{Missed, Optimise, Promise};
use tessera_rules::promotion::Miss;
use tessera_rules::quote::{LineQuote, PointsQuote, PointsWish, WalletWish};
use tessera_rules::redemption::Worth;
use tessera_rules::time::{Instant, to_micros};
use tessera_rules::{Programme, Refusal};
use utoipa::ToSchema;

use super::kept::keep;
use super::purchases::{self, PurchaseView};
use super::schemas::{LineSchema, OptimiseSchema, PointsWishSchema, TenderSchema, WalletWishSchema};
use super::{basket, till_store};
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::error::{Code, Language, Problem, both};
use crate::api::explain::{coupon, quoted};
use crate::api::extract::Json;
use crate::api::guard::permit;
use crate::api::linked::stays;
use crate::api::openapi::problems;
use crate::clock::new_uuid;
use crate::engine::Wish;

/// A basket before it is paid.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct QuoteRequest {
    /// Who buys.
    #[schema(value_type = String, example = "mem_01kapm3v5ne8v9b3r6a2f7qk4d")]
    member_id: MemberId,
    /// When: at most 30 days back and 5 minutes ahead. Absent: now.
    occurred_at: Option<DateTime<Utc>>,
    /// The programme's currency.
    #[schema(value_type = String, example = "CNY")]
    currency: Currency,
    /// 1 to 1,000 lines, each with what it costs without the programme.
    #[schema(value_type = Vec<LineSchema>)]
    lines: Vec<Line>,
    /// How it will be paid, where a tender is excluded from earning.
    #[serde(default)]
    #[schema(value_type = Vec<TenderSchema>, required = false)]
    tenders: Vec<Tender>,
    /// How it came about, where that matters: a short code, as `shop`, `web` or `app`.
    #[schema(pattern = "^[a-z0-9_-]{1,64}$", example = "web")]
    channel: Option<String>,
    /// Points that shall pay for a part of it.
    #[schema(value_type = Option<PointsWishSchema>)]
    points: Option<PointsWish>,
    /// Money of the wallet that shall pay: `{"amount": 2000}` at most, or `"most"`; as much of it as can does.
    #[schema(value_type = Option<WalletWishSchema>)]
    wallet: Option<WalletWish>,
    /// Codes of the coupons that are shown, each once, typed in any case.
    #[serde(default)]
    #[schema(required = false, max_items = 20, example = json!(["7KQ2M9XD4RTA0WCZ"]))]
    coupons: Vec<String>,
    /// Whether the member's own coupons that could be used now are considered too.
    #[serde(default)]
    own_coupons: bool,
    /// What is looked for among the combinations of coupons: the lowest `price`, or the most `points` earned
    /// (and of those the lowest price). Absent: of two that cannot be combined the one of lower priority counts.
    #[schema(value_type = Option<OptimiseSchema>)]
    optimise: Option<Optimise>,
}

impl QuoteRequest {
    /// Checks what types alone do not say.
    fn check(&self) -> Result<(), Problem> {
        basket::check(&self.lines, &self.tenders)?;
        basket::channel(self.channel.as_deref())?;
        basket::coupons(&self.coupons)?;
        if matches!(self.points, Some(PointsWish::Points(points)) if !points.is_positive()) {
            let detail = both("Must be at least 1.", "必须至少为 1。");
            return Err(Problem::field(Code::InvalidField, "/points/points", "too_small", detail));
        }
        if matches!(self.wallet, Some(WalletWish::Amount(amount)) if !amount.is_positive()) {
            let detail = both("Must be at least 1.", "必须至少为 1。");
            return Err(Problem::field(Code::InvalidField, "/wallet/amount", "too_small", detail));
        }
        Ok(())
    }

    /// The receipt that this would become at the caller's store. It has no number yet.
    async fn receipt(&self, services: &Services, caller: &Caller) -> Result<Purchase, Problem> {
        let store = till_store(caller)?;
        let code = services.engine.store_code(store).await?;
        Ok(Purchase {
            id: PurchaseId::new(new_uuid()),
            store,
            store_code: code.to_string(),
            source: code.to_string(),
            external_id: String::new(),
            occurred_at: self.occurred_at.map(to_micros),
            currency: self.currency,
            lines: self.lines.clone(),
            tenders: self.tenders.clone(),
            channel: self.channel.clone(),
            redeem: None,
            wallet: None,
            pricing: Some(Box::new(Pricing { coupons: basket::coupons(&self.coupons)?, kept: None })),
            content: [0; 32],
        })
    }
}

/// What a basket costs a member and earns him. Money is in minor units of `currency`.
#[derive(Serialize, ToSchema)]
struct QuoteView<'a> {
    /// The quote, to be named by a purchase until `valid_until`; absent where nothing may be sold.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "quo_01kapm5q0tf3wavd1k9m2x8z7c")]
    id: Option<QuoteId>,
    /// Until when a purchase made of it comes out as promised, or is refused; absent where nothing may be sold.
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<DateTime<Utc>>,
    /// The programme's currency.
    #[schema(value_type = String, example = "CNY")]
    currency: Currency,
    /// Line by line.
    lines: Vec<QuotedLine<'a>>,
    /// What may be sold, at list prices.
    #[schema(value_type = i64, example = 9000)]
    list: Minor,
    /// The sum of its net prices.
    #[schema(value_type = i64, example = 7700)]
    total: Minor,
    /// The coupons that count, in the order in which they are taken off.
    coupons: Vec<QuotedCoupon<'a>>,
    /// Those that do not, and why.
    not_applied: Vec<QuotedNotApplied<'a>>,
    /// What points can pay.
    points: QuotedPoints<'a>,
    /// What the wallet can pay, after points; absent where the programme offers none.
    #[serde(skip_serializing_if = "Option::is_none")]
    wallet: Option<QuotedWallet>,
    /// What is left to pay in money.
    #[schema(value_type = i64, example = 7200)]
    due: Minor,
    /// What the purchase of these lines at their net prices would be answered now, paid for with the points
    /// that can pay; lines that are withheld are not in it. The id is not kept. Absent where nothing may be
    /// sold.
    #[serde(skip_serializing_if = "Option::is_none")]
    purchase: Option<PurchaseView<'a>>,
    /// Promotions that do not apply, and why.
    offers: Vec<QuotedOffer<'a>>,
    /// What is left, before this purchase, of limited promotions that apply.
    limits: Vec<QuotedLimit<'a>>,
}

/// A line of a quote: `net` is `list` less all `discounts`.
#[derive(Serialize, ToSchema)]
struct QuotedLine<'a> {
    /// Position, from 1.
    line: u32,
    /// What it costs without the programme.
    #[schema(value_type = i64, example = 9000)]
    list: Minor,
    /// What it costs after member prices.
    #[schema(value_type = i64, example = 7700)]
    price: Minor,
    /// What comes off, in the order in which it does.
    discounts: Vec<QuotedDiscount<'a>>,
    /// What it costs in the end.
    #[schema(value_type = i64, example = 7700)]
    net: Minor,
    /// Why it may not be sold to this member yet: then it stands here at its list price, and counts in no
    /// sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    withheld: Option<QuotedWithheld<'a>>,
}

/// What comes off a line.
#[derive(Serialize, ToSchema)]
struct QuotedDiscount<'a> {
    /// `member_price` or `coupon`.
    #[schema(example = "member_price")]
    source: &'static str,
    /// Code of that.
    #[schema(example = "latte-gold")]
    code: &'a str,
    /// How much, above 0.
    #[schema(value_type = i64, example = 1300)]
    amount: Minor,
}

/// Why a line may not be sold yet.
#[derive(Serialize, ToSchema)]
struct QuotedWithheld<'a> {
    /// Code of the early access.
    code: &'a str,
    /// Code of the lowest tier that may buy it now; absent: a tier does not help.
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum_tier: Option<&'a str>,
    /// The last day on which others may not.
    until: NaiveDate,
    /// The same in the reader's language (`Accept-Language`).
    reason: String,
}

/// A coupon that counts.
#[derive(Serialize, ToSchema)]
struct QuotedCoupon<'a> {
    /// Its code.
    #[schema(example = "7KQ2M9XD4RTA0WCZ")]
    code: &'a str,
    /// Code of its kind.
    #[serde(rename = "type")]
    #[schema(example = "spring")]
    of: &'a str,
    /// What it is called, in the reader's language.
    name: String,
    /// What it takes off in all, above 0.
    #[schema(value_type = i64, example = 1000)]
    amount: Minor,
}

/// A coupon that does not count.
#[derive(Serialize, ToSchema)]
struct QuotedNotApplied<'a> {
    /// Its code.
    #[schema(example = "7KQ2M9XD4RTA0WCZ")]
    code: &'a str,
    /// Code of its kind; null where there is no such coupon.
    #[serde(rename = "type")]
    of: Option<&'a str>,
    /// What it is called, in the reader's language; null where there is no such coupon.
    name: Option<String>,
    /// Why, in a stable word: `unknown`, `withdrawn`, `others_coupon`, `revoked`, `used_up`, `not_yet`, `expired`,
    /// `members_only`, `tier_too_low`, `not_in_segment`, `total_limit`, `budget`, `nothing_matches`, `minimum_spend`, `too_few_units`, `not_combinable`,
    /// `adds_nothing` or `earns_less`.
    #[schema(example = "minimum_spend")]
    why: &'static str,
    /// How much more has to be spent, where that is why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, example = 1240)]
    missing: Option<Minor>,
    /// The same in the reader's language.
    reason: String,
}

/// What points can pay.
#[derive(Serialize, ToSchema)]
struct QuotedPoints<'a> {
    /// On which terms; null where the programme has none pay.
    terms: Option<QuotedTerms>,
    /// The most they can, with the fewest points it takes.
    most: QuotedWorth,
    /// What those that were asked for pay; absent where none were, or cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pays: Option<QuotedWorth>,
    /// Why those that were asked for cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<QuotedRefusal<'a>>,
}

/// What the wallet can pay, in minor units.
#[derive(Serialize, ToSchema)]
struct QuotedWallet {
    /// The most it can.
    #[schema(value_type = i64, example = 5000)]
    most: Minor,
    /// What it does, of what was asked for.
    #[schema(value_type = i64, example = 2000)]
    pays: Minor,
}

/// The terms on which points pay.
#[derive(Serialize, ToSchema)]
struct QuotedTerms {
    /// The fewest.
    #[schema(value_type = i64, example = 500)]
    minimum: Points,
    /// Only multiples of this.
    #[schema(value_type = i64, example = 100)]
    step: Points,
    /// The largest share of the total, a decimal.
    #[schema(value_type = String, example = "0.5")]
    largest_share: Multiplier,
}

/// Points, and what they are worth.
#[derive(Serialize, ToSchema)]
struct QuotedWorth {
    /// How many.
    #[schema(value_type = i64, example = 500)]
    points: Points,
    /// Minor units.
    #[schema(value_type = i64, example = 500)]
    worth: Minor,
}

/// Why points cannot pay.
#[derive(Serialize, ToSchema)]
struct QuotedRefusal<'a> {
    /// The code a purchase would be refused with (`/docs/errors`).
    #[schema(example = "not_a_step")]
    code: &'a str,
    /// The same in the reader's language.
    reason: String,
}

/// A promotion that does not apply.
#[derive(Serialize, ToSchema)]
struct QuotedOffer<'a> {
    /// Its code, as in the explanation.
    #[schema(example = "coffee-double")]
    code: &'a str,
    /// What it is called, in the reader's language.
    name: String,
    /// Why it does not apply: what the explanation calls `missed`.
    #[schema(value_type = String, example = "minimum_spend")]
    why: Miss,
    /// How much more has to be spent, where that is why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, example = 1240)]
    missing: Option<Minor>,
    /// The same in the reader's language.
    #[schema(example = "Spend 12.40 CNY more on what it is for: Double points on coffee.")]
    reason: String,
}

/// What is left of a promotion.
#[derive(Serialize, ToSchema)]
struct QuotedLimit<'a> {
    /// Its code, as in the explanation.
    #[schema(example = "coffee-double")]
    code: &'a str,
    /// How often the member may still use it; absent: as often as he likes.
    #[serde(skip_serializing_if = "Option::is_none")]
    uses: Option<i64>,
    /// Points left of its budget; absent: it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    points: Option<i64>,
    /// Cashback left of its budget, in minor units; absent: it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    money: Option<i64>,
}

impl<'a> QuoteView<'a> {
    fn of(promise: &'a Promise, kept: Option<(QuoteId, Instant)>, programme: &Programme, language: Language) -> Self {
        let Promise { quote, purchase, missed, limits, .. } = promise;
        let (id, valid_until) = kept.unzip();
        let counts = |applied: &'a Applied| QuotedCoupon {
            code: &applied.coupon,
            of: &applied.of,
            name: language.of(&coupon::name(&applied.of, programme)).to_owned(),
            amount: applied.amount,
        };
        let offer = |missed: &'a Missed| QuotedOffer {
            code: &missed.code,
            name: language.of(&quoted::name(missed, programme)).to_owned(),
            why: missed.why,
            missing: missed.missing,
            reason: language.of(&quoted::missed(missed, programme)).to_owned(),
        };
        let limit = |(code, left): &'a (String, Left)| {
            let Left { uses, points, money } = *left;
            QuotedLimit { code, uses, points, money }
        };
        let not_applied = quote.not_applied.iter();
        Self {
            id,
            valid_until,
            currency: programme.currency,
            coupons: quote.coupons.iter().map(counts).collect(),
            not_applied: not_applied.map(|why| QuotedNotApplied::of(why, promise, programme, language)).collect(),
            lines: quote.lines.iter().map(|line| QuotedLine::of(line, programme, language)).collect(),
            list: quote.list,
            total: quote.total,
            points: QuotedPoints::of(&quote.points, programme.redemption.as_ref(), language),
            wallet: programme
                .wallet
                .as_ref()
                .map(|_| QuotedWallet { most: quote.wallet.most, pays: quote.wallet.pays }),
            due: quote.due,
            purchase: purchase.as_deref().map(purchases::view),
            offers: missed.iter().map(offer).collect(),
            limits: limits.iter().map(limit).collect(),
        }
    }
}

impl<'a> QuotedNotApplied<'a> {
    fn of(
        (code, reason): &'a (String, NotApplied),
        promise: &'a Promise,
        programme: &Programme,
        language: Language,
    ) -> Self {
        let of = promise.shown.iter().find(|coupon| &coupon.code == code).map(|coupon| coupon.of.as_str());
        Self {
            code,
            of,
            name: of.map(|of| language.of(&coupon::name(of, programme)).to_owned()),
            why: coupon::word(reason),
            missing: match reason {
                NotApplied::MinimumSpend { missing } => Some(*missing),
                _ => None,
            },
            reason: language.of(&coupon::not_applied(reason, Some(programme))).to_owned(),
        }
    }
}

impl<'a> QuotedLine<'a> {
    fn of(quoted: &'a LineQuote, programme: &Programme, language: Language) -> Self {
        let off = |source| {
            move |(code, amount): &'a (String, Minor)| QuotedDiscount { source, code: code.as_str(), amount: *amount }
        };
        let discounts = quoted.saved.iter().map(off("member_price")).chain(quoted.discounts.iter().map(off("coupon")));
        let withheld = quoted.withheld.as_ref().map(|withheld| QuotedWithheld {
            code: &withheld.code,
            minimum_tier: withheld.minimum_tier.as_deref(),
            until: withheld.until,
            reason: language.of(&quoted::withheld(withheld, programme)).to_owned(),
        });
        Self {
            line: quoted.line,
            list: quoted.list,
            price: quoted.price,
            discounts: discounts.collect(),
            net: quoted.net,
            withheld,
        }
    }
}

impl QuotedPoints<'_> {
    fn of(quoted: &PointsQuote, offer: Option<&MoneyOff>, language: Language) -> Self {
        let wish = quoted.wish.as_ref();
        Self {
            terms: offer.map(|offer| QuotedTerms {
                minimum: offer.minimum,
                step: offer.step,
                largest_share: offer.largest_share,
            }),
            most: quoted.most.into(),
            pays: wish.and_then(|wish| wish.as_ref().ok()).copied().map(QuotedWorth::from),
            refused: wish.and_then(|wish| wish.as_ref().err()).map(|refusal| {
                let problem = Problem::from(refusal);
                QuotedRefusal { code: problem.code().as_str(), reason: problem.said(language).to_owned() }
            }),
        }
    }
}

impl From<Worth> for QuotedWorth {
    fn from(Worth { points, worth }: Worth) -> Self {
        Self { points, worth }
    }
}

/// What a quote may be refused for. Points that cannot pay are told in it.
const PROBLEMS: &[Code] = &[
    Code::MemberUnknown,
    Code::MemberMerged,
    Code::MemberFrozen,
    Code::CurrencyMismatch,
    Code::OccurredTooEarly,
    Code::OccurredTooLate,
    Code::TendersExceedTotal,
    Code::AmountOutOfRange,
    Code::NoProgramme,
];

/// Quote a basket
///
/// What it costs the member, line by line, which coupons count and why others do not, what points can pay, what
/// it earns and what would make it earn more. Nothing is booked, and points that shall pay need no authorisation
/// here. The answer is kept for 30 minutes: a purchase that names its id comes out as promised, or is refused.
#[utoipa::path(
    operation_id = "quote_basket",
    responses((status = 200, description = "The price, and what is earned at it", body = QuoteView)),
    extensions(("x-problems" = json!(problems(PROBLEMS))))
)]
#[post("/quote")]
pub(super) async fn ask(
    services: web::Data<Services>,
    caller: Caller,
    language: Language,
    Json(request): Json<QuoteRequest>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::QuoteBasket, &Resource::Member(request.member_id))?;
    request.check()?;
    let receipt = request.receipt(&services, &caller).await?;
    let QuoteRequest { own_coupons, points, wallet, optimise, .. } = request;
    let wish = Wish { own_coupons, points, wallet, optimise };
    let promised = async |member| services.engine.promise(member, receipt.clone(), wish, caller.actor()).await;
    let mut answer = promised(request.member_id).await?;
    if matches!(answer, Err(Refusal::MemberMerged)) {
        answer = promised(stays(&services, request.member_id).await?).await?;
    }
    let (versioned, promise) = answer.map_err(|refusal| Problem::from(&refusal))?;
    let kept = keep(&services, request.member_id, &promise).await?;
    let view = QuoteView::of(&promise, kept, &versioned.programme, language);
    Ok(HttpResponse::Ok().insert_header((CONTENT_LANGUAGE, language.tag())).json(view))
}
