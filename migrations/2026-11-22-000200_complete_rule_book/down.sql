drop function lock_batch;
drop function load_batch;
drop function store_batch;
drop table notice, entitlement_use, purchase_return;
drop index redemption_held;
alter table redemption
    drop constraint redemption_held_check,
    drop constraint redemption_bites_check,
    drop column bite_points, drop column bite_lots, drop column entry, drop column held_until, drop column purchase_id,
    drop constraint redemption_status_check,
    add constraint redemption_status_check check (status in ('captured'));
alter table purchase drop column redemption_id;
alter table tier_change drop column reason;
alter table lot_movement
    add constraint lot_movement_points_check check (points <> 0),
    drop column held, drop column lapsed;
alter table lot
    drop constraint lot_remaining_check,
    add constraint lot_remaining_check check (remaining between 0 and points),
    drop column idle_months, drop column fixed, drop column origin, drop column pending, drop column lapsed, drop column held;
drop index standing_due;
alter table standing
    drop column placement, drop column tier_until, drop column idle, drop column holds_due_at;
create index standing_due on standing (least(lots_due_at, tier_due_at)) where lots_due_at is not null or tier_due_at is not null;
drop type placement;
drop type inactivity;
alter table standing drop column version;
alter table standing set (fillfactor = 70);
create index lot_open on lot (member_id) where remaining > 0;

-- THE WRITE PATH, first call: locks the members of a batch in id order, then the shared rows, and
-- returns one row with what the rules need to decide, as arrays of table rows.
--   p_members   members of the batch, sorted
--   p_debit     those of them whose open lots are needed
--   p_late      those of them whose tier history is needed
--   p_perks     those of them whose grants and birth dates are needed
--   p_at        the latest time of a command
--   p_since     the earliest instant a command looks at
--   p_from_min, p_from_max, p_to_min  bounds of the tier window over the commands' days
--   p_day_members, p_days  pairs whose totals the cap per day asks for
--   p_rewards   codes of rewards, sorted
--   p_callers, p_keys      pairs of the idempotency keys
--   p_sources, p_receipts  pairs of the receipts
--   p_lock      false for a preview: nothing is locked
create function load_batch(
    p_members uuid[], p_debit uuid[], p_late uuid[], p_perks uuid[], p_at timestamptz, p_since timestamptz,
    p_from_min date, p_from_max date, p_to_min date, p_day_members uuid[], p_days date[], p_rewards text[],
    p_callers uuid[], p_keys text[], p_sources text[], p_receipts text[], p_lock boolean,
    out programme bigint, out standings standing[], out lots lot[], out days qualifying_day[],
    out tier_changes tier_change[], out grants perk_grant[], out birthdays jsonb, out usages reward_usage[],
    out keys idempotency[], out receipts purchase[], out answers jsonb
) language plpgsql as $$
declare
    v_due uuid[];
    v_moved uuid[];
    v_granted uuid[];
begin
    if p_lock then
        -- Whole rows are selected as such: those of a subquery would be cast through text.
        select array_agg(l.s) into standings
        from (select s from standing s where member_id = any(p_members) order by member_id for no key update) l;
        if cardinality(p_rewards) > 0 then
            insert into reward_usage select r, 0 from unnest(p_rewards) r order by r on conflict do nothing;
            select array_agg(l.u) into usages
            from (select u from reward_usage u where reward = any(p_rewards) order by reward for update) l;
        end if;
    else
        select array_agg(s) into standings from standing s where member_id = any(p_members);
        if cardinality(p_rewards) > 0 then
            select array_agg(u) into usages from reward_usage u where reward = any(p_rewards);
        end if;
    end if;

    select max(version) into programme from programme_version;

    select array_agg(s.member_id) filter (where s.member_id = any(p_debit) or least(s.lots_due_at, s.tier_due_at) <= p_at),
           array_agg(s.member_id) filter (where s.window_from <> p_from_min or s.window_from <> p_from_max or s.window_to <> p_to_min),
           array_agg(s.member_id) filter (where s.boost_until > p_since or s.member_id = any(p_perks))
    into v_due, v_moved, v_granted from unnest(standings) s;

    if v_due is not null then
        select array_agg(l) into lots from lot l where l.member_id = any(v_due) and l.remaining > 0;
    end if;
    if v_moved is not null then
        select array_agg(d) into days
        from unnest(standings) s,
        lateral (
            select * from qualifying_day q
            where q.member_id = s.member_id and q.day >= least(s.window_from, p_from_min)
              and q.day < greatest(s.window_from, p_from_max)
            union all
            (select * from qualifying_day q
             where q.member_id = s.member_id and q.day >= greatest(s.window_from, p_from_max)
               and q.day <= least(s.window_to, p_to_min)
             order by q.day limit 1)
            union all
            select * from qualifying_day q
            where q.member_id = s.member_id and q.day >= greatest(s.window_from, p_from_max)
              and q.day > least(s.window_to, p_to_min)
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
                  select r.id, r.answer from redemption r where r.id in (select document_id from unnest(keys))) d;
        end if;
    end if;
    if cardinality(p_receipts) > 0 then
        select array_agg(p) into receipts
        from unnest(p_sources, p_receipts) as want(source, external_id) join purchase p using (source, external_id);
    end if;
end $$;

-- THE WRITE PATH, second call: writes everything a batch decided. The rows of one member were
-- locked by load_batch in the same transaction.
create function store_batch(
    p_standings standing[], p_entries entry[], p_lots lot[], p_touched lot[], p_movements lot_movement[],
    p_days qualifying_day[], p_tiers tier_change[], p_grants perk_grant[], p_purchases purchase[],
    p_redemptions redemption[], p_usages reward_usage[], p_keys idempotency[], p_events outbox[]
) returns void language plpgsql as $$
begin
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
        update lot l set remaining = t.remaining from unnest(p_touched) t
        where l.member_id = t.member_id and l.number = t.number;
    end if;
    if cardinality(p_tiers) > 0 then
        insert into tier_change select * from unnest(p_tiers);
    end if;
    if cardinality(p_grants) > 0 then
        insert into perk_grant select * from unnest(p_grants);
    end if;
    if cardinality(p_redemptions) > 0 then
        insert into redemption select * from unnest(p_redemptions);
    end if;
    if cardinality(p_usages) > 0 then
        update reward_usage u set used = n.used from unnest(p_usages) n where u.reward = n.reward;
    end if;
    if cardinality(p_events) > 0 then
        insert into outbox select * from unnest(p_events);
    end if;
    update standing s set
        recorded_at = n.recorded_at, pending = n.pending, available = n.available, held = n.held, debt = n.debt,
        lifetime_earned = n.lifetime_earned, entries = n.entries, head = n.head, lots = n.lots,
        purchases = n.purchases, carry = n.carry, tier = n.tier, tier_since = n.tier_since,
        tier_changes = n.tier_changes, window_from = n.window_from, window_to = n.window_to,
        window_points = n.window_points, window_spend = n.window_spend, window_visits = n.window_visits,
        window_oldest = n.window_oldest, lots_due_at = n.lots_due_at, tier_due_at = n.tier_due_at,
        boost_until = n.boost_until, otp_step = n.otp_step
    from unnest(p_standings) n where s.member_id = n.member_id;
end $$;
