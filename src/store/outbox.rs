//! Events that no batch brings about: those of people and of configuration.

use diesel::pg::PgConnection;
use diesel::prelude::*;

use super::db::Error;
use super::rows::OutboxRow;
use super::schema::outbox;

/// Adds an event that no batch brought about, in the caller's transaction.
///
/// # Errors
/// As [`Error`].
pub fn insert_event(conn: &mut PgConnection, event: &OutboxRow) -> Result<(), Error> {
    diesel::insert_into(outbox::table)
        .values((
            outbox::id.eq(event.id),
            outbox::member_id.eq(event.member_id),
            outbox::kind.eq(&event.kind),
            outbox::document_id.eq(event.document_id),
            outbox::points.eq(event.points),
            outbox::at.eq(event.at),
        ))
        .execute(conn)?;
    Ok(())
}
