//! Standings remembered from the batches that wrote them. What is remembered may have moved on; that
//! it has not is proved when a batch decided on it is stored.

use quick_cache::unsync::Cache;
use tessera_rules::id::MemberId;

use super::deciding::Known;

/// Members remembered at most, some 500 bytes each.
const MEMBERS: usize = 100_000;

/// The members of late.
pub(super) struct Memory(Cache<MemberId, Known>);

impl Memory {
    pub(super) fn new() -> Self {
        Self(Cache::new(MEMBERS))
    }

    pub(super) fn recall(&self, member: MemberId) -> Option<&Known> {
        self.0.get(&member)
    }

    pub(super) fn keep(&mut self, known: Known) {
        self.0.insert(known.standing.member, known);
    }

    pub(super) fn forget(&mut self, members: &[MemberId]) {
        for member in members {
            self.0.remove(member);
        }
    }
}
