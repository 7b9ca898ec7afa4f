//! How a handler that changes configuration or people works on the database: in a transaction that a refusal rolls
//! back like a failure, and with an answer that carries its version.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use tessera_rules::id::{ApiKeyId, MemberId, StaffId};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::Services;
use crate::api::error::{Code, Problem};
use crate::api::extract::etag;
use crate::store::Error;
use crate::store::db::{self, Connection};

/// Why work on the database came to nothing. Kept apart, for the pool must hear of a database that
/// is away, and must not of a caller who is wrong.
pub(super) enum Failed {
    /// The caller is told.
    Caller(Problem),
    /// The database.
    Store(Error),
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::Caller(problem)
    }
}

impl From<Code> for Failed {
    fn from(code: Code) -> Self {
        Self::Caller(code.into())
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// Runs work on a connection.
pub(super) async fn run<T: Send + 'static>(
    services: &Services,
    work: impl FnOnce(&mut Connection) -> Result<T, Failed> + Send + 'static,
) -> Result<T, Problem> {
    let done = services.pool.run(move |conn| match work(conn) {
        Ok(done) => Ok(Ok(done)),
        Err(Failed::Caller(problem)) => Ok(Err(problem)),
        Err(Failed::Store(error)) => Err(error),
    });
    done.await?
}

/// Runs work in one transaction.
pub(super) async fn run_whole<T: Send + 'static>(
    services: &Services,
    work: impl FnOnce(&mut Connection) -> Result<T, Failed> + Send + 'static,
) -> Result<T, Problem> {
    run(services, |conn| db::transaction(conn, work)).await
}

/// An answer with the version of what it shows.
pub(super) fn versioned(status: StatusCode, version: i64, view: &impl Serialize) -> HttpResponse {
    HttpResponse::build(status).insert_header(etag(version)).json(view)
}

/// An answer that tells the version and nothing else.
pub(super) fn gone(version: i64) -> HttpResponse {
    HttpResponse::NoContent().insert_header(etag(version)).finish()
}

/// Who did something.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ActorView {
    /// `member`, `cashier`, `manager`, `admin`, `integration`, `import` or `system`.
    #[schema(example = "cashier")]
    role: String,
    /// The member, the member of staff or the API key; null for imports and the system.
    #[schema(example = "usr_01kapm3v5ne8v9b3r6a2f7qk4d")]
    id: Option<String>,
}

impl ActorView {
    /// From the two columns that say it.
    pub(super) fn of(role: String, id: Option<Uuid>) -> Self {
        let show = |id: Uuid| match role.as_str() {
            "member" => MemberId::new(id).to_string(),
            "integration" => ApiKeyId::new(id).to_string(),
            _ => StaffId::new(id).to_string(),
        };
        Self { id: id.map(show), role }
    }
}
