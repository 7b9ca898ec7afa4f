//! The whole books, read in pages of members in id order, as they stood at one instant.

mod coupons;
mod gifts;
mod wallets;
mod whole;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use serde_json::Value;
use tessera_rules::time::{Day, Instant};
use uuid::Uuid;

use super::db::{Connection, Error};
use super::ledger::{EntryView, PerkGrantView, TierChangeView};
use super::re_rating::InForce;
use super::rows::{ClockRow, PlacementRow, TiesRow};
use super::schema::{
    coupon_type_usage, coupon_use, entitlement_use, entry, lot, lot_movement, member, notice, perk_grant,
    programme_version, promotion_member_usage, promotion_usage, purchase, purchase_return, qualifying_day,
    re_rating_purchase, redemption, reward_usage, standing, store, tier_change,
};
use super::{coupon, promotion};

pub use coupons::coupons;
pub use gifts::gifts;
pub use wallets::{WalletBooks, wallet_books, wallets_astray};
pub use whole::{between_members, key_without_document, number_twice};

/// Rows of one table, each with its member, in the order of members and then of numbers.
pub type Rows<T> = Vec<(Uuid, T)>;

/// A member's cached balances and standing.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = standing)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct StandingView {
    pub member_id: Uuid,
    pub frozen: bool,
    pub enrolled_at: Instant,
    pub recorded_at: Instant,
    pub pending: i64,
    pub available: i64,
    pub held: i64,
    pub debt: i64,
    pub lifetime_earned: i64,
    pub entries: i64,
    pub head: Vec<u8>,
    pub lots: i64,
    pub purchases: i64,
    pub carry: i64,
    pub tier: String,
    pub tier_since: Instant,
    pub tier_changes: i64,
    pub window_from: Day,
    pub window_to: Day,
    pub window_points: i64,
    pub window_spend: i64,
    pub window_visits: i64,
    pub window_oldest: Option<Day>,
    pub tier_due_at: Option<Instant>,
    pub boost_until: Option<Instant>,
    pub tier_until: Option<Instant>,
    pub placement: Option<PlacementRow>,
    pub clock: ClockRow,
    pub due_at: Option<Instant>,
    pub ties: Option<TiesRow>,
}

/// What the standing repeats of a person.
#[derive(Debug, Clone, Queryable)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct PersonView {
    pub status: String,
    pub enrolled_at: Instant,
}

/// A lot.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = lot)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct LotView {
    pub number: i64,
    pub entry: i64,
    pub points: i64,
    pub remaining: i64,
    pub occurred_at: Instant,
    pub available_from: Instant,
    pub expires_at: Option<Instant>,
    pub held: i64,
    pub lapsed: i64,
    pub pending: bool,
    pub origin: Option<i64>,
    pub fixed: bool,
    pub idle_months: Option<i32>,
    pub parent_member: Option<Uuid>,
    pub parent_lot: Option<i64>,
}

/// A change of a lot.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = lot_movement)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct MovementView {
    pub entry: i64,
    pub lot: i64,
    pub points: i64,
    pub held: i64,
    pub lapsed: i64,
}

/// A qualifying day.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = qualifying_day)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct DayView {
    pub day: Day,
    pub points: i64,
    pub spend: i64,
    pub visits: i64,
    pub given: i64,
}

/// A receipt.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = purchase)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct PurchaseView {
    pub id: Uuid,
    pub store_id: Uuid,
    pub occurred_at: Instant,
    pub recorded_at: Instant,
    pub programme_version: i64,
    pub points: i64,
    pub micropoints: Option<i64>,
    pub answer: String,
    pub redemption_id: Option<Uuid>,
}

/// A return.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = purchase_return)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct ReturnView {
    pub id: Uuid,
    pub purchase_id: Uuid,
    pub store_id: Uuid,
    pub recorded_at: Instant,
    pub lines: String,
    pub amount: i64,
    pub clawed: i64,
    pub owed: i64,
    pub forgiven: i64,
    pub micropoints: i64,
    pub given_back: i64,
}

/// A use of an entitlement.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = entitlement_use)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct UseView {
    pub code: String,
    pub year: i32,
    pub number: i32,
    pub used_at: Instant,
    pub day: Option<Day>,
    pub multiplier: Option<i64>,
}

/// A member's uses of a promotion on a day.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = promotion_member_usage)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct PromotionUsesView {
    pub promotion: String,
    pub day: Day,
    pub uses: i64,
}

/// A notice.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = notice)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct NoticeView {
    pub kind: String,
    pub due_at: Instant,
    pub lead_days: i32,
    pub noticed_at: Instant,
    pub content: Value,
}

/// A redemption.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = redemption)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct RedemptionView {
    pub id: Uuid,
    pub store_id: Option<Uuid>,
    pub reward: Option<String>,
    pub points: i64,
    pub worth: Option<i64>,
    pub status: String,
    pub recorded_at: Instant,
    pub purchase_id: Option<Uuid>,
    pub held_until: Option<Instant>,
    pub entry: Option<i64>,
    pub bite_lots: Vec<i64>,
    pub bite_points: Vec<i64>,
    pub perk: Option<String>,
    pub occasion: Option<i32>,
}

/// Members with ids in one range, and what the ledger says of them.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "one list for each table")]
pub struct Ledger {
    pub standings: Vec<StandingView>,
    pub people: Rows<PersonView>,
    pub entries: Rows<EntryView>,
    pub lots: Rows<LotView>,
    pub movements: Rows<MovementView>,
}

/// Documents and history of members with ids in one range.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "one list for each table")]
pub struct History {
    pub days: Rows<DayView>,
    pub tier_changes: Rows<TierChangeView>,
    pub grants: Rows<PerkGrantView>,
    pub purchases: Rows<PurchaseView>,
    pub redemptions: Rows<RedemptionView>,
    pub returns: Rows<ReturnView>,
    pub uses: Rows<UseView>,
    pub promotion_uses: Rows<PromotionUsesView>,
    pub notices: Rows<NoticeView>,
    pub ratings: Rows<InForce>,
}

/// A range of member ids, both ends in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// First.
    pub from: Uuid,
    /// Last.
    pub to: Uuid,
}

/// What is read once.
#[derive(Debug)]
pub struct Frame {
    /// How many members have a standing.
    pub members: i64,
    /// Every version of the programme with its document.
    pub programmes: Vec<(i64, Value)>,
    /// Every store.
    pub stores: Vec<Uuid>,
    /// How many uses of coupons are on record, given back or not.
    pub coupon_uses: i64,
    /// What is on record as used of each type of coupons.
    pub coupons_used: Vec<coupon::Used>,
    /// How many of each counted reward are on record as handed out.
    pub rewards_used: Vec<(String, i64)>,
    /// What is on record as used of each limited promotion.
    pub promotions_used: Vec<promotion::Used>,
    /// Members that were merged into others, by the one who stays: what they earned and how often they
    /// bought.
    pub merged: Vec<Merged>,
    /// Their qualifying days, by the one who stays.
    pub merged_days: Rows<DayView>,
    /// How many members have joined the pool of each head.
    pub households: Vec<(Uuid, i64)>,
}

/// A member that was merged into another.
#[derive(Debug, Clone, QueryableByName)]
pub struct Merged {
    /// The one who stays.
    #[diesel(sql_type = diesel::sql_types::Uuid)]
    pub root: Uuid,
    /// Points earned for life.
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    pub lifetime_earned: i64,
    /// Purchases.
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    pub purchases: i64,
}

/// Pages go along keys, whatever the statistics say of tables that were filled a moment ago.
const PLANS: &str = "set local enable_seqscan = off; set local enable_bitmapscan = off; set local jit = off";

/// Runs `work` on the books as they stand now, whatever is written meanwhile. It is given the name
/// under which other connections may see the same, until it ends.
///
/// # Errors
/// What `work` returns, or that the snapshot could not be taken.
pub fn snapshot<T>(
    conn: &mut Connection,
    work: impl FnOnce(&mut Connection, String) -> Result<T, Error>,
) -> Result<T, Error> {
    conn.build_transaction().read_only().repeatable_read().run(|conn| {
        conn.batch_execute(PLANS)?;
        let name = diesel::select(diesel::dsl::sql::<diesel::sql_types::Text>("pg_export_snapshot()"));
        let name = name.get_result(conn)?;
        work(conn, name)
    })
}

/// Runs `work` on what another connection sees.
///
/// # Errors
/// What `work` returns, or that the other connection has ended its snapshot.
pub fn same_snapshot<T>(
    conn: &mut Connection,
    name: &str,
    work: impl FnOnce(&mut Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(Error::Internal("not the name of a snapshot".to_owned()));
    }
    conn.build_transaction().read_only().repeatable_read().run(|conn| {
        conn.batch_execute(&format!("set transaction snapshot '{name}'; {PLANS}"))?;
        work(conn)
    })
}

/// Reads what is read once.
///
/// # Errors
/// As [`Error`].
pub fn frame(conn: &mut Connection) -> Result<Frame, Error> {
    Ok(Frame {
        members: standing::table.count().get_result(conn)?,
        programmes: programme_version::table
            .order(programme_version::version)
            .select((programme_version::version, programme_version::document))
            .load(conn)?,
        stores: store::table.select(store::id).load(conn)?,
        coupon_uses: coupon_use::table.count().get_result(conn)?,
        coupons_used: coupon_type_usage::table.order(coupon_type_usage::type_).load(conn)?,
        rewards_used: reward_usage::table
            .order(reward_usage::reward)
            .select((reward_usage::reward, reward_usage::used))
            .load(conn)?,
        promotions_used: promotion_usage::table.order(promotion_usage::promotion).load(conn)?,
        merged: diesel::sql_query(
            "select (ties).root as root, lifetime_earned, purchases from standing where (ties).kind = 'merged'",
        )
        .load(conn)?,
        merged_days: diesel::sql_query(
            "select (s.ties).root as root, d.day, d.points, d.spend, d.visits, d.given from standing s \
             join qualifying_day d on d.member_id = s.member_id where (s.ties).kind = 'merged'",
        )
        .load::<MergedDay>(conn)?
        .into_iter()
        .map(|MergedDay { root, day, points, spend, visits, given }| {
            (root, DayView { day, points, spend, visits, given })
        })
        .collect(),
        households: diesel::sql_query(
            "select (ties).root as root, count(*) as members from standing where (ties).kind = 'pool' group by 1",
        )
        .load::<Household>(conn)?
        .into_iter()
        .map(|Household { root, members }| (root, members))
        .collect(),
    })
}

/// A qualifying day of a member that was merged.
#[derive(QueryableByName)]
struct MergedDay {
    #[diesel(sql_type = diesel::sql_types::Uuid)]
    root: Uuid,
    #[diesel(sql_type = diesel::sql_types::Date)]
    day: Day,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    points: i64,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    spend: i64,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    visits: i64,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    given: i64,
}

#[derive(QueryableByName)]
struct Household {
    #[diesel(sql_type = diesel::sql_types::Uuid)]
    root: Uuid,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    members: i64,
}

/// Members read together.
const PAGE_MEMBERS: usize = 1_024;
/// Entries and purchases read together, unless one member has more.
const PAGE_ROWS: i64 = 16_384;

/// Reads one table's rows of the members in a range.
macro_rules! rows {
    ($conn:ident, $range:ident, $table:ident . $member:ident, ($($order:ident),*), $select:expr) => {{
        let rows = $table::table.filter($table::$member.ge($range.from).and($table::$member.le($range.to)));
        rows.order(($table::$member, $($table::$order),*)).select(($table::$member, $select)).load($conn)?
    }};
}

/// The next members from an id on: those of one page, their range, and the id to go on from. `None`
/// after the last page, whose range reaches to the end of every table.
///
/// # Errors
/// As [`Error`].
pub fn members(conn: &mut Connection, from: Uuid) -> Result<(Vec<StandingView>, Range, Option<Uuid>), Error> {
    let mut standings: Vec<StandingView> = standing::table
        .filter(standing::member_id.ge(from))
        .order(standing::member_id)
        .limit(PAGE_MEMBERS as i64)
        .select(StandingView::as_select())
        .load(conn)?;
    let mut full = standings.len() == PAGE_MEMBERS;
    let mut rows = 0_i64;
    let fitting = standings.iter().take_while(|standing| {
        rows = rows.saturating_add(standing.entries).saturating_add(standing.purchases);
        rows <= PAGE_ROWS
    });
    let fitting = fitting.count().max(1);
    if fitting < standings.len() {
        standings.truncate(fitting);
        full = true;
    }
    let last = standings.last().map(|last| last.member_id).filter(|_| full);
    let next = last.and_then(|last| last.as_u128().checked_add(1)).map(Uuid::from_u128);
    let to = last.filter(|_| next.is_some()).unwrap_or(Uuid::max());
    Ok((standings, Range { from, to }, next))
}

/// What the ledger says of the members in a range.
///
/// # Errors
/// As [`Error`].
pub fn ledger(conn: &mut Connection, range: Range, standings: Vec<StandingView>) -> Result<Ledger, Error> {
    Ok(Ledger {
        standings,
        people: rows!(conn, range, member.id, (), (member::status, member::enrolled_at)),
        entries: rows!(conn, range, entry.member_id, (number), EntryView::as_select()),
        lots: rows!(conn, range, lot.member_id, (number), LotView::as_select()),
        movements: rows!(conn, range, lot_movement.member_id, (entry, lot), MovementView::as_select()),
    })
}

/// Documents and history of the members in a range.
///
/// # Errors
/// As [`Error`].
pub fn history(conn: &mut Connection, range: Range) -> Result<History, Error> {
    Ok(History {
        days: rows!(conn, range, qualifying_day.member_id, (day), DayView::as_select()),
        tier_changes: rows!(conn, range, tier_change.member_id, (number), TierChangeView::as_select()),
        grants: rows!(conn, range, perk_grant.member_id, (perk, occasion), PerkGrantView::as_select()),
        purchases: rows!(conn, range, purchase.member_id, (id), PurchaseView::as_select()),
        redemptions: rows!(conn, range, redemption.member_id, (id), RedemptionView::as_select()),
        returns: rows!(conn, range, purchase_return.member_id, (id), ReturnView::as_select()),
        uses: rows!(conn, range, entitlement_use.member_id, (code, year, number), UseView::as_select()),
        promotion_uses: rows!(
            conn,
            range,
            promotion_member_usage.member_id,
            (promotion, day),
            PromotionUsesView::as_select()
        ),
        notices: rows!(conn, range, notice.member_id, (due_at, kind, lead_days), NoticeView::as_select()),
        ratings: ratings(conn, range)?,
    })
}

/// Re-ratings that were booked, by member and purchase and in their order.
fn ratings(conn: &mut Connection, range: Range) -> Result<Rows<InForce>, Error> {
    let booked = re_rating_purchase::applied_at.is_not_null();
    let theirs = re_rating_purchase::member_id.ge(range.from).and(re_rating_purchase::member_id.le(range.to));
    Ok(re_rating_purchase::table
        .filter(booked.and(theirs))
        .order((
            re_rating_purchase::member_id,
            re_rating_purchase::purchase_id,
            re_rating_purchase::applied_at,
            re_rating_purchase::re_rating_id,
        ))
        .select((re_rating_purchase::member_id, InForce::as_select()))
        .load(conn)?)
}
