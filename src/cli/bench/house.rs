//! A house: a database with a programme, a store, a cashier and members, and a server on it.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};
use tessera_rules::{Actor, Programme};

use super::http;
use super::stage::{Stage, command};
use crate::access::{NewStaff, StaffRole, create_staff, password};
use crate::app;
use crate::clock::{Clock, new_uuid};
use crate::engine::{NewMember, configure, enrol};
use crate::store::Pool;
use crate::store::bench::execute;
use crate::store::db::{Connection, transaction};
use crate::store::shop::{self, ShopRow};

/// The programme that the demo starts with.
pub(super) const DEMO: &str = include_str!("../../../config/programmes/demo.toml");
/// Code of the store, and so the source of its receipts.
pub(super) const STORE: &str = "main";
const CASHIER: &str = "bench-cashier";
const PASSWORD: &str = "a password for the bench";
/// Members enrolled in one transaction.
const CHUNK: u32 = 500;
/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// The programme of the demo, to be changed.
pub(super) fn demo() -> anyhow::Result<Value> {
    Ok(toml::from_str(DEMO)?)
}

/// A server and what is needed to ask it. A clone is the same one; the last stops it.
#[derive(Clone)]
pub(super) struct House {
    pub(super) database: String,
    pub(super) address: SocketAddr,
    /// Of a cashier.
    pub(super) token: String,
    pub(super) members: Arc<[String]>,
    server: Arc<Served>,
}

impl House {
    /// Makes the database, and starts a server with these settings on it.
    pub(super) fn open(
        stage: &Stage,
        name: &str,
        programme: &Value,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        furnish(stage, name, programme)?;
        Self::serve(stage, name, name, settings)
    }

    /// Starts a server on a database that is there.
    pub(super) fn serve(stage: &Stage, name: &str, database: &str, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let url = stage.app_url(database);
        // Free a moment ago.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = command(&stage.home(name)?, &url)?
            .arg("serve")
            .env("TESSERA__HTTP__BIND", address.to_string())
            .env("TESSERA__AUTH__ACCESS_TTL_SECONDS", "3600")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let mut server = Served(child);
        let asked = Instant::now();
        while !http::ask(address, "GET", "/readyz", "", None).is_ok_and(|(status, _)| status == 200) {
            anyhow::ensure!(server.0.try_wait()?.is_none() && asked.elapsed() < PATIENCE, "the server did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        let token = sign_in(address)?;
        let members = members(&url)?.into();
        Ok(Self { database: database.to_owned(), address, token, members, server: Arc::new(server) })
    }

    /// The process of its server.
    pub(super) fn pid(&self) -> u32 {
        self.server.0.id()
    }
}

/// Makes a database with a programme and members.
pub(super) fn furnish(stage: &Stage, database: &str, programme: &Value) -> anyhow::Result<()> {
    furnish_for(stage, database, programme, stage.plan.members)
}

/// As [`furnish`], for so many members.
pub(super) fn furnish_for(stage: &Stage, database: &str, programme: &Value, members: u32) -> anyhow::Result<()> {
    let template = format!("members_{members}");
    if !stage.has(&template)? {
        stage.say(&format!("enrolling {members} members"));
        // Known by its name only once it is whole.
        stage.create("unfinished", None)?;
        app::prepare(&stage.owner_url("unfinished"), None)?;
        fill(&stage.app_url("unfinished"), members)?;
        execute(&stage.owner_url("unfinished"), "vacuum analyze")?;
        stage.create(&template, Some("unfinished"))?;
        stage.discard("unfinished")?;
    }
    stage.create(database, Some(&template))?;
    apply(&stage.app_url(database), programme)?;
    stage.checkpoint()
}

/// Puts a programme in force.
fn apply(url: &str, programme: &Value) -> anyhow::Result<()> {
    let programme: Programme = serde_json::from_value(programme.clone())?;
    let now = Clock::wall().now();
    let apply = |conn: &mut Connection| {
        Ok(configure::apply(conn, None, &programme, now, Actor::SYSTEM, "programme.apply", "programme"))
    };
    Pool::connect_patient(url, 1)?.blocking(apply)??;
    Ok(())
}

/// A store, a cashier, and members with phone number and card. They enrolled two years ago, so that
/// history may be imported.
fn fill(url: &str, count: u32) -> anyhow::Result<()> {
    let pool = Pool::connect_patient(url, 1)?;
    let now = Clock::wall().now();
    let enrolled_at = now - chrono::TimeDelta::days(730);
    let store =
        ShopRow { id: new_uuid(), code: STORE.to_owned(), name: "Main".to_owned(), version: 1, created_at: now };
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
        enrolled_at,
        referred_by: None,
    };
    for first in (0..count).step_by(usize::try_from(CHUNK)?) {
        let chunk = first..count.min(first + CHUNK);
        pool.blocking(|conn| {
            transaction(conn, |conn| chunk.into_iter().try_for_each(|i| enrol(conn, member(i)).map(drop)))
        })?;
    }
    Ok(())
}

/// The ids of everybody, as they are written.
fn members(url: &str) -> anyhow::Result<Vec<String>> {
    let ids = Pool::connect_patient(url, 1)?.blocking(crate::store::bench::members)?;
    Ok(ids.iter().map(ToString::to_string).collect())
}

/// A token of the cashier.
pub(super) fn sign_in(address: SocketAddr) -> anyhow::Result<String> {
    let login = json!({ "identifier": CASHIER, "password": PASSWORD }).to_string();
    let (status, answer) = http::ask(address, "POST", "/v1/auth/login", "", Some(&login))?;
    anyhow::ensure!(status == 200, "signing in: {answer}");
    let answer: Value = serde_json::from_str(&answer)?;
    Ok(answer["access_token"].as_str().context("no token")?.to_owned())
}

/// A server's process; killed when dropped: what it has not finished nobody needs.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        // Where it has ended there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
