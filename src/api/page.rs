//! Lists: `?limit=1..100&cursor=…` in, `{"data": […], "next_cursor": …}` out, newest first.
//!
//! A cursor is the sort key of the last row shown, sealed for one list. It is opaque to the caller
//! and holds nothing the caller has not been shown.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::error::{Code, Problem};

/// How many rows of a list: 1 to 100, 25 where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(try_from = "u32")]
#[schema(minimum = 1, maximum = 100, default = 25)]
pub struct Limit(u32);

impl Limit {
    /// Rows to show.
    pub const fn get(self) -> i64 {
        self.0 as i64
    }

    /// Rows to read: one more than shown tells whether a page follows.
    pub const fn to_read(self) -> i64 {
        self.get() + 1
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(25)
    }
}

impl TryFrom<u32> for Limit {
    type Error = &'static str;
    fn try_from(rows: u32) -> Result<Self, &'static str> {
        if (1..=100).contains(&rows) { Ok(Self(rows)) } else { Err("must be 1 to 100") }
    }
}

/// Where the next page of a list begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Cursor(String);

/// Bytes of the digest kept: enough to tell a slip of the hand, and not meant as a secret.
const SEAL: usize = 4;

impl Cursor {
    /// Seals the sort key of the last row shown. `list` names the list, so that a cursor of one is
    /// refused by another.
    pub fn seal<K: Serialize>(list: &str, key: &K) -> Self {
        // Keys are tuples of instants, ids and integers: they always serialise.
        let json = serde_json::to_vec(key).unwrap_or_default();
        let seal = seal_of(list, &json);
        Self(seal.iter().chain(&json).map(|byte| format!("{byte:02x}")).collect())
    }

    /// The sort key inside.
    ///
    /// # Errors
    /// `cursor_invalid` for anything that [`Cursor::seal`] has not made for this list.
    pub fn open<K: DeserializeOwned>(&self, list: &str) -> Result<K, Problem> {
        self.read(list).ok_or(Problem::new(Code::CursorInvalid))
    }

    fn read<K: DeserializeOwned>(&self, list: &str) -> Option<K> {
        let digits = self.0.as_bytes();
        let pairs = digits.len().is_multiple_of(2).then(|| digits.chunks_exact(2))?;
        let bytes: Vec<u8> = pairs
            .map(|pair| match pair {
                [b'0'..=b'9' | b'a'..=b'f', b'0'..=b'9' | b'a'..=b'f'] => {
                    u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()
                }
                _ => None,
            })
            .collect::<Option<_>>()?;
        let (seal, json) = bytes.split_at_checked(SEAL)?;
        (seal == seal_of(list, json)).then(|| serde_json::from_slice(json).ok())?
    }
}

fn seal_of(list: &str, json: &[u8]) -> [u8; SEAL] {
    let digest = Sha256::new().chain_update(list).chain_update([0]).chain_update(json).finalize();
    std::array::from_fn(|i| digest[i])
}

/// The query of a list without filters. A list with filters has its own type with these two fields.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// How many rows.
    #[serde(default)]
    pub limit: Limit,
    /// `next_cursor` of the page before.
    #[serde(default)]
    pub cursor: Option<Cursor>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListOf<T> {
    /// The rows, newest first.
    pub data: Vec<T>,
    /// Where the next page begins; null on the last one.
    pub next_cursor: Option<Cursor>,
}

impl<T> ListOf<T> {
    /// A page of at most [`Limit::to_read`] rows as read: the row too many is dropped and tells that
    /// a page follows. `key` gives a row's sort key.
    pub fn new<R, K: Serialize>(
        list: &str,
        mut rows: Vec<R>,
        limit: Limit,
        key: impl Fn(&R) -> K,
        show: impl FnMut(R) -> T,
    ) -> Self {
        let shown = usize::try_from(limit.get()).unwrap_or(usize::MAX);
        let follows = rows.len() > shown;
        rows.truncate(shown);
        let next_cursor = rows.last().filter(|_| follows).map(|last| Cursor::seal(list, &key(last)));
        Self { data: rows.into_iter().map(show).collect(), next_cursor }
    }

    /// A list that always fits one page.
    pub fn whole(data: Vec<T>) -> Self {
        Self { data, next_cursor: None }
    }
}
