//! The clock and the dice: the only place that reads wall time and entropy.
//!
//! Everything else is given the time as an argument, so that a rule can be asked about any moment
//! and a test never waits. Two times are told apart:
//!
//! - **programme time** ([`Clock::now`]): what points, tiers and expiry go by. In sandbox mode it
//!   runs ahead of the wall by an offset that the whole installation shares.
//! - **wall time** ([`Clock::wall_now`]): what tokens, sign-ins and one-time codes go by. A moved
//!   sandbox clock must never revive a code or kill every session.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{TimeDelta, Utc};
use rand::Rng as _;
use tessera_rules::time::{Instant, to_micros};
use uuid::Uuid;

/// Wall time plus an offset; a clone shares the offset.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    offset_micros: Arc<AtomicI64>,
}

impl Clock {
    /// A clock that shows wall time until an offset is set.
    pub fn wall() -> Self {
        Self::default()
    }

    /// Programme time in whole microseconds, as the database keeps it: wall time plus the offset.
    pub fn now(&self) -> Instant {
        let wall = self.wall_now();
        wall.checked_add_signed(TimeDelta::microseconds(self.offset())).unwrap_or(wall)
    }

    /// Wall time in whole microseconds, whatever the offset.
    #[expect(clippy::disallowed_methods, reason = "this is the seam where time enters")]
    pub fn wall_now(&self) -> Instant {
        to_micros(Utc::now())
    }

    /// Sets how far programme time runs ahead of the wall, in microseconds, for every clone.
    pub fn set_offset(&self, micros: i64) {
        self.offset_micros.store(micros, Ordering::Relaxed);
    }

    /// How far programme time runs ahead of the wall, in microseconds.
    pub fn offset(&self) -> i64 {
        self.offset_micros.load(Ordering::Relaxed)
    }
}

/// A new id: UUID version 7 (RFC 9562), which sorts by the wall time of its making.
#[expect(clippy::disallowed_methods, reason = "this is the seam where ids are made")]
pub fn new_uuid() -> Uuid {
    Uuid::now_v7()
}

/// `N` bytes from the cryptographic generator of the thread, seeded by the operating system.
#[expect(clippy::disallowed_methods, reason = "this is the seam where entropy enters")]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}
