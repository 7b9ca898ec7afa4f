//! Not only sales: returns, holds, captures and voids on their way when the server is killed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use tessera::clock::random_bytes;

use super::{KILLS, MEMBERS, TILLS, furnish_with, login, serve, verify};
use crate::support::app::PASSWORD;
use crate::support::db::scratch;
use crate::support::make::{self, Member, line, receipt};
use crate::support::process::tessera;
use crate::support::{Caller, as_soon_as, eventually};

const PIN: &str = "802915";
const REDEMPTIONS: &str = "/v1/till/redemptions";

/// Something that was asked, and the answer, once there was one.
struct Act {
    path: String,
    key: String,
    body: Value,
    answer: Option<(u16, String)>,
}

impl Act {
    /// Sends it, also again; false when nobody knows what became of it.
    fn send(&mut self, till: &Caller) -> bool {
        let request = till.request("POST", &self.path).header("Idempotency-Key", &self.key).json(&self.body);
        match request.try_send() {
            Ok(reply) if reply.status < 500 => {
                self.answer = Some((reply.status, reply.text));
                true
            }
            Ok(reply) => {
                assert_eq!(reply.status, 503, "{}", reply.text);
                false
            }
            Err(_) => false,
        }
    }

    fn id(&self) -> String {
        let (status, text) = self.answer.as_ref().expect("an answer");
        assert_eq!(*status, 201, "{} {text}", self.path);
        let answer: Value = serde_json::from_str(text).unwrap();
        answer["id"].as_str().unwrap().to_owned()
    }
}

/// One till, with all it has asked so far.
struct Till<'t> {
    caller: &'t Caller,
    acts: &'t Mutex<Vec<Act>>,
    answered: &'t AtomicU64,
}

impl Till<'_> {
    /// The id in the answer, where one is made; `None` when the server has gone.
    fn ask(&self, path: String, body: Value) -> Option<String> {
        let mut act = Act { path, key: make::key(), body, answer: None };
        let known = act.send(self.caller);
        let id = known.then(|| {
            if act.path.ends_with("/capture") || act.path.ends_with("/void") { String::new() } else { act.id() }
        });
        self.acts.lock().unwrap_or_else(PoisonError::into_inner).push(act);
        self.answered.fetch_add(u64::from(known), Ordering::Relaxed);
        id
    }

    /// Sells, takes a part back, sets points aside and spends or frees them, until the server is gone.
    fn work(&self, members: &[Member], first: usize) -> Option<()> {
        for i in first.. {
            let member = &members[i % members.len()];
            let sale = self.ask("/v1/till/purchases".to_owned(), receipt(member, &[line(20_000), line(10_000)]))?;
            let hold = json!({"member_id": member.id, "points": 100, "mode": "hold", "authorisation": {"pin": PIN}});
            let hold = self.ask(REDEMPTIONS.to_owned(), hold)?;
            let goods = json!({"external_id": make::key(), "lines": [{"line": 2}], "reason": "damaged"});
            self.ask(format!("/v1/till/purchases/{sale}/returns"), goods)?;
            if i % 2 == 0 {
                self.ask(format!("{REDEMPTIONS}/{hold}/capture"), json!({"points": 50}))?;
            }
            if i % 3 == 0 {
                self.ask(format!("{REDEMPTIONS}/{hold}/void"), json!({}))?;
            }
        }
        None
    }
}

/// Load until a random number of acts are answered, then a kill in the middle of it.
fn round(dir: &Path, token: &str, members: &[Member], acts: &Mutex<Vec<Act>>) {
    let (mut process, anon) = serve(dir);
    let caller = anon.with_token(token);
    let answered = AtomicU64::new(0);
    let [byte] = random_bytes();
    let after = 40 + u64::from(byte);
    std::thread::scope(|scope| {
        for first in 0..TILLS {
            let till = Till { caller: &caller, acts, answered: &answered };
            scope.spawn(move || till.work(members, first));
        }
        as_soon_as(|| answered.load(Ordering::Relaxed) >= after);
        process.signal(libc::SIGKILL);
    });
    assert!(answered.load(Ordering::Relaxed) >= after, "the server worked");
    assert_eq!(eventually("the server is dead", || process.ended()).code(), None, "killed, not ended");
}

/// What the answers say a member has: points earned and taken back, spent and set aside.
fn expected(acts: &[Act]) -> BTreeMap<String, i64> {
    let mut of_sale = BTreeMap::new();
    let mut of_hold: BTreeMap<String, (String, i64, i64)> = BTreeMap::new();
    let mut points: BTreeMap<String, i64> = BTreeMap::new();
    for act in acts {
        let (status, text) = act.answer.as_ref().expect("an answer");
        assert!(matches!(status, 200 | 201), "{} {text}", act.path);
        let answer: Value = serde_json::from_str(text).unwrap();
        let id = answer["id"].as_str().unwrap().to_owned();
        if act.path == "/v1/till/purchases" {
            let member = act.body["member_id"].as_str().unwrap().to_owned();
            *points.entry(member.clone()).or_default() += answer["points"]["given"].as_i64().unwrap();
            of_sale.insert(id, member);
        } else if act.path.ends_with("/returns") {
            let member = &of_sale[answer["purchase_id"].as_str().unwrap()];
            *points.get_mut(member).expect("a sale before") -= answer["points"]["clawed"].as_i64().unwrap();
        } else if act.path == REDEMPTIONS {
            of_hold.insert(id, (act.body["member_id"].as_str().unwrap().to_owned(), 0, 100));
        } else {
            let (_, spent, held) = of_hold.get_mut(&id).expect("a hold before");
            (*spent, *held) = if act.path.ends_with("/capture") { (50, 0) } else { (0, 0) };
        }
    }
    for (member, spent, held) in of_hold.into_values() {
        *points.get_mut(&member).expect("a sale before") -= spent + held;
    }
    points
}

#[test]
fn returns_captures_and_voids_outlive_a_kill_too() {
    let dir = scratch("killmixed");
    let members = furnish_with(&dir, MEMBERS);
    let (mut process, anon) = serve(&dir);
    let token = login(&anon);
    for member in &members {
        let body = json!({"identifier": member.code, "password": PASSWORD});
        let signed_in = anon.post("/v1/auth/login", &body).expect(200);
        let own = anon.with_token(signed_in["access_token"].as_str().unwrap());
        own.put("/v1/member/pin", &json!({"pin": PIN, "password": PASSWORD})).expect(204);
    }
    process.signal(libc::SIGTERM);
    assert!(process.wait().success());

    let acts = Mutex::new(Vec::new());
    for _ in 0..KILLS {
        round(&dir, &token, &members, &acts);
    }
    let mut acts = acts.into_inner().unwrap();
    let (mut process, anon) = serve(&dir);
    let till = anon.with_token(&token);
    let mut unknown = 0;
    for act in &mut acts {
        let first = act.answer.take();
        unknown += u64::from(first.is_none());
        assert!(act.send(&till), "{} {}", act.path, act.body);
        assert!(first.is_none() || first == act.answer, "another answer than the first: {first:?} {:?}", act.answer);
    }
    assert!(unknown >= 1, "no kill met anything on its way");
    for kind in ["/purchases", "/returns", "/redemptions", "/capture", "/void"] {
        assert!(acts.iter().any(|act| act.path.ends_with(kind)), "{kind}");
    }
    for (member, points) in expected(&acts) {
        let balance = till.get(&format!("/v1/till/members/{member}/balance")).expect(200);
        assert_eq!(balance["available"], points, "nothing is missing and nothing is there twice");
    }
    process.signal(libc::SIGTERM);
    assert!(process.wait().success());
    assert_eq!(verify(tessera(&dir).args(["verify", "--json"]))["members"], MEMBERS);
}
