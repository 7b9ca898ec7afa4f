//! `tessera verify`: books that are right pass, and whoever changes a row is found out.

mod adjusted;
mod anchor;
mod coupons;
pub(crate) mod eventful;
mod limited;
mod linked;
mod re_rated;
mod shaken;
mod wallets;

use serde_json::{Value, json};

use crate::support::App;
use crate::support::make::{self, earn, key, line};
use crate::support::process::{finish, tessera};

/// Runs the command: exit code, its line of JSON, its messages.
fn verify(app: &App) -> (i32, Value, String) {
    let mut command = tessera(&crate::support::db::scratch("verify"));
    let (code, out, err) = finish(command.env("DATABASE_URL", &app.db.url).args(["verify", "--json"]));
    (code, serde_json::from_str(&out).unwrap_or_else(|error| panic!("{out}: {error}: {err}")), err)
}

/// The books add up.
pub(crate) fn passes(app: &App) {
    let (code, _, err) = verify(app);
    assert_eq!(code, 0, "{err}");
}

/// A change of a table, and what is said of it.
struct Change(&'static str, &'static str, &'static str);

/// Makes each change behind the back of the ledger, in books that are right before and after, and
/// expects `verify` to name it. `names` are put into both texts.
fn find_out(mut app: App, names: &[(&str, &str)], changes: &[Change]) {
    let (code, _, err) = verify(&app);
    assert_eq!((code, err.as_str()), (0, ""));
    app.verified = false;
    app.stop();
    let triggers = app.db.texts(
        "select distinct tgrelid::regclass::text as value from pg_trigger \
         where not tgisinternal and tgname like '%keep%'",
    );
    for table in triggers {
        app.db.execute(&format!("alter table {table} disable trigger user"));
    }
    let named = |text: &str| names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    let mut missed = Vec::new();
    for Change(table, change, said) in changes {
        let (change, said) = (named(change), named(said));
        app.db.execute(&format!("create table kept as select * from {table}; {change}"));
        let differ = format!("select count(*) as value from (table {table} except all table kept) d");
        let gone = format!("select count(*) as value from (table kept except all table {table}) d");
        let changed = app.db.number(&differ) + app.db.number(&gone) > 0;
        let (code, verified, err) = verify(&app);
        let found = err.lines().any(|line| line.starts_with("verify: ") && line.contains(&said));
        if !changed || !found || (code, &verified["ok"]) != (1, &json!(false)) {
            missed.push(format!("{change}\n  changed: {changed}, exit code {code}, expected: {said}\n  {err}"));
        }
        app.db.execute(&format!("delete from {table}; insert into {table} select * from kept; drop table kept"));
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    let (code, _, err) = verify(&app);
    assert_eq!((code, err.as_str()), (0, ""), "everything is as it was");
}

/// A year of one member, who has everything there is to verify, and of another.
fn furnished() -> (App, String) {
    let app = App::start();
    let till = app.cashier();
    let member = make::enrol(&till, &json!({"name": "Ann", "birth_date": "1990-03-05"}));
    for points in [600, 300, 200] {
        earn(&till, &member, points);
    }
    let card = app.member(&member);
    for reward in ["mug", "coffee"] {
        card.request("POST", "/v1/member/redemptions")
            .header("Idempotency-Key", &key())
            .json(&json!({"reward_id": reward}))
            .send()
            .expect(201);
    }
    app.advance("P370D");
    let till = app.cashier();
    till.post("/v1/till/purchases", &make::receipt(&member, &[line(12_345)])).expect(201);
    let other = make::member(&till);
    earn(&till, &other, 10);
    (app, member.id)
}

#[test]
fn books_that_are_right_pass() {
    let (app, _) = furnished();
    let (code, verified, err) = verify(&app);
    assert_eq!((code, err.as_str()), (0, ""), "{verified}");
    let count = |table: &str| app.db.number(&format!("select count(*) as value from {table}"));
    assert_eq!((&verified["ok"], &verified["members"]), (&json!(true), &json!(count("standing"))));
    assert_eq!(verified["entries"], count("entry"));
    let keys: Vec<&String> = verified["sums"].as_object().expect("sums").keys().collect();
    let accounts = "adjusted available debt expired held issued pending redeemed returned transferred";
    assert_eq!(keys, accounts.split(' ').collect::<Vec<_>>());
    let sum = |of: &str| verified["sums"][of].as_i64().expect("points");
    assert_eq!(sum("issued"), sum("available") + sum("redeemed") + sum("expired"));
    assert_eq!(sum("redeemed"), 150);
    assert!(sum("expired") > 0);
    let heads = app.db.texts(
        "select encode(sha256(string_agg(uuid_send(member_id) || head, '' order by member_id)), 'hex') as value from standing",
    );
    assert_eq!(verified["heads_hash"], heads[0]);
}

/// A change behind the back of the ledger, its undoing, and what is said of it.
struct Tampering(&'static str, &'static str, &'static str);

/// Rows of the member who has everything: the one with redemptions.
const TAMPERINGS: &[Tampering] = &[
    Tampering(
        "update entry set points = points + 1 where number = 2 and {his}",
        "update entry set points = points - 1 where number = 2 and {his}",
        "entry of member {him}, number 2: its hash does not follow",
    ),
    Tampering(
        "update entry set reason = 'gift' where number = 3 and {his}",
        "update entry set reason = null where number = 3 and {his}",
        "entry of member {him}, number 3: its hash does not follow",
    ),
    Tampering(
        "create table kept as select * from entry where number = 2 and {his}; delete from entry where number = 2 and {his}",
        "insert into entry select * from kept; drop table kept",
        "entry of member {him}, number 2: is missing",
    ),
    Tampering(
        "update standing set entries = entries + 1 where {his}",
        "update standing set entries = entries - 1 where {his}",
        "standing of member {him}: entries is",
    ),
    Tampering(
        "update standing set available = available + 5 where {his}",
        "update standing set available = available - 5 where {his}",
        "standing of member {him}: available is",
    ),
    Tampering(
        "update standing set head = sha256(head) where {his}",
        "update standing set head = (select hash from entry e where e.member_id = standing.member_id order by number desc limit 1) where {his}",
        "standing of member {him}: head is not",
    ),
    Tampering(
        "update standing set lifetime_earned = lifetime_earned + 1 where {his}",
        "update standing set lifetime_earned = lifetime_earned - 1 where {his}",
        "standing of member {him}: lifetime_earned is",
    ),
    Tampering(
        "update standing set carry = carry + 1 where {his}",
        "update standing set carry = carry - 1 where {his}",
        "standing of member {him}: carry is",
    ),
    Tampering(
        "update standing set purchases = purchases + 1 where {his}",
        "update standing set purchases = purchases - 1 where {his}",
        "standing of member {him}: purchases is",
    ),
    Tampering(
        "update standing set tier = 'gold' where {his}",
        "update standing set tier = (select to_tier from tier_change t where t.member_id = standing.member_id order by number desc limit 1) where {his}",
        "standing of member {him}: tier is",
    ),
    Tampering(
        "update standing set window_points = window_points + 1 where {his}",
        "update standing set window_points = window_points - 1 where {his}",
        "standing of member {him}: window_points is",
    ),
    Tampering(
        "update standing set window_oldest = window_oldest - 1 where {his}",
        "update standing set window_oldest = window_oldest + 1 where {his}",
        "standing of member {him}: window_oldest is",
    ),
    Tampering(
        "update standing set clock.lots_due_at = (clock).lots_due_at + interval '1 day' where {his}",
        "update standing set clock.lots_due_at = (clock).lots_due_at - interval '1 day' where {his}",
        "standing of member {him}: lots_due_at is",
    ),
    Tampering(
        "update standing set tier_due_at = recorded_at where {his}",
        "update standing set tier_due_at = null where {his}",
        "standing of member {him}: tier_due_at is",
    ),
    Tampering(
        "update standing set frozen = true where {his}",
        "update standing set frozen = false where {his}",
        "standing of member {him}: frozen is",
    ),
    Tampering(
        "update lot set remaining = remaining - 1 where remaining > 0 and {his}",
        "update lot set remaining = remaining + 1 where remaining > 0 and {his}",
        "lot of member {him}, number",
    ),
    Tampering(
        "update lot set expires_at = expires_at + interval '1 year' where number = 2 and {his}",
        "update lot set expires_at = expires_at - interval '1 year' where number = 2 and {his}",
        "lot of member {him}, number 2: its expiry is not",
    ),
    Tampering(
        "create table kept as select * from lot where number = 4 and {his}; delete from lot where number = 4 and {his}",
        "insert into lot select * from kept; drop table kept",
        "lot of member {him}, number 4",
    ),
    Tampering(
        "create table kept as select * from lot_movement where {his}; \
         update lot_movement m set lot = 4 where entry = (select min(entry) from lot_movement where {his}) and {his}",
        "delete from lot_movement where {his}; insert into lot_movement select * from kept; drop table kept",
        "of member {him}",
    ),
    Tampering(
        "update qualifying_day set spend = spend + 1 where {his}",
        "update qualifying_day set spend = spend - 1 where {his}",
        "qualifying_day of member {him}, 2031-03-05: it is not the sum",
    ),
    Tampering(
        "update tier_change set to_tier = 'gold' where number = 1 and {his}",
        "update tier_change set to_tier = 'silver' where number = 1 and {his}",
        "tier_change of member {him}, number 1: it does not lead",
    ),
    Tampering(
        "update purchase set points = points + 1 where {his}",
        "update purchase set points = points - 1 where {his}",
        "purchase of member {him}, ",
    ),
    Tampering(
        "create table kept as select * from purchase where {his}; delete from purchase where {his}",
        "insert into purchase select * from kept; drop table kept",
        "entry of member {him}, number",
    ),
    Tampering(
        "update redemption set points = points + 1 where {his}",
        "update redemption set points = points - 1 where {his}",
        "redemption of member {him}, ",
    ),
    Tampering(
        "create table kept as select * from perk_grant where {his}; delete from perk_grant where {his}",
        "insert into perk_grant select * from kept; drop table kept",
        "of member {him}",
    ),
    Tampering(
        "update reward_usage set used = used + 1 where reward = 'mug'",
        "update reward_usage set used = used - 1 where reward = 'mug'",
        "reward_usage, mug: 2 are counted, 1 were redeemed",
    ),
    Tampering(
        "insert into entry select gen_random_uuid(), number, kind, from_account, to_account, points, effective_at, recorded_at, \
         actor_role, actor_id, document_id, reason, reverses, hash from entry where number = 1 and {his}",
        "delete from entry where member_id not in (select id from member)",
        "entry of member mem_",
    ),
];

#[test]
fn whoever_changes_a_row_is_found_out() {
    let (mut app, him) = furnished();
    app.verified = false;
    app.stop();
    for table in ["entry", "lot_movement", "tier_change", "perk_grant"] {
        app.db.execute(&format!("alter table {table} disable trigger user"));
    }
    let id = app.db.texts("select member_id::text as value from redemption limit 1").remove(0);
    let his_id = format!("member_id = '{id}'");
    assert!(app.db.number(&format!("select count(*) as value from entry where {his_id}")) > 4);
    for Tampering(change, undo, said) in TAMPERINGS {
        let (change, undo) = (change.replace("{his}", &his_id), undo.replace("{his}", &his_id));
        let said = said.replace("{him}", &him);
        app.db.execute(&change);
        let (code, verified, err) = verify(&app);
        assert_eq!((code, &verified["ok"]), (1, &json!(false)), "{change}");
        assert!(
            err.lines().any(|line| line.starts_with("verify: ") && line.contains(&said)),
            "{change}: {said}: {err}"
        );
        app.db.execute(&undo);
    }
    let (code, _, err) = verify(&app);
    assert_eq!((code, err.as_str()), (0, ""), "everything is as it was");
}
