//! What is refused before anything is parsed: the parser calls itself once for every bracket.

use super::ConditionProblem;

/// The longest condition, in bytes of UTF-8.
pub(super) const LENGTH_MAX: usize = 2_000;
/// How deep an expression may nest: brackets in brackets, and operations in operations.
pub(super) const DEPTH_MAX: usize = 24;

/// Refuses what is too long or nests too deep.
pub(super) fn guard(source: &str) -> Result<(), ConditionProblem> {
    if source.len() > LENGTH_MAX {
        let detail = format!("the condition has {} bytes, and {LENGTH_MAX} is the most", source.len());
        let hint = "split it over several promotions, or use their plain fields";
        return Err(ConditionProblem::at("", 0, "too_long", detail, hint));
    }
    match deepest(source) {
        Some(byte) => Err(too_deep(source, byte)),
        None => Ok(()),
    }
}

/// What is said of a condition that nests too deep, at a byte of it.
pub(super) fn too_deep(source: &str, byte: usize) -> ConditionProblem {
    let detail = format!("the condition nests more than {DEPTH_MAX} levels deep");
    ConditionProblem::at(source, byte, "too_deep", detail, "take it apart, or leave brackets out")
}

/// The first bracket that is nested too deep. Brackets in texts and comments do not count.
fn deepest(source: &str) -> Option<usize> {
    let bytes = source.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'"' | b'\'' => at = end_of_text(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                at += bytes[at..].iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len() - at);
            }
            b'(' | b'[' | b'{' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Some(at);
                }
                at += 1;
            }
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            _ => at += 1,
        }
    }
    None
}

/// The byte after the text literal that opens at `open`: `"…"`, `'…'` or three of either; after `r`
/// a backslash stands for itself. A text that never ends stops at its line, and the parser says so.
fn end_of_text(bytes: &[u8], open: usize) -> usize {
    let quote = bytes[open];
    let raw = open > 0 && matches!(bytes[open - 1], b'r' | b'R');
    let triple = bytes[open..].starts_with(&[quote; 3]);
    let closing: &[u8] = if triple { &[quote; 3] } else { &[quote; 1] };
    let mut at = open + closing.len();
    while at < bytes.len() {
        if bytes[at..].starts_with(closing) {
            return at + closing.len();
        }
        match bytes[at] {
            b'\\' if !raw => at += 2,
            b'\n' if !triple => return at,
            _ => at += 1,
        }
    }
    bytes.len()
}
