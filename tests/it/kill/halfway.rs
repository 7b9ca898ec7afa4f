//! Killed between two steps of one request: what was half done is finished by asking again, and once.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use diesel::connection::SimpleConnection;
use serde_json::json;
use tessera::access::{password, set_member_password};
use tessera::postgres::{Durability, Options, Server};
use tessera::store::db::Connection;
use tessera_rules::id::MemberId;

use super::{Sale, send, verify};
use crate::support::app::{PASSWORD, apply, programme};
use crate::support::db::{Db, scratch};
use crate::support::make::{self, Member, earn, key, line, receipt};
use crate::support::process::{Process, finish, tessera};
use crate::support::{App, Caller, eventually};

/// A durable database of the test's own, which outlives the server in front of it.
struct House {
    dir: PathBuf,
    db: Db,
    server: Server,
}

impl House {
    fn open(what: &str) -> Self {
        let dir = scratch(what);
        let server = durable(&dir);
        let db = Db::on(&server);
        let mut document = programme();
        document["pools"] = json!({"members": 6, "daily_limit": 500});
        document["coupons"] = json!([{"code": "flyer", "name": "Flyer", "holder": "bearer",
            "discount": {"off": {"kind": "amount", "amount": 500}}}]);
        document["referral"] = json!({"minimum_spend": 5_000});
        document["promotions"] = json!([{"code": "thanks", "name": "Thanks", "effect": {"kind": "add", "points": 200},
            "trigger": {"kind": "referral", "for": "referrer"}}]);
        apply(&mut db.connect(), &document);
        Self { dir, db, server }
    }

    fn serve(&self) -> (Process, Caller) {
        let mut command = tessera(&self.dir);
        command.arg("serve").env("DATABASE_URL", &self.db.url).env("TESSERA__AUTH__ACCESS_TTL_SECONDS", "3600");
        let mut process = Process::start(&mut command);
        let caller = process.listening();
        (process, caller)
    }

    /// Keeps a member's row: whatever moves his points waits until the connection is dropped.
    fn lock(&self, member: &Member) -> Connection {
        self.lock_row(&format!("standing where member_id = '{}'", uuid_of(member)))
    }

    fn lock_row(&self, row: &str) -> Connection {
        let mut conn = self.db.connect();
        conn.batch_execute(&format!("begin; select from {row} for update")).expect("a lock");
        conn
    }

    fn waiting(&self) -> bool {
        self.db.number("select count(*) as value from pg_stat_activity where wait_event_type = 'Lock'") > 0
    }

    /// Kills the server while a request of it waits for a lock. What the database has of it is cut off, or
    /// left to be done with nobody to tell.
    fn kill(&self, process: &mut Process, locked: Connection, cut_off: bool) {
        process.signal(libc::SIGKILL);
        assert_eq!(eventually("the server is dead", || process.ended()).code(), None, "killed, not ended");
        let writers = "from pg_stat_activity where application_name = 'tessera writer'";
        if cut_off {
            self.db.number(&format!("select count(pg_terminate_backend(pid)) as value {writers}"));
        }
        drop(locked);
        let gone = || (self.db.number(&format!("select count(*) as value {writers}")) == 0).then_some(());
        eventually("nothing of it is left in the database", gone);
    }

    /// The books add up, and the database is let go.
    fn close(self, mut process: Process) {
        process.signal(libc::SIGTERM);
        assert!(process.wait().success());
        verify(tessera(&self.dir).args(["verify", "--json"]).env("DATABASE_URL", &self.db.url));
        let Self { db, server, .. } = self;
        drop(db);
        server.stop().expect("the database stops");
    }
}

fn durable(dir: &std::path::Path) -> Server {
    let options = Options { dir: dir.join("database"), durability: Durability::Durable, extra_settings: Vec::new() };
    Server::start(options).expect("a durable server")
}

fn uuid_of(member: &Member) -> uuid::Uuid {
    member.id.parse::<MemberId>().expect("a member's id").uuid()
}

fn signed_in(anon: &Caller, identifier: &str) -> String {
    let body = json!({"identifier": identifier, "password": PASSWORD});
    let signed_in = anon.post("/v1/auth/login", &body).expect(200);
    signed_in["access_token"].as_str().expect("a token").to_owned()
}

#[test]
fn what_was_approved_and_not_booked_is_booked_once() {
    let house = House::open("approved");
    for cut_off in [true, false] {
        let (mut process, anon) = house.serve();
        let [manager, admin] = ["manager-west", "admin"].map(|who| signed_in(&anon, who));
        let member = make::member(&anon.with_token(&manager));
        let wish = json!({"member_id": member.id, "points": 700, "reason": "goodwill", "note": "a cold soup"});
        let asked = anon.with_token(&manager).post("/v1/till/adjustments", &wish).expect(202);
        let path = format!("/v1/admin/adjustments/{}/approve", asked["id"].as_str().expect("an id"));
        let of_his = |table: &str| {
            let id = uuid_of(&member);
            house.db.number(&format!("select count(*) as value from {table} where member_id = '{id}'"))
        };

        let (one, locked) = (key(), house.lock(&member));
        let (colleague, agreed) = (anon.with_token(&admin), json!({}));
        std::thread::scope(|scope| {
            let request = colleague.request("POST", &path).header("Idempotency-Key", &one).json(&agreed);
            let unanswered = scope.spawn(move || request.try_send().is_err());
            eventually("the booking waits", || house.waiting().then_some(()));
            let approved = "select count(*) as value from adjustment where status = 'approved'";
            assert_eq!((house.db.number(approved), of_his("entry")), (1, 0), "approved and not booked");
            house.kill(&mut process, locked, cut_off);
            assert!(unanswered.join().expect("the colleague"), "nobody was told anything");
        });
        assert!(of_his("entry") <= i64::from(!cut_off));

        let (process, anon) = house.serve();
        let colleague = anon.with_token(&admin);
        let booked = colleague.post_under(&one, &path, &json!({}));
        assert_eq!(booked.expect(200)["balance"]["available"], 700);
        assert_eq!(colleague.post_under(&one, &path, &json!({})).text, booked.text);
        colleague.post(&path, &json!({})).problem(409, "state_conflict");
        assert_eq!((of_his("entry"), of_his("lot")), (1, 1), "booked once");
        if cut_off {
            drop(process);
        } else {
            return house.close(process);
        }
    }
}

#[test]
fn a_re_rating_that_was_cut_off_is_booked_to_the_end_and_once() {
    const DESK: &str = "/v1/admin/re-ratings";
    let house = House::open("re-rated");
    for cut_off in [true, false] {
        let (mut process, anon) = house.serve();
        let [cashier, admin] = ["cashier-west", "admin"].map(|who| signed_in(&anon, who));
        let till = anon.with_token(&cashier);
        let promotion = json!({"code": format!("triple-{cut_off}"), "name": "Triple", "categories": [format!("tea-{cut_off}")],
            "effect": {"kind": "multiply", "by": "3"}});
        anon.with_token(&admin).post("/v1/admin/promotions", &promotion).expect(201);
        let members: Vec<Member> = (0..3).map(|_| make::member(&till)).collect();
        for member in &members {
            till.post("/v1/till/purchases", &receipt(member, &[make::line_of(&format!("tea-{cut_off}"), 10_000)]))
                .expect(201);
        }
        let wish = json!({"from": "2020-01-01", "to": "2099-12-31", "reason": "wrong", "note": "a slip",
            "without_promotion": promotion["code"]});
        let made = anon.with_token(&admin).post(DESK, &wish);
        assert_eq!(made.expect(201)["points"]["takes"], 600);
        let path = format!("{DESK}/{}/apply", made.json()["id"].as_str().expect("an id"));
        let etag = made.header("etag").expect("a tag").to_owned();
        let booked = || house.db.number("select count(*) as value from entry where kind = 're_rating'");
        let before = booked();

        // One of three waits: the others are on their way, or booked.
        let locked = house.lock(&members[1]);
        std::thread::scope(|scope| {
            let request = anon.with_token(&admin).request("POST", &path).header("If-Match", &etag).json(&json!({}));
            let unanswered = scope.spawn(move || request.try_send().is_err());
            eventually("the booking waits", || house.waiting().then_some(()));
            house.kill(&mut process, locked, cut_off);
            assert!(unanswered.join().expect("the admin"), "nobody was told anything");
        });
        assert!(booked() <= before + 3);

        let (process, anon) = house.serve();
        let again = || anon.with_token(&admin).request("POST", &path).header("If-Match", &etag).json(&json!({})).send();
        assert_eq!(again().expect(200)["status"], "applied");
        assert_eq!(again().expect(200)["status"], "applied");
        assert_eq!(booked(), before + 3, "each once");
        for member in &members {
            let balance = anon.with_token(&cashier).get(&format!("/v1/till/members/{}/balance", member.id)).expect(200);
            assert_eq!(balance["available"], 100);
        }
        if cut_off {
            drop(process);
        } else {
            return house.close(process);
        }
    }
}

#[test]
fn a_pool_whose_dissolution_was_cut_off_is_dissolved_by_asking_again() {
    const POOL: &str = "/v1/member/pool";
    let house = House::open("dissolved");
    let (mut process, anon) = house.serve();
    let till = anon.with_token(&signed_in(&anon, "cashier-west"));
    let hash = password::hash_now(PASSWORD).expect("a hash");
    let family: Vec<(Member, String)> = (1..=5)
        .map(|i| {
            let member = make::member(&till);
            let id = member.id.parse().expect("a member's id");
            set_member_password(&mut house.db.connect(), id, &hash).expect("a password");
            earn(&till, &member, 10 * i);
            let token = signed_in(&anon, &member.code);
            (member, token)
        })
        .collect();
    let (head, others) = family.split_first().expect("a head");
    let invite = |anon: &Caller| {
        let head = anon.with_token(&head.1);
        head.post(&format!("{POOL}/invitations"), &json!({"may_spend": true})).expect(201)["code"].take()
    };
    for (_, token) in others {
        anon.with_token(token).post(&format!("{POOL}/join"), &json!({"code": invite(&anon)})).expect(200);
    }
    let unused = invite(&anon);
    let joined = || house.db.number("select count(*) as value from standing where (ties).root is not null");
    assert_eq!(joined(), 4);

    // The first that goes stands where nobody can move him: whoever he is, some have gone before or none.
    let locked = house.lock(&others[2].0);
    std::thread::scope(|scope| {
        let caller = anon.with_token(&head.1);
        let unanswered = scope.spawn(move || caller.request("DELETE", POOL).try_send().is_err());
        eventually("one of them cannot leave", || house.waiting().then_some(()));
        house.kill(&mut process, locked, true);
        assert!(unanswered.join().expect("the head"), "the head was told nothing");
    });
    assert_eq!(joined(), 2, "two had left");

    let (process, anon) = house.serve();
    let caller = |token: &str| anon.with_token(token);
    caller(&others[0].1).post(&format!("{POOL}/join"), &json!({"code": unused})).problem(422, "invitation_invalid");
    assert_eq!(caller(&head.1).get(POOL).expect(200)["members"].as_array().map(Vec::len), Some(2));
    // Who is still in goes on earning for all, and takes it along.
    earn(&caller(&signed_in(&anon, "cashier-west")), &others[3].0, 7);
    for _ in 0..2 {
        assert_eq!(caller(&head.1).request("DELETE", POOL).send().status, 204);
        assert_eq!(joined(), 0);
    }
    let available: Vec<_> = family
        .iter()
        .map(|(_, token)| caller(token).get("/v1/member/balance").expect(200)["available"].as_i64())
        .collect();
    assert_eq!(available, [10, 20, 30, 40, 57].map(Some), "everybody has his own");
    house.close(process);
}

#[test]
fn when_the_database_dies_under_load_the_same_key_finds_out() {
    let dir = scratch("backend");
    let server = durable(&dir);
    let app = App::on(Db::on(&server), &[]);
    let till = app.cashier();
    let members: Vec<Member> = (0..3).map(|_| make::member(&till)).collect();
    let (sales, stop, acknowledged) = (Mutex::new(Vec::new()), AtomicBool::new(false), AtomicU64::new(0));
    let sell = |first: usize| {
        for i in first.. {
            let body = receipt(&members[i % members.len()], &[line(i64::try_from(i % 7 + 1).unwrap() * 100)]);
            let mut sale = Sale { key: key(), body, acknowledged: None };
            acknowledged.fetch_add(u64::from(send(&till, &mut sale)), Ordering::Relaxed);
            sales.lock().unwrap().push(sale);
            if stop.load(Ordering::Relaxed) {
                return;
            }
        }
    };
    let kills = std::thread::scope(|scope| {
        for first in 0..8 {
            let sell = &sell;
            scope.spawn(move || sell(first));
        }
        let mut kills = 0;
        while kills < 3 {
            let before = acknowledged.load(Ordering::Relaxed);
            eventually("sales are taken", || (acknowledged.load(Ordering::Relaxed) > before + 30).then_some(()));
            // One that stores, if one does just now: PostgreSQL ends all others and recovers.
            let writer = "select pid::text as value from pg_stat_activity where application_name = 'tessera writer'
                order by state = 'active' desc, query like '%store_batch%' desc limit 1";
            if let Some(pid) = app.db.texts(writer).first().and_then(|pid| pid.parse().ok()) {
                // SAFETY: kill takes two numbers and touches no memory.
                kills += i32::from(unsafe { libc::kill(pid, libc::SIGKILL) } == 0);
                eventually("some did not hear what became of their sale", || {
                    let sales = sales.lock().unwrap();
                    (sales.iter().filter(|sale| sale.acknowledged.is_none()).count() >= kills as usize).then_some(())
                });
                eventually("the database is back", || {
                    use diesel::Connection as _;
                    Connection::establish(&app.db.owner_url).ok().map(drop)
                });
            }
        }
        stop.store(true, Ordering::Relaxed);
        kills
    });
    assert_eq!(kills, 3);
    let mut sales = sales.into_inner().unwrap();
    for sale in &mut sales {
        let first = sale.acknowledged.take();
        eventually("it is told", || send(&till, sale).then_some(()));
        assert!(first.is_none() || first == sale.acknowledged, "another answer than the first");
    }
    assert_eq!(app.db.number("select count(*) as value from entry"), i64::try_from(sales.len()).unwrap());
    drop(app);
    server.stop().expect("the server stops");
}

#[test]
fn the_coupon_of_a_purchase_that_was_cut_off_is_used_once_and_its_referrer_thanked_once() {
    let house = House::open("coupon");
    for cut_off in [true, false] {
        let (mut process, anon) = house.serve();
        let till = anon.with_token(&signed_in(&anon, "cashier-west"));
        let admin = anon.with_token(&signed_in(&anon, "admin"));
        let referrer = make::member(&till);
        let member = make::enrol(&till, &json!({"name": "Chen Chen", "referred_by": referrer.code}));
        let issued = admin.post("/v1/admin/coupons/flyer/issue", &json!({"count": 1})).expect(201);
        let code = issued["coupons"][0]["code"].as_str().expect("a code").to_owned();
        let uses = || house.db.number(&format!("select count(*) as value from coupon_use where coupon = '{code}'"));
        let mut body = receipt(&member, &[line(10_000)]);
        body["coupons"] = json!([code]);
        let mut sale = Sale { key: key(), body, acknowledged: None };

        let locked = house.lock_row(&format!("coupon where code = '{code}'"));
        std::thread::scope(|scope| {
            let (till, sale) = (&till, &mut sale);
            let answered = scope.spawn(move || send(till, sale));
            eventually("the purchase waits for the coupon", || house.waiting().then_some(()));
            house.kill(&mut process, locked, cut_off);
            assert!(!answered.join().expect("the till"), "nobody was told anything");
        });
        assert!(uses() <= i64::from(!cut_off));

        let (process, anon) = house.serve();
        let till = anon.with_token(&signed_in(&anon, "cashier-west"));
        assert!(send(&till, &mut sale), "the same key finds out");
        let mut other = receipt(&member, &[line(10_000)]);
        other["coupons"] = json!([code]);
        till.post("/v1/till/purchases", &other).problem(422, "coupon_not_applicable");
        assert_eq!(uses(), 1);
        assert_eq!(house.db.number(&format!("select used::bigint as value from coupon where code = '{code}'")), 1);

        // Where the purchase was stored with nobody left to thank for it, the next midnight's job does.
        house.db.execute("delete from job_run");
        for _ in 0..2 {
            let mut job = tessera(&house.dir);
            let (done, _, err) = finish(job.args(["jobs", "run", "grant_perks"]).env("DATABASE_URL", &house.db.url));
            assert_eq!(done, 0, "{err}");
        }
        let thanked = format!("select count(*) as value from perk_grant where member_id = '{}'", uuid_of(&referrer));
        assert_eq!(house.db.number(&thanked), 1, "once");
        if cut_off {
            drop(process);
        } else {
            return house.close(process);
        }
    }
}
