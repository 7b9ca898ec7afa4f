//! The open batch: commands that are decided and wait for a storer, together with what comes in meanwhile.

use std::sync::Arc;

use tessera_rules::Standing;
use tessera_rules::id::MemberId;
use tessera_rules::time::Instant;

use super::deciding::{Decided, Deciding};
use super::{Answered, Failure, Job, Versioned};
use crate::store::batch::Loaded;

/// A batch to which commands may still be added.
#[derive(Default)]
pub(super) struct OpenBatch {
    pub(super) jobs: Vec<Job>,
    answers: Vec<Answered>,
    deciding: Option<Deciding>,
    /// Something came in the way: it is decided under locks.
    spoilt: bool,
    /// How many keys, receipts and numbers of returns its commands name.
    named: [usize; 3],
    /// Whether earlier uses of all of them were looked for.
    unseen: bool,
}

/// What came of a batch that could be decided.
pub(super) struct Closed {
    pub(super) answers: Vec<Answered>,
    pub(super) decided: Decided,
    /// A key or a receipt left nothing to store, so that no unique index speaks up for it.
    pub(super) repeated: bool,
}

impl OpenBatch {
    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(super) fn spoil(&mut self) {
        self.spoilt = true;
    }

    pub(super) fn is_spoilt(&self) -> bool {
        self.spoilt
    }

    /// The programme version it is decided under, once one is.
    pub(super) fn version(&self) -> Option<i64> {
        self.deciding.as_ref().map(Deciding::version)
    }

    /// How a member of the batch stands after it.
    pub(super) fn standing(&self, member: MemberId) -> Option<&Standing> {
        self.deciding.as_ref()?.standing(member)
    }

    /// Whether it knows how much of a promotion was used.
    pub(super) fn knows_promotion(&self, promotion: &str) -> bool {
        self.deciding.as_ref().is_some_and(|deciding| deciding.knows_promotion(promotion))
    }

    /// What decides it, knowing what was loaded.
    pub(super) fn deciding(
        &mut self,
        programme: Arc<Versioned>,
        loaded: Loaded,
        now: Instant,
    ) -> Result<&mut Deciding, Failure> {
        let deciding = self.deciding.get_or_insert_with(|| Deciding::new(programme));
        deciding.learn(loaded, now)?;
        Ok(deciding)
    }

    /// Decides commands, which name so many keys, receipts and numbers of returns.
    pub(super) fn decide(&mut self, jobs: &[Job], named: [usize; 3], looked: bool) {
        let Some(deciding) = &mut self.deciding else { return };
        self.answers.extend(jobs.iter().map(|job| deciding.take(&job.submission)));
        for (sum, more) in self.named.iter_mut().zip(named) {
            *sum += more;
        }
        self.unseen |= !looked;
    }

    /// What came of its commands; `None` where that takes locks.
    pub(super) fn finish(self) -> Option<Closed> {
        let deciding = self.deciding.filter(|_| !self.spoilt)?;
        let decided = deciding.finish().ok()?;
        let stored = [decided.writes.keys.len(), decided.writes.purchases.len(), decided.writes.returns.len()];
        Some(Closed { answers: self.answers, repeated: self.unseen && stored != self.named, decided })
    }
}
