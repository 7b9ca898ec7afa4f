//! Routes under `/v1/sandbox`: the clock, for trying out what a year does, and the messages that are kept
//! instead of sent. Without sandbox mode none of this is there.

mod clock;
mod duration;
mod messages;

use utoipa_actix_web::service_config::ServiceConfig;

use super::Services;
use super::error::{Code, Problem};
use super::guard::permit;
use crate::access::{Action, Caller, Resource};

pub use duration::Duration;

/// Registers them.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(clock::read_clock).service(clock::set_clock).service(clock::advance_clock);
    config.service(messages::list);
}

/// Asks the policy and the mode.
fn check(services: &Services, caller: &Caller, action: Action) -> Result<(), Problem> {
    if !services.settings.sandbox {
        return Err(Code::NotSandbox.into());
    }
    permit(caller, action, &Resource::Programme)
}
