//! A storer: a thread with a connection of its own that stores what the writer has decided, and
//! decides itself under locks what turned out otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;

use crossbeam_channel::Sender;
use tessera_rules::id::MemberId;

use crate::clock::Clock;
use crate::store::Error;
use crate::store::batch::{self, Writes};
use crate::store::db::{Connection, transaction};

use super::deciding::Deciding;
use super::guard::guarded;
use super::plan::plan;
use super::{Answered, Failure, Job, Programmes};

/// How often a batch meets another transaction before it gives up.
const RETRIES: u32 = 5;

/// What speaks when a key or a receipt was used before.
const TAKEN: [&str; 3] = ["idempotency_pkey", "purchase_document_key", "purchase_return_document_key"];

/// A batch on its way from the writer.
pub(super) struct Handed {
    pub(super) batch: Vec<Job>,
    /// What the writer made of it; `None` where that takes locks.
    pub(super) draft: Option<Draft>,
}

/// A batch decided without locks.
pub(super) struct Draft {
    pub(super) answers: Vec<Answered>,
    /// Nothing to write: `None`.
    pub(super) writes: Option<Writes>,
}

impl Draft {
    /// Whom it changes.
    pub(super) fn members(&self) -> impl Iterator<Item = MemberId> {
        self.writes.iter().flat_map(|writes| &writes.standings).map(|row| MemberId::new(row.member_id))
    }
}

/// What the writer is told of each batch when it is through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Landed {
    /// Which storer had it.
    pub(super) lane: usize,
    /// Whether the writer's draft was stored.
    pub(super) as_decided: bool,
    /// Whether it failed for a key or a receipt that was used before.
    pub(super) taken: bool,
}

pub(super) struct Storer {
    lane: usize,
    url: String,
    connection: Option<Connection>,
    clock: Clock,
    programmes: Programmes,
    waiting: Arc<AtomicUsize>,
}

impl Storer {
    pub(super) fn new(lane: usize, url: &str, clock: Clock, programmes: Programmes, waiting: Arc<AtomicUsize>) -> Self {
        Self { lane, url: url.to_owned(), connection: None, clock, programmes, waiting }
    }

    /// Runs until the writer has ended.
    pub(super) fn run(mut self, queue: &Receiver<Handed>, landed: &Sender<Landed>) {
        while let Ok(Handed { batch, draft }) = queue.recv() {
            let (outcome, answers) = self.take(&batch, draft);
            // The writer goes on at once; answering takes time.
            let heard = landed.send(outcome);
            self.answer(batch, answers);
            if heard.is_err() {
                break;
            }
        }
    }

    /// Stores a batch as it was decided, or decides it under locks.
    pub(super) fn take(&mut self, batch: &[Job], draft: Option<Draft>) -> (Landed, Vec<Answered>) {
        let mut outcome = Landed { lane: self.lane, as_decided: false, taken: false };
        let answers = match draft.map(|draft| (self.store(draft.writes), draft.answers)) {
            Some((Ok(()), answers)) => {
                outcome.as_decided = true;
                answers
            }
            // Whether it was written is not known: the same key finds out.
            Some((Err(Error::Unavailable(_)), _)) => batch.iter().map(|_| Err(Failure::Unavailable)).collect(),
            Some((Err(error), _)) => {
                outcome.taken = is_taken(&error);
                self.decide(batch)
            }
            None => self.decide(batch),
        };
        (outcome, answers)
    }

    fn answer(&self, batch: Vec<Job>, answers: Vec<Answered>) {
        self.waiting.fetch_sub(batch.len(), Ordering::Relaxed);
        for (job, answer) in batch.into_iter().zip(answers) {
            if let Err(Failure::Internal(error)) = &answer {
                tracing::error!(error, "a command failed");
            }
            // A caller that has gone away does not want its answer.
            let _ = job.reply.send(answer);
        }
    }

    fn store(&mut self, writes: Option<Writes>) -> Result<(), Error> {
        let Some(writes) = writes else { return Ok(()) };
        let mut connection = self.connect()?;
        // After a panic it is not known whether it was written.
        let stored = guarded("storer", || writes.run(&mut connection));
        let stored = stored.unwrap_or_else(|failure| Err(Error::Unavailable(failure.to_string())));
        if !matches!(stored, Err(Error::Unavailable(_))) {
            self.connection = Some(connection);
        }
        stored
    }

    fn connect(&mut self) -> Result<Connection, Error> {
        self.connection.take().map_or_else(|| batch::connect(&self.url), Ok)
    }

    /// Decides a batch under locks.
    fn decide(&mut self, batch: &[Job]) -> Vec<Answered> {
        match self.decide_together(batch) {
            Ok(answers) => answers,
            // One command may be at fault: nothing was written, so each gets its own transaction.
            Err(Failure::Internal(error)) if batch.len() > 1 => {
                tracing::warn!(error, size = batch.len(), "a batch failed and is tried command by command");
                batch.chunks(1).map(|one| self.decide_together(one).map_or_else(Err, only)).collect()
            }
            Err(failure) => std::iter::repeat_n(Err(failure), batch.len()).collect(),
        }
    }

    /// One transaction for the batch, retried where another process was in the way.
    fn decide_together(&mut self, batch: &[Job]) -> Result<Vec<Answered>, Failure> {
        for _ in 0..RETRIES {
            let mut connection = self.connect()?;
            let attempted = guarded("storer", || attempt(&mut connection, batch, &self.clock, &self.programmes));
            match attempted.map_err(Attempt::Failed).flatten() {
                Ok(answers) => {
                    self.connection = Some(connection);
                    return Ok(answers);
                }
                Err(Attempt::Again) => self.connection = Some(connection),
                // The connection is dropped: whether it still works is not known.
                Err(Attempt::Failed(failure)) => return Err(failure),
            }
        }
        Err(Failure::Unavailable)
    }
}

fn is_taken(error: &Error) -> bool {
    TAKEN.iter().any(|key| error.is_conflict(key))
}

fn only(answers: Vec<Answered>) -> Answered {
    answers.into_iter().next().unwrap_or(Err(Failure::Unavailable))
}

/// Why an attempt at a batch did not end in answers.
enum Attempt {
    /// Nothing was written; try again.
    Again,
    /// Nothing was written, or it is not known.
    Failed(Failure),
}

impl From<Error> for Attempt {
    fn from(error: Error) -> Self {
        // A key may have been taken by another process between our load and our store.
        if error.is_retryable() || is_taken(&error) { Self::Again } else { Self::Failed(error.into()) }
    }
}

impl From<Failure> for Attempt {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Decides a batch in one transaction that locks its members before it looks at them.
fn attempt(
    conn: &mut Connection,
    batch: &[Job],
    clock: &Clock,
    programmes: &Programmes,
) -> Result<Vec<Answered>, Attempt> {
    let (now, versioned) = (clock.now(), programmes.any(conn)?);
    let load = plan(&versioned.programme, now, batch.iter().map(|job| &job.submission));
    let answers = transaction(conn, |conn| {
        let loaded = load.run_locked(conn)?;
        if loaded.programme != Some(versioned.version) {
            return Ok(None);
        }
        let mut deciding = Deciding::new(versioned.clone());
        deciding.learn(loaded, now)?;
        let answers = batch.iter().map(|job| deciding.take(&job.submission)).collect();
        let writes = deciding.finish()?.writes;
        if !writes.is_empty() {
            writes.run(conn)?;
        }
        Ok::<_, Attempt>(Some(answers))
    })?;
    match answers {
        Some(answers) => Ok(answers),
        None => {
            programmes.reload(conn)?;
            Err(Attempt::Again)
        }
    }
}
