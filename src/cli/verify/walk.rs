//! The walk over all members: one thread reads pages ahead, another checks them.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use sha2::{Digest, Sha256};
use tessera_rules::Programme;
use tessera_rules::coupon::CouponUsage;
use tessera_rules::id::{AdjustmentId, MemberId, ReRatingId, RedemptionId};
use tessera_rules::ledger::Account;
use tessera_rules::occasion::REFERRALS_FROM;
use tessera_rules::redemption::RedemptionStatus;
use uuid::Uuid;

use super::anchor::{Marks, Writer};
use super::books::{Bad, Books, Member, Sums};
use super::{chain, history, idle, lots, moved, promotions, sales, wallets};
use crate::cli::output;
use crate::store::adjustment::{self, Astray};
use crate::store::db::{Connection, Error, Pool};
use crate::store::verify::{self, Frame, History, Ledger, Range};
use crate::store::{re_rating, referral, reward, tag, ticket};

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
    redeemed: BTreeMap<String, i64>,
    promotions: promotions::Totals,
    /// Uses of coupons that purchases name.
    coupons: i64,
    /// Earlier heads of members who were not met yet.
    marks: Marks,
    /// Where the heads are written to, and why that has failed.
    writer: Option<Writer>,
    unwritten: Option<std::io::Error>,
}

impl Totals {
    /// SHA-256 over member id and last hash of every member, in id order, in hexadecimal.
    pub(super) fn heads_hash(&self) -> String {
        self.heads.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Notes a member's head.
    fn head(&mut self, member: Uuid, entries: i64, head: &[u8]) {
        self.heads.update(member.as_bytes());
        self.heads.update(head);
        if let Some(writer) = &mut self.writer
            && let Err(error) = writer.add(member, entries, head)
        {
            self.unwritten.get_or_insert(error);
        }
    }

    fn note(&mut self, checked: Result<(), Bad>) {
        if let Err(bad) = checked {
            self.bad += 1;
            self.first_bad.get_or_insert(bad);
        }
    }
}

/// What the first reader sends, in this order.
enum Part {
    Frame(Frame),
    Ledger(Ledger),
    Last(Result<(), Bad>),
}

/// Checks everything. Two connections read the two halves of each page from one snapshot, so that
/// reading does not wait for reading, while this thread checks the page before. A part that finds
/// another gone stops in silence: the other has the reason.
pub(super) fn walk(pool: &Pool, marks: Marks, writer: Option<Writer>) -> anyhow::Result<Totals> {
    let totals = Totals { marks, writer, ..Totals::default() };
    let (parts, checked) = sync_channel(AHEAD);
    let (ranges, wanted) = sync_channel(AHEAD + 1);
    let (histories, told) = sync_channel(AHEAD);
    let (names, name) = sync_channel(1);
    let (joined, ready) = sync_channel(1);
    let (mut totals, ledgers, histories) = std::thread::scope(|scope| {
        let ledgers = scope.spawn(move || {
            pool.blocking(|conn| {
                verify::snapshot(conn, |conn, snapshot: String| {
                    // The snapshot must not end before the other connection has it.
                    let together = names.send(snapshot).is_ok() && ready.recv().is_ok();
                    if together { read_ledgers(conn, &parts, &ranges) } else { Ok(()) }
                })
            })
        });
        let histories = scope.spawn(move || {
            let Ok(snapshot) = name.recv() else { return Ok(()) };
            pool.blocking(|conn| {
                verify::same_snapshot(conn, &snapshot, |conn| match joined.send(()) {
                    Ok(()) => read_histories(conn, &wanted, &histories),
                    Err(_) => Ok(()),
                })
            })
        });
        let totals = check(totals, &checked, &told);
        drop((checked, told));
        (totals, ledgers.join(), histories.join())
    });
    for read in [ledgers, histories] {
        match read {
            Ok(read) => read?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    if let Some(error) = totals.unwritten.take() {
        return Err(error.into());
    }
    if let Some(writer) = totals.writer.take() {
        writer.finish(totals.first_bad.is_none())?;
    }
    Ok(totals)
}

fn read_ledgers(conn: &mut Connection, parts: &SyncSender<Part>, ranges: &SyncSender<Range>) -> Result<(), Error> {
    let mut listened = parts.send(Part::Frame(verify::frame(conn)?)).is_ok();
    let mut next = Some(Uuid::nil());
    while let Some(from) = next.filter(|_| listened) {
        let (standings, range, after) = verify::members(conn, from)?;
        listened =
            ranges.send(range).is_ok() && parts.send(Part::Ledger(verify::ledger(conn, range, standings)?)).is_ok();
        next = after;
    }
    if listened {
        // Nobody left to hear it is no error here.
        let _ = parts.send(Part::Last(whole(conn)?));
    }
    Ok(())
}

fn read_histories(
    conn: &mut Connection,
    ranges: &Receiver<Range>,
    histories: &SyncSender<History>,
) -> Result<(), Error> {
    for range in ranges {
        if histories.send(verify::history(conn, range)?).is_err() {
            break;
        }
    }
    Ok(())
}

/// What concerns tables as a whole.
fn whole(conn: &mut Connection) -> Result<Result<(), Bad>, Error> {
    if let Some((table, source, number)) = verify::number_twice(conn)? {
        return Ok(Err(Bad::overall(table, Some(format!("{source} {number}")), "the number is on record twice")));
    }
    if let Some((member, key)) = verify::key_without_document(conn)? {
        let number = format!("{} {key}", MemberId::new(member));
        return Ok(Err(Bad::overall("idempotency", Some(number), "its document does not exist")));
    }
    if let Some((table, member, what)) = verify::between_members(conn)? {
        return Ok(Err(Bad::between(&table, member, what)));
    }
    if let Some((table, number, what)) = verify::coupons(conn)? {
        return Ok(Err(Bad::overall(table, Some(number), what)));
    }
    if let Some((table, member, what)) = verify::gifts(conn)? {
        return Ok(Err(Bad::between(&table, member, what)));
    }
    if let Some((member, what)) = referral::astray(conn, REFERRALS_FROM)? {
        return Ok(Err(Bad::between("referral", member, what)));
    }
    if let Err(bad) = wallets::check(conn)? {
        return Ok(Err(bad));
    }
    if let Some(Astray { id, what }) = adjustment::astray(conn)? {
        return Ok(Err(Bad::overall("adjustment", id.map(|id| AdjustmentId::new(id).to_string()), what)));
    }
    if let Some(re_rating::Astray { id, what }) = re_rating::astray(conn)? {
        return Ok(Err(Bad::overall("re_rating", id.map(|id| ReRatingId::new(id).to_string()), what)));
    }
    if let Some(reward::Astray { id, what }) = reward::astray(conn)? {
        return Ok(Err(Bad::overall("redemption", Some(RedemptionId::new(id).to_string()), what)));
    }
    if let Some(ticket::Astray { reward, number, what }) = ticket::astray(conn)? {
        return Ok(Err(Bad::overall("draw_ticket", Some(format!("{reward} {number}")), what)));
    }
    if let Some(tag::Astray { member_id, tag, what }) = tag::astray(conn)? {
        let number = format!("{} {tag}", MemberId::new(member_id));
        return Ok(Err(Bad::overall("member_tag", Some(number), what)));
    }
    Ok(Ok(()))
}

fn check(mut totals: Totals, parts: &Receiver<Part>, histories: &Receiver<History>) -> Totals {
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
            Part::Ledger(ledger) => {
                let Ok(history) = histories.recv() else { break };
                page(&mut totals, &books, &ledger, &history);
                bar.set_position(totals.members);
            }
            Part::Last(checked) => totals.note(checked),
            Part::Frame(_) => {}
        }
    }
    rewards(&mut totals, &frame);
    for bad in std::mem::take(&mut totals.promotions).check(&frame, &books) {
        totals.note(Err(bad));
    }
    for (of, uses, money) in &frame.coupons_used {
        let usage = CouponUsage { uses: *uses, money: *money };
        let allows = |programme: &Programme| programme.coupon(of).is_some_and(|of| of.limits.allow(usage));
        if !books.any(allows) {
            let what = "more is used of it than any version of the programme allows";
            totals.note(Err(Bad::overall("coupon_type_usage", Some(of.clone()), what)));
        }
    }
    if totals.coupons != frame.coupon_uses {
        let what = format!("purchases name {} uses of coupons, {} are on record", totals.coupons, frame.coupon_uses);
        totals.note(Err(Bad::overall("coupon_use", None, what)));
    }
    // The least id, so that the same row is named each time.
    if let Some(gone) = totals.marks.keys().min().copied() {
        totals.note(Err(Bad::stray("anchor", gone)));
    }
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
fn rewards(totals: &mut Totals, frame: &Frame) {
    let mut redeemed = std::mem::take(&mut totals.redeemed);
    let counted = frame.rewards_used.iter().map(|(reward, used)| {
        let right = redeemed.remove(reward).unwrap_or_default();
        (reward.clone(), *used, right)
    });
    let counted: Vec<_> = counted.collect();
    let uncounted = redeemed.into_iter().map(|(reward, right)| (reward, 0, right));
    for (reward, used, right) in counted.into_iter().chain(uncounted).filter(|(_, used, right)| used != right) {
        let what = format!("{used} are counted, {right} were redeemed");
        totals.note(Err(Bad::overall("reward_usage", Some(reward), what)));
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

fn page(totals: &mut Totals, books: &Books, ledger: &Ledger, history: &History) {
    let mut people = Cursor::new("member", &ledger.people);
    let mut entries = Cursor::new("entry", &ledger.entries);
    let mut lots = Cursor::new("lot", &ledger.lots);
    let mut movements = Cursor::new("lot_movement", &ledger.movements);
    let mut days = Cursor::new("qualifying_day", &history.days);
    let mut tier_changes = Cursor::new("tier_change", &history.tier_changes);
    let mut grants = Cursor::new("perk_grant", &history.grants);
    let mut purchases = Cursor::new("purchase", &history.purchases);
    let mut redemptions = Cursor::new("redemption", &history.redemptions);
    let mut returns = Cursor::new("purchase_return", &history.returns);
    let mut uses = Cursor::new("entitlement_use", &history.uses);
    let mut promotion_uses = Cursor::new("promotion_member_usage", &history.promotion_uses);
    let mut notices = Cursor::new("notice", &history.notices);
    let mut ratings = Cursor::new("re_rating_purchase", &history.ratings);
    for standing in &ledger.standings {
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
                returns: returns.take(id)?,
                uses: uses.take(id)?,
                promotion_uses: promotion_uses.take(id)?,
                notices: notices.take(id)?,
                ratings: ratings.take(id)?,
            })
        };
        totals.members += 1;
        totals.head(id, standing.entries, &standing.head);
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
        returns.end(),
        uses.end(),
        promotion_uses.end(),
        notices.end(),
        ratings.end(),
    ];
    ends.into_iter().for_each(|end| totals.note(end));
}

/// Checks one member.
fn member(totals: &mut Totals, books: &Books, member: &Member<'_>) -> Result<(), Bad> {
    totals.entries += member.entries.len() as u64;
    let handed_out = member.redemptions.iter().filter(|(_, row)| row.status != RedemptionStatus::Voided.as_str());
    for reward in handed_out.filter_map(|(_, row)| row.reward.as_ref()) {
        *totals.redeemed.entry(reward.clone()).or_default() += 1;
    }
    let mark = totals.marks.remove(&member.id.uuid());
    let (entries, sums) = chain::check(member, books, mark.as_ref())?;
    totals.sums.add(&sums);
    let told = sales::read(member)?;
    totals.coupons += told.values().map(|sale| sale.told.explanation.coupons.len() as i64).sum::<i64>();
    moved::documents(member, &entries, &told)?;
    let active = idle::Active::of(member, books);
    let idle = lots::check(member, books, &entries, &told, &active)?;
    let used = history::check(member, books, &entries, &told)?;
    totals.promotions.member(member, used)?;
    active.check(member, books, &idle)?;
    history::due(member)
}
