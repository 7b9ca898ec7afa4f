//! Referrals: which purchase completes one, what it is worth to either side, and that it is worth it once
//! (PROGRAMME.md §8).

use proptest::prelude::*;
use tessera_rules::amount::Minor;
use tessera_rules::command::ReturnedGoods;
use tessera_rules::decision::Effect;
use tessera_rules::id::MemberId;
use tessera_rules::limit::PromotionUsage;
use tessera_rules::referral::{CompletedReferral, Referral, ReferralTerms};
use tessera_rules::{MemberState, Programme, Standing};
use uuid::Uuid;

use crate::cases::cases;
use crate::support::{Desk, at, points};

const PLAN: &str = r#"
name = "Test"
currency = "CNY"
time_zone = "Asia/Shanghai"
earning = { rate = { points = 1, per = 100 }, excluded_categories = ["card"] }
referral = { minimum_spend = 5000, within_days = 30 }

[[promotions]]
code = "thanks"
name = "Thanks"
trigger = { kind = "referral", for = "referrer" }
effect = { kind = "add", points = 200 }
limits = { per_member = 2, budget_points = 500 }

[[promotions]]
code = "hello"
name = "Hello"
trigger = { kind = "referral", for = "referred" }
effect = { kind = "add", points = 30 }
when = "member.purchases >= 1"
"#;

fn plan() -> Programme {
    toml::from_str(PLAN).expect("a programme")
}

const fn member(number: u128) -> MemberId {
    MemberId::new(Uuid::from_u128(number))
}

const REFERRER: MemberId = member(8);

/// A desk at which the member was referred by another.
fn desk(plan: Programme) -> Desk {
    let mut desk = Desk::new(plan);
    let standing = Standing::new(REFERRER, at("2024-06-01T00:00:00Z"));
    desk.state.members.insert(REFERRER, MemberState::new(standing));
    desk.member().referral = Some(Referral { referrer: REFERRER, completed: false });
    desk
}

fn completions(desk: &Desk) -> usize {
    desk.effects.iter().filter(|effect| matches!(effect, Effect::CompleteReferral { .. })).count()
}

#[test]
fn one_purchase_completes_it_if_it_is_large_and_early_enough() {
    // Shanghai is 8 hours ahead: the member enrolled on 1 January there, and 31 January is the last day.
    for (what, now, occurred_at, amount, completes) in [
        ("the least there is", "2025-01-05T10:00:00Z", None, 5_000, true),
        ("too little", "2025-01-05T10:00:00Z", None, 4_999, false),
        ("the last instant", "2025-01-31T15:59:59Z", None, 9_000, true),
        ("a day late", "2025-01-31T16:00:00Z", None, 9_000, false),
        ("reported late", "2025-02-10T10:00:00Z", Some("2025-01-30T10:00:00Z"), 9_000, true),
        ("on the day before the enrolment", "2025-01-02T10:00:00Z", Some("2024-12-31T15:59:59Z"), 9_000, false),
        ("earlier on the day of the enrolment", "2025-01-02T10:00:00Z", Some("2024-12-31T16:00:00Z"), 9_000, true),
    ] {
        let mut desk = desk(plan());
        desk.at(now);
        let bought = match occurred_at {
            None => desk.buy(amount),
            Some(then) => desk.buy_late(amount, then),
        };
        assert_eq!(bought.referrer, completes.then_some(REFERRER), "{what}");
        let given: Vec<&str> = bought.gifts.iter().map(|given| given.by.as_str()).collect();
        assert_eq!(given, if completes { vec!["promotion:hello"] } else { Vec::new() }, "{what}");
        assert_eq!(bought.balance.available, points(amount / 100 + if completes { 30 } else { 0 }), "{what}");
    }
}

#[test]
fn what_does_not_count_does_not_complete() {
    let mut desk_of_cards = desk(plan());
    let mut receipt = desk_of_cards.receipt(90_000);
    receipt.lines[0].categories = vec!["card".to_owned()];
    assert_eq!(desk_of_cards.purchase(receipt).expect("taken").referrer, None, "goods that earn nothing");
    assert_eq!(desk_of_cards.buy(5_000).referrer, Some(REFERRER), "and it is still open");
    // Without a minimum something must count all the same.
    let mut free = plan();
    free.referral = Some(ReferralTerms { minimum_spend: Minor::ZERO, within_days: 1 });
    assert_eq!(desk(free.clone()).buy(0).referrer, None);
    assert_eq!(desk(free.clone()).buy(1).referrer, Some(REFERRER));
    // A programme that says nothing of referrals completes none; nobody brings himself.
    (free.referral, free.promotions) = (None, Vec::new());
    assert_eq!(desk(free).buy(9_000).referrer, None);
    let mut merged = desk(plan());
    let own = merged.member;
    merged.member().referral = Some(Referral { referrer: own, completed: false });
    assert_eq!(merged.buy(9_000).referrer, None);
}

#[test]
fn the_referrer_is_thanked_once_for_each_within_the_limits() {
    let mut desk = desk(plan());
    let new = desk.member;
    desk.member = REFERRER;
    let due =
        |number: u128, completed_at: &str| CompletedReferral { member: member(number), completed_at: at(completed_at) };
    desk.member().referred.due =
        vec![due(1, "2025-01-03T10:00:00Z"), due(2, "2025-01-03T11:00:00Z"), due(3, "2025-01-03T12:00:00Z")];
    desk.member().standing.frozen = true;
    assert_eq!(desk.at("2025-01-04T10:00:00Z").grant_perks().len(), 0, "it waits");
    desk.member().standing.frozen = false;
    assert_eq!(desk.grant_perks(), ["promotion:thanks", "promotion:thanks"], "the third is over his limit");
    assert_eq!(desk.grant_perks().len(), 0);
    let settled: Vec<(MemberId, i64)> = desk
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::RewardReferral { member, number } => Some((*member, *number)),
            _ => None,
        })
        .collect();
    assert_eq!(settled, [(member(1), 1), (member(2), 2), (member(3), 3)]);
    let grants: Vec<i32> = desk.member().grants.iter().map(|grant| grant.occasion).collect();
    assert_eq!(grants, [2_000_000_001, 2_000_000_002]);
    assert_eq!(desk.standing().available, points(400));
    assert_eq!(desk.state.members[&new].standing.available, points(0));

    // What is left of the budget, and what a promotion asks of the day of the purchase.
    let mut other = Desk::new(plan());
    other.state.shared.promotions_used.insert("thanks".to_owned(), used(400));
    other.member().referred.due = vec![due(4, "2025-01-03T10:00:00Z")];
    assert_eq!((other.grant_perks().len(), other.standing().available), (1, points(100)));
    let mut over = plan();
    over.promotions[0].schedule.to = Some("2025-01-02".parse().expect("a day"));
    let mut over = Desk::new(over);
    over.member().referred.due = vec![due(5, "2025-01-03T10:00:00Z")];
    assert_eq!(over.at("2025-01-02T10:00:00Z").grant_perks().len(), 0);
    assert_eq!(over.member().referred.rewarded, 1, "nothing is due any more");
}

fn used(points: i64) -> PromotionUsage {
    PromotionUsage { uses: 2, points, money: 0 }
}

#[test]
fn what_a_programme_may_say() {
    assert_eq!(plan().problems(), []);
    let first = |change: fn(&mut Programme)| {
        let mut plan = plan();
        change(&mut plan);
        let problems = plan.problems();
        problems.first().map(|problem| format!("{} {}", problem.pointer, problem.code)).expect("a problem")
    };
    assert_eq!(first(|plan| plan.referral = None), "/promotions/0/trigger referral_missing");
    assert_eq!(
        first(|plan| plan.referral.as_mut().expect("terms").within_days = 0),
        "/referral/within_days out_of_range"
    );
    assert_eq!(
        first(|plan| plan.referral.as_mut().expect("terms").minimum_spend = Minor::new(-1).expect("in range")),
        "/referral/minimum_spend out_of_range"
    );
    assert_eq!(first(|plan| plan.promotions[1].stores = vec!["s1".to_owned()]), "/promotions/1/stores not_for_trigger");
    let told = toml::to_string(&plan()).expect("a file");
    assert!(told.contains("kind = \"referral\"\nfor = \"referrer\""), "{told}");
    assert_eq!(toml::from_str::<Programme>(&told).expect("a programme"), plan());
}

proptest! {
    #![proptest_config(cases(64))]

    /// Whatever is bought and brought back, in whatever order: the first purchase that qualifies completes it, and
    /// none after that.
    #[test]
    fn a_referral_is_completed_by_the_first_purchase_that_qualifies(
        steps in prop::collection::vec((0_i64..15, 0_i64..10_000, any::<bool>()), 1..12),
    ) {
        let mut desk = desk(plan());
        let mut first = None;
        for (i, (days, amount, back)) in steps.into_iter().enumerate() {
            desk.now += chrono::Duration::days(days);
            let qualifies = amount >= 5_000 && desk.now < at("2025-01-31T16:00:00Z");
            let bought = desk.buy(amount);
            let expected = qualifies && first.is_none();
            prop_assert_eq!(bought.referrer.is_some(), expected, "purchase {}", i);
            if expected {
                first = Some(i);
            }
            if back {
                desk.take_back(bought.id, ReturnedGoods::All).expect("taken back");
            }
        }
        prop_assert_eq!(completions(&desk), usize::from(first.is_some()));
        let grants = desk.member().grants.len();
        prop_assert_eq!(grants, usize::from(first.is_some()), "and is worth it once");
    }
}
