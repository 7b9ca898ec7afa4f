//! The programme document: every bound is checked, and each problem names its place.

use tessera_rules::Programme;
use tessera_rules::amount::{MAX_MAGNITUDE, Minor, Points, Quantity, Rate};
use tessera_rules::coupon::{CouponType, Stacking};
use tessera_rules::discount::{Off, Step};
use tessera_rules::entitlement::{Entitlement, EntitlementKind};
use tessera_rules::expiry::Expiry;
use tessera_rules::occasion::tier_number;
use tessera_rules::perk::{OccasionKind, Perk, PerkGift, PerkWindow};
use tessera_rules::programme::{EarningRule, MoneyOff, is_code};
use tessera_rules::promotion::PromotionEffect;
use tessera_rules::reward::{MemberLimit, Reward, TierPrice};
use tessera_rules::tier::{Validity, Window};
use tessera_rules::time::{LeapDay, MonthDay, Period};

use crate::shop::{from_toml, minor};
use crate::support::{after, day, level, points, programme, promotion, times};

type Break = fn(&mut Programme);

fn whole() -> Programme {
    let mut programme = programme();
    let double = PromotionEffect::Multiply { by: times("2") };
    programme.promotions = vec![promotion("double", 0, double.clone()), promotion("extra", 0, double)];
    programme.promotions[1].effect = PromotionEffect::Add { points: points(5) };
    programme.tiers.levels = vec![level("base", 0, "1"), level("gold", 100, "1")];
    programme.tiers.window = Window::Rolling { days: 365 };
    let entitlement = |code: &str| Entitlement {
        code: code.to_owned(),
        name: code.into(),
        per_year: 2,
        kind: EntitlementKind::Counted,
    };
    programme.tiers.levels[1].entitlements = vec![entitlement("delivery"), entitlement("double-day")];
    programme.expiry = after(12, Period::Day);
    let rate = Rate { points: 1, per: 1 };
    programme.redemption =
        Some(MoneyOff { rate, minimum: points(1), step: points(1), largest_share: times("1"), hold_minutes: 15 });
    programme.earning.rules = vec![EarningRule {
        code: "food".to_owned(),
        category: Some("food".to_owned()),
        sku: None,
        multiplier: times("2"),
    }];
    programme.rewards = vec![Reward::goods("mug", "Mug".into(), points(40))];
    programme.perks = vec![Perk {
        code: "cake".to_owned(),
        name: "Cake".into(),
        occasion: OccasionKind::Birthday,
        grant: PerkGift::Points { points: points(5) },
        windows: vec![PerkWindow { tiers: Vec::new(), before_days: 180, after_days: 180 }],
        member_for_days: 0,
        needs_purchase: false,
        leap_day: LeapDay::March1,
    }];
    programme
}

/// The same with coupons of every kind, and member prices.
fn shop() -> Programme {
    let mut programme = whole();
    programme.coupons = from_toml::<Offers>(OFFERS).coupons;
    programme.prices = from_toml(PRICES);
    programme
}

#[derive(serde::Deserialize)]
struct Offers {
    coupons: Vec<CouponType>,
}

const OFFERS: &str = r#"
[[coupons]]
code = "steps"
name = "Steps"
stacking = { group = "basket" }
discount = { off = { kind = "steps", steps = [{ spend = 100, amount = 10 }, { spend = 200, amount = 30 }] } }

[[coupons]]
code = "percent"
name = "Percent"
discount = { off = { kind = "percent", percent = "10" } }

[[coupons]]
code = "amount"
name = "Amount"
discount = { off = { kind = "amount", amount = 10 } }

[[coupons]]
code = "item"
name = "Item"
discount = { off = { kind = "item_free" } }

[[coupons]]
code = "buy"
name = "Buy"
discount = { off = { kind = "buy_get", buy = 2, get = 1 } }

[[coupons]]
code = "nth"
name = "Nth"
discount = { off = { kind = "every_nth" } }
"#;

const PRICES: &str = r#"
member = [{ code = "mug", sku = "mug", price = 900, minimum_tier = "gold", most = 2 }]
early_access = [{ code = "first", skus = ["mug"], minimum_tier = "gold", until = "2025-02-01" }]
"#;

const BREAKS: [(Break, &str); 42] = [
    (|p| p.earning.rate.points = 0, "/earning/rate out_of_range"),
    (|p| p.earning.rate.per = 1_000_000_001, "/earning/rate out_of_range"),
    (|p| p.earning.rules[0].code = "Food".into(), "/earning/rules/0/code code_invalid"),
    (|p| p.earning.rules[0].sku = Some("S1".into()), "/earning/rules/0 one_of_category_or_sku"),
    (|p| p.earning.rules[0].category = None, "/earning/rules/0 one_of_category_or_sku"),
    (|p| p.earning.rules[0].multiplier = times("-1"), "/earning/rules/0/multiplier out_of_range"),
    (|p| p.earning.cap_per_purchase = Some(Points::ZERO), "/earning/cap_per_purchase too_small"),
    (|p| p.earning.cap_per_day = Some(points(-1)), "/earning/cap_per_day too_small"),
    (|p| p.earning.pending_days = 91, "/earning/pending_days out_of_range"),
    (|p| p.returns.expired_return_grace_days = 3_661, "/returns/expired_return_grace_days out_of_range"),
    (|p| p.tiers.levels.clear(), "/tiers/levels empty"),
    (|p| p.tiers.levels[0].threshold = 1, "/tiers/levels/0/threshold not_zero"),
    (|p| p.tiers.levels[1].threshold = 0, "/tiers/levels/1/threshold not_ascending"),
    (|p| p.tiers.levels[1].threshold = MAX_MAGNITUDE + 1, "/tiers/levels/1/threshold out_of_range"),
    (|p| p.tiers.levels[1].code = "base".into(), "/tiers/levels/1/code code_taken"),
    (|p| p.tiers.levels[1].earn_multiplier = times("1000.0001"), "/tiers/levels/1/earn_multiplier out_of_range"),
    (|p| p.tiers.window = Window::Rolling { days: 0 }, "/tiers/window/days out_of_range"),
    (|p| p.tiers.window = Window::Rolling { days: 3_661 }, "/tiers/window/days out_of_range"),
    (|p| p.expiry = after(0, Period::Day), "/expiry/months out_of_range"),
    (|p| p.expiry = after(241, Period::Day), "/expiry/months out_of_range"),
    (|p| off(p).rate.points = 0, "/redemption/rate out_of_range"),
    (|p| off(p).minimum = Points::ZERO, "/redemption/minimum too_small"),
    (|p| off(p).step = Points::ZERO, "/redemption/step too_small"),
    (|p| off(p).largest_share = times("1.0001"), "/redemption/largest_share out_of_range"),
    (|p| off(p).hold_minutes = 0, "/redemption/hold_minutes out_of_range"),
    (|p| off(p).hold_minutes = 43_201, "/redemption/hold_minutes out_of_range"),
    (
        |p| p.promotions[0].effect = PromotionEffect::Multiply { by: times("0.9") },
        "/promotions/0/effect/by out_of_range",
    ),
    (
        |p| p.promotions[1].effect = PromotionEffect::Add { points: Points::ZERO },
        "/promotions/1/effect/points too_small",
    ),
    (|p| p.promotions[0].cap_per_purchase = Some(Points::ZERO), "/promotions/0/cap_per_purchase too_small"),
    (|p| p.promotions[1].tiers = vec!["iron".into()], "/promotions/1/tiers/0 unknown_tier"),
    (|p| p.promotions[1].code = "double".into(), "/promotions/1/code code_taken"),
    (|p| p.rewards[0].points = Points::ZERO, "/rewards/0/points too_small"),
    (|p| p.rewards[0].minimum_tier = Some("iron".into()), "/rewards/0/minimum_tier unknown_tier"),
    (|p| price(p, "iron", 1), "/rewards/0/points_by_tier/0/tier unknown_tier"),
    (|p| price(p, "base", -1), "/rewards/0/points_by_tier/0/points too_small"),
    (
        |p| {
            price(p, "base", 1);
            price(p, "base", 2);
        },
        "/rewards/0/points_by_tier/1/tier tier_twice",
    ),
    (|p| p.rewards[0].per_member = Some(MemberLimit { most: 0, per: None }), "/rewards/0/per_member/most too_small"),
    (|p| p.rewards[0].pictures = vec!["https://a.example/".into(); 9], "/rewards/0/pictures too_many"),
    (|p| p.perks[0].windows.clear(), "/perks/0/windows empty"),
    (|p| p.perks[0].windows[0].before_days = 181, "/perks/0/windows/0 out_of_range"),
    (|p| p.perks[0].windows[0].tiers = vec!["iron".into()], "/perks/0/windows/0/tiers/0 unknown_tier"),
    (
        |p| p.perks[0].grant = PerkGift::Multiplier { multiplier: times("0.5") },
        "/perks/0/grant/multiplier out_of_range",
    ),
];

/// What perks are for and what they give.
const PERK_BREAKS: [(Break, &str); 7] = [
    (|p| p.perks[0].grant = PerkGift::Reward { reward: "moon".into() }, "/perks/0/grant/reward unknown_reward"),
    (|p| p.perks[0].occasion = OccasionKind::Welcome, "/perks/0/windows/0/before_days not_foreseen"),
    (|p| p.perks[0].occasion = OccasionKind::TierReached, "/perks/0/windows/0/before_days not_foreseen"),
    (|p| lapse(p, 60, 1), "/perks/0/windows/0/before_days not_foreseen"),
    (|p| lapse(p, 0, 0), "/perks/0/occasion/lapse/days out_of_range"),
    (|p| lapse(p, 3_651, 0), "/perks/0/occasion/lapse/days out_of_range"),
    (
        |p| {
            p.perks[0].occasion = OccasionKind::TierReached;
            p.perks[0].windows[0].before_days = 0;
            let (one, other) = alike();
            (p.tiers.levels[0].code, p.tiers.levels[1].code) = (one, other);
        },
        "/perks/0/occasion tiers_alike",
    ),
];

fn lapse(programme: &mut Programme, days: u32, before_days: u32) {
    programme.perks[0].occasion = OccasionKind::Lapse { days };
    programme.perks[0].windows[0].before_days = before_days;
}

/// Two codes with one number: there are two thousand million numbers, so that some fifty thousand codes
/// are enough to look among.
fn alike() -> (String, String) {
    let mut seen = std::collections::HashMap::new();
    let codes = (0..1_000_000).map(|i| format!("t{i}"));
    let mut pairs = codes.filter_map(|code| seen.insert(tier_number(&code), code.clone()).map(|other| (other, code)));
    pairs.next().expect("two codes with one number")
}

/// What the clock goes by.
const CLOCK_BREAKS: [(Break, &str); 16] = [
    (|p| p.expiry = Expiry::Inactivity { months: 0 }, "/expiry/months out_of_range"),
    (|p| p.expiry = Expiry::OnDate { dates: Vec::new(), at_least_months: 0 }, "/expiry/dates empty"),
    (
        |p| p.expiry = Expiry::OnDate { dates: vec![MonthDay { month: 3, day: 31 }], at_least_months: 121 },
        "/expiry/at_least_months out_of_range",
    ),
    (|p| p.tiers.levels[1].expiry = Some(after(0, Period::Day)), "/tiers/levels/1/expiry/months out_of_range"),
    (|p| p.promotions[0].expiry = Some(Expiry::Never), "/promotions/0/expiry not_told_apart"),
    (|p| p.promotions[1].expiry = Some(Expiry::Inactivity { months: 1 }), "/promotions/1/expiry not_told_apart"),
    (|p| p.tiers.validity = Validity::Months { months: 0 }, "/tiers/validity/months out_of_range"),
    (|p| p.tiers.validity = Validity::Months { months: 241 }, "/tiers/validity/months out_of_range"),
    (|p| p.tiers.grace_days = 30, "/tiers/grace_days no_validity"),
    (|p| (p.tiers.grace_days, p.tiers.validity) = (367, Validity::EndOfNextYear), "/tiers/grace_days out_of_range"),
    (|p| p.notices.expiry_days = vec![30, 0], "/notices/expiry_days/1 out_of_range"),
    (|p| p.notices.tier_days = vec![367], "/notices/tier_days/0 out_of_range"),
    (|p| entitlements(p)[0].per_year = 0, "/tiers/levels/1/entitlements/0/per_year out_of_range"),
    (|p| entitlements(p)[0].code = "Two".into(), "/tiers/levels/1/entitlements/0/code code_invalid"),
    (|p| entitlements(p)[1].code = "delivery".into(), "/tiers/levels/1/entitlements/1/code code_taken"),
    (
        |p| entitlements(p)[1].kind = EntitlementKind::MultiplierDay { multiplier: times("0.5") },
        "/tiers/levels/1/entitlements/1/kind/multiplier out_of_range",
    ),
];

/// What coupons take off, and member prices.
const PRICE_BREAKS: [(Break, &str); 28] = [
    (|p| p.coupons[1].code = "steps".into(), "/coupons/1/code code_taken"),
    (|p| steps(p).clear(), "/coupons/0/discount/off/steps empty"),
    (|p| steps(p)[0].amount = Minor::ZERO, "/coupons/0/discount/off/steps/0/amount not_ascending"),
    (|p| steps(p)[1].spend = minor(100), "/coupons/0/discount/off/steps/1/spend not_ascending"),
    (|p| steps(p)[1].amount = minor(10), "/coupons/0/discount/off/steps/1/amount not_ascending"),
    (|p| steps(p)[1].amount = minor(201), "/coupons/0/discount/off/steps/1/amount more_than_spend"),
    (
        |p| {
            off_of(p, r#"kind = "steps", every = true, steps = [{ spend = 1, amount = 1 }, { spend = 2, amount = 2 }]"#)
        },
        "/coupons/0/discount/off/every one_step",
    ),
    (|p| off_of(p, r#"kind = "percent", percent = "0""#), "/coupons/0/discount/off/percent out_of_range"),
    (|p| off_of(p, r#"kind = "percent", percent = "100.0001""#), "/coupons/0/discount/off/percent out_of_range"),
    (|p| off_of(p, r#"kind = "amount", amount = 0"#), "/coupons/0/discount/off/amount too_small"),
    (|p| off_of(p, r#"kind = "item_free", units = 0"#), "/coupons/0/discount/off/units out_of_range"),
    (|p| off_of(p, r#"kind = "buy_get", buy = 0, get = 1"#), "/coupons/0/discount/off/buy out_of_range"),
    (|p| off_of(p, r#"kind = "buy_get", buy = 1, get = 1001"#), "/coupons/0/discount/off/get out_of_range"),
    (|p| off_of(p, r#"kind = "every_nth", nth = 1"#), "/coupons/0/discount/off/nth out_of_range"),
    (|p| off_of(p, r#"kind = "every_nth", percent = "-1""#), "/coupons/0/discount/off/percent out_of_range"),
    (|p| p.coupons[0].discount.minimum_spend = Some(Minor::ZERO), "/coupons/0/discount/minimum_spend too_small"),
    (|p| p.coupons[0].discount.cap = Some(Minor::ZERO), "/coupons/0/discount/cap too_small"),
    (|p| p.coupons[0].valid_days = Some(3_661), "/coupons/0/valid_days out_of_range"),
    (|p| p.coupons[0].uses = 0, "/coupons/0/uses out_of_range"),
    (|p| p.coupons[0].minimum_tier = Some("iron".into()), "/coupons/0/minimum_tier unknown_tier"),
    (|p| p.coupons[0].stacking = Stacking::Group("A b".into()), "/coupons/0/stacking/group code_invalid"),
    (|p| p.prices.member[0].code = "Mug".into(), "/prices/member/0/code code_invalid"),
    (|p| p.prices.member[0].price = minor(-1), "/prices/member/0/price too_small"),
    (|p| p.prices.member[0].sku.clear(), "/prices/member/0/sku empty"),
    (|p| p.prices.member[0].minimum_tier = Some("iron".into()), "/prices/member/0/minimum_tier unknown_tier"),
    (|p| p.prices.member[0].most = Some(Quantity::from_units(0)), "/prices/member/0/most too_small"),
    (|p| p.prices.early_access[0].skus.clear(), "/prices/early_access/0/skus empty"),
    (
        |p| p.prices.early_access[0].minimum_tier = Some("iron".into()),
        "/prices/early_access/0/minimum_tier unknown_tier",
    ),
];

fn steps(programme: &mut Programme) -> &mut Vec<Step> {
    match &mut programme.coupons[0].discount.off {
        Off::Steps { steps, .. } => steps,
        other => panic!("steps, not {other:?}"),
    }
}

fn off_of(programme: &mut Programme, text: &str) {
    programme.coupons[0].discount = from_toml(&format!("off = {{ {text} }}"));
}

fn entitlements(programme: &mut Programme) -> &mut Vec<Entitlement> {
    &mut programme.tiers.levels[1].entitlements
}

fn price(programme: &mut Programme, tier: &str, value: i64) {
    programme.rewards[0].points_by_tier.push(TierPrice { tier: tier.to_owned(), points: points(value) });
}

fn off(programme: &mut Programme) -> &mut MoneyOff {
    programme.redemption.as_mut().expect("offered")
}

fn found(programme: &Programme) -> Vec<String> {
    programme.problems().iter().map(|problem| format!("{} {}", problem.pointer, problem.code)).collect()
}

#[test]
fn each_bound_is_checked() {
    assert_eq!(found(&whole()), Vec::<String>::new());
    assert_eq!(found(&shop()), Vec::<String>::new());
    let breaks = BREAKS.iter().chain(&PERK_BREAKS).chain(&CLOCK_BREAKS).map(|one| (whole(), one));
    for (mut programme, (break_it, expected)) in breaks.chain(PRICE_BREAKS.iter().map(|one| (shop(), one))) {
        break_it(&mut programme);
        assert_eq!(found(&programme), [*expected]);
    }
}

#[test]
fn days_come_in_order() {
    let mut programme = shop();
    programme.promotions[0].schedule.from = Some(day("2025-02-02"));
    programme.promotions[0].schedule.to = Some(day("2025-02-01"));
    programme.rewards[0].from = Some(day("2025-02-02"));
    programme.rewards[0].to = Some(day("2025-02-01"));
    (programme.coupons[0].from, programme.coupons[0].to) = (Some(day("2025-02-02")), Some(day("2025-02-01")));
    let price = &mut programme.prices.member[0];
    (price.from, price.to) = (Some(day("2025-02-02")), Some(day("2025-02-01")));
    let pointers = ["/promotions/0/schedule/to", "/rewards/0/to", "/coupons/0/to", "/prices/member/0/to"];
    assert_eq!(found(&programme), pointers.map(|pointer| format!("{pointer} before_from")));
}

#[test]
fn codes_are_plain() {
    let long = "a".repeat(64);
    assert!(is_code("a") && is_code("gold-2_x") && is_code(&long));
    for text in ["", "A", "a b", "ä", "a:b", &format!("{long}a")] {
        assert!(!is_code(text), "{text}");
    }
}
