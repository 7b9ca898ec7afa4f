//! Wallets: loaded and stored with the batch that concerns them, and read by the faces.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, Date, Jsonb, Nullable, Uuid as UuidType};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tessera_rules::id::MemberId;
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::batch::call;
use super::db::{Connection, Error};
use super::link::MERGED;
use super::rows::{
    StandingRow, WalletEntryRow, WalletEntryType, WalletLotRow, WalletLotType, WalletMovementRow, WalletMovementType,
    WalletRow, WalletType,
};
use super::schema::{wallet, wallet_entry, wallet_lot};
use super::wire::Rows;

/// Which wallets a batch asks for. Those of the members that somebody was merged into come along.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Whose.
    pub members: Vec<Uuid>,
    /// Those whose every lot is needed, not the open ones alone.
    pub whole: Vec<Uuid>,
    /// Purchases of which it is asked what was paid and given.
    pub sales: Vec<Uuid>,
    /// The first month whose cashback is asked for.
    pub month: NaiveDate,
}

/// What was found. The lists name the member first.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Whose wallets were asked for, whether or not they have one.
    pub asked: Vec<Uuid>,
    /// Wallets.
    pub wallets: Vec<WalletRow>,
    /// Lots.
    pub lots: Vec<WalletLotRow>,
    /// Cashback less what was taken back: month, promotion, amount.
    pub months: Vec<(Uuid, NaiveDate, String, i64)>,
    /// What was paid of a purchase.
    pub paid: Vec<(Uuid, Uuid, i64)>,
    /// What of it was not given back: purchase, lot, amount.
    pub payments: Vec<(Uuid, Uuid, i64, i64)>,
    /// Lots that cashback of a purchase opened: purchase, promotion, lot.
    pub gifts: Vec<(Uuid, Uuid, String, i64)>,
}

impl QueryFragment<Pg> for Asked {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        call!(out, "select * from load_wallets(",
            Array<UuidType> => &self.members,
            Array<UuidType> => &self.whole,
            Array<UuidType> => &self.sales,
            Date => &self.month,
        )
    }
}

impl QueryId for Asked {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Asked {
    type SqlType = (
        Nullable<Array<WalletType>>,
        Nullable<Array<WalletLotType>>,
        Nullable<Jsonb>,
        Nullable<Jsonb>,
        Nullable<Jsonb>,
        Nullable<Jsonb>,
    );
}

impl RunQueryDsl<PgConnection> for Asked {}

#[derive(Queryable)]
struct FoundRow {
    wallets: Option<Vec<WalletRow>>,
    lots: Option<Vec<WalletLotRow>>,
    months: Option<Value>,
    paid: Option<Value>,
    payments: Option<Value>,
    gifts: Option<Value>,
}

impl Asked {
    /// Loads what is asked for, after the standings: whoever has changed a wallet since has changed a standing too.
    ///
    /// # Errors
    /// As [`Error`].
    pub(super) fn run(mut self, conn: &mut PgConnection, standings: &[StandingRow]) -> Result<Found, Error> {
        if self.members.is_empty() {
            return Ok(Found::default());
        }
        self.follow_merges(standings);
        let asked = self.members.clone();
        let row: FoundRow = self.get_result(conn)?;
        Ok(Found {
            asked,
            wallets: row.wallets.unwrap_or_default(),
            lots: row.lots.unwrap_or_default(),
            months: list(row.months)?,
            paid: list(row.paid)?,
            payments: list(row.payments)?,
            gifts: list(row.gifts)?,
        })
    }

    /// Adds those whom members of the list were merged into, and whom these were.
    fn follow_merges(&mut self, standings: &[StandingRow]) {
        let root_of = |member: &Uuid| {
            let ties = standings.iter().find(|row| row.member_id == *member)?.ties.as_ref()?;
            ties.root.filter(|_| ties.kind.as_deref() == Some(MERGED))
        };
        for list in [&mut self.members, &mut self.whole] {
            let mut all: BTreeSet<Uuid> = list.iter().copied().collect();
            for member in list.iter() {
                let mut next = root_of(member);
                while let Some(root) = next.filter(|root| all.insert(*root)) {
                    next = root_of(&root);
                }
            }
            *list = all.into_iter().collect();
        }
    }
}

fn list<T: DeserializeOwned>(value: Option<Value>) -> Result<Vec<T>, Error> {
    let broken = |error: serde_json::Error| Error::Internal(error.to_string());
    Ok(value.map(serde_json::from_value).transpose().map_err(broken)?.unwrap_or_default())
}

/// What a batch changes of wallets.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Wallets as they stand now.
    pub wallets: Vec<WalletRow>,
    /// New entries.
    pub entries: Vec<WalletEntryRow>,
    /// Lots that are new or stand otherwise now.
    pub lots: Vec<WalletLotRow>,
    /// Changes of lots.
    pub movements: Vec<WalletMovementRow>,
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Writes them, in the transaction of the batch.
    ///
    /// # Errors
    /// As [`Error`].
    pub(super) fn run(&self, conn: &mut PgConnection) -> Result<(), Error> {
        if !self.is_empty() {
            self.execute(conn)?;
        }
        Ok(())
    }
}

impl QueryFragment<Pg> for Changes {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        call!(out, "select store_wallets(",
            Rows<WalletType> => &self.wallets,
            Rows<WalletEntryType> => &self.entries,
            Rows<WalletLotType> => &self.lots,
            Rows<WalletMovementType> => &self.movements,
        )
    }
}

impl QueryId for Changes {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<PgConnection> for &Changes {}

/// Members whose money the clock has let lapse by `at`, the longest due first.
///
/// # Errors
/// As [`Error`].
pub fn due(conn: &mut Connection, at: Instant, limit: i64) -> Result<Vec<Uuid>, Error> {
    let due = wallet::table.filter(wallet::due_at.le(at)).order((wallet::due_at, wallet::member_id));
    Ok(due.limit(limit).select(wallet::member_id).load(conn)?)
}

/// What a lot holds, as it is shown.
#[derive(Debug, Clone, Queryable)]
pub struct LotView {
    /// In which account.
    pub account: String,
    /// How much is left, in minor units.
    pub remaining: i64,
    /// From when it can no longer be spent.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The open lots of a member's wallet that live at an instant, soonest-lapsing first.
///
/// # Errors
/// As [`Error`].
pub fn open_lots(conn: &mut Connection, member: MemberId, at: Instant) -> Result<Vec<LotView>, Error> {
    let alive = wallet_lot::expires_at.is_null().or(wallet_lot::expires_at.gt(at));
    let open = wallet_lot::member_id.eq(member.uuid()).and(wallet_lot::remaining.gt(0));
    Ok(wallet_lot::table
        .filter(open.and(alive))
        .order((wallet_lot::expires_at.asc().nulls_last(), wallet_lot::number))
        .select((wallet_lot::account, wallet_lot::remaining, wallet_lot::expires_at))
        .load(conn)?)
}

/// An entry as it is shown and verified.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = wallet_entry)]
#[expect(missing_docs, reason = "columns are described in the migration that makes them")]
pub struct EntryView {
    pub number: i64,
    pub kind: String,
    pub from_account: String,
    pub to_account: String,
    pub amount: i64,
    pub effective_at: DateTime<Utc>,
    pub recorded_at: DateTime<Utc>,
    pub actor_role: String,
    pub actor_id: Option<Uuid>,
    pub document_id: Option<Uuid>,
    pub purchase_id: Option<Uuid>,
    pub store_id: Option<Uuid>,
    pub reason: Option<String>,
    pub month: Option<NaiveDate>,
    pub hash: Vec<u8>,
}

/// Entries of a member's wallet, newest first, before a number.
///
/// # Errors
/// As [`Error`].
pub fn entries(
    conn: &mut Connection,
    member: MemberId,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<EntryView>, Error> {
    Ok(wallet_entry::table
        .filter(wallet_entry::member_id.eq(member.uuid()))
        .filter(wallet_entry::number.lt(before.unwrap_or(i64::MAX)))
        .order(wallet_entry::number.desc())
        .limit(limit)
        .select(EntryView::as_select())
        .load(conn)?)
}
