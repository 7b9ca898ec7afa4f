//! The loyalty rulebook: what the rules of a points-and-tiers programme *mean*, and nothing else.
//!
//! Everything here is a pure function of (programme, state, command, time). Nothing in this crate
//! reads a clock, draws a random number, opens a file or knows that a database exists; `Cargo.toml`
//! lists no crate that could. That is what lets property tests run the rules by the million, and
//! what lets the same code decide a live purchase, a preview, an import and a replay.
//!
//! Reading order:
//!
//! 1. [`id`], [`amount`], [`time`] – the quantities: typed ids, points, money, rates, days.
//! 2. [`programme`] – what an admin configures, with [`promotion`], its [`life`], [`condition`], [`goods`] and [`limit`]s,
//!    [`segment`]s and [`tag`]s of members,
//!    [`reward`] and [`perk`] with its [`occasion`]s.
//! 3. [`member`], [`ledger`], [`lot`] – the state of a member as loaded for one decision.
//! 4. [`command`], [`decision`] and [`refusal`] – what may be asked, and what comes of it.
//! 5. [`mod@decide`] – the one entry; it settles the member to the command's time ([`settle`]) and
//!    hands over to [`earning`], [`redemption`] with [`hold`] and [`fulfilment`], [`returns`], [`adjustment`], [`perk`],
//!    [`entitlement`] or [`notice`]. What moves by the clock: [`expiry`], and [`tier`] with [`ladder`].
//! 6. [`discount`], [`price`] and [`coupon`] – what goods cost a member: [`basket`] takes discounts off,
//!    [`combination`] chooses among coupons, [`mod@quote`] tells the whole price, and [`mod@promise`] what the
//!    purchase made of it earns; `pricing` makes the price of a purchase at list prices the same way.
//! 7. [`explain`] – why a purchase earned what it earned; [`mod@forecast`] – what is going to happen;
//!    [`offer`] – what a member could use, and what is missing; [`history`] – what was shown at an instant of the past; [`simulate`] – what another programme would have given;
//!    [`re_rating`] – how purchases come to stand as they should have been.

pub mod adjustment;
pub mod amount;
pub mod basket;
pub mod cashback;
mod charge;
pub mod code;
pub mod combination;
mod combine;
pub mod command;
pub mod condition;
pub mod coupon;
pub mod decide;
pub mod decision;
pub mod discount;
pub mod document;
mod draft;
pub mod earning;
pub mod entitlement;
pub mod event;
pub mod expiry;
pub mod explain;
pub mod forecast;
pub mod fulfilment;
pub mod gift;
pub mod goods;
pub mod history;
pub mod hold;
pub mod id;
pub mod ladder;
pub mod ledger;
pub mod life;
pub mod limit;
pub mod link;
pub mod lot;
pub mod member;
mod merge;
mod moving;
pub mod notice;
pub mod occasion;
pub mod offer;
mod pending;
pub mod perk;
pub mod pool;
pub mod price;
mod pricing;
pub mod programme;
pub mod promise;
pub mod promotion;
mod purchase;
pub mod quote;
pub mod re_rating;
pub mod redemption;
pub mod referral;
pub mod refusal;
pub mod remainder;
pub mod returns;
pub mod reward;
pub mod segment;
pub mod settle;
pub mod share;
pub mod simulate;
pub mod tag;
pub mod text;
pub mod ticket;
pub mod tier;
pub mod time;
pub mod transfer;
pub mod trigger;
pub mod wallet;

pub use command::{Actor, Command, Context, Role};
pub use decide::decide;
pub use decision::{Decision, Outcome};
pub use member::{MemberState, Standing, State};
pub use programme::Programme;
pub use refusal::Refusal;
