//! What was shown at an instant of the past: whatever was recorded since, it is what a read at that
//! instant gave.

use tessera_rules::Command;
use tessera_rules::adjustment::{AdjustmentLimits, Adjustments, Leave};
use tessera_rules::amount::{Points, Rate};
use tessera_rules::command::{Redeemed, ReturnedGoods, Role};
use tessera_rules::decision::Balance;
use tessera_rules::history::{Movement, Shown, shown_at};
use tessera_rules::programme::MoneyOff;
use tessera_rules::refusal::Refusal;
use tessera_rules::time::{Instant, Period};

use crate::support::{Desk, after, at, points, programme, times};

/// A member's life, with what reads along the way were shown.
struct Life {
    desk: Desk,
    read: Vec<(Instant, Balance, Points)>,
}

impl Life {
    /// Reads at an instant, which writes nothing.
    fn read(&mut self, text: &str) {
        self.desk.at(text);
        let decision = self.desk.decide(&Command::Settle).expect("settling is never refused");
        let mut seen = self.desk.state.clone();
        seen.apply(self.desk.member, &decision.effects).expect("what was decided can be applied");
        let standing = &seen.members[&self.desk.member].standing;
        self.read.push((at(text), Balance::from(standing), standing.lifetime_earned));
    }

    fn shown(&self, at: Instant) -> Shown {
        shown_at(self.desk.entries().into_iter().map(Movement::from), at).expect("in range")
    }

    /// Every read is what is told of its instant now, with all that was recorded since.
    fn check(&self) {
        for (at, balance, earned) in &self.read {
            let shown = self.shown(*at);
            assert_eq!((shown.balance, shown.lifetime_earned), (*balance, *earned), "at {at}");
        }
    }
}

#[test]
fn every_read_of_the_past_is_what_was_read_then() {
    let mut programme = programme();
    programme.earning.pending_days = 3;
    programme.expiry = after(1, Period::Day);
    let (rate, one) = (Rate { points: 1, per: 10 }, points(1));
    let offer = MoneyOff { rate, minimum: one, step: one, largest_share: times("1"), hold_minutes: 15 };
    programme.redemption = Some(offer);
    let mut life = Life { desk: Desk::new(programme), read: Vec::new() };
    life.read("2025-01-01T00:00:00Z");
    life.desk.at("2025-01-02T10:00:00Z").buy(10_000);
    life.read("2025-01-02T10:00:00Z");
    life.read("2025-01-05T09:59:59Z");
    // Spendable, though nobody writes that down for a while.
    life.read("2025-01-05T10:00:00Z");
    life.read("2025-01-08T00:00:00Z");
    let held = life.desk.at("2025-01-09T00:00:00Z").hold(Redeemed::MoneyOff(points(30))).expect("held").id;
    life.read("2025-01-09T00:00:00Z");
    // The hold ends by itself, and nobody writes that down either.
    life.read("2025-01-09T00:14:59Z");
    life.read("2025-01-09T00:15:00Z");
    life.read("2025-01-10T00:00:00Z");
    // A till tells on the 20th of a purchase of the 11th: before, nobody was shown anything of it.
    life.read("2025-01-15T00:00:00Z");
    life.desk.at("2025-01-20T00:00:00Z").buy_late(5_000, "2025-01-11T00:00:00Z");
    life.read("2025-01-20T00:00:00Z");
    let third = life.desk.at("2025-01-21T00:00:00Z").buy(3_000).id;
    life.read("2025-01-24T00:00:00Z");
    life.desk.at("2025-01-25T00:00:00Z").spend(170).expect("spent");
    // What comes back was spent: a debt, that the next points pay when they become spendable.
    life.desk.at("2025-01-26T00:00:00Z").take_back(third, ReturnedGoods::All).expect("returned");
    life.read("2025-01-26T00:00:00Z");
    assert!(life.desk.standing().debt.is_positive());
    life.desk.at("2025-01-27T00:00:00Z").buy(8_000);
    life.read("2025-01-29T23:59:59Z");
    life.read("2025-01-30T00:00:00Z");
    // The rest lapses in March, and is written down in May. By then a late purchase has lapsed as well.
    life.read("2025-02-27T23:59:59Z");
    life.read("2025-03-01T23:59:59Z");
    life.read("2025-03-03T00:00:00Z");
    life.read("2025-04-20T00:00:00Z");
    life.desk.at("2025-05-01T00:00:00Z").buy_late(20_000, "2025-04-02T00:00:00Z");
    life.read("2025-05-01T00:00:00Z");
    life.desk.at("2025-08-01T00:00:00Z").settle();
    life.read("2025-08-01T00:00:00Z");
    life.check();
    assert!(life.desk.void(held).is_err(), "the hold had ended");
    let before = life.shown(at("2024-12-31T00:00:00Z"));
    assert_eq!((before.entries, before.balance.available), (0, Points::ZERO));
    let all = life.shown(life.desk.now);
    assert_eq!(all.entries, life.desk.standing().entries);
    assert_eq!(all.balance, Balance::from(life.desk.standing()));
}

#[test]
fn an_adjustment_needs_leave_above_the_limits() {
    let limits = |each: i64, per_day: i64| AdjustmentLimits { each: points(each), per_day: points(per_day) };
    let rules = Adjustments { manager: limits(100, 250), admin: limits(0, 1_000), reasons: Vec::new() };
    let judge = |role, value: i64, today: i64| rules.judge(role, points(value), "goodwill", points(today));
    use Leave::{Granted, ToBeAsked};
    for (role, value, today, leave) in [
        (Role::Manager, 100, 0, Granted),
        (Role::Manager, -100, 0, Granted),
        (Role::Manager, 101, 0, ToBeAsked),
        (Role::Manager, -101, 0, ToBeAsked),
        (Role::Manager, 100, 150, Granted),
        (Role::Manager, 100, 151, ToBeAsked),
        (Role::Manager, -1, 250, ToBeAsked),
        (Role::Admin, 1, 0, ToBeAsked),
        (Role::Cashier, 1, 0, ToBeAsked),
        (Role::Member, 1, 0, ToBeAsked),
        (Role::System, 1, 0, ToBeAsked),
    ] {
        assert_eq!(judge(role, value, today), Ok(leave), "{role:?} {value} after {today}");
    }
    assert_eq!(judge(Role::Manager, 0, 0), Err(Refusal::NothingToAdjust));
    let unknown = |reason: &str| Err(Refusal::ReasonUnknown(reason.to_owned()));
    assert_eq!(rules.judge(Role::Manager, points(1), "Good will", points(0)), unknown("Good will"));
    let listed = Adjustments { reasons: vec!["goodwill".to_owned()], ..rules };
    assert_eq!(listed.judge(Role::Manager, points(1), "goodwill", points(0)), Ok(Granted));
    assert_eq!(listed.judge(Role::Manager, points(1), "till_error", points(0)), unknown("till_error"));
    let far = points(tessera_rules::amount::MAX_MAGNITUDE);
    let unlimited = Adjustments { manager: AdjustmentLimits { each: far, per_day: far }, ..listed };
    assert_eq!(unlimited.judge(Role::Manager, far, "goodwill", far), Err(Refusal::AmountOutOfRange));
}

#[test]
fn limits_and_reasons_are_checked() {
    let mut programme = programme();
    assert_eq!(programme.problems(), []);
    programme.adjustments.manager.each = points(-1);
    programme.adjustments.admin.per_day = points(-1);
    programme.adjustments.reasons = ["goodwill", "Good will", "goodwill"].map(str::to_owned).to_vec();
    let found: Vec<_> = programme.problems().into_iter().map(|problem| (problem.pointer, problem.code)).collect();
    let expected = [
        ("/adjustments/manager/each", "too_small"),
        ("/adjustments/admin/per_day", "too_small"),
        ("/adjustments/reasons/1", "code_invalid"),
        ("/adjustments/reasons/2", "code_taken"),
    ];
    assert_eq!(found, expected.map(|(pointer, code)| (pointer.to_owned(), code)));
}
