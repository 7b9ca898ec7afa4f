//! How much there is of the rewards, for whoever looks at the catalogue.

use std::collections::HashMap;

use tessera_rules::reward::Reward;

use super::Services;
use super::error::Problem;
use crate::store::ledger;
use crate::store::reward::{self, Pool};

/// What was handed out of every reward, and the codes of partners that are nobody's.
pub(super) struct Supply {
    used: HashMap<String, i64>,
    pools: HashMap<String, Pool>,
}

impl Supply {
    /// Reads it as of now.
    pub(super) async fn read(services: &Services) -> Result<Self, Problem> {
        let read = services.pool.run(|conn| Ok((ledger::rewards_used(conn)?, reward::pools(conn)?)));
        let (used, pools) = read.await?;
        Ok(Self { used: used.into_iter().collect(), pools: pools.into_iter().collect() })
    }

    /// How many of a reward were handed out or set aside.
    pub(super) fn used(&self, reward: &Reward) -> i64 {
        self.used.get(&reward.code).copied().unwrap_or(0)
    }

    /// How many are left; `None`: there is no end to them.
    pub(super) fn left(&self, reward: &Reward) -> Option<i64> {
        reward.left(self.used(reward), self.pools.get(&reward.code).map_or(0, |pool| pool.left))
    }
}
