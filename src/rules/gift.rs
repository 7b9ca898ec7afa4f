//! Gifts: how what a perk or a promotion gives reaches the member – points into a lot, a coupon, a message.

use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::amount::Points;
use crate::command::Actor;
use crate::coupon::{CODE_BITS, Coupon, code_of};
use crate::decision::{Effect, StandingPatch};
use crate::draft::{Draft, LotLife, Note};
use crate::explain::Explanation;
use crate::id::{PurchaseId, RedemptionId};
use crate::ledger::{Account, EntryKind};
use crate::perk::{PerkGift, PerkGrant};
use crate::programme::{Problems, Programme};
use crate::promotion::PromotionEffect;
use crate::redemption::{Redemption, RedemptionStatus};
use crate::refusal::Refusal;
use crate::reward::RewardKind;
use crate::tag::TagCause;
use crate::text::Text;
use crate::time::{Day, Instant, add_days};
use crate::trigger::{grant_code, promotion_of};

/// Something that was given, as the answer tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Given {
    /// Who gives: the code of a perk, or of a promotion as [`grant_code`] has it.
    #[serde(skip)]
    pub by: String,
    /// What.
    pub gift: PerkGift,
    /// The code of a coupon; absent in a preview, which issues none.
    pub coupon: Option<String>,
}

/// A coupon that is issued with a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The coupon.
    pub coupon: Coupon,
    /// Who gives it: see [`Given::by`].
    pub by: String,
    /// The purchase or the redemption it was given with, with which it goes back; absent for what was granted.
    pub document: Option<Uuid>,
}

/// A message to the member, for whoever delivers messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who sends it: see [`Given::by`].
    pub by: String,
    /// What it says. `{name}` stands in it where the member's name goes: the books do not know it.
    pub text: Text,
}

/// What a message may leave a place for, beside `{name}`, which whoever delivers it fills in.
pub const PLACEHOLDERS: [&str; 4] = ["name", "tier", "points", "programme"];

/// The longest message, in bytes of a language.
const MESSAGE_BYTES_MAX: usize = 1_000;

/// Notes what is wrong with the text of a message.
pub(crate) fn check_message(text: &Text, at: &str, found: &mut Problems) {
    for said in [Some(&text.en), text.zh.as_ref()].into_iter().flatten() {
        let length = (1..=MESSAGE_BYTES_MAX).contains(&said.trim().len()) && said.len() <= MESSAGE_BYTES_MAX;
        found.refuse(!length, at, "message_length", "must be 1 to 1000 bytes in each language");
        if let Some(unknown) = places(said).find(|place| !PLACEHOLDERS.contains(place)) {
            let detail = format!("there is no `{{{unknown}}}`; there are `{{{}}}`", PLACEHOLDERS.join("}`, `{"));
            found.refuse(true, at, "unknown_placeholder", &detail);
        }
    }
}

/// What stands between braces.
fn places(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).map(|rest| rest.split('}').next().unwrap_or(rest))
}

impl PromotionEffect {
    /// What is granted, where it does not depend on a sale: points cut to what is left of a budget.
    pub(crate) fn gift(&self, left: Option<i64>) -> Option<PerkGift> {
        match self {
            Self::Add { points } => {
                let given = left.map_or(points.get(), |left| left.min(points.get()));
                Some(PerkGift::Points { points: Points::new(given).ok()? })
            }
            Self::Coupon { coupon } => Some(PerkGift::Coupon { coupon: coupon.clone() }),
            Self::Reward { reward, .. } => Some(PerkGift::Reward { reward: reward.clone() }),
            Self::Multiplier { multiplier, .. } => Some(PerkGift::Multiplier { multiplier: *multiplier }),
            Self::Message { text } => Some(PerkGift::Message { text: text.clone() }),
            Self::Tag { tag, days } => Some(PerkGift::Tag { tag: tag.clone(), days: *days }),
            Self::Untag { tag } => Some(PerkGift::Untag { tag: tag.clone() }),
            Self::Multiply { .. } | Self::PerAmount { .. } | Self::Cashback { .. } => None,
        }
    }

    /// Whether it gives points for what was bought.
    pub(crate) fn gives_points(&self) -> bool {
        matches!(self, Self::Multiply { .. } | Self::Add { .. } | Self::PerAmount { .. })
    }

    /// Whether it gives something else than points or money for what was bought.
    pub(crate) fn is_gift(&self) -> bool {
        !self.gives_points() && !matches!(self, Self::Cashback { .. })
    }
}

impl Programme {
    /// Whether an effect gives a coupon that could never be used if it were issued on a day.
    pub(crate) fn is_over(&self, effect: &PromotionEffect, day: Day) -> bool {
        let PromotionEffect::Coupon { coupon } = effect else { return false };
        self.coupon(coupon).is_none_or(|of| of.is_over(day, None))
    }

    /// The same of a gift that is to be used by another day.
    pub(crate) fn is_gift_over(&self, gift: &PerkGift, day: Day, by: Day) -> bool {
        let PerkGift::Coupon { coupon } = gift else { return false };
        self.coupon(coupon).is_none_or(|of| of.is_over(day, Some(by)))
    }

    /// Whether a decision may issue a coupon, whose code takes chance.
    pub fn issues_coupons(&self) -> bool {
        self.promotions.iter().any(|promotion| matches!(promotion.effect, PromotionEffect::Coupon { .. }))
            || self.perks.iter().any(|perk| matches!(perk.grant, PerkGift::Coupon { .. }))
            || self.rewards.iter().any(|reward| reward.kind == RewardKind::Coupon)
    }
}

impl Draft<'_> {
    /// Puts a grant on record and hands out what it gives.
    pub(crate) fn grant_gift(&mut self, grant: PerkGrant, life: LotLife) -> Result<Given, Refusal> {
        self.record(Effect::Grant(grant.clone()))?;
        let PerkGrant { perk: by, gift, until, .. } = grant;
        let mut coupon = None;
        match &gift {
            PerkGift::Points { points } => self.give_points(&by, *points, life)?,
            PerkGift::Multiplier { .. } => {
                self.patch(StandingPatch { boost_until: Some(until), ..StandingPatch::default() })?;
            }
            PerkGift::Coupon { coupon: of } => {
                // What is not used of a perk expires with its window (PROGRAMME.md §7).
                let within = promotion_of(&by).is_none().then_some(until);
                coupon = self.issue(&by, of, None, within)?;
            }
            PerkGift::Message { text } => self.tell(&by, text)?,
            PerkGift::Tag { .. } | PerkGift::Untag { .. } => self.tag(&by, &gift)?,
            PerkGift::Reward { .. } => {}
        }
        Ok(Given { by, gift, coupon })
    }

    /// Hands out what promotions give with a purchase beside its points.
    pub(crate) fn give_with(&mut self, purchase: PurchaseId, why: &Explanation) -> Result<Vec<Given>, Refusal> {
        let mut given = Vec::new();
        for told in why.promotions.iter().filter(|told| told.missed.is_none() && told.effect.is_gift()) {
            let Some(gift) = told.effect.gift(None) else { continue };
            let by = grant_code(&told.code);
            let mut coupon = None;
            match &gift {
                // A late purchase may have been promised what is over by now.
                PerkGift::Coupon { .. } if self.programme.is_over(&told.effect, self.today()) => continue,
                PerkGift::Coupon { coupon: of } => coupon = self.issue(&by, of, Some(purchase.uuid()), None)?,
                PerkGift::Message { text } => self.tell(&by, text)?,
                PerkGift::Tag { .. } | PerkGift::Untag { .. } => self.tag(&by, &gift)?,
                // Refused with a purchase.
                PerkGift::Points { .. } | PerkGift::Multiplier { .. } | PerkGift::Reward { .. } => continue,
            }
            given.push(Given { by, gift, coupon });
        }
        Ok(given)
    }

    /// What a redemption that has just changed means for the coupon that its reward gives: captured, it is issued;
    /// voided, it is taken back unless it was used.
    pub(crate) fn coupon_of(&mut self, id: RedemptionId, redemption: &mut Redemption) -> Result<(), Refusal> {
        let Some(reward) = redemption.reward.as_ref().and_then(|code| self.programme.reward(code)) else {
            return Ok(());
        };
        let (Some(of), by) = (&reward.coupon, format!("reward:{}", reward.code)) else { return Ok(()) };
        match redemption.status {
            RedemptionStatus::Captured if redemption.voucher.is_none() => {
                redemption.voucher = self.issue(&by, of, Some(id.uuid()), None)?;
            }
            RedemptionStatus::Voided if redemption.voucher.is_some() => {
                self.record(Effect::RevokeCoupons { document: id.uuid(), by })?;
            }
            RedemptionStatus::Held | RedemptionStatus::Captured | RedemptionStatus::Voided => {}
        }
        Ok(())
    }

    fn give_points(&mut self, by: &str, points: Points, life: LotLife) -> Result<(), Refusal> {
        let note = Note {
            kind: EntryKind::Perk,
            actor: Actor::SYSTEM,
            effective_at: self.at,
            document: None,
            reason: Some(by),
            reverses: None,
        };
        self.credit(note, Account::Issued, points, life)?;
        self.patch(StandingPatch { earned: points, ..StandingPatch::default() })
    }

    /// Issues a coupon of a kind, to be used before an instant at the latest where one is given; tells its code.
    /// Without chance, as in a preview, none is issued; nor is one that would be over.
    fn issue(
        &mut self,
        by: &str,
        of: &str,
        document: Option<Uuid>,
        until: Option<Instant>,
    ) -> Result<Option<String>, Refusal> {
        let (Some(of), Some(seed)) = (self.programme.coupon(of), self.context.seed) else { return Ok(None) };
        let member = self.member.standing.member;
        let code = self.coupon_code(seed, member.uuid());
        let mut coupon = of.issue(&code, Some(member), self.at, self.zone());
        coupon.until = [coupon.until, until].into_iter().flatten().min();
        if coupon.until.is_some_and(|until| until <= coupon.from) {
            return Ok(None);
        }
        self.record(Effect::IssueCoupon(Issued { coupon, by: by.to_owned(), document }))?;
        Ok(Some(code))
    }

    /// The next code of this decision. Whoever knows one learns nothing of the others.
    fn coupon_code(&mut self, seed: [u8; 32], member: Uuid) -> String {
        let issued = self.effects.iter().filter(|effect| matches!(effect, Effect::IssueCoupon(_))).count() as u64;
        let hash: [u8; 32] =
            Sha256::new().chain_update(seed).chain_update(member).chain_update(issued.to_be_bytes()).finalize().into();
        let mut random = [0; CODE_BITS / 8];
        random.copy_from_slice(&hash[..CODE_BITS / 8]);
        code_of(random)
    }

    /// Changes a tag for a promotion. Where the member has as many as he may, it is left: nothing else depends on it.
    fn tag(&mut self, by: &str, gift: &PerkGift) -> Result<(), Refusal> {
        let cause = TagCause::Promotion(promotion_of(by).unwrap_or(by).to_owned());
        let changed = match gift {
            PerkGift::Tag { tag, days } => {
                let ends = |days: u32| self.zone().midnight(add_days(self.today(), i64::from(days) + 1));
                self.put_tag(tag, days.map(ends), cause)
            }
            PerkGift::Untag { tag } => self.take_tag_off(tag, cause),
            _ => Ok(()),
        };
        match changed {
            Err(Refusal::TooManyTags) => Ok(()),
            changed => changed,
        }
    }

    fn tell(&mut self, by: &str, text: &Text) -> Result<(), Refusal> {
        let (points, tier) = (self.balance().available, &self.programme.tier(self.tier()).name);
        let filled = |chinese: bool| {
            let said = text.get(chinese).replace("{tier}", tier.get(chinese));
            let said = said.replace("{programme}", self.programme.name.get(chinese));
            said.replace("{points}", &points.to_string())
        };
        let text = Text { en: filled(false), zh: Some(filled(true)) };
        self.record(Effect::Message(Message { by: by.to_owned(), text }))
    }
}
