//! Passwords and PINs as argon2id hashes (RFC 9106), with the parameters OWASP gives as its minimum, and
//! what is asked of a new password (NIST SP 800-63B): a length, and that neither `common` nor anybody who
//! knows its owner's name would guess it. No digits, capitals or changes from time to time.
//!
//! One hash takes 19 MiB and a core for some 25 ms, so that a flood of logins could stop everything
//! else: only a few run at once, the next ones wait for a moment and then are told to come back. The
//! permit travels into the blocking task, because a caller who hangs up does not stop the hashing.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Error, common};

/// The shortest password of a member, in characters: at a till it opens nothing without a PIN or a code.
pub const SHORTEST: usize = 8;
/// The shortest password of staff, in characters: it is all they sign in with (NIST SP 800-63B-4).
pub const SHORTEST_OF_STAFF: usize = 15;
/// The longest password, in characters.
pub const LONGEST: usize = 128;

/// The shortest word about somebody that must not be most of his password, in characters.
const WORD: usize = 3;

/// Why a new password is not acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Below so many characters.
    #[error("it has less than {0} characters")]
    TooShort(usize),
    /// Above [`LONGEST`] characters.
    #[error("it has more than 128 characters")]
    TooLong,
    /// One of those that are tried first.
    #[error("it is one of the most common")]
    Common,
    /// Little more than the name, the contact or the identifier of its owner, or of the service.
    #[error("it is made of the owner's name or contact")]
    Personal,
}

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

/// Hashes on the current thread, for tools that create staff and members: no places, no waiting. What a
/// person has chosen they [`check`] before.
///
/// # Errors
/// [`Error::PasswordUnfit`] for the length only.
pub fn hash_now(password: &str) -> Result<String, Error> {
    check_length(password, SHORTEST)?;
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

fn check_length(password: &str, shortest: usize) -> Result<(), Error> {
    // Counting characters of an enormous text is work, too; a character has at most four bytes.
    let characters = if password.len() > LONGEST * 4 { LONGEST + 1 } else { password.chars().count() };
    if characters > LONGEST {
        return Err(Error::PasswordUnfit(Unfit::TooLong));
    }
    if characters < shortest {
        return Err(Error::PasswordUnfit(Unfit::TooShort(shortest)));
    }
    Ok(())
}

/// Whether a new password is acceptable: `shortest` to [`LONGEST`] characters, none of the common ones, and
/// not made of what is known `about` its owner (name, contact, identifier).
///
/// # Errors
/// [`Error::PasswordUnfit`].
pub fn check(password: &str, shortest: usize, about: &[&str]) -> Result<(), Error> {
    check_length(password, shortest)?;
    if common::is_common(password) {
        return Err(Error::PasswordUnfit(Unfit::Common));
    }
    if is_personal(password, about) {
        return Err(Error::PasswordUnfit(Unfit::Personal));
    }
    Ok(())
}

/// Whether less than a password is left when the words known about its owner are taken out.
fn is_personal(password: &str, about: &[&str]) -> bool {
    let folded = password.to_lowercase();
    let mut rest = folded.clone();
    let known = about.iter().map(|text| text.to_lowercase());
    for text in known.chain(["tessera".to_owned()]) {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        // A number is known without its country too.
        let local = digits.get(digits.len().saturating_sub(8)..).unwrap_or_default();
        let words = text.split(|c: char| !c.is_alphanumeric());
        for word in words.chain([digits.as_str(), local]).filter(|word| word.chars().count() >= WORD) {
            rest = rest.replace(word, "");
        }
    }
    rest != folded && rest.chars().count() < SHORTEST
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
