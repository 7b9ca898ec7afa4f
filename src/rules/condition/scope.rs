//! What a condition may name beside what is always there: goods where a purchase is asked about, what an event says
//! of itself where one is.

use std::collections::BTreeMap;

use super::table::{self, Item, Type};
use crate::event::{AttributeType, EventType};
use crate::programme::Programme;
use crate::trigger::Trigger;

/// The attributes of a kind of event, with their types.
pub(super) type Attributes = BTreeMap<String, AttributeType>;

/// What set off the promotion whose condition it is.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'p> {
    /// A purchase: there are goods.
    Purchase,
    /// An occasion: there is the member and the time.
    Occasion,
    /// An event: beside those there is what it says of itself.
    Event(&'p EventType),
}

/// The names under which an event says something of itself.
const EVENT: &str = "event";

impl Programme {
    /// What conditions of promotions with a trigger may name. An event that is not declared says nothing.
    pub fn scope(&self, trigger: &Trigger) -> Scope<'_> {
        match trigger {
            Trigger::Purchase => Scope::Purchase,
            Trigger::Event { event } => self.event(event).map_or(Scope::Occasion, Scope::Event),
            _ => Scope::Occasion,
        }
    }
}

impl<'p> Scope<'p> {
    /// What an event says of itself; absent: there is none.
    pub(super) fn attributes(self) -> Option<&'p Attributes> {
        match self {
            Self::Event(of) => Some(&of.attributes),
            Self::Purchase | Self::Occasion => None,
        }
    }

    /// The table's own name and the type of a variable.
    pub(super) fn variable(self, name: &str) -> Option<(&'static str, Type)> {
        if let Some(variable) = table::variable(name).filter(|variable| self.admits(variable.name)) {
            return Some((variable.name, variable.ty));
        }
        let item = match self.attributes()?.get(name.strip_prefix(EVENT)?.strip_prefix('.')?)? {
            AttributeType::String => Item::Text,
            AttributeType::Integer => Item::Int,
            AttributeType::Boolean => Item::Bool,
        };
        Some((EVENT, Type::One(item)))
    }

    /// Whether variables have names under this one.
    pub(super) fn is_group(self, name: &str) -> bool {
        !self.members(name).is_empty()
    }

    /// The last parts of the names under a group.
    pub(super) fn members(self, group: &str) -> Vec<&'p str> {
        let known = table::members(group).filter(|member| self.admits(&format!("{group}.{member}")));
        let mut members: Vec<&'p str> = known.collect();
        if group == EVENT {
            members.extend(self.attributes().into_iter().flat_map(BTreeMap::keys).map(String::as_str));
        }
        members
    }

    /// The first parts of all names.
    pub(super) fn groups(self) -> Vec<&'p str> {
        let known = table::VARIABLES.iter().map(|variable| variable.name).filter(move |name| self.admits(name));
        let of_event = self.attributes().is_some_and(|attributes| !attributes.is_empty());
        known.filter_map(|name| name.split('.').next()).chain(of_event.then_some(EVENT)).collect()
    }

    fn admits(self, name: &str) -> bool {
        matches!(self, Self::Purchase) || !(name == "lines" || name.starts_with("purchase."))
    }
}
