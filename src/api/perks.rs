//! Granted perks as the member and staff see them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tessera_rules::id::{MemberId, RedemptionId};
use tessera_rules::occasion::OccasionKind;
use utoipa::ToSchema;

use super::admin::schemas::Gift;
use crate::store::db::Connection;
use crate::store::ledger::{self, PerkGrantView};
use crate::store::{Error, perk};

/// A perk that was granted, or what a promotion gave for an occasion.
#[derive(Serialize, ToSchema)]
pub(crate) struct GrantedPerk {
    /// Code of the perk; of a promotion, with `promotion:` before it.
    #[schema(example = "birthday")]
    perk: String,
    /// What it was for: `birthday`, `welcome`, `anniversary`, `tier_reached`, `lapse`; for promotions also `event`,
    /// `tier_change` and `referral`.
    #[schema(example = "birthday")]
    kind: &'static str,
    /// Tells the occasions of one kind apart: a birthday's year, how many years after the enrolment an
    /// anniversary is, the number of a tier, of an event, of a change or of a referral, the day of the last purchase before a lapse; 0 for
    /// a welcome.
    #[schema(example = 2026)]
    occasion: i32,
    /// When it was granted.
    granted_at: DateTime<Utc>,
    /// What was given.
    #[schema(value_type = Gift)]
    gift: serde_json::Value,
    /// First instant of its window.
    from: DateTime<Utc>,
    /// First instant after its window.
    until: DateTime<Utc>,
    /// The redemption of a reward that was given; absent while there is none, and for other gifts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    redemption_id: Option<RedemptionId>,
}

impl GrantedPerk {
    /// Those whose window is open at an instant and whose reward, where they give one, was not redeemed.
    pub(crate) fn open(conn: &mut Connection, member: MemberId, at: DateTime<Utc>) -> Result<Vec<Self>, Error> {
        let mut grants = Self::of(conn, member)?;
        grants.retain(|grant| grant.from <= at && at < grant.until && grant.redemption_id.is_none());
        Ok(grants)
    }

    /// A member's latest hundred, newest first.
    pub(crate) fn of(conn: &mut Connection, member: MemberId) -> Result<Vec<Self>, Error> {
        let grants = ledger::perk_grants(conn, member)?;
        let used = perk::used(conn, member)?;
        let view = |grant: PerkGrantView| {
            let uses = |row: &&(String, i32, uuid::Uuid)| row.0 == grant.perk && row.1 == grant.occasion;
            let redemption = used.iter().find(uses).map(|(_, _, id)| RedemptionId::new(*id));
            let PerkGrantView { perk, occasion, granted_at, gift, window_from, window_until } = grant;
            Self {
                perk,
                kind: OccasionKind::word_of(occasion),
                occasion,
                granted_at,
                gift,
                from: window_from,
                until: window_until,
                redemption_id: redemption,
            }
        };
        Ok(grants.into_iter().map(view).collect())
    }
}
