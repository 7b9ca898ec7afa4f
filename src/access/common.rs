//! The passwords that are tried first, without a network: a list of words that people choose, and what
//! they do with a word to make it look like more.
//!
//! A word of the list stands for itself in any case, with digits and signs before and after it, with
//! letters written as digits (`p4ssw0rd`), and repeated. What is no word but easy to type is told by its
//! shape: one piece again and again, a run of the alphabet, of digits or of keys that lie side by side, a
//! date. So a file of some hundred words does the work of a list of many thousands.

use std::collections::HashSet;
use std::sync::LazyLock;

/// One word a line; lines with `#` say what follows.
const WORDS: &str = include_str!("common_passwords.txt");

static LIST: LazyLock<HashSet<&str>> =
    LazyLock::new(|| WORDS.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace).collect());

/// Signs and digits around a word that do not make it another.
const AROUND: usize = 8;
/// The longest piece that is nothing by being repeated.
const PIECE: usize = 4;

/// Keys as they lie on most keyboards, and on a keypad.
const KEYS: [&str; 4] = ["1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./"];
const KEYPAD: [&str; 4] = ["789", "456", "123", "0"];

/// Whether a password is one of those that are tried first.
pub(super) fn is_common(password: &str) -> bool {
    let folded: Vec<char> = password.trim().to_lowercase().chars().collect();
    let piece = &folded[..period(&folded)];
    let repeated = piece.len() * 2 <= folded.len();
    (repeated && piece.len() <= PIECE) || is_run(&folded) || is_date(&folded) || is_word(piece) || is_word(&folded)
}

/// The length of the shortest piece of which a text is a repetition, the last one perhaps cut.
fn period(text: &[char]) -> usize {
    (1..text.len()).find(|shift| text[*shift..] == text[..text.len() - shift]).unwrap_or(text.len())
}

/// Whether a text is a word of the list, or one disguised.
fn is_word(text: &[char]) -> bool {
    let whole: String = text.iter().collect();
    if LIST.contains(whole.as_str()) {
        return true;
    }
    let cores = [core(text, |c| c), core(text, plain), core(text, |c| if c == '1' { 'l' } else { plain(c) })];
    cores.iter().any(|core| text.len() - core.chars().count() <= AROUND && LIST.contains(core.as_str()))
}

/// What is left of a text between the digits and signs around it, its letters read by `read`.
fn core(text: &[char], read: impl Fn(char) -> char) -> String {
    let letters = |c: &char| c.is_alphabetic();
    // Signs that stand for letters count as such inside, but not at the ends: `p@ssword1` ends in `d`.
    let start = text.iter().position(letters).unwrap_or(text.len());
    let end = text.iter().rposition(letters).map_or(start, |last| last + 1);
    text[start..end].iter().map(|c| read(*c)).filter(|c| c.is_alphanumeric()).collect()
}

/// The letter a digit or a sign is written for.
fn plain(c: char) -> char {
    match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        c => c,
    }
}

/// Whether nearly every character follows from the one before it: at most one jump in four steps.
fn is_run(text: &[char]) -> bool {
    let steps = text.len().saturating_sub(1);
    let jumps = text.windows(2).filter(|pair| !follows(pair[0], pair[1])).count();
    steps > 0 && jumps * 4 <= steps
}

/// Whether one character comes beside another: the same, its neighbour in the alphabet or among the
/// digits, or a key beside it.
fn follows(one: char, other: char) -> bool {
    let alike = (one.is_ascii_digit() && other.is_ascii_digit()) || (one.is_alphabetic() && other.is_alphabetic());
    let round = matches!((one, other), ('9', '0') | ('0', '9'));
    (alike && u32::from(one).abs_diff(u32::from(other)) <= 1)
        || round
        || beside(&KEYS, one, other)
        || beside(&KEYPAD, one, other)
}

fn beside(rows: &[&str], one: char, other: char) -> bool {
    let place = |c: char| {
        let found = rows.iter().enumerate().find_map(|(row, keys)| Some((row, keys.find(c)?)));
        found.and_then(|(row, column)| Some((i32::try_from(row).ok()?, i32::try_from(column).ok()?)))
    };
    let (Some((row, column)), Some((other_row, other_column))) = (place(one), place(other)) else {
        return false;
    };
    // Each row is shifted to the right by half a key against the one above.
    let (down, right) = (other_row - row, other_column - column);
    matches!((down, right), (0, -1..=1) | (1, -1..=0) | (-1, 0..=1))
}

/// Whether a text is a date of eight digits, the year first or last, as birthdays are written.
fn is_date(text: &[char]) -> bool {
    let digits: Vec<u32> = text.iter().filter_map(|c| c.to_digit(10)).collect();
    if digits.len() != 8 || text.iter().any(|c| c.is_alphabetic()) {
        return false;
    }
    let number = |range: std::ops::Range<usize>| digits[range].iter().fold(0, |sum, digit| sum * 10 + digit);
    let year = |year: u32| (1900..=2099).contains(&year);
    let day = |one: u32, other: u32| (1..=31).contains(&one) && (1..=31).contains(&other) && one.min(other) <= 12;
    (year(number(0..4)) && day(number(4..6), number(6..8))) || (year(number(4..8)) && day(number(0..2), number(2..4)))
}
