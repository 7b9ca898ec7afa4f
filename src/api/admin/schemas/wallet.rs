//! The terms of the wallet, as they look on the wire.

use utoipa::ToSchema;

use super::{Expiry, Multiplier};

/// The terms of the wallet. Amounts are in minor units.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::admin) struct WalletTerms {
    /// The least that is paid in at once; 1 where nothing is said.
    #[schema(required = false, minimum = 1, default = 1)]
    minimum_top_up: i64,
    /// The most that a top-up may fill a wallet to; absent: no limit.
    #[schema(minimum = 1, example = 500000)]
    largest_balance: Option<i64>,
    /// What comes on top of money paid in: the highest step that is reached. Ascending in `from`.
    #[schema(required = false)]
    top_up: Vec<TopUpStep>,
    /// When a bonus lapses; `never` where nothing is said, and not by inactivity.
    #[schema(required = false)]
    bonus_expiry: Expiry,
    /// When cashback lapses; `never` where nothing is said, and not by inactivity.
    #[schema(required = false)]
    cashback_expiry: Expiry,
}

/// What comes on top of money paid in: either a `bonus` or a `percent`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api::admin) struct TopUpStep {
    /// From so much paid in at once.
    #[schema(minimum = 1, example = 10000)]
    from: i64,
    /// This much.
    #[schema(minimum = 1, example = 10000)]
    bonus: Option<i64>,
    /// So many percent of what is paid in, rounded down: above 0 and at most 1000.
    percent: Option<Multiplier>,
}
