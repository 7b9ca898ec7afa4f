//! Tags: short codes that staff, integrations and promotions put on members and take off (PROGRAMME.md §8),
//! for good or until an instant. What a member had at any instant follows from the changes, which are never
//! rewritten; what a purchase asks of tags is asked as of when it happened.
//!
//! A change counts from the microsecond after its command: what was decided before it at the same instant lies
//! before it in the record too.
//!
//! A tag is changed by a command like everything else of a member, so that his standing has another version
//! afterwards: a purchase that was decided on other tags is not stored but decided again.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::command::ChangeTag;
use crate::decision::{Effect, Outcome, StandingPatch};
use crate::draft::Draft;
use crate::refusal::Refusal;
use crate::time::Instant;

/// How many tags a member may have at a time.
pub const TAGS_MAX: usize = 50;

/// A tag: 1 to 32 of a-z, 0-9, '-' and '_'. Blanks around it and capitals are put right, so that people who
/// write `VIP` and `vip` mean the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(String);

/// A text that is no tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tag is 1 to 32 of a-z, 0-9, '-' and '_'")]
pub struct NoTag;

impl Tag {
    /// The tag as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = NoTag;
    fn from_str(text: &str) -> Result<Self, NoTag> {
        let text = text.trim().to_ascii_lowercase();
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        if (1..=32).contains(&text.len()) && text.bytes().all(fits) { Ok(Self(text)) } else { Err(NoTag) }
    }
}

impl TryFrom<String> for Tag {
    type Error = NoTag;
    fn try_from(text: String) -> Result<Self, NoTag> {
        text.parse()
    }
}

impl AsRef<str> for Tag {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> Self {
        tag.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is done with a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagStep {
    /// The member has it from now on.
    Put {
        /// From when he has it no longer; `None`: until it is taken off.
        until: Option<Instant>,
    },
    /// He has it no longer.
    TakeOff,
}

/// Who or what changed a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagCause {
    /// Staff, or a system in their name.
    Staff,
    /// A promotion, by its code.
    Promotion(String),
    /// An account that was merged into the member's had it.
    Merge,
}

impl TagCause {
    /// The word for the kind of cause.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Staff => "staff",
            Self::Promotion(_) => "promotion",
            Self::Merge => "merge",
        }
    }

    /// The promotion's code, where it was one.
    pub fn promotion(&self) -> Option<&str> {
        match self {
            Self::Promotion(code) => Some(code),
            Self::Staff | Self::Merge => None,
        }
    }

    /// A cause from its word and, for a promotion, its code.
    pub fn parse(word: &str, promotion: Option<String>) -> Option<Self> {
        match (word, promotion) {
            ("staff", None) => Some(Self::Staff),
            ("promotion", Some(code)) => Some(Self::Promotion(code)),
            ("merge", None) => Some(Self::Merge),
            _ => None,
        }
    }
}

/// A tag that was put on a member or taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagChange {
    /// The tag.
    pub tag: Tag,
    /// Since when: the microsecond after the command.
    pub at: Instant,
    /// What was done.
    pub step: TagStep,
    /// By whom or what.
    pub cause: TagCause,
}

/// A tag that a member has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldTag {
    /// The tag.
    pub tag: Tag,
    /// Since when.
    pub since: Instant,
    /// From when no longer; `None`: until it is taken off.
    pub until: Option<Instant>,
}

/// The tags of a member over time, from some instant on: the changes of each, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(BTreeMap<Tag, Vec<TagChange>>);

impl Tags {
    /// Adds a change, no older than those that are known.
    pub fn learn(&mut self, change: TagChange) {
        self.0.entry(change.tag.clone()).or_default().push(change);
    }

    /// A tag, where the member has it at an instant.
    pub fn held(&self, tag: &Tag, at: Instant) -> Option<HeldTag> {
        let last = self.0.get(tag)?.iter().rfind(|change| change.at <= at)?;
        match last.step {
            TagStep::Put { until } if until.is_none_or(|until| at < until) => {
                Some(HeldTag { tag: tag.clone(), since: last.at, until })
            }
            TagStep::Put { .. } | TagStep::TakeOff => None,
        }
    }

    /// The tags the member has at an instant, in alphabetical order.
    pub fn at(&self, at: Instant) -> impl Iterator<Item = HeldTag> {
        self.0.keys().filter_map(move |tag| self.held(tag, at))
    }
}

impl Draft<'_> {
    /// What staff do with a tag.
    pub(crate) fn change_tag(&mut self, asked: &ChangeTag) -> Result<Outcome, Refusal> {
        self.settle()?;
        match asked.step {
            TagStep::Put { until } => self.put_tag(&asked.tag, until, TagCause::Staff)?,
            TagStep::TakeOff => self.take_tag_off(&asked.tag, TagCause::Staff)?,
        }
        let at = self.after();
        // The member's next command sees it, however soon it comes.
        self.patch(StandingPatch { recorded_at: Some(at), ..StandingPatch::default() })?;
        Ok(Outcome::Tags(self.member.tags.at(at).collect()))
    }

    /// From when a change counts.
    fn after(&self) -> Instant {
        self.at + TimeDelta::microseconds(1)
    }

    /// Puts a tag on the member, whose tags must be loaded; nothing where he has it until then already.
    ///
    /// # Errors
    /// [`Refusal::TagOver`] where its time would be over; [`Refusal::TooManyTags`].
    pub(crate) fn put_tag(&mut self, tag: &Tag, until: Option<Instant>, cause: TagCause) -> Result<(), Refusal> {
        let at = self.after();
        if until.is_some_and(|until| until <= at) {
            return Err(Refusal::TagOver);
        }
        match self.member.tags.held(tag, at) {
            Some(held) if held.until == until => return Ok(()),
            None if self.member.tags.at(at).count() >= TAGS_MAX => return Err(Refusal::TooManyTags),
            _ => {}
        }
        self.record(Effect::Tag(TagChange { tag: tag.clone(), at, step: TagStep::Put { until }, cause }))
    }

    /// Takes a tag off the member, whose tags must be loaded; nothing where he does not have it.
    pub(crate) fn take_tag_off(&mut self, tag: &Tag, cause: TagCause) -> Result<(), Refusal> {
        let at = self.after();
        if self.member.tags.held(tag, at).is_none() {
            return Ok(());
        }
        self.record(Effect::Tag(TagChange { tag: tag.clone(), at, step: TagStep::TakeOff, cause }))
    }

    /// Gives the member that stays the tags of an account that is merged into his. Of two with one name the
    /// one that lasts longer counts; what is beyond the most a member may have is left.
    pub(crate) fn inherit_tags(&mut self, from: &Tags) -> Result<(), Refusal> {
        let at = self.after();
        for HeldTag { tag, until, .. } in from.at(at) {
            let own = self.member.tags.held(&tag, at);
            let lasts = own.is_some_and(|own| own.until.is_none_or(|own| until.is_some_and(|until| until <= own)));
            if !lasts {
                match self.put_tag(&tag, until, TagCause::Merge) {
                    Ok(()) | Err(Refusal::TooManyTags) => {}
                    Err(refusal) => return Err(refusal),
                }
            }
        }
        Ok(())
    }
}
