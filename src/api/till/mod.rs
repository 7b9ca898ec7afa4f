//! Routes under `/v1/till`: what a till asks. A till serves every member, and sees the documents of
//! its own store.

pub mod members;
pub mod purchases;
pub mod redemptions;
mod schemas;

use tessera_rules::id::StoreId;
use utoipa_actix_web::service_config::ServiceConfig;

use super::error::{Code, Problem};
use crate::access::Caller;

/// Registers them.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(purchases::preview)
        .service(purchases::create)
        .service(purchases::find)
        .service(purchases::get)
        .service(redemptions::create)
        .service(redemptions::get)
        .service(members::enrol)
        .service(members::find)
        .service(members::get)
        .service(members::balance);
}

/// The store a caller stands in; an admin stands in none and has no till.
fn till_store(caller: &Caller) -> Result<StoreId, Problem> {
    caller.store.ok_or(Problem::new(Code::Forbidden))
}
