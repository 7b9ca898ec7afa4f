//! Rewards: what points buy (PROGRAMME.md §8). How goods get to the member is in [`crate::fulfilment`].

use std::collections::BTreeSet;

use chrono::Datelike;
use serde::{Deserialize, Serialize};

use crate::amount::Points;
use crate::decision::Effect;
use crate::draft::Draft;
use crate::member::Shared;
use crate::perk::GrantKey;
use crate::programme::{Problems, Programme};
use crate::redemption::{Price, Redemption, RedemptionStatus};
use crate::refusal::Refusal;
use crate::segment::shares;
use crate::text::Text;
use crate::time::{Day, Instant, Zone};

/// An item of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reward {
    /// Names the reward for ever; redemptions point to it.
    pub code: String,
    /// What members see.
    pub name: Text,
    /// What is handed out.
    #[serde(default, skip_serializing_if = "RewardKind::is_goods")]
    pub kind: RewardKind,
    /// Code of the kind of coupon that is given: where a coupon is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coupon: Option<String>,
    /// How many tickets a redemption gives: where tickets are, 1 to 100; absent: one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tickets: Option<u32>,
    /// More than the name, for members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Text>,
    /// Addresses of pictures, best first: `https`, at most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pictures: Vec<String>,
    /// What it costs; at least 1.
    pub points: Points,
    /// What it costs some tiers and those above them instead; 0: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points_by_tier: Vec<TierPrice>,
    /// How many may be handed out in all; absent: no limit. What is left is this less the
    /// redemptions that took one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stock: Option<u32>,
    /// How many one member may have; absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_member: Option<MemberLimit>,
    /// The lowest tier that may have it, by code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_tier: Option<String>,
    /// Segments that may have it: members in any of them; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<String>,
    /// Who may redeem it before its first day; absent: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_access: Option<EarlyOffer>,
    /// First day it may be redeemed, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Day>,
    /// Last day it may be redeemed, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Day>,
}

/// Members who may have a reward before others (优先兑换): those of a tier, and those in some segments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyOffer {
    /// Their first day, inclusive; before the reward's own.
    pub from: Day,
    /// The lowest tier, by code; absent: a tier does not help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_tier: Option<String>,
    /// Segments, whatever the tier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<String>,
}

/// What is handed out for points.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardKind {
    /// Something to carry home: it is got ready and handed over in a store.
    #[default]
    Goods,
    /// A code of a partner's, one for each redemption, out of those that were uploaded.
    PartnerVoucher,
    /// A coupon of the member's own.
    Coupon,
    /// Numbered tickets for a draw.
    DrawTicket,
}

impl RewardKind {
    fn is_goods(&self) -> bool {
        *self == Self::Goods
    }
}

/// What a reward costs a tier, and those above it that have no price of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierPrice {
    /// Code of the tier.
    pub tier: String,
    /// Points; 0: it is free.
    pub points: Points,
}

/// How many of a reward one member may have. What a perk gives is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberLimit {
    /// At least 1.
    pub most: u32,
    /// In each calendar month or year; absent: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<LimitPeriod>,
}

/// A part of the calendar in which things are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitPeriod {
    /// The calendar month.
    Month,
    /// The calendar year.
    Year,
}

impl MemberLimit {
    /// The first day of the period that `day` lies in; `None`: everything counts.
    pub fn counted_from(self, day: Day) -> Option<Day> {
        let month = match self.per? {
            LimitPeriod::Month => day.month(),
            LimitPeriod::Year => 1,
        };
        Day::from_ymd_opt(day.year(), month, 1)
    }

    /// The first instant whose redemptions count on `day`; `None`: all do.
    pub fn counted_since(self, zone: Zone, day: Day) -> Option<Instant> {
        self.counted_from(day).map(|first| zone.midnight(first))
    }

    /// How many more a member may have on `day` who took what he has at these instants.
    pub fn left(self, zone: Zone, day: Day, taken: impl Iterator<Item = Instant>) -> u32 {
        let since = self.counted_since(zone, day);
        let counted = taken.filter(|at| since.is_none_or(|since| since <= *at)).count();
        self.most.saturating_sub(u32::try_from(counted).unwrap_or(u32::MAX))
    }
}

/// The most pictures of a reward.
const PICTURES_MAX: usize = 8;

/// The longest address of a picture, in bytes.
const PICTURE_BYTES_MAX: usize = 2_048;

impl Reward {
    /// Goods at a price, for everybody and without a limit.
    pub fn goods(code: &str, name: Text, points: Points) -> Self {
        Self {
            code: code.to_owned(),
            name,
            kind: RewardKind::Goods,
            coupon: None,
            tickets: None,
            description: None,
            pictures: Vec::new(),
            points,
            points_by_tier: Vec::new(),
            stock: None,
            per_member: None,
            minimum_tier: None,
            segments: Vec::new(),
            early_access: None,
            from: None,
            to: None,
        }
    }

    /// Whether everybody may redeem it on a local day, as far as its days go.
    pub fn offered_on(&self, day: Day) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }

    /// Whether it is for some segments, now or earlier.
    pub(crate) fn asks_for_segments(&self) -> bool {
        !self.segments.is_empty() || self.early_access.as_ref().is_some_and(|early| !early.segments.is_empty())
    }

    /// Whether a member of the tier at a position and in segments may redeem it on a local day, as far as its
    /// days and segments go.
    pub fn offered_to(&self, programme: &Programme, tier: usize, segments: &[String], day: Day) -> bool {
        let from = self.first_day_for(programme, tier, segments);
        from.is_none_or(|from| from <= day)
            && self.to.is_none_or(|to| day <= to)
            && (self.segments.is_empty() || shares(&self.segments, segments))
    }

    /// The first day on which a member of the tier at a position and in segments may redeem it; absent: there is none.
    pub(crate) fn first_day_for(&self, programme: &Programme, tier: usize, segments: &[String]) -> Option<Day> {
        let early = self.early_access.as_ref().filter(|early| {
            let high = early.minimum_tier.as_ref().is_some_and(|code| programme.tier_position(code) <= tier);
            high || shares(&early.segments, segments)
        });
        early.map(|early| early.from).or(self.from)
    }

    /// What it costs the tier at a position.
    pub fn points_at(&self, programme: &Programme, tier: usize) -> Points {
        let own = self.points_by_tier.iter().map(|price| (programme.tier_position(&price.tier), price.points));
        let nearest = own.filter(|(position, _)| *position <= tier).max_by_key(|(position, _)| *position);
        nearest.map_or(self.points, |(_, points)| points)
    }

    /// How many are left of which so many were handed out, where of a partner's vouchers so many codes are
    /// nobody's; `None`: there is no end to them. A stock may be lowered below what was handed out already.
    pub fn left(&self, used: i64, codes: i64) -> Option<i64> {
        let stock = self.stock.map(|stock| (i64::from(stock) - used).max(0));
        let codes = (self.kind == RewardKind::PartnerVoucher).then_some(codes);
        stock.into_iter().chain(codes).min()
    }

    pub(crate) fn check(&self, programme: &Programme, at: &str, found: &mut Problems) {
        found.refuse(!self.points.is_positive(), &format!("{at}/points"), "too_small", "must be at least 1");
        let backwards = matches!((self.from, self.to), (Some(from), Some(to)) if to < from);
        found.refuse(backwards, &format!("{at}/to"), "before_from", "must not be before `from`");
        let known = |tier: &String| programme.tiers.levels.iter().any(|level| &level.code == tier);
        let unknown = self.minimum_tier.as_ref().is_some_and(|tier| !known(tier));
        found.refuse(unknown, &format!("{at}/minimum_tier"), "unknown_tier", "no tier has this code");
        programme.check_segments(&self.segments, &format!("{at}/segments"), found);
        if let Some(early) = &self.early_access {
            let at = |field: &str| format!("{at}/early_access/{field}");
            let late = self.from.is_none_or(|from| from <= early.from);
            found.refuse(late, &at("from"), "not_early", "must be before the reward's own `from`");
            let unknown = early.minimum_tier.as_ref().is_some_and(|tier| !known(tier));
            found.refuse(unknown, &at("minimum_tier"), "unknown_tier", "no tier has this code");
            programme.check_segments(&early.segments, &at("segments"), found);
            let nobody = early.minimum_tier.is_none() && early.segments.is_empty();
            found.refuse(nobody, &at("minimum_tier"), "tier_or_segments", "name a tier, or segments");
        }
        let nothing = self.per_member.is_some_and(|limit| limit.most == 0);
        found.refuse(nothing, &format!("{at}/per_member/most"), "too_small", "must be at least 1");
        match (&self.coupon, self.kind == RewardKind::Coupon) {
            (None, true) => found.refuse(true, &format!("{at}/coupon"), "missing", "name the kind of coupon it gives"),
            (Some(_), false) => {
                found.refuse(true, &format!("{at}/coupon"), "not_for_kind", "only a reward of kind `coupon` gives one");
            }
            (Some(of), true) => {
                let unknown = programme.coupon(of).is_none();
                let detail = "no kind of coupon has this code";
                found.refuse(unknown, &format!("{at}/coupon"), "unknown_coupon", detail);
            }
            (None, false) => {}
        }
        self.check_tickets(at, found);
        let mut priced = BTreeSet::new();
        for (i, price) in self.points_by_tier.iter().enumerate() {
            let at = |field: &str| format!("{at}/points_by_tier/{i}/{field}");
            found.refuse(!known(&price.tier), &at("tier"), "unknown_tier", "no tier has this code");
            found.refuse(!priced.insert(&price.tier), &at("tier"), "tier_twice", "has two prices");
            found.refuse(price.points < Points::ZERO, &at("points"), "too_small", "must be at least 0");
        }
        let many = self.pictures.len() > PICTURES_MAX;
        found.refuse(many, &format!("{at}/pictures"), "too_many", "at most 8 pictures");
        for (i, picture) in self.pictures.iter().enumerate() {
            let detail = "must be an https address of at most 2048 characters";
            found.refuse(!is_picture(picture), &format!("{at}/pictures/{i}"), "picture_invalid", detail);
        }
    }
}

/// Whether a text is the address of something that browsers load without a warning.
fn is_picture(address: &str) -> bool {
    let host = address.strip_prefix("https://").and_then(|rest| rest.split(['/', '?', '#']).next());
    host.is_some_and(|host| host.contains('.') && !host.contains('@'))
        && address.len() <= PICTURE_BYTES_MAX
        && address.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte))
}

impl Draft<'_> {
    /// A reward costs nothing while a perk's grant of it is open: what was granted is promised, whatever
    /// tier the reward needs, whether or not it is offered otherwise and however many the member had, as long
    /// as there is stock.
    pub(crate) fn reward_price(&self, code: &str, shared: &Shared) -> Result<Price, Refusal> {
        let reward = self.programme.reward(code).ok_or(Refusal::RewardUnknown)?;
        let given = self.member.given(code, self.at);
        let grant = given.map(|given| GrantKey { perk: given.perk.clone(), occasion: given.occasion });
        if grant.is_none() {
            self.check_offer(reward)?;
        }
        // A hold of the member's own that has just run out has put its reward back.
        let back: Vec<&Option<String>> = self.effects.iter().filter_map(|effect| put_back(effect, code)).collect();
        let used = shared.rewards_used.get(code).copied().unwrap_or(0) - back.len() as i64;
        if reward.stock.is_some_and(|stock| used >= i64::from(stock)) {
            return Err(Refusal::OutOfStock);
        }
        let voucher = match reward.kind {
            RewardKind::Goods | RewardKind::DrawTicket => None,
            RewardKind::Coupon => {
                let of =
                    reward.coupon.as_ref().and_then(|of| self.programme.coupon(of)).ok_or(Refusal::RewardNotOffered)?;
                if of.is_over(self.today(), None) {
                    return Err(Refusal::RewardNotOffered);
                }
                None
            }
            RewardKind::PartnerVoucher => {
                let pool = shared.vouchers.get(code).into_iter().flatten();
                Some(back.into_iter().flatten().chain(pool).next().cloned().ok_or(Refusal::OutOfStock)?)
            }
        };
        let points = if grant.is_some() { Points::ZERO } else { reward.points_at(self.programme, self.tier()) };
        Ok(Price { points, worth: None, grant, voucher, tickets: reward.next_tickets(shared) })
    }

    /// Whether the reward is for this member today.
    fn check_offer(&self, reward: &Reward) -> Result<(), Refusal> {
        let today = self.today();
        if !reward.offered_to(self.programme, self.tier(), &self.segments_at(self.at), today) {
            return Err(Refusal::RewardNotOffered);
        }
        if let Some(tier) = &reward.minimum_tier
            && self.tier() < self.programme.tier_position(tier)
        {
            return Err(Refusal::TierTooLow(tier.clone()));
        }
        match reward.per_member.zip(self.left_for_member(reward)) {
            Some((limit, 0)) => Err(Refusal::MemberLimit(limit.most)),
            _ => Ok(()),
        }
    }

    /// How many more of a reward the member may have today; absent: as many as he likes.
    pub(crate) fn left_for_member(&self, reward: &Reward) -> Option<u32> {
        let counts = |made: &&Redemption| {
            made.reward.as_ref() == Some(&reward.code)
                && made.status != RedemptionStatus::Voided
                && made.grant.is_none()
        };
        let taken = self.member.redemptions.values().filter(counts).map(|made| made.recorded_at);
        Some(reward.per_member?.left(self.zone(), self.today(), taken))
    }
}

/// What an effect puts back of a reward: one piece, and the code that is free again with it.
fn put_back<'e>(effect: &'e Effect, code: &str) -> Option<&'e Option<String>> {
    match effect {
        Effect::PutBackReward { code: back, voucher, .. } if back == code => Some(voucher),
        _ => None,
    }
}
