//! Tests of the whole: the real server on a real PostgreSQL, over real HTTP. One binary, because
//! linking is what costs; one file a noun.

mod support;

mod access;
mod admin_schemas;
mod auth;
mod configure;
mod dependencies;
mod explanation;
mod members;
mod openapi;
mod outage;
mod purchases;
mod race;
mod redemptions;
mod rights;
mod sandbox;
mod sandbox_duration;
mod schema;
mod shapes;
mod standing;
