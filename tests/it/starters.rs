//! The programmes of `config/programmes`: each is sound, and of those meant to be copied each is tried
//! by the story of a member, told over HTTP with the sandbox clock, with every number in it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tessera_rules::Programme;

use crate::support::make::{self, key, line, line_of};
use crate::support::{App, Caller, Member};

fn starter(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/programmes").join(name);
    toml::from_str(&fs::read_to_string(path).expect("a starter programme")).expect("TOML")
}

#[test]
fn every_starter_programme_is_sound() {
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/programmes")).expect("a directory");
    let mut names: Vec<String> =
        files.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    assert_eq!(names, ["airline.toml", "cafe.toml", "cdnow.toml", "demo.toml", "retail.toml"]);
    for name in names {
        let programme: Programme = serde_json::from_value(starter(&name)).expect(&name);
        assert_eq!(programme.problems(), [], "{name}");
    }
}

/// A member of a starter programme, from both sides of the counter.
struct Story {
    app: App,
    till: Caller,
    member: Member,
    own: Caller,
    currency: Value,
}

impl Story {
    /// At noon of 5 March 2031 in Shanghai somebody joins.
    fn begin(programme: &str, person: &Value) -> Self {
        let document = starter(programme);
        let currency = document["currency"].clone();
        let app = App::with(|programme| *programme = document);
        let till = app.cashier();
        let member = make::enrol(&till, person);
        let own = app.member(&member);
        Self { app, till, member, own, currency }
    }

    fn at(&self, now: &str) -> &Self {
        self.app.admin().put("/v1/sandbox/clock", &json!({"now": now})).expect(200);
        self
    }

    /// A purchase, as it was answered.
    fn purchase(&self, lines: &[Value]) -> Value {
        let body = json!({
            "member_id": self.member.id, "external_id": key(), "currency": self.currency, "lines": lines,
        });
        self.till.post("/v1/till/purchases", &body).expect(201)
    }

    /// A purchase; its points and its tier before and after.
    fn buy(&self, lines: &[Value]) -> (i64, String) {
        let bought = self.purchase(lines);
        let tier = |side: &str| bought["tier"][side].as_str().expect("a tier").to_owned();
        (bought["points"]["given"].as_i64().expect("points"), format!("{}>{}", tier("before"), tier("after")))
    }

    fn redeem(&self, reward: &str) -> Value {
        self.own.post("/v1/member/redemptions", &json!({"reward_id": reward})).expect(201)
    }

    fn balance(&self) -> Value {
        self.own.get("/v1/member/balance").expect(200)
    }

    fn available(&self) -> i64 {
        self.balance()["available"].as_i64().expect("points")
    }

    fn tier(&self) -> Value {
        self.own.get("/v1/member/tier").expect(200)
    }

    fn tier_code(&self) -> String {
        self.tier()["code"].as_str().expect("a code").to_owned()
    }

    /// The changes of tier, oldest first.
    fn changes(&self) -> Vec<String> {
        let tier = self.tier();
        let rows = tier["history"].as_array().expect("a history").iter().rev();
        let text = |row: &Value, field: &str| row[field].as_str().expect(field).to_owned();
        rows.map(|row| {
            format!("{}>{} {} {}", text(row, "from"), text(row, "to"), &text(row, "at")[..13], text(row, "cause"))
        })
        .collect()
    }

    /// What the member was warned of, oldest first: what, how many days ahead, when it was to happen.
    fn notices(&self) -> Vec<String> {
        let list = self.own.get("/v1/member/notices").expect(200);
        let rows = list["data"].as_array().expect("a list").iter().rev();
        rows.map(|row| {
            let matter = &row["matter"];
            let what = match matter["points"].as_i64() {
                Some(points) => format!("{points} points"),
                None => {
                    format!("{}>{}", matter["from"].as_str().expect("a tier"), matter["to"].as_str().expect("a tier"))
                }
            };
            format!("{what} {} {}", row["lead_days"], row["due_at"].as_str().expect("an instant"))
        })
        .collect()
    }
}

#[test]
fn the_cafe_keeps_the_stars_of_who_comes_again() {
    let story = Story::begin("cafe.toml", &json!({"name": "Lin", "birth_date": "1990-04-20"}));
    // A cup to begin with, once. A first order: 60 stars, for half a year.
    let cup = story.redeem("cup");
    assert_eq!((&cup["points"], &cup["perk"]), (&json!(0), &json!("welcome-cup")));
    story.own.post("/v1/member/redemptions", &json!({"reward_id": "cup"})).problem(422, "insufficient_points");
    assert_eq!(story.buy(&[line(6_000), line_of("deposit", 500)]), (60, "green>green".to_owned()));
    assert_eq!(story.balance()["expiring"], json!([{"points": 60, "expires_at": "2031-09-05T16:00:00Z"}]));

    // The birthday: the stars of a cup, on the day alone, and spent before her own.
    story.at("2031-04-19T15:59:00Z");
    assert_eq!(story.available(), 60);
    story.at("2031-04-20T04:00:00Z");
    assert_eq!(story.available(), 210);
    assert_eq!(story.redeem("cup")["balance"]["available"], 60);
    // Redeeming keeps her stars for another half year.
    assert_eq!(story.balance()["expiring"], json!([{"points": 60, "expires_at": "2031-10-20T16:00:00Z"}]));

    // A feast in June makes Gold, and earns as Green.
    story.at("2031-06-10T04:00:00Z");
    assert_eq!(story.buy(&[line(60_000)]), (600, "green>gold".to_owned()));
    let chosen = |day: &str| story.own.post("/v1/member/entitlements/double-day/uses", &json!({"day": day}));
    let used = json!({"code": "double-day", "year": 2031, "used": 1, "left": 1, "day": "2031-06-15"});
    assert_eq!(chosen("2031-06-15").expect(201), used);
    chosen("2031-06-15").problem(422, "entitlement_day");
    chosen("2031-06-09").problem(422, "entitlement_day");
    assert_eq!(chosen("2031-11-11").expect(201)["left"], 0);
    chosen("2031-12-12").problem(422, "entitlement_used_up");
    let entitled = json!([{
        "code": "double-day", "name": {"en": "Double star day", "zh": "双倍星日"}, "multiplier": "2",
        "per_year": 2, "used": 2, "left": 0, "days": ["2031-06-15", "2031-11-11"],
    }]);
    assert_eq!(story.tier()["entitlements"], entitled);

    // Gold on the chosen day: 100 × 1.2 × 2, and these never lapse.
    story.at("2031-06-15T04:00:00Z");
    assert_eq!(story.buy(&[line(10_000)]), (240, "gold>gold".to_owned()));
    let balance = story.balance();
    assert_eq!(
        (&balance["available"], &balance["expiring"]),
        (&json!(900), &json!([{"points": 660, "expires_at": "2031-12-15T16:00:00Z"}]))
    );
    let fall = json!({"at": "2032-06-15T16:00:00Z", "to": "green", "missing": 500});
    assert_eq!(story.tier()["fall"], fall);

    the_cafe_is_left_alone(&story);
}

/// She stays away: Green's stars go after half a year, Gold's stay, Gold ends after a year.
fn the_cafe_is_left_alone(story: &Story) {
    story.at("2031-12-15T15:59:00Z");
    assert_eq!(story.available(), 900);
    story.at("2031-12-15T16:00:00Z");
    assert_eq!((story.available(), story.balance()["expiring"].clone()), (240, json!([])));
    // Gold's birthday week begins on 13 April.
    story.at("2032-04-12T16:00:00Z");
    assert_eq!(story.balance()["expiring"], json!([{"points": 150, "expires_at": "2032-04-27T16:00:00Z"}]));
    story.at("2032-06-15T15:59:00Z");
    assert_eq!(story.tier_code(), "gold");
    story.at("2032-06-15T16:00:00Z");
    assert_eq!((story.tier_code().as_str(), story.available()), ("green", 240));
    assert_eq!(story.tier()["entitlements"], json!([]));
    let changes = ["green>gold 2031-06-10T04 purchase", "gold>green 2032-06-15T16 review"];
    assert_eq!(story.changes(), changes);
    let notices = [
        "150 points 1 2031-04-20T16:00:00Z",
        "660 points 30 2031-12-15T16:00:00Z",
        "660 points 7 2031-12-15T16:00:00Z",
        "660 points 1 2031-12-15T16:00:00Z",
        "150 points 30 2032-04-27T16:00:00Z",
        "150 points 7 2032-04-27T16:00:00Z",
        "150 points 1 2032-04-27T16:00:00Z",
        "gold>green 30 2032-06-15T16:00:00Z",
    ];
    assert_eq!(story.notices(), notices);
}

#[test]
fn the_shop_counts_by_the_calendar() {
    let story = Story::begin("retail.toml", &json!({"name": "Hanna"}));
    // A Tuesday: (100 × 2 + 400 × 0.5 + 50) × 2, and books earn nothing. 550.00 spent make Plus.
    story.at("2031-03-11T10:00:00Z");
    let basket = [line_of("own-brand", 10_000), line_of("electronics", 40_000), line(5_000), line_of("books", 3_000)];
    let bought = story.purchase(&basket);
    assert_eq!((&bought["points"]["given"], &bought["tier"]["after"]), (&json!(900), &json!("plus")));
    let balance = story.balance();
    assert_eq!((&balance["available"], &balance["pending"]), (&json!(0), &json!(900)));
    assert_eq!(balance["activating"][0]["points"], 900);
    assert!(balance["activating"][0]["available_from"].as_str().expect("an instant").starts_with("2031-03-25T10:0"));
    assert_eq!(balance["expiring"], json!([{"points": 900, "expires_at": "2032-03-31T22:00:00Z"}]));
    // The radio comes back while its points wait: what remains earned (100 × 2 + 50) × 2.
    story.at("2031-03-14T10:00:00Z");
    let returns = format!("/v1/till/purchases/{}/returns", bought["id"].as_str().expect("an id"));
    let radio = json!({"external_id": key(), "lines": [{"line": 2}], "reason": "regretted"});
    story.till.post(&returns, &radio).expect(201);
    assert_eq!((&story.balance()["pending"], story.tier_code().as_str()), (&json!(500), "plus"));
    story.at("2031-03-25T11:00:00Z");
    assert_eq!((story.available(), story.balance()["activating"].clone()), (500, json!([])));

    // A Wednesday as Plus.
    story.at("2031-07-02T10:00:00Z");
    assert_eq!(story.buy(&[line(10_000)]), (150, "plus>plus".to_owned()));
    let progress = story.tier()["progress"].clone();
    assert_eq!((&progress["value"], &progress["missing"]), (&json!(25_000), &json!(125_000)));
    assert_eq!(progress["kept_until"], "2032-12-31T23:00:00Z");
    assert_eq!(story.tier()["fall"], json!({"at": "2032-12-31T23:00:00Z", "to": "basic", "missing": 50_000}));
    // In Advent: 40 × 1.5 and 50 more, which lapse with February.
    story.at("2031-12-10T10:00:00Z");
    assert_eq!(story.buy(&[line(4_000)]), (110, "plus>plus".to_owned()));
    let lapses = |points: i64, at: &str| json!({"points": points, "expires_at": at});
    let ahead = json!([
        lapses(50, "2032-02-29T23:00:00Z"),
        lapses(500, "2032-03-31T22:00:00Z"),
        lapses(150, "2032-07-31T22:00:00Z"),
        lapses(60, "2032-12-31T23:00:00Z"),
    ]);
    assert_eq!(story.balance()["expiring"], ahead);

    the_shop_turns_the_year(&story);
}

/// New Year begins another count and takes no tier; points go with the ends of their months.
fn the_shop_turns_the_year(story: &Story) {
    story.at("2032-01-02T10:00:00Z");
    assert_eq!((story.tier_code().as_str(), &story.tier()["progress"]["value"]), ("plus", &json!(0)));
    assert_eq!(story.available(), 760);
    story.at("2032-02-29T23:00:00Z");
    assert_eq!(story.available(), 710);
    story.at("2032-03-31T22:00:00Z");
    assert_eq!(story.available(), 210);
    // Half a year after Advent the shop asks her back, with points for thirty days.
    story.at("2032-06-06T22:00:00Z");
    assert_eq!(story.available(), 260);
    story.at("2032-07-01T10:00:00Z");
    assert_eq!(story.buy(&[line(20_000)]), (300, "plus>plus".to_owned()));
    story.at("2032-07-07T22:00:00Z");
    assert_eq!(story.available(), 210);
    story.at("2032-07-31T22:00:00Z");
    assert_eq!(story.available(), 360);
    // 200.00 in 2032 hold nothing.
    story.at("2032-12-31T22:59:00Z");
    assert_eq!(story.tier()["fall"], json!({"at": "2032-12-31T23:00:00Z", "to": "basic", "missing": 30_000}));
    story.at("2032-12-31T23:00:00Z");
    assert_eq!((story.tier_code().as_str(), story.available()), ("basic", 350));
    assert_eq!(story.changes(), ["basic>plus 2031-03-11T10 purchase", "plus>basic 2032-12-31T23 review"]);
    let notices = [
        "50 points 30 2032-02-29T23:00:00Z",
        "50 points 7 2032-02-29T23:00:00Z",
        "500 points 30 2032-03-31T22:00:00Z",
        "500 points 7 2032-03-31T22:00:00Z",
        "50 points 30 2032-07-07T22:00:00Z",
        "50 points 7 2032-07-07T22:00:00Z",
        "150 points 30 2032-07-31T22:00:00Z",
        "150 points 7 2032-07-31T22:00:00Z",
        "plus>basic 30 2032-12-31T23:00:00Z",
        "60 points 30 2032-12-31T23:00:00Z",
        "60 points 7 2032-12-31T23:00:00Z",
        "50 points 30 2033-01-27T23:00:00Z",
    ];
    assert_eq!(story.notices(), notices);
}

#[test]
fn the_airline_lets_its_members_land_softly() {
    let story = Story::begin("airline.toml", &json!({"name": "Amara"}));
    // 3,000.00 of fare make 15,000 miles, and Gold at once.
    story.at("2031-06-01T10:00:00Z");
    assert_eq!(story.buy(&[line(300_000), line_of("taxes", 20_000)]), (15_000, "blue>gold".to_owned()));
    // In business: 5,000 × 1.5 × 1.5 can be spent, 5,000 qualify.
    story.at("2031-07-01T10:00:00Z");
    assert_eq!(story.buy(&[line_of("business", 100_000)]), (11_250, "gold>gold".to_owned()));
    assert_eq!(story.tier()["progress"]["value"], 20_000);
    // A ticket for miles costs miles, not the tier.
    assert_eq!(story.redeem("short-flight")["balance"]["available"], 6_250);
    assert_eq!(story.tier()["progress"]["value"], 20_000);
    assert_eq!(story.balance()["expiring"], json!([{"points": 6_250, "expires_at": "2034-09-30T22:00:00Z"}]));
    assert_eq!(story.tier()["fall"], json!({"at": "2032-08-30T22:00:00Z", "to": "silver", "missing": 15_000}));

    // The year of membership from 5 March 2032 is empty: sixty days of grace, then one step.
    story.at("2032-07-02T10:00:00Z");
    assert_eq!(
        (story.tier_code().as_str(), &story.tier()["progress"]["kept_until"]),
        ("gold", &json!("2032-08-30T22:00:00Z"))
    );
    story.at("2032-08-30T22:00:00Z");
    assert_eq!(
        (story.tier_code().as_str(), &story.tier()["progress"]["kept_until"]),
        ("silver", &json!("2033-08-31T22:00:00Z"))
    );
    // 5,000 hold Silver for another year; 50,000 more are for life, and the miles with them.
    story.at("2033-06-01T10:00:00Z");
    assert_eq!(story.buy(&[line(100_000)]), (6_250, "silver>silver".to_owned()));
    assert_eq!(story.tier()["fall"]["at"], "2034-07-31T22:00:00Z");
    story.at("2033-07-01T10:00:00Z");
    assert_eq!(story.buy(&[line(1_000_000)]), (62_500, "silver>senator".to_owned()));
    assert_eq!((&story.tier()["fall"], &story.tier()["progress"]["kept_until"]), (&Value::Null, &Value::Null));
    // The first flight as a senator is the airline's.
    let flight = story.redeem("short-flight");
    assert_eq!((&flight["points"], &flight["perk"]), (&json!(0), &json!("senator-flight")));
    assert_eq!(story.balance()["expiring"], json!([]));
    story.at("2034-10-01T10:00:00Z");
    assert_eq!((story.tier_code().as_str(), story.available()), ("senator", 75_000));
    let changes = [
        "blue>gold 2031-06-01T10 purchase",
        "gold>silver 2032-08-30T22 review",
        "silver>senator 2033-07-01T10 purchase",
    ];
    assert_eq!(story.changes(), changes);
    assert_eq!(story.notices(), ["gold>silver 90 2032-08-30T22:00:00Z", "gold>silver 30 2032-08-30T22:00:00Z"]);
}
