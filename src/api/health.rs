//! What an orchestrator asks: is the process alive, may it be given work, what does it measure.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::Services;
use super::error::{Code, Problem};
use super::openapi::problems;
use crate::{store, telemetry};

/// How long one look at the database answers for: a probe must not become a load.
const FRESH: Duration = Duration::from_secs(1);

/// How long that look may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whether the process takes work, and how much of it is under way.
#[derive(Debug, Default)]
pub struct Health {
    draining: AtomicBool,
    in_flight: AtomicUsize,
    database: Mutex<Option<(Instant, bool)>>,
}

impl Health {
    /// A process that takes work.
    pub fn shared() -> Arc<Self> {
        Arc::default()
    }

    /// From now on the process asks to be given no more work.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// True on the way down.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Requests being answered.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Counts a request until the guard falls, also when its caller hangs up.
    pub(super) fn enter(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        InFlight(self)
    }

    fn recent(&self) -> Option<bool> {
        let seen = self.database.lock().map_or_else(|poisoned| *poisoned.into_inner(), |seen| *seen);
        seen.filter(|(at, _)| at.elapsed() < FRESH).map(|(_, ready)| ready)
    }

    fn saw(&self, ready: bool) {
        let mut seen = self.database.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *seen = Some((Instant::now(), ready));
    }
}

/// A request being answered.
pub(super) struct InFlight<'h>(&'h Health);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

/// How the process is.
#[derive(Serialize, ToSchema)]
struct HealthStatus {
    /// `pass`; anything else is a problem.
    status: &'static str,
    /// The version of the binary.
    version: &'static str,
}

const PASS: HealthStatus = HealthStatus { status: "pass", version: env!("CARGO_PKG_VERSION") };

/// Is the process alive?
///
/// Never asks the database: a restart of this process would not bring that back.
#[utoipa::path(responses((status = 200, description = "It is.", body = HealthStatus)))]
#[get("/livez")]
pub(super) async fn livez() -> HttpResponse {
    HttpResponse::Ok().json(PASS)
}

/// May the process be given work?
///
/// Not while it shuts down, nor while its database is away or waits for migrations, nor where a thread
/// that writes has ended.
#[utoipa::path(
    responses((status = 200, description = "It may.", body = HealthStatus)),
    extensions(("x-problems" = json!(problems(&[Code::ShuttingDown, Code::Unavailable]))))
)]
#[get("/readyz")]
pub(super) async fn readyz(services: web::Data<Services>) -> Result<HttpResponse, Problem> {
    let health = &services.health;
    if health.is_draining() {
        return Err(Code::ShuttingDown.into());
    }
    if !services.engine.is_whole() {
        return Err(Code::Unavailable.into());
    }
    let ready = match health.recent() {
        Some(ready) => ready,
        None => {
            let look = tokio::time::timeout(PATIENCE, services.pool.run(store::db::pending)).await;
            let ready = matches!(look, Ok(Ok(false)));
            health.saw(ready);
            ready
        }
    };
    if ready { Ok(HttpResponse::Ok().json(PASS)) } else { Err(Code::Unavailable.into()) }
}

/// What the process measures
///
/// In the Prometheus text format. Not for the public: keep it behind the proxy.
#[utoipa::path(responses((status = 200, description = "The metrics.", body = String, content_type = "text/plain")))]
#[get("/metrics")]
pub(super) async fn metrics() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(telemetry::render_metrics())
}
