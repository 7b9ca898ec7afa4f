//! Random histories over HTTP: whatever happens, the books add up.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::verify;
use crate::support::make::{self, key};
use crate::support::{App, Member};

/// A small generator: what is drawn depends on the seed alone.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// A programme of its own for every seed.
fn shape(seed: u64) -> impl FnOnce(&mut Value) {
    move |programme: &mut Value| {
        let mut dice = Dice(seed * 7 + 1);
        let mut one_of =
            |choices: Value| choices[dice.below(choices.as_array().map_or(1, Vec::len) as u64) as usize].clone();
        programme["earning"]["pending_days"] = one_of(json!([0, 10]));
        programme["earning"]["carry_remainder"] = one_of(json!([false, true]));
        programme["earning"]["cap_per_day"] = one_of(json!([150, 100_000]));
        programme["redemption"] = json!({"rate": {"points": 10, "per": 100}, "minimum": 1, "step": 1});
        programme["redemption"]["hold_minutes"] = one_of(json!([5, 1_000, 43_200]));
        programme["expiry"] = one_of(json!([
            {"policy": "inactivity", "months": 1},
            {"policy": "after", "months": 1},
            {"policy": "on_date", "dates": ["03-31", "05-15"]},
            {"policy": "never"},
        ]));
        programme["returns"]["shortfall"] = one_of(json!(["debt", "debt", "forgive"]));
        let windows = json!([{"kind": "rolling", "days": 40}, {"kind": "anniversary"}, {"kind": "calendar_year"}]);
        programme["tiers"]["window"] = one_of(windows);
        let months = |fall: &str, grace: u64| json!([{"kind": "months", "months": 1}, fall, grace]);
        let measured = json!([{"kind": "measured"}, "one_step", 0]);
        let rule = one_of(json!([measured, months("one_step", 0), months("one_step", 9), months("requalify", 9)]));
        for (i, field) in ["validity", "fall", "grace_days"].into_iter().enumerate() {
            programme["tiers"][field] = rule[i].clone();
        }
        programme["tiers"]["lots_on_change"] = one_of(json!(["keep", "take"]));
        let levels = &mut programme["tiers"]["levels"];
        (levels[1]["threshold"], levels[2]["threshold"]) = (json!(100), json!(300));
        levels[1]["keep_for_life"] = one_of(json!([false, false, true]));
        levels[1]["expiry"] = json!({"policy": "after", "months": 3, "round": "month"});
        levels[2]["expiry"] = one_of(json!([{"policy": "never"}, {"policy": "inactivity", "months": 2}]));
        levels[1]["entitlements"] = json!([{
            "code": "double-day", "name": "Double day", "per_year": 3,
            "kind": {"kind": "multiplier_day", "multiplier": "2"},
        }]);
        programme["promotions"] = one_of(json!([[], [{
            "code": "spring", "name": "Spring", "effect": {"kind": "add", "points": 40},
            "expiry": {"policy": "after", "months": 1},
        }]]));
        programme["perks"][0]["windows"] = json!([{"before_days": 30, "after_days": 30}]);
        let more = one_of(json!([
            ["welcome", {"kind": "reward", "reward": "mug"}],
            ["tier_reached", {"kind": "points", "points": 30}],
            ["tier_reached", {"kind": "reward", "reward": "dinner"}],
            [{"lapse": {"days": 20}}, {"kind": "multiplier", "multiplier": "3"}],
            ["anniversary", {"kind": "reward", "reward": "coffee"}],
        ]));
        let windows = json!([{"after_days": 40}]);
        let perk = json!({"code": "more", "name": "More", "occasion": more[0], "grant": more[1], "windows": windows});
        programme["perks"].as_array_mut().expect("perks").push(perk);
    }
}

fn clock(app: &App) -> DateTime<Utc> {
    let now = app.admin().get("/v1/sandbox/clock").expect(200);
    now["now"].as_str().expect("an instant").parse().expect("an instant")
}

fn act(app: &App, dice: &mut Dice, members: &[Member], sales: &mut Vec<String>, redeemed: &mut Vec<String>) {
    let till = app.cashier();
    let member = &members[dice.below(members.len() as u64) as usize];
    match dice.below(15) {
        0..=4 => {
            let line = |dice: &mut Dice| {
                let pieces = 1 + dice.below(3);
                json!({"quantity": pieces.to_string(), "amount": dice.below(9_000) as i64 - 300})
            };
            let lines: Vec<Value> = (0..1 + dice.below(3)).map(|_| line(dice)).collect();
            let mut body = make::receipt(member, &lines);
            if dice.below(4) == 0 {
                body["redeem"] = json!({"points": 1 + dice.below(60), "authorisation": {"pin": "135790"}});
            } else if dice.below(3) == 0 {
                let now = clock(app);
                body["occurred_at"] = json!(now - TimeDelta::hours(dice.below(29 * 24) as i64));
            }
            let made = till.post("/v1/till/purchases", &body).json();
            if let Some(id) = made["id"].as_str() {
                sales.push(id.to_owned());
            }
        }
        5..=7 if !sales.is_empty() => {
            let sale = &sales[dice.below(sales.len() as u64) as usize];
            let mut body = json!({"external_id": key(), "reason": "so"});
            let line = 1 + dice.below(3);
            match dice.below(4) {
                0 => body["all"] = json!(true),
                1 => body["lines"] = json!([{"line": line}]),
                2 => body["lines"] = json!([{"line": line, "quantity": "1"}]),
                _ => body["lines"] = json!([{"line": line, "amount": dice.below(4_000)}]),
            }
            till.post(&format!("/v1/till/purchases/{sale}/returns"), &body);
        }
        8 | 12 => {
            let mut what = ["coffee", "mug", "dinner"].map(|reward| json!({"reward_id": reward})).to_vec();
            what.push(json!({"points": 1 + dice.below(90)}));
            let mut body = what[dice.below(4) as usize].clone();
            body["member_id"] = json!(member.id);
            body["mode"] = json!(["capture", "hold"][dice.below(2) as usize]);
            body["authorisation"] = json!({"pin": "135790"});
            let made = till.post("/v1/till/redemptions", &body).json();
            if let Some(id) = made["id"].as_str() {
                redeemed.push(id.to_owned());
            }
        }
        9 if !redeemed.is_empty() => {
            let id = &redeemed[dice.below(redeemed.len() as u64) as usize];
            let body = if dice.below(2) == 0 { json!({}) } else { json!({"points": 1 + dice.below(50)}) };
            till.post(&format!("/v1/till/redemptions/{id}/capture"), &body);
        }
        10 if !redeemed.is_empty() => {
            let id = &redeemed[dice.below(redeemed.len() as u64) as usize];
            app.manager().post(&format!("/v1/till/redemptions/{id}/void"), &json!({}));
        }
        13 => {
            let now = clock(app).date_naive();
            let day = json!({"day": now + TimeDelta::days(1 + dice.below(9) as i64)});
            till.post(&format!("/v1/till/members/{}/entitlements/double-day/uses", member.id), &day);
        }
        11 => {
            let now = clock(app);
            let until = now + TimeDelta::hours(1 + dice.below(900) as i64);
            let tier = ["basic", "silver", "gold"][dice.below(3) as usize];
            let body = json!({"tier": tier, "until": until, "reason": "so"});
            app.manager().post(&format!("/v1/admin/members/{}/tier", member.id), &body);
        }
        _ => {
            let by = ["PT1H", "P1D", "P9D", "P33D"][dice.below(4) as usize];
            app.advance(by);
        }
    }
}

#[test]
fn whatever_happens_the_books_add_up() {
    // SHAKEN=20 SHAKEN_FROM=100: twenty histories from seed 100.
    let number =
        |name: &str, unless: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(unless);
    let first = number("SHAKEN_FROM", 1);
    for seed in first..first + number("SHAKEN", 2) {
        shake(seed);
    }
}

fn shake(seed: u64) {
    let mut app = App::with(shape(seed));
    let till = app.cashier();
    let birthday = json!({"name": "Ann", "birth_date": "1990-04-20"});
    let members: Vec<Member> = (0..3).map(|_| make::enrol(&till, &birthday)).collect();
    for member in &members {
        let pin = json!({"pin": "135790", "password": crate::support::app::PASSWORD});
        app.member(member).put("/v1/member/pin", &pin).expect(204);
    }
    let (mut dice, mut sales, mut redeemed) = (Dice(seed), Vec::new(), Vec::new());
    for step in 1..=120 {
        if step == 60 && seed.is_multiple_of(2) {
            app.reconfigure(shape(seed + 1_000));
        }
        act(&app, &mut dice, &members, &mut sales, &mut redeemed);
        if step % 20 == 0 {
            let (code, _, err) = verify(&app);
            app.verified = code == 0;
            assert_eq!((code, err.as_str()), (0, ""), "SHAKEN_FROM={seed} SHAKEN=1, step {step}");
        }
    }
    assert!(!sales.is_empty() && !redeemed.is_empty(), "something has happened");
}
