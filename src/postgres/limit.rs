//! Waiting with an end.

use std::thread;
use std::time::{Duration, Instant};

/// How long to sleep between two looks: short beside a start (some 200 ms), long beside a look.
const PAUSE: Duration = Duration::from_millis(10);

/// A moment after which waiting makes no sense any more.
pub(super) struct Limit {
    end: Instant,
}

impl Limit {
    pub(super) fn after(wait: Duration) -> Self {
        Self { end: Instant::now() + wait }
    }

    /// Sleeps for a moment; false once the time is up.
    pub(super) fn pause(&self) -> bool {
        self.pause_for(PAUSE)
    }

    /// Sleeps that long; false once the time is up.
    pub(super) fn pause_for(&self, pause: Duration) -> bool {
        if Instant::now() >= self.end {
            return false;
        }
        thread::sleep(pause);
        true
    }
}
