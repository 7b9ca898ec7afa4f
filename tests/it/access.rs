//! Who is let in: tokens, key files, codes, rights and settings, without a database.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};
use tessera::access::policy::{Action, Caller, Kind, Resource, Verdict, may};
use tessera::access::tokens::Tokens;
use tessera::access::{Error, Principal, Scope, Scopes, StaffRole, keys, otp};
use tessera::clock::{Clock, new_uuid};
use tessera::config::Settings;
use tessera_rules::id::{ApiKeyId, MemberId, SessionId, StaffId, StoreId};
use tessera_rules::time::Instant;

/// A directory that goes when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("tessera-access-{}", new_uuid()));
        fs::create_dir(&path).expect("a scratch directory");
        Self(path)
    }

    fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    fn key_file(&self) -> PathBuf {
        let mut files =
            fs::read_dir(self.keys()).expect("a key directory").map(|entry| entry.expect("an entry").path());
        files.find(|path| path.extension().is_some_and(|extension| extension == "json")).expect("a key file")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A directory left behind in /tmp fails no test.
        drop(fs::remove_dir_all(&self.0));
    }
}

fn member() -> Principal {
    Principal::Member(MemberId::new(new_uuid()))
}

fn session() -> SessionId {
    SessionId::new(new_uuid())
}

fn now() -> Instant {
    Clock::wall().wall_now()
}

/// The signing key, as somebody who stole the file would have it.
fn stolen(path: &Path) -> (String, EncodingKey) {
    let file: Value = serde_json::from_str(&fs::read_to_string(path).expect("a key file")).expect("JSON");
    let seed = file["seed"].as_str().expect("a seed");
    let prefix = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let bytes = (0..32).map(|i| u8::from_str_radix(&seed[2 * i..2 * i + 2], 16).expect("hexadecimal"));
    let der: Vec<u8> = prefix.into_iter().chain(bytes).collect();
    (file["kid"].as_str().expect("a kid").to_owned(), EncodingKey::from_ed_der(&der))
}

/// A token under a shared secret, as a library that takes any algorithm would make and take it.
fn keyed(header: &Header, claims: &Value, secret: &[u8]) -> String {
    fn sign<M: Mac + KeyInit>(secret: &[u8], text: &str) -> Vec<u8> {
        let mut mac = <M as KeyInit>::new_from_slice(secret).expect("a key of any length");
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }
    let part = |json: Vec<u8>| URL_SAFE_NO_PAD.encode(json);
    let head = part(serde_json::to_vec(header).expect("a header"));
    let text = format!("{head}.{}", part(serde_json::to_vec(claims).expect("claims")));
    let signature = match header.alg {
        Algorithm::HS256 => sign::<Hmac<Sha256>>(secret, &text),
        Algorithm::HS384 => sign::<Hmac<Sha384>>(secret, &text),
        _ => sign::<Hmac<Sha512>>(secret, &text),
    };
    format!("{text}.{}", part(signature))
}

fn genuine_claims(now: Instant) -> Value {
    json!({
        "iss": "tessera", "aud": "tessera-api", "sub": MemberId::new(new_uuid()), "sid": session(),
        "jti": new_uuid(), "iat": now.timestamp(), "nbf": now.timestamp(), "exp": now.timestamp() + 600,
    })
}

fn genuine_header(kid: &str) -> Header {
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some(kid.to_owned());
    header
}

#[test]
fn a_token_says_who_signed_in_until_it_expires() {
    let scratch = Scratch::new();
    let tokens = Tokens::open(&scratch.keys(), 600).unwrap();
    let (who, session, now) = (member(), session(), now());
    let token = tokens.issue(who, session, now).unwrap();
    let verified = tokens.verify(&token, now).unwrap();
    assert_eq!((verified.principal, verified.session), (who, session));
    assert_eq!(verified.expires, now.timestamp() + 600);
    assert!(tokens.verify(&token, now + TimeDelta::seconds(599)).is_ok());
    assert_eq!(tokens.verify(&token, now + TimeDelta::seconds(601)), Err(Error::TokenInvalid));
    assert_eq!(tokens.verify(&token, now - TimeDelta::seconds(10)), Err(Error::TokenInvalid), "not yet");
}

#[test]
fn claims_that_are_missing_or_of_another_type_are_refused() {
    let scratch = Scratch::new();
    let tokens = Tokens::open(&scratch.keys(), 600).unwrap();
    let (kid, key) = stolen(&scratch.key_file());
    let now = now();
    let sign = |claims: &Value| encode(&genuine_header(&kid), claims, &key).unwrap();
    assert!(tokens.verify(&sign(&genuine_claims(now)), now).is_ok(), "the pattern itself is sound");

    let at = now.timestamp();
    let wrong = [
        (
            "exp",
            vec![json!("never"), json!(at - 1), json!(at), json!(-1), json!(1e300), json!(null), json!([at + 600])],
        ),
        (
            "exp",
            vec![json!((at + 600).to_string()), json!(true), json!(at + 100_000), json!(i64::MAX), json!(u64::MAX)],
        ),
        ("nbf", vec![json!("never"), json!(at + 60), json!((at).to_string()), json!(null), json!({}), json!(i64::MAX)]),
        ("iat", vec![json!("never"), json!(at + 60), json!(null), json!(i64::MIN), json!(at - 100_000)]),
        ("iss", vec![json!("tesserae"), json!(["tessera"]), json!(null), json!(""), json!(7)]),
        ("aud", vec![json!("tessera"), json!(["tessera-api"]), json!(["tessera-api", "x"]), json!(null), json!({})]),
        ("sub", vec![json!("admin"), json!(""), json!(null), json!(7), json!(session()), json!(["x"])]),
        ("sid", vec![json!("x"), json!(null), json!(MemberId::new(new_uuid())), json!(new_uuid())]),
        ("jti", vec![json!("x"), json!(null), json!(7)]),
        ("role", vec![json!("admin"), json!(null)]),
    ];
    for (claim, values) in wrong {
        for value in values {
            let mut claims = genuine_claims(now);
            claims[claim] = value.clone();
            assert_eq!(tokens.verify(&sign(&claims), now), Err(Error::TokenInvalid), "{claim}: {value}");
        }
    }
    for claim in ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"] {
        let mut claims = genuine_claims(now);
        claims.as_object_mut().unwrap().remove(claim);
        assert_eq!(tokens.verify(&sign(&claims), now), Err(Error::TokenInvalid), "without {claim}");
    }
}

#[test]
fn headers_and_keys_that_are_not_ours_are_refused() {
    let scratch = Scratch::new();
    let tokens = Tokens::open(&scratch.keys(), 600).unwrap();
    let (kid, key) = stolen(&scratch.key_file());
    let now = now();
    let claims = genuine_claims(now);
    let refused = |token: &str, why: &str| assert_eq!(tokens.verify(token, now), Err(Error::TokenInvalid), "{why}");

    type Change = fn(&mut Header);
    let changes: [(&str, Change); 10] = [
        ("typ JWT", |header| header.typ = Some("JWT".to_owned())),
        ("no typ", |header| header.typ = None),
        ("no kid", |header| header.kid = None),
        ("kid of a path", |header| header.kid = Some("../../etc/passwd".to_owned())),
        ("kid of a query", |header| header.kid = Some("' or 1=1 --".to_owned())),
        ("jku", |header| header.jku = Some("https://evil.example/keys".to_owned())),
        ("x5u", |header| header.x5u = Some("https://evil.example/cert".to_owned())),
        ("crit", |header| header.crit = Some(vec!["exp".to_owned()])),
        ("cty", |header| header.cty = Some("JWT".to_owned())),
        ("another field", |header| header.extras.insert("b64", false)),
    ];
    for (why, change) in changes {
        let mut header = genuine_header(&kid);
        change(&mut header);
        refused(&encode(&header, &claims, &key).unwrap(), why);
    }

    let public = tokens.jwks(now)["keys"][0]["x"].as_str().unwrap().to_owned();
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let mut header = genuine_header(&kid);
        header.alg = algorithm;
        for secret in [public.as_bytes(), b"", b"secret"] {
            refused(&keyed(&header, &claims, secret), "HMAC over the public key");
        }
    }

    let other = Scratch::new();
    let others = Tokens::open(&other.keys(), 600).unwrap();
    refused(&others.issue(member(), session(), now).unwrap(), "another server's token");
    let (_, foreign) = stolen(&other.key_file());
    refused(&encode(&genuine_header(&kid), &claims, &foreign).unwrap(), "our kid, another key");

    let token = encode(&genuine_header(&kid), &claims, &key).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    // {"typ":"at+jwt","alg":"none"}
    let none = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJub25lIn0";
    for forged in [
        String::new(),
        ".".repeat(2),
        parts[..2].join("."),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{none}.{}.", parts[1]),
        format!("{none}.{}.{}", parts[1], parts[2]),
        format!("{token}."),
        format!("{token}=="),
        format!(" {token}"),
        format!("{}.{}.{}", parts[0], parts[1], &parts[2][1..]),
        format!("{}.{}.{}", parts[1], parts[0], parts[2]),
        format!("{token}{}", "A".repeat(8192)),
        "A".repeat(8192),
    ] {
        refused(&forged, &forged);
    }
}

#[test]
fn a_rotated_key_signs_and_the_old_one_still_verifies() {
    let scratch = Scratch::new();
    let now = now() - TimeDelta::minutes(5);
    keys::add(&scratch.keys(), now - TimeDelta::minutes(1)).unwrap();
    let [one, other] = [(); 2].map(|()| Tokens::open(&scratch.keys(), 600).unwrap());
    let at = |seconds| now + TimeDelta::seconds(seconds);
    let signs = |tokens: &Tokens, seconds| {
        let token = tokens.issue(member(), session(), at(seconds)).unwrap();
        let kid = jsonwebtoken::decode_header(&token).unwrap().kid.unwrap();
        (token, kid)
    };
    let (old, first) = signs(&one, 0);
    // The worst there can be: the other process has looked at the directory just before.
    other.jwks(at(0));
    let kid = keys::add(&scratch.keys(), at(1)).unwrap();
    for seconds in 1..30 {
        let (token, signing) = signs(&one, seconds);
        assert_eq!(signing == kid, seconds >= 11, "after {seconds} s");
        assert!(other.verify(&token, at(seconds)).is_ok(), "after {seconds} s");
        assert!(other.verify(&old, at(seconds)).is_ok(), "what was signed before stands");
    }
    // Who comes to a rotated directory first, and many at once, all find the key.
    let (token, _) = signs(&one, 30);
    let late = Tokens::open(&scratch.keys(), 600).unwrap();
    keys::add(&scratch.keys(), at(20)).unwrap();
    let (newest, _) = signs(&one, 40);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert!(late.verify(&newest, at(40)).is_ok() && late.verify(&token, at(40)).is_ok()));
        }
    });
    let set = one.jwks(at(40));
    assert_eq!(set["keys"].as_array().unwrap().len(), 3);
    assert!(set.to_string().find("seed").is_none() && set["keys"][0].get("d").is_none(), "public parts only");

    // A key is taken away once no token of its can live.
    assert_eq!(keys::retire(&scratch.keys(), at(7200)).unwrap(), [""; 0]);
    let gone = keys::retire(&scratch.keys(), at(7202)).unwrap();
    assert_eq!(gone, [first]);
    assert_eq!(other.jwks(at(7202))["keys"].as_array().unwrap().len(), 2);
    assert!(other.verify(&old, at(50)).is_err());
    assert_eq!(keys::retire(&scratch.keys(), at(90_000)).unwrap(), [kid], "never the newest");
}

#[test]
fn key_files_are_private_and_whole_or_nothing_starts() {
    let scratch = Scratch::new();
    Tokens::open(&scratch.keys(), 600).unwrap();
    let path = scratch.key_file();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&scratch.keys())), (0o600, 0o700));

    for exposed in [0o640, 0o604, 0o660, 0o644, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(exposed)).unwrap();
        assert!(matches!(Tokens::open(&scratch.keys(), 600), Err(keys::Error::Exposed(_))), "{exposed:o}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(Tokens::open(&scratch.keys(), 600).is_ok());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();

    let whole: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let with = |field: &str, value: Value| {
        let mut file = whole.clone();
        file[field] = value;
        file.to_string()
    };
    for text in [
        String::new(),
        "{}".to_owned(),
        whole.to_string()[..100].to_owned(),
        with("seed", json!("ab12")),
        with("seed", json!("0".repeat(64))),
        with("seed", json!("z".repeat(64))),
        with("seed", json!("1f".repeat(31) + "2e")),
        with("kid", json!("x")),
        with("algorithm", json!("RSA")),
        with("more", json!(1)),
    ] {
        fs::write(&path, &text).unwrap();
        assert!(matches!(Tokens::open(&scratch.keys(), 600), Err(keys::Error::Garbled { .. })), "{text}");
    }
}

#[test]
fn codes_are_those_of_rfc_6238() {
    // Appendix B, SHA-1: the last six of its eight digits.
    let secret = b"12345678901234567890";
    let at = |seconds| Instant::from_timestamp(seconds, 0).unwrap();
    for (seconds, digits) in [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ] {
        assert_eq!(otp::code_at(secret, at(seconds)).unwrap().digits, digits);
        assert_eq!(otp::step_of(secret, digits, at(seconds)).unwrap(), Some(seconds / 30));
    }
    // A step that begins at 1 111 111 080.
    let shown = otp::code_at(secret, at(1_111_111_109)).unwrap();
    assert_eq!(shown.valid_until, at(1_111_111_110));
    let step = |after: i64| otp::step_of(secret, &shown.digits, at(1_111_111_080 + after)).unwrap();
    let taken = Some(1_111_111_080 / 30);
    assert_eq!([step(-1), step(0), step(59), step(60)], [None, taken, taken, None], "this step or the one before");
    for digits in ["", "28708", "2870820", "+87082", " 287082", "２87082", "28708a"] {
        assert_eq!(otp::step_of(secret, digits, at(59)).unwrap(), None, "{digits}");
    }
    assert!(otp::code_at(b"short", at(59)).is_err());
}

fn caller(kind: Kind, store: Option<StoreId>) -> Caller {
    Caller { kind, store, session: session(), name: "Somebody".into() }
}

fn staff(role: StaffRole, store: Option<StoreId>) -> Caller {
    caller(Kind::Staff(StaffId::new(new_uuid()), role), store)
}

#[test]
fn a_member_sees_only_himself() {
    let (me, other) = (MemberId::new(new_uuid()), MemberId::new(new_uuid()));
    let store = StoreId::new(new_uuid());
    let caller = caller(Kind::Member(me), None);
    let ask = |action, resource| may(&caller, action, &resource);
    assert_eq!(ask(Action::ReadOwnBalance, Resource::Member(me)), Verdict::Allow);
    assert_eq!(ask(Action::ReadCatalogue, Resource::Programme), Verdict::Allow);
    assert_eq!(ask(Action::ReadOwnPurchases, Resource::Document { member: me, store: Some(store) }), Verdict::Allow);
    assert_eq!(ask(Action::ReadOwnBalance, Resource::Member(other)), Verdict::NotFound);
    assert_eq!(ask(Action::ReadOwnPurchases, Resource::Document { member: other, store: None }), Verdict::NotFound);
    assert_eq!(ask(Action::ReadOwnProfile, Resource::Store(store)), Verdict::NotFound);
    for action in [Action::RecordPurchase, Action::LookUpMember, Action::AdjustPoints, Action::ReadMembers] {
        assert_eq!(ask(action, Resource::Member(me)), Verdict::Forbidden, "{action:?}");
    }
}

#[test]
fn a_cashier_sees_only_the_purchases_of_the_store() {
    let (here, there) = (StoreId::new(new_uuid()), StoreId::new(new_uuid()));
    let member = MemberId::new(new_uuid());
    let document = |store| Resource::Document { member, store };
    let cashier = staff(StaffRole::Cashier, Some(here));
    for action in [Action::ReadPurchase, Action::ReadRedemption, Action::SettleRedemption] {
        assert_eq!(may(&cashier, action, &document(Some(here))), Verdict::Allow);
        assert_eq!(may(&cashier, action, &document(Some(there))), Verdict::NotFound);
        assert_eq!(may(&cashier, action, &document(None)), Verdict::NotFound);
        let (manager, admin) = (staff(StaffRole::Manager, Some(here)), staff(StaffRole::Admin, None));
        for store in [None, Some(here), Some(there)] {
            assert_eq!(may(&admin, action, &document(store)), Verdict::Allow);
        }
        assert_eq!(may(&manager, action, &document(None)), Verdict::Allow);
        assert_eq!(may(&manager, action, &document(Some(here))), Verdict::Allow);
    }
    // A manager sees what other stores do, and leaves it alone.
    let manager = staff(StaffRole::Manager, Some(here));
    for action in [Action::ReadPurchase, Action::ReadRedemption] {
        assert_eq!(may(&manager, action, &document(Some(there))), Verdict::Allow);
    }
    for action in [Action::SettleRedemption, Action::MovePurchase] {
        assert_eq!(may(&manager, action, &document(Some(there))), Verdict::NotFound);
        assert_eq!(may(&manager, action, &document(Some(here))), Verdict::Allow);
    }
    assert_eq!(may(&cashier, Action::MovePurchase, &document(Some(here))), Verdict::Forbidden);
    // Goods that lie in no store yet are fetched in any.
    for staff in [&cashier, &manager] {
        assert_eq!(may(staff, Action::FulfilRedemption, &document(None)), Verdict::Allow);
        assert_eq!(may(staff, Action::FulfilRedemption, &document(Some(here))), Verdict::Allow);
        assert_eq!(may(staff, Action::FulfilRedemption, &document(Some(there))), Verdict::NotFound);
    }
    let (own, own_document) = (caller(Kind::Member(member), None), document(None));
    assert_eq!(may(&own, Action::FulfilRedemption, &own_document), Verdict::Forbidden);
    // Whether goods come back to another store is the programme's choice: any till may ask.
    for staff in [&cashier, &manager] {
        assert_eq!(may(staff, Action::ReturnPurchase, &document(Some(there))), Verdict::Allow);
    }
    for action in [Action::ReturnPurchase, Action::SettleRedemption] {
        assert_eq!(may(&caller(Kind::Member(member), None), action, &document(Some(there))), Verdict::Forbidden);
    }
    assert_eq!(may(&cashier, Action::LookUpMember, &Resource::Member(member)), Verdict::Allow);
    assert_eq!(may(&cashier, Action::EnrolMember, &Resource::Programme), Verdict::Allow);
    assert_eq!(may(&cashier, Action::RecordPurchase, &Resource::Store(there)), Verdict::NotFound);
    assert_eq!(may(&staff(StaffRole::Cashier, None), Action::ReadPurchase, &document(None)), Verdict::NotFound);
}

#[test]
fn a_key_does_what_its_scopes_say_where_a_cashier_of_its_store_may() {
    let (here, there) = (StoreId::new(new_uuid()), StoreId::new(new_uuid()));
    let member = MemberId::new(new_uuid());
    let key = |scopes: &[Scope]| {
        caller(Kind::Key(ApiKeyId::new(new_uuid()), scopes.iter().copied().collect::<Scopes>()), Some(here))
    };
    let at = |store| Resource::Document { member, store: Some(store) };
    for (scope, action) in [
        (Scope::MembersRead, Action::LookUpMember),
        (Scope::MembersRead, Action::ReadMemberBalance),
        (Scope::MembersWrite, Action::EnrolMember),
        (Scope::PurchasesRead, Action::ReadPurchase),
        (Scope::PurchasesWrite, Action::RecordPurchase),
        (Scope::PurchasesWrite, Action::ReturnPurchase),
        (Scope::RedemptionsWrite, Action::RedeemForMember),
        (Scope::RedemptionsWrite, Action::SettleRedemption),
        (Scope::EventsWrite, Action::RecordEvent),
    ] {
        let others: Vec<Scope> = Scope::ALL.into_iter().filter(|other| *other != scope).collect();
        assert_eq!(may(&key(&[scope]), action, &at(here)), Verdict::Allow, "{action:?}");
        assert_eq!(may(&key(&others), action, &at(here)), Verdict::Forbidden, "{action:?}");
    }
    let every = key(&Scope::ALL);
    for action in [Action::ReadPurchase, Action::ReadRedemption, Action::SettleRedemption, Action::FulfilRedemption] {
        assert_eq!(may(&every, action, &at(there)), Verdict::NotFound, "{action:?}");
    }
    for action in [
        Action::ManageOwnSession,
        Action::ReadOwnBalance,
        Action::AdjustPoints,
        Action::TopUpWallet,
        Action::RefundWallet,
        Action::TransferForMember,
        Action::MovePurchase,
        Action::ReadMembers,
        Action::ManageIntegrations,
        Action::WriteProgramme,
    ] {
        assert_eq!(may(&every, action, &at(here)), Verdict::Forbidden, "{action:?} is for people");
    }
}

#[test]
fn adjustments_are_decided_where_they_were_asked_for() {
    let (here, there) = (StoreId::new(new_uuid()), StoreId::new(new_uuid()));
    let member = MemberId::new(new_uuid());
    let ask = |role, of, store| may(&staff(role, of), Action::DecideAdjustment, &Resource::Document { member, store });
    assert_eq!(ask(StaffRole::Manager, Some(here), Some(here)), Verdict::Allow);
    assert_eq!(ask(StaffRole::Manager, Some(here), Some(there)), Verdict::NotFound);
    assert_eq!(ask(StaffRole::Manager, Some(here), None), Verdict::NotFound);
    assert_eq!(ask(StaffRole::Cashier, Some(here), Some(here)), Verdict::Forbidden);
    assert_eq!(ask(StaffRole::Admin, None, Some(here)), Verdict::Allow);
    assert_eq!(ask(StaffRole::Admin, None, None), Verdict::Allow);
}

#[test]
fn every_role_has_its_limit() {
    let resource = Resource::Programme;
    let verdicts = |action| {
        let staff = [StaffRole::Cashier, StaffRole::Manager, StaffRole::Admin].map(|role| staff(role, None));
        staff.map(|caller| may(&caller, action, &resource) == Verdict::Allow)
    };
    let of_a_manager = [
        Action::AdjustPoints,
        Action::ChangeMemberTags,
        Action::FreezeMember,
        Action::PlaceTier,
        Action::ReadLedger,
        Action::ReadMembers,
        Action::ReadTickets,
    ];
    for action in of_a_manager {
        assert_eq!(verdicts(action), [false, true, true], "{action:?}");
    }
    let of_an_admin = [
        Action::WriteProgramme,
        Action::WritePromotions,
        Action::WriteCoupons,
        Action::WritePrices,
        Action::WriteSegments,
        Action::WriteStaff,
        Action::WriteStores,
        Action::ReadAudit,
        Action::EraseMember,
        Action::MoveSandboxClock,
    ];
    for action in of_an_admin {
        assert_eq!(verdicts(action), [false, false, true], "{action:?}");
    }
    assert_eq!(verdicts(Action::ReadMemberTags), [true, true, true], "a till knows whom it serves");
    assert_eq!(verdicts(Action::ReadMemberOffers), [true, true, true], "and tells him what he could use");
    for action in [Action::ReadOwnBalance, Action::RedeemOwn, Action::SetOwnPin, Action::ShowOwnCard] {
        assert_eq!(verdicts(action), [false, false, false], "{action:?}: staff have no points here");
    }
    assert_eq!(verdicts(Action::ManageOwnSession), [true, true, true]);
}

#[test]
fn settings_come_from_the_default_the_file_and_the_environment() {
    let scratch = Scratch::new();
    let local = scratch.0.join("local.toml");
    let load = |environment: &[(&str, &str)]| {
        let pairs = environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Settings::load_from(&local, pairs.collect::<HashMap<_, _>>())
    };
    let plain = load(&[("UNRELATED", "1"), ("DATABASE_URL", "")]).unwrap();
    assert_eq!((plain.http.bind.port(), plain.auth.access_ttl_seconds, plain.database.url), (8080, 600, None));
    assert_eq!(plain.auth.keys_dir, Path::new(".tessera/keys"));

    fs::write(&local, "data_dir = \"/srv/t\"\n[http]\nworkers = 3\nbind = \"127.0.0.1:1\"\n").unwrap();
    let environment = [
        ("TESSERA__HTTP__BIND", "[::1]:9000"),
        ("TESSERA__SANDBOX", "true"),
        ("TESSERA__LOG__FORMAT", "json"),
        ("DATABASE_URL", "postgres://app:hush@db/t"),
    ];
    let changed = load(&environment).unwrap();
    assert_eq!((changed.http.bind.port(), changed.http.workers, changed.sandbox), (9000, 3, true));
    assert_eq!(changed.auth.keys_dir, Path::new("/srv/t/keys"));
    assert_eq!(changed.database.url.as_deref(), Some("postgres://app:hush@db/t"));
    assert!(!format!("{changed:?}").contains("hush"), "no password in Debug");

    for (key, value, named) in [
        ("TESSERA__HTTP__BNID", "x", "bnid"),
        ("TESSERA__HTTTP__BIND", "x", "htttp"),
        ("TESSERA__HTTP__WORKERS", "many", "http.workers"),
        ("TESSERA__HTTP__BIND", "localhost", "http.bind"),
        ("TESSERA__HTTP__TRUSTED_PROXIES", "localhost", "http.trusted_proxies"),
        ("TESSERA__LOG__FORMAT", "xml", "log.format"),
        ("TESSERA__AUTH__ACCESS_TTL_SECONDS", "3601", "auth.access_ttl_seconds"),
        ("TESSERA__AUTH__ACCESS_TTL_SECONDS", "0", "auth.access_ttl_seconds"),
        ("TESSERA__DATABASE__POOL_SIZE", "0", "database.pool_size"),
    ] {
        let error = load(&[(key, value)]).unwrap_err().to_string();
        assert!(error.contains(named), "{key}={value}: {error}");
    }
}
