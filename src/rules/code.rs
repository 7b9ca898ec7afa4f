//! The member code: twelve digits a till can key in, the last a check digit.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A member code. It identifies and never spends (PROGRAMME.md §8): what spends is a rotating code,
/// a PIN or the member's own sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MemberCode(String);

/// A text is not a member code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a member code: twelve digits, the last a check digit")]
pub struct CodeError;

/// Digits before the check digit.
const PAYLOAD: usize = 11;

impl MemberCode {
    /// A code from any number: its last eleven digits and their check digit.
    pub fn from_number(number: u64) -> Self {
        let payload = format!("{:0width$}", number % 10_u64.pow(PAYLOAD as u32), width = PAYLOAD);
        let check = check_digit(payload.as_bytes());
        Self(format!("{payload}{check}"))
    }

    /// The twelve digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The Luhn digit (ISO/IEC 7812-1, annex B): it tells every single wrong digit and nearly every
/// swap of neighbours.
fn check_digit(payload: &[u8]) -> u32 {
    let digits = payload.iter().rev().map(|byte| u32::from(byte - b'0'));
    let sum: u32 = digits.enumerate().map(|(i, d)| if i % 2 == 0 { d * 2 / 10 + d * 2 % 10 } else { d }).sum();
    (10 - sum % 10) % 10
}

impl FromStr for MemberCode {
    type Err = CodeError;
    fn from_str(text: &str) -> Result<Self, CodeError> {
        let digits = text.as_bytes();
        if digits.len() != PAYLOAD + 1 || !digits.iter().all(u8::is_ascii_digit) {
            return Err(CodeError);
        }
        let (payload, check) = digits.split_at(PAYLOAD);
        if u32::from(check[0] - b'0') == check_digit(payload) { Ok(Self(text.to_owned())) } else { Err(CodeError) }
    }
}

impl TryFrom<String> for MemberCode {
    type Error = CodeError;
    fn try_from(text: String) -> Result<Self, CodeError> {
        text.parse()
    }
}

impl From<MemberCode> for String {
    fn from(code: MemberCode) -> Self {
        code.0
    }
}

impl fmt::Display for MemberCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
