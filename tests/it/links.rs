//! Members whose points go to one another: transfers, households, merged accounts, moved purchases.

mod merging;
mod moving;
mod pools;
mod transfers;

use serde_json::{Value, json};

use crate::support::{App, Caller, Member};

const PURCHASES: &str = "/v1/till/purchases";

/// A programme with transfers and pools.
fn start() -> App {
    App::with(|programme| {
        programme["transfers"] = json!({"minimum": 10, "daily_limit": 400});
        programme["pools"] = json!({"members": 3, "daily_limit": 500});
    })
}

fn set(app: &App, now: &str) {
    app.admin().put("/v1/sandbox/clock", &json!({"now": now})).expect(200);
}

/// A member's own row as staff see it: what he himself has, whoever keeps what he earns.
fn own(app: &App, member: &Member) -> [i64; 4] {
    let full = app.admin().get(&format!("/v1/admin/members/{}", member.id)).expect(200);
    balances(&full["standing"]["balance"])
}

/// The four balances of an answer: available, pending, held, debt.
fn balances(balance: &Value) -> [i64; 4] {
    ["available", "pending", "held", "debt"].map(|account| balance[account].as_i64().unwrap())
}

/// A member's lots with something in them: number, points left, when they lapse.
fn lots(app: &App, member: &Member) -> Vec<(i64, i64, String)> {
    let shown = app.admin().get(&format!("/v1/admin/members/{}/lots", member.id)).expect(200);
    let lot = |lot: &Value| {
        let lapses = lot["expires_at"].as_str().unwrap_or("never").to_owned();
        (lot["number"].as_i64().unwrap(), lot["remaining"].as_i64().unwrap(), lapses)
    };
    let mut open: Vec<_> = shown["data"].as_array().unwrap().iter().map(lot).collect();
    open.retain(|(_, remaining, _)| *remaining > 0);
    open.sort();
    open
}

/// A member's entries, oldest first: kind, accounts, points.
fn ledger(app: &App, member: &Member) -> Vec<String> {
    let shown = app.admin().get(&format!("/v1/admin/members/{}/ledger?limit=100", member.id)).expect(200);
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    let row =
        |row: &Value| format!("{} {}>{} {}", text(row, "kind"), text(row, "from"), text(row, "to"), row["points"]);
    shown["data"].as_array().unwrap().iter().rev().map(row).collect()
}

fn id(document: &Value) -> String {
    document["id"].as_str().unwrap().to_owned()
}

/// Redeems money off for oneself.
fn spend(caller: &Caller, points: i64) -> crate::support::Reply {
    caller.post("/v1/member/redemptions", &json!({"points": points}))
}

/// One account becomes another.
fn merge(app: &App, from: &Member, into: &Member) -> Value {
    let body = json!({"into": into.id, "reason": "enrolled twice"});
    app.admin().post(&format!("/v1/admin/members/{}/merge", from.id), &body).expect(200)
}
