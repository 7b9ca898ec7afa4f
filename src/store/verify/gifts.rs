//! Grants against what they are for and what they gave: events, changes of tier, coupons, messages.

use diesel::prelude::*;
use tessera_rules::occasion::{EVENTS_FROM, REFERRALS_FROM, TIER_CHANGES_FROM};
use uuid::Uuid;

use crate::store::db::{Connection, Error};

/// The first row that does not fit the rest: its table, its member and the words. Events are numbered from 1 without a
/// gap; a grant for an event or a change of tier has that event or change; as many coupons were issued by grants as
/// grants give one, and those that were given with a document name one of the member; what a grant tells was sent.
///
/// # Errors
/// As [`Error`].
pub fn gifts(conn: &mut Connection) -> Result<Option<(String, Uuid, String)>, Error> {
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
             select 'member_event' as place, e.member_id, 'its events are not numbered 1 to ' || count(*) as what \
             from member_event e group by e.member_id having max(e.number) <> count(*) \
             union all \
             select 'perk_grant', g.member_id, g.perk || ' was granted for an event that is not on record' \
             from perk_grant g where g.occasion >= $1 and g.occasion < $2 and not exists ( \
                 select from member_event e where e.member_id = g.member_id and e.number = g.occasion - $1) \
             union all \
             select 'perk_grant', g.member_id, g.perk || ' was granted for a change of tier that is not on record' \
             from perk_grant g where g.occasion >= $2 and g.occasion < $3 and not exists ( \
                 select from tier_change t where t.member_id = g.member_id and t.number = g.occasion - $2) \
             union all \
             select 'coupon_issue', coalesce(g.member_id, i.member_id), coalesce(g.by, i.by) || ' was granted ' \
                 || coalesce(g.count, 0) || ' coupons, ' || coalesce(i.count, 0) || ' are issued' \
             from (select member_id, perk as by, count(*) from perk_grant where gift ->> 'kind' = 'coupon' group by 1, 2) g \
             full join (select member_id, given_by as by, count(*) from coupon_issue \
                 where given_by is not null and document_id is null group by 1, 2) i \
                 on i.member_id = g.member_id and i.by = g.by \
             where coalesce(g.count, 0) <> coalesce(i.count, 0) \
             union all \
             select 'coupon_issue', i.member_id, i.given_by || ' gave a coupon with a document that is not his' \
             from coupon_issue i where i.document_id is not null \
             and not exists (select from purchase p where p.id = i.document_id and p.member_id = i.member_id) \
             and not exists (select from redemption r where r.id = i.document_id and r.member_id = i.member_id \
                 and 'reward:' || r.reward = i.given_by) \
             union all \
             select 'message', g.member_id, g.perk || ' told him something that was not sent' \
             from perk_grant g where g.gift ->> 'kind' = 'message' and not exists ( \
                 select from message m where m.member_id = g.member_id and m.given_by = g.perk and m.at = g.granted_at) \
         ) w order by 1, 2, 3 limit 1",
    );
    let found = found.bind::<diesel::sql_types::Integer, _>(EVENTS_FROM);
    let found = found.bind::<diesel::sql_types::Integer, _>(TIER_CHANGES_FROM);
    let found = found.bind::<diesel::sql_types::Integer, _>(REFERRALS_FROM);
    let wrong = found.get_result::<Wrong>(conn).optional()?;
    Ok(wrong.map(|wrong| (wrong.place, wrong.member_id, wrong.what)))
}
