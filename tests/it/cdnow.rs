//! A real history: 23,570 customers of an online music shop, imported as it is, and every member's
//! points compared with a computation that shares no code with the rules.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Utc, Weekday};
use serde_json::{Value, json};

use crate::support::db::{Db, scratch};
use crate::support::process::{finish, tessera};

/// Members of the slice that every run imports.
const SLICE: u32 = 750;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cdnow").join(name)
}

fn unpacked(name: &str) -> String {
    let mut text = String::new();
    let file = fs::File::open(data(name)).expect("the history");
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("the history is gzip");
    text
}

/// The header and the rows of the first members; `column` holds the member's number.
fn slice(text: &str, column: usize) -> String {
    let belongs = |row: &&str| row.split(',').nth(column).is_some_and(|id| id.parse().is_ok_and(|id: u32| id <= SLICE));
    let mut lines = text.lines();
    let header = lines.next().expect("a header");
    std::iter::once(header).chain(lines.filter(belongs)).fold(String::new(), |mut rows, row| {
        writeln!(rows, "{row}").expect("a string");
        rows
    })
}

/// A purchase of the file.
struct Bought {
    day: NaiveDate,
    cents: i64,
}

/// Points that lapse together.
struct Bundle {
    left: i64,
    gone_on: NaiveDate,
}

/// A member as the programme of `config/programmes/cdnow.toml` should have him.
#[derive(Default)]
struct Listener {
    bought: Vec<Bought>,
    bundles: Vec<Bundle>,
    tier: usize,
    moves: i64,
    earned: i64,
    lapsed: i64,
}

/// Code, base points in 365 days, points for a hundred dollars.
const LADDER: [(&str, i64, i64); 3] = [("listener", 0, 100), ("collector", 100, 125), ("curator", 500, 150)];

impl Listener {
    fn climb(&self, today: NaiveDate) -> usize {
        // A purchase counts on its own day and the 364 after it.
        let counts = |bought: &&Bought| bought.day + Days::new(365) > today;
        let dollars: i64 = self.bought.iter().filter(counts).map(|bought| bought.cents / 100).sum();
        LADDER.iter().rposition(|(_, threshold, _)| dollars >= *threshold).expect("the lowest needs nothing")
    }

    fn go_to(&mut self, tier: usize) {
        self.moves += i64::from(tier != self.tier);
        self.tier = tier;
    }

    /// Every midnight since the last purchase: bundles lapse, and the tier may fall.
    fn wake_on(&mut self, today: NaiveDate) {
        let Some(last) = self.bought.last().map(|bought| bought.day) else { return };
        for bundle in self.bundles.iter_mut().filter(|bundle| bundle.gone_on <= today) {
            self.lapsed += std::mem::take(&mut bundle.left);
        }
        let mut day = last;
        while day < today && self.tier > 0 {
            day = day + Days::new(1);
            let reached = self.climb(day);
            if reached < self.tier {
                self.go_to(reached);
            }
        }
    }

    /// On Tuesdays points count so many times.
    fn buy(&mut self, today: NaiveDate, cents: i64, tuesdays: i64) {
        self.wake_on(today);
        let tuesday = if today.weekday() == Weekday::Tue { tuesdays } else { 1 };
        let points = cents * LADDER[self.tier].2 * tuesday / 10_000;
        self.earned += points;
        // Through the last day of the month, twelve months on.
        let gone_on = today.with_day(1).expect("every month has a first") + Months::new(13);
        self.bundles.push(Bundle { left: points, gone_on });
        self.bought.push(Bought { day: today, cents });
        let reached = self.climb(today);
        if reached > self.tier {
            self.go_to(reached);
        }
    }

    fn line(&self, id: &str) -> String {
        let available: i64 = self.bundles.iter().map(|bundle| bundle.left).sum();
        // Nobody has been anywhere before the first move.
        let tier = if self.moves == 0 { "" } else { LADDER[self.tier].0 };
        let (earned, lapsed, bought) = (self.earned, self.lapsed, self.bought.len());
        format!("{id} {available} {earned} {lapsed} {tier} {} {bought}", self.moves)
    }
}

/// Every member as he should be, from the texts of the two files.
fn listeners<'f>(members: &'f str, purchases: &'f str, tuesdays: i64) -> BTreeMap<&'f str, Listener> {
    let ids = members.lines().skip(1).map(|row| row.split(',').next().expect("an id"));
    let mut listeners: BTreeMap<&str, Listener> = ids.map(|id| (id, Listener::default())).collect();
    for Sale { member, day, cents } in sales(purchases) {
        listeners.get_mut(member).expect("a member").buy(day, cents, tuesdays);
    }
    listeners
}

/// A row of the purchases.
struct Sale<'f> {
    member: &'f str,
    day: NaiveDate,
    cents: i64,
}

fn sales(purchases: &str) -> impl Iterator<Item = Sale<'_>> {
    purchases.lines().skip(1).map(|row| {
        let cells: Vec<&str> = row.split(',').collect();
        let at: DateTime<Utc> = cells[3].parse().expect("an instant");
        let (dollars, cents) = cells[9].split_once('.').expect("dollars and cents");
        assert_eq!(cents.len(), 2, "{row}");
        let day = at.with_timezone(&chrono_tz::America::New_York).date_naive();
        Sale { member: cells[1], day, cents: format!("{dollars}{cents}").parse().expect("an amount") }
    })
}

/// Every member's line as it should be.
fn computed(members: &str, purchases: &str) -> Vec<String> {
    listeners(members, purchases, 2).iter().map(|(id, listener)| listener.line(id)).collect()
}

/// The same lines as they are stored.
fn stored(db: &Db) -> Vec<String> {
    db.texts(
        "select concat_ws(' ', external_id, available, lifetime_earned, \
         coalesce((select sum(points) from entry e where e.member_id = m.id and e.kind = 'expiry'), 0), \
         tier, tier_changes, purchases) as value \
         from member m join standing s on s.member_id = m.id order by external_id collate \"C\"",
    )
}

/// Everything that must not change when a file is imported again.
fn fingerprint(db: &Db) -> Vec<String> {
    let tables = ["standing", "entry", "lot", "lot_movement", "qualifying_day", "tier_change", "purchase", "outbox"];
    let print = |table| format!("select md5(string_agg(t::text, '' order by t::text)) as value from {table} t");
    tables.into_iter().flat_map(|table| db.texts(&print(table))).collect()
}

/// Runs the command; the last line of its output, and how it ended.
fn run(db: &Db, dir: &Path, arguments: &[&str]) -> (i32, Value) {
    let (code, out, err) = finish(tessera(dir).args(arguments).env("DATABASE_URL", &db.url));
    let last = out.lines().last().unwrap_or_else(|| panic!("{arguments:?}: {err}"));
    (code, serde_json::from_str(last).unwrap_or_else(|error| panic!("{last}: {error}: {err}")))
}

/// Plans a programme and simulates it over the two years.
fn simulated(db: &Db, dir: &Path, programme: &toml::Value) -> Value {
    let file = dir.join("tried.toml");
    fs::write(&file, toml::to_string(programme).expect("TOML")).expect("a scratch file");
    let days = ["--simulate", "--from", "1997-01-01", "--to", "1998-12-31", "--json"];
    let begun = std::time::Instant::now();
    let (code, mut planned) = run(db, dir, &[&["programme", "plan", file.to_str().unwrap()][..], &days].concat());
    assert_eq!(code, 0, "{planned}");
    eprintln!("simulated {} purchases in {:?}", planned["simulation"]["purchases"]["looked_at"], begun.elapsed());
    planned["simulation"].take()
}

/// What was live gives what happened, on the tiers on record and when they are lived again; what is tried gives
/// what is computed.
fn simulates_as_computed(db: &Db, dir: &Path, (members, purchases): (&str, &str)) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/programmes/cdnow.toml");
    let live: toml::Value = toml::from_str(&fs::read_to_string(file).expect("a file")).expect("TOML");
    let given = db.number("select sum(points)::bigint as value from purchase");
    let same = json!({"before": given, "after": given, "difference": 0});
    let mut other = live.clone();
    other["tiers"]["levels"][1]["threshold"] = 50.into();
    let apply = |programme: &toml::Value| {
        let file = dir.join("other.toml");
        fs::write(&file, toml::to_string(programme).expect("TOML")).expect("a scratch file");
        let applied = finish(tessera(dir).args(["programme", "apply"]).arg(file).env("DATABASE_URL", &db.url));
        assert_eq!(applied.0, 0, "{applied:?}");
    };
    for relived in [false, true] {
        if relived {
            apply(&other);
        }
        let view = simulated(db, dir, &live);
        assert_eq!((&view["points"], &view["purchases"]["touched"]), (&same, &json!(0)), "{relived}");
        assert_eq!((&view["tiers"], &view["inexact"]), (&json!([]), &json!(0)), "{relived}");
        assert_eq!(view["purchases"]["looked_at"], purchases.lines().count() - 1);
        let differs = |day: &&Value| day["points"]["difference"] != 0;
        assert_eq!(view["days"].as_array().unwrap().iter().find(differs), None);
    }
    apply(&live);
    would_give_back(db, dir, &live, purchases);
    let mut generous = live;
    generous["promotions"][0]["effect"]["by"] = "3".into();
    let view = simulated(db, dir, &generous);
    let earned: i64 = listeners(members, purchases, 3).values().map(|listener| listener.earned).sum();
    assert_eq!(view["points"]["after"], earned);
    assert!(earned > given, "there are Tuesdays");
}

/// The plan of [`crate::marketing_plan`] on these purchases: none is for coffee, and 5 % of each would have come back,
/// up to 50.00 in a month.
fn would_give_back(db: &Db, dir: &Path, live: &toml::Value, purchases: &str) {
    let plan = include_str!("support/marketing_plan.toml").replace("silver", "collector").replace("gold", "curator");
    let mut tried = live.clone();
    for (part, more) in plan.parse::<toml::Table>().expect("TOML") {
        match (tried.get_mut(&part).and_then(toml::Value::as_array_mut), more) {
            (Some(list), toml::Value::Array(more)) => list.extend(more),
            (_, more) => drop(tried.as_table_mut().expect("a table").insert(part, more)),
        }
    }
    let view = simulated(db, dir, &tried);
    let mut months: BTreeMap<(&str, i32, u32), i64> = BTreeMap::new();
    for Sale { member, day, cents } in sales(purchases) {
        let month = months.entry((member, day.year(), day.month())).or_default();
        *month = (*month + cents / 20).min(5_000);
    }
    let gives = months.values().sum::<i64>();
    let told = view["promotions"].as_array().unwrap();
    let told = told.iter().find(|told| told["code"] == "cash-back").expect("it would give");
    assert_eq!(told["cashback"], json!({"before": 0, "after": gives, "difference": gives}));
    assert_eq!((&view["points"]["difference"], &view["inexact"]), (&json!(0), &json!(0)));
}

fn imports_as_computed(members: &Path, purchases: &Path, texts: (&str, &str)) {
    let (db, dir) = (Db::empty(), scratch("cdnow"));
    tessera::app::prepare(&db.owner_url, None).expect("migrations and grants apply");
    let programme = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/programmes/cdnow.toml");
    let applied = finish(tessera(&dir).args(["programme", "apply"]).arg(programme).env("DATABASE_URL", &db.url));
    assert_eq!(applied.0, 0, "{applied:?}");
    let rows = |text: &str| text.lines().count() - 1;
    let files = [("members", members, rows(texts.0)), ("purchases", purchases, rows(texts.1))];
    let summary = |accepted: usize, duplicates: usize| {
        let rows = accepted + duplicates;
        json!({"rows": rows, "accepted": accepted, "duplicates": duplicates, "rejected": 0, "errors_file": null})
    };

    for (kind, file, rows) in files {
        let list = dir.join("errors.csv");
        let (file, list) = (file.to_str().unwrap(), list.to_str().unwrap());
        let import = |more: &[&str]| {
            run(&db, &dir, &[&["import", kind, file, "--json", "--create-stores", "--errors", list], more].concat())
        };
        assert_eq!(import(&[]), (0, summary(rows, 0)), "a dry run of {kind}");
        assert_eq!(db.number(&format!("select count(*) as value from {}", kind.trim_end_matches('s'))), 0);
        assert_eq!(import(&["--commit"]), (0, summary(rows, 0)), "{kind}");
    }
    let (right, found) = (computed(texts.0, texts.1), stored(&db));
    for (right, found) in right.iter().zip(&found) {
        assert_eq!(found, right, "member, available, earned, lapsed, tier, moves, purchases");
    }
    assert_eq!(found.len(), right.len());

    let before = fingerprint(&db);
    for (kind, file, rows) in files {
        let again = run(&db, &dir, &["import", kind, file.to_str().unwrap(), "--commit", "--json"]);
        assert_eq!(again, (0, summary(0, rows)), "{kind} again");
    }
    assert_eq!(fingerprint(&db), before, "twice is once");
    let (code, verified) = run(&db, &dir, &["verify", "--json"]);
    assert_eq!((code, &verified["ok"], &verified["members"]), (0, &json!(true), &json!(rows(texts.0))));
    let sum = |query: &str| db.number(&format!("select ({query})::bigint as value"));
    assert_eq!(verified["entries"], sum("select count(*) from entry"));
    assert_eq!(verified["sums"]["available"], sum("select sum(available) from standing"));
    assert_eq!(verified["sums"]["issued"], sum("select sum(lifetime_earned) from standing"));
    assert_eq!(verified["sums"]["expired"], sum("select sum(points) from entry where kind = 'expiry'"));
    simulates_as_computed(&db, &dir, texts);
}

#[test]
fn a_slice_of_the_history_gives_every_member_the_computed_points() {
    let (members, purchases) = (unpacked("members.csv.gz"), unpacked("purchases.csv.gz"));
    let (members, purchases) = (slice(&members, 0), slice(&purchases, 1));
    let dir = scratch("cdnow-slice");
    let (members_file, purchases_file) = (dir.join("members.csv"), dir.join("purchases.csv"));
    fs::write(&members_file, &members).expect("a scratch file");
    fs::write(&purchases_file, &purchases).expect("a scratch file");
    imports_as_computed(&members_file, &purchases_file, (&members, &purchases));
}

#[test]
#[ignore = "the whole history: .ci/run runs it in release"]
fn the_whole_history_gives_every_member_the_computed_points() {
    let (members, purchases) = (unpacked("members.csv.gz"), unpacked("purchases.csv.gz"));
    imports_as_computed(&data("members.csv.gz"), &data("purchases.csv.gz"), (&members, &purchases));
}
