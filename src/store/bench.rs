//! What `tessera bench` asks PostgreSQL beside the product's own statements. Its databases are its own:
//! nothing here is called on anybody's books.

use diesel::Connection as _;
use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use tessera_rules::id::MemberId;
use uuid::Uuid;

use super::db::{Connection, Error};
use super::schema::member;

/// Runs statements on a connection of their own.
///
/// # Errors
/// As [`Error`].
pub fn execute(url: &str, statements: &str) -> Result<(), Error> {
    Ok(PgConnection::establish(url)?.batch_execute(statements)?)
}

/// The value of an expression that is a whole number.
///
/// # Errors
/// As [`Error`].
pub fn number(url: &str, expression: &str) -> Result<i64, Error> {
    let mut conn = PgConnection::establish(url)?;
    Ok(diesel::select(sql::<BigInt>(&format!("({expression})::bigint"))).get_result(&mut conn)?)
}

/// The write-ahead log since the cluster was made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wal {
    /// Bytes written.
    pub bytes: i64,
    /// How often it was flushed to the disk. Processes report this once a second.
    pub syncs: i64,
}

/// The log as it stands.
///
/// # Errors
/// As [`Error`].
pub fn wal(url: &str) -> Result<Wal, Error> {
    let mut conn = PgConnection::establish(url)?;
    let bytes = sql::<BigInt>("pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint");
    let syncs = sql::<BigInt>("(select wal_sync from pg_stat_wal)");
    let (bytes, syncs) = diesel::select((bytes, syncs)).get_result(&mut conn)?;
    Ok(Wal { bytes, syncs })
}

/// Everybody's id, in the order of enrolment.
///
/// # Errors
/// As [`Error`].
pub fn members(conn: &mut Connection) -> Result<Vec<MemberId>, Error> {
    let ids: Vec<Uuid> = member::table.select(member::id).order(member::id).load(conn)?;
    Ok(ids.into_iter().map(MemberId::new).collect())
}
