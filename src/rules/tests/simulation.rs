//! Simulation (PROGRAMME.md §8): what was live gives what was given, and what is tried gives its own.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use tessera_rules::amount::Minor;
use tessera_rules::command::{Purchase, Return, ReturnLine, ReturnPart, ReturnedGoods};
use tessera_rules::decision::{Effect, ReturnRecord};
use tessera_rules::id::{MemberId, PurchaseId, ReturnId};
use tessera_rules::life::PromotionState;
use tessera_rules::limit::{Budget, Limits};
use tessera_rules::programme::Tiers;
use tessera_rules::promotion::{NthPurchase, Promotion, PromotionEffect};
use tessera_rules::returns::Sold;
use tessera_rules::simulate::{Compared, Past, PastEvent, PastPurchase, PastReturn, PromotionReport, Simulation};
use tessera_rules::tier::{Measure, Span, Window};
use tessera_rules::time::Instant;
use tessera_rules::{Command, Decision, MemberState, Outcome, Programme, decide};
use uuid::Uuid;

use crate::cases::cases;
use crate::properties::run::{MEMBER, Run, context, instant};
use crate::properties::scene::{Scene, scene};
use crate::support::{day, level, line, points, programme, promotion, times};
use crate::wallets::with_wallet;

/// A history with one member, written down as it happens.
struct Chronicle {
    run: Run,
    events: Vec<PastEvent>,
    bought: Vec<PurchaseId>,
}

impl Chronicle {
    fn new(scene: &Scene, change: impl FnOnce(&mut Programme)) -> Self {
        let mut run = Run::new(scene);
        change(&mut run.programme);
        assert_eq!(run.programme.problems(), []);
        Self { run, events: Vec::new(), bought: Vec::new() }
    }

    fn member(&mut self) -> &mut MemberState {
        self.run.state.members.get_mut(&MEMBER).expect("the member")
    }

    /// Lives a history: after a step some of an earlier purchase may come back.
    fn live(scene: &Scene, back: &[Option<(usize, u8)>], change: impl FnOnce(&mut Programme)) -> Self {
        let mut told = Self::new(scene, change);
        let never = [None];
        let mut backs = back.iter().chain(never.iter().cycle());
        for (i, step) in (1_u128..).zip(&scene.steps) {
            let timed = told.run.timed(step);
            told.act(&timed.command, timed.minute);
            if let Some((which, how)) = backs.next().copied().flatten()
                && let Some(&purchase) = told.bought.iter().rev().nth(which)
            {
                told.act(&brought_back(purchase, how, i), timed.minute);
            }
        }
        told
    }

    fn act(&mut self, command: &Command, minute: i64) {
        let decided = decide(&self.run.programme, &self.run.state, MEMBER, command, &context(minute));
        let Ok(decision) = decided else { return };
        self.run.state.enact(MEMBER, &decision).expect("in range");
        match (command, &decision.outcome) {
            (Command::Purchase(receipt), Outcome::Purchase(_)) => self.sold(receipt, &decision),
            (_, Outcome::Return(returned)) => {
                self.events.push(PastEvent::Return(past_return(&returned.record, returned.recorded_at)));
            }
            _ => {}
        }
    }

    fn sold(&mut self, receipt: &Purchase, decision: &Decision) {
        let Outcome::Purchase(bought) = &decision.outcome else { return };
        let record = decision.effects.iter().find_map(|effect| match effect {
            Effect::Purchase(record) => Some(record),
            _ => None,
        });
        let record = record.expect("a purchase is on record");
        let lots = bought.lots.iter().map(|lot| lot.number).collect();
        let sold = Sold::new(record, bought.recorded_at, bought.explanation.clone(), lots);
        self.member().sales.insert(bought.id, sold);
        self.bought.push(bought.id);
        self.events.push(PastEvent::Purchase(Box::new(PastPurchase {
            id: bought.id,
            store: receipt.store_code.clone(),
            occurred_at: bought.occurred_at,
            recorded_at: bought.recorded_at,
            lines: receipt.lines.clone(),
            tenders: receipt.tenders.clone(),
            channel: receipt.channel.clone(),
            paid_from_wallet: None,
            paid_with_points: bought.redeemed.map(|(_, worth)| worth),
            exact: true,
            rated: false,
            points: bought.given,
            micropoints: record.micropoints,
            explanation: bought.explanation.clone(),
        })));
    }

    fn past(&self) -> Past {
        let member = self.run.member();
        Past {
            member: MEMBER,
            enrolled_at: member.standing.enrolled_at,
            birth_date: member.birth_date,
            settled_at: member.standing.recorded_at,
            merged: false,
            tags: member.tags.clone(),
            tier_changes: member.tier_changes.clone(),
            events: self.events.clone(),
        }
    }
}

fn past_return(record: &ReturnRecord, recorded_at: Instant) -> PastReturn {
    PastReturn {
        id: record.id,
        purchase: record.purchase,
        recorded_at,
        lines: record.lines.clone(),
        clawed: record.clawed,
        micropoints: record.micropoints,
    }
}

fn brought_back(purchase: PurchaseId, how: u8, number: u128) -> Command {
    let part = |line, part| ReturnedGoods::Lines(vec![ReturnLine { line, part }]);
    let goods = match how {
        0 => ReturnedGoods::All,
        1 => part(1, ReturnPart::Rest),
        2 => part(2, ReturnPart::Rest),
        _ => part(1, ReturnPart::Amount(tessera_rules::amount::Minor::new(37).expect("in range"))),
    };
    Command::Return(Return {
        id: ReturnId::new(Uuid::from_u128(number << 64)),
        purchase,
        elsewhere: false,
        source: "s1".to_owned(),
        external_id: number.to_string(),
        content: Return::content_of(purchase, &goods),
        goods,
        reason: "unwanted".to_owned(),
    })
}

fn minor(amount: i64) -> Minor {
    Minor::new(amount).expect("in range")
}

fn cashback(cap: Option<i64>) -> Promotion {
    let effect = PromotionEffect::Cashback { percent: times("5"), cap: cap.map(minor), cap_per_month: None };
    promotion("back", 3, effect)
}

/// Asks for what only a replay from the first purchase on can tell, and for what is used up.
fn asking(programme: &mut Programme) {
    let limited = |limits: Limits, gift: Promotion| Promotion { limits, ..gift };
    let (often, none) = (Some(2), Limits::default());
    let gift = |code: &str| promotion(code, 3, PromotionEffect::Add { points: points(7) });
    let asks = "member.window_spend > 10000 || size(lines) > 2 && purchase.amount > 100";
    programme.promotions.push(Promotion { nth_purchase: Some(NthPurchase::Every(3)), ..gift("third") });
    programme.promotions.push(Promotion { condition: Some(asks.to_owned().into()), ..gift("asking") });
    programme.promotions.push(limited(Limits { per_member: often, per_member_per_day: Some(1), ..none }, gift("own")));
    programme.promotions.push(limited(Limits { total: often, ..none }, gift("twice")));
    programme.promotions.push(limited(Limits { budget_points: Some(points(17)), ..none }, gift("budget")));
    let limits = Limits { budget_money: Some(minor(650)), ..none };
    programme.promotions.push(limited(limits, cashback(Some(150))));
    programme.wallet = with_wallet().wallet;
}

fn days(from: &str, to: &str) -> Span {
    Span { from: day(from), to: day(to) }
}

/// Some of the purchase so many before the last comes back, in one way or another.
fn backs() -> impl Strategy<Value = Vec<Option<(usize, u8)>>> {
    prop::collection::vec(prop::option::weighted(0.4, (0_usize..4, 0_u8..4)), 30)
}

proptest! {
    #![proptest_config(cases(200))]

    /// What was live gives what was given: on the tiers on record, and when they are lived again; over all
    /// days, and over some of them.
    #[test]
    fn what_was_live_gives_what_was_given(
        scene in scene(30),
        backs in backs(),
        cut in (0_u64..400, 0_u64..400),
    ) {
        let told = Chronicle::live(&scene, &backs, asking);
        let (past, programme) = (told.past(), &told.run.programme);
        let first = programme.time_zone.day_of(past.enrolled_at);
        let from = first + chrono::Days::new(cut.0);
        let spans = [days("2023-01-01", "2040-01-01"), Span { from, to: from + chrono::Days::new(cut.1) }];
        for (span, relive) in spans.into_iter().flat_map(|span| [(span, false), (span, true)]) {
            let simulation = Simulation::new(programme, programme, span, &[]);
            let mut simulation = if relive { simulation.reliving() } else { simulation };
            simulation.member(&past).expect("in range");
            let report = simulation.report();
            prop_assert_eq!(report.points.difference(), 0, "{:?} {}", span, relive);
            prop_assert_eq!((report.purchases_touched, report.members_touched), (0, 0));
            prop_assert!(report.days.values().all(|day| day.points.difference() == 0));
            let as_it_was = |one: &PromotionReport| (one.charged.difference(), one.cashback.difference()) == (0, 0);
            prop_assert!(report.promotions.values().all(as_it_was));
            prop_assert!(report.tiers.is_empty() && report.most_affected.is_empty());
            prop_assert_eq!((report.refused, report.inexact), (0, 0));
        }
        // And it is all of it that is compared.
        let mut whole = Simulation::new(programme, programme, spans[0], &[]);
        whole.member(&past).expect("in range");
        let sum = |sum: i64, event: &PastEvent| match event {
            PastEvent::Purchase(purchase) => sum + purchase.points.get(),
            PastEvent::Return(returned) => sum - returned.clawed.get(),
        };
        prop_assert_eq!(whole.report().points.before, past.events.iter().fold(0, sum));
        prop_assert_eq!(whole.report().purchases, told.bought.len() as u64);
    }
}

/// A member under a programme in force, one step at a time.
struct Story(Chronicle);

impl Story {
    fn new(programme: Programme) -> Self {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let any = scene(2).new_tree(&mut runner).expect("a scene").current();
        let mut told = Chronicle::new(&any, |document| *document = programme);
        told.member().birth_date = None;
        Self(told)
    }

    /// Days after 1 January 2024.
    fn minute(day: i64) -> i64 {
        1_704_067_200 / 60 + day * 24 * 60
    }

    fn buy(&mut self, day: i64, amount: i64) -> PurchaseId {
        let number = self.0.events.len() as u128 + 1;
        let id = PurchaseId::new(Uuid::from_u128(number));
        let receipt = Purchase {
            id,
            store: tessera_rules::id::StoreId::new(Uuid::from_u128(1)),
            store_code: "s1".to_owned(),
            source: "s1".to_owned(),
            external_id: number.to_string(),
            occurred_at: None,
            currency: self.0.run.programme.currency,
            lines: vec![line(amount), line(amount)],
            tenders: Vec::new(),
            channel: None,
            pricing: None,
            redeem: None,
            wallet: None,
            content: [0; 32],
        };
        self.0.act(&Command::Purchase(receipt), Self::minute(day));
        id
    }

    fn return_first_line(&mut self, day: i64, purchase: PurchaseId) {
        let number = self.0.events.len() as u128 + 1;
        self.0.act(&brought_back(purchase, 1, number), Self::minute(day));
    }
}

fn double(state: PromotionState) -> Promotion {
    Promotion { state, ..promotion("double", 0, PromotionEffect::Multiply { by: times("2") }) }
}

#[test]
fn a_draft_is_tried_as_if_it_had_been_live() {
    let live = programme();
    let tried = Programme { promotions: vec![double(PromotionState::Draft)], ..live.clone() };
    let mut story = Story::new(live.clone());
    story.buy(0, 5_000);
    let half_back = story.buy(10, 10_000);
    story.buy(10, 5_000);
    story.buy(20, 1_000);
    story.return_first_line(21, half_back);
    let past = story.0.past();

    let mut silent = Simulation::new(&tried, &live, days("2024-01-01", "2024-12-31"), &[]);
    silent.member(&past).expect("in range");
    assert_eq!(silent.report().members_touched, 0, "a draft stays a draft unless it is asked about");

    let mut simulation = Simulation::new(&tried, &live, days("2024-01-11", "2024-01-31"), &["double"]);
    for number in 1..=25_u128 {
        let member = MemberId::new(Uuid::from_u128(number));
        simulation.member(&Past { member, ..past.clone() }).expect("in range");
    }
    let report = simulation.report();
    let one = Compared { before: 200 + 100 + 20 - 100, after: 2 * (200 + 100 + 20 - 100) };
    assert_eq!(report.points, Compared { before: 25 * one.before, after: 25 * one.after });
    assert_eq!((report.purchases, report.purchases_touched, report.members), (75, 75, 25));
    assert_eq!(report.days[&day("2024-01-11")].points, Compared { before: 25 * 300, after: 25 * 600 });
    assert_eq!(report.days[&day("2024-01-22")].points, Compared { before: -25 * 100, after: -25 * 200 });
    let promotion = &report.promotions["double"];
    assert_eq!((promotion.charged, promotion.purchases), (Compared { before: 0, after: 25 * 320 }, 75));
    let exhausted = |budget: i64| promotion.exhausted_on(Budget::Points(points(budget)));
    assert_eq!(exhausted(25 * 300), Some(day("2024-01-11")));
    assert_eq!(exhausted(25 * 300 + 1), Some(day("2024-01-21")));
    assert_eq!(exhausted(25 * 320 + 1), None);
    let named: Vec<(MemberId, Compared)> = report.most_affected.iter().map(|one| (one.member, one.points)).collect();
    let expected: Vec<_> = (1..=20_u128).map(|number| (MemberId::new(Uuid::from_u128(number)), one)).collect();
    assert_eq!(named, expected);
}

#[test]
fn a_budget_of_money_is_told_by_its_day() {
    let live = with_wallet();
    let limits = Limits { budget_money: Some(minor(100)), ..Limits::default() };
    let tried = Programme { promotions: vec![Promotion { limits, ..cashback(None) }], ..live.clone() };
    let mut story = Story::new(live.clone());
    story.buy(0, 1_000);
    story.buy(5, 2_000);
    story.buy(9, 10);
    let mut simulation = Simulation::new(&tried, &live, days("2024-01-01", "2024-12-31"), &["back"]);
    simulation.member(&story.0.past()).expect("in range");
    let promotion = &simulation.report().promotions["back"];
    // Two lines of each amount; what is new is tried without its budget.
    assert_eq!((promotion.cashback, promotion.purchases), (Compared { before: 0, after: 100 + 200 + 1 }, 3));
    let exhausted = |budget: i64| promotion.exhausted_on(Budget::Money(minor(budget)));
    assert_eq!(exhausted(100), Some(day("2024-01-01")));
    assert_eq!(exhausted(101), Some(day("2024-01-06")));
    assert_eq!(exhausted(302), None);
    assert_eq!(promotion.exhausted_on(Budget::Points(points(1))), None, "it gives no points");
}

#[test]
fn another_ladder_is_lived_again_from_the_first_purchase_on() {
    let ladder = |silver: i64| {
        let levels = vec![level("base", 0, "1"), level("silver", silver, "2")];
        let tiers =
            Tiers { measure: Measure::Points, window: Window::Rolling { days: 100 }, levels, ..Tiers::default() };
        Programme { tiers, ..programme() }
    };
    let (live, tried) = (ladder(1_000), ladder(150));
    let mut story = Story::new(live.clone());
    story.buy(0, 10_000);
    story.buy(50, 1_000);
    let past = story.0.past();
    let mut simulation = Simulation::new(&tried, &live, days("2024-02-01", "2024-03-01"), &[]);
    simulation.member(&past).expect("in range");
    let report = simulation.report();
    assert_eq!(report.points, Compared { before: 20, after: 40 }, "silver since the purchase of January");
    let moved = ("base".to_owned(), "silver".to_owned());
    assert_eq!(report.tiers.iter().collect::<Vec<_>>(), [(&moved, &1)]);
    assert_eq!(report.most_affected[0].tiers, Some(moved));

    // Another multiplier of a tier measures nothing otherwise: nobody's tier is lived again.
    let mut generous = ladder(1_000);
    generous.tiers.levels[0].earn_multiplier = times("3");
    assert!(generous.measures_as(&live) && !tried.measures_as(&live));
    let mut simulation = Simulation::new(&generous, &live, days("2024-02-01", "2024-03-01"), &[]);
    simulation.member(&past).expect("in range");
    assert_eq!(simulation.report().points, Compared { before: 20, after: 60 });
}

#[test]
fn what_cannot_be_told_exactly_is_counted() {
    let live = programme();
    let mut story = Story::new(live.clone());
    story.buy(0, 5_000);
    let mut past = story.0.past();
    let asks: String = "member.available > 100".to_owned();
    let asking = Promotion { condition: Some(asks.into()), ..double(PromotionState::Draft) };
    let tried = Programme { promotions: vec![asking], ..live.clone() };
    let inexact = |past: &Past, published: &[&str]| {
        let mut simulation = Simulation::new(&tried, &live, days("2024-01-01", "2024-12-31"), published);
        simulation.member(past).expect("in range");
        simulation.report().inexact
    };
    assert_eq!(inexact(&past, &[]), 0);
    assert_eq!(inexact(&past, &["double"]), 1, "what could be spent then is not known");
    if let PastEvent::Purchase(purchase) = &mut past.events[0] {
        purchase.exact = false;
    }
    assert_eq!(inexact(&past, &[]), 1);
    let before = instant(0);
    past.events.iter_mut().for_each(|event| match event {
        PastEvent::Purchase(purchase) => (purchase.occurred_at, purchase.recorded_at) = (before, before),
        PastEvent::Return(_) => {}
    });
    assert_eq!(inexact(&past, &["double"]), 0, "what lies outside the days is not counted");
}
