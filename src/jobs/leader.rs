//! The thread inside `serve` that starts the jobs. Of all processes on one database a lease row
//! names one that leads; the others look every second whether the lease has run out. Two leaders for
//! a moment do no harm: every job may run twice.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use chrono::TimeDelta;
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::{programme, refresh_offset, work};
use crate::clock::new_uuid;
use crate::config::Settings;
use crate::engine::{Engine, Failure};
use crate::store::job;

/// How often is looked for what is due.
const TICK: Duration = Duration::from_secs(1);
/// How long a leader may be silent before another takes over.
const LEASE: TimeDelta = TimeDelta::seconds(10);
/// How often the leader renews.
const RENEWAL: TimeDelta = TimeDelta::seconds(3);
/// The one lease: jobs run in order, so one process runs them all.
const LEASE_NAME: &str = "jobs";

/// The jobs of this process.
pub struct Jobs {
    stop: Arc<AtomicBool>,
    bell: Sender<()>,
    thread: JoinHandle<()>,
}

/// Starts the jobs. In sandbox mode the same thread also follows the clock that other processes move.
///
/// # Errors
/// The thread cannot be started.
pub fn start(engine: &Engine, settings: &Settings) -> std::io::Result<Jobs> {
    let stop = Arc::new(AtomicBool::new(false));
    let (bell, rung) = channel();
    let leader = Leader {
        engine: engine.clone(),
        sandbox: settings.sandbox,
        stop: stop.clone(),
        holder: new_uuid(),
        renewed_at: None,
    };
    let thread = std::thread::Builder::new().name("jobs".to_owned()).spawn(move || leader.run(&rung))?;
    Ok(Jobs { stop, bell, thread })
}

impl Jobs {
    /// Stops after the page of members in hand, and gives up the lease. Blocks.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        // Both fail only where the thread has ended by itself, which it has logged.
        let _ = self.bell.send(());
        let _ = self.thread.join();
    }
}

struct Leader {
    engine: Engine,
    sandbox: bool,
    stop: Arc<AtomicBool>,
    holder: Uuid,
    /// Wall time of the last renewal, while it leads.
    renewed_at: Option<Instant>,
}

impl Leader {
    /// Ticks until the bell rings or [`Jobs`] is dropped.
    fn run(mut self, bell: &Receiver<()>) {
        let mut failing = false;
        loop {
            let ticked = catch_unwind(AssertUnwindSafe(|| self.tick()));
            match ticked.unwrap_or_else(|_| Err(Failure::Internal("the jobs panicked".to_owned()))) {
                Ok(()) => failing = false,
                // Once a failure, not once a second.
                Err(error) if !failing => {
                    tracing::warn!(%error, "the jobs could not run; they are tried again every second");
                    failing = true;
                }
                Err(_) => {}
            }
            match bell.recv_timeout(TICK) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if self.renewed_at.is_some() {
            // Without it the next leader waits for the end of the lease, nothing worse.
            let _ = self.engine.pool().blocking(|conn| job::release(conn, LEASE_NAME, self.holder));
        }
    }

    fn tick(&mut self) -> Result<(), Failure> {
        if self.sandbox {
            refresh_offset(&self.engine)?;
        }
        if !self.leads()? {
            return Ok(());
        }
        let engine = self.engine.clone();
        let programme = match programme(&engine) {
            Ok(programme) => programme,
            Err(Failure::NoProgramme) => return Ok(()),
            Err(failure) => return Err(failure),
        };
        let at = engine.clock().now();
        let mut go_on = || !self.stop.load(Ordering::Relaxed) && self.leads().unwrap_or(false);
        let done = work(&engine, &programme, at, &mut go_on)?;
        if done.members > 0 {
            tracing::info!(members = done.members, failed = done.failed, %at, "jobs have run");
        }
        Ok(())
    }

    /// Whether this process leads: renews the lease when it is time to, takes it when it is free.
    fn leads(&mut self) -> Result<bool, Failure> {
        let now = self.engine.clock().wall_now();
        if self.renewed_at.is_some_and(|at| now - at < RENEWAL) {
            return Ok(true);
        }
        let holder = self.holder;
        self.renewed_at = None;
        let taken = self.engine.pool().blocking(|conn| job::lease(conn, LEASE_NAME, holder, now, now + LEASE))?;
        self.renewed_at = taken.then_some(now);
        Ok(taken)
    }
}
