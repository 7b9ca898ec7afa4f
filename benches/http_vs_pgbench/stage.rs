//! What both sides play on: one private durable PostgreSQL with a database each, Tessera's with a
//! programme, a store, a cashier and members, and the server as a process of its own.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use diesel::Connection as _;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use tessera::access::{NewStaff, StaffRole, create_staff, password};
use tessera::app;
use tessera::clock::{Clock, new_uuid};
use tessera::engine::{NewMember, configure, enrol};
use tessera::postgres::{Durability, OWNER, Options, Server};
use tessera::store::db::{Connection, transaction};
use tessera::store::shop::{self, ShopRow};
use tessera::store::{Pool, role};
use tessera_rules::id::MemberId;
use tessera_rules::{Actor, Programme};

use crate::load::Target;
use crate::say;

/// What is measured: the programme that the demo starts with.
const PROGRAMME: &str = include_str!("../../config/programmes/demo.toml");
const TESSERA: &str = "tessera";
const PGBENCH: &str = "pgbench";
const CASHIER: &str = "bench-cashier";
const PASSWORD: &str = "a password for the bench";
/// Members enrolled in one transaction.
const CHUNK: u32 = 500;
/// How long the server may take to start, and to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything that runs.
pub(crate) struct Stage {
    dir: PathBuf,
    // Dropped before what it works on.
    server: Served,
    postgres: Server,
    address: SocketAddr,
    members: Vec<MemberId>,
}

impl Stage {
    /// Starts PostgreSQL, fills Tessera's database and starts the server on it.
    pub(crate) fn set(members: u32) -> anyhow::Result<Self> {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("http_vs_pgbench");
        let options =
            Options { dir: dir.join("postgres"), durability: Durability::Durable, extra_settings: Vec::new() };
        // A run that was cut short may have left a cluster, with its server even: it is used again.
        let postgres = Server::start(options)?;
        let url = |database: &str, role: &str| postgres.url(database, role);
        for database in [TESSERA, PGBENCH] {
            let cluster = url("postgres", OWNER);
            execute(&cluster, &format!("drop database if exists {database} with (force)"))?;
            execute(&cluster, &format!("create database {database}"))?;
        }
        app::prepare(&url(TESSERA, OWNER), None)?;
        execute(&url(PGBENCH, OWNER), &format!("grant create on database {PGBENCH} to {}", role::APP))?;

        say(&format!("enrolling {members} members"));
        let members = fill(&url(TESSERA, role::APP), members)?;
        execute(&url(TESSERA, OWNER), "vacuum analyze")?;
        let (server, address) = serve(&dir, &url(TESSERA, role::APP))?;
        Ok(Self { dir, server, postgres, address, members })
    }

    /// The token of a cashier, whom to ask, and about whom.
    pub(crate) fn sign_in(&self) -> anyhow::Result<Target> {
        let login = serde_json::json!({ "identifier": CASHIER, "password": PASSWORD });
        let url = format!("http://{}/v1/auth/login", self.address);
        let answer: serde_json::Value = ureq::post(url).send_json(login)?.body_mut().read_json()?;
        let token = answer["access_token"].as_str().context("no token")?.to_owned();
        let members = self.members.iter().map(ToString::to_string).collect();
        Ok(Target { address: self.address, token, members })
    }

    pub(crate) fn postmaster(&self) -> u32 {
        self.postgres.pid()
    }

    pub(crate) fn server(&self) -> u32 {
        self.server.0.id()
    }

    /// A path beside the cluster.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// pgbench's database, as the role that the server works as too.
    pub(crate) fn pgbench_url(&self) -> String {
        self.postgres.url(PGBENCH, role::APP)
    }

    pub(crate) fn execute(&self, url: &str, sql: &str) -> anyhow::Result<()> {
        execute(url, sql)
    }

    pub(crate) fn checkpoint(&self) -> anyhow::Result<()> {
        execute(&self.postgres.url("postgres", OWNER), "checkpoint")
    }

    /// Bytes of log written so far.
    pub(crate) fn wal(&self) -> anyhow::Result<i64> {
        let mut conn = PgConnection::establish(&self.postgres.url("postgres", OWNER))?;
        let bytes = diesel::dsl::sql::<BigInt>("pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint");
        Ok(diesel::select(bytes).get_result(&mut conn)?)
    }

    /// Commands decided and transactions made so far, by the server's own count.
    pub(crate) fn batches(&self) -> anyhow::Result<(f64, f64)> {
        let text = ureq::get(format!("http://{}/metrics", self.address)).call()?.body_mut().read_to_string()?;
        let value = |name: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
            found.unwrap_or(0.0)
        };
        Ok((value("tessera_batch_size_sum "), value("tessera_batch_size_count ")))
    }

    /// Stops everything and removes it.
    pub(crate) fn strike(self) -> anyhow::Result<()> {
        let Self { dir, server, postgres, .. } = self;
        server.stop()?;
        postgres.stop()?;
        Ok(std::fs::remove_dir_all(dir)?)
    }
}

fn execute(url: &str, sql: &str) -> anyhow::Result<()> {
    Ok(PgConnection::establish(url)?.batch_execute(sql)?)
}

/// The programme, a store, a cashier, and members with phone and birth date.
fn fill(url: &str, count: u32) -> anyhow::Result<Vec<MemberId>> {
    let pool = Pool::connect_patient(url, 1)?;
    let now = Clock::wall().now();
    let programme: Programme = toml::from_str(PROGRAMME)?;
    let apply = |conn: &mut Connection| {
        Ok(configure::apply(conn, None, &programme, now, Actor::SYSTEM, "programme.apply", "programme"))
    };
    pool.blocking(apply)??;
    let store =
        ShopRow { id: new_uuid(), code: "main".to_owned(), name: "Main".to_owned(), version: 1, created_at: now };
    let cashier = NewStaff {
        identifier: CASHIER.to_owned(),
        name: "Cashier".to_owned(),
        role: StaffRole::Cashier,
        store: Some(store.store()),
    };
    let hash = password::hash_now(PASSWORD)?;
    pool.blocking(|conn| {
        shop::insert(conn, &store)?;
        create_staff(conn, &cashier, hash, now)
    })?;
    let member = |i: u32| NewMember {
        name: format!("Member {i}"),
        phone: Some(format!("+86138{i:08}")),
        email: None,
        external_id: Some(format!("card-{i}")),
        birth_date: None,
        locale: "zh-CN".to_owned(),
        store: Some(store.store()),
        enrolled_at: now,
        referred_by: None,
    };
    let mut members = Vec::new();
    for first in (0..count).step_by(usize::try_from(CHUNK)?) {
        let ids = pool.blocking(|conn| {
            transaction(conn, |conn| {
                let chunk = first..count.min(first + CHUNK);
                chunk.map(|i| Ok(enrol(conn, member(i))?.member())).collect::<Result<Vec<_>, tessera::store::Error>>()
            })
        })?;
        members.extend(ids);
    }
    Ok(members)
}

/// `tessera serve`, as it is shipped but for where it listens and works. Further settings may come
/// from the environment.
fn serve(dir: &Path, database: &str) -> anyhow::Result<(Served, SocketAddr)> {
    let home = dir.join("server");
    std::fs::create_dir_all(&home)?;
    // Free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let server = Command::new(env!("CARGO_BIN_EXE_tessera"))
        .arg("serve")
        .current_dir(&home)
        .env("DATABASE_URL", database)
        .env_remove("DATABASE_OWNER_URL")
        .env("TESSERA__HTTP__BIND", address.to_string())
        .env("TESSERA__AUTH__ACCESS_TTL_SECONDS", "3600")
        .env("TESSERA__LOG__LEVEL", "warn")
        .spawn()?;
    let mut server = Served(server);
    let asked = Instant::now();
    while ureq::get(format!("http://{address}/readyz")).call().is_err() {
        anyhow::ensure!(server.0.try_wait()?.is_none() && asked.elapsed() < PATIENCE, "the server did not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok((server, address))
}

/// The server's process; killed when dropped before it was stopped.
struct Served(Child);

impl Served {
    fn stop(mut self) -> anyhow::Result<()> {
        let pid = libc::pid_t::try_from(self.0.id())?;
        // SAFETY: signals a child that has not been waited for.
        unsafe { libc::kill(pid, libc::SIGTERM) };
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE {
            if let Some(status) = self.0.try_wait()? {
                anyhow::ensure!(status.success(), "the server ended with {status}");
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        anyhow::bail!("the server does not stop")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Where it has ended there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
