//! Ctrl-C and SIGTERM, from the first moment on: while the sample data is made, the day in hand is
//! finished; while serving, the way down is taken. No signal falls between the two.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use tokio::signal::unix::{SignalKind, signal};

/// Whether somebody wants the process to end.
pub(super) struct Stop {
    asked: Arc<AtomicBool>,
    listener: JoinHandle<()>,
}

impl Stop {
    /// Listens from now on, on a thread of its own.
    pub(super) fn listen() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (mut terminate, mut interrupt) = {
            let _entered = runtime.enter();
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
        };
        let asked = Arc::new(AtomicBool::new(false));
        let heard = asked.clone();
        let listener = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            });
            heard.store(true, Ordering::Relaxed);
        })?;
        Ok(Self { asked, listener })
    }

    /// Whether a signal has come.
    pub(super) fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Waits until one comes.
    pub(super) fn wait(self) {
        // The thread ends with the first signal.
        let _ = self.listener.join();
    }
}
