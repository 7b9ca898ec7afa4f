//! One PostgreSQL for the whole run, and a database of its own for every test.
//!
//! The cluster lives on a RAM disk where there is one, fast instead of durable, in a directory named
//! after the process. A template database is migrated and furnished once; a test copies it, which
//! takes some milliseconds, and drops its copy. At the end of the process the cluster is stopped and
//! its directory removed; what a killed run has left behind, the next run clears away.

use std::fs::{self, File, TryLockError};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use diesel::connection::SimpleConnection as _;
use diesel::sql_types::{BigInt, Text};
use diesel::{Connection as _, QueryableByName, RunQueryDsl, sql_query};
use tessera::app::prepare;
use tessera::postgres::{Durability, OWNER, Options, Server};
use tessera::store::db::Connection;
use tessera::store::role::APP;

use super::app::furnish;

/// The furnished database.
const TEMPLATE: &str = "furnished";

/// The file of a run that its process keeps locked.
const ALIVE: &str = "alive.lock";

/// What a cluster and its databases may need.
const ROOM: u64 = 1 << 30;

struct Cluster {
    server: Server,
    dir: PathBuf,
}

static CLUSTER: Mutex<Option<Cluster>> = Mutex::new(None);

/// Where clusters and scratch directories of this run live.
static RUN_DIR: LazyLock<PathBuf> = LazyLock::new(|| {
    // SAFETY: geteuid takes no arguments, touches no memory and cannot fail.
    let user = unsafe { libc::geteuid() };
    let base = [Path::new("/dev/shm"), Path::new(env!("CARGO_TARGET_TMPDIR"))].into_iter().find(|dir| has_room(dir));
    let runs = base.expect("a directory with room for a cluster").join(format!("tessera-it-{user}"));
    // Root lets the server run as somebody else, who has to pass through.
    fs::DirBuilder::new().recursive(true).mode(0o711).create(&runs).expect("a directory for test runs");
    let cleaning = File::create(runs.join("clean.lock")).expect("a lock file");
    cleaning.lock().expect("the turn to clean");
    clear_dead_runs(&runs);
    let dir = runs.join(std::process::id().to_string());
    fs::DirBuilder::new().mode(0o711).create(&dir).expect("a directory for this run");
    let alive = File::create(dir.join(ALIVE)).expect("a lock file");
    alive.lock().expect("nobody else knows of the lock");
    // Held for as long as the process lives, whichever way it ends.
    std::mem::forget(alive);
    // SAFETY: the handler is a plain function that lives as long as the process.
    assert_eq!(unsafe { libc::atexit(at_exit) }, 0, "a handler for the end of the process");
    dir
});

fn has_room(dir: &Path) -> bool {
    let Ok(path) = std::ffi::CString::new(dir.as_os_str().as_bytes()) else { return false };
    // SAFETY: all zeroes is a valid statvfs, which the call fills in.
    let mut found: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: the path is a C string and the structure is ours; both outlive the call.
    let known = unsafe { libc::statvfs(path.as_ptr(), &raw mut found) } == 0;
    let probe = dir.join(format!(".tessera-{}", std::process::id()));
    let writable = File::create(&probe).and_then(|_| fs::remove_file(&probe)).is_ok();
    known && writable && found.f_bavail.saturating_mul(found.f_frsize) >= ROOM
}

/// Stops and removes what runs that are no longer alive have left behind.
fn clear_dead_runs(runs: &Path) {
    for entry in fs::read_dir(runs).expect("the directory of test runs").flatten() {
        let held = |lock: File| matches!(lock.try_lock(), Err(TryLockError::WouldBlock));
        if entry.path().is_dir() && !File::open(entry.path().join(ALIVE)).is_ok_and(held) {
            remove_run(&entry.path());
        }
    }
}

fn remove_run(dir: &Path) {
    for data in clusters_below(dir, 3) {
        quit(&data);
    }
    // A directory left behind fails no test, and the next run tries again.
    let _ = fs::remove_dir_all(dir);
}

fn clusters_below(dir: &Path, depth: u32) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.join("postmaster.pid").exists() {
            found.push(path);
        } else if depth > 0 && path.is_dir() {
            found.extend(clusters_below(&path, depth - 1));
        }
    }
    found
}

/// Ends the server of a data directory and waits for it. Only a process that works in the very
/// directory is its server.
fn quit(data: &Path) {
    let pid = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let Some(pid) = pid.lines().next().and_then(|line| line.trim().parse::<i32>().ok()) else { return };
    let works_here = || fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data);
    if !works_here() {
        return;
    }
    // SAFETY: kill takes two numbers and touches no memory.
    unsafe { libc::kill(pid, libc::SIGQUIT) };
    super::eventually("the server of a dead run ends", || (!works_here()).then_some(()));
}

extern "C" fn at_exit() {
    // On a thread of its own: the thread-local values of this one are gone already.
    let ending = std::thread::spawn(|| {
        let cluster = CLUSTER.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Cluster { server, dir }) = cluster {
            let _ = server.stop();
            let _ = fs::remove_dir_all(dir);
        }
        remove_run(&RUN_DIR);
    });
    let _ = ending.join();
}

fn next() -> u64 {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// A directory of its own below the run's, removed with it at the latest.
pub(crate) fn scratch(what: &str) -> PathBuf {
    let dir = RUN_DIR.join(format!("{what}-{}", next()));
    fs::DirBuilder::new().mode(0o711).create(&dir).expect("a scratch directory");
    dir
}

/// The URL of a database in the shared cluster, which is started for the first who asks.
fn url(database: &str, user: &str) -> String {
    let mut cluster = CLUSTER.lock().unwrap_or_else(PoisonError::into_inner);
    let cluster = cluster.get_or_insert_with(|| {
        let dir = RUN_DIR.join("cluster");
        let server = start(&dir);
        let admin = server.url("postgres", OWNER);
        execute(&admin, &format!("create database {TEMPLATE}"));
        let template = server.url(TEMPLATE, OWNER);
        prepare(&template, None).expect("migrations and grants apply");
        furnish(&template, true);
        // Whoever is connected to a template keeps others from copying it.
        execute(&admin, &format!("alter database {TEMPLATE} allow_connections false"));
        Cluster { server, dir }
    });
    cluster.server.url(database, user)
}

/// Starts a fast server, for a test that needs one of its own to stop.
pub(crate) fn start(dir: &Path) -> Server {
    let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let extra_settings = vec![
        setting("max_connections", "500"),
        setting("shared_buffers", "64MB"),
        setting("max_wal_size", "256MB"),
        setting("autovacuum_naptime", "1d"),
    ];
    let options = Options { dir: dir.to_owned(), durability: Durability::Fast, extra_settings };
    Server::start(options).expect("a PostgreSQL server for the tests")
}

/// A database of its own for one test. Dropped when the test ends.
pub(crate) struct Db {
    /// Where it is, for a server.
    pub(crate) url: String,
    /// Where it is, as the owner of its tables: tests reach further than servers.
    pub(crate) owner_url: String,
    /// In the shared cluster.
    name: Option<String>,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

#[derive(QueryableByName)]
struct Words {
    #[diesel(sql_type = Text)]
    value: String,
}

impl Db {
    /// A copy of the furnished template: migrated, with the test programme, stores and staff.
    pub(crate) fn furnished() -> Self {
        let name = format!("t{}", next());
        execute(&url("postgres", OWNER), &format!("create database {name} template {TEMPLATE} strategy file_copy"));
        Self { owner_url: url(&name, OWNER), url: url(&name, APP), name: Some(name) }
    }

    /// A database without anything in it.
    pub(crate) fn empty() -> Self {
        let name = format!("t{}", next());
        execute(&url("postgres", OWNER), &format!("create database {name} template template0"));
        Self { owner_url: url(&name, OWNER), url: url(&name, APP), name: Some(name) }
    }

    /// Migrated, with stores and staff, and no programme.
    pub(crate) fn without_programme() -> Self {
        let db = Self::empty();
        prepare(&db.owner_url, None).expect("migrations and grants apply");
        furnish(&db.owner_url, false);
        db
    }

    /// The furnished database of a server of the test's own, which may be stopped.
    pub(crate) fn on(server: &Server) -> Self {
        let (url, owner_url) = (server.url("postgres", APP), server.url("postgres", OWNER));
        prepare(&owner_url, None).expect("migrations and grants apply");
        furnish(&owner_url, true);
        Self { url, owner_url, name: None }
    }

    /// A connection to it.
    pub(crate) fn connect(&self) -> Connection {
        connect(&self.owner_url)
    }

    /// Runs statements in it.
    pub(crate) fn execute(&self, sql: &str) {
        execute(&self.owner_url, sql);
    }

    /// What a query for one number finds; it is called `value`.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        sql_query(sql).get_result::<Number>(&mut self.connect()).unwrap_or_else(|error| panic!("{sql}: {error}")).value
    }

    /// What a query for texts finds; they are called `value`.
    pub(crate) fn texts(&self, sql: &str) -> Vec<String> {
        let found = sql_query(sql).load::<Words>(&mut self.connect());
        found.unwrap_or_else(|error| panic!("{sql}: {error}")).into_iter().map(|row| row.value).collect()
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        let Some(name) = &self.name else { return };
        let admin = Connection::establish(&url("postgres", OWNER));
        let dropped = admin
            .map(|mut admin| sql_query(format!("drop database if exists {name} with (force)")).execute(&mut admin));
        if !std::thread::panicking() {
            dropped.expect("the server of the tests").expect("the test's database is dropped");
        }
    }
}

fn connect(url: &str) -> Connection {
    Connection::establish(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

fn execute(url: &str, sql: &str) {
    connect(url).batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}
