//! Points, money, rates, multipliers and quantities (PROGRAMME.md §1). No float touches any of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The largest magnitude of points or money: every integer up to here survives a JSON reader that
/// keeps numbers as IEEE 754 doubles.
pub const MAX_MAGNITUDE: i64 = (1 << 53) - 1;

/// A sum or product left ±(2^53 − 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the amount is outside ±(2^53 − 1)")]
pub struct OutOfRange;

macro_rules! integer_amount {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "i64", into = "i64")]
        pub struct $name(i64);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);
            /// The most: 2^53 − 1.
            pub const MAX: Self = Self(MAX_MAGNITUDE);

            /// Wraps a value within ±(2^53 − 1).
            pub const fn new(value: i64) -> Result<Self, OutOfRange> {
                if value.unsigned_abs() > MAX_MAGNITUDE as u64 { Err(OutOfRange) } else { Ok(Self(value)) }
            }

            /// Wraps a wide intermediate result.
            pub fn from_wide(value: i128) -> Result<Self, OutOfRange> {
                i64::try_from(value).map_err(|_| OutOfRange).and_then(Self::new)
            }

            /// The plain integer.
            pub const fn get(self) -> i64 {
                self.0
            }

            /// `self + other`, checked.
            pub fn plus(self, other: Self) -> Result<Self, OutOfRange> {
                Self::from_wide(i128::from(self.0) + i128::from(other.0))
            }

            /// `self − other`, checked.
            pub fn minus(self, other: Self) -> Result<Self, OutOfRange> {
                Self::from_wide(i128::from(self.0) - i128::from(other.0))
            }

            /// True for zero.
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }

            /// True above zero.
            pub const fn is_positive(self) -> bool {
                self.0 > 0
            }
        }

        impl TryFrom<i64> for $name {
            type Error = OutOfRange;
            fn try_from(value: i64) -> Result<Self, OutOfRange> {
                Self::new(value)
            }
        }

        impl From<$name> for i64 {
            fn from(value: $name) -> i64 {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

integer_amount! {
    /// Whole points.
    Points;
    /// Money in minor units of the programme's currency (cents, fen).
    Minor;
}

/// An ISO 4217 currency code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// A text is not three capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an ISO 4217 currency code: expected three capital letters")]
pub struct CurrencyError;

impl Currency {
    /// The three letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// Decimal places of the minor unit (ISO 4217): 0 for JPY, 3 for KWD, 2 for most.
    pub fn decimals(&self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF" | b"UGX"
            | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            _ => 2,
        }
    }
}

impl FromStr for Currency {
    type Err = CurrencyError;
    fn from_str(text: &str) -> Result<Self, CurrencyError> {
        let bytes: [u8; 3] = text.as_bytes().try_into().map_err(|_| CurrencyError)?;
        if bytes.iter().all(u8::is_ascii_uppercase) { Ok(Self(bytes)) } else { Err(CurrencyError) }
    }
}

impl TryFrom<String> for Currency {
    type Error = CurrencyError;
    fn try_from(text: String) -> Result<Self, CurrencyError> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Money with its currency, as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units.
    pub amount: Minor,
    /// ISO 4217.
    pub currency: Currency,
}

/// An exact rate: `points` for every `per` minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Points, 1 to 1,000,000.
    pub points: u32,
    /// Minor units, 1 to 1,000,000,000.
    pub per: u32,
}

/// Why a text is not a decimal of the wanted kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a decimal with at most {places} places, such as \"1.5\"")]
pub struct DecimalError {
    /// How many places the kind allows.
    pub places: u32,
}

/// Reads a plain decimal (`-12.5`, no exponent, no grouping) as an integer count of `10^-places`.
pub fn parse_decimal(text: &str, places: u32) -> Result<i64, DecimalError> {
    let error = DecimalError { places };
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let dangling_point = digits.contains('.') && fraction.is_empty();
    if whole.is_empty() || !plain(whole) || !plain(fraction) || dangling_point || fraction.len() > places as usize {
        return Err(error);
    }
    let mut value: i64 = 0;
    let padding = std::iter::repeat_n(b'0', places as usize - fraction.len());
    for digit in whole.bytes().chain(fraction.bytes()).chain(padding) {
        value = value.checked_mul(10).and_then(|v| v.checked_add(i64::from(digit - b'0'))).ok_or(error)?;
    }
    Ok(if negative { -value } else { value })
}

/// Writes an integer count of `10^-places` as the shortest plain decimal.
pub fn format_decimal(value: i64, places: u32) -> String {
    let unit = 10_u64.pow(places);
    let sign = if value < 0 { "-" } else { "" };
    let magnitude = value.unsigned_abs();
    let fraction = format!("{:0width$}", magnitude % unit, width = places as usize);
    match fraction.trim_end_matches('0') {
        "" => format!("{sign}{}", magnitude / unit),
        digits => format!("{sign}{}.{digits}", magnitude / unit),
    }
}

/// An integer or a decimal string, as JSON and TOML carry the exact decimals; a float is refused.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected an integer or a decimal string such as \"1.5\"")]
enum DecimalText {
    Whole(i64),
    Text(String),
}

impl DecimalText {
    fn units(self, places: u32) -> Result<i64, DecimalError> {
        match self {
            Self::Whole(n) => n.checked_mul(10_i64.pow(places)).ok_or(DecimalError { places }),
            Self::Text(text) => parse_decimal(&text, places),
        }
    }
}

macro_rules! decimal_amount {
    ($($(#[$doc:meta])* $name:ident, $places:literal, $unit:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "DecimalText", into = "String")]
        pub struct $name(i64);

        impl $name {
            /// Decimal places kept.
            pub const PLACES: u32 = $places;
            /// How many units make 1.
            pub const UNIT: i64 = $unit;
            /// One.
            pub const ONE: Self = Self($unit);

            /// From a count of the smallest unit.
            pub const fn from_units(units: i64) -> Self {
                Self(units)
            }

            /// The count of the smallest unit.
            pub const fn units(self) -> i64 {
                self.0
            }
        }

        impl TryFrom<DecimalText> for $name {
            type Error = DecimalError;
            fn try_from(text: DecimalText) -> Result<Self, DecimalError> {
                text.units($places).map(Self)
            }
        }

        impl FromStr for $name {
            type Err = DecimalError;
            fn from_str(text: &str) -> Result<Self, DecimalError> {
                parse_decimal(text, $places).map(Self)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                format_decimal(value.0, $places)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&format_decimal(self.0, $places))
            }
        }
    )*};
}

decimal_amount! {
    /// A multiplier: a decimal with at most 4 places.
    Multiplier, 4, 10_000;
    /// A quantity of goods: a decimal with at most 3 places.
    Quantity, 3, 1_000;
}
