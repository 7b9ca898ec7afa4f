//! Rows in, rows out: the only place that names diesel. Nothing here decides; what a row means is
//! said in the rulebook, and what may be changed by whom in the migrations.

pub mod adjustment;
pub mod api_key;
pub mod audit;
pub mod batch;
pub mod bench;
pub mod contact_message;
pub mod coupon;
pub mod db;
pub mod explain;
pub mod gift;
pub mod import;
pub mod invitation;
pub mod job;
pub mod ledger;
pub mod link;
pub mod member;
pub mod notice;
pub mod outbox;
pub mod perk;
pub mod programme;
pub mod promotion;
pub mod quote;
pub mod re_rating;
pub mod referral;
pub mod reward;
pub mod role;
pub mod rows;
pub mod sandbox;
pub mod schedule;
pub mod schema;
pub mod secret;
pub mod session;
pub mod shop;
pub mod simulate;
pub mod staff;
pub mod standing;
pub mod tag;
pub mod ticket;
pub mod verification;
pub mod verify;
pub mod wallet;
mod wire;

pub use db::{Error, Pool};
