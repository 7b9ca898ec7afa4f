//! Phone numbers and e-mail addresses in their one normal form, so that "the same" is the same text.

use std::fmt::Display;

use super::error::{Code, Problem, both};

/// A phone number as E.164: `+` and 7 to 15 digits. Blanks, dots, dashes and brackets are dropped.
pub(crate) fn normal_phone(text: &str) -> Option<String> {
    let number: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')')).collect();
    let digits = number.strip_prefix('+')?;
    let sound =
        (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    sound.then_some(number)
}

/// An e-mail address in lower case: one `@` with something before it and a dotted name after it.
pub(crate) fn normal_email(text: &str) -> Option<String> {
    let address = text.trim().to_lowercase();
    let (local, domain) = address.split_once('@')?;
    let plain = !address.chars().any(|c| c.is_whitespace() || c.is_control() || c == ',');
    let dotted = domain.split('.').count() > 1 && domain.split('.').all(|label| !label.is_empty());
    let sound =
        plain && dotted && !local.is_empty() && local.len() <= 64 && address.len() <= 254 && !domain.contains('@');
    sound.then_some(address)
}

/// The phone number of a request, or a problem that points at it.
pub(crate) fn phone(pointer: &str, text: &str) -> Result<String, Problem> {
    normal_phone(text).ok_or_else(|| {
        let detail =
            both("Expected an international number such as +8613800138000.", "请使用国际格式，例如 +8613800138000。");
        Problem::field(Code::InvalidField, pointer, "phone_invalid", detail)
    })
}

/// The e-mail address of a request, or a problem that points at it.
pub(crate) fn email(pointer: &str, text: &str) -> Result<String, Problem> {
    normal_email(text).ok_or_else(|| {
        let detail = both("Expected an e-mail address.", "邮箱地址格式不正确。");
        Problem::field(Code::InvalidField, pointer, "email_invalid", detail)
    })
}

/// A text of a request with at least one and at most `most` characters, none of them a control.
pub(crate) fn text(pointer: impl Display, text: &str, most: usize) -> Result<String, Problem> {
    let trimmed = text.trim();
    let length = trimmed.chars().count();
    if (1..=most).contains(&length) && !trimmed.chars().any(char::is_control) {
        return Ok(trimmed.to_owned());
    }
    let detail = both(format!("Expected 1 to {most} characters."), format!("长度应为 1 到 {most} 个字符。"));
    Err(Problem::field(Code::InvalidField, pointer.to_string(), "length_invalid", detail))
}

/// Shows that a phone number is the one meant without telling it: its last four digits.
pub(crate) fn mask_phone(phone: &str) -> String {
    let shown = phone.len().saturating_sub(4);
    format!("{}{}", "*".repeat(shown), &phone[shown..])
}

/// The first letter of an e-mail address and its domain.
pub(crate) fn mask_email(email: &str) -> String {
    let (local, domain) = email.split_once('@').unwrap_or((email, ""));
    format!("{}***@{domain}", local.chars().next().unwrap_or('*'))
}

/// Enough of a name to ask "are you …?": the first word and initials, or the first character of a
/// name written as one word.
pub(crate) fn mask_name(name: &str) -> String {
    let mut words = name.split_whitespace();
    let first = words.next().unwrap_or_default();
    let rest: Vec<String> = words.filter_map(|word| word.chars().next()).map(|c| format!("{c}.")).collect();
    if rest.is_empty() {
        let mut characters = first.chars();
        let head: String = characters.by_ref().take(1).collect();
        return format!("{head}{}", "*".repeat(characters.count()));
    }
    format!("{first} {}", rest.join(" "))
}
