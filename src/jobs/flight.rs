//! Many commands on their way at once: the engine commits together what waits together, so a job
//! that waited for every answer would commit one by one.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use crate::engine::{Engine, Failure, Reply, Submission};

/// Commands on their way before the oldest is waited for: enough to fill a batch while the next is
/// being gathered, few enough to leave room in the queue for people.
const WINDOW: usize = 512;

/// What came of the commands so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Decided now.
    pub decided: u64,
    /// Known already: the same receipt again.
    pub known: u64,
    /// Refused by a rule.
    pub refused: u64,
    /// Failed on their own; the others were not touched.
    pub failed: u64,
    /// The first refusal or failure, in words.
    pub first_reason: Option<String>,
}

/// Sends commands without waiting for each. Must not be used on an async thread.
pub struct Flight<'e> {
    engine: &'e Engine,
    out: VecDeque<oneshot::Receiver<Result<Reply, Failure>>>,
    tally: Tally,
}

impl<'e> Flight<'e> {
    /// Nothing is on its way yet.
    pub fn new(engine: &'e Engine) -> Self {
        Self { engine, out: VecDeque::with_capacity(WINDOW), tally: Tally::default() }
    }

    /// Sends a command; waits for the oldest answer when too many are on their way.
    ///
    /// # Errors
    /// As [`Flight::finish`], for a command sent before.
    pub fn send(&mut self, submission: Submission) -> Result<(), Failure> {
        if self.out.len() >= WINDOW {
            self.land()?;
        }
        self.out.push_back(self.engine.submit_blocking(submission));
        Ok(())
    }

    /// Waits for all that is on its way, and tells what came of everything sent so far.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] and whatever else concerns every command, not one: then there is no
    /// sense in going on.
    pub fn finish(&mut self) -> Result<&Tally, Failure> {
        while !self.out.is_empty() {
            self.land()?;
        }
        Ok(&self.tally)
    }

    fn land(&mut self) -> Result<(), Failure> {
        let Some(oldest) = self.out.pop_front() else { return Ok(()) };
        match oldest.blocking_recv().unwrap_or(Err(Failure::Unavailable)) {
            Ok(Reply::Decided { outcome: Ok(_), .. }) => self.tally.decided += 1,
            Ok(Reply::Decided { outcome: Err(refusal), .. }) => {
                self.tally.refused += 1;
                self.tally.first_reason.get_or_insert_with(|| refusal.to_string());
            }
            Ok(Reply::Replayed(_) | Reply::Known(_)) => self.tally.known += 1,
            Err(
                failure @ (Failure::Internal(_)
                | Failure::KeyReused
                | Failure::ReceiptConflict
                | Failure::ReturnConflict),
            ) => {
                self.tally.failed += 1;
                self.tally.first_reason.get_or_insert_with(|| failure.to_string());
            }
            Err(failure @ (Failure::Unavailable | Failure::Busy | Failure::NoProgramme)) => return Err(failure),
        }
        Ok(())
    }
}
