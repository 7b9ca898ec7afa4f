-- Coupons that were issued, what they were used in, and the quotes that are kept for a while.

create table coupon_issue (
    id uuid constraint coupon_issue_pkey primary key,
    type text not null,
    member_id uuid constraint coupon_issue_member_fkey references member (id),
    count integer not null constraint coupon_issue_count_check check (count between 1 and 1000),
    issued_at timestamptz not null,
    actor_role text not null,
    actor_id uuid,
    key text,
    fingerprint bytea,
    constraint coupon_issue_key_key unique (actor_id, key),
    constraint coupon_issue_key_check check ((key is null) = (fingerprint is null)),
    constraint coupon_issue_member_check check (member_id is null or count = 1)
);
comment on table coupon_issue is 'How coupons came about: of which type, for whom, how many, by whom. Append-only; the key of a request stands for it for ever.';

create table coupon (
    code text constraint coupon_pkey primary key constraint coupon_code_check check (code ~ '^[0-9A-HJKMNP-TV-Z]{16}$'),
    type text not null,
    issue_id uuid not null constraint coupon_issue_fkey references coupon_issue (id),
    owner uuid constraint coupon_owner_fkey references member (id),
    valid_from timestamptz not null,
    valid_until timestamptz,
    uses integer not null,
    used integer not null default 0,
    revoked_at timestamptz,
    constraint coupon_window_check check (valid_until > valid_from),
    constraint coupon_used_check check (used between 0 and uses)
);
comment on table coupon is 'Issued coupons, each with the window and the uses its type had then.';
comment on column coupon.code is 'What its holder shows: 80 random bits in the base32 of Crockford.';
comment on column coupon.owner is 'The member it was issued to; null: it is for whoever shows it.';
comment on column coupon.used is 'In how many purchases it was used, less the uses that were given back.';
create index coupon_of_owner on coupon (owner) where owner is not null;
create index coupon_of_issue on coupon (issue_id);
create index coupon_of_type on coupon (type, issue_id, code);

create table coupon_use (
    coupon text not null constraint coupon_use_coupon_fkey references coupon (code),
    number bigint not null constraint coupon_use_number_check check (number > 0),
    purchase_id uuid not null,
    amount bigint not null constraint coupon_use_amount_check check (amount > 0),
    used_at timestamptz not null,
    given_back_at timestamptz constraint coupon_use_given_back_check check (given_back_at >= used_at),
    constraint coupon_use_pkey primary key (coupon, number),
    constraint coupon_use_purchase_key unique (purchase_id, coupon)
);
comment on table coupon_use is 'Uses of coupons, numbered 1..n per coupon; one that was given back stays.';
comment on column coupon_use.amount is 'What it took off, in minor units.';

create table quote (
    id uuid constraint quote_pkey primary key,
    store_id uuid not null,
    asked_at timestamptz not null,
    valid_until timestamptz not null constraint quote_valid_check check (valid_until > asked_at),
    asked jsonb not null,
    promised jsonb not null,
    purchase_id uuid,
    constraint quote_purchase_key unique (purchase_id)
);
comment on table quote is 'What tills were promised, for a while; for ever where a purchase was made of it.';
comment on column quote.asked is 'The receipt to be: member, lines at list prices, tenders, coupons that count, points that pay.';
comment on column quote.promised is 'What it must come out as: net lines, total, what is due, points.';
create index quote_lapsing on quote (valid_until) where purchase_id is null;

create trigger coupon_issue_keep before update or delete on coupon_issue for each row execute function refuse_change();
create trigger coupon_issue_keep_all before truncate on coupon_issue for each statement execute function refuse_change();

-- Of a coupon only how often it was used changes, and whether it was taken back, which it is for ever.
create function guard_coupon() returns trigger language plpgsql as $$
begin
    if old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at
        or (new.code, new.type, new.issue_id, new.owner, new.valid_from, new.valid_until, new.uses)
            is distinct from (old.code, old.type, old.issue_id, old.owner, old.valid_from, old.valid_until, old.uses)
    then
        raise exception 'what a coupon is worth is never changed';
    end if;
    return new;
end $$;
create trigger coupon_guard before update on coupon for each row execute function guard_coupon();
create trigger coupon_keep before delete on coupon for each row execute function refuse_change();
create trigger coupon_keep_all before truncate on coupon for each statement execute function refuse_change();

-- A use is given back once, and nothing else of it changes.
create function guard_coupon_use() returns trigger language plpgsql as $$
begin
    if old.given_back_at is not null
        or (new.coupon, new.number, new.purchase_id, new.amount, new.used_at)
            is distinct from (old.coupon, old.number, old.purchase_id, old.amount, old.used_at)
    then
        raise exception 'a use of a coupon is never changed';
    end if;
    return new;
end $$;
create trigger coupon_use_guard before update on coupon_use for each row execute function guard_coupon_use();
create trigger coupon_use_keep before delete on coupon_use for each row execute function refuse_change();
create trigger coupon_use_keep_all before truncate on coupon_use for each statement execute function refuse_change();

-- The member that somebody is now: himself, or the one that he was merged into.
create function who_stays(p_member uuid) returns uuid stable language sql as $$
    with recursive link as (
        select p_member as id, 0 as hops
        union all
        select (s.ties).root, hops + 1 from link join standing s on s.member_id = link.id
        where (s.ties).kind = 'merged' and hops < 8
    )
    select id from link order by hops desc limit 1
$$;

-- Members and all that were merged into them.
create function who_were(p_members uuid[]) returns setof uuid stable language sql as $$
    with recursive link as (
        select unnest(p_members) as id
        union
        select s.member_id from link join standing s on (s.ties).root = link.id where (s.ties).kind = 'merged'
    )
    select id from link
$$;

-- THE WRITE PATH, locks beside members and rewards, after them: coupons in code order, then quotes in id order.
--   p_codes   codes of coupons that purchases name
--   p_sales   purchases whose goods come back, and with them uses of coupons
--   p_quotes  quotes that purchases are made of
create function lock_coupons(p_codes text[], p_sales uuid[], p_quotes uuid[]) returns void language plpgsql as $$
begin
    perform from coupon c
    where c.code = any(p_codes || array(
        select u.coupon from coupon_use u where u.purchase_id = any(p_sales) and u.given_back_at is null))
    order by c.code for no key update;
    if cardinality(p_quotes) > 0 then
        perform from quote q where q.id = any(p_quotes) order by q.id for no key update;
    end if;
end $$;

-- THE WRITE PATH, load: coupons by code, and those of members that can still be used, each with the member that
-- its owner is now.
create function load_coupons(p_codes text[], p_members uuid[], p_at timestamptz)
returns table (code text, type text, owner uuid, valid_from timestamptz, valid_until timestamptz, uses integer,
    used integer, revoked boolean)
stable language sql as $$
    select c.code, c.type, who_stays(c.owner), c.valid_from, c.valid_until, c.uses, c.used, c.revoked_at is not null
    from coupon c where c.code = any(p_codes)
    union
    (select c.code, c.type, who_stays(c.owner), c.valid_from, c.valid_until, c.uses, c.used, c.revoked_at is not null
    from coupon c where c.owner in (select who_were(p_members))
        and c.used < c.uses and c.revoked_at is null and c.valid_from <= p_at
        and (c.valid_until is null or c.valid_until > p_at)
    order by c.valid_until nulls last, c.code limit 50)
$$;

-- THE WRITE PATH, store: after store_batch, in the same transaction. What does not fit has moved on: the batch is
-- decided again under locks.
--   p_codes, p_purchases, p_amounts, p_ats        uses of coupons
--   p_back_codes, p_back_purchases, p_back_ats    uses that are given back
--   p_quotes, p_quote_purchases                   quotes and the purchases made of them
create function store_coupons(
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
