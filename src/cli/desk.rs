//! What a command needs to work on a database: settings, the database itself (a private server is
//! started or joined), a pool, the clock that every process sees, and on request the engine.

use anyhow::Context as _;

use crate::app::Database;
use crate::clock::Clock;
use crate::config::{LogSettings, Settings};
use crate::engine::Engine;
use crate::store::{self, Pool};
use crate::{postgres, telemetry};

/// An open database with what belongs to it.
pub struct Desk {
    /// The settings of this process.
    pub settings: Settings,
    /// Connections whose statements may take their time.
    pub pool: Pool,
    /// Programme time, with the sandbox's offset where there is one.
    pub clock: Clock,
    database: Database,
}

impl Desk {
    /// Reads the settings and opens their database.
    ///
    /// # Errors
    /// In words for whoever called: a wrong setting, no database, migrations that wait.
    pub fn open() -> anyhow::Result<Self> {
        let mut settings = Settings::load()?;
        quieten(&mut settings.log);
        telemetry::init(&settings.log)?;
        let database = Database::open(&settings, postgres::Durability::Durable)?;
        Self::open_on(settings, database)
    }

    /// As [`Desk::open`], on a database that is open already.
    ///
    /// # Errors
    /// As [`Desk::open`].
    pub fn open_on(settings: Settings, database: Database) -> anyhow::Result<Self> {
        let pool =
            Pool::connect_patient(&database.url, settings.database.pool_size).context("connecting to the database")?;
        if pool.blocking(store::db::pending)? {
            anyhow::bail!("the database waits for migrations: run `tessera migrate`");
        }
        let clock = Clock::wall();
        clock.set_offset(pool.blocking(store::sandbox::offset)?.unwrap_or(0));
        Ok(Self { settings, pool, clock, database })
    }

    /// Starts an engine on the database. [`Engine::drain`] it before the desk is closed.
    ///
    /// # Errors
    /// Its thread cannot be started.
    pub fn engine(&self) -> anyhow::Result<Engine> {
        Ok(Engine::start(&self.database.url, self.pool.clone(), self.clock.clone(), &self.settings.engine)?)
    }

    /// Gives the database back, for a server to start on.
    pub fn into_database(self) -> (Settings, Database) {
        (self.settings, self.database)
    }

    /// Leaves the database; a private server that nobody else uses stops.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn close(self) -> anyhow::Result<()> {
        let Self { pool, database, .. } = self;
        drop(pool);
        database.close()
    }
}

/// The variable that sets the level.
const LEVEL: &str = "TESSERA__LOG__LEVEL";

/// A command's own words are its messages: of the log it shows warnings only, unless told otherwise.
pub fn quieten(log: &mut LogSettings) {
    if log.level == "info" && std::env::var_os(LEVEL).is_none() {
        log.level = "warn".to_owned();
    }
}
