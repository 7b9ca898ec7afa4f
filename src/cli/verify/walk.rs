//! The walk over all members: one thread reads pages ahead, another checks them.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use sha2::{Digest, Sha256};
use tessera_rules::id::MemberId;
use tessera_rules::ledger::Account;
use uuid::Uuid;

use super::books::{Bad, Books, Member, Sums};
use super::{chain, history, lots};
use crate::cli::output;
use crate::store::db::{Connection, Error, Pool};
use crate::store::verify::{self, Frame, Page};

/// Members read together.
const PAGE: i64 = 256;
/// Pages read ahead.
const AHEAD: usize = 2;

/// What the walk came to.
#[derive(Default)]
pub(super) struct Totals {
    /// Members seen.
    pub(super) members: u64,
    /// Entries seen.
    pub(super) entries: u64,
    /// Points by account, over all members.
    pub(super) sums: Sums,
    /// The first row that is wrong.
    pub(super) first_bad: Option<Bad>,
    /// Members and totals that are wrong.
    pub(super) bad: u64,
    heads: Sha256,
    redeemed: HashMap<String, i64>,
}

impl Totals {
    /// SHA-256 over member id and last hash of every member, in id order, in hexadecimal.
    pub(super) fn heads_hash(&self) -> String {
        self.heads.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn note(&mut self, checked: Result<(), Bad>) {
        if let Err(bad) = checked {
            self.bad += 1;
            self.first_bad.get_or_insert(bad);
        }
    }
}

/// What is sent from the reader to the checker, in this order.
enum Part {
    Frame(Frame),
    Page(Box<Page>),
    Last(Result<(), Bad>),
}

/// Checks everything.
pub(super) fn walk(pool: &Pool) -> anyhow::Result<Totals> {
    let (sender, receiver) = sync_channel(AHEAD);
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || pool.blocking(|conn| verify::snapshot(conn, |conn| read(conn, &sender))));
        let totals = check(&receiver);
        // A checker that stopped early lets the reader go on only to its next page.
        drop(receiver);
        match reader.join() {
            Ok(read) => read?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
        Ok(totals)
    })
}

fn read(conn: &mut Connection, parts: &SyncSender<Part>) -> Result<(), Error> {
    let gone = |_| Error::Internal("nobody checks what is read".to_owned());
    parts.send(Part::Frame(verify::frame(conn)?)).map_err(gone)?;
    let mut after = None;
    loop {
        let (page, next) = verify::page(conn, after, PAGE)?;
        parts.send(Part::Page(Box::new(page))).map_err(gone)?;
        if next.is_none() {
            break;
        }
        after = next;
    }
    parts.send(Part::Last(whole(conn)?)).map_err(gone)
}

/// What concerns tables as a whole.
fn whole(conn: &mut Connection) -> Result<Result<(), Bad>, Error> {
    if let Some((source, number)) = verify::receipt_twice(conn)? {
        return Ok(Err(Bad::overall("purchase", Some(format!("{source} {number}")), "the receipt is on record twice")));
    }
    if let Some((member, key)) = verify::key_without_document(conn)? {
        let number = format!("{} {key}", MemberId::new(member));
        return Ok(Err(Bad::overall("idempotency", Some(number), "its document does not exist")));
    }
    Ok(Ok(()))
}

fn check(parts: &Receiver<Part>) -> Totals {
    let mut totals = Totals::default();
    let Ok(Part::Frame(mut frame)) = parts.recv() else { return totals };
    let bar = output::progress(frame.members.unsigned_abs(), "members");
    let books = match Books::new(&mut frame) {
        Ok(books) => books,
        Err(bad) => {
            totals.note(Err(bad));
            return totals;
        }
    };
    for part in parts {
        match part {
            Part::Page(page) => {
                pages(&mut totals, &books, &page);
                bar.set_position(totals.members);
            }
            Part::Last(checked) => totals.note(checked),
            Part::Frame(_) => {}
        }
    }
    rewards(&mut totals, &books, &frame);
    let overall = totals.sums;
    if overall.missing() != 0 {
        totals.note(Err(Bad::overall("entry", None, "the accounts do not sum to what was issued")));
    }
    if overall.of(Account::Transferred) != 0 {
        totals.note(Err(Bad::overall("entry", None, "transfers do not sum to zero")));
    }
    bar.finish_and_clear();
    totals
}

/// Counted rewards against their redemptions.
fn rewards(totals: &mut Totals, books: &Books, frame: &Frame) {
    for (reward, used) in &frame.rewards_used {
        let redeemed = totals.redeemed.get(reward).copied().unwrap_or_default();
        let right = if books.always_counted(reward) { *used == redeemed } else { *used <= redeemed };
        if !right {
            let what = format!("{used} are counted, {redeemed} were redeemed");
            totals.note(Err(Bad::overall("reward_usage", Some(reward.clone()), what)));
        }
    }
}

/// The rows of one table, taken member by member.
struct Cursor<'p, T> {
    table: &'static str,
    rows: &'p [(Uuid, T)],
}

impl<'p, T> Cursor<'p, T> {
    fn new(table: &'static str, rows: &'p [(Uuid, T)]) -> Self {
        Self { table, rows }
    }

    /// The rows of the next member. Rows before his are nobody's.
    fn take(&mut self, member: Uuid) -> Result<&'p [(Uuid, T)], Bad> {
        let stray = self.rows.first().map(|(id, _)| *id).filter(|id| *id < member);
        let start = self.rows.partition_point(|(id, _)| *id < member);
        let rows = &self.rows[start..];
        let end = rows.iter().position(|(id, _)| *id != member).unwrap_or(rows.len());
        let (own, rest) = rows.split_at(end);
        self.rows = rest;
        stray.map_or(Ok(own), |id| Err(Bad::stray(self.table, id)))
    }

    /// What is left after the last member is nobody's.
    fn end(&self) -> Result<(), Bad> {
        self.rows.first().map_or(Ok(()), |(id, _)| Err(Bad::stray(self.table, *id)))
    }
}

fn pages(totals: &mut Totals, books: &Books, page: &Page) {
    let mut people = Cursor::new("member", &page.people);
    let mut entries = Cursor::new("entry", &page.entries);
    let mut lots = Cursor::new("lot", &page.lots);
    let mut movements = Cursor::new("lot_movement", &page.movements);
    let mut days = Cursor::new("qualifying_day", &page.days);
    let mut tier_changes = Cursor::new("tier_change", &page.tier_changes);
    let mut grants = Cursor::new("perk_grant", &page.grants);
    let mut purchases = Cursor::new("purchase", &page.purchases);
    let mut redemptions = Cursor::new("redemption", &page.redemptions);
    for standing in &page.standings {
        let id = standing.member_id;
        let mut gather = || {
            Ok(Member {
                id: MemberId::new(id),
                standing,
                people: people.take(id)?,
                entries: entries.take(id)?,
                lots: lots.take(id)?,
                movements: movements.take(id)?,
                days: days.take(id)?,
                tier_changes: tier_changes.take(id)?,
                grants: grants.take(id)?,
                purchases: purchases.take(id)?,
                redemptions: redemptions.take(id)?,
            })
        };
        totals.members += 1;
        totals.heads.update(id.as_bytes());
        totals.heads.update(&standing.head);
        let checked = gather().and_then(|gathered| member(totals, books, &gathered));
        totals.note(checked);
    }
    let ends = [
        people.end(),
        entries.end(),
        lots.end(),
        movements.end(),
        days.end(),
        tier_changes.end(),
        grants.end(),
        purchases.end(),
        redemptions.end(),
    ];
    ends.into_iter().for_each(|end| totals.note(end));
}

/// Checks one member.
fn member(totals: &mut Totals, books: &Books, member: &Member<'_>) -> Result<(), Bad> {
    totals.entries += member.entries.len() as u64;
    for reward in member.redemptions.iter().filter_map(|(_, row)| row.reward.as_ref()) {
        *totals.redeemed.entry(reward.clone()).or_default() += 1;
    }
    let (entries, sums) = chain::check(member)?;
    totals.sums.add(&sums);
    lots::check(member, books, &entries)?;
    history::check(member, books, &entries)
}
