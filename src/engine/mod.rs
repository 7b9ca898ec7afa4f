//! **The write path.** The only place from which points move.
//!
//! ```text
//! handler, job, import --Submission--> queue --batch--> load --> decide --> store --> Reply
//!                                        `------ writer ------'    `- storers -'
//! ```
//!
//! A writer takes what is waiting, up to a limit, and goes at once: an idle system answers one
//! command without added wait. While every storer is busy the batch stays open, and what comes in is
//! decided with it: a busy system shares a commit among hundreds. The writer decides on the standings it
//! remembers or looks up; where a command needs more, `load_batch` loads it without a lock.
//! [`tessera_rules::decide`] decides command by command, each seeing the effects of those before. A
//! storer hands the result to `store_batch`: one call, one transaction, that writes everything, the
//! idempotent answers and the events included, **if** the programme and every member are still as
//! they were. Meanwhile the writer decides the next batch as if this one were stored.
//!
//! Where something had moved on, where a key was used before or a reward must be counted, nothing
//! was written, and the storer decides the batch again in a transaction that locks its members in id
//! order before it looks. So any number of processes are right by construction.
//!
//! This room never decides a rule, never speaks HTTP and never forwards a database's words.

mod alone;
pub mod configure;
mod convert;
mod counting;
mod deciding;
pub mod diff;
mod documents;
mod enrol;
mod event;
mod foresee;
mod gifts;
mod guard;
mod memory;
mod offer;
mod open;
mod plan;
mod programmes;
pub mod re_rating;
mod read;
pub mod schedule;
mod segment;
pub mod simulate;
mod state;
mod storer;
mod wallets;
mod writer;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, TrySendError, bounded, unbounded};
use tessera_rules::id::{MemberId, StoreId};
use tessera_rules::time::Instant;
use tessera_rules::{Actor, Command, Outcome, Refusal};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::clock::Clock;
use crate::store::db::Pool;
use crate::{config, store};

use storer::Storer;
use writer::Writer;

pub use alone::Alone;
pub use enrol::{NewMember, enrol};
pub use foresee::Outlook;
pub use programmes::{Programmes, Versioned};
pub use read::{Settled, Wish};
pub use segment::Asked;

/// A command on its way through the engine.
pub struct Submission {
    /// For whom.
    pub member: MemberId,
    /// What.
    pub command: Command,
    /// By whom.
    pub actor: Actor,
    /// When.
    pub time: Time,
    /// The idempotency key it came under, if any.
    pub claim: Option<Claim>,
    /// What the audit log says of it, if anything, once it is decided and not refused.
    pub audit: Option<Audit>,
    /// Makes the answer that is stored with the effect and given to every repetition.
    pub render: Render,
}

/// Makes the answer to a decided command.
pub type Render = Box<dyn Fn(&Result<Outcome, Refusal>) -> Answer + Send>;

/// A line of the audit log that is stored with the effect of a command.
#[derive(Debug, Clone)]
pub struct Audit {
    /// What was done, as `noun.verb`.
    pub action: &'static str,
    /// To what: a TypeID.
    pub object: String,
    /// Before; absent for what is new.
    pub before: Option<serde_json::Value>,
    /// After; absent for what is gone. Never a secret, never personal data.
    pub after: Option<serde_json::Value>,
}

/// The time of a command.
#[derive(Debug, Clone, Copy)]
pub enum Time {
    /// The clock, read when the batch is decided.
    Live,
    /// A moment of the past: an import or a replay.
    Past(Instant),
}

/// An idempotency key with what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Whose key: the staff or member id of the caller.
    pub caller: Uuid,
    /// The key.
    pub key: String,
    /// SHA-256 of the route and the request.
    pub fingerprint: [u8; 32],
}

/// A status and a body, as stored and replayed byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON.
    pub body: String,
}

/// What came of a submission.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Decided now, and stored unless refused without a claim.
    Decided {
        /// What the caller is told.
        answer: Answer,
        /// The decision's outcome or refusal.
        outcome: Result<Outcome, Refusal>,
    },
    /// The same key was answered before.
    Replayed(Answer),
    /// The same receipt is known under another key: its first answer.
    Known(Answer),
}

/// Why a submission came to nothing; nothing was changed, or it is not known whether it was, and
/// the same key finds out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The receipt number was used for another receipt.
    #[error("the receipt number was used for another receipt")]
    ReceiptConflict,
    /// The return's number was used for another return.
    #[error("the return's number was used for another return")]
    ReturnConflict,
    /// The queue is full.
    #[error("the queue is full")]
    Busy,
    /// The engine is shutting down or the database does not answer.
    #[error("the service is unavailable")]
    Unavailable,
    /// No programme has been applied yet.
    #[error("no programme has been applied yet")]
    NoProgramme,
    /// Our mistake.
    #[error("internal error: {0}")]
    Internal(String),
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable(_) | store::Error::Serialization => Self::Unavailable,
            error => Self::Internal(error.to_string()),
        }
    }
}

/// Storers: while one waits for the disk, another keeps the database busy. One alone makes larger batches,
/// which cost the database an eighth less, and answers a tenth fewer commands.
const STORERS: usize = 2;

type Answered = Result<Reply, Failure>;

struct Job {
    submission: Submission,
    reply: oneshot::Sender<Answered>,
}

/// The engine; a clone is another handle to the same one.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    queue: RwLock<Option<Sender<Job>>>,
    waiting: Arc<AtomicUsize>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    pool: Pool,
    clock: Clock,
    programmes: Programmes,
    store_codes: RwLock<HashMap<StoreId, Arc<str>>>,
}

impl Engine {
    /// Starts the writer and its storers, each on a connection of its own. They connect when the first
    /// batch comes, and again after the database was away.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(url: &str, pool: Pool, clock: Clock, settings: &config::EngineSettings) -> std::io::Result<Self> {
        let (sender, queue) = bounded(settings.queue_limit);
        let (to_writer, landed) = unbounded();
        let programmes = Programmes::new();
        let waiting = Arc::new(AtomicUsize::new(0));
        let (mut threads, mut lanes) = (Vec::new(), Vec::new());
        for lane in 0..STORERS {
            // Without room: batches grow while every storer is busy.
            let (to_storer, handed) = sync_channel(0);
            let storer = Storer::new(lane, url, clock.clone(), programmes.clone(), waiting.clone());
            let to_writer = to_writer.clone();
            threads.push(thread("storer", move || storer.run(&handed, &to_writer))?);
            lanes.push(to_storer);
        }
        let writer = Writer::new(url, clock.clone(), programmes.clone(), settings.batch_limit, lanes, landed);
        threads.push(thread("writer", move || writer.run(&queue))?);
        Ok(Self(Arc::new(Inner {
            queue: RwLock::new(Some(sender)),
            waiting,
            threads: Mutex::new(threads),
            pool,
            clock,
            programmes,
            store_codes: RwLock::default(),
        })))
    }

    /// Hands a command to the writer and waits for its answer; where it has completed a referral, what that is worth to
    /// the referrer is given before it is passed on.
    ///
    /// # Errors
    /// [`Failure`]; [`Failure::Busy`] at once when the queue is full.
    pub async fn submit(&self, submission: Submission) -> Answered {
        let answered = self.decide(submission).await;
        if let Ok(Reply::Decided { outcome: Ok(outcome), .. }) = &answered
            && let Some(referrer) = outcome.referrer()
        {
            self.reward(referrer).await;
        }
        answered
    }

    /// Thanks a member whose referral was completed. That stands whatever comes of it: the next midnight's job would
    /// find the same.
    async fn reward(&self, referrer: MemberId) {
        let submission = Submission {
            member: referrer,
            command: Command::GrantPerks,
            actor: Actor::SYSTEM,
            time: Time::Live,
            claim: None,
            audit: None,
            render: Box::new(|_| Answer { status: 200, body: String::new() }),
        };
        if let Err(failure) = self.decide(submission).await {
            tracing::warn!(%failure, "what a referrer is given waits for the next run");
        }
    }

    async fn decide(&self, submission: Submission) -> Answered {
        let (reply, answer) = oneshot::channel();
        {
            let queue = self.0.queue.read().unwrap_or_else(PoisonError::into_inner);
            let Some(sender) = queue.as_ref() else { return Err(Failure::Unavailable) };
            self.0.waiting.fetch_add(1, Ordering::Relaxed);
            sender.try_send(Job { submission, reply }).map_err(|error| {
                self.0.waiting.fetch_sub(1, Ordering::Relaxed);
                match error {
                    TrySendError::Full(_) => Failure::Busy,
                    TrySendError::Disconnected(_) => Failure::Unavailable,
                }
            })?;
        }
        answer.await.unwrap_or(Err(Failure::Unavailable))
    }

    /// Hands a command to the writer, waiting for room in the queue; the answer comes through the
    /// returned channel. For jobs and imports, which keep many commands on their way.
    pub fn submit_blocking(&self, submission: Submission) -> oneshot::Receiver<Answered> {
        let (reply, answer) = oneshot::channel();
        let queue = self.0.queue.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(sender) = queue {
            self.0.waiting.fetch_add(1, Ordering::Relaxed);
            if sender.send(Job { submission, reply }).is_err() {
                self.0.waiting.fetch_sub(1, Ordering::Relaxed);
            }
        }
        answer
    }

    /// Commands waiting or being decided.
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// Whether the writer and its storers run. A panic in a batch ends none of them; should one have
    /// ended all the same, only a new process helps.
    pub fn is_whole(&self) -> bool {
        self.0.threads.lock().unwrap_or_else(PoisonError::into_inner).iter().all(|thread| !thread.is_finished())
    }

    /// The programme in force.
    ///
    /// # Errors
    /// [`Failure::NoProgramme`], or the database is away.
    pub async fn programme(&self) -> Result<Arc<Versioned>, Failure> {
        self.0.programmes.latest(&self.0.pool).await
    }

    /// The code of a store, which never changes.
    ///
    /// # Errors
    /// The database is away, or there is no such store.
    pub async fn store_code(&self, store: StoreId) -> Result<Arc<str>, Failure> {
        let known = self.0.store_codes.read().unwrap_or_else(PoisonError::into_inner).get(&store).cloned();
        if let Some(code) = known {
            return Ok(code);
        }
        let found = self.0.pool.run(move |conn| store::shop::find(conn, store)).await?;
        let code: Arc<str> = found.ok_or_else(|| Failure::Internal("a store is missing".to_owned()))?.code.into();
        self.0.store_codes.write().unwrap_or_else(PoisonError::into_inner).insert(store, code.clone());
        Ok(code)
    }

    /// The programme's clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The pool reads go to.
    pub fn pool(&self) -> &Pool {
        &self.0.pool
    }

    /// Takes no more commands, finishes those waiting and ends the threads.
    pub fn drain(&self) {
        self.0.queue.write().unwrap_or_else(PoisonError::into_inner).take();
        for thread in self.0.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // A thread that panicked has logged it; there is nothing left to finish.
            let _ = thread.join();
        }
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work)
}
