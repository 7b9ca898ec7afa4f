//! Quotes that are kept: what was asked and promised, until a purchase names it.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tessera_rules::amount::{Currency, Minor, Points};
use tessera_rules::command::{Kept, Line, Pricing, Promised, Tender};
use tessera_rules::id::{MemberId, QuoteId, StoreId};
use tessera_rules::promise::Promise;
use tessera_rules::time::Instant;

use crate::api::Services;
use crate::api::error::{Code, Problem, internal};
use crate::clock::new_uuid;
use crate::store::quote::{self, QuoteRow};

/// How long a quote binds.
const BINDS: TimeDelta = TimeDelta::minutes(30);

/// The receipt that a quote was asked for: what of it may be sold.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Asked {
    /// Who buys, as he was named.
    pub(super) member_id: MemberId,
    /// When it happened, where that was said.
    pub(super) occurred_at: Option<Instant>,
    /// The programme's currency.
    pub(super) currency: Currency,
    /// Lines at list prices.
    pub(super) lines: Vec<Line>,
    /// How it was paid, where that matters.
    pub(super) tenders: Vec<Tender>,
    /// How it came about, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) channel: Option<String>,
    /// Codes of the coupons that count.
    pub(super) coupons: Vec<String>,
    /// Points that pay.
    pub(super) points: Option<Points>,
    /// Money of the wallet that pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) wallet: Option<Minor>,
}

/// Keeps a promise; one of which nothing may be sold is none.
pub(super) async fn keep(
    services: &Services,
    member_id: MemberId,
    promise: &Promise,
) -> Result<Option<(QuoteId, Instant)>, Problem> {
    let promised = promise.promised().map_err(|_| Code::AmountOutOfRange)?;
    let Some(promised) = promised else { return Ok(None) };
    let sale = &promise.sale;
    let asked = Asked {
        member_id,
        occurred_at: sale.occurred_at,
        currency: sale.currency,
        lines: sale.lines.clone(),
        tenders: sale.tenders.clone(),
        channel: sale.channel.clone(),
        coupons: sale.pricing.as_ref().map_or_else(Vec::new, |pricing| pricing.coupons.clone()),
        points: sale.redeem.map(|pay| pay.points),
        wallet: sale.wallet.map(|pay| pay.amount),
    };
    let unwritable = |_| internal("a quote cannot be written");
    let (id, now) = (QuoteId::new(new_uuid()), services.clock.now());
    let row = QuoteRow {
        id: id.uuid(),
        store_id: sale.store.uuid(),
        asked_at: now,
        valid_until: now + BINDS,
        asked: serde_json::to_value(asked).map_err(unwritable)?,
        promised: serde_json::to_value(promised).map_err(unwritable)?,
        purchase_id: None,
    };
    let valid_until = row.valid_until;
    services.pool.run(move |conn| quote::keep(conn, &row)).await?;
    Ok(Some((id, valid_until)))
}

/// A quote of a store, with how a purchase made of it is priced.
pub(super) async fn find(services: &Services, id: QuoteId, store: StoreId) -> Result<(Asked, Pricing), Problem> {
    let row = services.pool.run(move |conn| quote::find(conn, id, store)).await?.ok_or(Problem::new(Code::NotFound))?;
    let unreadable = |_| internal("a kept quote cannot be read");
    let asked: Asked = serde_json::from_value(row.asked).map_err(unreadable)?;
    let promised: Promised = serde_json::from_value(row.promised).map_err(unreadable)?;
    let kept = Some(Kept { id, valid_until: row.valid_until, promised });
    let coupons = asked.coupons.clone();
    Ok((asked, Pricing { coupons, kept }))
}
