//! Perks: what a member is given for an occasion, once (PROGRAMME.md §7). When an occasion falls is in
//! [`crate::occasion`].

use chrono::Duration;
use serde::{Deserialize, Serialize};

use crate::amount::{Multiplier, Points};
use crate::decision::Outcome;
use crate::draft::{Draft, LotLife};
use crate::gift::check_message;
use crate::lot::Lapse;
use crate::member::MemberState;
use crate::occasion::{Facts, tier_number};
pub use crate::occasion::{Occasion, OccasionKind};
use crate::programme::{Problems, Programme};
use crate::redemption::RedemptionStatus;
use crate::refusal::Refusal;
use crate::tag::Tag;
use crate::text::Text;
use crate::time::{Instant, LeapDay};
use crate::trigger::Trigger;

/// Something given for an occasion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Perk {
    /// Names the perk for ever; grants point to it.
    pub code: String,
    /// What members see.
    pub name: Text,
    /// The occasion.
    pub occasion: OccasionKind,
    /// What is given.
    pub grant: PerkGift,
    /// The window around the occasion; the first entry that names the member's tier, or names
    /// none, is the one that counts. No entry: no perk for that tier.
    pub windows: Vec<PerkWindow>,
    /// The member must have been enrolled for this many days.
    #[serde(default)]
    pub member_for_days: u32,
    /// The member must have made at least one purchase.
    #[serde(default)]
    pub needs_purchase: bool,
    /// Where a birthday or an anniversary of 29 February is kept in common years.
    #[serde(default)]
    pub leap_day: LeapDay,
}

/// What a perk gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PerkGift {
    /// Points that lapse when the window ends.
    Points {
        /// At least 1.
        points: Points,
    },
    /// Purchases inside the window earn a multiple.
    Multiplier {
        /// At least 1.
        multiplier: Multiplier,
    },
    /// A reward of the catalogue, to be redeemed once inside the window for nothing, whatever tier it
    /// needs and whether or not it is offered otherwise. It counts against the reward's stock when it is
    /// redeemed, not before.
    Reward {
        /// Its code.
        reward: String,
    },
    /// A coupon of the member's own, to be used by the end of the window.
    Coupon {
        /// Code of its kind.
        coupon: String,
    },
    /// A tag is put on the member; by promotions alone.
    Tag {
        /// Which.
        tag: Tag,
        /// For how many days after the day; absent: for good.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        days: Option<u32>,
    },
    /// A tag is taken off the member; by promotions alone.
    Untag {
        /// Which.
        tag: Tag,
    },
    /// A message, for whoever delivers messages.
    Message {
        /// What it says, with places for what the books know ([`crate::gift::PLACEHOLDERS`]).
        text: Text,
    },
}

/// The days around the occasion on which a tier's perk is valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerkWindow {
    /// Tier codes; empty: every tier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<String>,
    /// Days before the occasion, at most 180; 0 where the occasion is not known before it comes.
    #[serde(default)]
    pub before_days: u32,
    /// Days after the occasion, at most 180.
    #[serde(default)]
    pub after_days: u32,
}

/// The widest half of a window: two windows of one perk must not meet.
pub(crate) const WINDOW_DAYS_MAX: u32 = 180;

/// The most days without a purchase that a perk may wait for.
const LAPSE_DAYS_MAX: u32 = 3_650;

/// After a birthday's grant there is none of the same perk for so long, so that a birth date that is
/// changed gives nothing twice (PROGRAMME.md §7).
pub const BIRTHDAY_REST: Duration = Duration::days(330);

impl Perk {
    /// The window of a tier, if the perk is for that tier.
    pub fn window(&self, tier: &str) -> Option<&PerkWindow> {
        self.windows.iter().find(|w| w.tiers.is_empty() || w.tiers.iter().any(|t| t == tier))
    }

    pub(crate) fn check(&self, programme: &Programme, at: &str, found: &mut Problems) {
        self.check_occasion(programme, at, found);
        found.refuse(self.windows.is_empty(), &format!("{at}/windows"), "empty", "at least one window is needed");
        for (i, window) in self.windows.iter().enumerate() {
            let wide = window.before_days > WINDOW_DAYS_MAX || window.after_days > WINDOW_DAYS_MAX;
            found.refuse(wide, &format!("{at}/windows/{i}"), "out_of_range", "at most 180 days on each side");
            let ahead = window.before_days > 0 && !self.occasion.is_foreseen();
            let pointer = format!("{at}/windows/{i}/before_days");
            found.refuse(ahead, &pointer, "not_foreseen", "the day is not known before it comes: must be 0");
            for (j, tier) in window.tiers.iter().enumerate() {
                let known = programme.tiers.levels.iter().any(|level| &level.code == tier);
                found.refuse(!known, &format!("{at}/windows/{i}/tiers/{j}"), "unknown_tier", "no tier has this code");
            }
        }
        match &self.grant {
            PerkGift::Points { points } => {
                found.refuse(!points.is_positive(), &format!("{at}/grant/points"), "too_small", "must be at least 1");
            }
            PerkGift::Multiplier { multiplier } => {
                found.multiplier(&format!("{at}/grant/multiplier"), *multiplier, Multiplier::UNIT);
            }
            PerkGift::Reward { reward } => {
                let unknown = programme.reward(reward).is_none();
                let detail = "no reward has this code";
                found.refuse(unknown, &format!("{at}/grant/reward"), "unknown_reward", detail);
            }
            PerkGift::Coupon { coupon } => {
                let unknown = programme.coupon(coupon).is_none();
                found.refuse(
                    unknown,
                    &format!("{at}/grant/coupon"),
                    "unknown_coupon",
                    "no kind of coupon has this code",
                );
            }
            PerkGift::Tag { .. } | PerkGift::Untag { .. } => {
                found.refuse(true, &format!("{at}/grant/kind"), "not_for_perks", "only promotions change tags");
            }
            PerkGift::Message { text } => check_message(text, &format!("{at}/grant/text"), found),
        }
    }

    fn check_occasion(&self, programme: &Programme, at: &str, found: &mut Problems) {
        match self.occasion {
            OccasionKind::Lapse { days } => {
                let wrong = !(1..=LAPSE_DAYS_MAX).contains(&days);
                found.refuse(wrong, &format!("{at}/occasion/lapse/days"), "out_of_range", "must be 1 to 3650");
            }
            OccasionKind::TierReached => {
                let mut numbers: Vec<i32> = programme.tiers.levels.iter().map(|tier| tier_number(&tier.code)).collect();
                numbers.sort_unstable();
                let shared = numbers.windows(2).any(|pair| pair[0] == pair[1]);
                let detail = "two tiers could not be told apart: give one of them another code";
                found.refuse(shared, &format!("{at}/occasion"), "tiers_alike", detail);
            }
            OccasionKind::Birthday | OccasionKind::Welcome | OccasionKind::Anniversary => {}
        }
    }
}

impl Programme {
    /// Whether a perk may be due on the day of enrolment, to somebody whose birth date is known or not.
    pub fn greets(&self, born: bool) -> bool {
        self.perks.iter().any(|perk| match perk.occasion {
            OccasionKind::Welcome => true,
            OccasionKind::Birthday => born,
            OccasionKind::Anniversary | OccasionKind::TierReached | OccasionKind::Lapse { .. } => false,
        }) || self.triggered().iter().any(|promotion| match promotion.trigger {
            Trigger::Enrolment => true,
            Trigger::Birthday { .. } => born,
            _ => false,
        })
    }

    /// Whether a change of tier may be an occasion, of perks or of promotions: a purchase that raises the tier then
    /// grants.
    pub fn has_tier_occasions(&self) -> bool {
        self.has_tier_perks()
            || self.promotions.iter().any(|promotion| matches!(promotion.trigger, Trigger::TierChange { .. }))
    }

    fn has_tier_perks(&self) -> bool {
        self.perks.iter().any(|perk| perk.occasion == OccasionKind::TierReached)
    }
}

/// What a grant is known by: one of a member is one for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantKey {
    /// Code of the perk.
    pub perk: String,
    /// The occasion's number.
    pub occasion: i32,
}

/// A perk granted to a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerkGrant {
    /// Code of the perk.
    pub perk: String,
    /// The occasion's number: see [`OccasionKind::word_of`].
    pub occasion: i32,
    /// When it was granted.
    pub granted_at: Instant,
    /// What was given.
    pub gift: PerkGift,
    /// First instant of the window.
    pub from: Instant,
    /// First instant after the window.
    pub until: Instant,
}

impl PerkGrant {
    fn is(&self, key: &GrantKey) -> bool {
        self.perk == key.perk && self.occasion == key.occasion
    }
}

impl MemberState {
    /// The grant that gives a reward for nothing at an instant: of those that no redemption has used the
    /// one that ends first. Grants must be loaded.
    pub fn given(&self, reward: &str, at: Instant) -> Option<&PerkGrant> {
        let used = |grant: &PerkGrant| {
            let mut standing = self.redemptions.values().filter(|made| made.status != RedemptionStatus::Voided);
            standing.any(|made| made.grant.as_ref().is_some_and(|key| grant.is(key)))
        };
        let open = self.grants.iter().filter(|grant| {
            let gives = matches!(&grant.gift, PerkGift::Reward { reward: given } if given == reward);
            gives && grant.from <= at && at < grant.until && !used(grant)
        });
        open.min_by_key(|grant| grant.until)
    }
}

impl Draft<'_> {
    /// Grants every perk, and everything of a promotion, whose window holds today, whose gates hold and which was
    /// not granted for its occasion yet, and what completed referrals are worth. A frozen member is granted nothing.
    pub(crate) fn grant_perks(&mut self) -> Result<Outcome, Refusal> {
        self.settle()?;
        let perks = self.grant_where(|_| true)?;
        let mut promotions = self.grant_promotions(|trigger| !matches!(trigger, Trigger::Event { .. }))?;
        promotions.extend(self.reward_referrals()?);
        Ok(Outcome::Perks(perks.into_iter().chain(promotions.into_iter().map(|given| given.by)).collect()))
    }

    /// Grants what a rise is the occasion of, if the tier has changed since it had changed so often. The
    /// member's grants need not be loaded: that one of them is not granted twice is proved when it is stored.
    pub(crate) fn grant_reached(&mut self, changes: i64) -> Result<Vec<String>, Refusal> {
        if self.programme.has_tier_perks() && self.member.standing.tier_changes > changes {
            return self.grant_where(|perk| perk.occasion == OccasionKind::TierReached);
        }
        Ok(Vec::new())
    }

    fn grant_where(&mut self, asked: impl Fn(&Perk) -> bool) -> Result<Vec<String>, Refusal> {
        let mut granted = Vec::new();
        if self.member.standing.frozen {
            return Ok(granted);
        }
        let programme = self.programme;
        for perk in programme.perks.iter().filter(|perk| asked(perk)) {
            if let Some(occasion) = self.due_occasion(perk) {
                self.grant(perk, occasion)?;
                granted.push(perk.code.clone());
            }
        }
        Ok(granted)
    }

    fn due_occasion(&self, perk: &Perk) -> Option<Occasion> {
        let standing = &self.member.standing;
        let facts = self.facts();
        let occasion = perk.occasion_on(self.today(), &facts)?;
        let enrolled_days = (self.today() - facts.enrolled).num_days();
        let gates =
            enrolled_days >= i64::from(perk.member_for_days) && (standing.purchases > 0 || !perk.needs_purchase);
        let rest = if perk.occasion == OccasionKind::Birthday { BIRTHDAY_REST } else { Duration::zero() };
        let mut granted = self.member.grants.iter().filter(|grant| grant.perk == perk.code);
        let first = granted.all(|grant| grant.occasion != occasion.number && grant.granted_at + rest <= self.at);
        let over = self.programme.is_gift_over(&perk.grant, self.today(), occasion.to);
        (gates && first && !over).then_some(occasion)
    }

    pub(crate) fn facts(&self) -> Facts<'_> {
        let (zone, standing) = (self.zone(), &self.member.standing);
        let position = |code: &str| self.programme.tier_position(code);
        let last = self.member.tier_changes.last();
        let rose = last.filter(|last| position(&last.to) == self.tier() && position(&last.to) > position(&last.from));
        Facts {
            born: self.member.birth_date,
            enrolled: zone.day_of(standing.enrolled_at),
            purchased: standing.purchased_at.map(|at| zone.day_of(at)),
            tier: &self.programme.tier(self.tier()).code,
            reached: rose.map(|rose| zone.day_of(rose.at)),
        }
    }

    fn grant(&mut self, perk: &Perk, occasion: Occasion) -> Result<(), Refusal> {
        let (from, until) = occasion.instants(self.zone());
        let (granted_at, gift) = (self.at, perk.grant.clone());
        let life = LotLife {
            occurred_at: self.at,
            available_from: self.at,
            expires_at: Some(until),
            lapse: Lapse::Fixed,
            origin: None,
            parent: None,
        };
        let perk = perk.code.clone();
        self.grant_gift(PerkGrant { perk, occasion: occasion.number, granted_at, gift, from, until }, life)?;
        Ok(())
    }
}
