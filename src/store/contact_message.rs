//! What is to be told to a phone number or an e-mail address: rows in, rows out. All times are wall time.

use diesel::prelude::*;
use tessera_rules::text::Text;
use tessera_rules::time::Instant;
use uuid::Uuid;

use super::db::{Connection, Error};
use super::schema::contact_message;

/// A message to a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactMessage {
    /// Sorts by time.
    pub id: Uuid,
    /// `sms` or `email`.
    pub channel: String,
    /// The phone number or the e-mail address.
    pub contact: String,
    /// `verification_code`, `account_exists`, `account_missing` or `password_changed`.
    pub kind: String,
    /// What it says.
    pub text: Text,
    /// When it was written.
    pub created_at: Instant,
    /// From when there is no use in sending it.
    pub expires_at: Instant,
}

/// Adds a message.
///
/// # Errors
/// As [`Error`].
pub fn insert(conn: &mut Connection, message: &ContactMessage) -> Result<(), Error> {
    let text = serde_json::to_value(&message.text).map_err(|error| Error::Internal(error.to_string()))?;
    diesel::insert_into(contact_message::table)
        .values((
            contact_message::id.eq(message.id),
            contact_message::channel.eq(&message.channel),
            contact_message::contact.eq(&message.contact),
            contact_message::kind.eq(&message.kind),
            contact_message::text.eq(text),
            contact_message::created_at.eq(message.created_at),
            contact_message::expires_at.eq(message.expires_at),
        ))
        .execute(conn)?;
    Ok(())
}

/// The latest messages, newest first.
///
/// # Errors
/// As [`Error`].
pub fn latest(conn: &mut Connection, limit: i64) -> Result<Vec<ContactMessage>, Error> {
    type Row = (Uuid, String, String, String, serde_json::Value, Instant, Instant);
    let rows: Vec<Row> = contact_message::table.order(contact_message::id.desc()).limit(limit).load(conn)?;
    let view = |(id, channel, contact, kind, text, created_at, expires_at): Row| {
        let text = serde_json::from_value(text).map_err(|error| Error::Internal(error.to_string()))?;
        Ok(ContactMessage { id, channel, contact, kind, text, created_at, expires_at })
    };
    rows.into_iter().map(view).collect()
}

/// Forgets what has lapsed by `now`; says how many.
///
/// # Errors
/// As [`Error`].
pub fn purge(conn: &mut Connection, now: Instant) -> Result<usize, Error> {
    Ok(diesel::delete(contact_message::table.filter(contact_message::expires_at.le(now))).execute(conn)?)
}
