//! Many histories from one seed, and the command that tells a failing one again.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};

use super::scene::Scene;

/// Histories told from one seed.
pub(crate) const HISTORIES: u32 = 50;

/// A failing history is made smaller for at most so many milliseconds.
const SHRINKS: u32 = 90_000;

/// The seeds to begin with: always the same, so that a change fails by itself and not by chance. With
/// `MODEL_SEED=new` so many that nobody has tried, and with a number that one alone.
pub(crate) fn seeds(count: u64) -> Vec<u64> {
    let asked = std::env::var("MODEL_SEED").unwrap_or_default();
    if let Ok(seed) = asked.parse() {
        return vec![seed];
    }
    let mut chance = if asked == "new" { TestRunner::default() } else { TestRunner::deterministic() };
    let mut seed = || any::<u32>().new_tree(&mut chance).expect("a number").current();
    (0..count).map(|_| u64::from(seed())).collect()
}

/// Tells so many histories of a seed. `command` is what tells them again.
pub(crate) fn tell(
    seed: u64,
    histories: u32,
    scenes: impl Strategy<Value = Scene>,
    command: &str,
    mut happen: impl FnMut(&Scene),
) {
    let config = ProptestConfig {
        cases: histories,
        failure_persistence: None,
        max_shrink_iters: 3_000,
        max_shrink_time: SHRINKS,
        ..ProptestConfig::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let happen = std::cell::RefCell::new(&mut happen);
    let told = runner.run(&scenes, |scene| {
        (happen.borrow_mut())(&scene);
        Ok(())
    });
    match told {
        Ok(()) => {}
        Err(TestError::Fail(reason, scene)) => panic!("MODEL_SEED={seed} {command}\n{reason}\n{scene:#?}"),
        Err(TestError::Abort(reason)) => panic!("MODEL_SEED={seed} {command}\n{reason}"),
    }
}
