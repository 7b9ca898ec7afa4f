//! What a till is told before a purchase: the price of a basket for a member, and what it earns.

use serde_json::{Value, json};
use tessera::clock::new_uuid;
use tessera_rules::id::MemberId;

use crate::support::make::{self, earn, key, line, line_of, receipt};
use crate::support::{App, Caller, Member};

const PATH: &str = "/v1/till/quote";
const PURCHASES: &str = "/v1/till/purchases";

/// A price list, sneakers for gold first, and two promotions.
fn shop() -> App {
    App::with(|programme| {
        programme["prices"] = json!({
            "member": [
                {"code": "latte", "sku": "LATTE", "price": 2700},
                {"code": "latte-gold", "sku": "LATTE", "price": 2500, "minimum_tier": "gold", "most": "2"},
            ],
            "early_access": [
                {"code": "drop", "skus": ["SNEAKER"], "minimum_tier": "gold", "until": "2031-04-30"},
            ],
        });
        programme["redemption"]["largest_share"] = json!("0.5");
        programme["promotions"] = json!([
            {"code": "cakes", "name": {"en": "Cakes", "zh": "蛋糕"}, "effect": {"kind": "add", "points": 20},
             "categories": ["cake"], "minimum_spend": 5000},
            {"code": "large", "name": {"en": "Large", "zh": "大单"}, "effect": {"kind": "add", "points": 10},
             "minimum_spend": 20000},
            {"code": "night", "name": {"en": "Night", "zh": "夜间"}, "effect": {"kind": "multiply", "by": "2"},
             "schedule": {"hours": [{"from": "22:00", "to": "24:00"}]}},
        ]);
    })
}

fn basket(member: &Member, lines: &[Value]) -> Value {
    json!({"member_id": member.id, "currency": "CNY", "lines": lines})
}

/// No key is asked for: nothing is written.
fn ask(till: &Caller, body: &Value) -> crate::support::Reply {
    till.request("POST", PATH).json(body).send()
}

fn lattes() -> Vec<Value> {
    let latte = json!({"sku": "LATTE", "categories": ["coffee"], "quantity": 3, "amount": 9000});
    vec![latte, line_of("cake", 3_760)]
}

/// The same basket, bought at list prices.
fn bought(till: &Caller, member: &Member, lines: &[Value]) -> Value {
    let mut body = receipt(member, lines);
    body["coupons"] = json!([]);
    till.post(PURCHASES, &body).expect(201)
}

/// The receipt of a till that has taken the prices of a quote itself.
fn bought_at_net(till: &Caller, member: &Member, lines: &[Value], quote: &Value) -> Value {
    let net = |(line, quoted): (&Value, &Value)| {
        let mut line = line.clone();
        line["amount"] = quoted["net"].clone();
        line
    };
    let lines: Vec<Value> = lines.iter().zip(quote["lines"].as_array().unwrap()).map(net).collect();
    till.post(PURCHASES, &receipt(member, &lines)).expect(201)
}

fn nets(quote: &Value) -> Vec<i64> {
    quote["lines"].as_array().unwrap().iter().map(|line| line["net"].as_i64().unwrap()).collect()
}

#[test]
fn what_is_quoted_is_what_is_earned() {
    let app = shop();
    let till = app.cashier();
    let (plain, gold) = (make::member(&till), make::member(&till));
    earn(&till, &gold, 5_000);
    let before = app.db.number("select count(*) as value from entry");

    let quote = ask(&till, &basket(&plain, &lattes())).expect(200);
    assert_eq!(nets(&quote), [8_100, 3_760]);
    assert_eq!((&quote["list"], &quote["total"], &quote["due"]), (&json!(12_760), &json!(11_860), &json!(11_860)));
    assert_eq!(quote["lines"][0]["discounts"], json!([{"source": "member_price", "code": "latte", "amount": 900}]));
    // Coffee counts twice: 2 × 81 + 37.6.
    assert_eq!(quote["purchase"]["points"]["given"], 199);

    let best = ask(&till, &basket(&gold, &lattes())).expect(200);
    assert_eq!(nets(&best), [7_700, 3_760]);
    assert_eq!(
        best["lines"][0]["discounts"],
        json!([
            {"source": "member_price", "code": "latte-gold", "amount": 1000},
            {"source": "member_price", "code": "latte", "amount": 300},
        ])
    );
    assert_eq!(best["purchase"]["points"]["given"], (77 * 2 * 100 + 3_760) * 3 / 200);
    assert_eq!(app.db.number("select count(*) as value from entry"), before, "nothing was written");

    for (member, quote) in [(&plain, &quote), (&gold, &best)] {
        let happened = bought(&till, member, &lattes());
        for field in ["points", "breakdown", "balance", "tier", "explanation"] {
            assert_eq!(happened[field], quote["purchase"][field], "{field}");
        }
    }
    let third = make::member(&till);
    let (quote, at_net) = (ask(&till, &basket(&third, &lattes())).expect(200), |quote: &Value| {
        bought_at_net(&till, &third, &lattes(), quote)
    });
    assert_eq!(at_net(&quote)["points"], quote["purchase"]["points"], "who takes the prices himself earns the same");
    let id = quote["purchase"]["id"].as_str().unwrap();
    till.get(&format!("{PURCHASES}/{id}")).problem(404, "not_found");
}

#[test]
fn what_would_give_more_is_told_in_both_languages() {
    let app = shop();
    let till = app.cashier();
    let member = make::member(&till);
    let body = basket(&member, &lattes());
    let english = ask(&till, &body);
    assert_eq!(english.header("content-language"), Some("en"));
    let told = |quote: Value| -> Vec<(String, Value, String)> {
        let text = |offer: &Value, field: &str| offer[field].as_str().unwrap().to_owned();
        let offers = quote["offers"].as_array().unwrap().clone();
        offers.iter().map(|one| (text(one, "why"), one["missing"].clone(), text(one, "reason"))).collect()
    };
    let row = |why: &str, missing: Value, reason: &str| (why.to_owned(), missing, reason.to_owned());
    assert_eq!(
        told(english.expect(200)),
        [
            row("minimum_spend", json!(1_240), "Spend 12.40 CNY more on what it is for: Cakes."),
            row("minimum_spend", json!(8_140), "Spend 81.40 CNY more: Large."),
            row("hours", Value::Null, "Night does not apply: not at that time of day."),
        ]
    );
    let chinese = ask(&till.in_chinese(), &body);
    assert_eq!(chinese.header("content-language"), Some("zh-CN"));
    assert_eq!(
        told(chinese.expect(200)),
        [
            row("minimum_spend", json!(1_240), "活动商品再消费 12.40 CNY 即可享“蛋糕”。"),
            row("minimum_spend", json!(8_140), "再消费 81.40 CNY 即可享“大单”。"),
            row("hours", Value::Null, "“夜间”不适用：不在活动时段内。"),
        ]
    );
}

#[test]
fn what_is_for_others_first_is_withheld() {
    let app = shop();
    let till = app.cashier();
    let (plain, gold) = (make::member(&till), make::member(&till));
    earn(&till, &gold, 5_000);
    let sneaker = json!({"sku": "SNEAKER", "quantity": 1, "amount": 50_000});
    let quote = ask(&till, &basket(&plain, &[sneaker.clone(), line(1_000)])).expect(200);
    assert_eq!((&quote["list"], &quote["due"]), (&json!(1_000), &json!(1_000)));
    assert_eq!(
        quote["lines"][0]["withheld"],
        json!({"code": "drop", "minimum_tier": "gold", "until": "2031-04-30",
               "reason": "Through 30 April 2031 it is for members of Gold and above."})
    );
    assert_eq!(quote["purchase"]["points"]["given"], 10);
    let nothing = ask(&till.in_chinese(), &basket(&plain, std::slice::from_ref(&sneaker))).expect(200);
    assert_eq!((&nothing["due"], nothing.get("purchase"), &nothing["offers"]), (&json!(0), None, &json!([])));
    assert_eq!(nothing["lines"][0]["withheld"]["reason"], "2031年4月30日（含）前仅限“金卡”及以上会员购买。");
    // A receipt at list prices with it is refused; of a quote the rest is bought.
    let mut body = receipt(&plain, &[line(1_000), sneaker.clone()]);
    body["coupons"] = json!([]);
    let refused = till.post(PURCHASES, &body).problem(422, "goods_withheld");
    assert_eq!(refused["errors"][0]["pointer"], "/lines/1");
    let sale = json!({"quote": quote["id"], "external_id": key()});
    let bought = till.post(PURCHASES, &sale).expect(201);
    assert_eq!((&bought["total"], &bought["points"]["given"]), (&json!(1_000), &json!(10)));
    let quote = ask(&till, &basket(&gold, &[sneaker])).expect(200);
    assert_eq!((quote["lines"][0].get("withheld"), &quote["due"]), (None, &json!(50_000)));
}

#[test]
fn what_points_can_pay_is_told() {
    let app = shop();
    let till = app.cashier();
    let member = make::member(&till);
    let had = earn(&till, &member, 730)["balance"]["available"].as_i64().unwrap();
    let quoted = |wish: Value| {
        let mut body = basket(&member, &[line(1_000)]);
        body["points"] = wish;
        ask(&till, &body)
    };
    let most = quoted(json!("most")).expect(200);
    assert_eq!(
        most["points"],
        json!({"terms": {"minimum": 100, "step": 50, "largest_share": "0.5"},
               "most": {"points": 500, "worth": 500}, "pays": {"points": 500, "worth": 500}})
    );
    assert_eq!((&most["due"], &most["purchase"]["redeemed"]), (&json!(500), &json!({"points": 500, "worth": 500})));
    assert_eq!(most["purchase"]["balance"]["available"], had - 500 + 10);
    assert_eq!(quoted(Value::Null).expect(200)["points"].get("pays"), None);

    let some = quoted(json!({"points": 150})).expect(200);
    assert_eq!((&some["due"], &some["points"]["pays"]["points"]), (&json!(850), &json!(150)));
    let odd = quoted(json!({"points": 120})).expect(200);
    assert_eq!(odd["points"]["refused"], json!({"code": "not_a_step", "reason": "Redeem in steps of 50 points."}));
    assert_eq!((&odd["due"], odd["purchase"].get("redeemed")), (&json!(1_000), None));
    let problem = quoted(json!({"points": 0})).problem(400, "invalid_field");
    assert_eq!(problem["errors"][0]["pointer"], "/points/points");

    app.reconfigure(|programme| programme["redemption"] = Value::Null);
    let none = quoted(json!({"points": 150})).expect(200);
    assert_eq!(
        (&none["points"]["terms"], &none["points"]["refused"]["code"]),
        (&Value::Null, &json!("money_off_not_offered"))
    );
}

#[test]
fn only_what_could_be_bought_is_quoted() {
    let app = shop();
    let till = app.manager();
    let member = make::member(&till);
    let sound = basket(&member, &[line(1_000)]);
    ask(&till, &sound).expect(200);
    let with = |field: &str, value: Value| {
        let mut body = sound.clone();
        body[field] = value;
        ask(&till, &body)
    };
    with("optimise", json!("price")).expect(200);
    with("optimise", json!("points")).expect(200);
    with("optimise", json!("fun")).problem(400, "invalid_field");
    with("coupons", json!(["SPRING"])).expect(200);
    with("coupons", json!(["SPRING", "spring"])).problem(400, "invalid_field");
    with("own_coupons", json!(true)).expect(200);
    with("points", json!("all")).problem(400, "invalid_field");
    with("lines", json!([])).problem(400, "invalid_field");
    with("lines", json!([{"quantity": 0, "amount": 5}])).problem(400, "invalid_field");
    with("currency", json!("EUR")).problem(422, "currency_mismatch");
    with("occurred_at", json!("2031-01-01T00:00:00Z")).problem(422, "occurred_too_early");
    with("tenders", json!([{"type": "gift_card", "amount": 1_001}])).problem(422, "tenders_exceed_total");
    with("tenders", json!([{"type": "gift_card", "amount": 1_000}])).expect(200);
    with("member_id", json!(MemberId::new(new_uuid()))).problem(404, "member_unknown");
    let why = json!({"reason": key()});
    till.post(&format!("/v1/admin/members/{}/freeze", member.id), &why).expect(200);
    ask(&till, &sound).problem(422, "member_frozen");
}

/// Of two accounts of one person either is asked for: the price is that of the member who stays.
#[test]
fn who_was_merged_is_quoted_as_who_he_is() {
    let app = shop();
    let till = app.cashier();
    let (gone, stays) = (make::member(&till), make::member(&till));
    earn(&till, &stays, 5_000);
    let merge = json!({"into": stays.id, "reason": "one person"});
    app.admin().post(&format!("/v1/admin/members/{}/merge", gone.id), &merge).expect(200);
    assert_eq!(nets(&ask(&till, &basket(&gone, &lattes())).expect(200)), [7_700, 3_760]);
}
