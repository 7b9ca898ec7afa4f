//! How many cases a property is shown, and which.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// So many, and the same ones every time: a test judges a change, not luck. `PROPTEST_CASES` asks for more,
/// `PROPTEST_RNG_SEED` for others (`random`: for some that nobody has tried).
pub(crate) fn cases(default: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    config.cases = asked.unwrap_or(default);
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}
