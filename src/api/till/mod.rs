//! Routes under `/v1/till`: what a till asks. A till serves every member, and sees the documents of
//! its own store.

pub mod adjustments;
mod authorisation;
mod basket;
mod coupons;
mod entitlements;
mod events;
mod fulfilment;
mod kept;
pub mod members;
pub mod moving;
mod offers;
pub mod purchases;
mod quote;
mod receipt;
pub mod redemptions;
pub mod returns;
pub(crate) mod schemas;
mod tags;
mod transfers;
mod wallet;

use std::fmt::Display;

use tessera_rules::id::StoreId;
use utoipa_actix_web::service_config::ServiceConfig;

use super::error::{Code, Problem, both};
use crate::access::Caller;

/// Registers them.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(quote::ask)
        .service(coupons::look_up)
        .service(purchases::preview)
        .service(purchases::create)
        .service(purchases::find)
        .service(purchases::get)
        .service(returns::create)
        .service(returns::list)
        .service(moving::create)
        .service(redemptions::create)
        .service(fulfilment::list)
        .service(fulfilment::ready)
        .service(fulfilment::hand_over)
        .service(redemptions::get)
        .service(redemptions::capture)
        .service(redemptions::void)
        .service(transfers::create)
        .service(members::enrol)
        .service(members::find)
        .service(members::get)
        .service(members::balance)
        .service(members::tier)
        .service(members::open_perks)
        .service(tags::list)
        .service(tags::list_segments)
        .service(offers::list)
        .service(wallet::get)
        .service(wallet::entries)
        .service(wallet::top_up)
        .service(wallet::refund)
        .service(entitlements::create)
        .service(events::create)
        .service(adjustments::create);
}

/// The store a caller stands in; an admin stands in none and has no till.
fn till_store(caller: &Caller) -> Result<StoreId, Problem> {
    caller.store.ok_or(Problem::new(Code::Forbidden))
}

/// Refuses a list that is too short or too long.
fn within(pointer: impl Display, count: usize, least: usize, most: usize) -> Result<(), Problem> {
    if (least..=most).contains(&count) {
        return Ok(());
    }
    let detail = both(format!("Expected {least} to {most} of them."), format!("数量应为 {least} 到 {most}。"));
    Err(Problem::field(Code::InvalidField, pointer.to_string(), "count_invalid", detail))
}
