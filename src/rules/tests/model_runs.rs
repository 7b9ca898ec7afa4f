//! The rulebook beside the reference model: random histories of every command.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tessera_rules::Programme;
use tessera_rules::amount::Rate;
use tessera_rules::occasion::OccasionKind;
use tessera_rules::perk::{Perk, PerkGift, PerkWindow};
use tessera_rules::programme::MoneyOff;
use tessera_rules::promotion::PromotionEffect;
use tessera_rules::reward::Reward;
use tessera_rules::time::LeapDay;

use crate::model::memory::Memory;
use crate::model::scene::{Scene, scene};
use crate::model::seeds::{HISTORIES, seeds, tell};
use crate::model::trial::Trial;
use crate::support::{at, points, programme, promotion, times};

/// The plain programme with one of everything that a book of the model changes.
fn base() -> Programme {
    let (rate, one) = (Rate { points: 1, per: 1 }, points(1));
    let offer = MoneyOff { rate, minimum: one, step: one, largest_share: times("1"), hold_minutes: 15 };
    let mug = Reward::goods("mug", "Mug".into(), one);
    let birthday = Perk {
        code: "birthday".to_owned(),
        name: "Birthday".into(),
        occasion: OccasionKind::Birthday,
        grant: PerkGift::Points { points: one },
        windows: vec![PerkWindow { tiers: Vec::new(), before_days: 0, after_days: 0 }],
        member_for_days: 0,
        needs_purchase: false,
        leap_day: LeapDay::February28,
    };
    Programme {
        redemption: Some(offer),
        promotions: vec![promotion("p", 0, PromotionEffect::Add { points: one })],
        rewards: vec![mug],
        perks: vec![birthday],
        ..programme()
    }
}

/// Invariants 1 to 12 and the model, step by step; what happened how often.
fn told(test: &str, count: u64, scenes: impl Fn() -> BoxedStrategy<Scene>) -> BTreeMap<&'static str, u64> {
    let (base, command) = (base(), format!("cargo test -p tessera-rules -- {test}"));
    let mut seen: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in seeds(count) {
        tell(seed, HISTORIES, scenes(), &command, |scene| {
            let mut shop = Memory::new(base.clone());
            let mut trial = Trial::new(&mut shop, scene, at("2023-12-20T08:00:00Z"));
            trial.run(scene);
            trial.seen.into_iter().for_each(|(word, times)| *seen.entry(word).or_default() += times);
        });
    }
    seen
}

#[test]
fn histories_go_as_the_model_tells() {
    told("histories_go", 3, || scene(2, 40, false).boxed());
}

/// The same with households, merged accounts and purchases that change hands.
#[test]
fn households_go_as_the_model_tells() {
    let seen = told("households_go", 3, || scene(3, 40, true).boxed());
    let missed = ["joined", "left", "merged", "unmerged", "moved"].iter().find(|word| !seen.contains_key(*word));
    assert!(missed.is_none() || std::env::var("MODEL_SEED").is_ok(), "{missed:?} did not happen: {seen:?}");
}
