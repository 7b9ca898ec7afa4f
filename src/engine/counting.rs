//! What a batch uses of limited promotions, and within which figures of what was used before it every
//! command of it is decided rightly: that is proved when it is stored.

use std::collections::{BTreeMap, BTreeSet};

use tessera_rules::Programme;
use tessera_rules::explain::Explanation;
use tessera_rules::id::MemberId;
use tessera_rules::limit::{PromotionUsage, PromotionUse, UsageRange};
use tessera_rules::promotion::Promotion;
use tessera_rules::time::Day;

use crate::store::promotion::Counts;

/// What a batch uses of limited promotions.
#[derive(Default)]
pub(super) struct Counting {
    /// Promotions whose usage was told.
    known: BTreeSet<String>,
    changes: BTreeMap<String, Change>,
    /// Uses by member and day.
    own: BTreeMap<(MemberId, String, Day), i64>,
}

/// What changes of a promotion's usage.
#[derive(Default)]
struct Change {
    by: PromotionUsage,
    /// Within which the usage before the batch must lie.
    right: UsageRange,
}

impl Counting {
    /// Notes that the usage of a promotion is told; whether for the first time.
    pub(super) fn learn(&mut self, promotion: &str) -> bool {
        self.known.insert(promotion.to_owned())
    }

    pub(super) fn knows(&self, promotion: &str) -> bool {
        self.known.contains(promotion)
    }

    /// The promotions whose usage was told.
    pub(super) fn known(&self) -> impl Iterator<Item = &String> {
        self.known.iter()
    }

    /// Notes what a purchase was decided on; what it uses comes after.
    pub(super) fn decided(&mut self, programme: &Programme, why: &Explanation) {
        for promotion in programme.promotions.iter().filter(|promotion| promotion.limits.is_shared()) {
            if let Some(told) = why.promotions.iter().find(|told| told.code == promotion.code) {
                let change = self.changes.entry(promotion.code.clone()).or_default();
                change.right = change.right.and(promotion.limits.range(told, change.by));
            }
        }
    }

    /// Notes that a promotion gave so many points for something else than a purchase; what it uses comes after.
    pub(super) fn granted(&mut self, promotion: &Promotion, points: i64) {
        if promotion.limits.is_shared() {
            let change = self.changes.entry(promotion.code.clone()).or_default();
            change.right = change.right.and(promotion.granted_within(points, change.by));
        }
    }

    /// Counts a use, or one that is given back.
    pub(super) fn count(&mut self, member: MemberId, used: PromotionUse) {
        if let Some(day) = used.day {
            *self.own.entry((member, used.code.clone(), day)).or_default() += used.change.uses;
        }
        let change = self.changes.entry(used.code).or_default();
        change.by = change.by.plus(used.change);
    }

    /// What is to be written, and proved.
    pub(super) fn finish(self) -> Counts {
        let mut counts = Counts::default();
        let asks = |change: &Change| change.by != PromotionUsage::default() || change.right != UsageRange::default();
        for (promotion, change) in self.changes.into_iter().filter(|(_, change)| asks(change)) {
            counts.promotions.push(promotion);
            counts.uses.push(change.by.uses);
            counts.points.push(change.by.points);
            counts.money.push(change.by.money);
            let Change { right: UsageRange { uses, points, money }, .. } = change;
            counts.right_uses.0.push(uses.0);
            counts.right_uses.1.push(uses.1);
            counts.right_points.0.push(points.0);
            counts.right_points.1.push(points.1);
            counts.right_money.0.push(money.0);
            counts.right_money.1.push(money.1);
        }
        for ((member, promotion, day), uses) in self.own.into_iter().filter(|(_, uses)| *uses != 0) {
            counts.members.0.push(member.uuid());
            counts.members.1.push(promotion);
            counts.members.2.push(day);
            counts.member_uses.push(uses);
        }
        counts
    }
}
