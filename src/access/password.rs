//! Passwords and PINs as argon2id hashes (RFC 9106), with the parameters OWASP gives as its minimum.
//!
//! One hash takes 19 MiB and a core for some 25 ms, so that a flood of logins could stop everything
//! else: only a few run at once, the next ones wait for a moment and then are told to come back. The
//! permit travels into the blocking task, because a caller who hangs up does not stop the hashing.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Error;

/// The shortest password, in characters (NIST SP 800-63B).
pub const SHORTEST: usize = 8;
/// The longest password, in characters.
pub const LONGEST: usize = 128;

/// KiB of memory.
const MEMORY: u32 = 19_456;
/// Passes over the memory.
const PASSES: u32 = 2;
/// Lanes.
const LANES: u32 = 1;

/// How long a caller waits for a place.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the password of somebody unknown is compared with: the same work, never a match, so that the
/// time of the answer does not tell who exists.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes and checks, a few at a time.
#[derive(Debug, Clone)]
pub struct Hasher {
    slots: Arc<Semaphore>,
}

/// A place at the hasher, held until the hashing is over.
#[derive(Debug)]
pub(super) struct Slot(OwnedSemaphorePermit);

fn argon2() -> Result<Argon2<'static>, Error> {
    let params = Params::new(MEMORY, PASSES, LANES, None).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes on the current thread, for tools that create staff and members: no places, no waiting.
///
/// # Errors
/// [`Error::PasswordTooShort`], [`Error::PasswordTooLong`].
pub fn hash_now(password: &str) -> Result<String, Error> {
    check_length(password)?;
    hash_any(password)
}

/// Hashes whatever it is given: a password or a PIN that was checked before.
pub(super) fn hash_any(secret: &str) -> Result<String, Error> {
    let hash = argon2()?.hash_password(secret.as_bytes()).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(hash.to_string())
}

fn matches(secret: &str, hash: Option<&str>) -> Result<bool, Error> {
    let known = PasswordHash::new(hash.unwrap_or(NOBODY)).map_err(|error| Error::Internal(error.to_string()))?;
    // The parameters are the stored hash's own, so that raising them does not lock anybody out.
    let equal = argon2()?.verify_password(secret.as_bytes(), &known).is_ok();
    Ok(equal && hash.is_some())
}

/// Whether a new password has an acceptable length; nothing else is asked of it.
///
/// # Errors
/// [`Error::PasswordTooShort`], [`Error::PasswordTooLong`].
pub fn check_length(password: &str) -> Result<(), Error> {
    // Counting characters of an enormous text is work, too; a character has at most four bytes.
    if password.len() > LONGEST * 4 {
        return Err(Error::PasswordTooLong);
    }
    match password.chars().count() {
        0..SHORTEST => Err(Error::PasswordTooShort),
        SHORTEST..=LONGEST => Ok(()),
        _ => Err(Error::PasswordTooLong),
    }
}

impl Hasher {
    /// A hasher with so many places (at least one).
    pub fn new(slots: u32) -> Self {
        let slots = usize::try_from(slots.max(1)).unwrap_or(1);
        Self { slots: Arc::new(Semaphore::new(slots)) }
    }

    /// Waits for a place, for at most two seconds.
    pub(super) async fn slot(&self) -> Result<Slot, Error> {
        let place = Arc::clone(&self.slots).acquire_owned();
        match tokio::time::timeout(PATIENCE, place).await {
            Ok(Ok(permit)) => Ok(Slot(permit)),
            Ok(Err(_)) | Err(_) => Err(Error::Busy),
        }
    }

    /// Hashes a new password.
    ///
    /// # Errors
    /// [`Error::PasswordTooShort`], [`Error::PasswordTooLong`], [`Error::Busy`].
    pub async fn hash(&self, password: &str) -> Result<String, Error> {
        check_length(password)?;
        self.hash_checked(password).await
    }

    /// Hashes a secret whose shape was checked before.
    pub(super) async fn hash_checked(&self, secret: &str) -> Result<String, Error> {
        let slot = self.slot().await?;
        let secret = secret.to_owned();
        slot.work(move || hash_any(&secret)).await
    }

    /// Whether `secret` matches `hash`; without a hash the same work is done for the answer "no".
    ///
    /// # Errors
    /// [`Error::Busy`].
    pub async fn verify(&self, secret: &str, hash: Option<String>) -> Result<bool, Error> {
        let slot = self.slot().await?;
        slot.verify(secret, hash).await
    }
}

impl Slot {
    /// As [`Hasher::verify`], in a place already taken.
    pub(super) async fn verify(self, secret: &str, hash: Option<String>) -> Result<bool, Error> {
        let secret = secret.to_owned();
        self.work(move || matches(&secret, hash.as_deref())).await
    }

    async fn work<T: Send + 'static>(
        self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let task = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(self.0);
            result
        });
        task.await.unwrap_or_else(|stopped| Err(Error::Internal(stopped.to_string())))
    }
}
