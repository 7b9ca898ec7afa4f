//! Members and receipts.

use serde_json::{Value, json};
use tessera::clock::new_uuid;

use super::http::Caller;

/// A key or a number that nobody has used.
pub(crate) fn key() -> String {
    new_uuid().to_string()
}

/// A member as the test knows him.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// `mem_…`.
    pub(crate) id: String,
    /// Twelve digits.
    pub(crate) code: String,
}

/// Enrols somebody whom nothing sets apart.
pub(crate) fn member(till: &Caller) -> Member {
    enrol(till, &json!({"name": "Lin Xiaoyu"}))
}

/// Enrols somebody in particular.
pub(crate) fn enrol(till: &Caller, body: &Value) -> Member {
    let enrolled = till.post("/v1/till/members", body).expect(201);
    let text = |field: &str| enrolled[field].as_str().expect(field).to_owned();
    Member { id: text("id"), code: text("code") }
}

/// A line without category.
pub(crate) fn line(amount: i64) -> Value {
    json!({"quantity": 1, "amount": amount})
}

/// A line of a category.
pub(crate) fn line_of(category: &str, amount: i64) -> Value {
    json!({"categories": [category], "quantity": 1, "amount": amount})
}

/// A receipt under a fresh number.
pub(crate) fn receipt(member: &Member, lines: &[Value]) -> Value {
    json!({"member_id": member.id, "external_id": key(), "currency": "CNY", "lines": lines})
}

/// Records a purchase that earns this many points at the base rate and nothing else, and returns
/// the answer.
pub(crate) fn earn(till: &Caller, member: &Member, points: i64) -> Value {
    till.post("/v1/till/purchases", &receipt(member, &[line(points * 100)])).expect(201)
}
