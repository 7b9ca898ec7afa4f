//! The pool, transactions, migrations, and what can go wrong with a database.
//!
//! Everything blocks: [`Pool::run`] moves the work off the async threads. An [`Error`] carries the
//! name of the constraint that spoke and never Postgres's own DETAIL, which quotes rows.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use diesel::Connection as _;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use r2d2::ManageConnection;

pub use diesel::PgConnection as Connection;

/// How long a caller waits for a free connection before the answer is 503.
const CHECKOUT: Duration = Duration::from_secs(3);

/// What every connection is told first. A statement that waits for ever would hold its connection,
/// and with it a place in the pool, for ever.
const SESSION: &str = "SET timezone = 'UTC'; SET application_name = 'tessera'; SET lock_timeout = '5s'; \
    SET idle_in_transaction_session_timeout = '30s'; ";

/// For a server, which answers people.
const STATEMENT_LIMIT: &str = "SET statement_timeout = '30s'";

/// Why the database did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No connection, a lost one, a server on its way down or up, or a wait that took too long.
    /// Nothing was changed, or it is not known whether it was. The answer is 503.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A unique, check, foreign key, exclusion or not-null constraint spoke.
    #[error("constraint {constraint} was violated")]
    Conflict {
        /// The constraint's name, or the column's for not-null.
        constraint: String,
    },
    /// Another transaction was in the way (SQLSTATE 40001, 40P01): try again.
    #[error("the transaction met another one")]
    Serialization,
    /// Everything else: our mistake.
    #[error("database error: {0}")]
    Internal(String),
}

impl Error {
    /// True where doing the same again may succeed at once.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Serialization)
    }

    /// True if the constraint called `name` spoke.
    pub fn is_conflict(&self, name: &str) -> bool {
        matches!(self, Self::Conflict { constraint } if constraint == name)
    }
}

/// What the server says in English where Diesel does not pass the SQLSTATE on. A server with other
/// `lc_messages` falls through to [`Error::Internal`], which is safe: a 500 instead of a 503.
fn by_message(message: &str) -> Error {
    /// 40P01.
    const DEADLOCK: &str = "deadlock detected";
    /// 55P03, 57014, 57P01–57P05, 53300, 53100, 53200, and libpq's words for a lost connection.
    const AWAY: [&str; 13] = [
        "lock timeout",
        "statement timeout",
        "terminating connection",
        "shutting down",
        "starting up",
        "recovery mode",
        "too many clients",
        "remaining connection slots",
        "No space left on device",
        "out of memory",
        "server closed the connection",
        "no connection to the server",
        "could not ",
    ];
    if message.contains(DEADLOCK) {
        return Error::Serialization;
    }
    if AWAY.iter().any(|words| message.contains(words)) {
        return Error::Unavailable(message.to_owned());
    }
    Error::Internal(message.to_owned())
}

impl From<DieselError> for Error {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(kind, information) => {
                // Also for errors raised by our own SQL functions with a constraint's name.
                if let Some(constraint) = information.constraint_name() {
                    return Self::Conflict { constraint: constraint.to_owned() };
                }
                match kind {
                    DatabaseErrorKind::SerializationFailure => Self::Serialization,
                    DatabaseErrorKind::ClosedConnection => {
                        Self::Unavailable(information.message().lines().next().unwrap_or_default().to_owned())
                    }
                    DatabaseErrorKind::NotNullViolation => {
                        Self::Conflict { constraint: information.column_name().unwrap_or("not null").to_owned() }
                    }
                    _ => by_message(information.message()),
                }
            }
            DieselError::RollbackErrorOnCommit { commit_error, .. } => Self::from(*commit_error),
            DieselError::BrokenTransactionManager => Self::Unavailable("the connection was lost".to_owned()),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<r2d2::Error> for Error {
    fn from(_: r2d2::Error) -> Self {
        // The pool's text repeats the last connection error, which names hosts and users.
        Self::Unavailable("no connection within the time allowed".to_owned())
    }
}

impl From<ConnectionError> for Error {
    fn from(error: ConnectionError) -> Self {
        // libpq adds advice on further lines.
        Self::Unavailable(error.to_string().lines().next().unwrap_or("no connection").to_owned())
    }
}

/// A connection and the generation in which it was last seen alive.
struct Pooled {
    connection: PgConnection,
    generation: u64,
}

/// Opens connections, and knows when to doubt them.
///
/// A round trip at every check-out would tell a dead connection and cost a fifth of a cheap request.
/// Instead every failure of availability starts a new generation, and a connection from an older one
/// is pinged before it is used again: after a restart of the server one request fails and the rest
/// find working connections.
struct Manager {
    url: String,
    setup: String,
    generation: Arc<AtomicU64>,
}

impl ManageConnection for Manager {
    type Connection = Pooled;
    type Error = Error;

    fn connect(&self) -> Result<Pooled, Error> {
        let generation = self.generation.load(Ordering::Acquire);
        let mut connection = PgConnection::establish(&self.url)?;
        connection.batch_execute(&self.setup)?;
        Ok(Pooled { connection, generation })
    }

    fn is_valid(&self, pooled: &mut Pooled) -> Result<(), Error> {
        let current = self.generation.load(Ordering::Acquire);
        if pooled.generation != current {
            pooled.connection.batch_execute("SELECT 1")?;
            pooled.generation = current;
        }
        Ok(())
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        std::thread::panicking() || diesel::r2d2::R2D2Connection::is_broken(&mut pooled.connection)
    }
}

/// Says that connecting failed, without the address.
#[derive(Debug)]
struct Logged;

impl r2d2::HandleError<Error> for Logged {
    fn handle_error(&self, error: Error) {
        tracing::warn!(%error, "the pool could not open or check a connection");
    }
}

/// Connections to one database; a clone shares them.
#[derive(Clone)]
pub struct Pool {
    connections: r2d2::Pool<Manager>,
    generation: Arc<AtomicU64>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("state", &self.connections.state()).finish()
    }
}

/// Work whose result is of a type that only its caller knows.
type Work = Box<dyn FnOnce() -> Box<dyn Any + Send> + Send>;

/// Runs work on a thread that may block. It is boxed, for Tokio's machinery would be compiled for every
/// piece of work anew: a twentieth of the build.
async fn on_a_thread(work: Work) -> Result<Box<dyn Any + Send>, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|stopped| Error::Internal(stopped.to_string()))
}

impl Pool {
    /// Connects for serving: statements end after 30 s, waits for locks after 5 s.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if no connection could be opened within 3 s.
    pub fn connect(url: &str, size: u32) -> Result<Self, Error> {
        Self::open(url, size, format!("{SESSION}{STATEMENT_LIMIT}"))
    }

    /// Connects for tools (import, verify, export), whose statements may take their time.
    ///
    /// # Errors
    /// As [`Pool::connect`].
    pub fn connect_patient(url: &str, size: u32) -> Result<Self, Error> {
        Self::open(url, size, SESSION.to_owned())
    }

    fn open(url: &str, size: u32, setup: String) -> Result<Self, Error> {
        let generation = Arc::new(AtomicU64::new(0));
        let manager = Manager { url: url.to_owned(), setup, generation: Arc::clone(&generation) };
        // Tried once outside the pool, which would hide the reason behind a timeout.
        manager.connect()?;
        let connections = r2d2::Pool::builder()
            .max_size(size)
            .min_idle(Some(1))
            .connection_timeout(CHECKOUT)
            .test_on_check_out(true)
            .error_handler(Box::new(Logged))
            .build(manager)?;
        Ok(Self { connections, generation })
    }

    /// Runs `work` with a connection on a thread that may block. Must be called within a Tokio
    /// runtime. `work` must not ask the pool for a second connection: enough callers doing so at
    /// once would wait for each other.
    ///
    /// # Errors
    /// [`Error::Unavailable`] without a connection; otherwise what `work` returns.
    pub async fn run<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut PgConnection) -> Result<T, Error> + Send + 'static,
    {
        let pool = self.clone();
        let done = on_a_thread(Box::new(move || Box::new(pool.blocking(work)))).await?;
        *done.downcast::<Result<T, Error>>().map_err(|_| Error::Internal("another result".to_owned()))?
    }

    /// Runs `work` with a connection on the current thread, which may block (jobs, tools, the
    /// engine's writer).
    ///
    /// # Errors
    /// As [`Pool::run`].
    pub fn blocking<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: FnOnce(&mut PgConnection) -> Result<T, Error>,
    {
        let mut pooled = self.connections.get()?;
        let result = work(&mut pooled.connection);
        if matches!(result, Err(Error::Unavailable(_))) {
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
        result
    }

    /// Connections open and, of those, idle: for the metrics.
    pub fn usage(&self) -> (u32, u32) {
        let state = self.connections.state();
        (state.connections, state.idle_connections)
    }
}

/// An error of the caller's kind on its way through Diesel's transaction.
enum Passing<E> {
    Own(E),
    Database(diesel::result::Error),
}

impl<E> From<diesel::result::Error> for Passing<E> {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error)
    }
}

/// Runs `work` in one transaction (READ COMMITTED), committed if it returns `Ok`; inside another
/// transaction, in a savepoint.
///
/// # Errors
/// What `work` returns, after rolling back; or that the transaction could not begin or commit.
pub fn transaction<T, E: From<Error>>(
    connection: &mut PgConnection,
    work: impl FnOnce(&mut PgConnection) -> Result<T, E>,
) -> Result<T, E> {
    connection.transaction(|connection| work(connection).map_err(Passing::Own)).map_err(|error| match error {
        Passing::Own(error) => error,
        Passing::Database(error) => Error::from(error).into(),
    })
}

/// The schema, compiled in.
const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// The lock under which migrations run, so that two processes starting together take turns.
const MIGRATION_LOCK: i64 = 0x7465_7373_6572_6101;

/// Applies what is missing, each migration in a transaction of its own, and names what was applied.
/// Connects as the owner of the tables.
///
/// # Errors
/// [`Error::Unavailable`] without a connection; [`Error::Internal`] naming the migration that failed.
pub fn migrate(url: &str) -> Result<Vec<String>, Error> {
    let mut connection = locked_for_migration(url)?;
    let applied = connection.run_pending_migrations(MIGRATIONS).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(applied.iter().map(ToString::to_string).collect())
}

/// Undoes every migration, newest first: tests compare the schema of down and up again.
///
/// # Errors
/// As [`migrate`].
pub fn revert_all(url: &str) -> Result<Vec<String>, Error> {
    let mut connection = locked_for_migration(url)?;
    let undone = connection.revert_all_migrations(MIGRATIONS).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(undone.iter().map(ToString::to_string).collect())
}

/// The lock ends with the connection.
fn locked_for_migration(url: &str) -> Result<PgConnection, Error> {
    let mut connection = PgConnection::establish(url)?;
    connection.batch_execute(&format!("SELECT pg_advisory_lock({MIGRATION_LOCK})"))?;
    Ok(connection)
}

diesel::table! {
    /// Diesel's own list of what was applied.
    __diesel_schema_migrations (version) {
        /// The digits of the migration's name.
        version -> Text,
    }
}

/// True if a migration of this binary is missing from the database. Only reads, so that the role a
/// server runs as, which may create nothing, can ask.
///
/// # Errors
/// [`Error::Unavailable`] or [`Error::Internal`].
pub fn pending(connection: &mut PgConnection) -> Result<bool, Error> {
    use diesel::migration::MigrationSource;
    let listed = diesel::select(diesel::dsl::sql::<diesel::sql_types::Bool>(
        "to_regclass('__diesel_schema_migrations') IS NOT NULL",
    ))
    .get_result::<bool>(connection)?;
    if !listed {
        return Ok(true);
    }
    let applied: Vec<String> =
        __diesel_schema_migrations::table.select(__diesel_schema_migrations::version).load(connection)?;
    let ours = MigrationSource::<diesel::pg::Pg>::migrations(&MIGRATIONS)
        .map_err(|error| Error::Internal(error.to_string()))?;
    Ok(ours.iter().any(|migration| {
        let version = migration.name().version().to_string();
        !applied.contains(&version)
    }))
}
