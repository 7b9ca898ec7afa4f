//! Routes under `/v1/member`: what a member asks about himself. Whose it is comes from the token,
//! never from the request.

mod coupons;
mod entitlements;
mod messages;
mod offers;
mod points;
mod pool;
mod profile;
mod redemptions;
mod referrals;
mod rewards;
mod segments;
mod tickets;
mod transfers;
mod wallet;

use tessera_rules::id::MemberId;
use utoipa_actix_web::service_config::ServiceConfig;

use super::error::{Code, Problem};
use super::guard::permit;
use crate::access::{Action, Caller, Resource};

/// Registers them.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(profile::get)
        .service(profile::change)
        .service(profile::card)
        .service(super::auth::set_pin)
        .service(points::balance)
        .service(points::entries)
        .service(points::explained)
        .service(points::tier)
        .service(points::perks)
        .service(points::notices)
        .service(messages::list)
        .service(referrals::list)
        .service(coupons::list)
        .service(offers::list)
        .service(segments::list)
        .service(wallet::get)
        .service(wallet::entries)
        .service(entitlements::create)
        .service(points::purchases)
        .service(rewards::list)
        .service(redemptions::list)
        .service(redemptions::create)
        .service(tickets::list)
        .service(transfers::create)
        .service(transfers::list)
        .service(pool::get)
        .service(pool::dissolve)
        .service(pool::invite)
        .service(pool::join)
        .service(pool::leave)
        .service(pool::change)
        .service(pool::remove);
}

/// The member himself, when he may.
fn myself(caller: &Caller, action: Action) -> Result<MemberId, Problem> {
    let resource = caller.member().map_or(Resource::Programme, Resource::Member);
    permit(caller, action, &resource)?;
    caller.member().ok_or(Problem::new(Code::Forbidden))
}
