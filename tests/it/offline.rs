//! A day without a network: five hundred receipts that arrive at night, each three times and in whatever
//! order the tills send them.

use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::make::{self, Member, line, line_of};
use crate::support::{App, Caller};

/// Receipts of the day.
const RECEIPTS: usize = 500;
/// Who shops.
const MEMBERS: usize = 40;
/// Tills that send at once.
const TILLS: usize = 4;
/// How often each receipt is sent.
const COPIES: usize = 3;
/// The network fails at noon in Shanghai, on the last day of a month, and is back at noon.
const FAILS: &str = "2031-02-28T04:00:00Z";
const SEED: u64 = 20_310_228;

/// A small generator (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n as u64).unwrap()
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last + 1));
        }
    }
}

/// A receipt as the till keeps it: who, and everything but his id.
#[derive(Clone)]
struct Receipt {
    member: usize,
    body: Value,
}

/// The receipts of the day in the order of the day.
fn day() -> Vec<Receipt> {
    let mut dice = Dice(SEED);
    let fails: DateTime<Utc> = FAILS.parse().unwrap();
    let apart = 86_400 / RECEIPTS;
    let receipt = |number: usize| {
        let member = dice.below(MEMBERS);
        let mut lines = vec![line(amount(&mut dice))];
        for category in ["coffee", "tobacco"] {
            if dice.below(4) == 0 {
                lines.push(line_of(category, amount(&mut dice)));
            }
        }
        if dice.below(8) == 0 {
            lines.push(line(-150));
        }
        let seconds = number * apart + dice.below(apart);
        let occurred_at = fails + TimeDelta::seconds(i64::try_from(seconds).unwrap());
        let external_id = format!("OFF-{number:03}");
        let body = json!({
            "external_id": external_id, "occurred_at": occurred_at, "currency": "CNY", "lines": lines,
        });
        Receipt { member, body }
    };
    (0..RECEIPTS).map(receipt).collect()
}

fn amount(dice: &mut Dice) -> i64 {
    i64::try_from(100 + dice.below(79_900)).unwrap()
}

/// Every receipt three times: the first copies in the order of the day, the others any time later.
fn copied(receipts: &[Receipt]) -> Vec<Receipt> {
    let mut dice = Dice(SEED + 1);
    let mut due: Vec<(usize, usize)> = Vec::new();
    for number in 0..receipts.len() {
        due.push((number * 10, number));
        due.extend((1..COPIES).map(|_| (number * 10 + 1 + dice.below(2_000), number)));
    }
    due.sort_unstable();
    due.into_iter().map(|(_, number)| receipts[number].clone()).collect()
}

/// A server with the people of the day, caps and lots that tell their months apart.
struct Shop {
    app: App,
    members: Vec<Member>,
}

impl Shop {
    fn open() -> Self {
        let app = App::with(|programme| {
            programme["earning"]["cap_per_day"] = json!(3_000);
            programme["expiry"] = json!({"policy": "after", "months": 12, "round": "month"});
        });
        let enrol = |index: usize| {
            let person = json!({"name": "Lin Xiaoyu", "external_id": format!("m{index:02}")});
            make::enrol(&app.cashier(), &person)
        };
        let members = (0..MEMBERS).map(enrol).collect();
        Self { app, members }
    }

    fn send(&self, till: &Caller, receipt: &Receipt) -> (u16, String) {
        let mut body = receipt.body.clone();
        body["member_id"] = json!(self.members[receipt.member].id);
        let reply = till.post("/v1/till/purchases", &body);
        assert!(matches!(reply.status, 200 | 201), "{} {}", reply.status, reply.text);
        (reply.status, reply.text)
    }

    /// Sends lists, each from a till of its own. Every copy of a receipt is answered alike, and one of
    /// them as new.
    fn receive(&self, tills: &[Vec<Receipt>]) {
        let answers: Mutex<Vec<(String, u16, String)>> = Mutex::default();
        let till = self.app.cashier();
        std::thread::scope(|scope| {
            for list in tills {
                let (till, answers) = (&till, &answers);
                scope.spawn(move || {
                    for receipt in list {
                        let (status, text) = self.send(till, receipt);
                        let name = receipt.body["external_id"].to_string();
                        answers.lock().unwrap().push((name, status, text));
                    }
                });
            }
        });
        let mut answers = answers.into_inner().unwrap();
        answers.sort_unstable();
        for copies in answers.chunk_by(|a, b| a.0 == b.0) {
            assert!(copies.iter().all(|copy| copy.2 == copies[0].2), "{copies:?}");
            assert_eq!(copies.iter().filter(|copy| copy.1 == 201).count(), 1, "{copies:?}");
        }
    }

    /// What the books say of each member, one fact a line, without what tells when and in which order
    /// the receipts arrived.
    fn facts(&self, queries: &[&str]) -> Vec<Vec<String>> {
        let facts: Vec<String> = queries.iter().flat_map(|query| self.app.db.texts(query)).collect();
        let of = |index: usize| {
            let name = format!("m{index:02} ");
            facts.iter().filter(|fact| fact.starts_with(&name)).cloned().collect::<Vec<_>>()
        };
        (0..MEMBERS).map(of).collect()
    }
}

const STANDINGS: &str = "
    select format('%s has %s pending, %s available, %s held, %s debt, %s earned, %s purchases', m.external_id,
        s.pending, s.available, s.held, s.debt, s.lifetime_earned, s.purchases) as value
    from standing s join member m on m.id = s.member_id order by 1";

const TIERS: &str = "
    select format('%s stands at %s, next due %s', m.external_id, s.tier, (s.clock).lots_due_at) as value
    from standing s join member m on m.id = s.member_id order by 1";

const WINDOWS: &str = "
    select format('%s qualifies with %s points, %s spent, %s visits', m.external_id, s.window_points, s.window_spend,
        s.window_visits) as value
    from standing s join member m on m.id = s.member_id order by 1";

const DAYS: &str = "
    select format('%s counts on %s: %s points, %s spent, %s visits, %s given', m.external_id, d.day, d.points, d.spend,
        d.visits, d.given) as value
    from qualifying_day d join member m on m.id = d.member_id order by 1";

const LOTS: &str = "
    select format('%s lot %s: %s of %s, %s, %s to %s', m.external_id, l.number, l.remaining, l.points, l.occurred_at,
        l.available_from, l.expires_at) as value
    from lot l join member m on m.id = l.member_id order by 1";

const EXPIRIES: &str = "
    select format('%s loses %s at %s', m.external_id, sum(l.remaining), l.expires_at) as value
    from lot l join member m on m.id = l.member_id group by m.external_id, l.expires_at order by 1";

const ENTRIES: &str = "
    select format('%s entry %s: %s %s from %s to %s at %s for %s', m.external_id, e.number, e.kind, e.points,
        e.from_account, e.to_account, e.effective_at, p.external_id) as value
    from entry e join member m on m.id = e.member_id left join purchase p on p.id = e.document_id order by 1";

const ROSE: &str = "
    select format('%s change %s: %s to %s for %s at %s', m.external_id, t.number, t.from_tier, t.to_tier, t.cause,
        t.measure) as value
    from tier_change t join member m on m.id = t.member_id order by 1";

fn compare(clean: &[Vec<String>], other: &[Vec<String>]) {
    for (index, (clean, other)) in clean.iter().zip(other).enumerate() {
        assert_eq!(other, clean, "member {index}");
    }
}

#[test]
fn a_day_that_arrives_thrice_ends_as_the_day_did() {
    let receipts = day();
    let clean = Shop::open();
    clean.receive(std::slice::from_ref(&receipts));
    assert_eq!(clean.app.db.number("select count(*) as value from purchase"), 500);
    let rose = "select count(distinct to_tier) as value from tier_change";
    assert!(clean.app.db.number(rose) >= 2, "there are tiers to reach");
    let capped = "select count(*) as value from qualifying_day where given = 3000";
    assert!(clean.app.db.number(capped) > 0, "there is a cap to meet");
    assert_eq!(clean.app.db.number("select count(distinct expires_at) as value from lot"), 2);

    // Everybody's own receipts from one till, in their order; the tills against each other as it comes.
    let kept = Shop::open();
    let copies = copied(&receipts);
    let of_till = |till: usize| copies.iter().filter(|receipt| receipt.member % TILLS == till).cloned().collect();
    kept.receive(&(0..TILLS).map(of_till).collect::<Vec<_>>());
    let all = [STANDINGS, TIERS, WINDOWS, DAYS, LOTS, EXPIRIES, ENTRIES, ROSE];
    compare(&clean.facts(&all), &kept.facts(&all));

    // Shuffled altogether: who of a day's receipts meets the cap is another, what the day comes to is not.
    let shuffled = Shop::open();
    let mut copies = copies;
    Dice(SEED + 2).shuffle(&mut copies);
    let tills: Vec<Vec<Receipt>> = copies.chunks(copies.len() / TILLS).map(<[Receipt]>::to_vec).collect();
    shuffled.receive(&tills);
    let sums = [STANDINGS, WINDOWS, DAYS, EXPIRIES];
    compare(&clean.facts(&sums), &shuffled.facts(&sums));
    for (member, facts) in shuffled.members.iter().zip(shuffled.facts(&[STANDINGS])) {
        let balance = shuffled.app.cashier().get(&format!("/v1/till/members/{}/balance", member.id)).expect(200);
        let told = format!("{} available", balance["available"]);
        assert!(facts[0].contains(&told), "{facts:?} {balance}");
    }
}
