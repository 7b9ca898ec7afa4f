//! The rulebook beside the reference model: random histories of every command.

use tessera_rules::Programme;
use tessera_rules::amount::Rate;
use tessera_rules::occasion::OccasionKind;
use tessera_rules::perk::{Perk, PerkGift, PerkWindow};
use tessera_rules::programme::MoneyOff;
use tessera_rules::promotion::PromotionEffect;
use tessera_rules::reward::Reward;
use tessera_rules::time::LeapDay;

use crate::model::memory::Memory;
use crate::model::scene::scene;
use crate::model::seeds::{HISTORIES, seeds, tell};
use crate::model::trial::Trial;
use crate::support::{at, points, programme, promotion, times};

/// The plain programme with one of everything that a book of the model changes.
fn base() -> Programme {
    let (rate, one) = (Rate { points: 1, per: 1 }, points(1));
    let offer = MoneyOff { rate, minimum: one, step: one, largest_share: times("1"), hold_minutes: 15 };
    let mug = Reward {
        code: "mug".to_owned(),
        name: "Mug".into(),
        points: one,
        stock: None,
        minimum_tier: None,
        from: None,
        to: None,
    };
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

/// Invariants 1 to 12 and the model, step by step.
#[test]
fn histories_go_as_the_model_tells() {
    let base = base();
    for seed in seeds(4) {
        tell(seed, HISTORIES, scene(2, 40, false), "cargo test -p tessera-rules -- histories_go", |scene| {
            let mut shop = Memory::new(base.clone());
            Trial::new(&mut shop, scene, at("2023-12-20T08:00:00Z")).run(scene);
        });
    }
}

/// The same with households, merged accounts and purchases that change hands.
#[test]
fn households_go_as_the_model_tells() {
    let base = base();
    for seed in seeds(3) {
        tell(seed, HISTORIES, scene(3, 40, true), "cargo test -p tessera-rules -- households_go", |scene| {
            let mut shop = Memory::new(base.clone());
            Trial::new(&mut shop, scene, at("2023-12-20T08:00:00Z")).run(scene);
        });
    }
}
