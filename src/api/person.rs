//! Changes of a member's person, by the member or by staff: one way in, one line in the audit log,
//! one event. The log names the fields that changed and never what stood in them.

use serde_json::{Value, json};
use tessera_rules::Actor;
use tessera_rules::id::MemberId;
use tessera_rules::time::{BirthDate, Instant};

use super::Services;
use super::contact;
use super::error::{Code, Problem, both};
use super::extract::IfMatch;
use super::work::{Failed, run_whole};
use crate::clock::new_uuid;
use crate::store::audit::{self, Change};
use crate::store::db::Connection;
use crate::store::member::{self, MemberRow};
use crate::store::outbox;
use crate::store::rows::OutboxRow;

/// The longest name and external id, in characters.
const NAME_MAX: usize = 100;
const EXTERNAL_ID_MAX: usize = 64;

/// What changes; what is absent stays, an inner `None` takes away.
#[derive(Default)]
pub(super) struct PersonChange {
    pub(super) name: Option<String>,
    pub(super) phone: Option<Option<String>>,
    pub(super) email: Option<Option<String>>,
    pub(super) locale: Option<String>,
    pub(super) external_id: Option<Option<String>>,
    pub(super) birth_date: Option<BirthDate>,
    /// Why a birth date that is known is changed, said by staff who may.
    pub(super) reason: Option<String>,
}

impl PersonChange {
    /// The row with the change applied, its version one higher.
    fn apply(self, row: &MemberRow) -> Result<MemberRow, Problem> {
        let mut row = row.clone();
        if let Some(name) = self.name {
            row.name = contact::text("/name", &name, NAME_MAX)?;
        }
        if let Some(phone) = self.phone {
            row.phone = phone.map(|phone| contact::phone("/phone", &phone)).transpose()?;
        }
        if let Some(email) = self.email {
            row.email = email.map(|email| contact::email("/email", &email)).transpose()?;
        }
        if let Some(locale) = self.locale {
            row.locale = locale;
        }
        if let Some(id) = self.external_id {
            row.external_id = id.map(|id| contact::text("/external_id", &id, EXTERNAL_ID_MAX)).transpose()?;
        }
        if let Some(birth) = self.birth_date {
            if row.birth_date().is_some_and(|known| known != birth) && self.reason.is_none() {
                let detail = both(
                    "The birth date is set: a manager may change it and says why.",
                    "生日已设置，须由店长修改并说明原因。",
                );
                return Err(Problem::field(Code::BirthDateSet, "/birth_date", "already_set", detail));
            }
            row.set_birth_date(Some(birth));
        }
        row.version += 1;
        Ok(row)
    }
}

/// The names of the fields in which two rows differ.
fn changed(before: &MemberRow, after: &MemberRow) -> Vec<&'static str> {
    let fields = [
        ("name", before.name != after.name),
        ("phone", before.phone != after.phone),
        ("email", before.email != after.email),
        ("locale", before.locale != after.locale),
        ("external_id", before.external_id != after.external_id),
        ("birth_date", before.birth_date() != after.birth_date()),
    ];
    fields.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
}

/// Changes a member's person at the version the caller knows; a change of nothing is none.
pub(super) async fn change(
    services: &Services,
    id: MemberId,
    if_match: IfMatch,
    change: PersonChange,
    by: By,
) -> Result<MemberRow, Problem> {
    run_whole(services, move |conn| {
        let before = member::find(conn, id)?.ok_or(Code::MemberUnknown)?;
        if_match.check(before.version)?;
        let reason = change.reason.clone();
        let after = change.apply(&before)?;
        let fields = changed(&before, &after);
        if fields.is_empty() {
            return Ok(before);
        }
        if !member::update(conn, &after)? {
            return Err(Code::VersionConflict.into());
        }
        let noted = match reason {
            Some(reason) => json!({ "fields": fields, "reason": reason }),
            None => json!({ "fields": fields }),
        };
        by.note(conn, id, ("member.change", "member.changed"), None, Some(noted))?;
        Ok(after)
    })
    .await
}

/// A change on its way into the books: by whom and when.
#[derive(Clone, Copy)]
pub(super) struct By {
    pub(super) actor: Actor,
    pub(super) at: Instant,
}

impl By {
    /// Notes a change of a member: a line in the audit log, an event for whoever delivers messages.
    pub(super) fn note(
        self,
        conn: &mut Connection,
        member: MemberId,
        (action, event): (&str, &str),
        before: Option<Value>,
        after: Option<Value>,
    ) -> Result<(), Failed> {
        let object = member.to_string();
        audit::record(conn, self.at, self.actor, Change { action, object: &object, before, after })?;
        let event = OutboxRow {
            id: new_uuid(),
            member_id: member.uuid(),
            kind: event.to_owned(),
            document_id: None,
            points: 0,
            at: self.at,
        };
        Ok(outbox::insert_event(conn, &event)?)
    }
}
