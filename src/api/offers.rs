//! What a member could use now or soon, as he himself and tills are shown it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tessera_rules::Programme;
use tessera_rules::amount::{Minor, Points};
use tessera_rules::id::MemberId;
use tessera_rules::offer::{Bar, Counted, Fit, Need, Offer, OfferKind, Progress};
use tessera_rules::promotion::{Miss, PromotionEffect};
use utoipa::ToSchema;

use super::Services;
use super::admin::schemas;
use super::error::{Language, Problem};
use super::explain::offer as words;
use super::page::ListOf;

/// Something a member could use now or soon.
#[derive(Serialize, ToSchema)]
pub(super) struct OfferView {
    /// `promotion`, `coupon`, `reward`, `member_price`, `early_access` or `tier`: the next one.
    #[schema(value_type = String, example = "promotion")]
    kind: OfferKind,
    /// Code of the promotion, reward, price, window or tier; of a coupon what its holder shows.
    #[schema(example = "coffee-double")]
    code: String,
    /// Code of a coupon's kind.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    of: Option<String>,
    /// What it is called, in the reader's language (`Accept-Language`).
    name: String,
    /// What it gives, in the reader's language.
    #[schema(example = "2× points, on certain goods")]
    gives: String,
    /// The same of a promotion, as it is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::PromotionEffect>)]
    effect: Option<PromotionEffect>,
    /// What a reward costs this member.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    points: Option<Points>,
    /// The first instant at which it is over, for now at least; null: there is none.
    until: Option<DateTime<Utc>>,
    /// Whether it applies to this member: `now`, whatever he buys; `depends` on all of `needs`; or `no`, and `why`.
    #[schema(example = "no")]
    applies: &'static str,
    /// What it hangs on: `goods`, `minimum_spend`, `store`, `channel` or a `condition` that asks of the purchase; an
    /// `event`, a `tier_change`, an `absence`, or a `referral`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    needs: Option<Vec<Need>>,
    /// Why it does not apply, in a stable word: `not_yet`, `tier_too_low`, `points`, `out_of_stock`, `month_limit`,
    /// `frozen`, or as explanations say it of promotions (`segment`, `member_limit`, `budget` …).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "not_yet")]
    why: Option<Why>,
    /// From when on it applies, where it is not yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<DateTime<Utc>>,
    /// Code of the lowest tier that has it, where that is why.
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum_tier: Option<String>,
    /// The least that must be spent for it, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    minimum_spend: Option<Minor>,
    /// What it hangs on or why it does not apply, in the reader's language; absent where it applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What there is to count, and how far the member has come.
    progress: Vec<ProgressView>,
}

/// Why an offer does not apply.
#[derive(Serialize)]
#[serde(untagged)]
enum Why {
    Missed(Miss),
    Word(&'static str),
}

impl From<&Bar> for Why {
    fn from(bar: &Bar) -> Self {
        Self::Word(match bar {
            Bar::Missed(missed) => return Self::Missed(*missed),
            Bar::Frozen => "frozen",
            Bar::NotYet { .. } => "not_yet",
            Bar::TierTooLow { .. } => "tier_too_low",
            Bar::MonthLimit => "month_limit",
            Bar::OutOfStock => "out_of_stock",
            Bar::Points { .. } => "points",
        })
    }
}

/// How far a member has come.
#[derive(Serialize, ToSchema)]
pub(super) struct ProgressView {
    /// What is counted: `purchases` towards the one that counts, `uses`, `uses_of_day`, `uses_of_all` members,
    /// `cashback_of_month` in minor units, `points` towards the price; towards a tier `tier_points`, `tier_spend` in
    /// minor units or `tier_visits`; `days_away` since the last purchase.
    #[schema(value_type = String, example = "purchases")]
    of: Counted,
    /// How much of it there is.
    #[schema(example = 3)]
    done: i64,
    /// Up to which it counts; null: there is no end.
    #[schema(example = 10)]
    target: Option<i64>,
    /// What is missing or left of it; null: there is no end.
    #[schema(example = 7)]
    left: Option<i64>,
    /// The same in the reader's language.
    #[schema(example = "3 purchases of 10 purchases")]
    text: String,
}

impl OfferView {
    fn of(offer: &Offer, programme: &Programme, language: Language) -> Self {
        let bar = if let Fit::No(bar) = &offer.fit { Some(bar) } else { None };
        let promotion = programme.promotion(&offer.code).filter(|_| offer.kind == OfferKind::Promotion);
        let count = |progress: &Progress| ProgressView {
            of: progress.of,
            done: progress.done,
            target: progress.target,
            left: progress.left(),
            text: language.of(&words::progress(progress, programme)).to_owned(),
        };
        Self {
            kind: offer.kind,
            code: offer.code.clone(),
            of: offer.of.clone(),
            name: language.of(&words::name(offer, programme)).to_owned(),
            gives: language.of(&words::gives(offer, programme)).to_owned(),
            effect: promotion.map(|promotion| promotion.effect.clone()),
            points: offer.points,
            until: offer.until,
            applies: match offer.fit {
                Fit::Now => "now",
                Fit::Depends(_) => "depends",
                Fit::No(_) => "no",
            },
            needs: if let Fit::Depends(needs) = &offer.fit { Some(needs.clone()) } else { None },
            why: bar.map(Why::from),
            from: if let Some(Bar::NotYet { from }) = bar { Some(*from) } else { None },
            minimum_tier: if let Some(Bar::TierTooLow { tier }) = bar { Some(tier.clone()) } else { None },
            minimum_spend: words::minimum_spend(offer, programme),
            reason: words::fits(offer, programme).map(|reason| language.of(&reason).to_owned()),
            progress: offer.progress.iter().map(count).collect(),
        }
    }
}

/// What is offered to a member: told to himself or, where `till` says so, to a till in a store or in none.
pub(super) async fn of_member(
    services: &Services,
    member: MemberId,
    till: Option<Option<Arc<str>>>,
    language: Language,
) -> Result<ListOf<OfferView>, Problem> {
    let told = services.engine.offers(member, till).await?;
    let (versioned, told) = told.map_err(|refusal| Problem::from(&refusal))?;
    let view = |offer: &Offer| OfferView::of(offer, &versioned.programme, language);
    Ok(ListOf::whole(told.iter().map(view).collect()))
}
