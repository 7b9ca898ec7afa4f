//! Codes of invitations: told once, kept as a hash, and long enough that nobody finds one by trying.

use sha2::{Digest, Sha256};

use crate::clock;
use crate::store::session::Hash;

/// Crockford's base 32: no letter that is read as a digit.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of a code: 80 bits.
const LENGTH: usize = 16;
/// Characters of a group as it is written.
const GROUP: usize = 4;

/// A fresh code: four groups of four characters.
pub fn new_code() -> String {
    let bytes: [u8; LENGTH] = clock::random_bytes();
    let characters: Vec<char> =
        bytes.iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect();
    let groups: Vec<String> = characters.chunks(GROUP).map(|group| group.iter().collect()).collect();
    groups.join("-")
}

/// The hash of a code as somebody types it: in any case, with or without dashes and blanks, with O for
/// 0 and I or L for 1. Nothing for what cannot be a code.
pub fn hash(code: &str) -> Option<Hash> {
    let typed = code.chars().filter(|c| !matches!(c, '-' | ' ')).map(|c| match c.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        c => c,
    });
    let typed: String = typed.collect();
    let sound = typed.len() == LENGTH && typed.bytes().all(|byte| ALPHABET.contains(&byte));
    sound
        .then(|| Sha256::new().chain_update(b"pool invitation").chain_update([0]).chain_update(typed).finalize().into())
}
