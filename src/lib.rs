//! Tessera: a points-and-tiers loyalty programme backend.
//!
//! The map, in reading order. Imports run down this list only (`tests/it/tidy.rs` keeps it so):
//!
//! | floor | room | what it is for |
//! |---|---|---|
//! | 7 | [`cli`] | the subcommands: serve, demo, migrate, programme, import, verify, jobs … |
//! | 6 | [`app`] | wiring: settings, pool, engine, jobs, HTTP server, and the way down again |
//! | 5 | [`api`] | the only place that names actix: the three faces, till, member and admin |
//! | 5 | [`jobs`] | what the clock starts |
//! | 4 | [`engine`] | **the write path**: the only place from which points move |
//! | 4 | [`access`] | passwords, tokens, sessions, codes, and the one policy function |
//! | 3 | [`store`] | the only place that names diesel: rows in, rows out |
//! | 2 | [`postgres`] | a private server for a machine that has no database running |
//! | 2 | [`config`], [`clock`], [`telemetry`] | settings; the only reader of wall clock and entropy; logs and metrics |
//! | 1 | [`tessera_rules`] | the rulebook, a crate of its own: pure functions, no I/O |
//!
//! House rules: a refusal is data (a rule said no), an error is our fault. No float touches value.
//! Time is an argument. Effects ride in the transaction: messages, events and the idempotent answer
//! commit with the points or not at all.

pub mod access;
pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod engine;
pub mod jobs;
pub mod postgres;
pub mod store;
pub mod telemetry;
