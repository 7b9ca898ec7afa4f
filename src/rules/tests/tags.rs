//! Tags: put on and taken off, what a purchase sees of them, and segments that ask for them.

use tessera_rules::command::{ChangeTag, Merge, Redeemed};
use tessera_rules::condition::Condition;
use tessera_rules::promotion::{Miss, PromotionEffect};
use tessera_rules::reward::{EarlyOffer, Reward};
use tessera_rules::segment::Segment;
use tessera_rules::tag::{TAGS_MAX, Tag, TagStep};
use tessera_rules::{Command, MemberState, Outcome, Programme, Refusal, Standing};
use uuid::Uuid;

use crate::support::{Desk, at, day, level, points, programme, promotion};

fn tag(text: &str) -> Tag {
    text.parse().expect("a tag")
}

fn put(until: Option<&str>) -> TagStep {
    TagStep::Put { until: until.map(at) }
}

impl Desk {
    fn tagged(&mut self, name: &str, step: TagStep) -> Result<Vec<String>, Refusal> {
        match self.run(&Command::Tag(ChangeTag { tag: tag(name), step }))? {
            Outcome::Tags(held) => Ok(held.iter().map(|held| held.tag.to_string()).collect()),
            other => panic!("not tags: {other:?}"),
        }
    }

    /// Why the first promotion missed a purchase; nothing where it applied.
    fn missed(&mut self) -> Option<Miss> {
        self.buy(1_000).explanation.promotions[0].missed
    }
}

fn gift(change: impl FnOnce(&mut tessera_rules::promotion::Promotion)) -> Programme {
    let mut gift = promotion("gift", 0, PromotionEffect::Add { points: points(5) });
    change(&mut gift);
    Programme { promotions: vec![gift], ..programme() }
}

fn segment(code: &str, when: &str) -> Segment {
    Segment { code: code.to_owned(), name: code.into(), condition: Condition::new(when), visible: false }
}

#[test]
fn a_tag_is_a_short_code() {
    for (text, right) in [("vip", Some("vip")), (" VIP ", Some("vip")), ("allergy_nuts", Some("allergy_nuts"))] {
        assert_eq!(text.parse::<Tag>().ok().map(|tag| tag.to_string()).as_deref(), right);
    }
    for text in ["", " ", "a b", "坚果", "a.b", &"x".repeat(33)] {
        assert!(text.parse::<Tag>().is_err(), "{text}");
    }
}

#[test]
fn a_tag_counts_from_when_it_is_put_on_until_it_is_over_or_taken_off() {
    let mut desk = Desk::new(gift(|gift| gift.tags = vec![tag("vip"), tag("press")]));
    assert_eq!(desk.missed(), Some(Miss::Tag));
    assert_eq!(desk.tagged("vip", put(None)).unwrap(), ["vip"]);
    assert_eq!(desk.missed(), None);
    let changes = desk.effects.len();
    assert_eq!(desk.tagged("vip", put(None)).unwrap(), ["vip"], "again");
    assert!(!desk.effects[changes..].iter().any(|effect| format!("{effect:?}").starts_with("Tag")), "no change");
    assert_eq!(desk.at("2025-01-10T00:00:00Z").tagged("vip", put(Some("2025-02-01T00:00:00Z"))).unwrap(), ["vip"]);
    assert_eq!(desk.at("2025-01-31T23:59:59Z").missed(), None);
    assert_eq!(desk.at("2025-02-01T00:00:00Z").missed(), Some(Miss::Tag));
    assert_eq!(desk.tagged("press", put(None)).unwrap(), ["press"], "what is over is not there");
    assert_eq!(desk.missed(), None);
    assert_eq!(desk.tagged("press", TagStep::TakeOff).unwrap(), [""; 0]);
    assert_eq!(desk.missed(), Some(Miss::Tag));
    assert_eq!(desk.tagged("press", TagStep::TakeOff).unwrap(), [""; 0], "who has it not stays as he is");
    assert_eq!(desk.tagged("vip", put(Some("2025-01-01T00:00:00Z"))), Err(Refusal::TagOver));
    for i in 0..TAGS_MAX {
        desk.tagged(&format!("t{i}"), put(None)).unwrap();
    }
    assert_eq!(desk.tagged("one-more", put(None)), Err(Refusal::TooManyTags));
    desk.tagged("t7", put(Some("2026-01-01T00:00:00Z"))).expect("he has it already");
    desk.tagged("t8", TagStep::TakeOff).unwrap();
    desk.tagged("one-more", put(None)).unwrap();
}

/// A late purchase is asked as of when it happened, and what was decided at the instant of a change before it
/// does not see it.
#[test]
fn a_purchase_sees_the_tags_of_its_own_time() {
    let mut desk = Desk::new(gift(|gift| gift.tags = vec![tag("vip")]));
    let late = |desk: &mut Desk, when: &str| desk.buy_late(100, when).explanation.promotions[0].missed;
    desk.at("2025-03-02T12:00:00Z").tagged("vip", put(Some("2025-03-04T00:00:00Z"))).unwrap();
    desk.at("2025-03-05T12:00:00Z").tagged("vip", put(None)).unwrap();
    desk.at("2025-03-06T12:00:00Z").tagged("vip", TagStep::TakeOff).unwrap();
    desk.at("2025-03-10T12:00:00Z");
    for (when, wanted) in [
        ("2025-03-02T12:00:00Z", Some(Miss::Tag)),
        ("2025-03-02T12:00:00.000001Z", None),
        ("2025-03-03T23:59:59Z", None),
        ("2025-03-04T00:00:00Z", Some(Miss::Tag)),
        ("2025-03-05T13:00:00Z", None),
        ("2025-03-06T13:00:00Z", Some(Miss::Tag)),
    ] {
        assert_eq!(late(&mut desk, when), wanted, "{when}");
    }
}

#[test]
fn a_segment_is_whoever_meets_its_condition_now() {
    let segments = vec![
        segment("spenders", "member.window_spend >= 3000 || \"vip\" in member.tags"),
        segment("new", "member.days_enrolled < 5"),
    ];
    let mut plain = Programme { segments: segments.clone(), ..gift(|gift| gift.segments = vec!["spenders".into()]) };
    assert!(plain.asks_for_tags() && plain.asks_for_segments());
    let mut desk = Desk::new(plain.clone());
    assert_eq!(desk.missed(), Some(Miss::Segment), "before the purchase");
    desk.tagged("vip", put(None)).unwrap();
    assert_eq!(desk.missed(), None);
    desk.tagged("vip", TagStep::TakeOff).unwrap();
    assert_eq!(desk.missed(), Some(Miss::Segment));
    assert_eq!(desk.missed(), None, "30.00 are spent");

    let when = "\"new\" in member.segments && member.segments.exists(s, s != \"spenders\")";
    let by_condition = Programme { segments, ..gift(|gift| gift.condition = Some(Condition::new(when))) };
    let mut desk = Desk::new(by_condition);
    assert_eq!(desk.missed(), None);
    assert_eq!(desk.at("2025-01-06T00:00:00Z").missed(), Some(Miss::Condition));

    plain.promotions[0].segments = vec!["spenders".into(), "nobody".into()];
    plain.promotions[0].condition = Some(Condition::new("true && \"spender\" in member.segments"));
    plain.segments.push(segment("loop", "\"new\" in member.segments"));
    plain.segments.push(segment("basket", "member.purchases > 1 && purchase.amount > 100"));
    let problems = plain.problems();
    let told: Vec<_> = problems.iter().map(|one| (one.pointer.as_str(), one.code, one.detail.as_str())).collect();
    let no_other = "a segment asks for `member` and `now`, and for no other segment";
    assert_eq!(
        told,
        [
            (
                "/segments/2/when",
                "not_for_segments",
                &*format!("line 1, column 10: `member.segments` is not for a segment; {no_other}")
            ),
            (
                "/segments/3/when",
                "not_for_segments",
                &*format!("line 1, column 25: `purchase.amount` is not for a segment; {no_other}")
            ),
            ("/promotions/0/segments/1", "unknown_segment", "no segment has this code"),
            (
                "/promotions/0/when",
                "unknown_segment",
                "line 1, column 9: there is no segment `spender`; did you mean `spenders`?"
            ),
        ]
    );
}

/// A reward may be for segments, and opens for some before its first day.
#[test]
fn a_reward_opens_for_some_first() {
    let mut plain = programme();
    plain.tiers.levels = vec![level("base", 0, "1"), level("gold", 100, "1")];
    plain.segments = vec![segment("press", "\"press\" in member.tags")];
    let mut mug = Reward::goods("mug", "Mug".into(), points(1));
    mug.from = Some(day("2025-02-01"));
    mug.to = Some(day("2025-02-28"));
    let early = |tier: Option<&str>, segments: &[&str]| EarlyOffer {
        from: day("2025-01-20"),
        minimum_tier: tier.map(str::to_owned),
        segments: segments.iter().map(|code| (*code).to_owned()).collect(),
    };
    mug.early_access = Some(early(Some("gold"), &["press"]));
    plain.rewards = vec![mug.clone()];
    let press = ["press".to_owned()];
    for (tier, segments, on, wanted) in [
        (0, &[][..], "2025-01-31", false),
        (0, &[], "2025-02-01", true),
        (1, &[], "2025-01-19", false),
        (1, &[], "2025-01-20", true),
        (0, &press, "2025-01-20", true),
        (1, &press, "2025-03-01", false),
    ] {
        assert_eq!(mug.offered_to(&plain, tier, segments, day(on)), wanted, "{tier} {segments:?} {on}");
    }
    let mut desk = Desk::new(plain.clone());
    desk.at("2025-01-25T00:00:00Z").buy(1_000);
    let redeem = |desk: &mut Desk| desk.redeem(Redeemed::Reward("mug".to_owned()), None).map(|_| ());
    assert_eq!(redeem(&mut desk), Err(Refusal::RewardNotOffered));
    desk.tagged("press", put(None)).unwrap();
    assert_eq!(redeem(&mut desk), Ok(()));
    desk.programme.rewards[0].segments = vec!["press".to_owned()];
    desk.tagged("press", TagStep::TakeOff).unwrap();
    assert_eq!(
        desk.at("2025-02-02T00:00:00Z").redeem(Redeemed::Reward("mug".to_owned()), None).err(),
        Some(Refusal::RewardNotOffered)
    );
    plain.rewards[0].early_access = Some(EarlyOffer { from: day("2025-02-01"), ..early(None, &[]) });
    let pointers: Vec<String> = plain.problems().into_iter().map(|one| one.pointer).collect();
    assert_eq!(pointers, ["/rewards/0/early_access/from", "/rewards/0/early_access/minimum_tier"]);
}

#[test]
fn a_channel_is_asked_for_by_name() {
    let mut desk = Desk::new(gift(|gift| gift.channels = vec!["web".into(), "app".into()]));
    for (channel, wanted) in [(None, Some(Miss::Channel)), (Some("shop"), Some(Miss::Channel)), (Some("app"), None)] {
        let mut receipt = desk.receipt(100);
        receipt.channel = channel.map(str::to_owned);
        let bought = desk.purchase(receipt).expect("the purchase is taken");
        assert_eq!(bought.explanation.promotions[0].missed, wanted, "{channel:?}");
    }
}

/// Tags go along with the person: of two with one name the one that lasts longer.
#[test]
fn who_stays_inherits_the_tags_of_a_merged_account() {
    let mut desk = Desk::new(programme());
    desk.tagged("vip", put(None)).unwrap();
    desk.tagged("press", put(Some("2025-06-01T00:00:00Z"))).unwrap();
    desk.tagged("old", put(Some("2025-02-01T00:00:00Z"))).unwrap();
    let (goes, stays) = (desk.member, tessera_rules::id::MemberId::new(Uuid::from_u128(8)));
    desk.state.members.insert(stays, MemberState::new(Standing::new(stays, desk.now)));
    desk.member = stays;
    desk.tagged("press", put(Some("2025-05-01T00:00:00Z"))).unwrap();
    desk.tagged("own", put(None)).unwrap();
    desk.member = goes;
    desk.at("2025-03-01T00:00:00Z").run(&Command::Merge(Merge { into: stays })).expect("they are one");
    desk.member = stays;
    assert_eq!(desk.tagged("own", put(None)).unwrap(), ["own", "press", "vip"]);
    let press = desk.member().tags.held(&tag("press"), at("2025-05-02T00:00:00Z")).expect("it lasts");
    assert_eq!(press.until, Some(at("2025-06-01T00:00:00Z")));
}
