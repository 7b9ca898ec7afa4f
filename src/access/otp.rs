//! The code a member shows at the till: RFC 6238, 6 digits, a new one every 30 seconds of wall time.
//!
//! Which step a code belongs to is told to the engine, which spends each step once, in the same
//! transaction as the points: a code read off a shoulder or a photograph is worth nothing.

use tessera_rules::time::Instant;
use totp_rs::{Algorithm, Builder, Totp};

use super::Error;

/// Seconds a step lasts.
pub const STEP_SECONDS: i64 = 30;
/// Bytes of a secret (RFC 4226 section 4).
pub const SECRET: usize = 20;

/// A member's code and until when it is the newest.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    /// Six digits.
    pub digits: String,
    /// The next step's first moment. The till takes this code for 30 seconds more.
    pub valid_until: Instant,
}

fn generator(secret: &[u8]) -> Result<Totp, Error> {
    let builder = Builder::new().with_algorithm(Algorithm::SHA1).with_digits(6).with_skew(0).with_step_duration(30);
    let unfit = || Error::Internal("a one-time-code secret is not 20 bytes".to_owned());
    let secret: [u8; SECRET] = secret.try_into().map_err(|_| unfit())?;
    builder.with_secret(secret).build().map_err(|_| unfit())
}

/// The step wall time `now` lies in.
pub fn step_at(now: Instant) -> i64 {
    now.timestamp().div_euclid(STEP_SECONDS)
}

fn start_of(step: i64) -> Result<u64, Error> {
    u64::try_from(step.saturating_mul(STEP_SECONDS)).map_err(|_| Error::Internal("a time before 1970".to_owned()))
}

/// The code at wall time `now`.
///
/// # Errors
/// [`Error::Internal`] for a secret that is not 20 bytes.
pub fn code_at(secret: &[u8], now: Instant) -> Result<Code, Error> {
    let step = step_at(now);
    let digits = generator(secret)?.generate(start_of(step)?).to_string();
    let valid_until = Instant::from_timestamp((step + 1) * STEP_SECONDS, 0).unwrap_or(now);
    Ok(Code { digits, valid_until })
}

/// The step whose code this is: the current one or the one before, for who types slowly.
///
/// # Errors
/// [`Error::Internal`] for a secret that is not 20 bytes.
pub fn step_of(secret: &[u8], digits: &str, now: Instant) -> Result<Option<i64>, Error> {
    let generator = generator(secret)?;
    let current = step_at(now);
    for step in [current, current - 1] {
        // Compares in constant time, and takes nothing but six ASCII digits.
        if generator.check(digits, start_of(step)?).is_some() {
            return Ok(Some(step));
        }
    }
    Ok(None)
}
