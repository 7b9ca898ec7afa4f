//! Who referred whom, as more than one face shows it; and who is meant by the referrer that an enrolment names.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tessera_rules::Programme;
use tessera_rules::code::MemberCode;
use tessera_rules::id::{MemberId, PurchaseId};
use utoipa::ToSchema;

use super::error::{Code, Problem, both};
use super::work::Failed;
use crate::store::db::Connection;
use crate::store::member::{self, Key};
use crate::store::referral::ReferralView;
use crate::store::{Error, link};

/// Where a request names the referrer.
const POINTER: &str = "/referred_by";

/// What is wrong with a referrer that an enrolment names.
pub(crate) enum Unfit {
    /// There is no such member.
    Unknown,
    /// The member is frozen.
    Frozen,
}

/// The member that a code or an id names as a referrer, as he is now. The outer error is the database's.
pub(crate) fn referrer(conn: &mut Connection, said: &str) -> Result<Result<MemberId, Unfit>, Error> {
    let found = match (said.trim().parse::<MemberId>(), said.trim().parse::<MemberCode>()) {
        (Ok(id), _) => member::find(conn, id)?,
        (_, Ok(code)) => member::by_key(conn, &Key::Code(code.into()))?,
        _ => None,
    };
    let Some(found) = found else { return Ok(Err(Unfit::Unknown)) };
    let stays = link::stays(conn, found.member())?;
    let frozen = member::find(conn, stays)?.is_none_or(|member| member.status != "active");
    Ok(if frozen { Err(Unfit::Frozen) } else { Ok(stays) })
}

/// As [`referrer`], for a request.
pub(super) fn referrer_of_request(conn: &mut Connection, said: &str) -> Result<MemberId, Failed> {
    referrer(conn, said)?.map_err(|unfit| {
        let (code, detail) = match unfit {
            Unfit::Unknown => {
                (Code::ReferrerUnknown, both("Expected a member's code or id.", "请填写推荐人的会员码或会员编号。"))
            }
            Unfit::Frozen => (Code::ReferrerFrozen, both("The referrer is frozen.", "推荐人已被冻结。")),
        };
        Problem::field(code, POINTER, code.as_str(), detail).into()
    })
}

/// How a referral stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ReferralState {
    /// It waits for a purchase that completes it.
    Open,
    /// No purchase of today completes it any more.
    Lapsed,
    /// A purchase has completed it.
    Completed,
}

impl ReferralState {
    fn of(row: &ReferralView, programme: &Programme, now: DateTime<Utc>) -> Self {
        if row.completed_at.is_some() {
            Self::Completed
        } else if programme.referral.is_none() || programme.awaits_referral(row.at, now) {
            Self::Open
        } else {
            Self::Lapsed
        }
    }
}

/// A referral as the referrer sees it: nothing of whom it brought.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OwnReferral {
    /// How it stands.
    state: ReferralState,
    /// When the new member enrolled.
    enrolled_at: DateTime<Utc>,
    /// When the purchase was made that completed it; null: none has.
    completed_at: Option<DateTime<Utc>>,
}

impl OwnReferral {
    /// As of now.
    pub(super) fn of(row: &ReferralView, programme: &Programme, now: DateTime<Utc>) -> Self {
        let state = ReferralState::of(row, programme, now);
        Self { state, enrolled_at: row.at, completed_at: row.completed_at }
    }
}

/// A referral as staff see it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Referral {
    /// Who was referred.
    #[schema(value_type = String, example = "mem_01kapm3v5ne8v9b3r6a2f7qk4d")]
    member_id: MemberId,
    /// By whom: of accounts that were merged the one that stays.
    #[schema(value_type = String, example = "mem_01kapm3v5ne8v9b3r6a2f7qk4d")]
    referrer_id: MemberId,
    #[serde(flatten)]
    referral: OwnReferral,
    /// The purchase that completed it; null: none has.
    #[schema(value_type = Option<String>)]
    purchase_id: Option<PurchaseId>,
    /// When the referrer was given what that is worth, if anything; null: that is still to come.
    rewarded_at: Option<DateTime<Utc>>,
}

impl Referral {
    /// As of now.
    pub(super) fn of(row: &ReferralView, programme: &Programme, now: DateTime<Utc>) -> Self {
        Self {
            member_id: MemberId::new(row.member_id),
            referrer_id: MemberId::new(row.referrer_id),
            referral: OwnReferral::of(row, programme, now),
            purchase_id: row.purchase_id.map(PurchaseId::new),
            rewarded_at: row.rewarded_at,
        }
    }
}
