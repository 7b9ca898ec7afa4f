//! Row 10: what larger receipts and many promotions cost.

use serde_json::{Value, json};

use super::accruals::lines;
use super::house::{self, House};
use super::report::Sample;
use super::stage::Stage;
use super::turns::{Cell, Turns};

/// Keep-alive connections of either side.
const CONNECTIONS: usize = 64;

/// Row 10.
pub(super) fn measure(stage: &mut Stage) -> anyhow::Result<Sample> {
    let stage = &*stage;
    let mut bare = house::demo()?;
    bare["promotions"] = json!([]);
    let mut busy = bare.clone();
    busy["promotions"] = promotions();
    let bare = House::open(stage, "bare", &bare, &[])?;
    let busy = House::open(stage, "busy", &busy, &[])?;
    let turns = Turns::take(stage.plan, &mut || lines(stage, &busy, CONNECTIONS, 9), &mut || {
        lines(stage, &bare, CONNECTIONS, 1)
    })?;
    Ok(turns.sample(Cell::rate, "/s", ""))
}

/// Twenty that are live today: multipliers of a category each, extra points from an amount on, tiers,
/// and conditions in CEL. Some apply to nearly every receipt, some to few.
fn promotions() -> Value {
    let one = |i: i32| {
        let mut promotion =
            json!({ "code": format!("promotion-{i}"), "name": format!("Promotion {i}"), "priority": i });
        let category = ["tea", "fresh", "coffee", "books"][usize::try_from(i).unwrap_or(0) % 4];
        let (field, value) = match i % 5 {
            0 => ("categories", json!([category])),
            1 => ("minimum_spend", json!(5_000 * i)),
            2 => ("tiers", json!(["silver", "gold"])),
            3 => ("when", json!(format!("member.purchases > {i} && purchase.amount > 2000"))),
            _ => ("channels", json!(["web"])),
        };
        promotion[field] = value;
        promotion["effect"] = match i % 5 {
            0 | 2 => json!({ "kind": "multiply", "by": "1.5" }),
            _ => json!({ "kind": "add", "points": i }),
        };
        promotion
    };
    (1..=20).map(one).collect()
}
