//! Routes under `/v1/sandbox`: the clock, for trying out what a year does. Without sandbox mode none
//! of this is there.

mod clock;
mod duration;

use utoipa_actix_web::service_config::ServiceConfig;

pub use duration::Duration;

/// Registers them.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(clock::read_clock).service(clock::set_clock).service(clock::advance_clock);
}
