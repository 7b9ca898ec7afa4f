-- A lot is found however many hands its points went through: unmerging an account that was merged with a
-- member of a pool gives back what is left.

drop function load_batch;

-- THE WRITE PATH, load: returns one row with what the rules need to decide a batch, as arrays of
-- table rows. Stable, so that all of it is seen at one moment.
--   p_members   members to load; with them comes who keeps their points
--   p_debit     those of them whose open lots and open holds are needed
--   p_late      those of them whose tier history is needed
--   p_perks     those of them whose grants, uses of entitlements and birth dates are needed
--   p_notices   those of them whose notices and every day from the window's start are needed
--   p_whole     those of them whose every qualifying day is needed
--   p_redemptions, p_sales  redemptions and purchases that commands name, with the lots they moved
--   p_at        the latest time of a command
--   p_since     the earliest instant a command looks at
--   p_from_min, p_from_max, p_to_min  bounds of the tier window over the commands' days; null where
--               every member has a year of his own: then a year back from p_since is loaded
--   p_uses_from the first day whose year's uses of entitlements are asked for
--   p_day_members, p_days  pairs whose totals the cap per day asks for
--   p_rewards   codes of rewards
--   p_callers, p_keys      pairs of the idempotency keys
--   p_sources, p_receipts  pairs of the receipts
--   p_return_sources, p_returns  pairs of the returns' numbers
create function load_batch(
    p_members uuid[], p_debit uuid[], p_late uuid[], p_perks uuid[], p_notices uuid[], p_whole uuid[], p_redemptions uuid[],
    p_sales uuid[], p_at timestamptz, p_since timestamptz, p_from_min date, p_from_max date, p_to_min date,
    p_uses_from date, p_day_members uuid[], p_days date[], p_rewards text[], p_callers uuid[], p_keys text[],
    p_sources text[], p_receipts text[], p_return_sources text[], p_returns text[],
    out programme bigint, out standings standing[], out lots lot[], out days qualifying_day[],
    out tier_changes tier_change[], out grants perk_grant[], out birthdays jsonb, out usages reward_usage[],
    out keys idempotency[], out receipts purchase[], out answers jsonb, out redemptions redemption[],
    out sales purchase[], out sale_lots jsonb, out sale_lapsed jsonb, out returned purchase_return[], out returns purchase_return[],
    out uses entitlement_use[], out notices notice[]
) stable language plpgsql as $$
declare
    v_members uuid[] := p_members;
    v_debit uuid[] := p_debit;
    v_linked boolean := false;
    v_more uuid[];
    v_due uuid[];
    v_moved uuid[];
    v_granted uuid[];
    v_held uuid[];
begin
    select array_agg(s) into standings from standing s where s.member_id = any(p_members);
    -- Who keeps a member's points comes with him, and who keeps theirs; lots of the one with lots of the other.
    loop
        select array_agg(distinct (s.ties).root) filter (where (s.ties).root <> all(v_members)),
               v_debit || array_agg((s.ties).root) filter (where s.member_id = any(v_debit)),
               bool_or((s.ties).root is not null)
        into v_more, v_debit, v_linked from unnest(standings) s where (s.ties).root is not null;
        exit when v_more is null;
        v_members := v_members || v_more;
        select standings || array_agg(s) into standings from standing s where s.member_id = any(v_more);
    end loop;
    if cardinality(p_rewards) > 0 then
        select array_agg(u) into usages from reward_usage u where u.reward = any(p_rewards);
    end if;

    select max(version) into programme from programme_version;

    select array_agg(s.member_id) filter (where s.member_id = any(v_debit)
               or s.due_at <= p_at),
           array_agg(s.member_id) filter (where s.window_from <> p_from_min or s.window_from <> p_from_max
               or s.window_to <> p_to_min or p_to_min is null or s.member_id = any(p_notices)),
           array_agg(s.member_id) filter (where s.boost_until > p_since or s.member_id = any(p_perks)),
           array_agg(s.member_id) filter (where (s.clock).holds_due_at is not null
               and (s.member_id = any(p_debit) or (s.clock).holds_due_at <= p_at))
    into v_due, v_moved, v_granted, v_held from unnest(standings) s;
    -- What the clock frees goes back to the lots it came from, with who keeps it.
    if v_linked and v_due is not null then
        with recursive due as (
            select unnest(v_due) as member_id
            union
            select (s.ties).root from due join unnest(standings) s using (member_id) where (s.ties).root is not null
        )
        select array_agg(member_id) into v_due from due;
    end if;

    -- Sales, redemptions and the lots they moved: few members name any.
    if cardinality(p_sales) > 0 then
        select array_agg(p) into sales from purchase p where p.id = any(p_sales) and p.member_id = any(p_members);
        select array_agg(r order by r.id) into returned from purchase_return r where r.purchase_id = any(p_sales);
        select jsonb_object_agg(o.document_id, o.lots) into sale_lots from (
            select e.document_id, jsonb_agg(l.number) as lots from unnest(sales) p
            join entry e on e.member_id = p.member_id and e.document_id = p.id and e.kind = 'accrual'
            join lot l on l.member_id = e.member_id and l.entry = e.number
            group by e.document_id
        ) o;
        -- What lapsed of them where others kept it, or had kept it.
        if exists (select from lot l where l.parent_member = any(v_members)) then
            select jsonb_object_agg(o.sale, o.lapsed) into sale_lapsed from (
                with recursive kept as (
                    select p.id as sale, l.member_id, l.number, 0::bigint as lapsed from unnest(sales) p
                    join lot l on l.member_id = p.member_id
                        and sale_lots -> p.id::text @> to_jsonb(coalesce(l.origin, l.number))
                    union all
                    select k.sale, l.member_id, l.number, l.lapsed from kept k
                    join lot l on l.parent_member = k.member_id and l.parent_lot = k.number
                )
                select sale, sum(lapsed)::bigint as lapsed from kept group by sale
            ) o;
        end if;
    end if;
    if v_held is not null or cardinality(p_redemptions) > 0 or sales is not null or cardinality(p_perks) > 0 then
        select array_agg(r) into redemptions from redemption r
        where r.member_id = any(v_members) and (r.member_id = any(v_held) and r.status = 'held'
            or r.id = any(p_redemptions) or r.id in (select p.redemption_id from unnest(sales) p)
            or r.member_id = any(p_perks) and r.points = 0);
    end if;
    if v_due is not null then
        select array_agg(l) into lots from lot l where l.member_id = any(v_due) and l.remaining > 0;
    end if;
    if redemptions is not null or sales is not null then
        select lots || array_agg(l) into lots from lot l
        where l.member_id = any(v_members) and l.remaining = 0 and (
            exists (select from unnest(redemptions) r where r.member_id = l.member_id and l.number = any(r.bite_lots))
            or exists (select from unnest(sales) p where p.member_id = l.member_id
                and sale_lots -> p.id::text @> to_jsonb(coalesce(l.origin, l.number))));
    end if;
    -- Of linked members the lots that hold points of each other's too, spent or not, as far back as they come
    -- from: an account may have been merged with a member of a pool.
    if v_linked and lots is not null then
        select lots || array_agg(l) into lots from lot l
        where l.member_id = any(v_members) and l.remaining = 0
          and (l.parent_member = any(v_members)
              or (l.member_id, l.number) in (
                  with recursive up as (
                      select o.parent_member, o.parent_lot from unnest(lots) o where o.parent_member is not null
                      union
                      select p.parent_member, p.parent_lot from up
                      join lot p on (p.member_id, p.number) = (up.parent_member, up.parent_lot)
                      where p.parent_member is not null
                  )
                  select parent_member, parent_lot from up))
          and (l.member_id, l.number) not in (select o.member_id, o.number from unnest(lots) o);
    end if;
    if v_moved is not null then
        select array_agg(d) into days
        from unnest(standings) s,
        lateral (
            select * from qualifying_day q
            where q.member_id = s.member_id and (p_to_min is null or s.member_id = any(p_notices))
              and q.day >= least(s.window_from, coalesce(p_from_min, (p_since at time zone 'UTC')::date - 367))
            union all
            select * from qualifying_day q
            where q.member_id = s.member_id and s.member_id <> all(p_notices) and q.day >= least(s.window_from, p_from_min)
              and q.day < greatest(s.window_from, p_from_max)
            union all
            (select * from qualifying_day q
             where q.member_id = s.member_id and s.member_id <> all(p_notices) and q.day >= greatest(s.window_from, p_from_max)
               and q.day <= least(s.window_to, p_to_min)
             order by q.day limit 1)
            union all
            select * from qualifying_day q
            where q.member_id = s.member_id and s.member_id <> all(p_notices)
              and q.day >= greatest(s.window_from, p_from_max) and q.day > least(s.window_to, p_to_min)
        ) d
        where s.member_id = any(v_moved);
    end if;
    if cardinality(p_whole) > 0 then
        select days || array_agg(d) into days from qualifying_day d where d.member_id = any(p_whole);
    end if;
    if cardinality(p_days) > 0 then
        select days || array_agg(d) into days
        from unnest(p_day_members, p_days) as want(member_id, day) join qualifying_day d using (member_id, day);
    end if;
    if cardinality(p_late) > 0 then
        select array_agg(t order by t.number) into tier_changes from tier_change t where t.member_id = any(p_late);
    end if;
    if v_granted is not null then
        select array_agg(g) into grants from perk_grant g where g.member_id = any(v_granted);
        select array_agg(u) into uses from entitlement_use u
        where u.member_id = any(v_granted) and u.year >= extract(year from p_uses_from);
        -- What a merged member was granted and has used, counts for the one who stays.
        -- A reward that was his voucher is not one here, and numbers are each account's own.
        select grants || array_agg(jsonb_populate_record(g, jsonb_build_object('member_id', (m.ties).root)
            || case when g.gift ->> 'kind' = 'reward' then jsonb_build_object('window_until', g.window_from) else '{}' end))
        into grants
        from standing m join perk_grant g on g.member_id = m.member_id
        where (m.ties).root = any(v_granted) and (m.ties).kind = 'merged';
        select uses || array_agg(jsonb_populate_record(u, jsonb_build_object('member_id', (m.ties).root, 'number', 0)))
        into uses
        from standing m join entitlement_use u on u.member_id = m.member_id
        where (m.ties).root = any(v_granted) and (m.ties).kind = 'merged' and u.year >= extract(year from p_uses_from);
    end if;
    if cardinality(p_notices) > 0 then
        select array_agg(n) into notices from notice n where n.member_id = any(p_notices) and n.due_at > p_at;
    end if;
    if cardinality(p_perks) > 0 then
        select jsonb_agg(jsonb_build_array(m.id, m.birth_year, m.birth_month, m.birth_day)) into birthdays
        from member m where m.id = any(p_perks) and m.birth_month is not null;
    end if;
    if cardinality(p_keys) > 0 then
        select array_agg(i) into keys
        from unnest(p_callers, p_keys) as want(caller, key) join idempotency i using (caller, key);
        if keys is not null then
            select jsonb_object_agg(d.id, d.answer) into answers
            from (select p.id, p.answer from purchase p where p.id in (select document_id from unnest(keys))
                  union all
                  select r.id, r.answer from redemption r where r.id in (select document_id from unnest(keys))
                  union all
                  select r.id, r.answer from purchase_return r where r.id in (select document_id from unnest(keys))
                  union all
                  select t.id, t.answer from transfer t where t.id in (select document_id from unnest(keys))) d;
        end if;
    end if;
    if cardinality(p_receipts) > 0 then
        select array_agg(p) into receipts
        from unnest(p_sources, p_receipts) as want(source, external_id) join purchase p using (source, external_id);
    end if;
    if cardinality(p_returns) > 0 then
        select array_agg(r) into returns
        from unnest(p_return_sources, p_returns) as want(source, external_id)
        join purchase_return r using (source, external_id);
    end if;
end $$;
