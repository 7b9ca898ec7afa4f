//! The plan of a re-rating: purchases of some days are replayed under what the programme should have said, and what
//! comes out otherwise is kept.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tessera_rules::Programme;
use tessera_rules::amount::Points;
use tessera_rules::command::Role;
use tessera_rules::document::Document as _;
use tessera_rules::id::MemberId;
use tessera_rules::life::PromotionState;
use tessera_rules::promotion::Promotion;
use tessera_rules::simulate::{Judged, ReRating};
use tessera_rules::time::{Instant, add_days};
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::schemas;
use super::super::simulate::{days, out_of_range, sound};
use crate::access::Caller;
use crate::api::Services;
use crate::api::contact;
use crate::api::error::{Code, Problem, both, internal};
use crate::api::extract::invalid_field;
use crate::api::work;
use crate::clock::new_uuid;
use crate::engine;
use crate::store;
use crate::store::re_rating::{self, MemberRow, PurchaseRow, ReRatingRow, Status};

/// Longest note.
const NOTE_MAX: usize = 500;

/// Which purchases are rated anew, and how.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReRatingRequest {
    /// First local day.
    #[schema(example = "2026-07-04")]
    from: NaiveDate,
    /// Last local day.
    #[schema(example = "2026-07-04")]
    to: NaiveDate,
    /// Codes of the stores; all where nothing is said.
    #[serde(default)]
    stores: Vec<String>,
    /// Why, as a code; one of the programme's `adjustments.reasons` where it lists any. Members read it.
    #[schema(pattern = "^[a-z0-9_-]{1,64}$", example = "wrong_promotion")]
    reason: String,
    /// Why, in words, for staff and the audit log, which is never erased: no personal data.
    #[schema(min_length = 1, max_length = 500)]
    note: String,
    /// What a promotion should have said, in place of what it said then.
    #[schema(value_type = Option<schemas::Promotion>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    promotion: Option<Promotion>,
    /// Code of a promotion that should not have been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    without_promotion: Option<String>,
    /// What the whole programme should have said.
    #[schema(value_type = Option<schemas::Programme>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    programme: Option<Programme>,
}

/// What was found, as it is kept.
pub(super) struct Plan {
    pub(super) row: ReRatingRow,
    pub(super) members: Vec<MemberRow>,
    pub(super) purchases: Vec<PurchaseRow>,
}

impl ReRatingRequest {
    fn check(&mut self, in_force: &Programme) -> Result<Value, Problem> {
        self.note = contact::text("/note", &self.note, NOTE_MAX)?;
        let one = Points::new(1).map_err(out_of_range)?;
        let judged = in_force.adjustments.judge(Role::Admin, one, &self.reason, Points::ZERO);
        judged.map_err(|refusal| Problem::from(&refusal))?;
        match (&self.promotion, &self.without_promotion, &self.programme) {
            (Some(promotion), None, None) => {
                let mut tried = in_force.clone();
                let at = put(&mut tried, promotion);
                sound(tried.problems(), &format!("/promotions/{at}"), "/promotion")?;
                Ok(json!({ "promotion": promotion }))
            }
            (None, Some(code), None) => Ok(json!({ "without_promotion": code })),
            (None, None, Some(programme)) => {
                sound(programme.problems(), "", "/programme")?;
                if programme.currency != in_force.currency {
                    return Err(Code::CurrencyMismatch.into());
                }
                Ok(json!({ "programme": programme }))
            }
            _ => Err(invalid_field(
                "",
                "Name one of `promotion`, `without_promotion` and `programme`.",
                "`promotion`、`without_promotion` 与 `programme` 须且仅须填写一项。",
            )),
        }
    }

    /// What a version of the programme should have said.
    fn corrected(&self, was: &Programme) -> Programme {
        let mut right = self.programme.clone().unwrap_or_else(|| was.clone());
        if let Some(promotion) = &self.promotion {
            put(&mut right, promotion);
        }
        let gone = |promotion: &&mut Promotion| Some(&promotion.code) == self.without_promotion.as_ref();
        if let Some(promotion) = right.promotions.iter_mut().find(gone) {
            // Told as one that does not apply, so that what it used is given back with the goods.
            promotion.state = PromotionState::Paused;
        }
        right
    }
}

/// Puts a promotion in the place of the one with its code; returns the place.
fn put(programme: &mut Programme, promotion: &Promotion) -> usize {
    let known = programme.promotions.iter().position(|known| known.code == promotion.code);
    match known {
        Some(at) => {
            programme.promotions[at] = promotion.clone();
            at
        }
        None => {
            programme.promotions.push(promotion.clone());
            programme.promotions.len() - 1
        }
    }
}

/// Finds what should have been. Beside simulations: one at a time.
pub(super) async fn make(services: &Services, caller: &Caller, mut request: ReRatingRequest) -> Result<Plan, Problem> {
    let busy = || Problem::new(Code::Busy).with_detail(both("A simulation is running.", "正在进行另一个模拟。"));
    let by = caller.staff().ok_or(Problem::new(Code::Forbidden))?;
    let in_force = services.engine.programme().await?;
    let tried = request.check(&in_force.programme)?;
    let span = days(request.from, request.to)?;
    let zone = in_force.programme.time_zone;
    let bought = (zone.midnight(span.from), zone.midnight(add_days(span.to, 1)));
    let _turn = services.simulations.try_acquire().map_err(|_| busy())?;
    let versions = services.pool.run(move |conn| re_rating::versions(conn, bought.0, bought.1)).await?;
    let mut corrected = BTreeMap::new();
    for (version, document) in versions {
        let was = Programme::read_from(document).map_err(|error| internal(&error.to_string()))?;
        let right = request.corrected(&was);
        corrected.insert(version, (was, right));
    }
    let stores = request.stores.iter().cloned().collect();
    let mut search = ReRating::new(&in_force.programme, corrected, span, stores);
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = work::run(services, move |conn| Ok(store::simulate::page(conn, after, Some(bought))?)).await?;
        let in_force = in_force.clone();
        let judged = tokio::task::spawn_blocking(move || {
            let judged = engine::simulate::judge(&mut search, &in_force.programme, page);
            (search, judged)
        });
        let (back, judged) = judged.await.map_err(|error| internal(&error.to_string()))?;
        let (more, last) = judged?;
        found.extend(more);
        (search, after) = (back, last);
        if after.is_none() {
            break;
        }
    }
    let made = Made { by: by.uuid(), at: services.clock.now(), request, tried };
    made.plan(&search, found)
}

/// A plan in the making.
struct Made {
    by: Uuid,
    at: Instant,
    request: ReRatingRequest,
    tried: Value,
}

impl Made {
    fn plan(self, search: &ReRating, found: engine::simulate::Found) -> Result<Plan, Problem> {
        let id = new_uuid();
        let mut digest = Sha256::new().chain_update(self.tried.to_string());
        let (mut members, mut purchases) = (Vec::new(), Vec::new());
        let (mut gives, mut takes, mut largest) = (0_i64, 0_i64, 0_i64);
        for (member, judged) in found {
            let (mut sum, count) = (Points::ZERO, judged.len());
            for judged in judged {
                sum = judged.difference().and_then(|points| sum.plus(points)).map_err(out_of_range)?;
                purchases.push(row_of(id, member, judged, &mut digest)?);
            }
            let points = sum.get();
            (gives, takes) = (gives + points.max(0), takes + (-points).max(0));
            largest = largest.max(points.abs());
            members.push(MemberRow {
                re_rating_id: id,
                member_id: member.uuid(),
                purchases: i32::try_from(count).unwrap_or(i32::MAX),
                points,
                applied: None,
                forgiven: None,
                applied_at: None,
                left_out: None,
                undone: None,
                undone_forgiven: None,
                undone_at: None,
                kept: None,
            });
        }
        let ReRatingRequest { from, to, stores, reason, note, .. } = self.request;
        let row = ReRatingRow {
            id,
            status: Status::Planned.as_str().to_owned(),
            from_day: from,
            to_day: to,
            stores,
            tried: self.tried,
            reason,
            note,
            fingerprint: digest.finalize().to_vec(),
            looked_at: search.looked_at.cast_signed(),
            inexact: search.inexact.cast_signed(),
            refused: search.refused.cast_signed(),
            purchases: purchases.len() as i64,
            members: members.len() as i64,
            gives,
            takes,
            largest,
            planned_by: self.by,
            planned_at: self.at,
            limit_each: None,
            limit_day: None,
            day_before: None,
            applied_by: None,
            applied_at: None,
            undone_by: None,
            undone_at: None,
        };
        Ok(Plan { row, members, purchases })
    }
}

fn row_of(id: Uuid, member: MemberId, judged: Judged, digest: &mut Sha256) -> Result<PurchaseRow, Problem> {
    let wrong = |error: serde_json::Error| internal(&error.to_string());
    let row = PurchaseRow {
        re_rating_id: id,
        purchase_id: judged.purchase.uuid(),
        member_id: member.uuid(),
        occurred_at: judged.occurred_at,
        given: judged.given.get(),
        clawed: judged.clawed.get(),
        points: judged.points.get(),
        should_be_clawed: judged.should_be_clawed().map_err(out_of_range)?.get(),
        claws: serde_json::to_value(&judged.claws).map_err(wrong)?,
        returned: i32::try_from(judged.returned).unwrap_or(i32::MAX),
        explanation: serde_json::to_string(&judged.explanation).map_err(wrong)?,
        lapsed: None,
        applied_at: None,
        undone_at: None,
    };
    digest.update(row.purchase_id);
    for figure in [row.given, row.clawed, row.points, row.should_be_clawed, i64::from(row.returned)] {
        digest.update(figure.to_be_bytes());
    }
    Ok(row)
}
