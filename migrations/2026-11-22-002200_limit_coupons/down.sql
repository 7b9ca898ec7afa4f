drop function lock_coupon_types;
drop table coupon_type_usage;

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
