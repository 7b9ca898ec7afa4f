//! Quantities (PROGRAMME.md §1): decimals, bounds, currencies, ids and texts as they are written
//! and read back.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as ValueError;
use tessera_rules::amount::{
    Currency, MAX_MAGNITUDE, Minor, Multiplier, OutOfRange, Points, Quantity, format_decimal, parse_decimal,
};
use tessera_rules::code::MemberCode;
use tessera_rules::command::{Line, Purchase, Tender};
use tessera_rules::id::{MemberId, PurchaseId};
use tessera_rules::share::{apportion, by_weight};
use tessera_rules::text::Text;
use tessera_rules::time::BirthDate;
use uuid::Uuid;

use crate::cases::cases;
use crate::support::line;

#[test]
fn decimals_are_read_and_written_exactly() {
    let good = [("1", 10_000), ("1.5", 15_000), ("0.0001", 1), ("-2.25", -22_500), ("007.10", 71_000), ("0", 0)];
    for (text, units) in good {
        assert_eq!(parse_decimal(text, 4), Ok(units), "{text}");
    }
    let bad = ["", "-", ".5", "1.", "1.00001", "+1", "1e3", "1,5", " 1", "--1", "1.-5", "١", "99999999999999999999"];
    for text in bad {
        assert!(parse_decimal(text, 4).is_err(), "{text}");
    }
    let written = [(15_000, "1.5"), (10_000, "1"), (-1, "-0.0001"), (0, "0"), (-22_500, "-2.25")];
    for (units, text) in written {
        assert_eq!(format_decimal(units, 4), text);
    }
    assert_eq!(format_decimal(i64::MIN, 3), "-9223372036854775.808");
}

#[test]
fn decimals_come_as_integers_or_strings_never_as_floats() {
    let text = |text: &str| Multiplier::deserialize(IntoDeserializer::<ValueError>::into_deserializer(text));
    let whole = |whole: i64| Quantity::deserialize(IntoDeserializer::<ValueError>::into_deserializer(whole));
    assert_eq!(text("1.25").map(Multiplier::units), Ok(12_500));
    assert!(text("1.23456").is_err());
    assert_eq!(whole(3).map(Quantity::units), Ok(3_000));
    assert!(whole(i64::MAX).is_err());
    assert!(Multiplier::deserialize(IntoDeserializer::<ValueError>::into_deserializer(1.5_f64)).is_err());
}

#[test]
fn points_and_money_end_at_two_to_the_53() {
    assert_eq!(MAX_MAGNITUDE, 9_007_199_254_740_991);
    assert!(Points::new(MAX_MAGNITUDE).is_ok() && Points::new(-MAX_MAGNITUDE).is_ok());
    for beyond in [MAX_MAGNITUDE + 1, -MAX_MAGNITUDE - 1, i64::MIN, i64::MAX] {
        assert_eq!(Minor::new(beyond), Err(OutOfRange));
        assert!(Points::deserialize(IntoDeserializer::<ValueError>::into_deserializer(beyond)).is_err());
    }
    let most = Points::new(MAX_MAGNITUDE).expect("in range");
    let one = Points::new(1).expect("in range");
    assert_eq!(most.plus(one), Err(OutOfRange));
    assert_eq!(Points::ZERO.minus(most).and_then(|least| least.minus(one)), Err(OutOfRange));
    assert_eq!(Points::from_wide(i128::MAX), Err(OutOfRange));
}

#[test]
fn currencies_are_three_capitals() {
    let currency: Currency = "CNY".parse().expect("a currency");
    assert_eq!((currency.code(), currency.to_string().as_str()), ("CNY", "CNY"));
    for text in ["", "cny", "CN", "CNYY", "C1Y", "€€"] {
        assert!(text.parse::<Currency>().is_err(), "{text}");
    }
}

#[test]
fn ids_are_type_ids() {
    let nil = "mem_00000000000000000000000000";
    let most = "mem_7zzzzzzzzzzzzzzzzzzzzzzzzz";
    let known = "mem_01h455vb4pex5vsknk084sn02q";
    let vectors = [
        (nil, Uuid::nil()),
        (most, Uuid::max()),
        ("mem_00000000000000000000000001", Uuid::from_u128(1)),
        ("mem_0000000000000000000000000g", Uuid::from_u128(16)),
        (known, Uuid::from_u128(0x0189_0a5d_ac96_774b_bcce_b302_099a_8057)),
    ];
    for (text, id) in vectors {
        assert_eq!(text.parse(), Ok(MemberId::new(id)));
        assert_eq!(MemberId::new(id).to_string(), text);
    }
    let bad = [
        "",
        "mem_",
        "mem00000000000000000000000000",
        "pur_00000000000000000000000000",
        "mem_0000000000000000000000000",
        "mem_000000000000000000000000000",
        "mem_8zzzzzzzzzzzzzzzzzzzzzzzzz",
        "mem_0000000000000000000000000u",
        "mem_0000000000000000000000000I",
        "MEM_00000000000000000000000000",
        "mem_é000000000000000000000000",
        "00000000-0000-0000-0000-000000000000",
    ];
    for text in bad {
        assert!(text.parse::<MemberId>().is_err(), "{text}");
    }
}

#[test]
fn member_codes_carry_a_check_digit() {
    // The textbook example of the Luhn digit: 7992739871 takes 3.
    let code = MemberCode::from_number(7_992_739_871);
    assert_eq!(code.as_str(), "079927398713");
    assert_eq!(code.to_string().parse(), Ok(code));
    assert_eq!(MemberCode::from_number(987_654_321_098_765).as_str()[..11], *"54321098765");
    for text in ["079927398710", "079927398731", "79927398713", "0799273987130", "07992739871a", ""] {
        assert!(text.parse::<MemberCode>().is_err(), "{text}");
    }
}

#[test]
fn receipts_are_told_apart_by_their_content() {
    let member = |bits| MemberId::new(Uuid::from_u128(bits));
    let cash =
        |kind: &str, amount: i64| Tender { kind: kind.to_owned(), amount: Minor::new(amount).expect("in range") };
    let cny: Currency = "CNY".parse().expect("a currency");
    let with = |change: fn(&mut Line)| {
        let mut line = line(100);
        change(&mut line);
        line
    };
    let plain = line(100);
    let food = with(|line| line.categories = vec!["food".to_owned()]);
    let contents = [
        Purchase::content_of(member(1), cny, &[], &[], None),
        Purchase::content_of(member(2), cny, &[], &[], None),
        Purchase::content_of(member(1), "EUR".parse().expect("a currency"), &[], &[], None),
        Purchase::content_of(member(1), cny, std::slice::from_ref(&plain), &[], None),
        Purchase::content_of(member(1), cny, &[plain.clone(), plain.clone()], &[], None),
        Purchase::content_of(member(1), cny, &[line(101)], &[], None),
        Purchase::content_of(member(1), cny, &[with(|line| line.sku = Some("food".to_owned()))], &[], None),
        Purchase::content_of(member(1), cny, &[food], &[], None),
        Purchase::content_of(member(1), cny, &[with(|line| line.quantity = Quantity::from_units(2_000))], &[], None),
        Purchase::content_of(member(1), cny, &[], &[cash("food", 100)], None),
        Purchase::content_of(member(1), cny, &[], &[cash("food", 101)], None),
    ];
    let different: BTreeSet<[u8; 32]> = contents.into_iter().collect();
    assert_eq!(different.len(), contents.len());
    let again = Purchase::content_of(member(1), cny, &[plain], &[], None);
    assert_eq!(again, contents[3], "the same receipt has the same content");
}

#[test]
fn texts_fall_back_to_english() {
    let both = Text { en: "Gold".to_owned(), zh: Some("金卡".to_owned()) };
    assert_eq!((both.get(true), both.get(false)), ("金卡", "Gold"));
    assert_eq!(Text::from("Gold").get(true), "Gold");
}

#[test]
fn birth_dates_are_checked() {
    for text in ["1992-02-29", "--02-29", "2001-12-31", "0099-01-01"] {
        assert_eq!(text.parse::<BirthDate>().expect(text).to_string(), text);
    }
    for text in
        ["1990-02-29", "--02-30", "--2-3", "90-01-01", "1990-13-01", "1990-1-1", "02-29", "1990-01-01x", "+990-01-01"]
    {
        assert!(text.parse::<BirthDate>().is_err(), "{text}");
    }
}

#[test]
fn shares_need_a_proportion() {
    assert_eq!(by_weight(10, &[0, 0]), Ok(vec![10, 0]));
    assert_eq!(by_weight(10, &[]), Ok(vec![]));
    assert_eq!(apportion(1, &[1, 1], 0), Err(OutOfRange));
    assert_eq!(apportion(5, &[1050, -550], 100), Ok(vec![11, -6]));
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn decimals_round_trip(units in (i64::MIN + 1)..=i64::MAX, places in 0_u32..=6) {
        prop_assert_eq!(parse_decimal(&format_decimal(units, places), places), Ok(units));
    }

    #[test]
    fn ids_round_trip(bits in any::<u128>()) {
        let id = PurchaseId::new(Uuid::from_u128(bits));
        prop_assert_eq!(id.to_string().parse::<PurchaseId>(), Ok(id));
    }

    #[test]
    fn weights_share_everything(total in 0_i64..100_000, weights in prop::collection::vec(0_i64..100_000, 1..8)) {
        let shares = by_weight(total, &weights).expect("small numbers");
        prop_assert_eq!(shares.iter().sum::<i64>(), total);
        let sum: i64 = weights.iter().sum();
        for (share, weight) in shares.iter().zip(&weights) {
            // No share is a whole point away from its exact proportion.
            prop_assert!(sum == 0 || (share * sum - weight * total).abs() < sum);
        }
    }
}
