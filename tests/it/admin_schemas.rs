//! The OpenAPI document describes the programme by hand, for the rulebook knows no OpenAPI. Here the
//! descriptions are held against what is really written and read: every field of a full programme is
//! described, and every field described is one the programme has.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tessera::api::openapi;
use tessera_rules::Programme;

/// Says everything a programme can say, at least once.
fn full() -> Value {
    let mut full = json!({
        "name": { "en": "Club", "zh": "会员" },
        "currency": "CNY",
        "time_zone": "Asia/Shanghai",
        "earning": {
            "rate": { "points": 1, "per": 100 },
            "combine": "best",
            "carry_remainder": true,
            "pending_days": 3,
            "excluded_categories": ["gift-cards"],
            "excluded_skus": ["BAG"],
            "excluded_tenders": ["gift_card"],
            "cap_per_purchase": 1000,
            "cap_per_day": 2000,
            "rules": [
                { "code": "tea", "category": "tea", "multiplier": "2" },
                { "code": "house", "sku": "COF-001", "multiplier": "1.5" },
            ],
        },
        "expiry": { "policy": "after", "months": 12, "round": "month" },
        "activities": ["redeeming"],
        "returns": { "shortfall": "forgive", "expired_return_grace_days": 14, "other_stores": false },
        "transfers": {"minimum": 10, "daily_limit": 500},
        "pools": {"members": 4, "daily_limit": 200},
        "wallet": {
            "minimum_top_up": 1000, "largest_balance": 500_000,
            "top_up": [{"from": 10_000, "bonus": 10_000}, {"from": 50_000, "percent": "25"}],
            "bonus_expiry": {"policy": "after", "months": 3, "round": "day"},
            "cashback_expiry": {"policy": "never"},
        },
        "adjustments": {
            "manager": { "each": 100, "per_day": 300 }, "admin": { "each": 1000, "per_day": 3000 },
            "reasons": ["goodwill", "till_error"],
        },
        "redemption": {
            "rate": { "points": 100, "per": 100 }, "minimum": 100, "step": 50, "largest_share": "0.5",
            "hold_minutes": 30,
        },
        "tiers": {
            "measure": "points",
            "window": { "kind": "rolling", "days": 365 },
            "validity": { "kind": "months", "months": 12 },
            "fall": "requalify",
            "grace_days": 30,
            "lots_on_change": "take",
            "levels": [
                { "code": "base", "name": "Base", "threshold": 0, "earn_multiplier": "1", "benefits": ["Tea"] },
                {
                    "code": "gold", "name": "Gold", "threshold": 100, "earn_multiplier": "1.5",
                    "expiry": { "policy": "inactivity", "months": 6 }, "keep_for_life": true,
                    "entitlements": [
                        { "code": "delivery", "name": "Delivery", "per_year": 4, "kind": { "kind": "counted" } },
                        {
                            "code": "double-day", "name": "Double day", "per_year": 2,
                            "kind": { "kind": "multiplier_day", "multiplier": "2" },
                        },
                    ],
                },
            ],
        },
        "notices": { "expiry_days": [30, 1], "tier_days": [14] },
        "segments": [
            { "code": "regulars", "name": "Regulars", "when": "member.purchases > 9", "visible": true },
        ],
        "promotions": [
            {
                "code": "double",
                "name": "Double",
                "schedule": {
                    "from": "2026-01-01", "to": "2026-12-31", "weekdays": ["tuesday"], "days": ["2026-11-10"],
                    "hours": [{ "from": "14:00", "to": "24:00" }],
                },
                "effect": { "kind": "multiply", "by": "2" },
                "segments": ["regulars"],
                "tags": ["vip"],
                "channels": ["web"],
                "categories": ["coffee"],
                "skus": ["BEAN"],
                "minimum_spend": 1000,
                "nth_purchase": { "every": 5 },
                "when": "member.tier_rank >= 1",
                "cap_per_purchase": 100,
                "priority": 1,
                "stores": ["web"],
                "tiers": ["base"],
            },
            {
                "code": "plus", "name": "Plus", "schedule": {}, "effect": { "kind": "add", "points": 5 }, "priority": 2,
                "first_purchase": true, "unlisted": true,
                "expiry": { "policy": "on_date", "dates": ["12-31"], "at_least_months": 1 },
            },
            {
                "code": "third", "name": "Third", "state": "paused", "schedule": {}, "effect": { "kind": "add", "points": 5 }, "priority": 3,
                "nth_purchase": { "exactly": 3 },
            },
            {
                "code": "beans", "name": "Beans", "schedule": {},
                "effect": { "kind": "per_amount", "points": 2, "per": 1000 }, "priority": 4,
                "limits": { "per_member": 9, "per_member_per_day": 2, "total": 1000, "budget_points": 50000 },
                "exclusion_group": "coffee",
            },
            {
                "code": "cake", "name": "Cake", "schedule": {}, "priority": 0,
                "trigger": { "kind": "birthday", "before_days": 7, "after_days": 7, "leap_day": "march1" },
                "effect": { "kind": "reward", "reward": "mug", "days": 7 },
            },
            {
                "code": "gold", "name": "Gold", "schedule": {}, "priority": 0,
                "trigger": { "kind": "tier_change", "direction": "up", "to": "gold" },
                "effect": { "kind": "coupon", "coupon": "percent" },
            },
            {
                "code": "back", "name": "Back", "schedule": {}, "priority": 0, "trigger": { "kind": "lapse", "days": 60 },
                "effect": { "kind": "multiplier", "multiplier": "2", "days": 7 },
            },
            {
                "code": "friends", "name": "Friends", "schedule": {}, "priority": 0,
                "trigger": { "kind": "event", "event": "app" },
                "effect": { "kind": "message", "text": { "en": "{name}!", "zh": "{name}！" } },
            },
            {
                "code": "vip", "name": "VIP", "schedule": {}, "priority": 0, "trigger": { "kind": "enrolment" },
                "effect": { "kind": "tag", "tag": "new", "days": 30 },
            },
            {
                "code": "cash", "name": "Cash", "schedule": {}, "priority": 5,
                "effect": { "kind": "cashback", "percent": "5", "cap": 1000, "cap_per_month": 5000 },
                "limits": { "budget_money": 100000 },
            },
        ],
        "events": [{ "code": "app", "name": "App", "attributes": { "friends": "integer" } }],
        "rewards": [
            {
                "code": "mug", "name": "Mug", "points": 100, "stock": 3, "minimum_tier": "base",
                "segments": ["regulars"],
                "early_access": { "from": "2025-12-24", "minimum_tier": "gold", "segments": ["regulars"] },
                "from": "2026-01-01", "to": "2026-12-31", "description": { "en": "Blue", "zh": "蓝色" },
                "pictures": ["https://example.com/mug.webp"], "points_by_tier": [{ "tier": "gold", "points": 0 }],
                "per_member": { "most": 1, "per": "year" },
            },
            { "code": "cinema", "name": "Cinema", "kind": "partner_voucher", "points": 900 },
            { "code": "ten-off", "name": "10 off", "kind": "coupon", "coupon": "percent", "points": 90 },
            { "code": "draw", "name": "Draw", "kind": "draw_ticket", "tickets": 2, "points": 10 },
        ],
        "perks": [
            {
                "code": "birthday",
                "name": "Birthday",
                "occasion": "birthday",
                "grant": { "kind": "points", "points": 200 },
                "windows": [{ "tiers": ["base"], "before_days": 7, "after_days": 7 }],
                "member_for_days": 30,
                "needs_purchase": true,
                "leap_day": "march1",
            },
            {
                "code": "birthday-double",
                "name": "Birthday",
                "occasion": "birthday",
                "grant": { "kind": "multiplier", "multiplier": "2" },
                "windows": [{ "before_days": 0, "after_days": 0 }],
                "member_for_days": 0,
                "needs_purchase": false,
                "leap_day": "february28",
            },
            {
                "code": "miss-you",
                "name": "We miss you",
                "occasion": { "lapse": { "days": 90 } },
                "grant": { "kind": "reward", "reward": "mug" },
                "windows": [{ "before_days": 0, "after_days": 14 }],
                "member_for_days": 0,
                "needs_purchase": false,
                "leap_day": "february28",
            },
            {
                "code": "hello", "name": "Hello", "occasion": "welcome", "windows": [{ "before_days": 0, "after_days": 9 }],
                "grant": { "kind": "coupon", "coupon": "percent" },
                "member_for_days": 0, "needs_purchase": false, "leap_day": "february28",
            },
            {
                "code": "told", "name": "Told", "occasion": "welcome", "windows": [{ "before_days": 0, "after_days": 0 }],
                "grant": { "kind": "message", "text": { "en": "Hello, {name}", "zh": "您好，{name}" } },
                "member_for_days": 0, "needs_purchase": false, "leap_day": "february28",
            },
        ],
        "coupons": coupons(),
        "prices": {
            "member": [
                {
                    "code": "mug-gold", "sku": "MUG", "price": 900, "minimum_tier": "gold",
                    "segments": ["regulars"], "from": "2026-01-01", "to": "2026-12-31", "most": "2",
                },
            ],
            "early_access": [
                {
                    "code": "drop", "skus": ["SNEAKER"], "minimum_tier": "gold", "segments": ["regulars"],
                    "until": "2026-04-30",
                },
            ],
        },
    });
    // More than the macro takes at once.
    full["referral"] = json!({ "minimum_spend": 5000, "within_days": 30 });
    let promotions = full["promotions"].as_array_mut().expect("a list");
    promotions.push(json!({
        "code": "bring", "name": "Bring", "schedule": {}, "priority": 0,
        "trigger": { "kind": "referral", "for": "referrer" }, "effect": { "kind": "add", "points": 5 },
    }));
    full
}

/// One coupon for each kind of discount; the first says everything a coupon can say.
fn coupons() -> Value {
    let goods = json!({
        "skus": ["MUG"], "categories": ["tea"], "excluded_skus": ["BAG"], "excluded_categories": ["gift-cards"],
    });
    let plain = |code: &str, off: Value| json!({ "code": code, "name": "Coupon", "discount": { "off": off } });
    json!([
        {
            "code": "percent", "name": "Coupon",
            "discount": {
                "off": { "kind": "percent", "percent": "12.5" },
                "goods": goods, "minimum_spend": 20000, "cap": 3000,
            },
            "from": "2026-01-01", "to": "2026-12-31", "valid_days": 30, "uses": 3, "holder": "bearer",
            "minimum_tier": "gold", "segments": ["regulars"], "stacking": { "group": "tea" }, "priority": 1, "give_back_on_return": true,
            "limits": { "total": 500, "budget_money": 1_000_000 },
        },
        plain("amount", json!({ "kind": "amount", "amount": 500 })),
        plain("steps", json!({ "kind": "steps", "steps": [{ "spend": 20000, "amount": 3000 }], "every": true })),
        plain("item", json!({ "kind": "item_free", "units": 2, "pick": "dearest" })),
        plain("buy", json!({ "kind": "buy_get", "buy": 2, "get": 1 })),
        plain("nth", json!({ "kind": "every_nth", "nth": 3, "percent": "100" })),
    ])
}

fn components() -> Value {
    let document: Value = serde_json::from_str(&openapi::document().json).expect("JSON");
    document["components"]["schemas"].clone()
}

/// The schemas a schema may stand for: what it refers to, and each of several forms.
fn forms<'a>(schema: &'a Value, components: &'a Value) -> Vec<&'a Value> {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().expect("a name");
        return forms(&components[name], components);
    }
    match schema["oneOf"].as_array() {
        Some(all) => all.iter().flat_map(|form| forms(form, components)).collect(),
        None => vec![schema],
    }
}

/// Notes every field as `Pointer/field` that is written, and fails on one that is not described.
fn walk(value: &Value, schema: &Value, components: &Value, at: &str, seen: &mut BTreeSet<String>) {
    let forms = forms(schema, components);
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                // What is named by whoever writes it has no field of its own.
                if let Some(any) = forms.iter().find(|form| form["additionalProperties"].is_object()) {
                    walk(value, &any["additionalProperties"], components, at, seen);
                    continue;
                }
                let described: Vec<&Value> =
                    forms.iter().map(|form| &form["properties"][name]).filter(|found| !found.is_null()).collect();
                assert!(!described.is_empty(), "{at}/{name} is written and not described");
                seen.insert(format!("{at}/{name}"));
                let fits = described.iter().find(|schema| allows(value, schema)).expect("described as it is written");
                walk(value, fits, components, &format!("{at}/{name}"), seen);
            }
        }
        Value::Array(items) => {
            let of = forms.iter().find(|form| !form["items"].is_null());
            let of = of.unwrap_or_else(|| panic!("{at} is a list and not described as one"));
            items.iter().for_each(|item| walk(item, &of["items"], components, at, seen));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            assert!(forms.iter().any(|form| allows(value, form)), "{at}: {value} is not as described");
        }
    }
}

/// Whether a plain schema lets a value be: its type, and its words where they are listed.
fn allows(value: &Value, schema: &Value) -> bool {
    let name = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let of_type = match &schema["type"] {
        Value::String(only) => only == name,
        Value::Array(any) => any.iter().any(|one| one == name),
        _ => true,
    };
    let listed = schema["enum"].as_array().is_none_or(|words| words.contains(value));
    of_type && listed
}

/// Notes every field that is described.
fn described(schema: &Value, components: &Value, at: &str, all: &mut BTreeSet<String>) {
    for form in forms(schema, components) {
        for (name, inner) in form["properties"].as_object().into_iter().flatten() {
            all.insert(format!("{at}/{name}"));
            described(inner, components, &format!("{at}/{name}"), all);
        }
        if !form["items"].is_null() {
            described(&form["items"], components, at, all);
        }
    }
}

#[test]
fn the_described_programme_is_the_one_that_is_written() {
    let programme: Programme = serde_json::from_value(full()).expect("a programme");
    assert_eq!(programme.problems(), []);
    let written = serde_json::to_value(&programme).expect("JSON");
    assert_eq!(written, full(), "the example says everything in the form in which it is written");

    let components = components();
    let (mut seen, mut all) = (BTreeSet::new(), BTreeSet::new());
    walk(&written, &components["Programme"], &components, "", &mut seen);
    described(&components["Programme"], &components, "", &mut all);
    // The plain form of a text is in the example, the two languages are of one name.
    all.retain(|field| !(field.ends_with("/en") || field.ends_with("/zh")) || seen.contains(field));
    assert_eq!(one_expiry(seen), one_expiry(all));
}

/// An expiry stands in several places, each of which can say one kind of it: told together.
fn one_expiry(fields: BTreeSet<String>) -> BTreeSet<String> {
    let one = |field: String| field.find("expiry/").map_or(field.clone(), |at| field[at..].to_owned());
    fields.into_iter().map(one).collect()
}

#[test]
fn what_may_be_left_out_is_described_so() {
    let components = components();
    let mut least = full();
    let parts = [
        "expiry",
        "activities",
        "returns",
        "adjustments",
        "transfers",
        "pools",
        "referral",
        "wallet",
        "redemption",
        "tiers",
        "notices",
        "promotions",
        "rewards",
        "perks",
        "coupons",
        "prices",
    ];
    for field in parts {
        least.as_object_mut().expect("an object").remove(field);
    }
    serde_json::from_value::<Programme>(least).expect("a programme");
    for (part, required) in [
        ("Programme", &["name", "currency", "time_zone", "earning"][..]),
        ("Earning", &["rate"]),
        ("EarningRule", &["code", "multiplier"]),
        ("MoneyOff", &["rate"]),
        ("AdjustmentLimits", &["each", "per_day"]),
        ("Tiers", &["measure", "window", "levels"]),
        ("TierLevel", &["code", "name", "threshold"]),
        ("Entitlement", &["code", "name", "per_year"]),
        ("Promotion", &["code", "name", "effect"]),
        ("Reward", &["code", "name", "points"]),
        ("EarlyOffer", &["from"]),
        ("TierPrice", &["tier", "points"]),
        ("MemberLimit", &["most"]),
        ("Perk", &["code", "name", "occasion", "grant", "windows"]),
        ("CouponType", &["code", "name", "discount"]),
        ("Discount", &["off"]),
        ("MemberPrice", &["code", "sku", "price"]),
        ("EarlyAccess", &["code", "skus", "until"]),
        ("Segment", &["code", "name", "when"]),
    ] {
        assert_eq!(components[part]["required"], json!(required), "{part}");
    }
}
