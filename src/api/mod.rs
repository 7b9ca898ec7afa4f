//! The HTTP API: the only room that names actix.
//!
//! Three faces for three kinds of people (`till`, `member`, `admin`), `auth` for signing in,
//! `sandbox` for trying things out. A file there holds a noun's requests, responses, annotations and
//! handlers together. Around them: `extract` (what a handler takes), `error` and `problem` (what goes
//! wrong, and how it is written), `page` (lists), `openapi` and `docs`, `health`, `middleware`.
//!
//! It must never decide about points (that is the rulebook's), nor write them (the engine's).

mod adjusted;
pub mod admin;
pub mod auth;
pub(crate) mod contact;
mod coupons;
mod docs;
mod document;
mod entitled;
pub mod error;
mod explain;
pub mod extract;
mod given;
mod guard;
pub mod health;
mod linked;
pub mod member;
mod middleware;
mod offers;
pub mod openapi;
mod origin;
pub mod page;
mod perks;
mod person;
pub mod problem;
mod redeemed;
pub(crate) mod referrals;
mod refusal;
mod registration;
pub mod sandbox;
mod segments;
mod serve;
mod sessions;
mod shape;
pub mod simulated;
mod submit;
mod supply;
mod tags;
pub mod till;
mod transferred;
mod views;
mod wallets;
mod work;

use std::sync::Arc;

use tessera_rules::id::MemberId;
use tokio::sync::Semaphore;
use utoipa_actix_web::scope;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::access::Access;
use crate::clock::Clock;
use crate::config::Settings;
use crate::engine::{Engine, Settled};
use crate::store::db::Pool;

use error::Problem;

pub use health::Health;
pub use serve::{Listening, listen};

/// What handlers work with: `web::Data<Services>`.
pub struct Services {
    /// The settings of the process.
    pub settings: Settings,
    /// Programme time and wall time.
    pub clock: Clock,
    /// Connections for reading.
    pub pool: Pool,
    /// Passwords, tokens and who may do what.
    pub access: Access,
    /// The write path.
    pub engine: Engine,
    /// Whether the process takes work.
    pub health: Arc<Health>,
    /// The turns of simulations, which read everything there is: one at a time.
    pub simulations: Semaphore,
}

impl Services {
    /// A member as he stands now.
    async fn settled(&self, member: MemberId) -> Result<Settled, Problem> {
        self.engine.member(member).await?.map_err(|refusal| Problem::from(&refusal))
    }
}

/// The routing table. Scopes are tried in this order, so the busiest comes first.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(scope("/v1/till").configure(till::routes))
        .service(scope("/v1/member").configure(member::routes))
        .service(scope("/v1/auth").configure(auth::routes))
        .service(scope("/v1/admin").configure(admin::routes))
        .service(scope("/v1/sandbox").configure(sandbox::routes))
        .service(health::livez)
        .service(health::readyz)
        .service(health::metrics)
        .service(openapi::openapi_json)
        .configure(auth::well_known);
}
