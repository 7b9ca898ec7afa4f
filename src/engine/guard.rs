//! A panic is a mistake of ours in one batch: it must not take the thread with it that all later batches
//! need.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Failure;

/// Runs work of a thread. A panic is counted, logged and told as a failure of this work alone: whatever
/// the work had its hands on must be thrown away by the caller.
pub(super) fn guarded<T>(thread: &'static str, work: impl FnOnce() -> T) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        metrics::counter!("tessera_panics_total", "thread" => thread).increment(1);
        let said = words(panic.as_ref());
        tracing::error!(thread, said, "a panic was caught");
        Failure::Internal(format!("the {thread} panicked: {said}"))
    })
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let owned = || panic.downcast_ref::<String>().map(String::as_str);
    panic.downcast_ref::<&str>().copied().or_else(owned).unwrap_or("without words")
}
