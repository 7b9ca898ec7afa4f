//! Random scenes: a programme in the test's own words and a member's steps through time.

use proptest::prelude::*;
use tessera_rules::Programme;
use tessera_rules::amount::{Multiplier, Rate};
use tessera_rules::expiry::Expiry;
use tessera_rules::perk::{OccasionKind, Perk, PerkGift, PerkWindow};
use tessera_rules::programme::{EarningRule, MoneyOff, Tiers};
use tessera_rules::promotion::{Combine, PromotionEffect};
use tessera_rules::reward::Reward;
use tessera_rules::tier::{Measure, Window};
use tessera_rules::time::{BirthDate, LeapDay, Period, Weekday};

use crate::support::{level, points, programme, promotion, zone};

/// Zones without a change of clocks in the years of the scenes, and their offset in minutes.
pub(crate) const ZONES: [(&str, i64); 4] =
    [("UTC", 0), ("Asia/Shanghai", 480), ("Asia/Kathmandu", 345), ("America/Bogota", -300)];
pub(crate) const TIERS: [&str; 3] = ["base", "silver", "gold"];
const WEEKDAYS: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

/// A promotion: its place in the list is its code, multipliers are in ten-thousandths.
#[derive(Debug, Clone)]
pub(crate) struct Promo {
    pub(crate) priority: i32,
    pub(crate) multiply: Option<i64>,
    pub(crate) add: i64,
    pub(crate) cap: Option<i64>,
    /// Position of the only tier it is for.
    pub(crate) tier: Option<usize>,
    /// The only weekday, Monday being 0.
    pub(crate) weekday: Option<usize>,
}

/// A birthday perk: points, or a multiplier in ten-thousandths.
#[derive(Debug, Clone)]
pub(crate) struct Gift {
    pub(crate) points: i64,
    pub(crate) multiplier: Option<i64>,
    pub(crate) before: i64,
    pub(crate) after: i64,
    pub(crate) needs_purchase: bool,
    pub(crate) born: (u32, u32),
    pub(crate) march: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) zone: usize,
    pub(crate) rate: (u32, u32),
    pub(crate) combine: Combine,
    pub(crate) carry: bool,
    pub(crate) cap: Option<i64>,
    pub(crate) day_cap: Option<i64>,
    /// Multiplier of the category `food` in ten-thousandths.
    pub(crate) food: i64,
    pub(crate) promos: Vec<Promo>,
    pub(crate) expiry: Option<(u32, Period)>,
    pub(crate) measure: Measure,
    pub(crate) window: Window,
    pub(crate) thresholds: [i64; 2],
    /// Earn multipliers of the tiers in ten-thousandths.
    pub(crate) earns: [i64; 3],
    pub(crate) gift: Gift,
    pub(crate) mug: (i64, u32),
}

/// What a line is: plain, of the category `food`, or excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Food,
    Wine,
}

#[derive(Debug, Clone)]
pub(crate) struct Receipt {
    pub(crate) lines: Vec<(i64, Kind)>,
    /// Paid by gift card, which earns nothing.
    pub(crate) gift_card: i64,
    /// Minutes between the till and the server; below 0: the till's clock runs ahead.
    pub(crate) late: Option<i64>,
}

#[derive(Debug, Clone)]
pub(crate) enum Action {
    Buy(Receipt),
    Spend(i64),
    Mug,
    Adjust(i64),
    Grant,
    Settle,
}

/// An action, and the minutes that pass before it.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) wait: i64,
    pub(crate) action: Action,
}

#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) rules: Rules,
    pub(crate) steps: Vec<Step>,
}

const DAY: i64 = 24 * 60;

fn multiplier() -> impl Strategy<Value = i64> {
    prop_oneof![Just(20_000), Just(15_000), Just(10_000), 10_000_i64..40_000]
}

fn promo() -> impl Strategy<Value = Promo> {
    let effect = prop_oneof![3 => multiplier().prop_map(Some), 1 => Just(None)];
    let scope = (prop::option::weighted(0.2, 0_usize..3), prop::option::weighted(0.2, 0_usize..7));
    (-1_i32..2, effect, 1_i64..30, prop::option::weighted(0.3, 1_i64..100), scope).prop_map(
        |(priority, multiply, add, cap, (tier, weekday))| Promo { priority, multiply, add, cap, tier, weekday },
    )
}

fn gift() -> impl Strategy<Value = Gift> {
    let born = prop_oneof![Just((2, 29)), Just((1, 2)), Just((12, 30)), (1_u32..13, 1_u32..29)];
    let size = (1_i64..60, prop::option::of(multiplier()), 0_i64..20, 0_i64..20);
    (size, any::<bool>(), born, any::<bool>()).prop_map(
        |((points, multiplier, before, after), needs_purchase, born, march)| Gift {
            points,
            multiplier,
            before,
            after,
            needs_purchase,
            born,
            march,
        },
    )
}

fn ladder() -> impl Strategy<Value = (Measure, Window, [i64; 2])> {
    let window = prop_oneof![
        3 => prop_oneof![1_u32..10, 10_u32..100].prop_map(|days| Window::Rolling { days }),
        2 => Just(Window::CalendarYear),
        1 => Just(Window::Anniversary),
        1 => Just(Window::Lifetime),
    ];
    let measure = prop_oneof![
        (1_i64..300, 1_i64..300).prop_map(|(a, b)| (Measure::Points, a, b)),
        (1_i64..30_000, 1_i64..30_000).prop_map(|(a, b)| (Measure::Spend, a, b)),
        (1_i64..4, 1_i64..4).prop_map(|(a, b)| (Measure::Visits, a, b)),
    ];
    (measure, window).prop_map(|((measure, silver, more), window)| (measure, window, [silver, silver + more]))
}

fn rules() -> impl Strategy<Value = Rules> {
    let combine = prop_oneof![Just(Combine::Best), Just(Combine::Add), Just(Combine::Multiply)];
    let rate = prop_oneof![Just((1, 100)), Just((1, 5_000)), Just((3, 70)), (1_u32..10, 1_u32..2_000)];
    let round = prop_oneof![Just(Period::Day), Just(Period::Month), Just(Period::Quarter), Just(Period::Year)];
    let caps = (prop::option::weighted(0.3, 1_i64..200), prop::option::weighted(0.3, 1_i64..200));
    let earning = (rate, combine, any::<bool>(), caps, prop_oneof![Just(20_000), 0_i64..40_000]);
    let expiry = prop::option::weighted(0.8, (1_u32..5, round));
    let earns = [Just(10_000).boxed(), multiplier().boxed(), multiplier().boxed()];
    let rest = (prop::collection::vec(promo(), 0..4), expiry, ladder(), earns, gift(), (1_i64..80, 1_u32..3));
    (0..ZONES.len(), earning, rest).prop_map(
        |(zone, (rate, combine, carry, (cap, day_cap), food), (promos, expiry, ladder, earns, gift, mug))| {
            let (measure, window, thresholds) = ladder;
            let start = (zone, rate, combine, carry, cap, day_cap, food);
            let (zone, rate, combine, carry, cap, day_cap, food) = start;
            #[rustfmt::skip]
            let rules = Rules {
                zone, rate, combine, carry, cap, day_cap, food, promos, expiry, measure, window, thresholds, earns, gift, mug,
            };
            rules
        },
    )
}

fn receipt() -> impl Strategy<Value = Receipt> {
    let kind = prop_oneof![3 => Just(Kind::Plain), 2 => Just(Kind::Food), 1 => Just(Kind::Wine)];
    let amount = prop_oneof![6 => 0_i64..20_000, 1 => -5_000_i64..0, 1 => 0_i64..10];
    let late = prop_oneof![
        4 => Just(None),
        2 => (0_i64..2 * DAY).prop_map(Some),
        2 => (0_i64..30 * DAY + 2).prop_map(Some),
        1 => (-6_i64..1).prop_map(Some),
    ];
    let gift_card = prop_oneof![3 => Just(0), 1 => 1_i64..8_000];
    (prop::collection::vec((amount, kind), 1..5), gift_card, late).prop_map(|(lines, gift_card, late)| Receipt {
        lines,
        gift_card,
        late,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let action = prop_oneof![
        8 => receipt().prop_map(Action::Buy),
        3 => (1_i64..150).prop_map(Action::Spend),
        1 => Just(Action::Mug),
        1 => (-100_i64..200).prop_map(Action::Adjust),
        2 => Just(Action::Grant),
        2 => Just(Action::Settle),
    ];
    let wait = prop_oneof![
        3 => Just(0),
        3 => 1_i64..DAY,
        4 => 0_i64..15 * DAY,
        1 => 0_i64..150 * DAY,
        // Onto a midnight of one zone or another.
        2 => (0_i64..40).prop_map(|days| -1 - days),
    ];
    (wait, action).prop_map(|(wait, action)| Step { wait, action })
}

/// Programmes with every way to combine, measure, window and expiry, and up to `most` steps.
pub(crate) fn scene(most: usize) -> impl Strategy<Value = Scene> {
    (rules(), prop::collection::vec(step(), 1..most)).prop_map(|(rules, steps)| Scene { rules, steps })
}

impl Rules {
    pub(crate) fn offset(&self) -> i64 {
        ZONES[self.zone].1
    }

    /// The programme document these rules are written down in.
    pub(crate) fn programme(&self) -> Programme {
        let mut document = programme();
        document.time_zone = zone(ZONES[self.zone].0);
        let earning = &mut document.earning;
        earning.rate = Rate { points: self.rate.0, per: self.rate.1 };
        earning.combine = self.combine;
        earning.carry_remainder = self.carry;
        earning.cap_per_purchase = self.cap.map(points);
        earning.cap_per_day = self.day_cap.map(points);
        earning.excluded_categories = vec!["wine".to_owned()];
        earning.excluded_tenders = vec!["gift_card".to_owned()];
        let multiplier = Multiplier::from_units(self.food);
        let category = Some("food".to_owned());
        earning.rules = vec![EarningRule { code: "food".to_owned(), category, sku: None, multiplier }];
        document.expiry = self.expiry.map_or(Expiry::Never, |(months, round)| Expiry::After { months, round });
        let rate = Rate { points: 1, per: 1 };
        document.redemption = Some(MoneyOff {
            rate,
            minimum: points(1),
            step: points(1),
            largest_share: Multiplier::ONE,
            hold_minutes: 15,
        });
        document.promotions = self.promos.iter().enumerate().rev().map(|(i, promo)| promo.document(i)).collect();
        document.tiers = self.tiers();
        document.rewards =
            vec![Reward { stock: Some(self.mug.1), ..Reward::goods("mug", "Mug".into(), points(self.mug.0)) }];
        document.perks = vec![self.gift.document()];
        document
    }

    fn tiers(&self) -> Tiers {
        let thresholds = [0, self.thresholds[0], self.thresholds[1]];
        let levels = (0..3).map(|i| {
            let mut tier = level(TIERS[i], thresholds[i], "1");
            tier.earn_multiplier = Multiplier::from_units(self.earns[i]);
            tier
        });
        Tiers { measure: self.measure, window: self.window, levels: levels.collect(), ..Tiers::default() }
    }
}

impl Promo {
    fn document(&self, i: usize) -> tessera_rules::promotion::Promotion {
        let effect = match self.multiply {
            Some(units) => PromotionEffect::Multiply { by: Multiplier::from_units(units) },
            None => PromotionEffect::Add { points: points(self.add) },
        };
        let mut document = promotion(&format!("p{i}"), self.priority, effect);
        document.cap_per_purchase = self.cap.map(points);
        document.tiers = self.tier.map(|tier| TIERS[tier].to_owned()).into_iter().collect();
        document.schedule.weekdays = self.weekday.map(|day| WEEKDAYS[day]).into_iter().collect();
        document
    }
}

impl Gift {
    fn document(&self) -> Perk {
        let grant = match self.multiplier {
            Some(units) => PerkGift::Multiplier { multiplier: Multiplier::from_units(units) },
            None => PerkGift::Points { points: points(self.points) },
        };
        let window = PerkWindow { tiers: Vec::new(), before_days: self.before as u32, after_days: self.after as u32 };
        Perk {
            code: "birthday".to_owned(),
            name: "Birthday".into(),
            occasion: OccasionKind::Birthday,
            grant,
            windows: vec![window],
            member_for_days: 0,
            needs_purchase: self.needs_purchase,
            leap_day: if self.march { LeapDay::March1 } else { LeapDay::February28 },
        }
    }

    pub(crate) fn birth_date(&self) -> BirthDate {
        BirthDate { year: None, month: self.born.0, day: self.born.1 }
    }
}
