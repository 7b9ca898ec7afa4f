-- Limits of kinds of coupons: what all issued coupons of a type have been used and have taken off together.

create table coupon_type_usage (
    type text constraint coupon_type_usage_pkey primary key,
    uses bigint not null constraint coupon_type_usage_uses_check check (uses >= 0),
    money bigint not null constraint coupon_type_usage_money_check check (money >= 0)
) with (fillfactor = 70);
comment on table coupon_type_usage is 'What was used of all coupons of a type, less what was given back.';
comment on column coupon_type_usage.type is 'Code of the type.';
comment on column coupon_type_usage.uses is 'Purchases in which one was used, each coupon for itself.';
comment on column coupon_type_usage.money is 'What they took off, in minor units.';

insert into coupon_type_usage
select c.type, count(*), sum(u.amount) from coupon_use u join coupon c on c.code = u.coupon
where u.given_back_at is null group by c.type;

-- THE WRITE PATH, locks after those of coupons: what was used of the types that coupons are of, as far as those have
-- limits, in code order. Types without limits are counted when they are stored.
--   p_codes    codes of coupons that purchases name
--   p_limited  types that have limits
create function lock_coupon_types(p_codes text[], p_limited text[]) returns void language plpgsql as $$
declare
    v_types text[] := array(
        select distinct c.type from coupon c where c.code = any(p_codes) and c.type = any(p_limited));
begin
    insert into coupon_type_usage select t, 0, 0 from unnest(v_types) t order by t on conflict do nothing;
    perform from coupon_type_usage t where t.type = any(v_types) order by t.type for no key update;
end $$;

-- THE WRITE PATH, store: after store_batch, in the same transaction. What does not fit has moved on: the batch is
-- decided again under locks.
--   p_codes, p_purchases, p_amounts, p_ats        uses of coupons
--   p_back_codes, p_back_purchases, p_back_ats    uses that are given back
--   p_quotes, p_quote_purchases                   quotes and the purchases made of them
create or replace function store_coupons(
    p_codes text[], p_purchases uuid[], p_amounts bigint[], p_ats timestamptz[],
    p_back_codes text[], p_back_purchases uuid[], p_back_ats timestamptz[],
    p_quotes uuid[], p_quote_purchases uuid[]
) returns void language plpgsql as $$
declare
    v_count bigint;
    v_types text[];
    v_uses bigint[];
    v_money bigint[];
begin
    if cardinality(p_codes) + cardinality(p_back_codes) > 0 then
        perform from coupon c where c.code = any(p_codes || p_back_codes) order by c.code for no key update;
        insert into coupon_use (coupon, number, purchase_id, amount, used_at)
        select n.code, coalesce((select max(u.number) from coupon_use u where u.coupon = n.code), 0)
            + row_number() over (partition by n.code order by n.place), n.purchase, n.amount, n.at
        from unnest(p_codes, p_purchases, p_amounts, p_ats) with ordinality n(code, purchase, amount, at, place);
        update coupon_use u set given_back_at = greatest(b.at, u.used_at)
        from unnest(p_back_codes, p_back_purchases, p_back_ats) b(code, purchase, at)
        where u.coupon = b.code and u.purchase_id = b.purchase and u.given_back_at is null;
        get diagnostics v_count = row_count;
        if v_count <> cardinality(p_back_codes) then
            raise exception 'a use of a coupon was given back before' using errcode = 'serialization_failure';
        end if;
        update coupon c set used = c.used + d.change
        from (select code, sum(change)::integer as change from (
            select unnest(p_codes) as code, 1 as change union all select unnest(p_back_codes), -1) o
            group by code) d
        where c.code = d.code and d.change <> 0;
        -- Counted without a limit too: a limit set later counts what went before. Types in code order, so that nobody
        -- waits for somebody who waits for him.
        with used as (
            select code, 1 as uses, amount as money from unnest(p_codes, p_amounts) n(code, amount)
            union all
            select u.coupon, -1, -u.amount from unnest(p_back_codes, p_back_purchases) b(code, purchase)
            join coupon_use u on u.coupon = b.code and u.purchase_id = b.purchase
        ), summed as (
            select c.type, sum(n.uses)::bigint as uses, sum(n.money)::bigint as money
            from used n join coupon c on c.code = n.code group by c.type
        )
        select array_agg(s.type order by s.type), array_agg(s.uses order by s.type), array_agg(s.money order by s.type)
        into v_types, v_uses, v_money from summed s where s.uses <> 0 or s.money <> 0;
        insert into coupon_type_usage select t, 0, 0 from unnest(v_types) t order by t on conflict do nothing;
        perform from coupon_type_usage t where t.type = any(v_types) order by t.type for no key update;
        update coupon_type_usage t set uses = t.uses + n.uses, money = t.money + n.money
        from unnest(v_types, v_uses, v_money) n(type, uses, money) where t.type = n.type;
    end if;
    if cardinality(p_quotes) > 0 then
        update quote q set purchase_id = n.purchase from unnest(p_quotes, p_quote_purchases) n(id, purchase)
        where q.id = n.id and q.purchase_id is null;
        get diagnostics v_count = row_count;
        if v_count <> cardinality(p_quotes) then
            raise exception 'a purchase was made of the quote before' using errcode = 'serialization_failure';
        end if;
    end if;
end $$;
