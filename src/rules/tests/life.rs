//! The life of a promotion: what applies, what is spoken of, and what may follow what.

use tessera_rules::Programme;
use tessera_rules::amount::Points;
use tessera_rules::life::PromotionState::{self, Draft, Ended, Live, Paused};
use tessera_rules::life::Step;
use tessera_rules::promotion::{Miss, Promotion, PromotionEffect};

use crate::support::{Desk, programme, promotion};

const STATES: [PromotionState; 4] = [Draft, Live, Paused, Ended];

fn in_state(state: PromotionState) -> Programme {
    let points = Points::new(50).expect("points");
    let gift = Promotion { state, ..promotion("gift", 0, PromotionEffect::Add { points }) };
    Programme { promotions: vec![gift], ..programme() }
}

#[test]
fn only_a_live_promotion_applies_and_a_draft_is_not_spoken_of() {
    let given = |state| {
        let mut desk = Desk::new(in_state(state));
        let receipt = desk.receipt(10_000);
        let bought = desk.purchase(receipt).expect("the purchase is taken");
        let told: Vec<Option<Miss>> = bought.explanation.promotions.iter().map(|told| told.missed).collect();
        (bought.given.get(), told)
    };
    assert_eq!(given(Live), (150, vec![None]));
    assert_eq!(given(Paused), (100, vec![Some(Miss::Paused)]));
    assert_eq!(given(Draft), (100, vec![]));
    assert_eq!(given(Ended), (100, vec![]));
}

#[test]
fn a_step_leads_where_a_version_may() {
    let steps = |state| [Step::Publish, Step::Pause, Step::Resume, Step::End].map(|step| step.from(state));
    assert_eq!(steps(Draft), [Some(Live), None, None, Some(Ended)]);
    assert_eq!(steps(Live), [None, Some(Paused), None, Some(Ended)]);
    assert_eq!(steps(Paused), [None, None, Some(Live), Some(Ended)]);
    assert_eq!(steps(Ended), [None; 4]);
    for state in STATES {
        assert!(steps(state).into_iter().flatten().all(|next| state.may_become(next)), "{state:?}");
    }
}

#[test]
fn a_version_follows_the_one_before() {
    let follows = |was, now| in_state(now).life_problems(&in_state(was)).is_empty();
    for state in STATES {
        assert!(follows(state, state), "{state:?} stays");
        assert_eq!(follows(state, Draft), matches!(state, Draft | Ended), "{state:?} becomes a draft");
        assert_eq!(follows(state, Live), state != Ended, "{state:?} goes live");
    }
    let problem = &in_state(Live).life_problems(&in_state(Ended))[0];
    assert_eq!((problem.pointer.as_str(), problem.code), ("/promotions/0/state", "promotion_state"));
    let none = Programme { promotions: Vec::new(), ..programme() };
    assert!(in_state(Ended).life_problems(&none).is_empty(), "what is new follows nothing");
}
