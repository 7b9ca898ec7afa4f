//! What a member proves a redemption at the till with: a PIN, or the code on his card.
//!
//! Five wrong ones in a row, of either kind, and neither is looked at for a quarter of an hour. The
//! count stands in the database, so that a second process is no second chance.

use chrono::TimeDelta;
use tessera_rules::id::MemberId;
use tessera_rules::time::Instant;

use super::{Access, Error, otp};
use crate::store::db::{self, Connection};
use crate::store::secret::{self, Proofs};

/// Wrong ones in a row that lock.
const ATTEMPTS: i32 = 5;
/// How long it is locked, in minutes.
const LOCK_MINUTES: i64 = 15;
/// Digits of a PIN.
const DIGITS: std::ops::RangeInclusive<usize> = 6..=12;

/// What was given at the till.
#[derive(Clone)]
pub enum Proof {
    /// The code on the member's card.
    Otp(String),
    /// The member's PIN.
    Pin(String),
}

/// That the member agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authorised {
    /// The step of the code shown, which the engine must spend with the points.
    pub otp_step: Option<i64>,
}

/// Whether a text can be a PIN: 6 to 12 ASCII digits.
///
/// # Errors
/// [`Error::PinUnfit`].
pub fn check_shape(pin: &str) -> Result<(), Error> {
    let fits = DIGITS.contains(&pin.len()) && pin.bytes().all(|byte| byte.is_ascii_digit());
    if fits { Ok(()) } else { Err(Error::PinUnfit) }
}

fn locked(proofs: &Proofs, now: Instant) -> Option<Instant> {
    proofs.locked_until.filter(|until| *until > now)
}

/// Counts one more failure on a row that is locked for update.
fn count_failure(connection: &mut Connection, id: MemberId, proofs: &Proofs, now: Instant) -> Result<(), db::Error> {
    // A lock that has run out has been paid for: counting starts anew.
    let before = if proofs.locked_until.is_some() { 0 } else { proofs.failures };
    let failures = before.saturating_add(1);
    let until = (failures >= ATTEMPTS).then(|| now + TimeDelta::minutes(LOCK_MINUTES));
    secret::set_failures(connection, id, failures, until)
}

/// What a look at the proofs found, while the row was locked.
enum Found {
    Right(Option<i64>),
    Wrong,
    Locked(Instant),
    Broken(Error),
}

impl Access {
    /// Checks what a member shows or types before his points are spent at a till.
    ///
    /// # Errors
    /// [`Error::CodeWrong`], [`Error::PinWrong`] (also where there is none), [`Error::Locked`],
    /// [`Error::Busy`], [`Error::Store`].
    pub async fn authorise(&self, member: MemberId, proof: Proof) -> Result<Authorised, Error> {
        match proof {
            Proof::Otp(digits) => self.authorise_code(member, digits).await,
            Proof::Pin(pin) => self.authorise_pin(member, &pin).await,
        }
    }

    async fn authorise_code(&self, member: MemberId, digits: String) -> Result<Authorised, Error> {
        let now = self.inner.clock.wall_now();
        let found = self.inner.pool.run(move |connection| {
            // A right code of a member without failures, by far the most common case, writes nothing
            // and locks nothing.
            let proofs = secret::proofs(connection, member)?;
            if let Some(proofs) = proofs.filter(|proofs| proofs.failures == 0) {
                match otp::step_of(&proofs.otp_secret, &digits, now) {
                    Ok(Some(step)) => return Ok(Found::Right(Some(step))),
                    Ok(None) => {}
                    Err(error) => return Ok(Found::Broken(error)),
                }
            }
            db::transaction(connection, |connection| look_at_code(connection, member, &digits, now))
        });
        match found.await? {
            Found::Right(otp_step) => Ok(Authorised { otp_step }),
            Found::Wrong => Err(Error::CodeWrong),
            Found::Locked(until) => Err(Error::Locked { until }),
            Found::Broken(error) => Err(error),
        }
    }

    async fn authorise_pin(&self, member: MemberId, pin: &str) -> Result<Authorised, Error> {
        // The place is taken before the count is read: guesses sent all at once cannot be more than
        // there are places.
        let slot = self.inner.hasher.slot().await?;
        let now = self.inner.clock.wall_now();
        let proofs = self.inner.pool.run(move |connection| secret::proofs(connection, member)).await?;
        if let Some(until) = proofs.as_ref().and_then(|proofs| locked(proofs, now)) {
            return Err(Error::Locked { until });
        }
        let failures = proofs.as_ref().map_or(0, |proofs| proofs.failures);
        let hash = proofs.and_then(|proofs| proofs.pin_hash);
        let right = check_shape(pin).is_ok() && slot.verify(pin, hash).await?;
        if right && failures == 0 {
            return Ok(Authorised { otp_step: None });
        }
        let noted = self
            .inner
            .pool
            .run(move |connection| db::transaction(connection, |connection| note_pin(connection, member, right, now)));
        match noted.await? {
            Found::Right(_) => Ok(Authorised { otp_step: None }),
            Found::Locked(until) => Err(Error::Locked { until }),
            Found::Wrong | Found::Broken(_) => Err(Error::PinWrong),
        }
    }

    /// The code a member's card shows now.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Internal`] for a member without a credential row.
    pub async fn card_code(&self, member: MemberId) -> Result<otp::Code, Error> {
        let proofs = self.inner.pool.run(move |connection| secret::proofs(connection, member)).await?;
        let proofs = proofs.ok_or_else(|| Error::Internal("a member without a credential row".to_owned()))?;
        otp::code_at(&proofs.otp_secret, self.inner.clock.wall_now())
    }

    /// Sets a member's PIN, for who knows the password.
    ///
    /// # Errors
    /// [`Error::PinUnfit`], [`Error::InvalidCredentials`], [`Error::Throttled`], [`Error::Busy`],
    /// [`Error::Store`].
    pub async fn set_pin(&self, member: MemberId, pin: &str, password: &str) -> Result<(), Error> {
        check_shape(pin)?;
        self.check_password(super::Principal::Member(member), password).await?;
        let hash = self.inner.hasher.hash_checked(pin).await?;
        self.inner.pool.run(move |connection| secret::set_pin_hash(connection, member, &hash)).await?;
        Ok(())
    }
}

fn look_at_code(connection: &mut Connection, id: MemberId, digits: &str, now: Instant) -> Result<Found, db::Error> {
    let Some(proofs) = secret::proofs_locked(connection, id)? else {
        return Ok(Found::Wrong);
    };
    if let Some(until) = locked(&proofs, now) {
        return Ok(Found::Locked(until));
    }
    match otp::step_of(&proofs.otp_secret, digits, now) {
        Ok(Some(step)) => {
            secret::set_failures(connection, id, 0, None)?;
            Ok(Found::Right(Some(step)))
        }
        Ok(None) => {
            count_failure(connection, id, &proofs, now)?;
            Ok(Found::Wrong)
        }
        Err(error) => Ok(Found::Broken(error)),
    }
}

/// Notes that a PIN was right or wrong, unless others have been wrong often enough meanwhile.
fn note_pin(connection: &mut Connection, id: MemberId, right: bool, now: Instant) -> Result<Found, db::Error> {
    let Some(proofs) = secret::proofs_locked(connection, id)? else {
        return Ok(Found::Wrong);
    };
    if let Some(until) = locked(&proofs, now) {
        return Ok(Found::Locked(until));
    }
    if right {
        secret::set_failures(connection, id, 0, None)?;
        return Ok(Found::Right(None));
    }
    count_failure(connection, id, &proofs, now)?;
    Ok(Found::Wrong)
}
