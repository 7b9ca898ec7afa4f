//! The basket that `docs/prices.md` works through, computed.

use tessera_rules::Programme;
use tessera_rules::amount::Minor;
use tessera_rules::coupon::{Buyer, Circumstances, Coupon, NotApplied};
use tessera_rules::id::MemberId;
use tessera_rules::quote::{Ask, PointsWish, Quote, quote};
use uuid::Uuid;

use crate::shop::{basket, from_toml, minor, money, shown};
use crate::support::{at, points};

const GUIDE: &str = include_str!("../../../docs/prices.md");

/// What a programme needs beside what the guide shows.
const HEAD: &str = r#"
name = "Guide"
currency = "CNY"
time_zone = "Asia/Shanghai"
earning = { rate = { points = 1, per = 100 } }

[tiers]
measure = "points"
window = { kind = "lifetime" }
levels = [{ code = "base", name = "Base", threshold = 0 }, { code = "gold", name = "Gold", threshold = 100 }]
"#;

fn guide() -> Programme {
    let (_, rest) = GUIDE.split_once("```toml\n").expect("a programme");
    let (shown, _) = rest.split_once("```").expect("its end");
    let programme: Programme = from_toml(&format!("{HEAD}{shown}"));
    assert_eq!(programme.problems(), []);
    let written = toml::to_string(&programme).expect("TOML");
    assert_eq!(from_toml::<Programme>(&written), programme, "what is written is read again");
    programme
}

const BASKET: &str = "3 latte/coffee 30.00, 1 cake 38.00, 0.5 beans 160.00, 1 bottle -2.00";

fn quoted(programme: &Programme, optimise: bool) -> Quote {
    let id = MemberId::new(Uuid::from_u128(1));
    let buyer = Buyer { id, tier: 1, available: points(6_000), wallet: money("50.00") };
    let now = at("2026-04-10T04:00:00Z");
    let issue = |of: &tessera_rules::coupon::CouponType| of.issue(&of.code, Some(id), now, programme.time_zone);
    let coupons: Vec<Coupon> = programme.coupons.iter().map(issue).collect();
    let circumstances =
        Circumstances { programme, buyer: Some(&buyer), segments: &[], at: now, used: &Default::default() };
    let (points, wallet) = (Some(PointsWish::Points(points(3_000))), Some(money("20.00")));
    quote(&circumstances, &Ask { lines: &basket(BASKET), coupons: &coupons, optimise, points, wallet })
        .expect("in range")
}

fn less(amount: Minor) -> Minor {
    minor(-amount.get())
}

/// The table of the guide, row by row.
fn table(quote: &Quote) -> Vec<String> {
    let row = |name: &str, of_lines: Vec<Minor>| {
        let sum = minor(of_lines.iter().map(|amount| amount.get()).sum());
        let cells: Vec<String> = of_lines.into_iter().chain([sum]).map(shown).collect();
        format!("| {name} | {} |", cells.join(" | "))
    };
    let saved = |saved: &[(String, Minor)]| less(minor(saved.iter().map(|(_, amount)| amount.get()).sum()));
    let mut rows = vec![
        row("list price", quote.lines.iter().map(|line| line.list).collect()),
        row("member prices", quote.lines.iter().map(|line| saved(&line.saved)).collect()),
    ];
    rows.extend(quote.coupons.iter().map(|one| row(&one.coupon, one.lines.iter().copied().map(less).collect())));
    rows.push(row("to pay", quote.lines.iter().map(|line| line.net).collect()));
    let points = quote.points.wish.clone().expect("asked for").expect("they can pay").worth;
    for (name, amount) in [("points", less(points)), ("wallet", less(quote.wallet.pays)), ("due", quote.due)] {
        rows.push(format!("| {name} | | | | | {} |", shown(amount)));
    }
    rows
}

#[test]
fn the_guide_tells_what_is_computed() {
    let programme = guide();
    let quote = quoted(&programme, false);
    let told: Vec<&str> = GUIDE
        .lines()
        .skip_while(|line| !line.starts_with("| list price"))
        .take_while(|line| !line.is_empty())
        .collect();
    assert_eq!(told, table(&quote));
    let with = "second-coffee".to_owned();
    assert_eq!(
        quote.not_applied,
        [
            ("free-coffee".to_owned(), NotApplied::NotCombinable { with }),
            ("party".to_owned(), NotApplied::MinimumSpend { missing: money("110.00") }),
        ]
    );
    assert_eq!(quote.points.most.worth, money("60.00"));
    assert!(GUIDE.contains("lacks 110.00 of spend") && GUIDE.contains("with 6,000 of them 60.00"));
}

#[test]
fn the_guide_tells_the_best_price() {
    let best = quoted(&guide(), true);
    let free = best.coupons.iter().find(|one| one.coupon == "free-coffee").expect("counts");
    let told = format!("{} off, and {} to pay", shown(free.amount), shown(best.total));
    assert!(GUIDE.contains(&told), "{told}");
}
