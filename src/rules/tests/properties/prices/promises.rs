//! What a till is promised is what happens: random baskets in random shops, for members alone and in pools.

use proptest::prelude::*;
use proptest::sample::select;
use tessera_rules::amount::Points;
use tessera_rules::command::{JoinPool, Kept, Line, PayWithPoints, Pricing, Promised, Purchase, Tender};
use tessera_rules::coupon::Coupon;
use tessera_rules::decision::PurchaseOutcome;
use tessera_rules::id::{MemberId, QuoteId, RedemptionId};
use tessera_rules::pool::Pools;
use tessera_rules::programme::EarningRule;
use tessera_rules::promise::{Optimise, Promise};
use tessera_rules::promotion::{Combine, Miss, Promotion, PromotionEffect};
use tessera_rules::quote::{PointsWish, Quote};
use tessera_rules::redemption::Worth;
use tessera_rules::refusal::Changed;
use tessera_rules::{Command, MemberState, Programme, Refusal, Standing};
use uuid::Uuid;

use super::scene::{Scene, scene};
use crate::properties::cases;
use crate::shop::minor;
use crate::support::{Desk, points, promotion, times};

fn optimise() -> impl Strategy<Value = Option<Optimise>> {
    select(&[None, Some(Optimise::Price), Some(Optimise::Points)][..])
}

/// What matters to earning beside the prices, and how the member pays.
#[derive(Debug, Clone)]
struct Twist {
    combine: Combine,
    carry_remainder: bool,
    cap: Option<i64>,
    minimum_spend: i64,
    gift_card: i64,
    /// Whether the member may spend from a pool he is in.
    pool: Option<bool>,
    most: bool,
    late: bool,
}

fn twist() -> impl Strategy<Value = Twist> {
    let combine = select(&[Combine::Best, Combine::Add, Combine::Multiply][..]);
    let cap = prop::option::weighted(0.2, 1_i64..60);
    let gift_card = prop_oneof![3 => Just(0_i64), 1 => 1_i64..3_000];
    let pool = prop::option::weighted(0.4, any::<bool>());
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (combine, flags, cap, 1_i64..9_000, gift_card, pool).prop_map(
        |(combine, (carry_remainder, most, late), cap, minimum_spend, gift_card, pool)| Twist {
            combine,
            carry_remainder,
            cap,
            minimum_spend,
            gift_card,
            pool,
            most,
            late,
        },
    )
}

fn promotions(minimum_spend: i64) -> Vec<Promotion> {
    let multiply = |code: &str, by: &str| promotion(code, 0, PromotionEffect::Multiply { by: times(by) });
    let add = |code: &str, value: i64| promotion(code, 0, PromotionEffect::Add { points: points(value) });
    let wear = vec!["wear".to_owned()];
    vec![
        Promotion { categories: wear, minimum_spend: Some(minor(minimum_spend)), ..multiply("wear", "3") },
        Promotion { condition: Some("purchase.amount >= 2000".to_owned().into()), ..add("large", 7) },
        Promotion { minimum_spend: Some(minor(minimum_spend)), ..multiply("all", "1.5") },
        Promotion { tiers: vec!["gold".to_owned()], ..multiply("gold", "2") },
    ]
}

fn shop(scene: &Scene, twist: &Twist) -> Programme {
    let mut programme = scene.programme.clone();
    let earning = &mut programme.earning;
    (earning.combine, earning.carry_remainder) = (twist.combine, twist.carry_remainder);
    earning.cap_per_purchase = twist.cap.map(points);
    earning.excluded_tenders = vec!["gift_card".to_owned()];
    let (code, category) = ("drink".to_owned(), Some("drink".to_owned()));
    earning.rules = vec![EarningRule { code, category, sku: None, multiplier: times("2.5") }];
    programme.promotions = promotions(twist.minimum_spend);
    programme.pools = Some(Pools { members: 2, daily_limit: points(800) });
    programme
}

/// The member of a scene at a desk, with points of his own or in a pool.
fn desk(scene: &Scene, twist: &Twist) -> Desk {
    let mut desk = Desk::new(shop(scene, twist));
    desk.now = scene.at - chrono::Duration::days(2);
    let tier = scene.buyer.map_or(0, |buyer| buyer.tier);
    if tier > 0 {
        desk.buy(12_000);
    }
    let available = scene.buyer.map_or(0, |buyer| buyer.available.get());
    if available > 0 {
        desk.adjust(available).expect("points are given");
    }
    if let Some(may_spend) = twist.pool {
        let head = MemberId::new(Uuid::from_u128(8));
        desk.state.members.insert(head, MemberState::new(Standing::new(head, desk.now)));
        desk.run(&Command::JoinPool(JoinPool { head, may_spend })).expect("he may join");
    }
    desk.now = scene.at;
    desk
}

/// The receipt a till would make of a quote: what may be sold at list prices, and the coupons that count.
fn sale(receipt: &Purchase, quote: &Quote, paid: Option<Points>) -> Purchase {
    let mut sale = receipt.clone();
    sale.lines.clear();
    for (line, quoted) in receipt.lines.iter().zip(&quote.lines) {
        if quoted.withheld.is_none() {
            sale.lines.push(line.clone());
        }
    }
    let coupons = quote.coupons.iter().map(|applied| applied.coupon.clone()).collect();
    sale.pricing = Some(Box::new(Pricing { coupons, kept: None }));
    let pay = |points| PayWithPoints { id: RedemptionId::new(Uuid::from_u128(99)), points, otp_step: None };
    sale.redeem = paid.filter(|points| points.is_positive()).map(pay);
    sale
}

/// The purchase of a kept quote: refused under any other promise, taken under its own, and only once.
fn made_of_it(desk: &mut Desk, mut sale: Purchase, promised: Promised) -> PurchaseOutcome {
    let id = QuoteId::new(Uuid::from_u128(98));
    desk.state.shared.quotes.insert(id, None);
    let mut pricing = *sale.pricing.take().expect("at list prices");
    let mut kept = |promised: &Promised, until: i64| {
        let valid_until = desk.now + chrono::Duration::minutes(until);
        pricing.kept = Some(Kept { id, valid_until, promised: promised.clone() });
        Purchase { pricing: Some(Box::new(pricing.clone())), ..sale.clone() }
    };
    let more = Promised { points: promised.points.plus(points(1)).expect("in range"), ..promised.clone() };
    let (other, late, right) = (kept(&more, 1), kept(&promised, 0), kept(&promised, 1));
    let changed = Changed { promised: more, now: promised, coupons: Vec::new() };
    assert_eq!(desk.purchase(other), Err(Refusal::QuoteChanged(Box::new(changed))));
    assert_eq!(desk.purchase(late), Err(Refusal::QuoteLapsed));
    let made = desk.purchase(right.clone()).expect("what is promised happens");
    assert_eq!(desk.purchase(right), Err(Refusal::QuoteUsed));
    made
}

fn keeps(desk: &mut Desk, receipt: &Purchase, wish: Option<PointsWish>, promise: Promise) {
    let promised = promise.promised().expect("in range");
    let Promise { quote, purchase, missed, limits, .. } = promise;
    assert!(limits.is_empty(), "nothing is limited here");
    if let (Some(PointsWish::Points(wanted)), Some(Err(refusal))) = (wish, &quote.points.wish) {
        let refused = sale(receipt, &quote, Some(wanted));
        if wanted.is_positive() && !refused.lines.is_empty() {
            assert_eq!(desk.purchase(refused).as_ref(), Err(refusal), "points that cannot pay are told as they are");
        }
    }
    let paid = quote.points.wish.clone().and_then(Result::ok).unwrap_or(Worth::NOTHING);
    assert_eq!(quote.due.get(), quote.total.get() - paid.worth.get());
    let sale = sale(receipt, &quote, Some(paid.points));
    if sale.lines.is_empty() {
        assert_eq!(purchase, None);
        return;
    }
    let lines = sale.lines.clone();
    let used = |desk: &Desk, code: &str| desk.state.shared.coupons[code].used;
    let before: Vec<u32> = quote.coupons.iter().map(|one| used(desk, &one.coupon)).collect();
    let mut happened = made_of_it(desk, sale, promised.expect("there is something to sell"));
    happened.quote = None;
    assert_eq!(purchase.as_deref(), Some(&happened));
    let after: Vec<u32> = quote.coupons.iter().map(|one| used(desk, &one.coupon) - 1).collect();
    assert_eq!(before, after, "each coupon that counts is used once");
    let paid = |i: usize| happened.explanation.lines[i].amount().get();
    let told = happened.explanation.promotions.iter().filter(|told| told.missed.is_some());
    assert!(told.map(|told| &told.code).eq(missed.iter().map(|one| &one.code)));
    for one in &missed {
        let Some(missing) = one.missing else {
            assert_ne!(one.why, Miss::MinimumSpend);
            continue;
        };
        let of_all = |line: &Line| one.code == "all" || line.categories.iter().any(|own| own == "wear");
        let spent: i64 = (0..lines.len()).filter(|&i| of_all(&lines[i])).map(paid).sum();
        let promotion = desk.programme.promotions.iter().find(|own| own.code == one.code).expect("it is there");
        assert_eq!(Some(minor(spent + missing.get())), promotion.minimum_spend);
    }
}

proptest! {
    #![proptest_config(cases(500))]

    /// A purchase made of what is promised is answered to the letter as it was promised.
    #[test]
    fn a_promise_is_kept(scene in scene(5), twist in twist(), optimise in optimise()) {
        let mut desk = desk(&scene, &twist);
        let mut receipt = desk.receipt(0);
        for coupon in &scene.coupons {
            // Those of the buyer are this member's.
            let his = coupon.owner == Some(MemberId::new(Uuid::from_u128(1)));
            let owner = his.then_some(desk.member);
            desk.state.shared.coupons.insert(coupon.code.clone(), Coupon { owner, ..coupon.clone() });
        }
        let coupons = scene.coupons.iter().map(|coupon| coupon.code.clone()).collect();
        receipt.pricing = Some(Box::new(Pricing { coupons, kept: None }));
        receipt.lines.clone_from(&scene.lines);
        receipt.occurred_at = twist.late.then(|| scene.at - chrono::Duration::hours(30));
        if twist.gift_card > 0 {
            receipt.tenders = vec![Tender { kind: "gift_card".to_owned(), amount: minor(twist.gift_card) }];
        }
        let wish = if twist.most { Some(PointsWish::Most) } else { scene.points.map(PointsWish::Points) };
        match desk.promise_of(&receipt, wish, optimise) {
            Ok(promise) => keeps(&mut desk, &receipt, wish, promise),
            Err(refusal) => {
                // The gift card is worth more than the goods.
                let bare = Purchase { tenders: Vec::new(), ..receipt.clone() };
                let quote = desk.promise_of(&bare, wish, optimise).expect("without it there is a price").quote;
                let paid = quote.points.wish.clone().and_then(Result::ok).map(|worth| worth.points);
                prop_assert_eq!(desk.purchase(sale(&receipt, &quote, paid)), Err(refusal));
            }
        }
    }
}
