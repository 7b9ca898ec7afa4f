//! Typed ids: one list for the whole system.
//!
//! In Rust an id has a type, on the wire it is a TypeID (`mem_` + base32 of a UUID version 7), in
//! SQL it is a `uuid`. Ids are made outside the rulebook, where entropy may be read.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Crockford's base32 in lower case, as the TypeID specification (0.3) uses it.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 128 bits in groups of five.
const SUFFIX_LEN: usize = 26;

/// Why a text is not an id of the wanted kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid id: expected `{prefix}_` followed by 26 base32 characters")]
pub struct IdError {
    /// The prefix the id should have had.
    pub prefix: &'static str,
}

fn encode(prefix: &str, id: Uuid) -> String {
    let bits = id.as_u128();
    let mut text = String::with_capacity(prefix.len() + 1 + SUFFIX_LEN);
    text.push_str(prefix);
    text.push('_');
    for place in (0..SUFFIX_LEN).rev() {
        let digit = (bits >> (place * 5)) & 31;
        text.push(char::from(ALPHABET[digit as usize]));
    }
    text
}

fn decode(prefix: &'static str, text: &str) -> Result<Uuid, IdError> {
    let error = IdError { prefix };
    let suffix = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).ok_or(error)?;
    // The first digit carries three bits only: anything above `7` would overflow 128 bits.
    if suffix.len() != SUFFIX_LEN || suffix.as_bytes()[0] > b'7' {
        return Err(error);
    }
    let mut bits: u128 = 0;
    for byte in suffix.bytes() {
        let digit = ALPHABET.iter().position(|&a| a == byte).ok_or(error)?;
        bits = (bits << 5) | digit as u128;
    }
    Ok(Uuid::from_u128(bits))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// The prefix on the wire.
            pub const PREFIX: &'static str = $prefix;

            /// Wraps a UUID (from the id seam or from a row).
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// The UUID, as SQL stores it.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&encode($prefix, self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                decode($prefix, text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    )*};
}

ids! {
    /// A member of the programme.
    MemberId = "mem";
    /// A member of staff: cashier, manager or admin.
    StaffId = "usr";
    /// A store.
    StoreId = "sto";
    /// A purchase: one receipt.
    PurchaseId = "pur";
    /// A redemption of points.
    RedemptionId = "red";
    /// A return: goods of a purchase that came back.
    ReturnId = "ret";
    /// A transfer of points from one member to another.
    TransferId = "trf";
    /// An adjustment made by hand or by an import.
    AdjustmentId = "adj";
    /// A re-rating of purchases.
    ReRatingId = "rer";
    /// A sign-in: the family of refresh tokens that came from one login.
    SessionId = "ses";
    /// A key of a till or an integration.
    ApiKeyId = "key";
    /// A contact about to be proved by a code.
    VerificationId = "ver";
    /// A change in the audit log.
    AuditId = "aud";
    /// An issue of coupons.
    IssueId = "cis";
    /// A quote that is kept for a while.
    QuoteId = "quo";
    /// Something that happened to a member.
    MemberEventId = "mev";
    /// Money paid into a wallet.
    TopUpId = "top";
    /// Money paid out of a wallet.
    RefundId = "rfd";
    /// An event in the outbox.
    EventId = "evt";
}
