//! Events: what other systems tell of members – an app installed, a friend referred, a survey filled in
//! (PROGRAMME.md §8). The programme declares which there are and what each of them says; promotions may wait for
//! them and ask about what they say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::amount::Points;
use crate::decision::{Balance, Effect, Outcome};
use crate::draft::Draft;
use crate::gift::Given;
use crate::id::{MemberEventId, StoreId};
use crate::perk::PerkGift;
use crate::programme::{Problems, Programme};
use crate::promotion::Miss;
use crate::purchase::{AHEAD_LIMIT, LATE_LIMIT};
use crate::refusal::Refusal;
use crate::text::Text;
use crate::time::{Instant, add_days};
use crate::trigger::{Asked, Trigger};

/// A kind of event, as an admin declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventType {
    /// Names the kind for ever; what happened points to it.
    pub code: String,
    /// What people read.
    pub name: Text,
    /// What an event of this kind may say of itself, and of which type that is; at most 20.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, AttributeType>,
}

/// The type of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeType {
    /// A text of at most 200 characters; what is not said is the empty text.
    String,
    /// A whole number of at most 15 digits; money in minor units. What is not said is 0.
    Integer,
    /// True or false; what is not said is false.
    Boolean,
}

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AttributeValue {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A text.
    String(String),
}

/// What conditions may ask of an event: every declared attribute has a value.
pub type EventFacts = BTreeMap<String, AttributeValue>;

/// The most attributes a kind of event declares.
const ATTRIBUTES_MAX: usize = 20;

/// The longest text of an attribute, in characters.
const TEXT_MAX: usize = 200;

/// The largest number of an attribute, without its sign.
const NUMBER_MAX: u64 = 999_999_999_999_999;

impl AttributeType {
    /// The word in files and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
        }
    }

    /// What an attribute is where nothing is said of it.
    fn nothing(self) -> AttributeValue {
        match self {
            Self::String => AttributeValue::String(String::new()),
            Self::Integer => AttributeValue::Integer(0),
            Self::Boolean => AttributeValue::Boolean(false),
        }
    }

    /// Whether a value is of this type and within its bounds.
    fn admits(self, value: &AttributeValue) -> bool {
        match (self, value) {
            (Self::String, AttributeValue::String(text)) => text.chars().count() <= TEXT_MAX,
            (Self::Integer, AttributeValue::Integer(number)) => number.unsigned_abs() <= NUMBER_MAX,
            (Self::Boolean, AttributeValue::Boolean(_)) => true,
            _ => false,
        }
    }
}

impl EventType {
    pub(crate) fn check(&self, at: &str, found: &mut Problems) {
        let many = self.attributes.len() > ATTRIBUTES_MAX;
        found.refuse(many, &format!("{at}/attributes"), "too_many", "at most 20 attributes");
        for name in self.attributes.keys() {
            let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
            let rest = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            let detail = "a letter, then letters, digits and '_': at most 64 of a-z, 0-9 and '_'";
            let pointer = format!("{at}/attributes/{}", name.replace('~', "~0").replace('/', "~1"));
            found.refuse(!(first && rest && name.len() <= 64), &pointer, "attribute_invalid", detail);
        }
    }

    /// What conditions may ask of an event that says this of itself.
    ///
    /// # Errors
    /// [`Refusal::EventAttribute`]: it says something that is not declared, or of another type.
    fn facts(&self, said: &EventFacts) -> Result<EventFacts, Refusal> {
        let astray = said.iter().find_map(|(name, value)| {
            let declared = self.attributes.get(name).copied();
            let fits = declared.is_some_and(|wanted| wanted.admits(value));
            (!fits).then(|| Refusal::EventAttribute { name: name.clone(), wanted: declared })
        });
        match astray {
            Some(refusal) => Err(refusal),
            None => {
                let value = |(name, wanted): (&String, &AttributeType)| {
                    (name.clone(), said.get(name).cloned().unwrap_or_else(|| wanted.nothing()))
                };
                Ok(self.attributes.iter().map(value).collect())
            }
        }
    }
}

impl Programme {
    /// A kind of event.
    pub fn event(&self, code: &str) -> Option<&EventType> {
        self.events.iter().find(|event| event.code == code)
    }
}

/// Something that happened to a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// Its id.
    pub id: MemberEventId,
    /// Code of its kind.
    pub code: String,
    /// When, if the caller says so; as late as a purchase may be.
    pub occurred_at: Option<Instant>,
    /// What it says of itself.
    pub attributes: EventFacts,
    /// The store it is told from, and its code.
    pub store: StoreId,
    /// The store's code.
    pub store_code: String,
}

/// An event as its row records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// Its id.
    pub id: MemberEventId,
    /// 1, 2, 3 … for each member.
    pub number: i64,
    /// Code of its kind.
    pub code: String,
    /// When it happened.
    pub occurred_at: Instant,
    /// What it said of itself.
    pub attributes: EventFacts,
    /// The store it was told from.
    pub store: StoreId,
    /// The programme version that it was decided with.
    pub programme_version: i64,
}

/// A promotion that waits for an event, by its code: what it gave, or why nothing.
pub type SetOff = (String, Result<Given, Miss>);

/// What came of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventOutcome {
    /// The event as recorded.
    pub record: EventRecord,
    /// When.
    pub recorded_at: Instant,
    /// The promotions that wait for such an event, in the order in which they give.
    pub promotions: Vec<SetOff>,
    /// Points they gave.
    pub points: Points,
    /// Balances afterwards.
    pub balance: Balance,
}

impl Draft<'_> {
    /// Puts an event on record, and grants what promotions give for it.
    pub(crate) fn happen(&mut self, happened: &Happened) -> Result<Outcome, Refusal> {
        if self.member.standing.frozen {
            return Err(Refusal::MemberFrozen);
        }
        let occurred_at = happened.occurred_at.unwrap_or(self.at);
        if !self.context.historic && occurred_at < self.at - LATE_LIMIT {
            return Err(Refusal::OccurredTooEarly);
        }
        if !self.context.historic && occurred_at > self.at + AHEAD_LIMIT {
            return Err(Refusal::OccurredTooLate);
        }
        let of = self.programme.event(&happened.code).ok_or_else(|| Refusal::EventUnknown(happened.code.clone()))?;
        let facts = of.facts(&happened.attributes)?;
        self.settle()?;
        let record = EventRecord {
            id: happened.id,
            number: self.member.events + 1,
            code: happened.code.clone(),
            occurred_at,
            attributes: happened.attributes.clone(),
            store: happened.store,
            programme_version: self.context.programme_version,
        };
        self.record(Effect::Event(record.clone()))?;
        let asked = Asked { at: occurred_at, store: &happened.store_code, event: Some(&facts) };
        let promotions = self.set_off(&record, asked)?;
        let gave = |(_, given): &SetOff| match given {
            Ok(Given { gift: PerkGift::Points { points }, .. }) => *points,
            _ => Points::ZERO,
        };
        let points = promotions.iter().map(gave).try_fold(Points::ZERO, |sum, points| sum.plus(points))?;
        let balance = Balance::from(&self.member.standing);
        Ok(Outcome::Event(Box::new(EventOutcome { record, recorded_at: self.at, promotions, points, balance })))
    }

    fn set_off(&mut self, record: &EventRecord, asked: Asked<'_>) -> Result<Vec<SetOff>, Refusal> {
        let occasion = Self::event_occasion(record.number)?;
        let window = (self.at, self.zone().midnight(add_days(self.today(), 1)));
        let mut promotions = Vec::new();
        let waits = |trigger: &Trigger| matches!(trigger, Trigger::Event { event } if *event == record.code);
        for promotion in self.programme.triggered().into_iter().filter(|promotion| waits(&promotion.trigger)) {
            let given = match self.misses(promotion, asked) {
                Some(miss) => Err(miss),
                None => Ok(self.grant_promotion(promotion, occasion, window)?),
            };
            promotions.push((promotion.code.clone(), given));
        }
        Ok(promotions)
    }
}

impl Happened {
    /// The document of what it brings about.
    pub(crate) fn document(&self) -> Uuid {
        self.id.uuid()
    }
}
