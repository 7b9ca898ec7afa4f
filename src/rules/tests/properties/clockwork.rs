//! The clock's share: random programmes with every expiry rule, window and validity, random years of a
//! member, and what must hold of them however often somebody looks.

use chrono::Duration;
use proptest::prelude::*;
use tessera_rules::command::PlaceTier;
use tessera_rules::decision::Effect;
use tessera_rules::expiry::{Activity, Expiry};
use tessera_rules::forecast::{forecast, horizon};
use tessera_rules::ledger::EntryKind;
use tessera_rules::notice::{Notice, Notices};
use tessera_rules::programme::Tiers;
use tessera_rules::promotion::PromotionEffect;
use tessera_rules::tier::{Fall, LotsOnChange, Measure, Validity, Window};
use tessera_rules::time::{Instant, MonthDay, Period};
use tessera_rules::{Command, Outcome, Programme, Standing};

use super::cases;
use crate::support::{Desk, level, points, programme, promotion, zone};

const ZONES: [&str; 4] = ["UTC", "Europe/Berlin", "Asia/Shanghai", "Africa/Cairo"];
const TIERS: [&str; 3] = ["base", "silver", "gold"];

#[derive(Debug, Clone)]
enum Act {
    /// Points bought, minutes late.
    Buy(i64, i64),
    Spend(i64),
    Place(usize, i64),
    Notify,
    Settle,
}

/// Minutes waited before, and what then happens.
type Step = (i64, Act);

fn period() -> impl Strategy<Value = Period> {
    prop_oneof![Just(Period::Day), Just(Period::Month), Just(Period::Quarter), Just(Period::Year)]
}

fn dated() -> impl Strategy<Value = Expiry> {
    let date = (1_u32..13, 1_u32..30).prop_map(|(month, day)| MonthDay { month, day });
    prop_oneof![
        Just(Expiry::Never),
        (1_u32..8, period()).prop_map(|(months, round)| Expiry::After { months, round }),
        (prop::collection::vec(date, 1..3), 0_u32..4)
            .prop_map(|(dates, at_least_months)| Expiry::OnDate { dates, at_least_months }),
    ]
}

fn expiry() -> impl Strategy<Value = Expiry> {
    prop_oneof![2 => dated(), 1 => (1_u32..8).prop_map(|months| Expiry::Inactivity { months })]
}

fn ladder() -> impl Strategy<Value = Tiers> {
    let window = prop_oneof![
        (1_u32..100).prop_map(|days| Window::Rolling { days }),
        Just(Window::CalendarYear),
        Just(Window::Anniversary),
        Just(Window::Lifetime),
    ];
    let validity = prop_oneof![
        Just(Validity::Measured),
        Just(Validity::EndOfNextYear),
        (1_u32..14).prop_map(|months| Validity::Months { months }),
    ];
    let rules = (prop::option::of(expiry()), prop::option::of(expiry()), prop::option::weighted(0.2, 1_usize..3));
    let falls = (prop_oneof![Just(Fall::OneStep), Just(Fall::Requalify)], prop_oneof![Just(0), 1_u32..60]);
    (window, validity, falls, prop::bool::weighted(0.3), rules).prop_map(
        |(window, validity, (fall, grace), take, (silver, gold, keep))| {
            let mut levels: Vec<_> = (0..3).map(|i| level(TIERS[i], [0, 100, 200][i], "1.5")).collect();
            (levels[1].expiry, levels[2].expiry) = (silver, gold);
            if let Some(keep) = keep {
                levels[keep].keep_for_life = true;
            }
            let grace_days = if validity == Validity::Measured { 0 } else { grace };
            let lots_on_change = if take { LotsOnChange::Take } else { LotsOnChange::Keep };
            Tiers { measure: Measure::Points, window, validity, fall, grace_days, lots_on_change, levels }
        },
    )
}

fn document() -> impl Strategy<Value = Programme> {
    let bonus = prop::option::weighted(0.4, dated());
    let leads = prop::collection::vec(1_u32..40, 1..4);
    (ladder(), expiry(), bonus, leads, 0..ZONES.len(), (any::<bool>(), prop_oneof![Just(0), 0_u32..40])).prop_map(
        |(tiers, expiry, bonus, leads, place, (redeeming, pending))| {
            let mut document = Programme { tiers, expiry, time_zone: zone(ZONES[place]), ..programme() };
            document.notices = Notices { expiry_days: leads.clone(), tier_days: leads };
            document.earning.pending_days = pending;
            if !redeeming {
                document.activities = vec![Activity::Earning];
            }
            if let Some(rule) = bonus {
                document.promotions = vec![promotion("bonus", 0, PromotionEffect::Add { points: points(7) })];
                document.promotions[0].expiry = Some(rule);
            }
            document
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let act = prop_oneof![
        5 => (0_i64..150, prop_oneof![3 => Just(0), 1 => 0_i64..30 * 24 * 60]).prop_map(|(bought, late)| Act::Buy(bought, late)),
        2 => (1_i64..100).prop_map(Act::Spend),
        1 => (0_usize..3, 1_i64..200).prop_map(|(tier, days)| Act::Place(tier, days)),
        2 => Just(Act::Notify),
        1 => Just(Act::Settle),
    ];
    let wait = prop_oneof![2 => 0_i64..24 * 60, 3 => 0_i64..40 * 24 * 60, 1 => 0_i64..300 * 24 * 60];
    prop::collection::vec((wait, act), 1..14)
}

fn act(desk: &mut Desk, step: &Step) -> Vec<Notice> {
    desk.now += Duration::minutes(step.0);
    match &step.1 {
        Act::Buy(bought, late) => {
            let mut receipt = desk.receipt(bought * 100);
            receipt.occurred_at = Some(desk.now - Duration::minutes(*late));
            desk.purchase(receipt).expect("taken");
        }
        Act::Spend(spent) => {
            // Short of points it is refused, and nothing changes.
            if desk.adjust(-spent).is_err() {
                desk.settle();
            }
        }
        Act::Place(tier, days) => {
            let until = desk.now + Duration::days(*days);
            let place = PlaceTier { tier: TIERS[*tier].to_owned(), until, reason: "trial".to_owned() };
            desk.run(&Command::PlaceTier(place)).expect("placed");
        }
        Act::Notify => {
            if let Outcome::Notices(notices) = desk.run(&Command::Notify).expect("warned") {
                return notices;
            }
        }
        Act::Settle => {
            desk.settle();
        }
    }
    Vec::new()
}

fn lived(document: &Programme, steps: &[Step]) -> Desk {
    let mut desk = Desk::new(document.clone());
    for step in steps {
        act(&mut desk, step);
    }
    desk
}

/// A copy that goes its own way.
fn fork(desk: &Desk) -> Desk {
    let mut copy = Desk::new(desk.programme.clone());
    copy.state = desk.state.clone();
    copy.now = desk.now;
    copy
}

/// What of a standing does not say when somebody looked.
fn settled(desk: &Desk) -> Standing {
    Standing { head: [0; 32], ..desk.standing().clone() }
}

fn events(desk: &Desk) -> Vec<String> {
    let told = desk.effects.iter().filter_map(|effect| match effect {
        Effect::Entry(entry) => Some(format!("{:?} {} {}", entry.kind, entry.points, entry.effective_at)),
        Effect::Tier(c) => Some(format!("{} {} {} {:?} {}", c.from, c.to, c.at, c.cause, c.measure)),
        Effect::RedateLot { lot, expires_at, lapse } => Some(format!("{lot} {expires_at:?} {lapse:?}")),
        _ => None,
    });
    told.collect()
}

proptest! {
    #![proptest_config(cases(150))]

    /// Settling day by day is settling once; and between due instants nothing happens.
    #[test]
    fn days_or_years_make_no_difference(document in document(), steps in steps(), odd in 12_i64 * 60..3 * 24 * 60) {
        let desk = lived(&document, &steps);
        let end = desk.now + Duration::days(900);
        let (mut once, mut daily, mut jumps) = (fork(&desk), fork(&desk), fork(&desk));
        once.now = end;
        once.settle();
        while daily.now < end {
            daily.now = (daily.now + Duration::minutes(odd)).min(end);
            daily.settle();
        }
        // From due instant to due instant, not one microsecond early.
        while let Some(due) = jumps.standing().due_at().filter(|due| *due <= end) {
            let before = events(&jumps).len();
            jumps.now = due - Duration::microseconds(1);
            jumps.settle();
            prop_assert_eq!(events(&jumps).len(), before, "nothing before {}", due);
            prop_assert_eq!(jumps.standing().due_at(), Some(due));
            jumps.now = due;
            jumps.settle();
            prop_assert!(jumps.standing().due_at().is_none_or(|next| next > due));
        }
        jumps.now = end;
        jumps.settle();
        for other in [&daily, &jumps] {
            prop_assert_eq!(settled(&once), settled(other));
            prop_assert_eq!(events(&once), events(other));
            prop_assert_eq!(&once.state.members[&once.member].lots, &other.state.members[&other.member].lots);
        }
    }

    /// What is foretold to lapse is what lapses; where lots keep their rules, it is what they say.
    #[test]
    fn what_is_foretold_is_what_happens(document in document(), steps in steps()) {
        let desk = lived(&document, &steps);
        let horizon = horizon(desk.now);
        let member = &desk.state.members[&desk.member];
        let ahead = forecast(&document, member, &desk.context(), horizon).expect("in range");
        let foretold: Vec<(Instant, i64)> = ahead.expiring.iter().map(|one| (one.expires_at, one.points.get())).collect();
        let open = member.lots.values().filter(|lot| lot.remaining.is_positive());
        if document.tiers.lots_on_change == LotsOnChange::Keep {
            let mut said = std::collections::BTreeMap::new();
            for lot in open {
                if let Some(at) = lot.lapses_at(document.time_zone, member.standing.active_at) {
                    *said.entry(at).or_insert(0) += lot.remaining.get();
                }
            }
            prop_assert_eq!(&foretold, &said.into_iter().collect::<Vec<_>>());
        }
        let mut later = fork(&desk);
        let mut fall = None;
        while let Some(due) = later.standing().due_at().filter(|due| *due <= horizon) {
            later.now = due;
            later.settle();
        }
        for effect in &later.effects {
            if let Effect::Tier(change) = effect {
                let down = document.tier_position(&change.to) < document.tier_position(&change.from);
                fall = fall.or(down.then_some(change.at));
            }
        }
        let lapsed = later.entries();
        let mut lapsed: Vec<(Instant, i64)> =
            lapsed.iter().filter(|e| e.kind == EntryKind::Expiry).map(|e| (e.effective_at, e.points.get())).collect();
        lapsed.dedup_by(|next, sum| next.0 == sum.0 && { sum.1 += next.1; true });
        prop_assert_eq!(foretold, lapsed);
        prop_assert_eq!(ahead.fall.map(|fall| fall.at), fall);
    }

    /// A purchase decided without the lots that are not due changes what it does with all of them.
    #[test]
    fn purchases_need_no_lots_that_are_not_due(document in document(), steps in steps()) {
        let mut desk = Desk::new(document.clone());
        for step in &steps {
            let later = desk.now + Duration::minutes(step.0);
            let due = desk.standing().due_at().is_some_and(|due| due <= later);
            if let (Act::Buy(..), false, LotsOnChange::Keep) = (&step.1, due, document.tiers.lots_on_change) {
                let mut partial = fork(&desk);
                partial.member().lots.clear();
                partial.member().tier_changes.clone_from(&desk.state.members[&desk.member].tier_changes);
                act(&mut partial, step);
                let before = desk.standing().lots;
                let mut whole = fork(&desk);
                act(&mut whole, step);
                prop_assert_eq!(partial.standing(), whole.standing());
                prop_assert_eq!(&partial.effects, &whole.effects);
                prop_assert!(partial.standing().lots >= before);
            }
            act(&mut desk, step);
            let member = &desk.state.members[&desk.member];
            let open: i64 = member.lots.values().map(|lot| lot.remaining.get()).sum();
            prop_assert_eq!(open, member.standing.available.get() + member.standing.pending.get());
            for lot in member.lots.values().filter(|lot| lot.remaining.is_positive()) {
                let lapses = lot.lapses_at(document.time_zone, member.standing.active_at);
                prop_assert!(lapses.is_none_or(|at| at > desk.now));
                prop_assert!(lapses.is_none() || member.standing.due_at() <= lapses);
            }
        }
    }

    /// However late and often the job runs: one notice for each matter, instant and lead, the leads of
    /// one instant growing shorter, none too early and none too late.
    #[test]
    fn notices_come_once(document in document(), steps in steps(), looks in prop::collection::vec(1_i64..20 * 24 * 60, 1..40)) {
        let mut desk = Desk::new(document.clone());
        let mut given: Vec<(Instant, Notice)> = Vec::new();
        let looks = looks.into_iter().map(|wait| (wait, Act::Notify));
        for step in steps.into_iter().chain(looks) {
            let notices = act(&mut desk, &step);
            given.extend(notices.into_iter().map(|notice| (desk.now, notice)));
        }
        for (i, (at, notice)) in given.iter().enumerate() {
            prop_assert!(notice.due_at > *at);
            let ahead = document.time_zone.day_of(notice.due_at) - document.time_zone.day_of(*at);
            prop_assert!(ahead.num_days() <= i64::from(notice.lead_days));
            for (_, earlier) in &given[..i] {
                let same = earlier.matter.as_str() == notice.matter.as_str() && earlier.due_at == notice.due_at;
                prop_assert!(!same || earlier.lead_days > notice.lead_days, "{earlier:?} {notice:?}");
            }
        }
    }
}
