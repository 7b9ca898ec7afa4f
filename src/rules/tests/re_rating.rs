//! Re-rating: whoever lived under the wrong promotion and was put right stands where he would stand had it been right
//! from the start, whatever came back before or comes back afterwards; and taken back, where he stood before.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tessera_rules::amount::{Multiplier, Points};
use tessera_rules::command::{Command, Purchase, ReRate, ReturnLine, ReturnPart, ReturnedGoods};
use tessera_rules::decision::{ReRatingOutcome, ReturnRecord};
use tessera_rules::id::{PurchaseId, ReRatingId};
use tessera_rules::programme::Shortfall;
use tessera_rules::promotion::PromotionEffect;
use tessera_rules::re_rating::Rating;
use tessera_rules::returns::Sold;
use tessera_rules::simulate::{Judged, Past, PastEvent, PastPurchase, PastReturn, ReRating};
use tessera_rules::tag::Tags;
use tessera_rules::tier::Span;
use tessera_rules::{Outcome, Programme, Refusal};
use uuid::Uuid;

use crate::cases::cases;
use crate::support::{Desk, day, line, points, programme, promotion, times};

fn with(effect: Option<PromotionEffect>) -> Programme {
    let mut document = programme();
    document.promotions = effect.into_iter().map(|effect| promotion("saturday", 0, effect)).collect();
    document
}

fn by(multiplier: &str) -> PromotionEffect {
    PromotionEffect::Multiply { by: times(multiplier) }
}

/// A desk with the record of what happened at it.
struct Told {
    desk: Desk,
    sold: Vec<(Purchase, PurchaseId)>,
    events: Vec<PastEvent>,
}

impl Told {
    fn under(programme: &Programme) -> Self {
        Self { desk: Desk::new(programme.clone()), sold: Vec::new(), events: Vec::new() }
    }

    fn buy(&mut self, amounts: [i64; 2]) {
        let mut receipt = self.desk.receipt(0);
        receipt.lines = amounts.map(line).to_vec();
        let bought = self.desk.purchase(receipt.clone()).expect("the purchase is taken");
        let sold = &self.desk.member().sales[&bought.id];
        self.events.push(PastEvent::Purchase(Box::new(PastPurchase {
            id: bought.id,
            store: receipt.store_code.clone(),
            occurred_at: bought.occurred_at,
            recorded_at: bought.recorded_at,
            lines: receipt.lines.clone(),
            tenders: Vec::new(),
            channel: None,
            paid_from_wallet: None,
            paid_with_points: None,
            exact: true,
            rated: false,
            points: bought.given,
            micropoints: sold.micropoints,
            explanation: bought.explanation.clone(),
        })));
        self.sold.push((receipt, bought.id));
    }

    /// A line of a purchase comes back, if it has not yet.
    fn back(&mut self, which: usize, line: u32) -> bool {
        let Some((_, id)) = self.sold.get(which) else { return false };
        let goods = ReturnedGoods::Lines(vec![ReturnLine { line, part: ReturnPart::Rest }]);
        let Ok(returned) = self.desk.take_back(*id, goods) else { return false };
        self.events.push(PastEvent::Return(past(&returned.record, returned.recorded_at)));
        true
    }

    fn judged(&self, right: &Programme) -> Vec<Judged> {
        let corrected = BTreeMap::from([(1, (self.desk.programme.clone(), right.clone()))]);
        let days = Span { from: day("2025-01-01"), to: day("2026-12-31") };
        let mut search = ReRating::new(&self.desk.programme, corrected, days, BTreeSet::new());
        let standing = self.desk.standing();
        let past = Past {
            member: self.desk.member,
            enrolled_at: standing.enrolled_at,
            birth_date: None,
            settled_at: standing.recorded_at,
            merged: false,
            tier_changes: Vec::new(),
            tags: Tags::default(),
            events: self.events.clone(),
        };
        let judged = search.member(&past).expect("in range");
        assert_eq!((search.looked_at, search.inexact, search.refused), (self.sold.len() as u64, 0, 0));
        judged
    }

    fn sale(&self, id: PurchaseId) -> &Sold {
        &self.desk.state.members[&self.desk.member].sales[&id]
    }

    fn rate(&mut self, purchases: Vec<Rating>, undoes: Option<Points>) -> Result<ReRatingOutcome, Refusal> {
        let id = ReRatingId::new(Uuid::from_u128(99));
        let asked = ReRate { id, reason: "wrong_promotion".to_owned(), purchases, undoes };
        match self.desk.run(&Command::ReRate(Box::new(asked)))? {
            Outcome::ReRating(outcome) => Ok(outcome),
            other => panic!("not a re-rating: {other:?}"),
        }
    }

    /// What the member has, less what he owes.
    fn has(&self) -> i64 {
        let standing = self.desk.standing();
        standing.available.get() + standing.pending.get() - standing.debt.get()
    }
}

fn past(record: &ReturnRecord, recorded_at: tessera_rules::time::Instant) -> PastReturn {
    PastReturn {
        id: record.id,
        purchase: record.purchase,
        recorded_at,
        lines: record.lines.clone(),
        clawed: record.clawed,
        micropoints: record.micropoints,
    }
}

fn rating(judged: &Judged) -> Rating {
    let clawed = judged.should_be_clawed().and_then(|points| points.minus(judged.clawed)).expect("in range");
    Rating {
        purchase: judged.purchase,
        seen_points: judged.given,
        seen_returned: judged.returned,
        points: judged.points,
        clawed,
        explanation: judged.explanation.clone(),
    }
}

/// The way back from where a purchase stands to where it stood.
fn way_back(was: &Sold, now: &Sold, purchase: PurchaseId) -> Rating {
    Rating {
        purchase,
        seen_points: now.points,
        seen_returned: now.returned.len(),
        points: was.points,
        clawed: was.clawed.minus(now.clawed).expect("in range"),
        explanation: was.explanation.clone(),
    }
}

fn difference(judged: &[Judged]) -> i64 {
    judged.iter().map(|one| one.difference().expect("in range").get()).sum()
}

#[test]
fn a_promotion_that_was_wrong_is_put_right_and_taken_back() {
    let (wrong, right) = (with(Some(by("3"))), with(Some(by("2"))));
    let mut told = Told::under(&wrong);
    told.buy([10_000, 20_000]);
    told.buy([5_000, 0]);
    told.back(0, 1);
    assert_eq!(told.has(), 900 - 300 + 150);
    let judged = told.judged(&right);
    let shown: Vec<_> = judged.iter().map(|one| (one.given.get(), one.clawed.get(), one.points.get())).collect();
    assert_eq!(shown, [(900, 300, 600), (150, 0, 100)]);
    assert_eq!(difference(&judged), -250, "one line at three times is gone already");
    let before: Vec<Sold> = judged.iter().map(|one| told.sale(one.purchase).clone()).collect();
    let came = told.rate(judged.iter().map(rating).collect(), None).expect("it is booked");
    assert_eq!((came.points.get(), came.forgiven.get(), told.has()), (-250, 0, 500));
    // Judged again it is right; and what was seen before is seen no more.
    let stale = told.rate(judged.iter().map(rating).collect(), None);
    assert_eq!(stale.err(), Some(Refusal::PurchaseChanged(judged[0].purchase)));
    let back = judged.iter().zip(&before).map(|(one, was)| way_back(was, told.sale(one.purchase), one.purchase));
    let back = back.collect();
    let undone = told.rate(back, Some(came.points)).expect("it is taken back");
    assert_eq!((undone.points.get(), told.has()), (250, 750));
    for (one, was) in judged.iter().zip(&before) {
        assert_eq!(told.sale(one.purchase), was, "the purchase stands as before");
    }
}

#[test]
fn what_is_spent_is_owed_or_forgiven_and_what_had_lapsed_is_not_taken_again() {
    let (wrong, right) = (with(Some(by("3"))), with(None));
    for (shortfall, points_taken, forgiven, debt) in
        [(Shortfall::Debt, -200, 0, 150), (Shortfall::Forgive, -50, 150, 0)]
    {
        let mut told = Told::under(&wrong);
        told.desk.programme.returns.shortfall = shortfall;
        told.buy([10_000, 0]);
        told.desk.adjust(-250).expect("there are 300");
        let judged = told.judged(&right);
        let came = told.rate(judged.iter().map(rating).collect(), None).expect("it is booked");
        assert_eq!((came.points.get(), came.forgiven.get()), (points_taken, forgiven));
        assert_eq!(told.desk.standing().debt.get(), debt);
        assert!(told.desk.standing().available >= Points::ZERO);
    }
    let mut told = Told::under(&wrong);
    told.buy([10_000, 0]);
    let judged = told.judged(&right);
    // The whole lot lapses unspent.
    let expires = told.desk.member().lots.values().next().and_then(|lot| lot.expires_at);
    if let Some(expires) = expires {
        told.desk.now = expires + chrono::Duration::days(1);
        told.desk.settle();
        assert_eq!(told.has(), 0);
        let came = told.rate(judged.iter().map(rating).collect(), None).expect("it is booked");
        assert_eq!((came.points.get(), told.has()), (0, 0), "what lapsed is gone already");
        told.back(0, 1);
        assert_eq!(told.has(), 0, "nor does a return take it");
    }
}

fn effect() -> impl Strategy<Value = Option<PromotionEffect>> {
    let multiplier =
        (10_000_i64..50_000).prop_map(|units| PromotionEffect::Multiply { by: Multiplier::from_units(units) });
    let add = (1_i64..300).prop_map(|value| PromotionEffect::Add { points: points(value) });
    let per_amount = (1_i64..20, 100_i64..2_000).prop_map(|(value, per)| PromotionEffect::PerAmount {
        points: points(value),
        per: tessera_rules::amount::Minor::new(per).expect("in range"),
    });
    prop_oneof![Just(None), multiplier.prop_map(Some), add.prop_map(Some), per_amount.prop_map(Some)]
}

proptest! {
    #![proptest_config(cases(300))]

    /// A return takes the corrected points neither twice nor not at all.
    #[test]
    fn put_right_is_as_if_it_had_been_right(
        wrong in effect(),
        right in effect(),
        bought in prop::collection::vec([0_i64..30_000, 1_i64..30_000], 1..5),
        before in prop::collection::vec((0_usize..4, 1_u32..3), 0..4),
        after in prop::collection::vec((0_usize..4, 1_u32..3), 0..8),
        undo in any::<bool>(),
    ) {
        let (wrong, right) = (with(wrong), with(right));
        let mut lived = Told::under(&wrong);
        let mut ideal = Told::under(if undo { &wrong } else { &right });
        for amounts in &bought {
            lived.buy(*amounts);
            ideal.buy(*amounts);
        }
        for (which, line) in before {
            prop_assert_eq!(lived.back(which, line), ideal.back(which, line));
        }
        let judged = lived.judged(&right);
        let stood: Vec<Sold> = judged.iter().map(|one| lived.sale(one.purchase).clone()).collect();
        let had = lived.has();
        let came = lived.rate(judged.iter().map(rating).collect(), None).expect("it is booked");
        prop_assert_eq!(lived.has() - had, difference(&judged), "nobody spent or lost anything");
        if undo {
            let back = judged.iter().zip(&stood).map(|(one, was)| way_back(was, lived.sale(one.purchase), one.purchase));
            let back = back.collect();
            lived.rate(back, Some(came.points)).expect("it is taken back");
        }
        prop_assert_eq!(lived.has(), ideal.has());
        prop_assert_eq!(lived.desk.standing().window, ideal.desk.standing().window);
        for (which, line) in after {
            prop_assert_eq!(lived.back(which, line), ideal.back(which, line));
            prop_assert_eq!(lived.has(), ideal.has(), "after goods came back");
        }
    }
}
