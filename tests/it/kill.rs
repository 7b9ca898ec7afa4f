//! The real binary, killed under load at any moment: what was acknowledged is there, and once. And
//! stopped in good order: nothing is cut off.

mod budget;
mod halfway;
mod mixed;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use tessera::access::{password, set_member_password};
use tessera::clock::{Clock, random_bytes};
use tessera::engine::{NewMember, enrol};
use tessera::postgres::{Durability, Options, Server};

use crate::support::app::PASSWORD;
use crate::support::db::{Db, scratch};
use crate::support::make::{self, Member, line, receipt};
use crate::support::process::{Process, finish, tessera};
use crate::support::{Caller, as_soon_as, eventually};

/// Threads that sell.
const TILLS: usize = 8;
/// How often the server is killed.
const KILLS: usize = 3;
/// Members they sell to: few, so that they meet.
const MEMBERS: usize = 5;

/// A sale on its way or acknowledged.
struct Sale {
    key: String,
    body: Value,
    /// The answer, once there was one.
    acknowledged: Option<String>,
}

/// A durable private cluster as `tessera serve` keeps it, with the test programme and staff.
fn furnish(dir: &Path) {
    furnish_with(dir, 0);
}

/// As [`furnish`], with members who have a password.
fn furnish_with(dir: &Path, members: usize) -> Vec<Member> {
    let options =
        Options { dir: dir.join(".tessera/postgres"), durability: Durability::Durable, extra_settings: Vec::new() };
    let server = Server::start(options).expect("a durable server");
    let db = Db::on(&server);
    let mut conn = db.connect();
    let hash = password::hash_now(PASSWORD).expect("a hash");
    let one = |_| {
        let new = NewMember {
            name: "Lin Xiaoyu".to_owned(),
            phone: None,
            email: None,
            external_id: None,
            birth_date: None,
            locale: "en".to_owned(),
            store: None,
            enrolled_at: Clock::wall().now(),
            referred_by: None,
        };
        let row = enrol(&mut conn, new).expect("a member");
        set_member_password(&mut conn, row.member(), &hash).expect("a password");
        Member { id: row.member().to_string(), code: row.code }
    };
    let members = (0..members).map(one).collect();
    drop((conn, db));
    server.stop().expect("the server stops");
    members
}

fn serve(dir: &Path) -> (Process, Caller) {
    let mut process = Process::start(tessera(dir).arg("serve").env("TESSERA__AUTH__ACCESS_TTL_SECONDS", "3600"));
    let caller = process.listening();
    (process, caller)
}

fn login(anon: &Caller) -> String {
    let body = json!({"identifier": "cashier-west", "password": PASSWORD});
    let signed_in = anon.post("/v1/auth/login", &body).expect(200);
    signed_in["access_token"].as_str().unwrap().to_owned()
}

/// Sends a sale; true when it was acknowledged.
fn send(till: &Caller, sale: &mut Sale) -> bool {
    let request = till.request("POST", "/v1/till/purchases").header("Idempotency-Key", &sale.key).json(&sale.body);
    match request.try_send() {
        Ok(reply) if reply.status == 201 => {
            sale.acknowledged = Some(reply.text);
            true
        }
        Ok(reply) => {
            assert_eq!(reply.status, 503, "{}", reply.text);
            false
        }
        // Killed: nobody knows.
        Err(_) => false,
    }
}

/// Sells until told to stop or the server is gone. Every sale is kept, acknowledged or not.
fn sell(till: &Caller, members: &[Member], sales: &Mutex<Vec<Sale>>, stop: &AtomicBool, acknowledged: &AtomicU64) {
    for i in 0.. {
        let lines = [line(i64::from(i % 7 + 1) * 100)];
        let body = receipt(&members[i as usize % members.len()], &lines);
        let mut sale = Sale { key: make::key(), body, acknowledged: None };
        let went_well = send(till, &mut sale);
        sales.lock().unwrap_or_else(PoisonError::into_inner).push(sale);
        acknowledged.fetch_add(u64::from(went_well), Ordering::Relaxed);
        if !went_well || stop.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// Load until a random number of sales are acknowledged, then a kill in the middle of it.
fn round(dir: &Path, token: &str, members: &[Member], sales: &Mutex<Vec<Sale>>) {
    let (mut process, anon) = serve(dir);
    let till = anon.with_token(token);
    let (stop, acknowledged) = (AtomicBool::new(false), AtomicU64::new(0));
    let [byte] = random_bytes();
    let after = 20 + u64::from(byte);
    std::thread::scope(|scope| {
        for _ in 0..TILLS {
            scope.spawn(|| sell(&till, members, sales, &stop, &acknowledged));
        }
        as_soon_as(|| acknowledged.load(Ordering::Relaxed) >= after);
        process.signal(libc::SIGKILL);
        stop.store(true, Ordering::Relaxed);
    });
    assert!(acknowledged.load(Ordering::Relaxed) >= after, "the server took sales");
    assert_eq!(eventually("the server is dead", || process.ended()).code(), None, "killed, not ended");
}

#[test]
fn killed_at_any_moment_it_keeps_what_it_acknowledged() {
    let dir = scratch("kill");
    furnish(&dir);
    let (mut process, anon) = serve(&dir);
    let token = login(&anon);
    let till = anon.with_token(&token);
    let members: Vec<Member> = (0..MEMBERS).map(|_| make::member(&till)).collect();
    process.signal(libc::SIGTERM);
    assert!(process.wait().success());

    let sales = Mutex::new(Vec::new());
    for _ in 0..KILLS {
        round(&dir, &token, &members, &sales);
    }

    let mut sales = sales.into_inner().unwrap();
    let (mut process, anon) = serve(&dir);
    let till = anon.with_token(&token);
    let mut unknown = 0;
    for sale in &mut sales {
        let first = sale.acknowledged.clone();
        unknown += u64::from(first.is_none());
        // Whoever does not know sends again under the same key; whoever knows is told the same.
        assert!(send(&till, sale), "{}", sale.body);
        let answer = sale.acknowledged.clone().unwrap();
        assert!(first.is_none_or(|first| first == answer), "another answer than the first");
        let number = sale.body["external_id"].as_str().unwrap();
        let found = till.get(&format!("/v1/till/purchases?external_id={number}"));
        assert_eq!(found.text, format!("{{\"data\":[{answer}],\"next_cursor\":null}}"));
    }
    assert!(unknown >= 1, "no kill met a sale on its way");
    let mut expected: BTreeMap<&str, i64> = BTreeMap::new();
    for sale in &sales {
        let answer: Value = serde_json::from_str(sale.acknowledged.as_ref().unwrap()).unwrap();
        *expected.entry(sale.body["member_id"].as_str().unwrap()).or_default() +=
            answer["points"]["given"].as_i64().unwrap();
    }
    for (member, points) in expected {
        let balance = till.get(&format!("/v1/till/members/{member}/balance")).expect(200);
        assert_eq!(balance["available"], points, "nothing is missing and nothing is there twice");
    }
    process.signal(libc::SIGTERM);
    assert!(process.wait().success());

    let verified = verify(tessera(&dir).args(["verify", "--json"]));
    assert_eq!(verified["members"], MEMBERS);
    assert_eq!(verified["entries"], sales.len());
}

fn verify(command: &mut Command) -> Value {
    let (code, out, err) = finish(command);
    assert_eq!(code, 0, "{out}{err}");
    let verified: Value = serde_json::from_str(&out).expect("one line of JSON");
    assert_eq!(verified["ok"], true, "{out}");
    verified
}

#[test]
fn told_to_stop_it_finishes_what_it_has_begun() {
    let dir = scratch("drain");
    furnish(&dir);
    let (mut process, anon) = serve(&dir);
    let till = anon.with_token(&login(&anon));
    let members: Vec<Member> = (0..MEMBERS).map(|_| make::member(&till)).collect();
    anon.get("/readyz").expect(200);

    let (stop, acknowledged, sales) = (AtomicBool::new(false), AtomicU64::new(0), Mutex::new(Vec::new()));
    let draining = std::thread::scope(|scope| {
        for _ in 0..TILLS {
            scope.spawn(|| sell(&till, &members, &sales, &stop, &acknowledged));
        }
        eventually("sales are taken", || (acknowledged.load(Ordering::Relaxed) > 20).then_some(()));
        process.signal(libc::SIGTERM);
        let draining = eventually("readyz says that it shuts down", || {
            let reply = anon.request("GET", "/readyz").try_send().ok()?;
            (reply.status == 503).then_some(reply)
        });
        // It still serves: whoever sends it work is being told to look elsewhere.
        let before = acknowledged.load(Ordering::Relaxed);
        eventually("sales are still taken", || (acknowledged.load(Ordering::Relaxed) > before).then_some(()));
        stop.store(true, Ordering::Relaxed);
        draining
    });
    draining.problem(503, "shutting_down");
    assert!(process.wait().success(), "exit 0");
    assert!(!dir.join(".tessera/postgres/data/postmaster.pid").exists(), "the private server has stopped");

    let sales = sales.into_inner().unwrap();
    assert!(sales.iter().all(|sale| sale.acknowledged.is_some()), "none was cut off");
    let verified = verify(tessera(&dir).args(["verify", "--json"]));
    assert_eq!(verified["entries"], sales.len());
}
