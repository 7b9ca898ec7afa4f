//! What an import asks the database, a few hundred rows at a time, and the list of what a dry run
//! has seen of its file.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, Binary, Text};
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::db::{Connection, Error};
use super::schema::{entry, member, purchase, standing};

/// Readies a connection for an import: every question it asks finds its rows by key, also while the
/// tables have just been filled and no statistics say how large they are.
///
/// # Errors
/// As [`Error`].
pub fn prepare(conn: &mut Connection) -> Result<(), Error> {
    Ok(conn.batch_execute("set enable_seqscan = off; set jit = off")?)
}

/// A member as an import finds him.
#[derive(Debug, Clone, Queryable)]
pub struct Found {
    /// The id in the other system.
    pub external_id: Option<String>,
    /// His id.
    pub id: Uuid,
    /// When he joined.
    pub enrolled_at: Instant,
    /// Whether he neither earns nor redeems.
    pub frozen: bool,
}

/// The members with these external ids, in no particular order.
///
/// # Errors
/// As [`Error`].
pub fn members(conn: &mut Connection, external_ids: &[&str]) -> Result<Vec<Found>, Error> {
    let joined = member::table.inner_join(standing::table.on(standing::member_id.eq(member::id)));
    Ok(joined
        .filter(member::external_id.eq_any(external_ids))
        .select((member::external_id, member::id, member::enrolled_at, standing::frozen))
        .load(conn)?)
}

/// Which of these phone numbers and e-mail addresses belong to somebody.
///
/// # Errors
/// As [`Error`].
pub fn contacts(conn: &mut Connection, phones: &[&str], emails: &[&str]) -> Result<(Vec<String>, Vec<String>), Error> {
    let taken_phones = member::table.filter(member::phone.eq_any(phones)).select(member::phone.assume_not_null());
    let taken_emails = member::table.filter(member::email.eq_any(emails)).select(member::email.assume_not_null());
    Ok((taken_phones.load(conn)?, taken_emails.load(conn)?))
}

/// Which of these members were given points for this reason.
///
/// # Errors
/// As [`Error`].
pub fn adjusted_for(conn: &mut Connection, members: &[Uuid], reason: &str) -> Result<Vec<Uuid>, Error> {
    Ok(entry::table
        .filter(entry::member_id.eq_any(members))
        .filter(entry::kind.eq("adjustment").and(entry::reason.eq(reason)))
        .select(entry::member_id)
        .distinct()
        .load(conn)?)
}

/// A receipt on record, with what tells it from another of the same number.
#[derive(Debug, Clone, Queryable)]
pub struct Receipt {
    /// Who numbered it.
    pub source: String,
    /// Its number.
    pub external_id: String,
    /// SHA-256 of what it says.
    pub content: Vec<u8>,
    /// When it happened.
    pub occurred_at: Instant,
    /// Whether its till named that instant.
    pub occurred_named: bool,
}

/// The receipts of one source with these numbers, in no particular order.
///
/// # Errors
/// As [`Error`].
pub fn receipts(conn: &mut Connection, source: &str, external_ids: &[&str]) -> Result<Vec<Receipt>, Error> {
    Ok(purchase::table
        .filter(purchase::source.eq(source).and(purchase::external_id.eq_any(external_ids)))
        .select((
            purchase::source,
            purchase::external_id,
            purchase::content,
            purchase::occurred_at,
            purchase::occurred_named,
        ))
        .load(conn)?)
}

/// What a dry run has met in its file so far. It lies in a temporary table of the connection, so
/// that a file of any length takes no memory and no other connection sees or waits for it.
#[derive(Debug)]
pub struct Seen(());

diesel::table! {
    /// The temporary table of [`Seen`].
    import_seen (name) {
        /// What it is and which.
        name -> Text,
        /// What tells it from another of the same name.
        content -> Bytea,
    }
}

impl Seen {
    /// An empty list on this connection.
    ///
    /// # Errors
    /// As [`Error`]; the role may make no temporary tables.
    pub fn begin(conn: &mut Connection) -> Result<Self, Error> {
        conn.batch_execute(
            "drop table if exists pg_temp.import_seen; \
             create temporary table import_seen (name text primary key, content bytea not null)",
        )?;
        Ok(Self(()))
    }

    /// The content that was noted under each of these names, where there is one.
    ///
    /// # Errors
    /// As [`Error`].
    pub fn look(&self, conn: &mut Connection, names: &[String]) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let rows = import_seen::table.filter(import_seen::name.eq_any(names));
        Ok(rows.select((import_seen::name, import_seen::content)).load(conn)?)
    }

    /// Notes names that were not seen before, each with its content.
    ///
    /// # Errors
    /// As [`Error`].
    pub fn note(&mut self, conn: &mut Connection, names: &[String], contents: &[Vec<u8>]) -> Result<(), Error> {
        diesel::sql_query("insert into import_seen select * from unnest($1, $2) on conflict do nothing")
            .bind::<Array<Text>, _>(names)
            .bind::<Array<Binary>, _>(contents)
            .execute(conn)?;
        Ok(())
    }

    /// Drops the list.
    ///
    /// # Errors
    /// As [`Error`].
    pub fn end(self, conn: &mut Connection) -> Result<(), Error> {
        Ok(conn.batch_execute("drop table if exists pg_temp.import_seen")?)
    }
}
