//! Coupons against their uses, and uses against the purchases they were made in.

use diesel::prelude::*;

use crate::store::db::{Connection, Error};

/// The tables looked at.
const TABLES: [&str; 5] = ["coupon", "coupon_issue", "coupon_type_usage", "coupon_use", "quote"];

/// What is wrong with a coupon or a quote.
#[derive(QueryableByName)]
struct Wrong {
    #[diesel(sql_type = diesel::sql_types::Text)]
    place: String,
    #[diesel(sql_type = diesel::sql_types::Text)]
    number: String,
    #[diesel(sql_type = diesel::sql_types::Text)]
    what: String,
}

/// The first coupon, use or quote that does not fit the rest: its table, its number and the words. Counted uses must
/// be rows, numbered from 1 without a gap; a use, the purchase it names, and what its explanation says was taken
/// off; what is counted of a type, the uses of its coupons; a coupon, its issue; a quote, the purchase made of it.
///
/// # Errors
/// As [`Error`].
pub fn coupons(conn: &mut Connection) -> Result<Option<(&'static str, String, String)>, Error> {
    let found = diesel::sql_query(
        "with used as ( \
             select coupon, count(*) as ever, max(number) as last, count(*) filter (where given_back_at is null) as used \
             from coupon_use group by coupon), \
         told as ( \
             select u.purchase_id as id, t.code, t.amount from (select distinct purchase_id from coupon_use) u \
             join purchase p on p.id = u.purchase_id, \
             lateral jsonb_to_recordset(p.answer::jsonb -> 'explanation' -> 'coupons') as t(code text, amount bigint)) \
         select * from ( \
             select 'coupon' as place, c.code as number, \
                 c.used || ' uses are counted, ' || coalesce(u.used, 0) || ' are on record' as what \
             from coupon c left join used u on u.coupon = c.code where c.used <> coalesce(u.used, 0) \
             union all \
             select 'coupon_use', u.coupon, 'its uses are not numbered 1 to ' || u.ever from used u where u.last <> u.ever \
             union all \
             select 'coupon_use', u.coupon, 'its purchase does not say what it took off' from coupon_use u \
             left join told t on t.id = u.purchase_id and t.code = u.coupon and t.amount = u.amount where t.id is null \
             union all \
             select 'coupon_issue', i.id::text, 'it says it made ' || i.count || ' coupons' from coupon_issue i \
             where i.count <> (select count(*) from coupon c \
                 where c.issue_id = i.id and c.type = i.type and c.owner is not distinct from i.member_id) \
             union all \
             select 'coupon_type_usage', coalesce(t.type, s.type), coalesce(t.uses, 0) || ' uses of ' || coalesce(t.money, 0) \
                 || ' minor units are counted, ' || coalesce(s.uses, 0) || ' of ' || coalesce(s.money, 0) || ' are on record' \
             from coupon_type_usage t full join (select c.type, count(*) as uses, sum(u.amount) as money \
                 from coupon_use u join coupon c on c.code = u.coupon where u.given_back_at is null group by c.type) s \
                 on s.type = t.type \
             where (coalesce(t.uses, 0), coalesce(t.money, 0)) <> (coalesce(s.uses, 0), coalesce(s.money, 0)) \
             union all \
             select 'quote', q.id::text, 'the purchase made of it does not say so' from quote q \
             left join purchase p on p.id = q.purchase_id and p.answer like '%\"quote_id\":\"quo_%' \
             where q.purchase_id is not null and p.id is null \
         ) w order by place = 'coupon_type_usage', 1, 2, 3 limit 1",
    );
    let table = |place: &str| TABLES.into_iter().find(|table| *table == place).unwrap_or("coupon");
    Ok(found.get_result::<Wrong>(conn).optional()?.map(|wrong| (table(&wrong.place), wrong.number, wrong.what)))
}
