//! What every test stands on: a database of its own (`db`), the real server on it (`app`), callers
//! that speak real HTTP to it (`http`), and members and receipts (`make`).

pub(crate) mod app;
pub(crate) mod db;
pub(crate) mod http;
pub(crate) mod make;
pub(crate) mod process;

pub(crate) use app::App;
pub(crate) use http::{Caller, Reply};
pub(crate) use make::Member;

use std::time::{Duration, Instant};

/// Waits until something is so, closely, for what is to happen in the middle of something else; or for a
/// minute.
pub(crate) fn as_soon_as(mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !so() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_micros(500));
    }
}

/// Asks until there is an answer. Panics when there is none in a minute: nothing here waits for a
/// length of time, everything waits for a thing to happen.
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
