//! The programme and its parts as documents: read from any format and written to any through one door, so
//! that the code for it exists once and not once for every format (it is much code).

use erased_serde::{Deserializer as AnyDeserializer, Serialize as AnySerialize};
use serde::Deserializer;
use serde::de::Error as _;

use crate::Programme;
use crate::coupon::CouponType;
use crate::event::EventType;
use crate::perk::Perk;
use crate::price::{EarlyAccess, MemberPrice};
use crate::programme::EarningRule;
use crate::promotion::Promotion;
use crate::reward::Reward;
use crate::segment::Segment;
use crate::tier::{TierLevel, Tiers};

/// What an administrator writes as one piece.
pub trait Document: Sized {
    /// Reads it; [`Document::read_from`] is how it is called.
    ///
    /// # Errors
    /// What the format or a type refuses, in serde's words.
    fn read(from: &mut dyn AnyDeserializer<'_>) -> Result<Self, erased_serde::Error>;

    /// It, to be written in any format.
    fn to_write(&self) -> &dyn AnySerialize;

    /// Reads it from a format.
    ///
    /// # Errors
    /// What the format or a type refuses, in serde's words.
    fn read_from<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::read(&mut <dyn AnyDeserializer<'_>>::erase(from)).map_err(D::Error::custom)
    }
}

macro_rules! documents {
    ($($document:ty),*) => {$(
        impl Document for $document {
            fn read(from: &mut dyn AnyDeserializer<'_>) -> Result<Self, erased_serde::Error> {
                erased_serde::deserialize(from)
            }

            fn to_write(&self) -> &dyn AnySerialize {
                self
            }
        }
    )*};
}

documents!(
    Programme,
    CouponType,
    EarlyAccess,
    EarningRule,
    EventType,
    MemberPrice,
    Perk,
    Promotion,
    Reward,
    Segment,
    TierLevel,
    Tiers
);
