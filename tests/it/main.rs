//! Tests of the whole: the real server on a real PostgreSQL, over real HTTP. One binary, because
//! linking is what costs; one file a noun.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod support;

mod access;
mod adjustments;
mod admin;
mod admin_schemas;
mod api_keys;
mod auth;
mod bench;
mod cdnow;
mod conditions;
mod configure;
mod coupons;
mod dependencies;
mod docs_commands;
mod explanation;
mod history;
mod holds;
mod identity;
mod import;
mod kill;
mod ladder;
mod limits;
mod links;
mod marketing_plan;
mod members;
mod model;
mod notices;
mod offers;
mod offline;
mod openapi;
mod outage;
mod panic;
mod passwords;
mod perks;
mod programme_file;
mod promotions;
mod purchases;
mod quotes;
mod race;
mod re_ratings;
mod redemptions;
mod referrals;
mod returns;
mod rewards;
mod rights;
mod sandbox;
mod sandbox_duration;
mod schedule;
mod schema;
mod segments;
mod shapes;
mod simulate;
mod standing;
mod starters;
mod tags;
mod tidy;
mod triggers;
mod verify;
mod wallets;
mod why;
