//! What a member could use, told as he is shown it; and that it is what a purchase or a redemption then says.

use proptest::prelude::*;
use tessera_rules::command::Redeemed;
use tessera_rules::coupon::Coupon;
use tessera_rules::id::MemberId;
use tessera_rules::life::PromotionState;
use tessera_rules::offer::{Audience, Bar, Counted, Fit, Offer, Progress, offers};
use tessera_rules::promotion::{Miss, Promotion, PromotionEffect};
use tessera_rules::referral::Referral;
use tessera_rules::{Programme, Refusal};
use uuid::Uuid;

use crate::cases::cases;
use crate::shop::from_toml;
use crate::support::{Desk, at};

const CLUB: &str = r#"
name = "Club"
currency = "CNY"
time_zone = "Asia/Shanghai"
earning = { rate = { points = 1, per = 100 }, combine = "add" }
wallet = {}
events = [{ code = "review", name = "Review" }]

[tiers]
measure = "spend"
window = { kind = "lifetime" }
levels = [
    { code = "base", name = "Base", threshold = 0 },
    { code = "gold", name = "Gold", threshold = 100000 },
    { code = "jade", name = "Jade", threshold = 500000 },
]

[[segments]]
code = "quiet"
name = "Quiet"
when = "member.purchases >= 50"

[[segments]]
code = "regulars"
name = "Regulars"
when = "member.purchases >= 5"
visible = true

[[coupons]]
code = "ten"
name = "Ten off"
discount = { off = { kind = "amount", amount = 1000 }, minimum_spend = 5000 }
uses = 3

[[coupons]]
code = "top"
name = "For gold"
discount = { off = { kind = "percent", percent = "10" } }
minimum_tier = "gold"

[[rewards]]
code = "tea"
name = "Tea"
points = 20

[[rewards]]
code = "mug"
name = "Mug"
points = 90
per_member = { most = 1 }

[[rewards]]
code = "coat"
name = "Coat"
points = 5000

[[rewards]]
code = "cake"
name = "Cake"
points = 1
minimum_tier = "gold"

[[rewards]]
code = "last"
name = "None left"
points = 1
stock = 0

[[rewards]]
code = "later"
name = "Later"
points = 1
from = "2025-03-10"

[[prices.member]]
code = "latte"
sku = "LATTE"
price = 2700

[[prices.member]]
code = "latte-gold"
sku = "LATTE"
price = 2400
minimum_tier = "gold"

[[prices.early_access]]
code = "drop"
skus = ["CUP"]
minimum_tier = "gold"
until = "2025-03-20"

[[promotions]]
code = "tenth"
name = "Every third"
nth_purchase = { every = 3 }
effect = { kind = "add", points = 50 }

[[promotions]]
code = "first"
name = "First"
first_purchase = true
effect = { kind = "multiply", by = "2" }

[[promotions]]
code = "happy"
name = "Happy hour"
schedule = { weekdays = ["tuesday", "thursday"], hours = [{ from = "14:00", to = "17:00" }] }
categories = ["coffee"]
effect = { kind = "multiply", by = "2" }

[[promotions]]
code = "next-week"
name = "Next week"
schedule = { from = "2025-03-09", to = "2025-03-11" }
effect = { kind = "add", points = 1 }

[[promotions]]
code = "next-month"
name = "Next month"
schedule = { from = "2025-04-01" }
effect = { kind = "add", points = 1 }

[[promotions]]
code = "daily"
name = "Daily"
limits = { per_member = 4, per_member_per_day = 1, total = 100 }
effect = { kind = "add", points = 1 }

[[promotions]]
code = "back"
name = "Cashback"
effect = { kind = "cashback", percent = "5", cap_per_month = 300 }
limits = { budget_money = 1000 }

[[promotions]]
code = "golden"
name = "For gold"
tiers = ["gold", "jade"]
effect = { kind = "multiply", by = "3" }

[[promotions]]
code = "quiet"
name = "For the quiet"
segments = ["quiet"]
effect = { kind = "add", points = 1 }

[[promotions]]
code = "regulars"
name = "For regulars"
segments = ["regulars"]
effect = { kind = "add", points = 1 }

[[promotions]]
code = "tagged"
name = "For those with a tag"
tags = ["vip"]
effect = { kind = "add", points = 1 }

[[promotions]]
code = "by-condition"
name = "By condition"
when = "member.window_spend >= 10000 && member.purchases > 1"
effect = { kind = "add", points = 1 }

[[promotions]]
code = "by-basket"
name = "By basket"
when = "lines.exists(l, l.amount > 5000)"
stores = ["s1"]
channels = ["web"]
minimum_spend = 6000
effect = { kind = "add", points = 1 }

[[promotions]]
code = "surprise"
name = "Surprise"
unlisted = true
effect = { kind = "add", points = 1 }

[[promotions]]
code = "paused"
name = "Paused"
state = "paused"
effect = { kind = "add", points = 1 }

[[promotions]]
code = "reviews"
name = "Reviews"
trigger = { kind = "event", event = "review" }
effect = { kind = "add", points = 5 }
limits = { per_member = 3 }

[[promotions]]
code = "to-gold"
name = "Up"
trigger = { kind = "tier_change", direction = "up", to = "gold" }
effect = { kind = "add", points = 5 }

[[promotions]]
code = "come-back"
name = "Come back"
trigger = { kind = "lapse", days = 60 }
effect = { kind = "coupon", coupon = "ten" }

[[promotions]]
code = "cake-day"
name = "Birthday"
trigger = { kind = "birthday", before_days = 1, after_days = 1 }
effect = { kind = "add", points = 5 }

[[promotions]]
code = "silent"
name = "Tags him"
effect = { kind = "tag", tag = "seen" }
"#;

/// A member of the club on a Wednesday at noon, with three coupons, born on 9 March.
fn desk() -> Desk {
    let mut desk = Desk::new(from_toml::<Programme>(CLUB));
    desk.now = at("2025-03-05T04:00:00Z");
    desk.member().birth_date = Some("--03-09".parse().expect("a birth date"));
    for (code, of, from) in [("A", "ten", "2025-03-01"), ("B", "top", "2025-03-01"), ("C", "ten", "2025-03-08")] {
        let coupon = Coupon {
            code: code.to_owned(),
            of: of.to_owned(),
            owner: Some(desk.member),
            from: at(&format!("{from}T00:00:00Z")),
            until: Some(at("2025-04-01T00:00:00Z")),
            uses: if of == "ten" { 3 } else { 1 },
            used: u32::from(code == "A"),
            revoked: false,
        };
        desk.state.shared.coupons.insert(code.to_owned(), coupon);
    }
    desk
}

impl Desk {
    fn offers(&self, audience: Audience<'_>) -> Vec<Offer> {
        offers(&self.programme, &self.state, self.member, audience, &self.context()).expect("offers are told")
    }

    /// The offers as `code: fit | progress`.
    fn told(&self) -> Vec<String> {
        self.offers(Audience::Member).iter().map(told).collect()
    }

    fn find(&self, code: &str) -> Option<Offer> {
        self.offers(Audience::Member).into_iter().find(|offer| offer.code == code)
    }
}

fn told(offer: &Offer) -> String {
    let fit = match &offer.fit {
        Fit::Now => "now".to_owned(),
        Fit::Depends(needs) => format!("{needs:?}"),
        Fit::No(Bar::Missed(miss)) => format!("no, {miss:?}"),
        Fit::No(Bar::NotYet { from }) => format!("from {}", from.format("%d %H:%M")),
        Fit::No(Bar::TierTooLow { tier }) => format!("no, {tier}"),
        Fit::No(Bar::Points { missing }) => format!("no, {missing} points"),
        Fit::No(bar) => format!("no, {bar:?}"),
    };
    let count = |count: &Progress| match count.target {
        Some(target) => format!(" | {:?} {}/{target}", count.of, count.done),
        None => format!(" | {:?} {}", count.of, count.done),
    };
    let until = offer.until.map_or_else(String::new, |until| format!(" < {}", until.format("%m-%d %H:%M")));
    let progress: String = offer.progress.iter().map(count).collect();
    format!("{}: {fit}{until}{progress}", offer.code)
}

#[test]
fn a_newcomer_is_shown_what_he_can_use_and_what_is_missing() {
    let desk = desk();
    let expected = [
        "back: now | CashbackOfMonth 0/300",
        "daily: now | Uses 0/4 | UsesOfDay 0/1 | UsesOfAll 0/100",
        "first: now",
        // What hangs on the basket, or on something that may happen.
        "A: [MinimumSpend] < 04-01 00:00 | Uses 1/3",
        "by-basket: [MinimumSpend, Store, Channel, Condition]",
        "reviews: [Event] | Uses 0/3",
        "to-gold: [TierChange] | TierSpend 0/100000",
        "latte: [Goods]",
        // What does not apply, the one that ends first before the others.
        "happy: from 06 06:00 < 03-06 09:00",
        "cake-day: from 07 16:00 < 03-10 16:00",
        "next-week: from 08 16:00 < 03-11 16:00",
        "drop: no, gold < 03-20 16:00",
        "B: no, gold < 04-01 00:00",
        "C: from 08 00:00 < 04-01 00:00 | Uses 0/3",
        "by-condition: no, Condition",
        "golden: no, gold",
        "regulars: no, Segment",
        "tenth: no, NthPurchase | Purchases 0/3",
        "cake: no, gold | Points 0/1",
        "last: no, OutOfStock | Points 0/1",
        "later: from 09 16:00 | Points 0/1",
        "tea: no, 20 points | Points 0/20",
        "latte-gold: no, gold",
        "gold: no, gold | TierSpend 0/100000",
    ];
    assert_eq!(desk.told(), expected);
}

#[test]
fn tills_are_shown_what_is_for_others_too() {
    let desk = desk();
    let at_till = |store| desk.offers(Audience::Till(store)).iter().map(told).collect::<Vec<_>>();
    let (here, there, nowhere) = (at_till(Some("s1")), at_till(Some("s2")), at_till(None));
    for all in [&here, &there, &nowhere] {
        for line in ["quiet: no, Segment", "tagged: no, Tag", "surprise: now"] {
            assert!(all.iter().any(|told| told == line), "{line}: {all:#?}");
        }
    }
    let of_basket = |all: &[String]| all.iter().find(|told| told.starts_with("by-basket")).cloned();
    assert_eq!(of_basket(&here).as_deref(), Some("by-basket: [MinimumSpend, Channel, Condition]"));
    assert_eq!(of_basket(&there).as_deref(), Some("by-basket: no, Store"));
    assert_eq!(of_basket(&nowhere).as_deref(), Some("by-basket: [MinimumSpend, Store, Channel, Condition]"));
}

#[test]
fn who_may_bring_others_and_who_was_brought_is_told_so() {
    let club = format!(
        "referral = {{ minimum_spend = 5000, within_days = 30 }}\n{CLUB}{}",
        r#"
        [[promotions]]
        code = "thanks"
        name = "Thanks"
        trigger = { kind = "referral", for = "referrer" }
        effect = { kind = "add", points = 200 }
        limits = { per_member = 2 }

        [[promotions]]
        code = "hello"
        name = "Hello"
        trigger = { kind = "referral", for = "referred" }
        effect = { kind = "add", points = 30 }
        "#
    );
    let mut desk = Desk::new(from_toml::<Programme>(&club));
    let line = |desk: &Desk, code: &str| desk.find(code).map(|offer| told(&offer));
    // Enrolled on 1 January in Shanghai: 31 January is the last day.
    desk.now = at("2025-01-31T15:59:59Z");
    assert_eq!(line(&desk, "thanks").as_deref(), Some("thanks: [Referral] | Uses 0/2"));
    assert_eq!(line(&desk, "hello"), None, "nobody brought him");
    let referrer = MemberId::new(Uuid::from_u128(8));
    desk.member().referral = Some(Referral { referrer, completed: false });
    assert_eq!(line(&desk, "hello").as_deref(), Some("hello: [Referral] < 01-31 16:00"));
    desk.now = at("2025-01-31T16:00:00Z");
    assert_eq!(line(&desk, "hello"), None, "it is too late");
    desk.now = at("2025-01-05T00:00:00Z");
    desk.member().referral = Some(Referral { referrer, completed: true });
    assert_eq!(line(&desk, "hello"), None, "he has had it");
}

#[test]
fn what_he_does_is_counted() {
    let mut desk = desk();
    let line = |desk: &Desk, code: &str| desk.find(code).map(|offer| told(&offer)).unwrap_or_default();
    desk.buy(4_000);
    assert_eq!(line(&desk, "first"), "first: no, FirstPurchase");
    assert_eq!(line(&desk, "daily"), "daily: no, DayLimit | Uses 1/4 | UsesOfDay 1/1 | UsesOfAll 1/100");
    assert_eq!(line(&desk, "back"), "back: now | CashbackOfMonth 200/300");
    assert_eq!(line(&desk, "tenth"), "tenth: no, NthPurchase | Purchases 1/3");
    assert_eq!(line(&desk, "come-back"), "come-back: [Absence] | DaysAway 0/60");
    // 82 points: twice that is within reach, and the cheapest of what costs more.
    assert_eq!(line(&desk, "tea"), "tea: now | Points 20/20");
    assert_eq!(line(&desk, "mug"), "mug: no, 8 points | Points 82/90 | Uses 0/1");
    assert_eq!(line(&desk, "coat"), "");
    desk.now = at("2025-03-06T07:00:00Z");
    desk.buy(8_000);
    assert_eq!(line(&desk, "back"), "back: no, MonthLimit | CashbackOfMonth 300/300");
    assert_eq!(line(&desk, "tenth"), "tenth: now | Purchases 2/3");
    assert_eq!(line(&desk, "by-condition"), "by-condition: now");
    assert_eq!(line(&desk, "happy"), "happy: [Goods] < 03-06 09:00");
    desk.redeem(Redeemed::Reward("mug".to_owned()), None).expect("there are points enough");
    assert_eq!(line(&desk, "mug"), "mug: no, MemberLimit | Points 74/90 | Uses 1/1");
    desk.now = at("2025-04-07T04:00:00Z");
    desk.buy(88_000);
    assert_eq!(line(&desk, "golden"), "golden: now");
    assert_eq!(line(&desk, "to-gold"), "", "it has happened");
    assert_eq!(line(&desk, "jade"), "jade: no, jade | TierSpend 100000/500000");
    assert_eq!(line(&desk, "back"), "back: no, MonthLimit | CashbackOfMonth 300/300", "of another month");
    desk.now = at("2025-06-06T04:00:00Z");
    assert_eq!(line(&desk, "come-back"), "", "the clock gives it on that day");
    desk.member().standing.frozen = true;
    assert!(desk.offers(Audience::Member).iter().all(|offer| offer.fit == Fit::No(Bar::Frozen)));
}

#[test]
fn a_run_of_days_ends_where_there_is_a_gap() {
    let mut desk = desk();
    desk.programme.promotions.retain(|promotion| promotion.code == "happy");
    for (weekdays, until) in [
        ("wednesday thursday friday", Some("2025-03-07T16:00:00Z")),
        ("monday tuesday wednesday thursday friday saturday sunday", None),
        ("wednesday", Some("2025-03-05T16:00:00Z")),
    ] {
        let quoted: Vec<String> = weekdays.split(' ').map(|day| format!("{day:?}")).collect();
        desk.programme.promotions[0].schedule = from_toml(&format!("weekdays = [{}]", quoted.join(", ")));
        assert_eq!(desk.find("happy").unwrap().until, until.map(at), "{weekdays}");
    }
}

fn missed(desk: &mut Desk, amount: i64) -> Vec<(String, Option<Miss>)> {
    let outcome = desk.buy(amount);
    outcome.explanation.promotions.iter().map(|told| (told.code.clone(), told.missed)).collect()
}

proptest! {
    #![proptest_config(cases(60))]

    /// What is said to apply now applies to whatever is bought, what is said not to does not and for that reason; and
    /// a reward is redeemed or refused as was said.
    #[test]
    fn a_purchase_and_a_redemption_keep_what_offers_say(
        steps in prop::collection::vec((1_i64..60_000, 0_i64..40, any::<bool>()), 1..12)
    ) {
        let mut desk = desk();
        for (amount, hours, redeems) in steps {
            desk.now += chrono::Duration::hours(hours);
            let told = desk.offers(Audience::Till(Some("s1")));
            for (code, missed) in missed(&mut desk, amount) {
                let gives = |one: &Promotion| {
                    one.state == PromotionState::Live && !matches!(one.effect, PromotionEffect::Tag { .. })
                };
                let gives = desk.programme.promotion(&code).is_some_and(gives);
                let offer = told.iter().find(|offer| offer.code == code);
                match offer.map(|offer| &offer.fit) {
                    Some(Fit::Now) => prop_assert!(missed.is_none(), "{code}: {missed:?}"),
                    Some(Fit::No(Bar::Missed(miss))) => prop_assert_eq!(missed, Some(*miss), "{}", code),
                    Some(Fit::No(Bar::MonthLimit)) => prop_assert!(missed.is_none() || missed == Some(Miss::Budget)),
                    Some(Fit::No(Bar::NotYet { .. })) => {
                        prop_assert!(matches!(missed, Some(Miss::Schedule | Miss::Hours)), "{code}: {missed:?}");
                    }
                    Some(Fit::No(bar)) => {
                        let higher = matches!(bar, Bar::TierTooLow { .. });
                        prop_assert!(higher && missed == Some(Miss::Tier), "{code}: {bar:?} {missed:?}");
                    }
                    Some(Fit::Depends(_)) => {}
                    None => prop_assert!(!gives || missed.is_some(), "{code} is not told and applies"),
                }
            }
            let Some(offer) = desk.find("mug").filter(|_| redeems) else { continue };
            let redeemed = desk.redeem(Redeemed::Reward("mug".to_owned()), None).map(drop);
            match offer.fit {
                Fit::Now => prop_assert_eq!(redeemed, Ok(())),
                Fit::No(Bar::Points { .. }) => {
                    prop_assert!(matches!(redeemed, Err(Refusal::InsufficientPoints { .. })), "{redeemed:?}");
                }
                Fit::No(Bar::Missed(Miss::MemberLimit)) => prop_assert_eq!(redeemed, Err(Refusal::MemberLimit(1))),
                fit => prop_assert!(false, "{fit:?}"),
            }
        }
    }
}

#[test]
fn an_event_is_counted_without_an_end() {
    let mut desk = desk();
    let reviews = desk.programme.promotions.iter_mut().find(|promotion| promotion.code == "reviews").unwrap();
    reviews.limits = Default::default();
    let progress = desk.find("reviews").unwrap().progress;
    assert_eq!(progress, [Progress { of: Counted::Uses, done: 0, target: None }]);
    assert_eq!(progress[0].left(), None);
}
