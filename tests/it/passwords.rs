//! Passwords and guessing, without a database: what a password must be, how it is kept, and how trying
//! many is slowed down.

use chrono::TimeDelta;
use tessera::access::password::Unfit;
use tessera::access::throttle::Throttle;
use tessera::access::{Error, password, pin};
use tessera::clock::{Clock, random_bytes};
use tessera::config::Networks;

#[test]
fn passwords_are_argon2id_with_the_owasp_parameters() {
    let hash = password::hash_now("correct horse battery").unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    assert_ne!(hash, password::hash_now("correct horse battery").unwrap(), "salted");
    let check = |password: &str| password::check(password, password::SHORTEST, &[]);
    let [short, long] = [Unfit::TooShort(8), Unfit::TooLong].map(|unfit| Err(Error::PasswordUnfit(unfit)));
    assert_eq!(check("seven77"), short);
    assert_eq!(check(&"x".repeat(129)), long);
    assert_eq!(check(&"🦀鲸🐙蟹".repeat(32)), Err(Error::PasswordUnfit(Unfit::Common)), "characters, not bytes");
    assert_eq!(check(&"🦀".repeat(7)), short);
    assert_eq!(check(&"x".repeat(1 << 20)), long);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let hasher = password::Hasher::new(1);
        assert!(hasher.verify("correct horse battery", Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify("correct horse batterx", Some(hash)).await.unwrap());
        assert!(!hasher.verify("correct horse battery", None).await.unwrap(), "nobody has no password");
        assert!(!hasher.verify("", None).await.unwrap());
    });
}

#[test]
fn passwords_that_are_guessed_first_are_refused_and_others_are_not() {
    let check = |password: &str, about: &[&str]| password::check(password, password::SHORTEST, about);
    let common = [
        "password",
        "Password1",
        "P@ssw0rd!",
        "passwordpassword",
        "12345678",
        "1234567890",
        "87654321",
        "11111111",
        "abcabcabc",
        "abcdefgh",
        "abcd1234",
        "qwertyuiop",
        "1qaz2wsx",
        "qazwsxedc",
        "1q2w3e4r",
        "asdfghjkl",
        "zxcvbnm123",
        "iloveyou",
        "ILoveYou2",
        "sunshine1",
        "princess",
        "football!",
        "trustno1",
        "superman99",
        "dragon2024",
        "letmein123",
        "welcome1",
        "charlie123",
        "woaini1314",
        "5201314520",
        "a123456789",
        "5201314a",
        "19900101",
        "01.02.1990",
        "147258369",
        "789456123",
        "aa123456",
        "admin12345",
        "m1chael1",
        "fussball1",
        "contraseña",
        "!!password!!",
        "zaq12wsx",
        "11223344",
        "Qwerty123456",
    ];
    for password in common {
        assert_eq!(check(password, &[]), Err(Error::PasswordUnfit(Unfit::Common)), "{password}");
    }
    let good = [
        "correct horse battery",
        "copper kettle",
        "another password",
        "vX9#kq2L",
        "七月流火九月授衣",
        "tr0ub4dor&3x9",
        "my dog eats socks",
        "Zebra-Lampe-41",
        "blue password tree",
    ];
    for password in good {
        assert_eq!(check(password, &["Li Na", "li.na@example.com"]), Ok(()), "{password}");
    }
    let about = ["Lin Xiaoyu", "xiaoyu.lin@example.com", "+8613800138000", "林小雨"];
    for password in
        ["linxiaoyu", "Xiaoyu-Lin-88", "xiaoyu@example", "8613800138000", "00138000!", "我林小雨是你", "Tessera-2026"]
    {
        let refused = check(password, &about);
        assert!(
            matches!(refused, Err(Error::PasswordUnfit(Unfit::Personal | Unfit::TooShort(_)))),
            "{password}: {refused:?}"
        );
    }
    assert_eq!(check("xiaoyu likes copper", &about), Ok(()), "what is left is a password");
    assert!(password::check("copper kettle", password::SHORTEST_OF_STAFF, &[]).is_err());
}

#[test]
fn pins_are_six_to_twelve_digits() {
    for pin in ["123456", "000000", "123456789012"] {
        assert!(pin::check_shape(pin).is_ok(), "{pin}");
    }
    for pin in ["", "12345", "1234567890123", "12345a", "１２３４５６", "12 456", "-12345"] {
        assert_eq!(pin::check_shape(pin), Err(Error::PinUnfit), "{pin}");
    }
}

#[test]
fn guessing_gets_slower_and_is_forgiven() {
    let throttle = Throttle::new();
    let (whose, start) = (random_bytes(), Clock::wall().wall_now());
    let at = |seconds| start + TimeDelta::seconds(seconds);
    for _ in 0..5 {
        assert!(throttle.check(&whose, at(0)).is_ok());
        throttle.failed(&whose, at(0));
    }
    assert!(throttle.check(&whose, at(0)).is_ok(), "five are free");
    throttle.failed(&whose, at(0));
    assert_eq!(throttle.check(&whose, at(0)), Err(Error::Throttled { seconds: 1 }));
    assert!(throttle.check(&whose, at(1)).is_ok());
    for _ in 0..20 {
        throttle.failed(&whose, at(1));
    }
    assert_eq!(throttle.check(&whose, at(1)), Err(Error::Throttled { seconds: 300 }), "never longer");
    assert!(throttle.check(&random_bytes(), at(1)).is_ok(), "others are not held up");
    throttle.failed(&whose, at(1000));
    assert!(throttle.check(&whose, at(1000)).is_ok(), "a quarter of an hour without failures is enough");
    throttle.succeeded(&whose);
    assert!(throttle.check(&whose, at(1000)).is_ok());

    let source = Throttle::with_free(1);
    for _ in 0..9 {
        source.failed(&whose, at(0));
        source.forgive(&whose);
    }
    assert!(source.check(&whose, at(0)).is_ok(), "what turned out right is taken back");
    source.failed(&whose, at(0));
    source.failed(&whose, at(0));
    assert_eq!(source.check(&whose, at(0)), Err(Error::Throttled { seconds: 1 }));
}

#[test]
fn networks_are_read_and_matched() {
    let networks = |text: &str| Networks::try_from(text.to_owned());
    let ours = networks("10.0.0.0/8, ::1 192.0.2.7,2001:db8::/33").unwrap();
    for (address, inside) in [
        ("10.255.0.1", true),
        ("11.0.0.1", false),
        ("192.0.2.7", true),
        ("192.0.2.8", false),
        ("::1", true),
        ("::2", false),
        ("::ffff:10.1.1.1", true),
        ("2001:db8:7fff::1", true),
        ("2001:db8:8000::1", false),
        ("0.0.0.0", false),
        ("a00::", false),
    ] {
        assert_eq!(ours.contains(address.parse().unwrap()), inside, "{address}");
    }
    assert!(networks("0.0.0.0/0").unwrap().contains("203.0.113.9".parse().unwrap()));
    assert!(!networks("").unwrap().contains("127.0.0.1".parse().unwrap()), "nobody is trusted unless named");
    for text in ["localhost", "10.0.0.0/33", "10.0.0.0/", "::/129", "10.0.0.1-10.0.0.9"] {
        assert!(networks(text).is_err(), "{text}");
    }
}
