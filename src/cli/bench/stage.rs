//! What every row plays on: one private durable PostgreSQL, the databases on it, and who measures.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use indicatif::ProgressBar;
use serde_json::Value;

use super::Plan;
use super::accruals::Accruals;
use super::cpu::Meter;
use super::house::{self, House};
use super::report::{Measured, line};
use super::rows::Row;
use super::turns::Cell;
use crate::cli::output;
use crate::postgres::{Durability, OWNER, Options, Server};
use crate::store::bench::{execute, number};
use crate::store::role;

/// The database everybody can connect to.
const CLUSTER: &str = "postgres";

/// The stage.
pub(super) struct Stage {
    pub(super) plan: Plan,
    pub(super) meter: Meter,
    /// Rows 1 to 3 and 16 look at the same measurements.
    pub(super) accruals: Option<Accruals>,
    plain: Option<House>,
    postgres: Server,
    dir: PathBuf,
    bar: ProgressBar,
    /// Nobody else plays here. Held to the end.
    _lock: File,
}

impl Stage {
    /// Starts PostgreSQL. A run that was cut short may have left a cluster, with its server even: both are
    /// thrown away.
    pub(super) fn set(dir: &Path, plan: Plan, bar: ProgressBar) -> anyhow::Result<Self> {
        more_files();
        let (dir, lock) = claim(dir)?;
        let cluster = dir.join("postgres");
        let options = Options { dir: cluster.clone(), durability: Durability::Durable, extra_settings: Vec::new() };
        if cluster.exists() {
            Server::start(options.clone())?.stop()?;
            fs::remove_dir_all(cluster)?;
        }
        let postgres = Server::start(options).context("the private PostgreSQL server")?;
        let meter = Meter::new(postgres.pid());
        Ok(Self { plan, meter, accruals: None, plain: None, postgres, dir, bar, _lock: lock })
    }

    /// Measures a row, and tells whoever watches.
    pub(super) fn measure(&mut self, row: &Row) -> Measured {
        self.say(&format!("{}: {}", row.name, row.what));
        let measured = match (row.measure)(self) {
            Ok(sample) => Measured::Sample(sample),
            Err(error) => Measured::Failed(format!("{error:#}")),
        };
        self.say(&line(row, &measured));
        self.bar.inc(1);
        measured
    }

    /// Progress, for whoever watches.
    pub(super) fn say(&self, words: &str) {
        self.bar.suspend(|| output::message(words));
    }

    /// A directory beside the cluster.
    pub(super) fn home(&self, name: &str) -> anyhow::Result<PathBuf> {
        let home = self.dir.join(name);
        fs::create_dir_all(&home)?;
        Ok(home)
    }

    /// Where the cluster's files are.
    pub(super) fn data_dir(&self) -> PathBuf {
        self.dir.join("postgres/data")
    }

    /// The URL of a database for its owner.
    pub(super) fn owner_url(&self, database: &str) -> String {
        self.postgres.url(database, OWNER)
    }

    /// The URL of a database for the role that servers work as, and pgbench too.
    pub(super) fn app_url(&self, database: &str) -> String {
        self.postgres.url(database, role::APP)
    }

    /// Makes a database anew, empty or as a copy.
    pub(super) fn create(&self, database: &str, template: Option<&str>) -> anyhow::Result<()> {
        let cluster = self.owner_url(CLUSTER);
        execute(&cluster, &format!("drop database if exists {database} with (force)"))?;
        let of = match template {
            None => String::new(),
            Some(template) => {
                // Nobody may be connected to what is copied.
                execute(
                    &cluster,
                    &format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{template}'"),
                )?;
                format!(" template {template} strategy file_copy")
            }
        };
        Ok(execute(&cluster, &format!("create database {database}{of}"))?)
    }

    /// Throws a database away.
    pub(super) fn discard(&self, database: &str) -> anyhow::Result<()> {
        Ok(execute(&self.owner_url(CLUSTER), &format!("drop database if exists {database} with (force)"))?)
    }

    /// An empty database for pgbench, as the role that the servers work as too.
    pub(super) fn create_for_pgbench(&self, database: &str) -> anyhow::Result<String> {
        self.create(database, None)?;
        execute(&self.owner_url(database), &role_and_grant(database))?;
        Ok(self.app_url(database))
    }

    pub(super) fn has(&self, database: &str) -> anyhow::Result<bool> {
        let count = format!("select count(*) from pg_database where datname = '{database}'");
        Ok(number(&self.owner_url(CLUSTER), &count)? > 0)
    }

    /// Right after a checkpoint the first change of each page logs all of it: a checkpoint in the middle of
    /// one side would be counted against it.
    pub(super) fn checkpoint(&self) -> anyhow::Result<()> {
        Ok(execute(&self.owner_url(CLUSTER), "checkpoint")?)
    }

    /// The log of the whole cluster.
    pub(super) fn wal(&self) -> anyhow::Result<crate::store::bench::Wal> {
        Ok(crate::store::bench::wal(&self.owner_url(CLUSTER))?)
    }

    /// The house that most rows ask: the programme of the demo.
    pub(super) fn plain(&mut self) -> anyhow::Result<House> {
        if self.plain.is_none() {
            self.plain = Some(House::open(self, "plain", &house::demo()?, &[])?);
        }
        let mut plain = self.plain.clone().context("the house was opened just now")?;
        // A token lives an hour at most, and other rows may have taken longer.
        plain.token = house::sign_in(plain.address)?;
        Ok(plain)
    }

    /// Runs this binary on a database, and measures it as a whole. Returns what it printed.
    pub(super) fn tessera(&self, database: &str, args: &[&str]) -> anyhow::Result<(Value, Cell)> {
        let before = self.meter.read(None)?;
        let output = command(&self.home("tools")?, &self.app_url(database))?.args(args).output()?;
        let usage = self.meter.between(&before, &self.meter.read(None)?);
        let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        anyhow::ensure!(output.status.success(), "tessera {}: {told}{said}", args.join(" "));
        let last = said.lines().last().unwrap_or_default();
        let answer = serde_json::from_str(last).with_context(|| format!("tessera {}: {said}", args.join(" ")))?;
        Ok((answer, Cell::whole(0.0, usage)))
    }

    /// Stops everything and removes it.
    pub(super) fn strike(self) -> anyhow::Result<()> {
        let Self { plain, postgres, dir, bar, .. } = self;
        drop(plain);
        bar.finish_and_clear();
        postgres.stop()?;
        Ok(fs::remove_dir_all(dir)?)
    }
}

/// What marks a directory as ours, and is locked while we work there.
const LOCK: &str = "bench.lock";

/// A directory that nobody else has anything in: all of it is removed at the end.
fn claim(dir: &Path) -> anyhow::Result<(PathBuf, File)> {
    fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    let dir = dir.canonicalize()?;
    let ours = dir.join(LOCK).exists() || fs::read_dir(&dir)?.next().is_none();
    anyhow::ensure!(ours, "{} is not empty: choose a directory that is", dir.display());
    let lock = File::create(dir.join(LOCK))?;
    lock.try_lock().with_context(|| format!("another bench works in {}", dir.display()))?;
    Ok((dir, lock))
}

/// The role may not be there yet where no server has worked on the cluster.
fn role_and_grant(database: &str) -> String {
    let app = role::APP;
    format!(
        "do $$ begin if not exists (select from pg_roles where rolname = '{app}') then create role {app} login; end if; end $$;
         grant create on database {database} to {app}"
    )
}

/// This binary, in a directory of its own and without the settings of whoever runs it.
pub(super) fn command(home: &Path, database: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("TESSERA") || name.starts_with("DATABASE_") {
            command.env_remove(&*name);
        }
    }
    command.current_dir(home).env("DATABASE_URL", database).env("TESSERA__LOG__LEVEL", "warn");
    Ok(command)
}

/// A flood of logins takes more connections than most processes may have by default. The servers inherit it.
fn more_files() {
    // SAFETY: reads and sets two numbers of this process.
    unsafe {
        let mut limit = std::mem::zeroed::<libc::rlimit>();
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max.min(65_536);
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}
