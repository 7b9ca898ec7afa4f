//! What the audit log is told of a change to the programme: what differs, and nothing else.

use serde_json::{Value, json};
use tessera::engine::configure::changes;

fn document() -> Value {
    json!({
        "name": "Club",
        "earning": { "rate": { "points": 1, "per": 100 }, "rules": [{ "code": "tea", "multiplier": "2" }] },
        "rewards": [{ "code": "mug", "points": 100, "stock": 3 }, { "code": "bag", "points": 500 }],
    })
}

fn changed(change: impl Fn(&mut Value)) -> (Option<Value>, Option<Value>) {
    let mut after = document();
    change(&mut after);
    changes(&document(), &after)
}

#[test]
fn only_what_differs_is_told() {
    assert_eq!(changed(|_| {}), (None, None));
    assert_eq!(changes(&Value::Null, &document()), (None, Some(document())));
    assert_eq!(
        changed(|document| document["earning"]["rate"]["per"] = json!(200)),
        (
            Some(json!({ "earning": { "rate": { "per": 100 } } })),
            Some(json!({ "earning": { "rate": { "per": 200 } } }))
        )
    );
}

#[test]
fn a_part_is_told_whole_and_by_its_code() {
    assert_eq!(
        changed(|document| document["rewards"][0]["stock"] = json!(5)),
        (
            Some(json!({ "rewards": { "mug": { "code": "mug", "points": 100, "stock": 3 } } })),
            Some(json!({ "rewards": { "mug": { "code": "mug", "points": 100, "stock": 5 } } })),
        )
    );
}

#[test]
fn what_is_new_has_no_before_and_what_is_gone_no_after() {
    let cup = json!({ "code": "cup", "points": 50 });
    let add = changed(|document| document["rewards"].as_array_mut().expect("a list").push(cup.clone()));
    assert_eq!(add, (None, Some(json!({ "rewards": { "cup": cup } }))));

    let remove = changed(|document| drop(document["rewards"].as_array_mut().expect("a list").pop()));
    assert_eq!(remove, (Some(json!({ "rewards": { "bag": { "code": "bag", "points": 500 } } })), None));

    // A list that became empty is not written at all.
    let clear = changed(|document| drop(document.as_object_mut().expect("an object").remove("rewards")));
    assert_eq!(clear.0.expect("something")["rewards"].as_object().map(serde_json::Map::len), Some(2));
    assert_eq!(clear.1, None);
}

#[test]
fn another_order_is_a_change_too() {
    let (before, after) = changed(|document| document["rewards"].as_array_mut().expect("a list").reverse());
    assert_eq!(before.expect("something")["rewards"], document()["rewards"]);
    assert_eq!(after.expect("something")["rewards"][0]["code"], "bag");
}
