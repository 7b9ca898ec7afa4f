//! Reads of the books: entries, purchases and what came back of them, redemptions, the dated history
//! of tiers.

use diesel::prelude::*;
use tessera_rules::amount::Points;
use tessera_rules::command::Role;
use tessera_rules::history::Movement;
use tessera_rules::id::{MemberId, PurchaseId, RedemptionId};
use tessera_rules::ledger::{Account, EntryKind};
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::db::{Connection, Error};
use super::schema::{
    entry, idempotency, notice, perk_grant, purchase, purchase_return, redemption, reward_usage, tier_change,
};

/// An entry as people read it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = entry)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct EntryView {
    pub number: i64,
    pub kind: String,
    pub from_account: String,
    pub to_account: String,
    pub points: i64,
    pub effective_at: Instant,
    pub recorded_at: Instant,
    pub actor_role: String,
    pub actor_id: Option<Uuid>,
    pub document_id: Option<Uuid>,
    pub reason: Option<String>,
    pub reverses: Option<i64>,
    pub hash: Vec<u8>,
}

/// A member's entries newest first, before a number.
///
/// # Errors
/// As [`Error`].
pub fn entries(
    conn: &mut Connection,
    member: MemberId,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<EntryView>, Error> {
    Ok(entry::table
        .filter(entry::member_id.eq(member.uuid()).and(entry::number.lt(before.unwrap_or(i64::MAX))))
        .order(entry::number.desc())
        .limit(limit)
        .select(EntryView::as_select())
        .load(conn)?)
}

/// All of a member's entries in order, as far as they tell what was shown when.
///
/// # Errors
/// [`Error::Internal`] where a row holds a word that is none.
pub fn movements(conn: &mut Connection, member: MemberId) -> Result<Vec<Movement>, Error> {
    type Row = (String, String, String, String, i64, Instant, Instant);
    let rows: Vec<Row> = entry::table
        .filter(entry::member_id.eq(member.uuid()))
        .order(entry::number)
        .select((
            entry::kind,
            entry::actor_role,
            entry::from_account,
            entry::to_account,
            entry::points,
            entry::effective_at,
            entry::recorded_at,
        ))
        .load(conn)?;
    let read = |(kind, role, from, to, points, effective_at, recorded_at): Row| {
        Some(Movement {
            kind: EntryKind::parse(&kind)?,
            role: Role::parse(&role)?,
            from: Account::parse(&from)?,
            to: Account::parse(&to)?,
            points: Points::new(points).ok()?,
            effective_at,
            recorded_at,
        })
    };
    let read: Option<Vec<Movement>> = rows.into_iter().map(read).collect();
    read.ok_or_else(|| Error::Internal("an entry holds a word that is none".to_owned()))
}

/// A stored document with the answer its first caller was given.
#[derive(Debug, Clone, Queryable)]
pub struct Document {
    /// Its id.
    pub id: Uuid,
    /// Whose.
    pub member_id: Uuid,
    /// In which store.
    pub store_id: Uuid,
    /// The first answer.
    pub answer: String,
}

/// A purchase by id.
///
/// # Errors
/// As [`Error`].
pub fn purchase(conn: &mut Connection, id: PurchaseId) -> Result<Option<Document>, Error> {
    let columns = (purchase::id, purchase::member_id, purchase::store_id, purchase::answer);
    Ok(purchase::table.find(id.uuid()).select(columns).first(conn).optional()?)
}

/// A purchase by its receipt.
///
/// # Errors
/// As [`Error`].
pub fn purchase_by_receipt(conn: &mut Connection, source: &str, external_id: &str) -> Result<Option<Document>, Error> {
    let columns = (purchase::id, purchase::member_id, purchase::store_id, purchase::answer);
    let receipt = purchase::source.eq(source).and(purchase::external_id.eq(external_id));
    Ok(purchase::table.filter(receipt).select(columns).first(conn).optional()?)
}

/// A member's purchases newest first, before an id.
///
/// # Errors
/// As [`Error`].
pub fn purchases(
    conn: &mut Connection,
    member: MemberId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Document>, Error> {
    let columns = (purchase::id, purchase::member_id, purchase::store_id, purchase::answer);
    Ok(purchase::table
        .filter(purchase::member_id.eq(member.uuid()).and(purchase::id.lt(before.unwrap_or(Uuid::max()))))
        .order(purchase::id.desc())
        .limit(limit)
        .select(columns)
        .load(conn)?)
}

/// What came back of a purchase by one return.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = purchase_return)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct ReturnView {
    pub purchase_id: Uuid,
    pub lines: String,
    pub amount: i64,
    pub clawed: i64,
    pub given_back: i64,
}

/// What came back of some purchases, return by return.
///
/// # Errors
/// As [`Error`].
pub fn returned(conn: &mut Connection, purchases: &[Uuid]) -> Result<Vec<ReturnView>, Error> {
    Ok(purchase_return::table
        .filter(purchase_return::purchase_id.eq_any(purchases))
        .order((purchase_return::purchase_id, purchase_return::id))
        .select(ReturnView::as_select())
        .load(conn)?)
}

/// The returns of a purchase newest first, before an id.
///
/// # Errors
/// As [`Error`].
pub fn returns(
    conn: &mut Connection,
    of: PurchaseId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Document>, Error> {
    use purchase_return::{answer, id, member_id, purchase_id, store_id, table};
    Ok(table
        .filter(purchase_id.eq(of.uuid()).and(id.lt(before.unwrap_or(Uuid::max()))))
        .order(id.desc())
        .limit(limit)
        .select((id, member_id, store_id, answer))
        .load(conn)?)
}

/// A redemption as it stands.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = redemption)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct RedemptionState {
    pub id: Uuid,
    pub member_id: Uuid,
    pub store_id: Option<Uuid>,
    pub reward: Option<String>,
    pub points: i64,
    pub worth: Option<i64>,
    pub status: String,
    pub recorded_at: Instant,
    pub purchase_id: Option<Uuid>,
    pub held_until: Option<Instant>,
    pub perk: Option<String>,
}

/// A redemption by id.
///
/// # Errors
/// As [`Error`].
pub fn redemption(conn: &mut Connection, id: RedemptionId) -> Result<Option<RedemptionState>, Error> {
    let row = redemption::table.find(id.uuid()).select(RedemptionState::as_select());
    Ok(row.first(conn).optional()?)
}

/// A member's redemptions newest first, before an id.
///
/// # Errors
/// As [`Error`].
pub fn redemptions(
    conn: &mut Connection,
    member: MemberId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<RedemptionState>, Error> {
    Ok(redemption::table
        .filter(redemption::member_id.eq(member.uuid()).and(redemption::id.lt(before.unwrap_or(Uuid::max()))))
        .order(redemption::id.desc())
        .limit(limit)
        .select(RedemptionState::as_select())
        .load(conn)?)
}

/// A change of tier as people read it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = tier_change)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct TierChangeView {
    pub number: i64,
    pub from_tier: String,
    pub to_tier: String,
    pub at: Instant,
    pub recorded_at: Instant,
    pub cause: String,
    pub reason: Option<String>,
    pub measure: i64,
    pub programme_version: i64,
}

/// The latest hundred changes of a member's tier, newest first.
///
/// # Errors
/// As [`Error`].
pub fn tier_changes(conn: &mut Connection, member: MemberId) -> Result<Vec<TierChangeView>, Error> {
    Ok(tier_change::table
        .filter(tier_change::member_id.eq(member.uuid()))
        .order(tier_change::number.desc())
        .limit(100)
        .select(TierChangeView::as_select())
        .load(conn)?)
}

/// A granted perk as people read it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = perk_grant)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct PerkGrantView {
    pub perk: String,
    pub occasion: i32,
    pub granted_at: Instant,
    pub gift: serde_json::Value,
    pub window_from: Instant,
    pub window_until: Instant,
}

/// A member's latest hundred granted perks, newest first.
///
/// # Errors
/// As [`Error`].
pub fn perk_grants(conn: &mut Connection, member: MemberId) -> Result<Vec<PerkGrantView>, Error> {
    Ok(perk_grant::table
        .filter(perk_grant::member_id.eq(member.uuid()))
        .order((perk_grant::granted_at.desc(), perk_grant::perk))
        .limit(100)
        .select(PerkGrantView::as_select())
        .load(conn)?)
}

/// A notice as people read it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = notice)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct NoticeView {
    pub due_at: Instant,
    pub lead_days: i32,
    pub noticed_at: Instant,
    pub content: serde_json::Value,
}

/// The latest hundred notices a member was given, newest first.
///
/// # Errors
/// As [`Error`].
pub fn notices(conn: &mut Connection, member: MemberId) -> Result<Vec<NoticeView>, Error> {
    Ok(notice::table
        .filter(notice::member_id.eq(member.uuid()))
        .order((notice::noticed_at.desc(), notice::due_at, notice::kind, notice::lead_days))
        .limit(100)
        .select(NoticeView::as_select())
        .load(conn)?)
}

/// How many of each counted reward were handed out.
///
/// # Errors
/// As [`Error`].
pub fn rewards_used(conn: &mut Connection) -> Result<Vec<(String, i64)>, Error> {
    Ok(reward_usage::table.select((reward_usage::reward, reward_usage::used)).load(conn)?)
}

/// Whether a caller has used an idempotency key.
///
/// # Errors
/// As [`Error`].
pub fn key_used(conn: &mut Connection, caller: Uuid, key: &str) -> Result<bool, Error> {
    let row = idempotency::table.find((caller, key));
    Ok(diesel::select(diesel::dsl::exists(row)).get_result(conn)?)
}
