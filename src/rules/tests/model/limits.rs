//! What may happen only once, and what only so often (PROGRAMME.md §9, invariants 8 and 10): counted from
//! the effects alone, against the programme in force at that moment.

use std::collections::{BTreeMap, BTreeSet};

use tessera_rules::Programme;
use tessera_rules::decision::Effect;
use tessera_rules::id::MemberId;
use tessera_rules::ledger::{Account, Entry, EntryKind};
use tessera_rules::time::Day;

/// Counts of everything that has a limit.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    documents: BTreeSet<(&'static str, String, String)>,
    grants: BTreeSet<(MemberId, String, i32)>,
    /// Rewards handed out or set aside.
    rewards: BTreeMap<String, i64>,
    /// Uses of an entitlement by the year they count in.
    uses: BTreeMap<(MemberId, String, i32), u32>,
    given: BTreeMap<(MemberId, Day), i64>,
    pooled: BTreeMap<(MemberId, Day), i64>,
}

impl Limits {
    /// Counts what a command did to a member; `spends`: he himself asked for it, to spend points.
    pub(crate) fn count(&mut self, programme: &Programme, spends: bool, member: MemberId, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Purchase(record) => self.once("purchase", &record.source, &record.external_id),
                Effect::Return(record) => self.once("return", &record.source, &record.external_id),
                Effect::Grant(grant) => {
                    let first = self.grants.insert((member, grant.perk.clone(), grant.occasion));
                    assert!(first, "one grant for an occasion: {grant:?}");
                }
                Effect::PutBackReward { code, .. } => *self.rewards.entry(code.clone()).or_default() -= 1,
                Effect::UseReward { code, .. } => {
                    let used = self.rewards.entry(code.clone()).or_default();
                    *used += 1;
                    let stock = programme.reward(code).expect("of the catalogue").stock;
                    assert!(stock.is_none_or(|stock| *used <= i64::from(stock)), "{used} of {code}, not {stock:?}");
                }
                Effect::UseEntitlement(used) => {
                    let uses = self.uses.entry((member, used.code.clone(), used.year)).or_default();
                    *uses += 1;
                    let levels = programme.tiers.levels.iter().flat_map(|level| &level.entitlements);
                    let most = levels.filter(|own| own.code == used.code).map(|own| own.per_year).max();
                    assert!(Some(*uses) <= most, "{uses} of {used:?}");
                }
                Effect::Entry(entry) => self.entry(programme, spends, member, entry),
                _ => {}
            }
        }
    }

    fn once(&mut self, kind: &'static str, source: &str, number: &str) {
        let first = self.documents.insert((kind, source.to_owned(), number.to_owned()));
        assert!(first, "one {kind} for {source} {number}");
    }

    /// Points that a member gives away, or takes from a household's to spend them, on a day.
    fn entry(&mut self, programme: &Programme, spends: bool, member: MemberId, entry: &Entry) {
        if entry.kind != EntryKind::Transfer {
            return;
        }
        let (key, points) = ((member, programme.time_zone.day_of(entry.recorded_at)), entry.points.get());
        if entry.reason.as_deref() == Some("transfer") && entry.from == Account::Available {
            let given = self.given.entry(key).or_default();
            *given += points;
            let most = programme.transfers.expect("offered").daily_limit.get();
            assert!(*given <= most, "{given} given in a day, not {most}");
        } else if entry.reason.as_deref() == Some("pool") && entry.from == Account::Transferred && spends {
            let pooled = self.pooled.entry(key).or_default();
            *pooled += points;
            let most = programme.pools.expect("offered").daily_limit.get();
            assert!(*pooled <= most, "{pooled} taken from the pool in a day, not {most}");
        }
    }
}
