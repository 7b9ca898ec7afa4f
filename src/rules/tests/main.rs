//! The rulebook against the programme book: tables, scenarios and properties.

mod calendar;
mod chain;
mod document;
mod earning;
mod lots;
mod perks;
mod properties;
mod quantities;
mod redemption;
mod support;
mod tiers;
