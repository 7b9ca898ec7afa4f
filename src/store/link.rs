//! Reads of what ties members together: who is whom by now, who is of a household, what was given to
//! whom, where a purchase was moved to.

use std::collections::HashMap;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Uuid as UuidType};
use tessera_rules::command::MOVED;
use tessera_rules::id::{MemberId, PurchaseId};
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::db::{Connection, Error};
use super::ledger::Document;
use super::rows::TiesRow;
use super::schema::{member, purchase, standing, transfer};

/// What the row of a member says when he is the same person as another.
pub const MERGED: &str = "merged";
/// What it says when he is of another's household.
pub const POOL: &str = "pool";

/// Links followed at most; the rules make no circles.
const LONGEST: usize = 8;

/// The member that somebody is now: himself, or the one that he was merged into.
///
/// # Errors
/// As [`Error`].
pub fn stays(conn: &mut Connection, member: MemberId) -> Result<MemberId, Error> {
    let mut id = member;
    for _ in 0..LONGEST {
        match ties(conn, id)?.filter(says_merged).and_then(|ties| ties.root) {
            Some(root) => id = MemberId::new(root),
            None => break,
        }
    }
    Ok(id)
}

/// A member whose points somebody else keeps.
#[derive(Debug, Clone, Queryable)]
pub struct Tied {
    /// Who.
    pub member: Uuid,
    /// His name.
    pub name: String,
    /// Why, whether he may spend, and what he passed on last.
    pub ties: Option<TiesRow>,
}

impl Tied {
    /// Whether the link is of a kind.
    fn is(&self, kind: &str) -> bool {
        self.ties.as_ref().is_some_and(|ties| ties.kind.as_deref() == Some(kind))
    }
}

/// The members of one kind whose points a member keeps, oldest member first.
///
/// # Errors
/// As [`Error`].
pub fn tied_to(conn: &mut Connection, root: MemberId, kind: &str) -> Result<Vec<Tied>, Error> {
    // As the index `standing_root` has it, word by word.
    let of_root = sql::<Nullable<UuidType>>("(ties).root").eq(Some(root.uuid()));
    let rows: Vec<Tied> = standing::table
        .inner_join(member::table.on(member::id.eq(standing::member_id)))
        .filter(of_root)
        .order(standing::member_id)
        .select((standing::member_id, member::name, standing::ties))
        .load(conn)?;
    Ok(rows.into_iter().filter(|tied| tied.is(kind)).collect())
}

/// What a member's own row says of his ties.
///
/// # Errors
/// As [`Error`].
pub fn ties(conn: &mut Connection, of: MemberId) -> Result<Option<TiesRow>, Error> {
    Ok(standing::table.find(of.uuid()).select(standing::ties).first(conn).optional()?.flatten())
}

/// The names of some members.
///
/// # Errors
/// As [`Error`].
pub fn names(conn: &mut Connection, of: &[Uuid]) -> Result<HashMap<Uuid, String>, Error> {
    let rows: Vec<(Uuid, String)> =
        member::table.filter(member::id.eq_any(of)).select((member::id, member::name)).load(conn)?;
    Ok(rows.into_iter().collect())
}

/// Points one member gave to another.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = transfer)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct TransferView {
    pub id: Uuid,
    pub from_member: Uuid,
    pub to_member: Uuid,
    pub points: i64,
    pub recorded_at: Instant,
}

/// What a member gave and was given newest first, before an id.
///
/// # Errors
/// As [`Error`].
pub fn transfers(
    conn: &mut Connection,
    of: MemberId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<TransferView>, Error> {
    let own = transfer::from_member.eq(of.uuid()).or(transfer::to_member.eq(of.uuid()));
    Ok(transfer::table
        .filter(own.and(transfer::id.lt(before.unwrap_or(Uuid::max()))))
        .order(transfer::id.desc())
        .limit(limit)
        .select(TransferView::as_select())
        .load(conn)?)
}

/// Where purchases were moved to, by the id of the purchase as it was entered.
///
/// # Errors
/// As [`Error`].
pub fn moved_to(conn: &mut Connection, purchases: &[Uuid]) -> Result<HashMap<Uuid, Document>, Error> {
    let numbers: HashMap<String, Uuid> = purchases.iter().map(|id| (PurchaseId::new(*id).to_string(), *id)).collect();
    let columns = (purchase::external_id, (purchase::id, purchase::member_id, purchase::store_id, purchase::answer));
    let moved = purchase::source.eq(MOVED).and(purchase::external_id.eq_any(numbers.keys()));
    let rows: Vec<(String, Document)> = purchase::table.filter(moved).select(columns).load(conn)?;
    Ok(rows.into_iter().filter_map(|(number, row)| Some((*numbers.get(&number)?, row))).collect())
}

/// A purchase as it is now: itself, or the one it was moved to.
///
/// # Errors
/// As [`Error`].
pub fn as_moved(conn: &mut Connection, document: Document) -> Result<Document, Error> {
    let mut document = document;
    // It is moved within a day of each time it was recorded: a limit of moves is a limit of days.
    while let Some(next) = moved_to(conn, &[document.id])?.remove(&document.id) {
        document = next;
    }
    Ok(document)
}

/// A stored purchase with all that moving it needs.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = purchase)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct StoredPurchase {
    pub id: Uuid,
    pub member_id: Uuid,
    pub store_id: Uuid,
    pub occurred_at: Instant,
    pub answer: String,
    pub particulars: Option<serde_json::Value>,
}

/// A purchase by id.
///
/// # Errors
/// As [`Error`].
pub fn stored_purchase(conn: &mut Connection, id: PurchaseId) -> Result<Option<StoredPurchase>, Error> {
    Ok(purchase::table.find(id.uuid()).select(StoredPurchase::as_select()).first(conn).optional()?)
}

/// Whether a member was merged into another.
///
/// # Errors
/// As [`Error`].
pub fn is_merged(conn: &mut Connection, id: MemberId) -> Result<bool, Error> {
    Ok(ties(conn, id)?.is_some_and(|ties| says_merged(&ties)))
}

/// Whether a row says that its member was merged.
pub(super) fn says_merged(ties: &TiesRow) -> bool {
    ties.kind.as_deref() == Some(MERGED)
}
