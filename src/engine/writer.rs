//! The writer: one thread, one connection, natural batching.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;

use crate::clock::Clock;
use crate::store::batch;
use crate::store::db::Connection;

use super::batch::{Attempt, attempt};
use super::{Answered, Failure, Job, Programmes};

/// How often a batch meets another transaction before it gives up.
const RETRIES: u32 = 5;

pub(super) struct Writer {
    url: String,
    connection: Option<Connection>,
    clock: Clock,
    programmes: Programmes,
    batch_limit: usize,
    waiting: Arc<AtomicUsize>,
}

impl Writer {
    pub(super) fn new(
        url: &str,
        clock: Clock,
        programmes: Programmes,
        batch_limit: usize,
        waiting: Arc<AtomicUsize>,
    ) -> Self {
        Self { url: url.to_owned(), connection: None, clock, programmes, batch_limit, waiting }
    }

    /// Runs until every sender is gone and the queue is empty.
    pub(super) fn run(mut self, queue: &Receiver<Job>) {
        while let Ok(first) = queue.recv() {
            let mut batch = vec![first];
            batch.extend(queue.try_iter().take(self.batch_limit - 1));
            metrics::histogram!("tessera_batch_size").record(batch.len() as f64);
            self.answer(batch);
        }
    }

    fn answer(&mut self, batch: Vec<Job>) {
        let size = batch.len();
        let answers = match self.decide(&batch) {
            Ok(answers) => answers,
            // One command may be at fault: nothing was written, so each gets its own transaction.
            Err(Failure::Internal(error)) if size > 1 => {
                tracing::warn!(error, size, "a batch failed and is tried command by command");
                batch.chunks(1).map(|one| self.decide(one).map_or_else(Err, only)).collect()
            }
            Err(failure) => std::iter::repeat_n(Err(failure), size).collect(),
        };
        self.waiting.fetch_sub(size, Ordering::Relaxed);
        for (job, answer) in batch.into_iter().zip(answers) {
            if let Err(Failure::Internal(error)) = &answer {
                tracing::error!(error, "a command failed");
            }
            // A caller that has gone away does not want its answer.
            let _ = job.reply.send(answer);
        }
    }

    /// One transaction for the batch, retried where another process was in the way.
    fn decide(&mut self, batch: &[Job]) -> Result<Vec<Answered>, Failure> {
        for _ in 0..RETRIES {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => batch::connect(&self.url)?,
            };
            match attempt(&mut connection, batch, self.clock.now(), &self.programmes) {
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

fn only(answers: Vec<Answered>) -> Answered {
    answers.into_iter().next().unwrap_or(Err(Failure::Unavailable))
}
