//! What concerns tables as a whole, or rows of two members: looked for by one query each.

use diesel::prelude::*;
use uuid::Uuid;

use crate::store::db::{Connection, Error};
use crate::store::schema::{purchase, purchase_return};

/// A document number that is on record twice: its table, its source and its number. Unique keys
/// forbid it; this finds a key that is broken or gone.
///
/// # Errors
/// As [`Error`].
pub fn number_twice(conn: &mut Connection) -> Result<Option<(&'static str, String, String)>, Error> {
    let receipt: Option<(String, String)> = purchase::table
        .group_by((purchase::source, purchase::external_id))
        .having(diesel::dsl::count_star().gt(1))
        .select((purchase::source, purchase::external_id))
        .first(conn)
        .optional()?;
    if let Some((source, number)) = receipt {
        return Ok(Some(("purchase", source, number)));
    }
    let returned: Option<(String, String)> = purchase_return::table
        .group_by((purchase_return::source, purchase_return::external_id))
        .having(diesel::dsl::count_star().gt(1))
        .select((purchase_return::source, purchase_return::external_id))
        .first(conn)
        .optional()?;
    Ok(returned.map(|(source, number)| ("purchase_return", source, number)))
}

/// An idempotency key that points to a document.
#[derive(QueryableByName)]
struct Key {
    #[diesel(sql_type = diesel::sql_types::Uuid)]
    member_id: Uuid,
    #[diesel(sql_type = diesel::sql_types::Text)]
    key: String,
}

/// An idempotency key whose answer is said to stand in a document that does not exist: its member
/// and the key.
///
/// # Errors
/// As [`Error`].
pub fn key_without_document(conn: &mut Connection) -> Result<Option<(Uuid, String)>, Error> {
    let found = diesel::sql_query(
        "select i.member_id, i.key from idempotency i where i.document_id is not null \
         and not exists (select from purchase p where p.id = i.document_id) \
         and not exists (select from redemption r where r.id = i.document_id) \
         and not exists (select from purchase_return r where r.id = i.document_id) \
         and not exists (select from transfer t where t.id = i.document_id) \
         order by i.member_id, i.key limit 1",
    );
    Ok(found.get_result::<Key>(conn).optional()?.map(|found| (found.member_id, found.key)))
}

/// What is wrong between two members: a lot whose parent is not there or was not earned at the same
/// time, a document whose transfers do not sum to 0, points kept with nobody. The table, the member and
/// the words.
///
/// # Errors
/// As [`Error`].
pub fn between_members(conn: &mut Connection) -> Result<Option<(String, Uuid, String)>, Error> {
    #[derive(QueryableByName)]
    struct Wrong {
        #[diesel(sql_type = diesel::sql_types::Text)]
        place: String,
        #[diesel(sql_type = diesel::sql_types::Uuid)]
        member_id: Uuid,
        #[diesel(sql_type = diesel::sql_types::Text)]
        what: String,
    }
    let found = diesel::sql_query(
        "select * from ( \
             select 'lot' as place, l.member_id, 'lot ' || l.number || ' is not of the lot it says' as what \
             from lot l left join lot p on p.member_id = l.parent_member and p.number = l.parent_lot \
             where l.parent_member is not null and (p.member_id is null or p.occurred_at <> l.occurred_at) \
             union all \
             select 'standing', s.member_id, 'its points are kept with nobody' from standing s \
             where (s.ties).root is not null and not exists (select from standing r where r.member_id = (s.ties).root) \
             union all \
             select 'entry', (array_agg(e.member_id order by e.member_id))[1], \
                 'the transfers of document ' || e.document_id || ' do not sum to zero' \
             from entry e where e.kind = 'transfer' and e.document_id is not null group by e.document_id \
             having sum(case when e.to_account = 'transferred' then e.points else -e.points end) <> 0 \
             union all \
             select 'transfer', t.from_member, 'its entries do not move its points' from transfer t \
             where t.points <> (select coalesce(sum(e.points), 0) from entry e where e.member_id = t.to_member \
                 and e.document_id = t.id and e.reason = 'transfer' and e.from_account = 'transferred') \
         ) w order by 1, 2, 3 limit 1",
    );
    Ok(found.get_result::<Wrong>(conn).optional()?.map(|wrong| (wrong.place, wrong.member_id, wrong.what)))
}
