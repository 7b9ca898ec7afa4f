//! Wallets are lived through again, and whoever changes a row of one is found out.

use serde_json::json;

use super::{Change, find_out};
use crate::support::make::{self, key, line};
use crate::wallets::{paid, pin, shop, top_up};

#[test]
fn money_that_was_moved_behind_the_books_is_found() {
    let app = shop();
    let till = app.cashier();
    let member = make::member(&till);
    let pin = pin(&app, &member);
    top_up(&till, &member, 10_000);
    let bought = till.post("/v1/till/purchases", &paid(&member, &[line(15_000)], 12_000, &pin)).expect(201);
    let back = json!({"external_id": key(), "reason": "unwanted", "lines": [{"line": 1, "amount": 5_000}]});
    till.post(&format!("/v1/till/purchases/{}/returns", bought["id"].as_str().unwrap()), &back).expect(201);
    app.advance("P40D");
    let change = |table, change, said| Change(table, change, said);
    find_out(
        app,
        &[("MEMBER", &member.id)],
        &[
            change(
                "wallet",
                "update wallet set paid = paid + 1",
                "wallet of member MEMBER: it is not what its entries",
            ),
            change("wallet", "update wallet set due_at = now()", "it is not what its entries add up to"),
            change("wallet", "delete from wallet", "wallet_entry of member MEMBER: it is in no wallet"),
            change(
                "wallet_entry",
                "update wallet_entry set amount = amount + 1 where kind = 'top_up'",
                "wallet_entry of member MEMBER, number 1: its hash does not follow",
            ),
            change("wallet_entry", "delete from wallet_entry where number = 2", "number 2: is missing"),
            change(
                "wallet_entry",
                "update wallet_entry set reason = 'front' where kind = 'cashback'",
                "its hash does not follow",
            ),
            change(
                "wallet_lot",
                "update wallet_lot set remaining = remaining - 1 where account = 'cashback'",
                "wallet_lot",
            ),
            change(
                "wallet_lot",
                "update wallet_lot set amount = amount + 1 where account = 'bonus'",
                "do not explain it",
            ),
            change("wallet_movement", "delete from wallet_movement where amount > 0", "its lots do not explain it"),
            change("wallet_movement", "update wallet_movement set lot = 2 where lot = 1", "wallet_lot"),
            change(
                "purchase",
                "update purchase set answer = replace(answer, '\"wallet\":{\"paid\":12000', '\"wallet\":{\"paid\":11999')",
                "its purchase does not say what the wallet paid",
            ),
        ],
    );
}
