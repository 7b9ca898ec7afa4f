//! The real server, started in this process on a database of its own.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tessera::access::{self, NewStaff, StaffRole, otp};
use tessera::app::{Database, Running};
use tessera::clock::{Clock, new_uuid};
use tessera::config::Settings;
use tessera::engine::{Engine, configure};
use tessera::postgres::Durability;
use tessera::store::db::Connection;
use tessera::store::shop::{self, ShopRow};
use tessera::store::{sandbox, secret};
use tessera::{api, telemetry};
use tessera_rules::id::{MemberId, StoreId};
use tessera_rules::{Actor, Programme};

use super::db::{Db, scratch};
use super::process::{finish, tessera};
use super::{Caller, Member};

/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Hashed once: it is meant to be slow.
static HASH: LazyLock<String> = LazyLock::new(|| access::password::hash_now(PASSWORD).expect("a hash"));

/// When every test begins, on the programme's clock: noon of a Wednesday in Shanghai.
pub(crate) const START: &str = "2031-03-05T04:00:00Z";

/// The stores, by code.
pub(crate) const STORES: [&str; 2] = ["west", "east"];

/// Puts stores and staff into a migrated database, and the programme unless that is to be missing.
pub(crate) fn furnish(url: &str, with_programme: bool) {
    use diesel::Connection as _;
    let mut conn = Connection::establish(url).expect("the database");
    let start: DateTime<Utc> = START.parse().expect("an instant");
    if with_programme {
        apply(&mut conn, &programme());
    }
    for code in STORES {
        let row =
            ShopRow { id: new_uuid(), code: code.to_owned(), name: code.to_owned(), version: 1, created_at: start };
        shop::insert(&mut conn, &row).expect("a store");
        for role in [StaffRole::Cashier, StaffRole::Manager] {
            hire(&mut conn, &format!("{}-{code}", role.as_str()), role, Some(row.store()));
        }
    }
    hire(&mut conn, "admin", StaffRole::Admin, None);
}

fn hire(conn: &mut Connection, identifier: &str, role: StaffRole, store: Option<StoreId>) {
    let new = NewStaff { identifier: identifier.to_owned(), name: identifier.to_owned(), role, store };
    access::create_staff(conn, &new, HASH.clone(), Clock::wall().wall_now()).expect("staff");
}

/// The test programme, to be changed.
pub(crate) fn programme() -> Value {
    toml::from_str(include_str!("programme.toml")).expect("the test programme is TOML")
}

/// Puts a programme in force.
pub(crate) fn apply(conn: &mut Connection, programme: &Value) {
    let programme: Programme = serde_json::from_value(programme.clone()).expect("the test programme is a programme");
    let start = START.parse().expect("an instant");
    configure::apply(conn, None, &programme, start, Actor::SYSTEM, "test", "programme").expect("the test programme");
}

/// A server with its database. Stopped and dropped when the test ends.
pub(crate) struct App {
    running: Option<Running>,
    anon: Caller,
    tokens: Mutex<HashMap<String, Arc<str>>>,
    data: PathBuf,
    /// Whether the books are verified at the end. Not where a test has rewritten them.
    pub(crate) verified: bool,
    /// Its database.
    pub(crate) db: Arc<Db>,
}

impl App {
    /// With the test programme, in the sandbox, at [`START`].
    pub(crate) fn start() -> Self {
        Self::on(Db::furnished(), &[])
    }

    /// With a changed programme.
    pub(crate) fn with(change: impl FnOnce(&mut Value)) -> Self {
        let db = Db::furnished();
        let mut document = programme();
        change(&mut document);
        apply(&mut db.connect(), &document);
        Self::on(db, &[])
    }

    /// On a database, with settings of its own (`HTTP__WORKERS`, …).
    pub(crate) fn on(db: Db, settings: &[(&str, &str)]) -> Self {
        let start: DateTime<Utc> = START.parse().expect("an instant");
        let ahead = (start - Clock::wall().wall_now()).num_microseconds().expect("an offset");
        sandbox::advance(&mut db.connect(), ahead).expect("the sandbox clock");
        Self::run(Arc::new(db), scratch("app"), settings)
    }

    /// A second process on the database of another, with the same keys.
    pub(crate) fn beside(other: &Self) -> Self {
        Self::run(other.db.clone(), other.data.clone(), &[])
    }

    fn run(db: Arc<Db>, data: PathBuf, settings: &[(&str, &str)]) -> Self {
        let settings = settings_for(&db.url, &data, settings);
        telemetry::init(&settings.log).expect("logs and metrics");
        let database = Database::open(&settings, Durability::Fast).expect("the database");
        let running = tessera::app::App::start_on(&settings, database).expect("the server starts");
        let anon = Caller::anon(running.address());
        Self { running: Some(running), anon, tokens: Mutex::default(), data, verified: true, db }
    }

    /// Somebody who is not signed in.
    pub(crate) fn anon(&self) -> Caller {
        self.anon.clone()
    }

    /// The cashier of the store `west`.
    pub(crate) fn cashier(&self) -> Caller {
        self.signed_in("cashier-west")
    }

    /// The cashier of the store `east`.
    pub(crate) fn other_cashier(&self) -> Caller {
        self.signed_in("cashier-east")
    }

    /// The manager of the store `west`.
    pub(crate) fn manager(&self) -> Caller {
        self.signed_in("manager-west")
    }

    /// The admin.
    pub(crate) fn admin(&self) -> Caller {
        self.signed_in("admin")
    }

    /// A member, who is given a password for it.
    pub(crate) fn member(&self, member: &Member) -> Caller {
        self.give_password(member);
        self.signed_in(&member.code)
    }

    /// Gives a member the password of everybody.
    pub(crate) fn give_password(&self, member: &Member) {
        let id: MemberId = member.id.parse().expect("a member's id");
        access::set_member_password(&mut self.db.connect(), id, &HASH).expect("a password");
    }

    /// The code a member's card shows at a wall time some steps of 30 seconds from now.
    pub(crate) fn otp_in(&self, member: &Member, steps: i64) -> String {
        let id: MemberId = member.id.parse().expect("a member's id");
        let proofs = secret::proofs(&mut self.db.connect(), id).expect("the database").expect("a credential row");
        let at = Clock::wall().wall_now() + TimeDelta::seconds(steps * otp::STEP_SECONDS);
        otp::code_at(&proofs.otp_secret, at).expect("a code").digits
    }

    /// The code a member's card shows now.
    pub(crate) fn otp(&self, member: &Member) -> String {
        self.otp_in(member, 0)
    }

    /// Signs in, once for each identifier.
    pub(crate) fn signed_in(&self, identifier: &str) -> Caller {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let token = tokens.entry(identifier.to_owned()).or_insert_with(|| {
            let signed_in = self.login(identifier, PASSWORD).expect(200);
            signed_in["access_token"].as_str().expect("a token").into()
        });
        self.anon.with_token(token)
    }

    /// Signs in anew.
    pub(crate) fn login(&self, identifier: &str, password: &str) -> super::Reply {
        let body = json!({"identifier": identifier, "password": password});
        self.anon.request("POST", "/v1/auth/login").json(&body).send()
    }

    /// Puts another programme in force while the server runs.
    pub(crate) fn reconfigure(&self, change: impl FnOnce(&mut Value)) {
        let mut document = programme();
        change(&mut document);
        apply(&mut self.db.connect(), &document);
    }

    /// The write path of this process, for commands that no request can make.
    pub(crate) fn engine(&self) -> &Engine {
        self.running.as_ref().expect("the server runs").engine()
    }

    /// Stops the server before the test ends: its jobs would act on rows that a test has changed.
    pub(crate) fn stop(&mut self) {
        self.running.take().map_or(Ok(()), Running::stop).expect("the server stops");
    }

    /// Moves the sandbox clock on.
    pub(crate) fn advance(&self, by: &str) -> Value {
        self.admin().post("/v1/sandbox/clock/advance", &json!({"by": by})).expect(200)
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let stopped = self.running.take().map(Running::stop);
        if std::thread::panicking() {
            return;
        }
        stopped.unwrap_or(Ok(())).expect("the server stops");
        if self.verified {
            let (code, out, err) = finish(tessera(&self.data).arg("verify").env("DATABASE_URL", &self.db.url));
            assert_eq!(code, 0, "the books do not add up: {out}{err}");
        }
        // What was answered so far, by any test, the OpenAPI document must foretell. One test tells.
        static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
        let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
        let lacks: Vec<String> =
            api::openapi::undocumented().into_iter().filter(|answer| told.insert(answer.clone())).collect();
        drop(told);
        assert!(lacks.is_empty(), "answers that the OpenAPI document lacks: {lacks:#?}");
    }
}

/// Settings as a process would read them, with a few of its own.
pub(crate) fn settings_for(url: &str, data: &Path, own: &[(&str, &str)]) -> Settings {
    let level = std::env::var("TEST_LOG").unwrap_or_else(|_| "off".to_owned());
    let mut environment: HashMap<String, String> = [
        ("DATABASE_URL", url),
        ("TESSERA__SANDBOX", "true"),
        ("TESSERA__HTTP__BIND", "127.0.0.1:0"),
        ("TESSERA__HTTP__WORKERS", "2"),
        ("TESSERA__DATABASE__POOL_SIZE", "6"),
        ("TESSERA__LOG__LEVEL", &level),
        ("TESSERA__DATA_DIR", data.to_str().expect("a path in UTF-8")),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    environment.extend(own.iter().map(|(name, value)| (format!("TESSERA__{name}"), (*value).to_owned())));
    Settings::load_from(Path::new("/nonexistent"), environment).expect("settings")
}
