//! Draw tickets (PROGRAMME.md §8): numbers in a row for each reward, none given twice.

use tessera_rules::command::{Redeemed, Role};
use tessera_rules::decision::{Effect, RedemptionOutcome};
use tessera_rules::reward::{MemberLimit, Reward, RewardKind};
use tessera_rules::ticket::TicketChange;
use tessera_rules::{Actor, Programme, Refusal};
use uuid::Uuid;

use crate::support::{Desk, day, points, programme};

fn draw(code: &str, tickets: Option<u32>) -> Reward {
    let to = Some(day("2025-03-31"));
    Reward { kind: RewardKind::DrawTicket, tickets, to, ..Reward::goods(code, code.into(), points(10)) }
}

fn desk(rewards: Vec<Reward>) -> Desk {
    let mut desk = Desk::new(Programme { rewards, ..programme() });
    desk.at("2025-03-10T10:00:00Z").buy(10_000);
    desk
}

fn redeem(desk: &mut Desk, code: &str) -> Result<RedemptionOutcome, Refusal> {
    desk.redeem(Redeemed::Reward(code.to_owned()), None)
}

fn numbers(redeemed: &RedemptionOutcome) -> Vec<i64> {
    redeemed.tickets.into_iter().flat_map(|tickets| tickets.numbers()).collect()
}

fn problems(reward: Reward) -> Vec<String> {
    let programme = Programme { rewards: vec![reward], ..programme() };
    programme.problems().into_iter().map(|problem| format!("{} {}", problem.pointer, problem.code)).collect()
}

#[test]
fn each_reward_counts_on_from_one() {
    let mut desk =
        desk(vec![draw("bicycle", None), draw("trip", Some(3)), Reward::goods("tea", "Tea".into(), points(1))]);
    let steps: [(&str, &[i64]); 6] = [
        ("bicycle", &[1]),
        ("trip", &[1, 2, 3]),
        ("tea", &[]),
        ("bicycle", &[2]),
        ("trip", &[4, 5, 6]),
        ("bicycle", &[3]),
    ];
    for (code, expected) in steps {
        let redeemed = redeem(&mut desk, code).expect("redeemed");
        assert_eq!(numbers(&redeemed), expected, "{code}");
        assert_eq!(redeemed.fulfilment.is_some(), code == "tea", "a ticket is nothing to hand over");
    }
    assert_eq!(desk.state.shared.tickets_given["trip"], 6);
    // Others were given some by other tills.
    desk.state.shared.tickets_given.insert("bicycle".to_owned(), 40);
    assert_eq!(numbers(&redeem(&mut desk, "bicycle").expect("redeemed")), [41]);
}

#[test]
fn a_number_that_is_taken_back_is_given_to_nobody_again() {
    let mut desk = desk(vec![draw("bicycle", Some(2))]);
    let first = redeem(&mut desk, "bicycle").expect("redeemed");
    // A hold has its numbers, and tells them when it is captured.
    let held = desk.hold(Redeemed::Reward("bicycle".to_owned())).expect("held");
    assert_eq!((numbers(&first), numbers(&held)), (vec![1, 2], vec![]));
    let voided = desk.void(first.id).expect("voided");
    let voids = |desk: &Desk| {
        desk.effects.iter().filter(|effect| matches!(effect, Effect::Tickets(TicketChange::Voided(_)))).count()
    };
    assert_eq!((numbers(&voided), voids(&desk)), (vec![], 1));
    assert_eq!(desk.void(first.id).err(), Some(Refusal::VoidedBefore));
    assert_eq!(numbers(&desk.capture(held.id, None).expect("captured")), [3, 4]);
    assert_eq!(numbers(&redeem(&mut desk, "bicycle").expect("redeemed")), [5, 6]);
    // A hold whose time is up takes its numbers with it.
    desk.hold(Redeemed::Reward("bicycle".to_owned())).expect("held");
    desk.at("2025-03-12T10:00:00Z");
    assert_eq!(numbers(&redeem(&mut desk, "bicycle").expect("redeemed")), [9, 10]);
    assert_eq!((voids(&desk), desk.state.shared.rewards_used["bicycle"]), (2, 3));
}

/// Until the last day of the reward whoever may void a redemption voids a ticket; from then on it may be drawn.
#[test]
fn when_the_draw_is_closed_an_admin_takes_a_ticket_back() {
    let last = [("2025-03-31T15:00:00Z", false), ("2025-04-02T10:00:00Z", true)];
    for (at, closed) in last {
        for role in [Role::Cashier, Role::Manager, Role::Admin] {
            let mut desk = desk(vec![draw("bicycle", None)]);
            let id = redeem(&mut desk, "bicycle").expect("redeemed").id;
            desk.at(at).actor = Actor { role, id: Some(Uuid::from_u128(9)) };
            let refused = (closed && role != Role::Admin).then_some(Refusal::DrawClosed);
            assert_eq!(desk.void(id).err(), refused, "{at} {role:?}");
        }
    }
    let mut desk = desk(vec![draw("bicycle", None)]);
    desk.at("2025-04-02T10:00:00Z");
    assert_eq!(redeem(&mut desk, "bicycle").err(), Some(Refusal::RewardNotOffered), "none are given either");
}

#[test]
fn stock_and_limits_count_redemptions() {
    let limit = MemberLimit { most: 2, per: None };
    let mut limited = desk(vec![Reward { per_member: Some(limit), ..draw("bicycle", Some(100)) }]);
    let mut scarce = desk(vec![Reward { stock: Some(2), ..draw("bicycle", Some(100)) }]);
    for (desk, refusal) in [(&mut limited, Refusal::MemberLimit(2)), (&mut scarce, Refusal::OutOfStock)] {
        for last in [100, 200] {
            assert_eq!(numbers(&redeem(desk, "bicycle").expect("redeemed")).last(), Some(&last));
        }
        let before = desk.state.clone();
        assert_eq!(redeem(desk, "bicycle").err(), Some(refusal));
        assert_eq!(desk.state, before, "what is refused takes no number");
    }
}

#[test]
fn how_many_tickets_is_checked() {
    for (tickets, sound) in [(None, true), (Some(0), false), (Some(1), true), (Some(100), true), (Some(101), false)] {
        let expected: &[&str] = if sound { &[] } else { &["/rewards/0/tickets out_of_range"] };
        assert_eq!(problems(draw("bicycle", tickets)), expected, "{tickets:?}");
    }
    let goods = Reward { kind: RewardKind::Goods, ..draw("bicycle", Some(2)) };
    assert_eq!(problems(goods), ["/rewards/0/tickets not_for_kind"]);
}
