//! Promotions that something else than a purchase sets off, and what promotions give beside points (PROGRAMME.md §8).

use tessera_rules::command::{PlaceTier, Redeemed, ReturnedGoods};
use tessera_rules::decision::Effect;
use tessera_rules::event::{AttributeType, AttributeValue, EventOutcome, Happened};
use tessera_rules::gift::{Issued, Message};
use tessera_rules::id::{MemberEventId, StoreId};
use tessera_rules::perk::PerkGift;
use tessera_rules::promotion::Miss;
use tessera_rules::{Command, Context, Outcome, Programme, Refusal};
use uuid::Uuid;

use crate::support::{Desk, at, level, points};

/// One promotion for every trigger, and a coupon for baskets.
const PLAN: &str = r#"
name = "Test"
currency = "CNY"
time_zone = "UTC"
earning = { rate = { points = 1, per = 100 } }

[[events]]
code = "app"
name = "App installed"
attributes = { platform = "string", friends = "integer", beta = "boolean" }

[[coupons]]
code = "five"
name = "5 off"
discount = { off = { kind = "amount", amount = 500 } }
valid_days = 30

[[coupons]]
code = "past"
name = "Over"
discount = { off = { kind = "amount", amount = 500 } }
to = "2024-12-31"

[[rewards]]
code = "cake"
name = "Cake"
points = 900

[[promotions]]
code = "hello"
name = "Hello"
trigger = { kind = "enrolment" }
effect = { kind = "coupon", coupon = "five" }

[[promotions]]
code = "cake-day"
name = "Cake"
trigger = { kind = "birthday", before_days = 3, after_days = 3 }
effect = { kind = "reward", reward = "cake", days = 7 }
tiers = ["gold"]

[[promotions]]
code = "up"
name = "Up"
trigger = { kind = "tier_change", direction = "up", to = "gold" }
effect = { kind = "add", points = 100 }
expiry = { policy = "after", months = 1 }

[[promotions]]
code = "down"
name = "Down"
trigger = { kind = "tier_change", direction = "down" }
effect = { kind = "message", text = { en = "{name}, you are {tier} now, with {points} points", zh = "{name}，您现为{tier}" } }

[[promotions]]
code = "back"
name = "Come back"
trigger = { kind = "lapse", days = 60 }
effect = { kind = "multiplier", multiplier = 2, days = 10 }

[[promotions]]
code = "friends"
name = "Friends"
trigger = { kind = "event", event = "app" }
effect = { kind = "add", points = 40 }
when = 'event.friends >= 2 && event.platform != "web" && !event.beta && member.tier_rank >= 0'
limits = { per_member_per_day = 2, total = 4, budget_points = 150 }

[[promotions]]
code = "guest"
name = "Guest"
trigger = { kind = "event", event = "app" }
effect = { kind = "tag", tag = "guest", days = 2 }
when = "event.friends == 7"

[[promotions]]
code = "no-guest"
name = "No guest"
trigger = { kind = "event", event = "app" }
effect = { kind = "untag", tag = "guest" }
when = '"guest" in member.tags && event.friends == 8'

[[promotions]]
code = "big"
name = "Big basket"
effect = { kind = "coupon", coupon = "five" }
minimum_spend = 20000
limits = { per_member = 2 }
"#;

fn plan() -> Programme {
    let mut plan: Programme = toml::from_str(PLAN).expect("a programme");
    plan.tiers.levels = vec![level("base", 0, "1"), level("gold", 300, "1")];
    plan.tiers.window = tessera_rules::tier::Window::Rolling { days: 100 };
    plan
}

/// A desk at which coupons can be issued.
struct Shop {
    desk: Desk,
    drawn: u8,
}

impl Shop {
    fn new(plan: Programme) -> Self {
        Self { desk: Desk::new(plan), drawn: 0 }
    }

    fn run(&mut self, now: &str, command: &Command) -> Result<Outcome, Refusal> {
        self.desk.now = at(now);
        self.drawn += 1;
        let context = Context { seed: Some([self.drawn; 32]), ..self.desk.context() };
        let desk = &mut self.desk;
        let decision = tessera_rules::decide(&desk.programme, &desk.state, desk.member, command, &context)?;
        desk.state.enact(desk.member, &decision).expect("what was decided can be applied");
        desk.effects.extend(decision.effects);
        Ok(decision.outcome)
    }

    fn granted(&mut self, now: &str) -> Vec<String> {
        match self.run(now, &Command::GrantPerks).expect("granting is never refused") {
            Outcome::Perks(codes) => codes,
            other => panic!("not perks: {other:?}"),
        }
    }

    fn event(&mut self, now: &str, said: &[(&str, AttributeValue)]) -> Result<EventOutcome, Refusal> {
        let happened = Happened {
            id: MemberEventId::new(self.desk.id()),
            code: "app".to_owned(),
            occurred_at: None,
            attributes: said.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            store: StoreId::new(Uuid::from_u128(1)),
            store_code: "s1".to_owned(),
        };
        match self.run(now, &Command::Event(Box::new(happened)))? {
            Outcome::Event(outcome) => Ok(*outcome),
            other => panic!("not an event: {other:?}"),
        }
    }

    fn issued(&self) -> Vec<&Issued> {
        let mut issued = Vec::new();
        for effect in &self.desk.effects {
            if let Effect::IssueCoupon(one) = effect {
                issued.push(one);
            }
        }
        issued
    }
}

fn friends(count: i64) -> [(&'static str, AttributeValue); 1] {
    [("friends", AttributeValue::Integer(count))]
}

#[test]
fn an_enrolment_gives_its_coupon_once() {
    let mut shop = Shop::new(plan());
    assert_eq!(shop.granted("2025-01-01T10:00:00Z"), ["promotion:hello"]);
    assert_eq!(shop.granted("2025-01-02T00:00:00Z").len(), 0);
    let issued = shop.issued();
    let [Issued { coupon, by, document: None }] = issued[..] else { panic!("{issued:?}") };
    assert_eq!((by.as_str(), coupon.of.as_str(), coupon.owner), ("promotion:hello", "five", Some(shop.desk.member)));
    assert_eq!((coupon.code.len(), coupon.until), (16, Some(at("2025-02-01T00:00:00Z"))));
    // Where a night was missed it is made up for, but not for ever; and a preview draws no code.
    assert_eq!(Shop::new(plan()).granted("2025-01-02T00:00:00Z").len(), 1);
    assert_eq!(Shop::new(plan()).granted("2025-01-03T00:00:00Z").len(), 0);
    let mut desk = Desk::new(plan());
    desk.grant_perks();
    assert!(!desk.effects.iter().any(|effect| matches!(effect, Effect::IssueCoupon(_))));
    // What could never be used is not given.
    let mut over = plan();
    over.promotions[0].effect = tessera_rules::promotion::PromotionEffect::Coupon { coupon: "past".to_owned() };
    assert_eq!(Shop::new(over).granted("2025-01-01T10:00:00Z").len(), 0);
}

#[test]
fn a_birthday_gives_a_cake_to_gold() {
    let mut shop = Shop::new(plan());
    shop.desk.member().birth_date = Some("--03-05".parse().expect("a birth date"));
    assert_eq!(shop.granted("2025-03-02T00:00:00Z").len(), 0, "not gold yet");
    shop.desk.at("2025-03-03T10:00:00Z").buy(30_000);
    let cake = || Redeemed::Reward("cake".to_owned());
    assert_eq!(shop.granted("2025-03-04T00:00:00Z"), ["promotion:cake-day"]);
    assert_eq!(shop.granted("2025-03-05T00:00:00Z").len(), 0);
    let redeemed = shop.desk.at("2025-03-11T23:00:00Z").redeem(cake(), None).expect("seven days after");
    assert_eq!((redeemed.points, redeemed.perk.as_deref()), (points(0), Some("promotion:cake-day")));
    assert!(shop.desk.redeem(cake(), None).is_err(), "once");
}

#[test]
fn each_change_of_tier_is_an_occasion() {
    let mut shop = Shop::new(plan());
    let bought = shop.desk.at("2025-01-10T10:00:00Z").buy(30_000);
    let gifts: Vec<&str> = bought.gifts.iter().map(|given| given.by.as_str()).collect();
    assert_eq!((gifts, bought.balance.available), (vec!["promotion:big", "promotion:up"], points(400)), "at once");
    let lot = shop.desk.state.members[&shop.desk.member].lots.values().last().copied().expect("a lot");
    assert_eq!((lot.points, lot.expires_at), (points(100), Some(at("2025-02-11T00:00:00Z"))), "by its own rule");
    assert_eq!(shop.granted("2025-01-11T00:00:00Z").len(), 0);
    // It falls, and is told so; it rises again, which is another occasion.
    assert_eq!(shop.granted("2025-04-20T00:00:00Z"), ["promotion:down"]);
    let told = shop.desk.effects.iter().find_map(|e| if let Effect::Message(m) = e { Some(m.clone()) } else { None });
    let Some(Message { text, .. }) = told else { panic!("nothing was told") };
    assert_eq!(text.en, "{name}, you are Member now, with 300 points");
    assert_eq!(text.zh.as_deref(), Some("{name}，您现为Member"));
    let place = PlaceTier { tier: "gold".to_owned(), until: at("2026-06-01T00:00:00Z"), reason: "so".to_owned() };
    shop.run("2025-05-01T10:00:00Z", &Command::PlaceTier(place)).expect("placed");
    let grants: Vec<(String, i32)> =
        shop.desk.member().grants.iter().map(|grant| (grant.perk.clone(), grant.occasion)).collect();
    let known = [("promotion:up", 1_000_000_001), ("promotion:down", 1_000_000_002), ("promotion:up", 1_000_000_003)];
    assert_eq!(grants, known.map(|(by, number)| (by.to_owned(), number)));
}

#[test]
fn a_lapse_doubles_what_comes_after() {
    let mut shop = Shop::new(plan());
    shop.desk.at("2025-02-01T10:00:00Z").buy(1_000);
    assert_eq!(shop.granted("2025-04-01T23:00:00Z").len(), 0);
    assert_eq!(shop.granted("2025-04-02T00:00:00Z"), ["promotion:back"]);
    let buy = |shop: &mut Shop, now: &str| shop.desk.at(now).buy(1_000).given;
    assert_eq!(buy(&mut shop, "2025-04-12T23:00:00Z"), points(20), "ten days after");
    assert_eq!(buy(&mut shop, "2025-04-13T00:00:00Z"), points(10));
    assert_eq!(shop.granted("2025-06-12T00:00:00Z"), ["promotion:back"], "another last purchase");
}

#[test]
fn an_event_gives_within_its_limits() {
    let mut shop = Shop::new(plan());
    let missed = |outcome: &EventOutcome| match &outcome.promotions[..] {
        [(code, given), ..] if code == "friends" => given.clone().err(),
        other => panic!("{other:?}"),
    };
    let web = [("friends", AttributeValue::Integer(9)), ("platform", AttributeValue::String("web".to_owned()))];
    let first = shop.event("2025-01-05T10:00:00Z", &friends(1)).expect("recorded");
    assert_eq!((missed(&first), first.points, first.record.number), (Some(Miss::Condition), points(0), 1));
    assert_eq!(missed(&shop.event("2025-01-05T10:00:00Z", &web).expect("recorded")), Some(Miss::Condition));
    for (now, expected) in [
        ("2025-01-05T10:00:00Z", Ok(40)),
        ("2025-01-05T11:00:00Z", Ok(40)),
        ("2025-01-05T12:00:00Z", Err(Miss::DayLimit)),
        ("2025-01-06T10:00:00Z", Ok(40)),
        // 30 of 150 are left.
        ("2025-01-06T11:00:00Z", Ok(30)),
        ("2025-01-07T11:00:00Z", Err(Miss::TotalLimit)),
    ] {
        let outcome = shop.event(now, &friends(2)).expect("recorded");
        assert_eq!(missed(&outcome).map_or(Ok(outcome.points.get()), Err), expected, "{now}");
    }
    assert_eq!(shop.desk.standing().available, points(150));
    let usage = shop.desk.state.shared.promotions_used["friends"];
    assert_eq!((usage.uses, usage.points, shop.desk.member().events), (4, 150, 8));
    let occasions: Vec<i32> = shop.desk.member().grants.iter().map(|grant| grant.occasion).collect();
    assert_eq!(occasions, [1_000_003, 1_000_004, 1_000_006, 1_000_007]);
}

#[test]
fn an_event_puts_a_tag_on_and_takes_it_off() {
    let mut shop = Shop::new(plan());
    let tags = |shop: &mut Shop, now: &str| -> Vec<String> {
        shop.desk.member().tags.at(at(now)).map(|held| held.tag.to_string()).collect()
    };
    shop.event("2025-01-05T10:00:00Z", &friends(7)).expect("recorded");
    assert_eq!(tags(&mut shop, "2025-01-07T23:59:59Z"), ["guest"], "two days after");
    assert_eq!(tags(&mut shop, "2025-01-08T00:00:00Z").len(), 0);
    let off = shop.event("2025-01-06T10:00:00Z", &friends(8)).expect("recorded");
    assert!(off.promotions[2].1.is_ok(), "{off:?}");
    assert_eq!(tags(&mut shop, "2025-01-06T11:00:00Z").len(), 0);
    let off = shop.event("2025-01-06T12:00:00Z", &friends(8)).expect("recorded");
    assert_eq!(off.promotions[2].1, Err(Miss::Condition), "he has it no more");
}

#[test]
fn an_event_says_what_is_declared() {
    let mut shop = Shop::new(plan());
    let text = |length| AttributeValue::String("x".repeat(length));
    let known: [(&str, AttributeValue, bool); 8] = [
        ("friends", AttributeValue::Integer(999_999_999_999_999), true),
        ("friends", AttributeValue::Integer(1_000_000_000_000_000), false),
        ("friends", text(1), false),
        ("platform", text(200), true),
        ("platform", text(201), false),
        ("beta", AttributeValue::Boolean(true), true),
        ("beta", AttributeValue::Integer(1), false),
        ("colour", text(1), false),
    ];
    for (name, value, admitted) in known {
        let refused = shop.event("2025-01-05T10:00:00Z", &[(name, value.clone())]).err();
        assert_eq!(refused.is_none(), admitted, "{name} {value:?}: {refused:?}");
    }
    shop.desk.programme.events.clear();
    let unknown = shop.event("2025-01-05T10:00:00Z", &friends(2));
    assert_eq!(unknown.err(), Some(Refusal::EventUnknown("app".to_owned())));
}

#[test]
fn a_basket_gives_a_coupon_that_goes_back_with_it() {
    let mut baskets = plan();
    baskets.promotions.retain(|promotion| promotion.code == "big");
    let mut shop = Shop::new(baskets);
    let buy = |shop: &mut Shop, amount| {
        let receipt = shop.desk.receipt(amount);
        let outcome = match shop.run("2025-01-05T10:00:00Z", &Command::Purchase(receipt)).expect("bought") {
            Outcome::Purchase(outcome) => *outcome,
            other => panic!("{other:?}"),
        };
        let record = shop.desk.effects.iter().rev().find_map(|effect| match effect {
            Effect::Purchase(record) => Some(record.clone()),
            _ => None,
        });
        let lots = outcome.lots.iter().map(|lot| lot.number).collect();
        let why = outcome.explanation.clone();
        let record = record.expect("a record");
        let sold = tessera_rules::returns::Sold::new(&record, outcome.recorded_at, why, lots);
        shop.desk.member().sales.insert(outcome.id, sold);
        outcome
    };
    assert_eq!(buy(&mut shop, 19_999).gifts, []);
    let bought = buy(&mut shop, 20_000);
    let [given] = &bought.gifts[..] else { panic!("{:?}", bought.gifts) };
    assert_eq!(given.gift, PerkGift::Coupon { coupon: "five".to_owned() });
    let issued = shop.issued();
    let [Issued { coupon, document, .. }] = issued[..] else { panic!("{issued:?}") };
    assert_eq!((given.coupon.as_ref(), *document), (Some(&coupon.code), Some(bought.id.uuid())));
    assert_ne!(buy(&mut shop, 20_000).gifts[0].coupon, given.coupon);
    let third = buy(&mut shop, 20_000);
    assert_eq!((third.gifts.len(), third.explanation.promotions[0].missed), (0, Some(Miss::MemberLimit)));

    let revoked = |shop: &Shop| {
        let by = |effect: &Effect| match effect {
            Effect::RevokeCoupons { document, by } => Some((*document, by.clone())),
            _ => None,
        };
        shop.desk.effects.iter().filter_map(by).collect::<Vec<_>>()
    };
    shop.desk.now = at("2025-01-06T10:00:00Z");
    shop.desk.take_back(third.id, ReturnedGoods::All).expect("taken back");
    assert_eq!(revoked(&shop), [], "it had given none");
    shop.desk.take_back(bought.id, ReturnedGoods::All).expect("taken back");
    assert_eq!(revoked(&shop), [(bought.id.uuid(), "promotion:big".to_owned())]);
    let bought = buy(&mut shop, 20_000);
    assert_eq!(bought.gifts.len(), 1, "what came back whole is not counted");
}

type Break = fn(&mut Programme);

/// Each with the first problem it is refused for.
const BREAKS: [(Break, &str); 15] = [
    (|p| set(p, 0, r#"stores = ["s1"]"#), "/promotions/0/stores not_for_trigger"),
    (|p| set(p, 0, r#"categories = ["food"]"#), "/promotions/0/categories not_for_trigger"),
    (|p| set(p, 0, "minimum_spend = 5"), "/promotions/0/minimum_spend not_for_trigger"),
    (|p| set(p, 0, "first_purchase = true"), "/promotions/0/first_purchase not_for_trigger"),
    (|p| set(p, 0, "limits = { budget_points = 5 }"), "/promotions/0/limits/budget_points gives_no_points"),
    (|p| set(p, 0, r#"effect = { kind = "multiply", by = 2 }"#), "/promotions/0/effect/kind not_for_trigger"),
    (|p| set(p, 0, r#"effect = { kind = "coupon", coupon = "moon" }"#), "/promotions/0/effect/coupon unknown_coupon"),
    (
        |p| set(p, 1, r#"schedule = { hours = [{ from = "10:00", to = "11:00" }] }"#),
        "/promotions/1/schedule/hours not_for_trigger",
    ),
    (
        |p| set(p, 1, r#"trigger = { kind = "birthday", before_days = 181 }"#),
        "/promotions/1/trigger/before_days out_of_range",
    ),
    (|p| set(p, 2, r#"trigger = { kind = "tier_change", to = "iron" }"#), "/promotions/2/trigger/to unknown_tier"),
    (
        |p| set(p, 3, r#"effect = { kind = "message", text = "{surname}" }"#),
        "/promotions/3/effect/text unknown_placeholder",
    ),
    (|p| set(p, 4, r#"trigger = { kind = "lapse", days = 0 }"#), "/promotions/4/trigger/days out_of_range"),
    (|p| set(p, 5, r#"trigger = { kind = "event", event = "moon" }"#), "/promotions/5/trigger/event unknown_event"),
    (
        |p| set(p, 8, r#"effect = { kind = "reward", reward = "cake", days = 1 }"#),
        "/promotions/8/effect/kind not_for_trigger",
    ),
    (
        |p| {
            p.events[0].attributes.insert("A b".to_owned(), AttributeType::String);
        },
        "/events/0/attributes/A b attribute_invalid",
    ),
];

/// Says something else of a promotion.
fn set(programme: &mut Programme, at: usize, said: &str) {
    let mut promotion = toml::Value::try_from(&programme.promotions[at]).expect("a promotion");
    let more: toml::Table = said.parse().expect("a field");
    let fields = promotion.as_table_mut().expect("a table");
    fields.extend(more);
    programme.promotions[at] = promotion.try_into().expect("a promotion");
}

#[test]
fn what_fits_no_trigger_is_refused() {
    assert_eq!(plan().problems(), []);
    for (break_it, expected) in BREAKS {
        let mut broken = plan();
        break_it(&mut broken);
        let found: Vec<String> = broken.problems().iter().map(|p| format!("{} {}", p.pointer, p.code)).collect();
        assert_eq!(found.first().map(String::as_str), Some(expected), "{found:?}");
    }
}

/// What a condition may name depends on what it is asked of.
#[test]
fn conditions_know_what_they_are_asked_of() {
    for (at, when, said) in [
        (0, "purchase.amount > 5", Some("there is no `purchase`")),
        (0, "lines.exists(l, l.amount > 5)", Some("there is no `lines`")),
        (0, "event.friends > 1", Some("there is no `event`")),
        (0, "member.tier_rank > 0 && now.hour < 12", None),
        (5, "event.friends > 1 && event.platform.startsWith(\"i\") || event.beta", None),
        (5, "event.colour == \"red\"", Some("`event` has no `colour`")),
        (5, "event.friends == \"2\"", Some("a whole number")),
        (5, "event", Some("`event` has no value of its own")),
        (5, "count(lines) > 1", Some("there is no `lines`")),
        (8, "event.friends > 1", Some("there is no `event`")),
        (8, "purchase.amount > 5", None),
    ] {
        let mut asking = plan();
        asking.promotions[at].condition = Some(when.to_owned().into());
        let problems = asking.problems();
        let told = problems.first().map(|problem| problem.detail.as_str());
        match said {
            None => assert_eq!(told, None, "{when}"),
            Some(said) => assert!(told.is_some_and(|told| told.contains(said)), "{when}: {told:?}"),
        }
    }
    // The same text, and an event that declares otherwise: it is checked anew.
    let mut other = plan();
    other.problems();
    other.events[0].attributes.remove("friends");
    assert!(!other.problems().is_empty());
}
