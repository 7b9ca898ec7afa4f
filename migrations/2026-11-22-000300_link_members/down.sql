drop function lock_batch;
drop function load_batch;
drop function store_batch;
drop table transfer;
alter table purchase drop column particulars;
drop index lot_parent;
alter table lot drop constraint lot_parent_check, drop column parent_lot, drop column parent_member;
drop index standing_root;
drop index standing_due;
create type inactivity as (active_at timestamptz, months integer, due_at timestamptz);
-- In the order they had: rows are sent and received whole.
alter table standing rename column tier_due_at to old_tier_due_at;
alter table standing rename column boost_until to old_boost_until;
alter table standing rename column otp_step to old_otp_step;
alter table standing rename column version to old_version;
alter table standing rename column tier_until to old_tier_until;
alter table standing rename column placement to old_placement;
alter table standing
    add column lots_due_at timestamptz,
    add column tier_due_at timestamptz,
    add column boost_until timestamptz,
    add column otp_step bigint,
    add column version bigint,
    add column holds_due_at timestamptz,
    add column idle inactivity,
    add column tier_until timestamptz,
    add column placement placement;
update standing set
    lots_due_at = (clock).lots_due_at, tier_due_at = old_tier_due_at, boost_until = old_boost_until,
    otp_step = old_otp_step, version = old_version, holds_due_at = (clock).holds_due_at,
    idle = row((clock).active_at, (clock).idle_months, (clock).idle_due_at)::inactivity,
    tier_until = old_tier_until, placement = old_placement;
alter table standing alter column otp_step set not null, alter column version set not null, alter column idle set not null;
alter table standing drop constraint standing_ties_check, drop column ties, drop column due_at, drop column clock,
    drop column old_tier_due_at, drop column old_boost_until, drop column old_otp_step, drop column old_version,
    drop column old_tier_until, drop column old_placement;
drop type ties;
drop type standing_clock;
create index standing_due on standing (least(lots_due_at, holds_due_at, (idle).due_at, tier_due_at, (placement).until))
    where least(lots_due_at, holds_due_at, (idle).due_at, tier_due_at, (placement).until) is not null;

-- THE WRITE PATH, locks: the members of a batch in id order, then the rewards it counts in code order.
-- Only for a batch that could not be decided without.
--   p_members   members of the batch
--   p_rewards   codes of rewards
create function lock_batch(p_members uuid[], p_rewards text[]) returns void language plpgsql as $$
begin
    perform from standing s where s.member_id = any(p_members) order by s.member_id for no key update;
    if cardinality(p_rewards) > 0 then
        insert into reward_usage select r, 0 from unnest(p_rewards) r order by r on conflict do nothing;
        perform from reward_usage u where u.reward = any(p_rewards) order by u.reward for update;
    end if;
end $$;

-- THE WRITE PATH, load: returns one row with what the rules need to decide a batch, as arrays of
-- table rows. Stable, so that all of it is seen at one moment.
--   p_members   members to load
--   p_debit     those of them whose open lots and open holds are needed
--   p_late      those of them whose tier history is needed
--   p_perks     those of them whose grants, uses of entitlements and birth dates are needed
--   p_notices   those of them whose notices and every day from the window's start are needed
--   p_redemptions, p_sales  redemptions and purchases that commands name, with the lots they moved
--   p_at        the latest time of a command
--   p_since     the earliest instant a command looks at
--   p_from_min, p_from_max, p_to_min  bounds of the tier window over the commands' days; null where
--               every member has a year of his own: then a year back from p_since is loaded
--   p_today     the day of p_at
--   p_day_members, p_days  pairs whose totals the cap per day asks for
--   p_rewards   codes of rewards
--   p_callers, p_keys      pairs of the idempotency keys
--   p_sources, p_receipts  pairs of the receipts
--   p_return_sources, p_returns  pairs of the returns' numbers
create function load_batch(
    p_members uuid[], p_debit uuid[], p_late uuid[], p_perks uuid[], p_notices uuid[], p_redemptions uuid[],
    p_sales uuid[], p_at timestamptz, p_since timestamptz, p_from_min date, p_from_max date, p_to_min date,
    p_today date, p_day_members uuid[], p_days date[], p_rewards text[], p_callers uuid[], p_keys text[],
    p_sources text[], p_receipts text[], p_return_sources text[], p_returns text[],
    out programme bigint, out standings standing[], out lots lot[], out days qualifying_day[],
    out tier_changes tier_change[], out grants perk_grant[], out birthdays jsonb, out usages reward_usage[],
    out keys idempotency[], out receipts purchase[], out answers jsonb, out redemptions redemption[],
    out sales purchase[], out sale_lots jsonb, out returned purchase_return[], out returns purchase_return[],
    out uses entitlement_use[], out notices notice[]
) stable language plpgsql as $$
declare
    v_due uuid[];
    v_moved uuid[];
    v_granted uuid[];
    v_held uuid[];
begin
    select array_agg(s) into standings from standing s where s.member_id = any(p_members);
    if cardinality(p_rewards) > 0 then
        select array_agg(u) into usages from reward_usage u where u.reward = any(p_rewards);
    end if;

    select max(version) into programme from programme_version;

    select array_agg(s.member_id) filter (where s.member_id = any(p_debit)
               or least(s.lots_due_at, s.holds_due_at, (s.idle).due_at, s.tier_due_at, (s.placement).until) <= p_at),
           array_agg(s.member_id) filter (where s.window_from <> p_from_min or s.window_from <> p_from_max
               or s.window_to <> p_to_min or p_to_min is null or s.member_id = any(p_notices)),
           array_agg(s.member_id) filter (where s.boost_until > p_since or s.member_id = any(p_perks)),
           array_agg(s.member_id) filter (where s.held > 0 and (s.member_id = any(p_debit) or s.holds_due_at <= p_at))
    into v_due, v_moved, v_granted, v_held from unnest(standings) s;

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
    end if;
    if v_held is not null or cardinality(p_redemptions) > 0 or sales is not null then
        select array_agg(r) into redemptions from redemption r
        where r.member_id = any(p_members) and (r.member_id = any(v_held) and r.status = 'held'
            or r.id = any(p_redemptions) or r.id in (select p.redemption_id from unnest(sales) p));
    end if;
    if v_due is not null then
        select array_agg(l) into lots from lot l where l.member_id = any(v_due) and l.remaining > 0;
    end if;
    if redemptions is not null or sales is not null then
        select lots || array_agg(l) into lots from lot l
        where l.member_id = any(p_members) and l.remaining = 0 and (
            exists (select from unnest(redemptions) r where r.member_id = l.member_id and l.number = any(r.bite_lots))
            or exists (select from unnest(sales) p where p.member_id = l.member_id
                and sale_lots -> p.id::text @> to_jsonb(coalesce(l.origin, l.number))));
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
        where u.member_id = any(v_granted) and u.year >= extract(year from p_today);
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
                  select r.id, r.answer from purchase_return r where r.id in (select document_id from unnest(keys))) d;
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

-- THE WRITE PATH, store: writes everything a batch decided, if the programme and every member it was
-- decided on are still as they were; else nothing is written and SQLSTATE 40001 says so. Standings
-- are locked first, in the order given: sorted by id.
--   p_programme  the programme version it was decided under
--   p_version    the version of the standings from now on
--   p_standings  new standings, each with the version it was decided on
--   p_touched    old lots as they are now
--   p_redemptions  new redemptions, and old ones as they stand now
--   p_usages     by how much the count of a reward grows
create function store_batch(
    p_programme bigint, p_version bigint, p_standings standing[], p_entries entry[], p_lots lot[], p_touched lot[],
    p_movements lot_movement[],
    p_days qualifying_day[], p_tiers tier_change[], p_grants perk_grant[], p_purchases purchase[],
    p_redemptions redemption[], p_returns purchase_return[], p_uses entitlement_use[], p_notices notice[], p_usages reward_usage[], p_keys idempotency[], p_events outbox[]
) returns void language plpgsql as $$
declare
    v_kept bigint;
begin
    update standing s set
        recorded_at = n.recorded_at, pending = n.pending, available = n.available, held = n.held, debt = n.debt,
        lifetime_earned = n.lifetime_earned, entries = n.entries, head = n.head, lots = n.lots,
        purchases = n.purchases, carry = n.carry, tier = n.tier, tier_since = n.tier_since,
        tier_changes = n.tier_changes, window_from = n.window_from, window_to = n.window_to,
        window_points = n.window_points, window_spend = n.window_spend, window_visits = n.window_visits,
        window_oldest = n.window_oldest, lots_due_at = n.lots_due_at, tier_due_at = n.tier_due_at,
        boost_until = n.boost_until, otp_step = n.otp_step, version = p_version, holds_due_at = n.holds_due_at,
        idle = n.idle, tier_until = n.tier_until, placement = n.placement
    from unnest(p_standings) n where s.member_id = n.member_id and s.version = n.version;
    get diagnostics v_kept = row_count;
    if v_kept <> cardinality(p_standings) or p_programme <> (select max(version) from programme_version) then
        raise exception 'a batch was decided on what has moved on' using errcode = 'serialization_failure';
    end if;
    insert into idempotency select * from unnest(p_keys);
    if cardinality(p_purchases) > 0 then
        insert into purchase select * from unnest(p_purchases);
    end if;
    insert into entry select * from unnest(p_entries);
    if cardinality(p_lots) > 0 then
        insert into lot select * from unnest(p_lots);
    end if;
    if cardinality(p_days) > 0 then
        insert into qualifying_day as q select * from unnest(p_days)
        on conflict (member_id, day) do update
        set points = q.points + excluded.points, spend = q.spend + excluded.spend,
            visits = q.visits + excluded.visits, given = q.given + excluded.given;
    end if;
    if cardinality(p_movements) > 0 then
        insert into lot_movement select * from unnest(p_movements);
    end if;
    if cardinality(p_touched) > 0 then
        update lot l set remaining = t.remaining, held = t.held, lapsed = t.lapsed, pending = t.pending,
            expires_at = t.expires_at, fixed = t.fixed, idle_months = t.idle_months
        from unnest(p_touched) t where l.member_id = t.member_id and l.number = t.number;
    end if;
    if cardinality(p_tiers) > 0 then
        insert into tier_change select * from unnest(p_tiers);
    end if;
    if cardinality(p_grants) > 0 then
        insert into perk_grant select * from unnest(p_grants);
    end if;
    if cardinality(p_redemptions) > 0 then
        insert into redemption as r select * from unnest(p_redemptions)
        on conflict (id) do update set status = excluded.status, points = excluded.points, worth = excluded.worth,
            held_until = excluded.held_until, entry = excluded.entry,
            bite_lots = excluded.bite_lots, bite_points = excluded.bite_points;
    end if;
    if cardinality(p_returns) > 0 then
        insert into purchase_return select * from unnest(p_returns);
    end if;
    if cardinality(p_uses) > 0 then
        insert into entitlement_use select * from unnest(p_uses);
    end if;
    if cardinality(p_notices) > 0 then
        insert into notice select * from unnest(p_notices);
    end if;
    if cardinality(p_usages) > 0 then
        update reward_usage u set used = u.used + n.used from unnest(p_usages) n where u.reward = n.reward;
    end if;
    if cardinality(p_events) > 0 then
        insert into outbox select * from unnest(p_events);
    end if;
end $$;
