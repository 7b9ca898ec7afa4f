//! A receipt as a till sends it: lines that were paid, lines at list prices with coupons, or a kept quote.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tessera_rules::Command;
use tessera_rules::amount::{Currency, Minor, Points};
use tessera_rules::command::{Line, PayWithPoints, Pricing, Purchase, Tender};
use tessera_rules::id::{MemberId, PurchaseId, QuoteId, RedemptionId};
use tessera_rules::time::to_micros;
use tessera_rules::wallet::PayWithWallet;
use utoipa::ToSchema;

use super::authorisation::{self, Authorisation};
use super::schemas::{LineSchema, TenderSchema};
use super::{basket, kept, till_store};
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::contact;
use crate::api::error::{Code, Problem, both};
use crate::api::extract::IdempotencyKey;
use crate::api::guard::permit;
use crate::clock::new_uuid;

/// A receipt; or what is bought by a kept quote: then `quote`, `external_id` and, where points or the
/// wallet pay, `redeem` and `wallet` alone.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PurchaseRequest {
    /// The quote that was kept of it: the purchase comes out as it promised, or is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "quo_01kapm5q0tf3wavd1k9m2x8z7c")]
    quote: Option<QuoteId>,
    /// Who bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "mem_01kapm3v5ne8v9b3r6a2f7qk4d")]
    member_id: Option<MemberId>,
    /// The receipt number, unique in the store for ever.
    #[schema(example = "R-2026-000117", max_length = 64)]
    external_id: String,
    /// When it happened at the till: at most 30 days back and 5 minutes ahead. Absent: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    occurred_at: Option<DateTime<Utc>>,
    /// The programme's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "CNY")]
    currency: Option<Currency>,
    /// 1 to 1,000 lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<LineSchema>>)]
    lines: Option<Vec<Line>>,
    /// Where it is given, even empty, every line is at its list price: member prices and these coupons make what
    /// is paid, and all of them must apply. Absent: lines are what was paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 20, example = json!(["7KQ2M9XD4RTA0WCZ"]))]
    coupons: Option<Vec<String>>,
    /// How it was paid, where a tender is excluded from earning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<TenderSchema>, required = false)]
    tenders: Vec<Tender>,
    /// How it came about, where that matters: a short code, as `shop`, `web` or `app`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[a-z0-9_-]{1,64}$", example = "web")]
    channel: Option<String>,
    /// Points that pay for a part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    redeem: Option<PayRequest>,
    /// Money of the wallet that pays for a part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wallet: Option<WalletRequest>,
}

/// Points as money off a purchase.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PayRequest {
    /// How many. With a quote they are the quote's, and need not be said again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, minimum = 1)]
    points: Option<Points>,
    /// What the member shows or types: his code or his PIN. A preview needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authorisation: Option<Authorisation>,
}

/// Money of the wallet that pays for a part of a purchase.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WalletRequest {
    /// How much, in minor units. With a quote it is the quote's, and need not be said again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, minimum = 1)]
    pay: Option<Minor>,
    /// What the member shows or types: his code or his PIN. Where points pay too, theirs stands for both. A preview
    /// needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authorisation: Option<Authorisation>,
}

/// A receipt that was read and found in shape.
pub(super) struct Receipt {
    pub(super) member: MemberId,
    external_id: String,
    occurred_at: Option<DateTime<Utc>>,
    currency: Currency,
    lines: Vec<Line>,
    tenders: Vec<Tender>,
    channel: Option<String>,
    pricing: Option<Pricing>,
    points: Option<Points>,
    wallet: Option<Minor>,
    authorisation: Option<Authorisation>,
}

impl PurchaseRequest {
    /// Checks what types alone do not say, and looks up the quote.
    pub(super) async fn receipt(&self, services: &Services, caller: &Caller) -> Result<Receipt, Problem> {
        contact::text("/external_id", &self.external_id, 64)?;
        match self.quote {
            Some(quote) => self.quoted(services, caller, quote).await,
            None => self.named(),
        }
    }

    /// The member's say-so, for points and money together.
    fn authorisation(&self) -> Option<Authorisation> {
        let points = self.redeem.as_ref().and_then(|pay| pay.authorisation.clone());
        points.or_else(|| self.wallet.as_ref().and_then(|pay| pay.authorisation.clone()))
    }

    fn named(&self) -> Result<Receipt, Problem> {
        let lines = self.lines.clone().ok_or_else(|| missing("/lines"))?;
        basket::check(&lines, &self.tenders)?;
        basket::channel(self.channel.as_deref())?;
        let points = self.redeem.as_ref().map(|pay| pay.points.ok_or_else(|| missing("/redeem/points"))).transpose()?;
        if points.is_some_and(|points| !points.is_positive()) {
            let detail = both("Must be at least 1.", "必须至少为 1。");
            return Err(Problem::field(Code::InvalidField, "/redeem/points", "too_small", detail));
        }
        let wallet = self.wallet.as_ref().map(|pay| pay.pay.ok_or_else(|| missing("/wallet/pay"))).transpose()?;
        if wallet.is_some_and(|amount| !amount.is_positive()) {
            let detail = both("Must be at least 1.", "必须至少为 1。");
            return Err(Problem::field(Code::InvalidField, "/wallet/pay", "too_small", detail));
        }
        let coupons = self.coupons.as_deref().map(basket::coupons).transpose()?;
        Ok(Receipt {
            member: self.member_id.ok_or_else(|| missing("/member_id"))?,
            external_id: self.external_id.clone(),
            occurred_at: self.occurred_at,
            currency: self.currency.ok_or_else(|| missing("/currency"))?,
            lines,
            tenders: self.tenders.clone(),
            channel: self.channel.clone(),
            pricing: coupons.map(|coupons| Pricing { coupons, kept: None }),
            points,
            wallet,
            authorisation: self.authorisation(),
        })
    }

    /// What a quote of the caller's store was asked for. Nothing of it may be said again.
    async fn quoted(&self, services: &Services, caller: &Caller, quote: QuoteId) -> Result<Receipt, Problem> {
        let said = [
            ("/member_id", self.member_id.is_some()),
            ("/occurred_at", self.occurred_at.is_some()),
            ("/currency", self.currency.is_some()),
            ("/lines", self.lines.is_some()),
            ("/coupons", self.coupons.is_some()),
            ("/tenders", !self.tenders.is_empty()),
            ("/channel", self.channel.is_some()),
        ];
        if let Some((pointer, _)) = said.iter().find(|(_, said)| *said) {
            let detail = both("The quote says it.", "报价中已包含该信息。");
            return Err(Problem::field(Code::InvalidField, *pointer, "said_by_quote", detail));
        }
        let (asked, pricing) = kept::find(services, quote, till_store(caller)?).await?;
        let points = self.redeem.as_ref().and_then(|pay| pay.points);
        if points.is_some() && points != asked.points {
            let detail = both("The quote says another number.", "与报价中的积分数不一致。");
            return Err(Problem::field(Code::InvalidField, "/redeem/points", "not_as_quoted", detail));
        }
        let pays = self.wallet.as_ref().and_then(|pay| pay.pay);
        if pays.is_some() && pays != asked.wallet {
            let detail = both("The quote says another sum.", "与报价中的钱包支付金额不一致。");
            return Err(Problem::field(Code::InvalidField, "/wallet/pay", "not_as_quoted", detail));
        }
        Ok(Receipt {
            member: asked.member_id,
            external_id: self.external_id.clone(),
            occurred_at: asked.occurred_at,
            currency: asked.currency,
            lines: asked.lines,
            tenders: asked.tenders,
            channel: asked.channel,
            pricing: Some(pricing),
            points: asked.points,
            wallet: asked.wallet,
            authorisation: self.authorisation(),
        })
    }
}

fn missing(pointer: &'static str) -> Problem {
    Problem::field(Code::MissingField, pointer, "missing_field", both("This field is required.", "此字段为必填项。"))
}

impl Receipt {
    /// Whether points or money of the member pay.
    pub(super) fn spends(&self) -> bool {
        self.points.is_some() || self.wallet.is_some()
    }

    /// Asks the policy, also whether the caller may spend the member's points or money where they pay.
    pub(super) fn permit(&self, caller: &Caller, action: Action) -> Result<(), Problem> {
        let member = Resource::Member(self.member);
        permit(caller, action, &member)?;
        if self.spends() {
            permit(caller, Action::RedeemForMember, &member)?;
        }
        Ok(())
    }

    /// Looks at the member's say-so, where points or money of his pay.
    pub(super) async fn authorise(
        &self,
        services: &Services,
        caller: &Caller,
        key: &IdempotencyKey,
        member: MemberId,
    ) -> Result<Option<i64>, Problem> {
        if !self.spends() {
            return Ok(None);
        }
        let place = if self.points.is_some() { "/redeem/authorisation" } else { "/wallet/authorisation" };
        let proof = authorisation::proof(self.authorisation.as_ref(), place)?;
        let source = services.engine.store_code(till_store(caller)?).await?;
        let receipt = Some((source, self.external_id.clone()));
        authorisation::check(services, caller, key, receipt, member, proof).await
    }

    /// The command of this receipt at the caller's store.
    pub(super) async fn command(
        &self,
        services: &Services,
        caller: &Caller,
        otp_step: Option<i64>,
    ) -> Result<Command, Problem> {
        let store = till_store(caller)?;
        let code = services.engine.store_code(store).await?;
        let paid = self.points;
        let mut content = Purchase::content_of(self.member, self.currency, &self.lines, &self.tenders, paid);
        if let Some(amount) = self.wallet {
            content = Purchase::content_with_wallet(content, amount);
        }
        if let Some(pricing) = &self.pricing {
            content = Purchase::content_at_list(content, &pricing.coupons);
        }
        Ok(Command::Purchase(Purchase {
            id: PurchaseId::new(new_uuid()),
            store,
            store_code: code.to_string(),
            source: code.to_string(),
            external_id: self.external_id.clone(),
            occurred_at: self.occurred_at.map(to_micros),
            currency: self.currency,
            lines: self.lines.clone(),
            tenders: self.tenders.clone(),
            channel: self.channel.clone(),
            redeem: paid.map(|points| PayWithPoints { id: RedemptionId::new(new_uuid()), points, otp_step }),
            wallet: self.wallet.map(|amount| PayWithWallet { amount, otp_step }),
            pricing: self.pricing.clone().map(Box::new),
            content,
        }))
    }
}
