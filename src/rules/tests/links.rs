//! Links between members: transfers, household pools, merging and moving a purchase.

use std::collections::BTreeMap;

use tessera_rules::amount::Points;
use tessera_rules::command::{
    Actor, Context, JoinPool, MOVED, Merge, Move, RedeemMode, Redeemed, ReturnedGoods, Role, Transfer,
};
use tessera_rules::id::{MemberId, PurchaseId, ReturnId, TransferId};
use tessera_rules::link::LinkKind;
use tessera_rules::lot::Lot;
use tessera_rules::pool::Pools;
use tessera_rules::programme::{MoneyOff, Tiers};
use tessera_rules::tier::{Validity, Window};
use tessera_rules::time::Period;
use tessera_rules::transfer::Transfers;
use tessera_rules::{Command, MemberState, Outcome, Programme, Refusal, Standing, decide};
use uuid::Uuid;

use crate::support::{Desk, after, at, level, points, programme};

/// Rates of 1 point per 100, points for 12 months, money off, transfers and pools.
pub(crate) fn linked() -> Programme {
    Programme {
        expiry: after(12, Period::Day),
        redemption: Some(MoneyOff {
            rate: tessera_rules::amount::Rate { points: 1, per: 10 },
            minimum: points(1),
            step: points(1),
            largest_share: "1".parse().expect("a share"),
            hold_minutes: 15,
        }),
        transfers: Some(Transfers { minimum: points(10), daily_limit: points(100) }),
        pools: Some(Pools { members: 3, daily_limit: points(50) }),
        ..programme()
    }
}

pub(crate) fn id(n: u128) -> MemberId {
    MemberId::new(Uuid::from_u128(n))
}

/// A desk with members 1, 2, 3 and 4, who enrolled on 1 January 2025.
pub(crate) fn desk(programme: Programme) -> Desk {
    let mut desk = Desk::new(programme);
    let enrolled_at = desk.now;
    desk.state.members =
        (1..=4).map(|n| (id(n), MemberState::new(Standing::new(id(n), enrolled_at)))).collect::<BTreeMap<_, _>>();
    desk.member = id(1);
    desk
}

impl Desk {
    pub(crate) fn who(&mut self, n: u128) -> &mut Self {
        self.member = id(n);
        self
    }

    pub(crate) fn all(&self, n: u128) -> (i64, i64, i64) {
        let standing = &self.state.members[&id(n)].standing;
        (standing.available.get(), standing.pending.get(), standing.debt.get())
    }

    pub(crate) fn available(&self, n: u128) -> i64 {
        self.state.members[&id(n)].standing.available.get()
    }

    /// Open lots as `points@expiry`.
    pub(crate) fn open(&self, n: u128) -> Vec<String> {
        let show = |lot: &Lot| {
            let expires = lot.expires_at.map_or_else(String::new, |at| at.format("%Y-%m-%d").to_string());
            format!("{}@{expires}", lot.remaining)
        };
        let lots = self.state.members[&id(n)].lots.values();
        lots.filter(|lot| lot.remaining > Points::ZERO).map(show).collect()
    }

    pub(crate) fn join(&mut self, head: u128, may_spend: bool) -> Result<Outcome, Refusal> {
        self.run(&Command::JoinPool(JoinPool { head: id(head), may_spend }))
    }

    pub(crate) fn give(&mut self, to: u128, value: i64) -> Result<Outcome, Refusal> {
        let transfer = Transfer { id: TransferId::new(self.id()), to: id(to), points: points(value), otp_step: None };
        self.run(&Command::Transfer(transfer))
    }

    pub(crate) fn merge(&mut self, into: u128) -> Result<Outcome, Refusal> {
        self.run(&Command::Merge(Merge { into: id(into) }))
    }

    /// Moves a purchase to another member.
    fn pass(&mut self, purchase: PurchaseId, to: u128, amount: i64, occurred_at: &str) -> Result<Outcome, Refusal> {
        let mut again = self.receipt(amount);
        (again.source, again.external_id) = (MOVED.to_owned(), purchase.to_string());
        again.occurred_at = Some(at(occurred_at));
        let moving = Move { id: ReturnId::new(self.id()), purchase, to: id(to), again };
        self.run(&Command::Move(Box::new(moving)))
    }
}

#[test]
fn a_transfer_moves_points_with_their_expiry() {
    let mut desk = desk(linked());
    desk.at("2025-01-10T10:00:00Z").buy(3_000);
    desk.at("2025-03-10T10:00:00Z").buy(5_000);
    desk.give(2, 40).expect("enough");
    assert_eq!((desk.available(1), desk.available(2)), (40, 40));
    assert_eq!(desk.open(1), ["40@2026-03-11"]);
    assert_eq!(desk.open(2), ["30@2026-01-11", "10@2026-03-11"]);
    desk.who(2).at("2026-01-11T00:00:00Z").settle();
    assert_eq!(desk.available(2), 10, "they lapse as they would have with the giver");
    assert_eq!(desk.state.members[&id(2)].standing.lifetime_earned, Points::ZERO, "a gift is not earned");
}

#[test]
fn a_transfer_is_refused_beyond_the_rules() {
    let mut desk = desk(linked());
    desk.at("2025-01-10T10:00:00Z").buy(30_000);
    assert_eq!(desk.give(1, 40), Err(Refusal::SameMember));
    assert_eq!(desk.give(9, 40), Err(Refusal::MemberUnknown));
    assert_eq!(desk.give(2, 9), Err(Refusal::BelowMinimum(points(10))));
    let short = Refusal::InsufficientPoints { available: points(300), required: points(301) };
    assert_eq!(desk.give(2, 301), Err(short), "who has not so many is told that first");
    assert_eq!(desk.give(2, 101), Err(Refusal::DailyLimit(points(100))));
    desk.give(2, 60).expect("within the limit");
    assert_eq!(desk.give(3, 41), Err(Refusal::DailyLimit(points(100))), "the day's limit is one for all");
    desk.give(3, 40).expect("up to the limit");
    desk.at("2025-01-11T00:00:00Z").give(3, 10).expect("another day");
    desk.state.members.get_mut(&id(4)).expect("there").standing.frozen = true;
    assert_eq!(desk.give(4, 10), Err(Refusal::ReceiverFrozen));
    desk.programme.transfers = None;
    assert_eq!(desk.give(2, 10), Err(Refusal::TransfersNotOffered));
}

#[test]
fn a_gift_pays_debt_first() {
    let mut desk = desk(linked());
    let sale = desk.who(2).at("2025-01-10T10:00:00Z").buy(5_000);
    desk.spend(50).expect("enough");
    desk.take_back(sale.id, ReturnedGoods::All).expect("sold");
    assert_eq!(desk.all(2), (0, 0, 50));
    desk.who(1).buy(10_000);
    desk.give(2, 70).expect("enough");
    assert_eq!(desk.all(2), (20, 0, 0));
}

#[test]
fn a_household_earns_into_one_pool() {
    let mut desk = desk(linked());
    desk.at("2025-01-10T10:00:00Z").buy(2_000);
    desk.who(2).buy(3_000);
    desk.join(1, true).expect("a pool");
    assert_eq!((desk.available(1), desk.available(2)), (50, 0));
    desk.who(3).join(1, false).expect("room for one more");
    assert_eq!(desk.who(4).join(1, true), Err(Refusal::PoolFull(3)));
    assert_eq!(desk.who(4).join(2, true), Err(Refusal::NotAHead), "who is in a pool heads none");
    assert_eq!(desk.who(1).join(4, true), Err(Refusal::InPool), "nor is a head in another");

    let sale = desk.who(3).at("2025-02-10T10:00:00Z").buy(4_000);
    assert_eq!((sale.given, sale.balance.available), (points(40), points(90)), "the receipt tells the pool");
    assert_eq!((desk.available(1), desk.available(3)), (90, 0));
    assert_eq!(desk.spend(10), Err(Refusal::MayNotSpend));
    desk.who(2);
    assert_eq!(desk.spend(51), Err(Refusal::DailyLimit(points(50))));
    assert_eq!(desk.spend(91), Err(Refusal::DailyLimit(points(50))), "the limit speaks before the balance of others");
    let spent = desk.spend(45).expect("within the limit");
    assert_eq!(spent.balance.available, points(45));
    assert_eq!(desk.open(1), ["5@2026-01-11", "40@2026-02-11"], "soonest-expiring first: 20 and 25 of the oldest");
    assert_eq!(desk.spend(6), Err(Refusal::DailyLimit(points(50))));
    desk.run(&Command::AllowSpending(false)).expect("in a pool");
    assert_eq!(desk.spend(1), Err(Refusal::MayNotSpend));
    assert_eq!(desk.who(1).run(&Command::AllowSpending(true)), Err(Refusal::NotInPool));
    desk.spend(41).expect("the head has no limit");
}

#[test]
fn of_members_himself_and_the_head_speak_for_one() {
    let mut desk = desk(linked());
    desk.who(2).join(1, true).expect("a pool");
    let ask = |by: u128, command: &Command| {
        let actor = Actor { role: Role::Member, id: Some(id(by).uuid()) };
        decide(&desk.programme, &desk.state, id(2), command, &Context { actor, ..desk.context() }).err()
    };
    for command in [Command::AllowSpending(false), Command::LeavePool] {
        assert_eq!([1, 2, 3].map(|by| ask(by, &command)), [None, None, Some(Refusal::NotInPool)]);
    }
}

#[test]
fn who_leaves_takes_along_what_is_left_of_his_own() {
    let mut desk = desk(linked());
    desk.at("2025-01-10T10:00:00Z").buy(2_000);
    desk.who(2).join(1, true).expect("a pool");
    desk.at("2025-02-10T10:00:00Z").buy(3_000);
    desk.at("2025-03-10T10:00:00Z").buy(4_000);
    desk.who(1).spend(35).expect("20 of his own and 15 of the first of the other's");
    let Ok(Outcome::Link(left)) = desk.who(2).run(&Command::LeavePool) else { panic!("left") };
    assert_eq!((left.points, left.balance.available, left.link), (points(55), points(55), None));
    assert_eq!((desk.available(1), desk.open(2)), (0, vec!["15@2026-02-11".into(), "40@2026-03-11".into()]));
    let lots = &desk.state.members[&id(2)].lots;
    assert_eq!(lots.len(), 2, "they came home to the lots they had left");
    assert_eq!(desk.run(&Command::LeavePool), Err(Refusal::NotInPool));
    assert_eq!(desk.state.members[&id(1)].standing.household, 0);
    desk.at("2026-02-11T00:00:00Z").settle();
    assert_eq!(desk.available(2), 40);
}

#[test]
fn points_lapse_in_the_pool_as_they_would_have_outside() {
    let mut desk = desk(linked());
    desk.who(2).at("2025-01-10T10:00:00Z").buy(3_000);
    desk.join(1, true).expect("a pool");
    desk.who(1).at("2026-01-10T23:59:59Z").settle();
    assert_eq!(desk.available(1), 30);
    desk.at("2026-01-11T00:00:00Z").settle();
    assert_eq!(desk.available(1), 0);
    desk.who(2).run(&Command::LeavePool).expect("in a pool");
    assert_eq!((desk.available(2), desk.open(2)), (0, vec![]));
}

#[test]
fn a_return_in_a_pool_takes_the_sales_own_lots_first() {
    let mut desk = desk(linked());
    desk.at("2025-01-10T10:00:00Z").buy(2_000);
    desk.who(2).join(1, true).expect("a pool");
    let sale = desk.at("2025-02-10T10:00:00Z").buy(3_000);
    let back = desk.take_back(sale.id, ReturnedGoods::All).expect("sold");
    assert_eq!((back.record.clawed, back.record.owed, back.balance.available), (points(30), Points::ZERO, points(20)));
    assert_eq!(desk.open(1), ["20@2026-01-11"], "not the soonest-expiring: the sale's own");

    let sale = desk.buy(3_000);
    desk.who(1).spend(45).expect("20 and 25");
    let back = desk.who(2).take_back(sale.id, ReturnedGoods::All).expect("sold");
    assert_eq!((back.record.clawed, back.record.owed), (points(30), points(25)), "5 were left");
    assert_eq!((desk.all(1), desk.all(2)), ((0, 0, 0), (0, 0, 25)), "the debt is the member's own");
    desk.buy(4_000);
    assert_eq!((desk.all(1), desk.all(2)), ((15, 0, 0), (0, 0, 0)), "and what he earns pays it first");
}

#[test]
fn a_hold_on_the_pool_returns_to_it() {
    let mut desk = desk(linked());
    desk.at("2025-01-10T10:00:00Z").buy(2_000);
    desk.who(2).join(1, true).expect("a pool");
    let held = desk.hold(Redeemed::MoneyOff(points(15))).expect("enough");
    assert_eq!((desk.available(1), held.balance.available), (5, points(5)));
    assert_eq!(held.balance.held, Points::ZERO, "what the pool's keeper holds is not this");
    desk.void(held.id).expect("held");
    assert_eq!((desk.open(1), desk.open(2)), (vec!["20@2026-01-11".into()], vec![]), "the same lot as before");
    let held = desk.hold(Redeemed::MoneyOff(points(15))).expect("enough");
    desk.at("2025-01-10T10:15:00Z").settle();
    assert_eq!(desk.available(1), 20, "and when time runs out");
    assert_eq!(
        desk.capture(held.id, None).map(|_| ()),
        Err(Refusal::NotHeld(tessera_rules::redemption::RedemptionStatus::Voided))
    );
    let _ = RedeemMode::Hold;
}

#[test]
fn pending_points_are_pending_in_the_pool() {
    let mut desk = desk(linked());
    desk.programme.earning.pending_days = 10;
    desk.who(2).join(1, true).expect("a pool");
    let sale = desk.at("2025-01-10T10:00:00Z").buy(3_000);
    assert_eq!((desk.all(1), desk.all(2)), ((0, 30, 0), (0, 0, 0)));
    desk.take_back(sale.id, ReturnedGoods::All).expect("sold");
    assert_eq!(desk.all(1), (0, 0, 0));
    desk.buy(5_000);
    desk.who(1).at("2025-01-20T10:00:00Z").settle();
    assert_eq!(desk.all(1), (50, 0, 0));
}

pub(crate) fn tiers() -> Programme {
    let mut programme = linked();
    programme.tiers = Tiers {
        window: Window::Rolling { days: 365 },
        levels: vec![level("basic", 0, "1"), level("gold", 100, "2")],
        ..Tiers::default()
    };
    programme
}

#[test]
fn merging_makes_one_member_of_two() {
    let mut desk = desk(tiers());
    let old = desk.at("2025-01-10T10:00:00Z").buy(6_000);
    let held = desk.hold(Redeemed::MoneyOff(points(10))).expect("enough");
    desk.who(2).buy(5_000);
    assert_eq!(desk.standing().tier, "");
    desk.who(1).merge(2).expect("two members");
    assert_eq!((desk.all(1), desk.all(2)), ((0, 0, 0), (100, 0, 0)));
    let standing = &desk.state.members[&id(2)].standing;
    assert_eq!((standing.tier.as_str(), standing.window.points, standing.purchases), ("gold", 110, 2));
    assert_eq!(standing.lifetime_earned, points(110));

    let receipt = desk.receipt(100);
    assert_eq!(desk.purchase(receipt).map(|_| ()), Err(Refusal::MemberMerged));
    assert_eq!(desk.merge(3), Err(Refusal::MemberMerged));
    assert_eq!(desk.who(3).merge(1), Err(Refusal::MemberMerged));

    // What was begun before goes on, and its points follow the link.
    desk.who(1).capture(held.id, Some(4)).expect("held");
    assert_eq!((desk.all(1), desk.all(2)), ((0, 0, 0), (106, 0, 0)), "what was not captured comes along");
    desk.who(2).spend(100).expect("enough");
    desk.who(1).take_back(old.id, ReturnedGoods::All).expect("sold");
    assert_eq!((desk.all(1), desk.all(2)), ((0, 0, 0), (0, 0, 54)), "6 were left of the sale's own");
    let standing = &desk.state.members[&id(2)].standing;
    assert_eq!((standing.window.points, standing.purchases), (50, 1));
    desk.who(2).at("2025-01-11T00:00:00Z").settle();
    assert_eq!(desk.standing().tier, "basic", "at the next midnight");
}

#[test]
fn unmerging_takes_back_what_is_left_and_no_more() {
    let mut desk = desk(tiers());
    desk.at("2025-01-10T10:00:00Z").buy(6_000);
    desk.who(2).at("2025-01-12T10:00:00Z").buy(5_000);
    assert_eq!(desk.run(&Command::Unmerge), Err(Refusal::NotMerged));
    desk.who(1).merge(2).expect("two members");
    desk.who(2).spend(70).expect("60 of the one and 10 of the other");
    let Ok(Outcome::Link(left)) = desk.who(1).run(&Command::Unmerge) else { panic!("unmerged") };
    assert_eq!((left.points, left.link), (Points::ZERO, None));
    assert_eq!((desk.all(1), desk.all(2)), ((0, 0, 0), (40, 0, 0)));
    let standing = &desk.state.members[&id(2)].standing;
    assert_eq!((standing.window.points, standing.purchases, standing.lifetime_earned), (50, 1, points(50)));
    desk.buy(1_000);
    assert_eq!(desk.available(1), 10, "who was merged is a member again");

    desk.merge(2).expect("again");
    assert_eq!(desk.available(2), 50);
    desk.run(&Command::Unmerge).expect("merged");
    assert_eq!(desk.open(1), ["10@2026-01-13"]);
}

#[test]
fn the_better_tier_survives_a_merge() {
    let mut programme = tiers();
    programme.tiers.validity = Validity::EndOfNextYear;
    programme.tiers.window = Window::CalendarYear;
    let mut desk = desk(programme);
    desk.at("2025-01-10T10:00:00Z").buy(20_000);
    desk.who(2).at("2026-03-01T10:00:00Z").buy(1_000);
    desk.who(1).merge(2).expect("two members");
    let standing = &desk.state.members[&id(2)].standing;
    assert_eq!((standing.tier.as_str(), standing.tier_until), ("gold", Some(at("2027-01-01T00:00:00Z"))));
    assert_eq!(standing.window.points, 10, "the window of 2026");
}

#[test]
fn a_merged_pair_may_join_a_household() {
    let mut desk = desk(linked());
    let old = desk.at("2025-01-10T10:00:00Z").buy(6_000);
    desk.who(2).buy(4_000);
    desk.who(1).merge(2).expect("two members");
    desk.who(2).join(3, true).expect("a pool");
    assert_eq!((desk.available(1), desk.available(2), desk.available(3)), (0, 0, 100));
    assert_eq!(desk.who(4).merge(2).map(|_| ()), Ok(()), "and another account of his is found later");
    desk.who(1).take_back(old.id, ReturnedGoods::All).expect("sold");
    assert_eq!(desk.open(3), ["40@2026-01-11"]);
    desk.who(2).run(&Command::LeavePool).expect("in a pool");
    assert_eq!((desk.available(2), desk.available(3)), (40, 0));
    assert_eq!(desk.who(3).merge(1), Err(Refusal::MemberMerged));
    assert_eq!(desk.who(2).state.members[&id(1)].standing.link.map(|link| link.kind), Some(LinkKind::Merged));
}

#[test]
fn a_purchase_goes_to_the_right_member() {
    let mut desk = desk(tiers());
    let wrong = desk.at("2025-01-10T10:00:00Z").buy(12_000);
    assert_eq!(wrong.tier_after, "gold");
    let Ok(Outcome::Move(moved)) = desk.at("2025-01-10T18:00:00Z").pass(wrong.id, 2, 12_000, "2025-01-10T10:00:00Z")
    else {
        panic!("moved")
    };
    assert_eq!((moved.returned.record.clawed, moved.purchase.given), (points(120), points(120)));
    assert_eq!((desk.all(1), desk.all(2)), ((0, 0, 0), (120, 0, 0)));
    assert_eq!(desk.open(2), ["120@2026-01-11"], "as old as the purchase");
    let (one, two) = (&desk.state.members[&id(1)].standing, &desk.state.members[&id(2)].standing);
    assert_eq!((one.purchases, one.window.points), (0, 0));
    assert_eq!((two.purchases, two.window.points, two.tier.as_str()), (1, 120, "gold"));
    let again = desk.pass(wrong.id, 3, 12_000, "2025-01-10T10:00:00Z");
    assert_eq!(again.map(|_| ()), Err(Refusal::ReturnedBefore));
}

#[test]
fn a_purchase_is_not_moved_beyond_the_rules() {
    let mut desk = desk(linked());
    let sale = desk.at("2025-01-10T10:00:00Z").buy(12_000);
    let late = desk.at("2025-01-11T10:00:01Z").pass(sale.id, 2, 12_000, "2025-01-10T10:00:00Z");
    assert_eq!(late.map(|_| ()), Err(Refusal::MovedTooLate));
    desk.now = at("2025-01-11T10:00:00Z");
    assert_eq!(desk.pass(sale.id, 1, 12_000, "2025-01-10T10:00:00Z").map(|_| ()), Err(Refusal::SameMember));
    let unknown = PurchaseId::new(Uuid::from_u128(99));
    assert_eq!(desk.pass(unknown, 2, 1, "2025-01-10T10:00:00Z").map(|_| ()), Err(Refusal::PurchaseUnknown));
}

#[test]
fn a_gift_out_of_the_pool_counts_once_against_either_limit() {
    let mut desk = desk(linked());
    desk.at("2025-01-10T10:00:00Z").buy(20_000);
    desk.who(2).join(1, true).expect("a pool");
    desk.give(3, 50).expect("up to what a member may take from the pool");
    assert_eq!(desk.give(3, 10), Err(Refusal::DailyLimit(points(50))));
    assert_eq!((desk.available(1), desk.available(3)), (150, 50));
    desk.who(1).give(3, 100).expect("the head gives his own");
}

#[test]
fn a_debt_that_the_pool_pays_counts_against_the_limit() {
    let mut desk = desk(linked());
    desk.who(2).join(1, true).expect("a pool");
    let sale = desk.at("2025-02-10T10:00:00Z").buy(3_000);
    desk.who(1).spend(30).expect("enough");
    desk.who(2).take_back(sale.id, ReturnedGoods::All).expect("sold");
    desk.who(1).buy(10_000);
    assert_eq!((desk.all(1), desk.all(2)), ((100, 0, 0), (0, 0, 30)));
    assert_eq!(desk.who(2).spend(21), Err(Refusal::DailyLimit(points(50))), "21 and the debt of 30");
    desk.spend(20).expect("20 and the debt of 30");
    assert_eq!((desk.all(1), desk.all(2)), ((50, 0, 0), (0, 0, 0)));
    assert_eq!(desk.spend(1), Err(Refusal::DailyLimit(points(50))));
}
