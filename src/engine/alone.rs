//! Commands without the queue: what the writer and a storer do, in the caller's own thread. `tessera
//! bench` holds the queue against it; nothing else may use it, for it knows of no other writer in its
//! process.

use std::sync::Arc;

use crossbeam_channel::unbounded;
use tokio::sync::oneshot;

use super::open::OpenBatch;
use super::storer::{Handed, Storer};
use super::writer::Writer;
use super::{Failure, Job, Programmes, Reply, Submission};
use crate::clock::Clock;

/// A writer and a storer that take turns.
pub struct Alone {
    writer: Writer,
    storer: Storer,
}

impl Alone {
    /// They connect with the first command.
    pub fn new(url: &str, clock: Clock) -> Self {
        let programmes = Programmes::new();
        let (_, landed) = unbounded();
        let writer = Writer::new(url, clock.clone(), programmes.clone(), 1, Vec::new(), landed);
        Self { writer, storer: Storer::new(0, url, clock, programmes, Arc::default()) }
    }

    /// Loads, decides and stores one command.
    ///
    /// # Errors
    /// As [`super::Engine::submit`].
    pub fn submit(&mut self, submission: Submission) -> Result<Reply, Failure> {
        let (reply, _) = oneshot::channel();
        let open = self.writer.add(OpenBatch::default(), vec![Job { submission, reply }]);
        let (Handed { batch, draft }, members) = self.writer.finish(open);
        let (landed, answers) = self.storer.take(&batch, draft);
        self.writer.learn(landed, &members);
        answers.into_iter().next().unwrap_or(Err(Failure::Unavailable))
    }
}
