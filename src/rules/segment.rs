//! Segments: groups of members that a condition tells, asked at the moment somebody needs to know and so never
//! out of date (PROGRAMME.md §8). Nobody is put into one: who shall be by hand is given a tag.

use serde::{Deserialize, Serialize};

use crate::command::Context;
use crate::condition::{Condition, Facts, MemberFacts};
use crate::draft::Draft;
use crate::id::MemberId;
use crate::member::State;
use crate::programme::{Problems, Programme};
use crate::promotion::PromotionEffect;
use crate::refusal::Refusal;
use crate::reward::Reward;
use crate::text::Text;
use crate::time::Instant;

/// How many segments a programme may have.
pub const SEGMENTS_MAX: usize = 100;

/// A group of members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// Names the segment, unique among segments.
    pub code: String,
    /// What people see.
    pub name: Text,
    /// Who is in it: a condition on the member and the time, and on no other segment.
    #[serde(rename = "when")]
    pub condition: Condition,
    /// Whether the member is shown that he is in it; staff always are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub visible: bool,
}

impl Segment {
    pub(crate) fn check(&self, at: &str, found: &mut Problems) {
        for problem in self.condition.problems().iter().chain(&self.condition.beyond_member()) {
            found.refuse(true, &format!("{at}/when"), problem.code, &problem.to_string());
        }
    }
}

impl Programme {
    /// Whether a decision needs to know who is in which segment.
    pub fn asks_for_segments(&self) -> bool {
        // Only segments that exist can be asked for; most programmes have none.
        !self.segments.is_empty()
            && (self.promotions.iter().any(|promotion| !promotion.segments.is_empty())
                || self.conditions().any(Condition::reads_segments)
                || self.coupons.iter().any(|coupon| !coupon.segments.is_empty())
                || self.prices.member.iter().any(|price| !price.segments.is_empty())
                || self.rewards.iter().any(Reward::asks_for_segments)
                || self.prices.early_access.iter().any(|window| !window.segments.is_empty()))
    }

    /// Whether a decision on a purchase, or on what else sets promotions off, needs to know the tags of the member.
    pub fn asks_for_tags(&self) -> bool {
        let changes =
            |effect: &PromotionEffect| matches!(effect, PromotionEffect::Tag { .. } | PromotionEffect::Untag { .. });
        self.promotions.iter().any(|promotion| !promotion.tags.is_empty() || changes(&promotion.effect))
            || self.conditions().chain(self.segment_conditions()).any(Condition::reads_tags)
    }

    /// Whether it needs to know his birth date.
    pub fn asks_for_birthday(&self) -> bool {
        self.conditions_of_purchases().chain(self.segment_conditions()).any(Condition::reads_birthday)
    }

    /// Whether it needs to know anything of what conditions may ask.
    pub(crate) fn asks_for_facts(&self) -> bool {
        self.conditions_of_purchases().next().is_some() || self.asks_for_tags() || self.asks_for_segments()
    }

    /// The conditions of segments, where somebody asks for segments.
    fn segment_conditions(&self) -> impl Iterator<Item = &Condition> {
        let segments = if self.asks_for_segments() { &self.segments[..] } else { &[] };
        segments.iter().map(|segment| &segment.condition)
    }

    /// The codes of the segments that a member is in, in the order of the programme.
    pub fn segments_of(&self, facts: &Facts) -> Vec<String> {
        let inside = self.segments.iter().filter(|segment| segment.condition.met(facts));
        inside.map(|segment| segment.code.clone()).collect()
    }

    /// Notes the codes of a list that name no segment.
    pub(crate) fn check_segments(&self, codes: &[String], at: &str, found: &mut Problems) {
        for (i, code) in codes.iter().enumerate() {
            let known = self.segments.iter().any(|segment| &segment.code == code);
            found.refuse(!known, &format!("{at}/{i}"), "unknown_segment", "no segment has this code");
        }
    }
}

/// A member as conditions see him now, where nothing is bought. The state must be loaded as for
/// [`crate::Command::Settle`], with his birth date and his tags.
///
/// # Errors
/// There is no such member, or he was merged into another.
pub fn facts_now(programme: &Programme, state: &State, member: MemberId, context: &Context) -> Result<Facts, Refusal> {
    let mut draft = Draft::linked(programme, context, state, member)?;
    draft.refuse_merged()?;
    draft.each(&mut Draft::settle)?;
    Ok(Facts::of_member(draft.member_facts(draft.at), draft.zone().local(draft.at)))
}

/// Whether two lists have something in common.
pub(crate) fn shares<A: AsRef<str>>(a: &[A], b: &[String]) -> bool {
    a.iter().any(|a| b.iter().any(|b| a.as_ref() == b))
}

impl Draft<'_> {
    /// The segments the member was in at an instant, as far as the programme asks.
    pub(crate) fn segments_at(&self, at: Instant) -> Vec<String> {
        if self.programme.asks_for_segments() { self.member_facts(at).segments } else { Vec::new() }
    }

    /// The member as conditions see him at an instant, as far as the programme asks.
    pub(crate) fn member_facts(&self, at: Instant) -> MemberFacts {
        let (rank, local) = (self.tier_at(at), self.zone().local(at));
        let tier = (self.programme.tier(rank).code.as_str(), rank);
        let (standing, birth) = (&self.member.standing, self.member.birth_date);
        let mut member = MemberFacts::of(standing, self.balance(), tier, (self.zone(), local.date()), birth);
        member.tags = self.member.tags.at(at).map(|held| held.tag.into()).collect();
        if self.programme.asks_for_segments() {
            member = self.in_segments(member, at);
        }
        member
    }

    fn in_segments(&self, member: MemberFacts, at: Instant) -> MemberFacts {
        let facts = Facts::of_member(member, self.zone().local(at));
        let segments = self.programme.segments_of(&facts);
        MemberFacts { segments, ..facts.member }
    }
}
