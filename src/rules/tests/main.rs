//! The rulebook against the programme book: tables, scenarios and properties.

mod calendar;
mod chain;
mod document;
mod earning;
mod entitlements;
mod expiry;
mod history;
mod holds;
mod households;
mod links;
mod lots;
mod model;
mod model_runs;
mod notices;
mod occasions;
mod pending;
mod perks;
mod properties;
mod quantities;
mod redemption;
mod returns;
mod stories;
mod support;
mod tiers;
mod validity;
