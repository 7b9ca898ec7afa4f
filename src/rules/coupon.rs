//! Coupons: whose they are, when they may be used, and how they get along (PROGRAMME.md §8).
//!
//! A [`CouponType`] stands in the programme; a [`Coupon`] is one that was issued, with a code of its own.
//! Which of a customer's coupons count in a purchase is decided in three steps:
//!
//! 1. [`judge`]: would this coupon do anything alone? Window, uses, owner, tier and spend do not depend on
//!    the other coupons, for spend is measured before any discount.
//! 2. [`Stacking`]: which may be used together. In conflict the lower `priority` counts, or, where the
//!    best is asked for, whichever makes the price lowest ([`mod@crate::combination`]).
//! 3. Application, in an order that no one chooses at the till: by the [`Stage`] of the discount, then by
//!    priority, then by code. So the order in which coupons are shown never changes the price.

mod limit;

use std::cmp::Ordering;

use chrono::Days;
use serde::{Deserialize, Serialize};

use crate::amount::{Minor, OutOfRange, Points};
use crate::basket::Basket;
use crate::discount::{Discount, Stage};
use crate::id::MemberId;
use crate::programme::{Problems, Programme, is_code};
use crate::segment::shares;
use crate::text::Text;
use crate::time::{Day, Instant, Zone, add_days};

pub(crate) use limit::past_limits;
pub use limit::{CouponLimits, CouponUsage, CouponsUsed};

/// A kind of coupon, as an admin defines it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CouponType {
    /// Names the type for ever; issued coupons point to it.
    pub code: String,
    /// What members and cashiers see.
    pub name: Text,
    /// What it takes off.
    pub discount: Discount,
    /// First day on which it may be used, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Day>,
    /// Last day on which it may be used, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Day>,
    /// For how many days after the day of its issue it may be used, through the last of them, 0 to 3,660:
    /// 0 is that day alone. Beside `to` the earlier end counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_days: Option<u32>,
    /// In how many purchases it may be used, 1 to 1,000,000; in one purchase it counts once.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub uses: u32,
    /// Who may use it.
    #[serde(default, skip_serializing_if = "Holder::is_owner")]
    pub holder: Holder,
    /// The lowest tier that may use it, by code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_tier: Option<String>,
    /// Segments that may use it: members in any of them; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<String>,
    /// With which others it may be used.
    #[serde(default, skip_serializing_if = "Stacking::is_exclusive")]
    pub stacking: Stacking,
    /// Lower comes first: among coupons that cannot be combined, and among discounts of one stage.
    #[serde(default, skip_serializing_if = "is_nought")]
    pub priority: i32,
    /// Whether a use is given back when everything it was used for came back.
    #[serde(default, skip_serializing_if = "is_not")]
    pub give_back_on_return: bool,
    /// How often all coupons of the type together may be used, and how much they may take off.
    #[serde(default, skip_serializing_if = "CouponLimits::is_none")]
    pub limits: CouponLimits,
}

/// Who may use a coupon.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// The member it was issued to.
    #[default]
    Owner,
    /// Whoever shows its code, also who is no member.
    Bearer,
}

impl Holder {
    fn is_owner(&self) -> bool {
        *self == Self::Owner
    }
}

/// With which other coupons one may be used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stacking {
    /// With none.
    #[default]
    Exclusive,
    /// With one of each other group, and with those that go with everything; not with another of its own
    /// group, and so not with another of its own type.
    Group(String),
    /// With all that are not exclusive, another of its own type included.
    WithEverything,
}

impl Stacking {
    fn is_exclusive(&self) -> bool {
        *self == Self::Exclusive
    }

    /// Whether two coupons may be used together.
    pub fn goes_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exclusive, _) | (_, Self::Exclusive) => false,
            (Self::Group(one), Self::Group(another)) => one != another,
            (Self::WithEverything, _) | (_, Self::WithEverything) => true,
        }
    }
}

/// An issued coupon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coupon {
    /// What its holder shows, unique among coupons.
    pub code: String,
    /// Code of its type.
    pub of: String,
    /// The member it was issued to, if to a member.
    pub owner: Option<MemberId>,
    /// The first instant at which it may be used.
    pub from: Instant,
    /// The first instant at which it may no longer be used, if any.
    pub until: Option<Instant>,
    /// In how many purchases it may be used.
    pub uses: u32,
    /// In how many it was used.
    pub used: u32,
    /// Whether staff took it back.
    pub revoked: bool,
}

impl CouponType {
    /// A coupon of this type, issued at an instant. Its window and its uses are those of today, whatever
    /// becomes of the type.
    pub fn issue(&self, code: &str, owner: Option<MemberId>, at: Instant, zone: Zone) -> Coupon {
        let after = |day: Day| zone.midnight(day.checked_add_days(Days::new(1)).unwrap_or(Day::MAX));
        let by_issue = self.valid_days.map(|days| add_days(zone.day_of(at), i64::from(days)));
        let last = [self.to, by_issue].into_iter().flatten().min();
        Coupon {
            code: code.to_owned(),
            of: self.code.clone(),
            owner,
            from: self.from.map_or(at, |day| zone.midnight(day).max(at)),
            until: last.map(after),
            uses: self.uses,
            used: 0,
            revoked: false,
        }
    }

    /// Whether one issued on a day, to be used by another at the latest, could never be used.
    pub(crate) fn is_over(&self, day: Day, by: Option<Day>) -> bool {
        let by_issue = self.valid_days.map(|days| add_days(day, i64::from(days)));
        let last = [self.to, by_issue, by].into_iter().flatten().min();
        last.is_some_and(|last| last < self.from.map_or(day, |from| from.max(day)))
    }

    pub(crate) fn check(&self, programme: &Programme, at: &str, found: &mut Problems) {
        self.discount.check(&format!("{at}/discount"), found);
        let backwards = matches!((self.from, self.to), (Some(from), Some(to)) if to < from);
        found.refuse(backwards, &format!("{at}/to"), "before_from", "must not be before `from`");
        let long = self.valid_days.is_some_and(|days| days > 3_660);
        found.refuse(long, &format!("{at}/valid_days"), "out_of_range", "must be 0 to 3660");
        let uses = (1..=1_000_000).contains(&self.uses);
        found.refuse(!uses, &format!("{at}/uses"), "out_of_range", "must be 1 to 1000000");
        if let Some(tier) = &self.minimum_tier {
            let known = programme.tiers.levels.iter().any(|level| &level.code == tier);
            found.refuse(!known, &format!("{at}/minimum_tier"), "unknown_tier", "no tier has this code");
        }
        programme.check_segments(&self.segments, &format!("{at}/segments"), found);
        self.limits.check(&format!("{at}/limits"), found);
        if let Stacking::Group(group) = &self.stacking {
            let detail = "1 to 64 of a-z, 0-9, '-' and '_'";
            found.refuse(!is_code(group), &format!("{at}/stacking/group"), "code_invalid", detail);
        }
    }
}

/// Random bits of a coupon's code.
pub const CODE_BITS: usize = 80;

/// Crockford's base32, in which nothing looks like something else.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The code made of [`CODE_BITS`] random bits: 16 digits and capitals.
pub fn code_of(random: [u8; CODE_BITS / 8]) -> String {
    let bits = random.iter().fold(0_u128, |bits, &byte| bits << 8 | u128::from(byte));
    let digit = |place: usize| char::from(ALPHABET[(bits >> (place * 5) & 31) as usize]);
    (0..CODE_BITS / 5).rev().map(digit).collect()
}

/// A code as it is kept, from what people type: in capitals, without spaces and dashes, and with the digits
/// that O, I and L are taken for.
pub fn canonical(typed: &str) -> String {
    let kept = typed.chars().filter(|typed| !typed.is_whitespace() && *typed != '-');
    let meant = |typed: char| match typed.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        typed => typed,
    };
    kept.map(meant).collect()
}

impl Coupon {
    /// Why nobody can use it at an instant, if so.
    pub fn shut(&self, at: Instant) -> Option<NotApplied> {
        if self.revoked {
            return Some(NotApplied::Revoked);
        }
        if self.used >= self.uses {
            return Some(NotApplied::UsedUp);
        }
        if at < self.from {
            return Some(NotApplied::NotYet { from: self.from });
        }
        self.until.filter(|&until| until <= at).map(|at| NotApplied::Expired { at })
    }

    /// The coupon after one more use; `None` where it is used up.
    pub fn use_once(&self) -> Option<Self> {
        (self.used < self.uses).then(|| Self { used: self.used + 1, ..self.clone() })
    }

    /// The coupon after everything it was once used for came back: the use is given back where its type
    /// says so.
    pub fn after_full_return(&self, of: &CouponType) -> Self {
        let back = u32::from(of.give_back_on_return && self.used > 0);
        Self { used: self.used - back, ..self.clone() }
    }
}

/// The member who buys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buyer {
    /// Who.
    pub id: MemberId,
    /// Position of the tier held.
    pub tier: usize,
    /// Points that can be spent.
    pub available: Points,
    /// Money in the wallet that can be spent, in minor units.
    pub wallet: Minor,
}

/// Who buys, when, and under which programme.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// The programme in force.
    pub programme: &'a Programme,
    /// The member; `None`: nobody is known.
    pub buyer: Option<&'a Buyer>,
    /// The segments the member is in, by code.
    pub segments: &'a [String],
    /// When the purchase happens.
    pub at: Instant,
    /// What was used of types of coupons with limits before it.
    pub used: &'a CouponsUsed,
}

/// What a coupon takes off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its code.
    pub coupon: String,
    /// Code of its type.
    pub of: String,
    /// When in the making of the price it was taken off.
    pub stage: Stage,
    /// In all, in minor units above 0.
    pub amount: Minor,
    /// Of each line, in their order.
    pub lines: Vec<Minor>,
}

/// Why a coupon takes nothing off, in order of precedence: of several reasons the first is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotApplied {
    /// There is no coupon with this code.
    Unknown,
    /// The programme has no such type any more.
    Withdrawn,
    /// It is for its owner, and that is somebody else, or nobody is known.
    OthersCoupon,
    /// Staff took it back.
    Revoked,
    /// It was used as often as it may be.
    UsedUp,
    /// Its window has not begun.
    NotYet {
        /// The first instant.
        from: Instant,
    },
    /// Its window is over.
    Expired {
        /// The first instant at which it could no longer be used.
        at: Instant,
    },
    /// It is for members of a tier, and nobody is known.
    MembersOnly {
        /// Code of the lowest tier.
        tier: String,
    },
    /// It is for a higher tier.
    TierTooLow {
        /// Code of the lowest tier.
        tier: String,
    },
    /// It is for members in a segment, and the buyer is in none of them.
    NotInSegment,
    /// Coupons of its type were used as often as they may be.
    TotalLimit,
    /// What they may take off does not leave room for this one.
    Budget,
    /// Nothing in the basket is of its goods.
    NothingMatches,
    /// The matching lines cost too little.
    MinimumSpend {
        /// How much more is needed, in minor units.
        missing: Minor,
    },
    /// There are too few matching units.
    TooFewUnits {
        /// How many more are needed.
        missing: u64,
    },
    /// It may not be used together with one that counts.
    NotCombinable {
        /// The code of that coupon.
        with: String,
    },
    /// What it could take off is less than a minor unit, or beside those that count it does not make the
    /// price lower.
    AddsNothing,
    /// Beside it the purchase would earn less, and points are what is looked for.
    EarnsLess,
}

/// What a coupon takes off a basket alone, or why nothing. The type is the coupon's own.
///
/// # Errors
/// The outer error: none for a basket that could be made. The inner one tells the reason.
pub fn judge(
    of: &CouponType,
    coupon: &Coupon,
    circumstances: &Circumstances<'_>,
    basket: &Basket<'_>,
) -> Result<Result<Applied, NotApplied>, OutOfRange> {
    if let Some(reason) = barred(of, coupon, circumstances).or_else(|| missing(&of.discount, basket)) {
        return Ok(Err(reason));
    }
    let lines = basket.clone().take(&of.discount)?;
    Ok(Applied::new(of, coupon, lines)?.ok_or(NotApplied::AddsNothing))
}

/// What bars a coupon whatever is in the basket: the first reason, if any. The type is the coupon's own.
pub fn barred(of: &CouponType, coupon: &Coupon, circumstances: &Circumstances<'_>) -> Option<NotApplied> {
    let Circumstances { programme, buyer, segments, at, .. } = *circumstances;
    if of.holder == Holder::Owner && (coupon.owner.is_none() || buyer.map(|buyer| buyer.id) != coupon.owner) {
        return Some(NotApplied::OthersCoupon);
    }
    if let Some(reason) = coupon.shut(at) {
        return Some(reason);
    }
    let tier = of.minimum_tier.clone().and_then(|tier| match buyer {
        None => Some(NotApplied::MembersOnly { tier }),
        Some(buyer) if buyer.tier < programme.tier_position(&tier) => Some(NotApplied::TierTooLow { tier }),
        Some(_) => None,
    });
    let outside = !of.segments.is_empty() && !shares(&of.segments, segments);
    let full = || of.limits.full(circumstances.usage(of));
    tier.or_else(|| outside.then_some(NotApplied::NotInSegment)).or_else(full)
}

/// What a basket lacks for a discount.
fn missing(discount: &Discount, basket: &Basket<'_>) -> Option<NotApplied> {
    if !basket.holds(&discount.goods) {
        return Some(NotApplied::NothingMatches);
    }
    let missing = discount.least_spend().minus(basket.spend(&discount.goods)).unwrap_or(Minor::MAX);
    if missing.is_positive() {
        return Some(NotApplied::MinimumSpend { missing });
    }
    let missing = discount.least_units().saturating_sub(basket.units(&discount.goods));
    (missing > 0).then_some(NotApplied::TooFewUnits { missing })
}

impl Applied {
    /// `None` where nothing came off.
    pub(crate) fn new(of: &CouponType, coupon: &Coupon, lines: Vec<Minor>) -> Result<Option<Self>, OutOfRange> {
        let amount = lines.iter().try_fold(Minor::ZERO, |sum, &line| sum.plus(line))?;
        let applied =
            Self { coupon: coupon.code.clone(), of: of.code.clone(), stage: of.discount.stage(), amount, lines };
        Ok(amount.is_positive().then_some(applied))
    }
}

/// A coupon with its type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Typed<'a> {
    pub(crate) of: &'a CouponType,
    pub(crate) coupon: &'a Coupon,
}

impl Typed<'_> {
    /// The order of application: stage, priority, code of the type, code of the coupon. No two coupons
    /// are equal in it.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let key = |one: &Self| (one.of.discount.stage(), one.of.priority);
        key(self)
            .cmp(&key(other))
            .then_with(|| (&self.of.code, &self.coupon.code).cmp(&(&other.of.code, &other.coupon.code)))
    }

    /// Whether both may be used in one purchase.
    pub(crate) fn goes_with(&self, other: &Self) -> bool {
        self.of.stacking.goes_with(&other.of.stacking)
    }
}

fn once() -> u32 {
    1
}

fn is_once(uses: &u32) -> bool {
    *uses == 1
}

fn is_nought(priority: &i32) -> bool {
    *priority == 0
}

fn is_not(setting: &bool) -> bool {
    !*setting
}
