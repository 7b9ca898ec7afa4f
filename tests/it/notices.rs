//! Notices: a member whom nobody asks about every day is told the same, on the same day, as one who is
//! asked about every day.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use diesel::connection::SimpleConnection as _;
use serde_json::{Value, json};
use tessera::clock::{Clock, new_uuid};
use tessera::engine::{Answer, Engine, NewMember, Submission, Time, enrol};
use tessera::jobs;
use tessera::store::batch::Load;
use tessera::store::db::Connection;
use tessera::store::notice::to_ask;
use tessera::store::{Pool, shop};
use tessera_rules::command::{Line, PlaceTier, Purchase, Redeem, RedeemMode, Redeemed, Return, ReturnedGoods};
use tessera_rules::id::{MemberId, PurchaseId, RedemptionId, ReturnId, StoreId};
use tessera_rules::time::{Day, Instant, Zone, add_days};
use tessera_rules::{Actor, Command, Outcome, Refusal};

use crate::support::app::{apply, programme, settings_for};
use crate::support::db::{Db, scratch};

/// Members of each run.
const MEMBERS: usize = 12;
/// Days of each run.
const DAYS: i64 = 300;
/// The day on which other leads come into force.
const NEW_LEADS: i64 = 150;
/// Further ahead than anybody is warned, and a day.
const AHEAD: TimeDelta = TimeDelta::days(32);

/// A small generator (SplitMix64), so that two runs draw the same.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// Lots of all ages and tiers that move them: two months rounded, inactivity on the second tier,
/// pending points, holds that time out, a window that slides, grace after returns.
fn restless() -> Value {
    let mut document = programme();
    document["expiry"] = json!({"policy": "after", "months": 2, "round": "month"});
    document["earning"]["pending_days"] = json!(2);
    document["redemption"]["hold_minutes"] = json!(3000);
    document["tiers"]["window"] = json!({"kind": "rolling", "days": 60});
    document["tiers"]["lots_on_change"] = json!("take");
    document["tiers"]["levels"][1]["expiry"] = json!({"policy": "inactivity", "months": 2});
    document["notices"] = json!({"expiry_days": [30, 7, 1], "tier_days": [30, 5]});
    document
}

/// A database with an engine of its own and a dozen people.
struct Run {
    db: Db,
    conn: Connection,
    engine: Engine,
    zone: Zone,
    store: StoreId,
    members: Vec<MemberId>,
    bought: BTreeMap<usize, PurchaseId>,
}

impl Run {
    fn start(first: Day) -> Self {
        let db = Db::furnished();
        let mut conn = db.connect();
        apply(&mut conn, &restless());
        let zone = Zone(chrono_tz::Asia::Shanghai);
        let store = shop::by_code(&mut conn, "west").expect("the database").expect("the store").store();
        let one = |index| NewMember {
            name: format!("Member {index}"),
            phone: None,
            email: None,
            external_id: Some(format!("m{index:02}")),
            birth_date: None,
            locale: "en".to_owned(),
            store: Some(store),
            enrolled_at: zone.midnight(first),
            referred_by: None,
        };
        let members = (0..MEMBERS).map(|index| enrol(&mut conn, one(index)).expect("a member").member()).collect();
        let settings = settings_for(&db.url, &scratch("notices"), &[]);
        let pool = Pool::connect(&db.url, 2).expect("a pool");
        let engine = Engine::start(&db.url, pool, Clock::wall(), &settings.engine).expect("an engine");
        Self { db, conn, engine, zone, store, members, bought: BTreeMap::new() }
    }

    fn submit(&self, member: usize, command: Command, at: Instant) {
        // A return reads why the purchase earned what it did.
        let render = Box::new(|outcome: &Result<Outcome, Refusal>| {
            let body = match outcome {
                Ok(Outcome::Purchase(bought)) => json!({"explanation": bought.explanation}).to_string(),
                _ => String::new(),
            };
            Answer { status: 200, body }
        });
        let (member, actor, time) = (self.members[member], Actor::IMPORT, Time::Past(at));
        let submission = Submission { member, command, actor, time, claim: None, audit: None, render };
        // A refusal is as good as anything: both runs get it.
        self.engine.submit_blocking(submission).blocking_recv().expect("an answer").expect("no failure");
    }

    fn buy(&mut self, member: usize, points: u64, occurred_at: Instant, at: Instant) {
        let id = PurchaseId::new(new_uuid());
        let amount = tessera_rules::amount::Minor::new(i64::try_from(points * 100).unwrap()).unwrap();
        let lines = vec![Line { sku: None, categories: Vec::new(), quantity: "1".parse().unwrap(), amount }];
        let currency = "CNY".parse().unwrap();
        let content = Purchase::content_of(self.members[member], currency, &lines, &[], None);
        let purchase = Purchase {
            id,
            store: self.store,
            store_code: "west".to_owned(),
            source: "west".to_owned(),
            external_id: id.to_string(),
            occurred_at: Some(occurred_at),
            currency,
            lines,
            tenders: Vec::new(),
            redeem: None,
            channel: None,
            wallet: None,
            pricing: None,
            content,
        };
        self.bought.insert(member, id);
        self.submit(member, Command::Purchase(purchase), at);
    }

    fn redeem(&self, member: usize, mode: RedeemMode, at: Instant) {
        let points = tessera_rules::amount::Points::new(100).unwrap();
        let (id, what) = (RedemptionId::new(new_uuid()), Redeemed::MoneyOff(points));
        self.submit(member, Command::Redeem(Redeem { id, store: None, what, mode, otp_step: None }), at);
    }

    fn take_back(&self, member: usize, at: Instant) {
        let Some(purchase) = self.bought.get(&member).copied() else { return };
        let (id, goods) = (ReturnId::new(new_uuid()), ReturnedGoods::All);
        let content = Return::content_of(purchase, &goods);
        let external_id = id.to_string();
        let (source, reason) = ("west".to_owned(), "damaged".to_owned());
        let elsewhere = false;
        let goods = Return { id, purchase, elsewhere, source, external_id, goods, reason, content };
        self.submit(member, Command::Return(goods), at);
    }

    /// What a member does on a day, if anything.
    fn live(&mut self, dice: &mut Dice, member: usize, midnight: Instant) {
        let what = dice.below(40);
        let at = midnight + TimeDelta::seconds(1 + i64::try_from(dice.below(86_000)).unwrap());
        let points = 20 + dice.below(700);
        match what {
            0..=2 => self.buy(member, points, at, at),
            // At the very instant at which the jobs have asked about him.
            3 => self.buy(member, points, midnight, midnight),
            4 => self.buy(member, points, at - TimeDelta::days(10), at),
            5 => self.redeem(member, RedeemMode::Capture, at),
            6 => self.redeem(member, RedeemMode::Hold, at),
            7 => self.take_back(member, at),
            8 if points < 200 => {
                let (until, reason) = (at + TimeDelta::days(20), "a treat".to_owned());
                self.submit(member, Command::PlaceTier(PlaceTier { tier: "gold".to_owned(), until, reason }), at);
            }
            _ => {}
        }
    }

    /// Everything anybody was told, and how many were asked about.
    fn year(mut self, seed: u64, first: Day, forget: bool) -> (Vec<String>, usize) {
        let mut dice = Dice(seed);
        let (mut asked, mut version) = (0, 0);
        for offset in 0..DAYS {
            let midnight = self.zone.midnight(add_days(first, offset));
            if offset % NEW_LEADS == 0 {
                version = self.reconfigure(offset);
            }
            if forget {
                self.conn.batch_execute("delete from notice_watch").expect("nothing is watched");
            }
            jobs::run_blocking(&self.engine, "settle", midnight).expect("the members are settled");
            let ask = to_ask(&mut self.conn, midnight + AHEAD, midnight, version, None, 1000);
            asked += ask.expect("the database").len();
            jobs::run_blocking(&self.engine, "notify", midnight).expect("the notices are given");
            for member in 0..MEMBERS {
                self.live(&mut dice, member, midnight);
            }
        }
        self.engine.drain();
        let told = self.db.texts(
            "select m.external_id || ' ' || n.noticed_at || ': ' || n.kind || ' ' || n.due_at || ' ' || n.lead_days
                || ' ' || n.content as value
             from notice n join member m on m.id = n.member_id order by 1",
        );
        (told, asked)
    }

    /// Other leads half way through; returns the version in force.
    fn reconfigure(&self, offset: i64) -> i64 {
        let mut document = restless();
        if offset > 0 {
            document["notices"] = json!({"expiry_days": [20, 3], "tier_days": [12]});
        }
        apply(&mut self.db.connect(), &document);
        self.db.number("select max(version) as value from programme_version")
    }
}

#[test]
fn nobody_is_told_later_for_not_being_asked_every_day() {
    let first: Day = "2031-03-05".parse().unwrap();
    let (watched, daily) = std::thread::scope(|scope| {
        let run = |forget| scope.spawn(move || Run::start(first).year(1, first, forget));
        let runs = [run(false), run(true)].map(|run| run.join().expect("a run"));
        let [watched, daily] = runs;
        (watched, daily)
    });
    let ((told, asked), (every_day, asked_every_day)) = (watched, daily);
    assert!(every_day.len() > 150, "there is something to tell: {}", every_day.len());
    for kind in [": expiry", ": tier"] {
        assert!(every_day.iter().any(|line| line.contains(kind)), "{kind}");
    }
    let differing = told.iter().zip(&every_day).find(|(a, b)| a != b);
    assert_eq!((differing, told.len()), (None, every_day.len()));
    assert!(asked * 2 < asked_every_day, "{asked} asked about instead of {asked_every_day}");
}

#[test]
fn who_is_asked_beside_somebody_of_a_later_day_is_told_once() {
    let mut run = Run::start("2031-03-05".parse().unwrap());
    let at = |day: &str| run.zone.midnight(day.parse().unwrap());
    let [bought, told, later] = ["2031-03-10", "2031-05-26", "2031-08-01"].map(at);
    run.buy(0, 100, bought, bought);
    run.submit(0, Command::Notify, told);
    run.engine.drain();
    let given = "select lead_days::text as value from notice order by due_at";
    assert_eq!(run.db.texts(given), ["7"], "they lapse on 1 June");
    // The batch knows one time, the latest. By then the points are gone; two days earlier they are not.
    let member = run.members[0].uuid();
    let load = |at: Instant, notices_at: Instant| Load {
        members: vec![member],
        debit: vec![member],
        notices: vec![member],
        notices_at,
        at,
        since: notices_at,
        today: run.zone.day_of(at),
        uses_from: run.zone.day_of(notices_at),
        ..Load::default()
    };
    let mut conn = tessera::store::batch::connect(&run.db.owner_url).expect("a writer's connection");
    let mut known = |load: Load| load.run(&mut conn).expect("loaded").notices.len();
    assert_eq!(known(load(later, told)), 1);
    assert_eq!((known(load(later, later)), known(load(told, told))), (0, 1));
}
