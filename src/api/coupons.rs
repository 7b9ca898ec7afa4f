//! Issued coupons as more than one face shows them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tessera_rules::Programme;
use tessera_rules::coupon::{CouponsUsed, NotApplied};
use tessera_rules::time::Instant;
use utoipa::ToSchema;

use super::error::Language;
use super::explain::coupon;
use crate::store::coupon::IssuedRow;

/// An issued coupon as it stands now.
#[derive(Serialize, ToSchema)]
pub(super) struct CouponView {
    /// What its holder shows.
    #[schema(example = "7KQ2M9XD4RTA0WCZ")]
    code: String,
    /// Code of its kind.
    #[serde(rename = "type")]
    #[schema(example = "spring")]
    of: String,
    /// What it is called, in the reader's language (`Accept-Language`).
    name: String,
    /// What it takes off, in the reader's language; null where the programme has no such kind any more.
    #[schema(example = "10 % off, at most 10.00 CNY")]
    discount: Option<String>,
    /// When it was issued.
    issued_at: DateTime<Utc>,
    /// The first instant at which it may be used.
    valid_from: DateTime<Utc>,
    /// The first instant at which it may no longer be used; null: there is none.
    valid_until: Option<DateTime<Utc>>,
    /// In how many purchases it may be used.
    uses: i32,
    /// In how many it may still be used.
    uses_left: i32,
    /// `usable`, or why nobody can use it now: `withdrawn`, `revoked`, `used_up`, `not_yet`,
    /// `expired`, or, as members and tills are told, `total_limit` or `budget`: its kind leaves no room for it.
    #[schema(example = "usable")]
    state: &'static str,
    /// The same in the reader's language; absent where it is usable.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl CouponView {
    /// A coupon at an instant.
    pub(super) fn of(row: &IssuedRow, programme: &Programme, language: Language, at: Instant) -> Self {
        let of = programme.coupon(&row.of);
        let shut = if of.is_none() { Some(NotApplied::Withdrawn) } else { row.coupon().shut(at) };
        Self {
            code: row.code.clone(),
            of: row.of.clone(),
            name: language.of(&coupon::name(&row.of, programme)).to_owned(),
            discount: of.map(|of| language.of(&coupon::discount(&of.discount, programme.currency)).to_owned()),
            issued_at: row.issued_at,
            valid_from: row.valid_from,
            valid_until: row.valid_until,
            uses: row.uses,
            uses_left: row.uses - row.used,
            state: shut.as_ref().map_or("usable", coupon::word),
            reason: shut.map(|why| language.of(&coupon::not_applied(&why, Some(programme))).to_owned()),
        }
    }

    /// The same, where all coupons of the types have used so much: it may leave no room for this one.
    pub(super) fn beside(mut self, used: &CouponsUsed, programme: &Programme, language: Language) -> Self {
        let full = programme.coupon(&self.of).and_then(|of| {
            let usage = used.get(&of.code).copied().unwrap_or_default();
            of.limits.full(usage)
        });
        if let (true, Some(why)) = (self.is_usable(), full) {
            self.state = coupon::word(&why);
            self.reason = Some(language.of(&coupon::not_applied(&why, Some(programme))).to_owned());
        }
        self
    }

    /// Whether somebody can use it now.
    pub(super) fn is_usable(&self) -> bool {
        self.reason.is_none()
    }
}
