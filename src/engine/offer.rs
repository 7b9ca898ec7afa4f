//! What a member could use now or soon: loaded as for everything that he might do, and nothing written.

use std::sync::Arc;

use chrono::TimeDelta;
use tessera_rules::coupon::Coupon;
use tessera_rules::id::MemberId;
use tessera_rules::offer::{Audience, Offer, SOON_DAYS, offers};
use tessera_rules::{Actor, Context, Refusal};

use super::plan::plan_of_offers;
use super::state::{load_current, state};
use super::{Engine, Failure, Versioned};
use crate::store::coupon;

impl Engine {
    /// What is offered to a member, told to himself or, where `till` says so, to a till in a store or in none; with the
    /// programme that offers it.
    ///
    /// # Errors
    /// The outer: the database; the inner: the rules.
    pub async fn offers(
        &self,
        member: MemberId,
        till: Option<Option<Arc<str>>>,
    ) -> Result<Result<(Arc<Versioned>, Vec<Offer>), Refusal>, Failure> {
        let (now, programmes) = (self.clock().now(), self.0.programmes.clone());
        let answered = self.pool().run(move |conn| {
            let soon = now + TimeDelta::days(i64::from(SOON_DAYS) + 1);
            let coming = coupon::coming(conn, member, now, soon)?;
            let current = load_current(&programmes, conn, |programme| plan_of_offers(programme, now, member))?;
            Ok(current.and_then(|(versioned, mut loaded)| {
                let mut state = state(&mut loaded)?;
                // Whichever of his accounts they were issued to, they are his.
                let own = |coupon: Coupon| (coupon.code.clone(), Coupon { owner: Some(member), ..coupon });
                state.shared.coupons.extend(coming.into_iter().map(own));
                let version = versioned.version;
                let context =
                    Context { now, actor: Actor::SYSTEM, programme_version: version, historic: false, seed: None };
                let audience = till.as_ref().map_or(Audience::Member, |store| Audience::Till(store.as_deref()));
                let told = offers(&versioned.programme, &state, member, audience, &context);
                Ok(told.map(|told| (versioned, told)))
            }))
        });
        answered.await.map_err(Failure::from)?
    }
}
