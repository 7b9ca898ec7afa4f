//! Requests: one at a time, and written for the load.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;

use super::house::House;
use super::load::Dice;

/// How long a single answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Receipts sent by this process: their numbers never repeat.
static RECEIPTS: AtomicU64 = AtomicU64::new(0);

/// Asks once, on a connection of its own: status and body.
pub(super) fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    token: &str,
    body: Option<&str>,
) -> anyhow::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let body = body.unwrap_or_default();
    let bearer = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: tessera\r\nConnection: close\r\n{bearer}\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer without a head")?;
    let status =
        head.split_whitespace().nth(1).and_then(|word| word.parse().ok()).context("an answer without a status")?;
    Ok((status, body.to_owned()))
}

/// What is sold: article, category, and the range of its price in minor units.
const GOODS: [(&str, &str, u64, u64); 4] = [
    ("TEA-114", "tea", 3_800, 26_000),
    ("APL-002", "fresh", 600, 4_900),
    ("COF-001", "coffee", 2_200, 9_800),
    ("BOOK-871", "books", 1_900, 12_000),
];

/// Writes a GET.
pub(super) fn get(request: &mut Vec<u8>, path: &str, token: &str) -> anyhow::Result<()> {
    request.clear();
    Ok(write!(request, "GET {path} HTTP/1.1\r\nHost: tessera\r\nAuthorization: Bearer {token}\r\n\r\n")?)
}

/// Writes a POST under a key of its own.
pub(super) fn post(request: &mut Vec<u8>, path: &str, token: &str, dice: &mut Dice, body: &str) -> anyhow::Result<()> {
    let (high, low) = (dice.next(), dice.next() >> 16);
    request.clear();
    Ok(write!(
        request,
        "POST {path} HTTP/1.1\r\nHost: tessera\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Idempotency-Key: {high:016x}{low:012x}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?)
}

/// Writes a receipt of so many lines for a member of the house.
pub(super) fn receipt(
    request: &mut Vec<u8>,
    house: &House,
    member: usize,
    lines: usize,
    dice: &mut Dice,
) -> anyhow::Result<()> {
    let mut goods = String::with_capacity(lines * 90);
    for line in 0..lines {
        use std::fmt::Write;
        let (sku, category, least, most) = GOODS[usize::try_from(dice.below(4))?];
        let amount = least + dice.below(most - least);
        let comma = if line == 0 { "" } else { "," };
        write!(goods, r#"{comma}{{"sku":"{sku}","categories":["{category}"],"quantity":1,"amount":{amount}}}"#)?;
    }
    purchase(request, house, member, &goods, dice)
}

/// Writes a receipt of these lines, under a number of its own.
pub(super) fn purchase(
    request: &mut Vec<u8>,
    house: &House,
    member: usize,
    lines: &str,
    dice: &mut Dice,
) -> anyhow::Result<()> {
    let number = RECEIPTS.fetch_add(1, Ordering::Relaxed);
    let member = &house.members[member];
    let body =
        format!(r#"{{"member_id":"{member}","external_id":"R-2026-{number:08}","currency":"CNY","lines":[{lines}]}}"#);
    post(request, "/v1/till/purchases", &house.token, dice, &body)
}
