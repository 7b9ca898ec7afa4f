//! Guessing passwords and codes gets slower and slower.
//!
//! A few wrong ones are free, five for the same person and many more from the same address, behind
//! which there may be a whole office; each further one doubles the time until the next is looked at,
//! up to five minutes. Nobody is shut out for good: whoever could do that to himself could
//! do it to others. Counted in memory, in each process for itself, and forgotten after a quarter of
//! an hour without failures.

use quick_cache::sync::Cache;
use tessera_rules::time::Instant;

use super::Error;
use crate::store::session::Hash;

/// Wrong ones without consequence.
const FREE: u32 = 5;
/// The longest wait in seconds.
const LONGEST: i64 = 300;
/// Seconds without a failure after which all is forgotten.
const MEMORY: i64 = 900;
/// People remembered. The least recently tried are forgotten first.
const CAPACITY: usize = 16_384;

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: i64,
}

impl Failures {
    /// When the next attempt is looked at, in Unix seconds.
    fn next(self, free: u32) -> i64 {
        let beyond = self.count.saturating_sub(free);
        let wait = if beyond == 0 { 0 } else { 1_i64.checked_shl(beyond - 1).unwrap_or(LONGEST).clamp(1, LONGEST) };
        self.last + wait
    }
}

/// Failures of late, by the SHA-256 of whose they are.
#[derive(Debug)]
pub struct Throttle {
    free: u32,
    failures: Cache<Hash, Failures>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self::new()
    }
}

impl Throttle {
    /// For people: five wrong ones are free.
    pub fn new() -> Self {
        Self::with_free(FREE)
    }

    /// With another number of wrong ones without consequence.
    pub fn with_free(free: u32) -> Self {
        Self { free, failures: Cache::new(CAPACITY) }
    }

    /// Whether an attempt may be looked at now.
    ///
    /// # Errors
    /// [`Error::Throttled`].
    pub fn check(&self, whose: &Hash, now: Instant) -> Result<(), Error> {
        let wait = self.failures.get(whose).map_or(0, |failures| failures.next(self.free) - now.timestamp());
        match u32::try_from(wait) {
            Ok(seconds @ 1..) => Err(Error::Throttled { seconds }),
            Ok(0) | Err(_) => Ok(()),
        }
    }

    /// Notes a wrong password.
    pub fn failed(&self, whose: &Hash, now: Instant) {
        let now = now.timestamp();
        let before = self.failures.get(whose).filter(|failures| now - failures.last < MEMORY);
        let count = before.map_or(0, |failures| failures.count).saturating_add(1);
        self.failures.insert(*whose, Failures { count, last: now });
    }

    /// Takes back the failure noted last, of an attempt that turned out right.
    pub fn forgive(&self, whose: &Hash) {
        if let Some(Failures { count, last }) = self.failures.get(whose) {
            self.failures.insert(*whose, Failures { count: count.saturating_sub(1), last });
        }
    }

    /// Notes a right password.
    pub fn succeeded(&self, whose: &Hash) {
        self.failures.remove(whose);
    }
}
