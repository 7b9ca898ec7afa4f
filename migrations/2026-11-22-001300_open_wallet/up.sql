-- The wallet: money of members, on books of its own beside those of the points.

create table wallet (
    member_id uuid constraint wallet_pkey primary key,
    entries bigint not null,
    head bytea not null constraint wallet_head_check check (length(head) = 32),
    lots bigint not null,
    paid bigint not null constraint wallet_paid_check check (paid >= 0),
    bonus bigint not null constraint wallet_bonus_check check (bonus >= 0),
    cashback bigint not null constraint wallet_cashback_check check (cashback >= 0),
    due_at timestamptz
) with (fillfactor = 90);
comment on table wallet is 'What stands in a member''s wallet, in minor units: a cache of its entries. It changes only together with his standing, whose version proves it.';
comment on column wallet.due_at is 'When the first open lot lapses.';
create index wallet_due on wallet (due_at) where due_at is not null;

create table wallet_entry (
    member_id uuid not null,
    number bigint not null constraint wallet_entry_number_check check (number > 0),
    kind text not null constraint wallet_entry_kind_check check (kind in ('top_up', 'bonus', 'cashback', 'payment',
        'give_back', 'return', 'refund', 'forfeit', 'expiry', 'adjustment', 'transfer')),
    from_account text not null,
    to_account text not null,
    amount bigint not null constraint wallet_entry_amount_check check (amount > 0),
    effective_at timestamptz not null,
    recorded_at timestamptz not null,
    actor_role text not null,
    actor_id uuid,
    document_id uuid,
    purchase_id uuid,
    store_id uuid,
    reason text,
    month date,
    hash bytea not null constraint wallet_entry_hash_check check (length(hash) = 32),
    constraint wallet_entry_pkey primary key (member_id, number),
    constraint wallet_entry_accounts_check check (from_account <> to_account)
);
comment on table wallet_entry is 'Movements of money in wallets, numbered and hash-chained per member. Append-only.';
comment on column wallet_entry.purchase_id is 'The purchase that was paid for, that brought cashback, or whose goods came back.';
comment on column wallet_entry.store_id is 'The store whose drawer the money went into or came out of.';
comment on column wallet_entry.month is 'The first day of the local month in which cashback counts against its cap.';
create index wallet_entry_purchase on wallet_entry (purchase_id) where purchase_id is not null;
create index wallet_entry_month on wallet_entry (member_id, month) where month is not null;
create trigger wallet_entry_keep before update or delete on wallet_entry for each row execute function refuse_change();
create trigger wallet_entry_keep_all before truncate on wallet_entry for each statement execute function refuse_change();

create table wallet_lot (
    member_id uuid not null,
    number bigint not null,
    account text not null constraint wallet_lot_account_check check (account in ('paid', 'bonus', 'cashback')),
    entry bigint not null,
    amount bigint not null constraint wallet_lot_amount_check check (amount > 0),
    remaining bigint not null constraint wallet_lot_remaining_check check (remaining between 0 and amount),
    lapsed bigint not null constraint wallet_lot_lapsed_check check (lapsed between 0 and amount),
    refunded bigint not null constraint wallet_lot_refunded_check check (refunded between 0 and amount),
    bonus bigint not null constraint wallet_lot_bonus_check check (bonus >= 0),
    with_lot bigint,
    origin bigint,
    parent_member uuid,
    parent_lot bigint,
    opened_at timestamptz not null,
    expires_at timestamptz,
    constraint wallet_lot_pkey primary key (member_id, number),
    constraint wallet_lot_paid_check check (account <> 'paid' or expires_at is null),
    constraint wallet_lot_parent_check check ((parent_member is null) = (parent_lot is null))
) with (fillfactor = 90);
comment on table wallet_lot is 'The money of one credit of a wallet, with its own expiry; money that was paid in has none.';
comment on column wallet_lot.refunded is 'Of a paid lot: what was paid out of it again, with what was kept back.';
comment on column wallet_lot.bonus is 'Of a paid lot: the bonus that came with its amount.';
comment on column wallet_lot.with_lot is 'Of a bonus: the paid lot it came with.';
create index wallet_lot_open on wallet_lot (member_id) where remaining > 0;

create table wallet_movement (
    member_id uuid not null,
    entry bigint not null,
    lot bigint not null,
    amount bigint not null constraint wallet_movement_amount_check check (amount <> 0),
    constraint wallet_movement_pkey primary key (member_id, entry, lot)
);
comment on table wallet_movement is 'One change of a wallet''s lot by one entry: negative when taken. Append-only.';
create trigger wallet_movement_keep before update or delete on wallet_movement for each row execute function refuse_change();
create trigger wallet_movement_keep_all before truncate on wallet_movement for each statement execute function refuse_change();

-- THE WRITE PATH, after load_batch: wallets, asked for only where a command may concern one.
--   p_members  whose wallets and open lots are needed
--   p_whole    those whose every lot is
--   p_sales    purchases of which it is asked what the wallet paid and what cashback they brought
--   p_month    the first month whose cashback is asked for
create function load_wallets(p_members uuid[], p_whole uuid[], p_sales uuid[], p_month date)
returns table (wallets wallet[], lots wallet_lot[], months jsonb, paid jsonb, payments jsonb, gifts jsonb)
language plpgsql stable as $$
begin
    return query select
        (select array_agg(w) from wallet w where w.member_id = any(p_members)),
        (select array_agg(l) from wallet_lot l
            where l.member_id = any(p_members) and (l.remaining > 0 or l.member_id = any(p_whole))),
        (select jsonb_agg(jsonb_build_array(m.member_id, m.month, m.reason, m.given)) from (
            select e.member_id, e.month, e.reason,
                sum(case e.kind when 'return' then -e.amount else e.amount end)::bigint as given
            from wallet_entry e where e.member_id = any(p_members) and e.month >= p_month
            group by e.member_id, e.month, e.reason) m),
        (select jsonb_agg(jsonb_build_array(p.member_id, p.purchase_id, p.amount)) from (
            select e.member_id, e.purchase_id, sum(e.amount)::bigint as amount from wallet_entry e
            where e.purchase_id = any(p_sales) and e.kind = 'payment' group by e.member_id, e.purchase_id) p),
        (select jsonb_agg(jsonb_build_array(p.member_id, p.purchase_id, p.lot, p.amount)) from (
            select t.member_id, t.purchase_id, t.lot, sum(t.amount)::bigint as amount from (
                select e.member_id, e.purchase_id, m.lot, -m.amount as amount from wallet_entry e
                join wallet_movement m on m.member_id = e.member_id and m.entry = e.number
                where e.purchase_id = any(p_sales) and e.kind in ('payment', 'give_back')
                union all
                select e.member_id, e.purchase_id, l.origin, -l.amount from wallet_entry e
                join wallet_lot l on l.member_id = e.member_id and l.entry = e.number
                where e.purchase_id = any(p_sales) and e.kind = 'give_back' and l.origin is not null
            ) t group by t.member_id, t.purchase_id, t.lot) p),
        (select jsonb_agg(jsonb_build_array(e.member_id, e.purchase_id, e.reason, l.number)) from wallet_entry e
            join wallet_lot l on l.member_id = e.member_id and l.entry = e.number
            where e.purchase_id = any(p_sales) and e.kind = 'cashback');
end $$;

-- THE WRITE PATH, after store_batch and in its transaction, under the locks of the members' standings.
--   p_wallets  wallets as they stand now
--   p_entries, p_movements  what is new
--   p_lots     lots that are new or stand otherwise now
create function store_wallets(
    p_wallets wallet[], p_entries wallet_entry[], p_lots wallet_lot[], p_movements wallet_movement[]
) returns void language plpgsql as $$
begin
    insert into wallet as w select * from unnest(p_wallets)
    on conflict (member_id) do update set entries = excluded.entries, head = excluded.head, lots = excluded.lots,
        paid = excluded.paid, bonus = excluded.bonus, cashback = excluded.cashback, due_at = excluded.due_at;
    insert into wallet_entry select * from unnest(p_entries);
    insert into wallet_lot as l select * from unnest(p_lots)
    on conflict (member_id, number) do update
        set remaining = excluded.remaining, lapsed = excluded.lapsed, refunded = excluded.refunded;
    insert into wallet_movement select * from unnest(p_movements);
end $$;
