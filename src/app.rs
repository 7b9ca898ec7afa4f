//! Wiring: settings, database, access, engine, jobs, HTTP server, in this order up; and the way down
//! again in the opposite one. `serve`, `demo` and the tests all go through here.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Semaphore;

use crate::access::Access;
use crate::api::{self, Health, Services};
use crate::clock::Clock;
use crate::config::Settings;
use crate::engine::Engine;
use crate::store::Pool;
use crate::{jobs, postgres, store, telemetry};

/// How long `/readyz` says no before the doors close, so that whoever sends requests can look.
const NOTICE: Duration = Duration::from_secs(1);

/// The database in the private server.
const DATABASE: &str = "postgres";

/// Where the tables are, and the server that holds them if it is our own.
pub struct Database {
    /// As the server works on it.
    pub url: String,
    /// As the owner of the tables.
    pub owner_url: Option<String>,
    /// Whether acknowledged work must survive a crash: always, but for throw-away test databases.
    durability: postgres::Durability,
    private: Option<postgres::Server>,
}

impl Database {
    /// The one the settings name, or else the private one below `data_dir`, started and migrated.
    /// Blocks.
    ///
    /// # Errors
    /// What the private server or a migration says.
    pub fn open(settings: &Settings, durability: postgres::Durability) -> anyhow::Result<Self> {
        if let Some(url) = &settings.database.url {
            return Ok(Self::existing(url, settings.database.owner_url.as_deref(), durability));
        }
        let dir = settings.data_dir.join("postgres");
        let options = postgres::Options { dir, durability, extra_settings: Vec::new() };
        let private = postgres::Server::start(options).context("the private PostgreSQL server")?;
        let owner_url = private.url(DATABASE, postgres::OWNER);
        prepare(&owner_url, None)?;
        let url = private.url(DATABASE, store::role::APP);
        Ok(Self { url, owner_url: Some(owner_url), durability, private: Some(private) })
    }

    /// One that is running already.
    pub fn existing(url: &str, owner_url: Option<&str>, durability: postgres::Durability) -> Self {
        Self { url: url.to_owned(), owner_url: owner_url.map(str::to_owned), durability, private: None }
    }

    /// Stops the private server, unless another process uses it. Dropping does the same, but only
    /// logs what goes wrong.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn close(self) -> anyhow::Result<()> {
        self.private.map_or(Ok(()), postgres::Server::stop).context("the private PostgreSQL server")
    }
}

/// Brings a database up to date as its owner: applies what is missing and grants the role a server
/// works as (`None`: the one made here) what it needs. Returns the migrations applied. Blocks.
///
/// # Errors
/// What a migration says.
pub fn prepare(owner_url: &str, role: Option<&str>) -> anyhow::Result<Vec<String>> {
    let applied = store::db::migrate(owner_url)?;
    for migration in &applied {
        tracing::info!(migration, "migrated");
    }
    Pool::connect(owner_url, 1)?.blocking(|conn| {
        if role.is_none() {
            store::role::create(conn)?;
        }
        store::role::grant(conn, role.unwrap_or(store::role::APP))
    })?;
    Ok(applied)
}

/// Starting the application.
pub struct App;

impl App {
    /// Starts everything and returns once requests are accepted. Blocks while it does.
    ///
    /// # Errors
    /// The first part that does not start.
    pub fn start(settings: &Settings) -> anyhow::Result<Running> {
        telemetry::init(&settings.log)?;
        let database = Database::open(settings, postgres::Durability::Durable)?;
        Self::start_on(settings, database)
    }

    /// As [`App::start`], on a database that is open already.
    ///
    /// # Errors
    /// As [`App::start`].
    pub fn start_on(settings: &Settings, database: Database) -> anyhow::Result<Running> {
        let pool = Pool::connect(&database.url, settings.database.pool_size)?;
        if pool.blocking(store::db::pending)? {
            anyhow::bail!("the database waits for migrations: run `tessera migrate`");
        }
        let durable = matches!(database.durability, postgres::Durability::Durable);
        let allow_owner = settings.database.allow_owner;
        pool.blocking(|conn| Ok(store::role::check(conn, allow_owner, durable)))??;
        let clock = Clock::wall();
        if settings.sandbox {
            clock.set_offset(pool.blocking(store::sandbox::offset)?.unwrap_or(0));
        }
        let access = Access::open(&settings.auth, pool.clone(), clock.clone())?;
        let engine = Engine::start(&database.url, pool.clone(), clock.clone(), &settings.engine)?;
        let jobs = jobs::start(&engine, settings)?;
        let services = Services {
            settings: settings.clone(),
            clock,
            pool,
            access,
            engine: engine.clone(),
            health: Health::shared(),
            simulations: Semaphore::new(1),
        };
        let http = api::listen(services).with_context(|| format!("listening on {}", settings.http.bind))?;
        tracing::info!(address = %http.address(), "listening");
        let patience = Duration::from_secs(settings.http.drain_seconds);
        Ok(Running { http, jobs, engine, database, patience })
    }
}

/// The application at work.
pub struct Running {
    http: api::Listening,
    jobs: jobs::Jobs,
    engine: Engine,
    database: Database,
    patience: Duration,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.http.address()
    }

    /// The write path, for what runs beside the server in this process.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The database it works on.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Serves until SIGTERM or SIGINT, then takes the way down.
    ///
    /// # Errors
    /// As [`Running::stop`].
    pub fn serve(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            either(&mut terminate, &mut interrupt).await;
            tracing::info!("shutting down");
            self.http.drain();
            // A second signal does without the notice, but not without the rest.
            let _ = tokio::time::timeout(NOTICE, either(&mut terminate, &mut interrupt)).await;
            Ok::<_, std::io::Error>(())
        })?;
        self.stop()
    }

    /// The way down: nothing new is accepted, requests in flight finish, the queue empties, the jobs
    /// and the private server end. Blocks.
    ///
    /// # Errors
    /// The first part that did not end well; the rest is stopped all the same.
    pub fn stop(self) -> anyhow::Result<()> {
        let Self { http, jobs, engine, database, patience } = self;
        let served = http.stop(patience).context("the HTTP server");
        jobs.stop();
        // After all that submits: what waits is written, and nothing is left to be lost.
        engine.drain();
        let closed = database.close();
        served.and(closed)?;
        tracing::info!("stopped");
        Ok(())
    }
}

async fn either(one: &mut Signal, other: &mut Signal) {
    poll_fn(|context| match (one.poll_recv(context), other.poll_recv(context)) {
        (Poll::Pending, Poll::Pending) => Poll::Pending,
        _ => Poll::Ready(()),
    })
    .await;
}
