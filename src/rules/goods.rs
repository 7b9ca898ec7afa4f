//! What a promotion asks of the goods: of the receipt when it is bought, and again of what remains
//! when some of them come back (PROGRAMME.md §4).

use serde::{Deserialize, Serialize};

use crate::amount::Minor;
use crate::command::Line;
use crate::condition::{Condition, Facts};
use crate::promotion::{Miss, Promotion};

/// What a promotion asks of the goods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goods {
    /// Positions of the lines it is for, from 1; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<u32>>,
    /// The least that these lines come to, in minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_spend: Option<Minor>,
    /// The condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
}

impl Goods {
    /// What a promotion asks of a receipt.
    pub(crate) fn of(promotion: &Promotion, receipt: &[Line]) -> Self {
        let scoped = !promotion.categories.is_empty() || !promotion.skus.is_empty();
        let matching = |(_, line): &(u32, &Line)| {
            line.sku.as_ref().is_some_and(|sku| promotion.skus.contains(sku))
                || line.categories.iter().any(|category| promotion.categories.contains(category))
        };
        let lines = || (1..).zip(receipt).filter(matching).map(|(position, _)| position).collect();
        Self { lines: scoped.then(lines), minimum_spend: promotion.minimum_spend, when: promotion.condition.clone() }
    }

    /// Why goods do not satisfy it, told by the amounts of the lines in minor units and what a condition
    /// may ask. Goods that come to nothing, as when one is bought and brought back on the same receipt,
    /// are none.
    pub(crate) fn miss(&self, amounts: &[i64], facts: Option<&Facts>) -> Option<Miss> {
        let spend = self.spend(amounts);
        if self.lines.is_some() && spend <= 0 {
            Some(Miss::Lines)
        } else if self.minimum_spend.is_some_and(|least| spend < i128::from(least.get())) {
            Some(Miss::MinimumSpend)
        } else if self.when.as_ref().is_some_and(|when| !facts.is_some_and(|facts| when.met(facts))) {
            Some(Miss::Condition)
        } else {
            None
        }
    }

    /// What the lines it is for come to, in minor units.
    fn spend(&self, amounts: &[i64]) -> i128 {
        match &self.lines {
            None => amounts.iter().map(|&amount| i128::from(amount)).sum(),
            Some(lines) => {
                lines.iter().filter_map(|&line| amounts.get(line as usize - 1)).map(|&a| i128::from(a)).sum()
            }
        }
    }

    /// What these lines lack of the minimum spend, in minor units; absent: nothing.
    pub(crate) fn missing(&self, amounts: &[i64]) -> Option<Minor> {
        let missing = i128::from(self.minimum_spend?.get()) - self.spend(amounts);
        (missing > 0).then(|| Minor::from_wide(missing).unwrap_or(Minor::MAX))
    }

    /// What of it must be asked again when goods come back; absent: nothing.
    pub(crate) fn kept(self) -> Option<Self> {
        let when = self.when.filter(Condition::reads_goods);
        let asks = self.lines.is_some() || self.minimum_spend.is_some() || when.is_some();
        asks.then_some(Self { when, ..self })
    }
}
