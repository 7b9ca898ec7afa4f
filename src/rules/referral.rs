//! Referrals: which member brought another into the programme, and when that is worth something (PROGRAMME.md §8).
//!
//! Who referred somebody is said once, at the enrolment, and never changed. The referral is *completed* with the first
//! purchase of the new member that qualifies, in the decision of that purchase. What promotions give the new member
//! for it comes with the purchase; what they give the referrer is granted to him afterwards, once, by a command of his
//! own ([`crate::Command::GrantPerks`]).

use serde::{Deserialize, Serialize};

use crate::amount::Minor;
use crate::decision::Effect;
use crate::draft::Draft;
use crate::gift::Given;
use crate::id::{MemberId, PurchaseId};
use crate::occasion::REFERRALS_FROM;
use crate::programme::{Problems, Programme};
use crate::refusal::Refusal;
use crate::time::{Day, Instant, add_days};
use crate::trigger::{Asked, Trigger};

/// Which purchase completes a referral. A programme that says nothing of it completes none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferralTerms {
    /// The least that counts of the purchase (its basis: without goods and tenders that earn nothing), in minor units;
    /// at least 0.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub minimum_spend: Minor,
    /// Through which local day after that of the enrolment the purchase may be made: 1 to 3,650.
    #[serde(default = "ninety_days")]
    pub within_days: u32,
}

fn is_nothing(amount: &Minor) -> bool {
    amount.is_zero()
}

fn ninety_days() -> u32 {
    90
}

/// On which side of a referral somebody stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferralSide {
    /// The member who referred the other.
    Referrer,
    /// The new member.
    Referred,
}

/// By whom a member was referred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Referral {
    /// The referrer as he is now: of accounts that were merged the one that stays.
    pub referrer: MemberId,
    /// Whether a purchase has completed it.
    pub completed: bool,
}

/// What a member's own referrals have come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Referred {
    /// How many he was thanked for, whether or not a promotion gave something.
    pub rewarded: i64,
    /// Those that are completed and that he was not thanked for yet, in the order of their completion.
    pub due: Vec<CompletedReferral>,
}

/// A referral that is completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompletedReferral {
    /// Who was referred.
    pub member: MemberId,
    /// When the purchase happened that completed it.
    pub completed_at: Instant,
}

impl ReferralTerms {
    /// Whether a purchase of which so much counts, made on a local day, completes a referral of somebody who enrolled
    /// on another. One of which nothing counts never does.
    pub fn completes(&self, spend: Minor, bought: Day, enrolled: Day) -> bool {
        spend.is_positive() && spend >= self.minimum_spend && enrolled <= bought && bought <= self.last_day(enrolled)
    }

    /// The last local day on which a purchase completes a referral of somebody who enrolled on another.
    pub fn last_day(&self, enrolled: Day) -> Day {
        add_days(enrolled, i64::from(self.within_days))
    }

    pub(crate) fn check(&self, found: &mut Problems) {
        let negative = self.minimum_spend < Minor::ZERO;
        found.refuse(negative, "/referral/minimum_spend", "out_of_range", "must be at least 0");
        let wrong = !(1..=3_650).contains(&self.within_days);
        found.refuse(wrong, "/referral/within_days", "out_of_range", "must be 1 to 3650");
    }
}

impl Programme {
    /// Whether a purchase made at an instant or later may complete a referral of somebody who enrolled at another.
    pub fn awaits_referral(&self, enrolled: Instant, since: Instant) -> bool {
        let zone = self.time_zone;
        self.referral.is_some_and(|terms| zone.day_of(since) <= terms.last_day(zone.day_of(enrolled)))
    }
}

/// The occasion of a member's own enrolment by a referral is the first number; his n-th referral is n further on.
fn occasion(number: i64) -> Result<i32, Refusal> {
    let number = i32::try_from(number).ok().and_then(|number| REFERRALS_FROM.checked_add(number));
    number.ok_or(Refusal::AmountOutOfRange)
}

impl Draft<'_> {
    /// Completes the member's referral with a purchase of which so much counts, if it is open and qualifies; adds what
    /// that gives him, and tells the referrer.
    pub(crate) fn complete_referral(
        &mut self,
        (purchase, at, spend): (PurchaseId, Instant, Minor),
        gifts: &mut Vec<Given>,
    ) -> Result<Option<MemberId>, Refusal> {
        let (Some(terms), Some(Referral { referrer, completed: false })) =
            (self.programme.referral, self.member.referral)
        else {
            return Ok(None);
        };
        let standing = &self.member.standing;
        let (bought, enrolled) = (self.zone().day_of(at), self.zone().day_of(standing.enrolled_at));
        // Two accounts of one person may have been merged since: nobody brings himself.
        if referrer == standing.member || !terms.completes(spend, bought, enrolled) {
            return Ok(None);
        }
        self.record(Effect::CompleteReferral { purchase, at })?;
        gifts.extend(self.grant_for_referral(ReferralSide::Referred, 0, at)?);
        Ok(Some(referrer))
    }

    /// Grants a member what promotions give for each referral of his that is completed. What is due to a frozen member
    /// waits.
    pub(crate) fn reward_referrals(&mut self) -> Result<Vec<Given>, Refusal> {
        let mut given = Vec::new();
        if self.member.standing.frozen {
            return Ok(given);
        }
        for CompletedReferral { member, completed_at } in self.member.referred.due.clone() {
            let number = self.member.referred.rewarded + 1;
            self.record(Effect::RewardReferral { member, number })?;
            given.extend(self.grant_for_referral(ReferralSide::Referrer, number, completed_at)?);
        }
        Ok(given)
    }

    fn grant_for_referral(&mut self, side: ReferralSide, number: i64, at: Instant) -> Result<Vec<Given>, Refusal> {
        let (mut given, occasion) = (Vec::new(), occasion(number)?);
        let window = (self.at, self.zone().midnight(add_days(self.today(), 1)));
        let waits = |trigger: &Trigger| matches!(trigger, Trigger::Referral { whom } if *whom == side);
        for promotion in self.programme.triggered().into_iter().filter(|promotion| waits(&promotion.trigger)) {
            if self.misses(promotion, Asked { at, store: "", event: None }).is_none() {
                given.push(self.grant_promotion(promotion, occasion, window)?);
            }
        }
        Ok(given)
    }
}
