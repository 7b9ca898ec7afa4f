//! A book of the model written down as a programme of the rulebook.

use tessera_rules::Programme;
use tessera_rules::amount::{Multiplier, Points, Rate};
use tessera_rules::entitlement::{Entitlement, EntitlementKind};
use tessera_rules::expiry::{self, Activity};
use tessera_rules::limit::Limits;
use tessera_rules::notice::Notices;
use tessera_rules::occasion::OccasionKind;
use tessera_rules::perk::{self, PerkGift, PerkWindow};
use tessera_rules::pool::Pools;
use tessera_rules::programme::{EarningRule, Shortfall, Tiers};
use tessera_rules::promotion::{self, PromotionEffect};
use tessera_rules::tier::{self, Fall, LotsOnChange, TierLevel};
use tessera_rules::time::{LeapDay, MonthDay, Period, Weekday, Zone};
use tessera_rules::transfer::Transfers;

use super::book::{Book, Combine, Expiry, Gift, Given, Ladder, Measure, Occasion, Promo, Validity, Window};
use super::calendar::Part;

pub(crate) const TIERS: [&str; 3] = ["base", "silver", "gold"];

pub(crate) fn points(value: i64) -> Points {
    Points::new(value).expect("points in range")
}

fn times(units: i64) -> Multiplier {
    Multiplier::from_units(units)
}

fn rate((points, per): (i64, i64)) -> Rate {
    Rate { points: points as u32, per: per as u32 }
}

fn expiry(rule: &Expiry) -> expiry::Expiry {
    let date = |&(month, day): &(u32, u32)| MonthDay { month, day };
    match rule {
        Expiry::Never => expiry::Expiry::Never,
        Expiry::Idle(months) => expiry::Expiry::Inactivity { months: *months },
        Expiry::OnDates(dates, at_least) => {
            expiry::Expiry::OnDate { dates: dates.iter().map(date).collect(), at_least_months: *at_least }
        }
        Expiry::After(months, part) => {
            let round = match part {
                Part::Day => Period::Day,
                Part::Month => Period::Month,
                Part::Quarter => Period::Quarter,
                Part::Year => Period::Year,
            };
            expiry::Expiry::After { months: *months, round }
        }
    }
}

/// Writes a book down. What it does not speak of stays as in `base`, whose first promotion, reward and
/// perk are changed to what the book says; `mug_code` is what the reward is called, and promotions after it.
pub(crate) fn programme(book: &Book, base: &Programme, mug_code: &str) -> Programme {
    let mut document = base.clone();
    document.time_zone = Zone(book.zone);
    let earning = &mut document.earning;
    earning.rate = rate(book.rate);
    earning.combine = match book.combine {
        Combine::Best => promotion::Combine::Best,
        Combine::Add => promotion::Combine::Add,
        Combine::Multiply => promotion::Combine::Multiply,
    };
    earning.carry_remainder = book.carry;
    earning.pending_days = book.pending_days as u32;
    (earning.cap_per_purchase, earning.cap_per_day) = (book.cap.map(points), book.day_cap.map(points));
    earning.excluded_categories = vec!["wine".to_owned()];
    earning.excluded_tenders = vec!["gift_card".to_owned()];
    if book.points_excluded {
        earning.excluded_tenders.push("points".to_owned());
    }
    let (code, category) = ("food".to_owned(), Some("food".to_owned()));
    earning.rules = vec![EarningRule { code, category, sku: None, multiplier: times(book.food) }];
    document.expiry = expiry(&book.expiry);
    let activities = [(book.activities.0, Activity::Earning), (book.activities.1, Activity::Redeeming)];
    document.activities = activities.into_iter().filter(|(counts, _)| *counts).map(|(_, activity)| activity).collect();
    document.returns.shortfall = if book.forgive { Shortfall::Forgive } else { Shortfall::Debt };
    document.returns.expired_return_grace_days = book.return_grace_days as u32;
    let offer = document.redemption.as_mut().expect("money off");
    (offer.rate, offer.minimum) = (rate(book.offer.rate), points(book.offer.minimum));
    (offer.step, offer.largest_share) = (points(book.offer.step), times(book.offer.share));
    offer.hold_minutes = book.offer.hold_minutes as u32;
    // Written down backwards: what order they stand in must not matter.
    let promos = book.promos.iter().enumerate().rev();
    document.promotions = promos.map(|(i, promo)| promoted(i, promo, &base.promotions[0], mug_code)).collect();
    let mut mug = base.rewards[0].clone();
    let (cost, stock, tier) = book.mug;
    (mug.code, mug.points, mug.stock) = (mug_code.to_owned(), points(cost), Some(stock as u32));
    mug.minimum_tier = (tier > 0).then(|| TIERS[tier].to_owned());
    document.rewards = vec![mug];
    let (minimum, daily_limit) = (points(book.transfers.0), points(book.transfers.1));
    document.transfers = Some(Transfers { minimum, daily_limit });
    document.pools = Some(Pools { members: book.pools.0 as u32, daily_limit: points(book.pools.1) });
    document.tiers = tiers(&book.ladder);
    let days = |leads: &[i64]| leads.iter().map(|&lead| lead as u32).collect();
    document.notices = Notices { expiry_days: days(&book.notices.0), tier_days: days(&book.notices.1) };
    document.perks = book.gifts.iter().map(|gift| perk(gift, &base.perks[0], mug_code)).collect();
    document
}

fn promoted(i: usize, promo: &Promo, base: &promotion::Promotion, trial: &str) -> promotion::Promotion {
    const WEEKDAYS: [Weekday; 7] = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];
    let mut document = base.clone();
    document.code = format!("p{i}-{trial}");
    document.priority = promo.priority;
    document.effect = match promo.multiply {
        Some(by) => PromotionEffect::Multiply { by: times(by) },
        None => PromotionEffect::Add { points: points(promo.add) },
    };
    document.cap_per_purchase = promo.cap.map(points);
    document.limits = Limits {
        budget_points: promo.budget.map(points),
        per_member: promo.per_member.map(|uses| uses as u32),
        ..Limits::default()
    };
    document.tiers = promo.tier.map(|tier| TIERS[tier].to_owned()).into_iter().collect();
    document.schedule.weekdays = promo.weekday.map(|day| WEEKDAYS[day]).into_iter().collect();
    document.expiry = promo.expiry.as_ref().map(expiry);
    document
}

fn perk(gift: &Gift, base: &perk::Perk, mug: &str) -> perk::Perk {
    let mut document = base.clone();
    document.code = gift.occasion.word().to_owned();
    document.occasion = match gift.occasion {
        Occasion::Birthday => OccasionKind::Birthday,
        Occasion::Welcome => OccasionKind::Welcome,
        Occasion::Anniversary => OccasionKind::Anniversary,
        Occasion::TierReached => OccasionKind::TierReached,
        Occasion::Lapse(days) => OccasionKind::Lapse { days: days as u32 },
    };
    document.grant = match gift.given {
        Given::Points(value) => PerkGift::Points { points: points(value) },
        Given::Multiple(by) => PerkGift::Multiplier { multiplier: times(by) },
        Given::Mug => PerkGift::Reward { reward: mug.to_owned() },
    };
    let tiers = gift.tier.map(|tier| TIERS[tier].to_owned()).into_iter().collect();
    document.windows = vec![PerkWindow { tiers, before_days: gift.before as u32, after_days: gift.after as u32 }];
    (document.needs_purchase, document.member_for_days) = (gift.needs_purchase, gift.member_for as u32);
    document.leap_day = if gift.march { LeapDay::March1 } else { LeapDay::February28 };
    document
}

fn tiers(ladder: &Ladder) -> Tiers {
    let levels = ladder.levels.iter().zip(TIERS).map(|(level, code)| {
        let entitlement = |(per_year, by): (u32, i64)| Entitlement {
            code: "double".to_owned(),
            name: "Double day".into(),
            per_year,
            kind: EntitlementKind::MultiplierDay { multiplier: times(by) },
        };
        TierLevel {
            code: code.to_owned(),
            threshold: level.threshold,
            earn_multiplier: times(level.earns),
            expiry: level.expiry.as_ref().map(expiry),
            keep_for_life: level.keep_for_life,
            entitlements: level.double_days.map(entitlement).into_iter().collect(),
            ..TierLevel::base()
        }
    });
    Tiers {
        measure: match ladder.measure {
            Measure::Points => tier::Measure::Points,
            Measure::Spend => tier::Measure::Spend,
            Measure::Visits => tier::Measure::Visits,
        },
        window: match ladder.window {
            Window::Rolling(days) => tier::Window::Rolling { days: days as u32 },
            Window::CalendarYear => tier::Window::CalendarYear,
            Window::Anniversary => tier::Window::Anniversary,
            Window::Lifetime => tier::Window::Lifetime,
        },
        validity: match ladder.validity {
            Validity::Measured => tier::Validity::Measured,
            Validity::EndOfNextYear => tier::Validity::EndOfNextYear,
            Validity::Months(months) => tier::Validity::Months { months },
        },
        fall: if ladder.one_step { Fall::OneStep } else { Fall::Requalify },
        grace_days: ladder.grace_days as u32,
        lots_on_change: if ladder.lots_take { LotsOnChange::Take } else { LotsOnChange::Keep },
        levels: levels.collect(),
    }
}
