//! The state the rules decide on: what a question needs, loaded as of one moment.

use std::collections::HashMap;
use std::sync::Arc;

use tessera_rules::coupon::CouponUsage;
use tessera_rules::id::{MemberId, PurchaseId, QuoteId};
use tessera_rules::limit::PromotionUsage;
use tessera_rules::referral::{CompletedReferral, Referral};
use tessera_rules::ticket::Tickets;
use tessera_rules::time::BirthDate;
use tessera_rules::{MemberState, Programme, State};
use uuid::Uuid;

use super::convert::{self, broken};
use super::{Failure, Programmes, Versioned, documents, wallets};
use crate::store::Error;
use crate::store::batch::{Load, Loaded};
use crate::store::db::Connection;
use crate::store::referral::Found;
use crate::store::reward::FulfilmentRow;

/// Loads what is wanted under the programme in force at that moment; the inner failure is the
/// programme's.
pub(super) fn load_current(
    programmes: &Programmes,
    conn: &mut Connection,
    wanted: impl Fn(&Programme) -> Load,
) -> Result<Result<(Arc<Versioned>, Loaded), Failure>, Error> {
    let mut in_force = programmes.any(conn);
    loop {
        let versioned = match in_force {
            Ok(versioned) => versioned,
            Err(failure) => return Ok(Err(failure)),
        };
        let loaded = wanted(&versioned.programme).run(conn)?;
        if loaded.programme == Some(versioned.version) {
            return Ok(Ok((versioned, loaded)));
        }
        in_force = programmes.reload(conn);
    }
}

/// Adds what was found of referrals to members who are there. What a decision has changed of one since stays.
pub(super) fn refer(state: &mut State, found: &Found) {
    for (member, referrer) in &found.open {
        if let Some(member) = state.members.get_mut(&MemberId::new(*member)) {
            let referral = Referral { referrer: MemberId::new(*referrer), completed: false };
            member.referral.get_or_insert(referral);
        }
    }
    for (referrer, rewarded, member, completed_at) in &found.due {
        if let Some(referrer) = state.members.get_mut(&MemberId::new(*referrer)) {
            referrer.referred.rewarded = *rewarded;
            let member = MemberId::new(*member);
            referrer.referred.due.push(CompletedReferral { member, completed_at: *completed_at });
        }
    }
}

/// The state the rules decide on, from what was loaded.
pub(super) fn state(loaded: &mut Loaded) -> Result<State, Failure> {
    let mut state = State::default();
    for row in loaded.standings.drain(..) {
        let standing = convert::standing(row)?;
        state.members.insert(standing.member, MemberState::new(standing));
    }
    fn member(state: &mut State, id: Uuid) -> Result<&mut MemberState, Failure> {
        state.members.get_mut(&MemberId::new(id)).ok_or_else(|| broken("member"))
    }
    for row in &loaded.lots {
        member(&mut state, row.member_id)?.lots.insert(row.number, convert::lot(row)?);
    }
    for row in &loaded.days {
        member(&mut state, row.member_id)?.days.insert(row.day, convert::totals(row));
    }
    for row in loaded.tier_changes.drain(..) {
        member(&mut state, row.member_id)?.tier_changes.push(convert::tier_change(row)?);
    }
    for row in loaded.grants.drain(..) {
        member(&mut state, row.member_id)?.grants.push(convert::grant(row)?);
    }
    for (id, year, month, day) in loaded.birthdays.drain(..) {
        member(&mut state, id)?.birth_date = Some(BirthDate { year, month, day });
    }
    for row in loaded.tags.drain(..) {
        member(&mut state, row.member_id)?.tags.learn(convert::tag_change(row)?);
    }
    let reward = std::mem::take(&mut loaded.reward);
    let given: HashMap<Uuid, String> = reward.given.into_iter().collect();
    let goods: HashMap<Uuid, FulfilmentRow> =
        reward.fulfilments.into_iter().map(|row| (row.redemption_id, row)).collect();
    let tickets: HashMap<Uuid, Tickets> = reward.tickets.into_iter().collect();
    state.shared.tickets_given.extend(reward.tickets_given);
    for (of, code) in reward.free {
        state.shared.vouchers.entry(of).or_default().push_back(code);
    }
    for row in loaded.redemptions.drain(..) {
        let of = row.member_id;
        let (voucher, fulfilment) = (given.get(&row.id).cloned(), goods.get(&row.id));
        let tickets = tickets.get(&row.id).copied();
        let (id, redemption) = documents::redemption(row, voucher, tickets, fulfilment)?;
        member(&mut state, of)?.redemptions.insert(id, redemption);
    }
    for row in &loaded.sales {
        let lots = loaded.sale_lots.remove(&row.id).unwrap_or_default();
        let returns = loaded.returned.iter().filter(|returned| returned.purchase_id == row.id);
        let lapsed = loaded.sale_lapsed.get(&row.id).copied().unwrap_or_default();
        let mut sold = documents::sold(row, lots, lapsed, returns)?;
        for rating in loaded.ratings.iter().filter(|rating| rating.purchase_id == row.id) {
            documents::rate(&mut sold, rating)?;
        }
        member(&mut state, row.member_id)?.sales.insert(PurchaseId::new(row.id), sold);
    }
    for row in loaded.uses.drain(..) {
        member(&mut state, row.member_id)?.entitlement_uses.push(documents::entitlement_use(row));
    }
    for row in loaded.notices.drain(..) {
        member(&mut state, row.member_id)?.notices.push(documents::notice(row)?);
    }
    state.shared.coupons.extend(loaded.coupons.drain(..).map(|row| (row.code.clone(), row.into())));
    for (of, uses, money) in loaded.coupons_used.drain(..) {
        state.shared.coupons_used.insert(of, CouponUsage { uses, money });
    }
    for (id, events) in loaded.events.drain(..) {
        member(&mut state, id)?.events = events;
    }
    refer(&mut state, &loaded.referrals);
    let quote = |(id, made): (Uuid, Option<Uuid>)| (QuoteId::new(id), made.map(PurchaseId::new));
    state.shared.quotes.extend(loaded.quotes.drain(..).map(quote));
    for row in loaded.usages.drain(..) {
        state.shared.rewards_used.insert(row.reward, row.used);
    }
    for (promotion, uses, points, money) in loaded.promotions_used.drain(..) {
        state.shared.promotions_used.insert(promotion, PromotionUsage { uses, points, money });
    }
    for row in loaded.promotion_uses.drain(..) {
        let own = &mut member(&mut state, row.member_id)?.promotion_uses;
        own.entry(row.promotion).or_default().insert(row.day, row.uses);
    }
    wallets::learn(&mut state, std::mem::take(&mut loaded.wallets))?;
    Ok(state)
}
