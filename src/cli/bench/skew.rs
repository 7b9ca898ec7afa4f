//! Row 6: a few members buy most, and every purchase takes from one promotion's budget.

use serde_json::json;

use super::accruals::uniform;
use super::house::{self, House};
use super::load::Dice;
use super::report::Sample;
use super::stage::Stage;
use super::turns::{Cell, Turns};
use super::{http, load};

/// Keep-alive connections of either side.
const CONNECTIONS: usize = 64;
/// How much rarer the next member is: the k-th comes 1/k^1.1 as often as the first.
const EXPONENT: f64 = 1.1;

/// Row 6.
pub(super) fn measure(stage: &mut Stage) -> anyhow::Result<Sample> {
    let plain = stage.plain()?;
    let stage = &*stage;
    let mut programme = house::demo()?;
    programme["promotions"] = json!([{
        "code": "budget", "name": "While it lasts", "effect": { "kind": "add", "points": 1 },
        "limits": { "budget_points": 1_000_000_000 },
    }]);
    let hot = House::open(stage, "hot", &programme, &[])?;
    let zipf = Zipf::of(hot.members.len());
    let turns = Turns::take(
        stage.plan,
        &mut || {
            load::run(stage, &hot, CONNECTIONS, &mut |request, dice| {
                http::receipt(request, &hot, zipf.draw(dice), 1, dice)?;
                Ok(true)
            })
        },
        &mut || uniform(stage, &plain, CONNECTIONS),
    )?;
    Ok(turns.sample(Cell::rate, "/s", ""))
}

/// Draws members by their rank.
struct Zipf(Vec<f64>);

impl Zipf {
    fn of(members: usize) -> Self {
        let mut sum = 0.0;
        let weights = (1..=members).map(|rank| {
            sum += (rank as f64).powf(-EXPONENT);
            sum
        });
        Self(weights.collect())
    }

    fn draw(&self, dice: &mut Dice) -> usize {
        let whole = self.0.last().copied().unwrap_or(0.0);
        let at = dice.unit() * whole;
        self.0.partition_point(|&sum| sum <= at).min(self.0.len().saturating_sub(1))
    }
}
