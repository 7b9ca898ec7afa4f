//! Wallets, for those who live through them again.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Uuid as UuidType};
use uuid::Uuid;

use crate::store::db::{Connection, Error};
use crate::store::rows::{WalletEntryRow, WalletEntryType, WalletLotRow, WalletLotType, WalletRow, WalletType};
use crate::store::schema::wallet_movement;

/// A wallet with all that belongs to it, in order.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the tables of these names")]
pub struct WalletBooks {
    pub wallet: WalletRow,
    pub entries: Vec<WalletEntryRow>,
    pub lots: Vec<WalletLotRow>,
    /// Entry, lot, amount.
    pub movements: Vec<(i64, i64, i64)>,
}

/// Wallets read at a time.
const PAGE: i64 = 500;

#[derive(QueryableByName)]
struct Whole {
    #[diesel(sql_type = WalletType)]
    wallet: WalletRow,
    #[diesel(sql_type = Nullable<Array<WalletEntryType>>)]
    entries: Option<Vec<WalletEntryRow>>,
    #[diesel(sql_type = Nullable<Array<WalletLotType>>)]
    lots: Option<Vec<WalletLotRow>>,
}

/// The wallets of the members that follow `after` by id, and the last of them where others may follow.
///
/// # Errors
/// As [`Error`].
pub fn wallet_books(conn: &mut Connection, after: Uuid) -> Result<(Vec<WalletBooks>, Option<Uuid>), Error> {
    let rows: Vec<Whole> = diesel::sql_query(
        "select w as wallet, \
             (select array_agg(e order by e.number) from wallet_entry e where e.member_id = w.member_id) as entries, \
             (select array_agg(l order by l.number) from wallet_lot l where l.member_id = w.member_id) as lots \
         from wallet w where w.member_id > $1 order by w.member_id limit $2",
    )
    .bind::<UuidType, _>(after)
    .bind::<BigInt, _>(PAGE)
    .load(conn)?;
    let members: Vec<Uuid> = rows.iter().map(|row| row.wallet.member_id).collect();
    let columns = (wallet_movement::member_id, wallet_movement::entry, wallet_movement::lot, wallet_movement::amount);
    let movements: Vec<(Uuid, i64, i64, i64)> =
        wallet_movement::table.filter(wallet_movement::member_id.eq_any(&members)).select(columns).load(conn)?;
    let full = i64::try_from(rows.len()).unwrap_or(i64::MAX) == PAGE;
    let books = rows.into_iter().map(|row| {
        let own = movements.iter().filter(|(member, ..)| *member == row.wallet.member_id);
        WalletBooks {
            movements: own.map(|(_, entry, lot, amount)| (*entry, *lot, *amount)).collect(),
            wallet: row.wallet,
            entries: row.entries.unwrap_or_default(),
            lots: row.lots.unwrap_or_default(),
        }
    });
    Ok((books.collect(), members.last().copied().filter(|_| full)))
}

/// What is wrong with a wallet.
#[derive(QueryableByName)]
struct Wrong {
    #[diesel(sql_type = Text)]
    place: String,
    #[diesel(sql_type = UuidType)]
    member: Uuid,
    #[diesel(sql_type = Text)]
    what: String,
}

/// The first row that fits no wallet or no purchase: its table, its member and the words. Every row has its wallet
/// and every wallet its member; a purchase says what the wallet paid of it and what it brought; what moved between
/// accounts of one person left one and arrived at another.
///
/// # Errors
/// As [`Error`].
pub fn wallets_astray(conn: &mut Connection) -> Result<Option<(String, Uuid, String)>, Error> {
    let found = diesel::sql_query(
        "with told as ( \
             select e.purchase_id, min(e.member_id::text)::uuid as member_id, \
                 coalesce(sum(e.amount) filter (where e.kind = 'payment'), 0) as paid, \
                 coalesce(sum(e.amount) filter (where e.kind = 'cashback'), 0) as cashback \
             from wallet_entry e where e.kind in ('payment', 'cashback') group by e.purchase_id) \
         select * from ( \
             select 'wallet' as place, w.member_id as member, 'there is no such member' as what from wallet w \
             left join standing s on s.member_id = w.member_id where s.member_id is null \
             union all \
             select 'wallet_entry', e.member_id, 'it is in no wallet' from wallet_entry e \
             left join wallet w on w.member_id = e.member_id where w.member_id is null \
             union all \
             select 'wallet_lot', l.member_id, 'no entry opened it' from wallet_lot l \
             left join wallet_entry e on e.member_id = l.member_id and e.number = l.entry where e.number is null \
             union all \
             select 'wallet_movement', m.member_id, 'no entry made it' from wallet_movement m \
             left join wallet_entry e on e.member_id = m.member_id and e.number = m.entry where e.number is null \
             union all \
             select 'wallet_entry', t.member_id, 'its purchase does not say what the wallet paid and was given' \
             from told t left join purchase p on p.id = t.purchase_id \
                 and (p.answer::jsonb #>> '{wallet,paid}')::bigint = t.paid \
                 and (p.answer::jsonb #>> '{wallet,cashback}')::bigint = t.cashback \
             where p.id is null \
             union all \
             select 'wallet_entry', coalesce(min(e.member_id::text)::uuid, '00000000-0000-0000-0000-000000000000'), \
                 'what was handed over does not sum to zero' \
             from wallet_entry e where e.kind = 'transfer' \
             having sum(case when e.to_account = 'transferred' then e.amount else -e.amount end) <> 0 \
         ) w order by 1, 2, 3 limit 1",
    );
    Ok(found.get_result::<Wrong>(conn).optional()?.map(|wrong| (wrong.place, wrong.member, wrong.what)))
}
