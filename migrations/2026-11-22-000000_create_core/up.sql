-- The core: stores, members, the ledger, documents, and what rides along in their transactions.
-- Business time is always given by the caller: no column has `default now()`.

create table store (
    id uuid constraint store_pkey primary key,
    code text not null constraint store_code_key unique constraint store_code_check check (code ~ '^[a-z0-9_-]{1,64}$'),
    name text not null,
    version bigint not null default 1,
    created_at timestamptz not null
);
comment on table store is 'A store. Its code is the source of its receipts.';

-- Personal data stands here (and in member_credential) only; the ledger knows ids.
create table member (
    id uuid constraint member_pkey primary key,
    code text not null constraint member_code_key unique,
    name text not null,
    phone text constraint member_phone_key unique constraint member_phone_check check (phone ~ '^\+[1-9][0-9]{6,14}$'),
    email text constraint member_email_key unique constraint member_email_check check (email = lower(email)),
    external_id text constraint member_external_id_key unique,
    birth_year smallint,
    birth_month smallint constraint member_birth_month_check check (birth_month between 1 and 12),
    birth_day smallint constraint member_birth_day_check check (birth_day between 1 and 31),
    locale text not null constraint member_locale_check check (locale in ('en', 'zh-CN')),
    status text not null constraint member_status_check check (status in ('active', 'frozen')),
    store_id uuid constraint member_store_fkey references store (id),
    enrolled_at timestamptz not null,
    version bigint not null default 1,
    constraint member_birth_check check ((birth_month is null) = (birth_day is null) and (birth_year is null or birth_month is not null))
);
comment on table member is 'Who a member is. Everything that identifies a person stands here.';
create index member_birthday on member (birth_month, birth_day) where birth_month is not null;
create index member_name on member (lower(name) text_pattern_ops);

-- The one hot row a command locks. No index on a column that a purchase changes, and room on the
-- page for the next version of the row, keep its updates heap-only.
create table standing (
    member_id uuid constraint standing_pkey primary key,
    frozen boolean not null,
    enrolled_at timestamptz not null,
    recorded_at timestamptz not null,
    pending bigint not null constraint standing_pending_check check (pending between 0 and 9007199254740991),
    available bigint not null constraint standing_available_check check (available between 0 and 9007199254740991),
    held bigint not null constraint standing_held_check check (held between 0 and 9007199254740991),
    debt bigint not null constraint standing_debt_check check (debt between 0 and 9007199254740991),
    lifetime_earned bigint not null,
    entries bigint not null,
    head bytea not null constraint standing_head_check check (length(head) = 32),
    lots bigint not null,
    purchases bigint not null,
    carry bigint not null,
    tier text not null,
    tier_since timestamptz not null,
    tier_changes bigint not null,
    window_from date not null,
    window_to date not null,
    window_points bigint not null,
    window_spend bigint not null,
    window_visits bigint not null,
    window_oldest date,
    lots_due_at timestamptz,
    tier_due_at timestamptz,
    boost_until timestamptz,
    otp_step bigint not null,
    constraint standing_debt_alone_check check (debt = 0 or available = 0)
) with (fillfactor = 70);
comment on table standing is 'A member''s cached balances and standing; entries, lots, purchases and days are the truth.';
-- Both columns rarely change value, so purchases stay heap-only; jobs find who is due by it.
create index standing_due on standing (least(lots_due_at, tier_due_at)) where lots_due_at is not null or tier_due_at is not null;

create table entry (
    member_id uuid not null,
    number bigint not null constraint entry_number_check check (number > 0),
    kind text not null,
    from_account text not null,
    to_account text not null,
    points bigint not null constraint entry_points_check check (points between 1 and 9007199254740991),
    effective_at timestamptz not null,
    recorded_at timestamptz not null,
    actor_role text not null constraint entry_actor_check check (actor_role in ('member', 'cashier', 'manager', 'admin', 'import', 'system')),
    actor_id uuid,
    document_id uuid,
    reason text,
    reverses bigint,
    hash bytea not null constraint entry_hash_check check (length(hash) = 32),
    constraint entry_pkey primary key (member_id, number),
    constraint entry_accounts_check check (from_account <> to_account)
);
comment on table entry is 'The truth: points moved from one account to another. Append-only, hash-chained per member.';

create table lot (
    member_id uuid not null,
    number bigint not null,
    entry bigint not null,
    points bigint not null constraint lot_points_check check (points > 0),
    remaining bigint not null,
    occurred_at timestamptz not null,
    available_from timestamptz not null,
    expires_at timestamptz,
    constraint lot_pkey primary key (member_id, number),
    constraint lot_remaining_check check (remaining between 0 and points)
) with (fillfactor = 90);
comment on table lot is 'The points of one credit, with their own expiry.';
create index lot_open on lot (member_id) where remaining > 0;

create table lot_movement (
    member_id uuid not null,
    entry bigint not null,
    lot bigint not null,
    points bigint not null constraint lot_movement_points_check check (points <> 0),
    constraint lot_movement_pkey primary key (member_id, entry, lot)
);
comment on table lot_movement is 'One change of a lot by one entry: negative when taken. Append-only.';

create table qualifying_day (
    member_id uuid not null,
    day date not null,
    points bigint not null,
    spend bigint not null,
    visits bigint not null,
    given bigint not null,
    constraint qualifying_day_pkey primary key (member_id, day)
) with (fillfactor = 90);
comment on table qualifying_day is 'What a member''s purchases of one local day add up to; what tiers measure.';

create table tier_change (
    member_id uuid not null,
    number bigint not null,
    from_tier text not null,
    to_tier text not null,
    at timestamptz not null,
    recorded_at timestamptz not null,
    cause text not null,
    measure bigint not null,
    programme_version bigint not null,
    constraint tier_change_pkey primary key (member_id, number)
);
comment on table tier_change is 'The dated history of tiers.';

create table perk_grant (
    member_id uuid not null,
    perk text not null,
    occasion integer not null,
    granted_at timestamptz not null,
    gift jsonb not null,
    window_from timestamptz not null,
    window_until timestamptz not null,
    constraint perk_grant_pkey primary key (member_id, perk, occasion)
);
comment on table perk_grant is 'One grant per member, perk and occasion.';

create table purchase (
    id uuid constraint purchase_pkey primary key,
    member_id uuid not null,
    store_id uuid not null,
    source text not null,
    external_id text not null,
    content bytea not null constraint purchase_content_check check (length(content) = 32),
    occurred_at timestamptz not null,
    occurred_named boolean not null,
    recorded_at timestamptz not null,
    programme_version bigint not null,
    actor_role text not null,
    actor_id uuid,
    amount bigint not null,
    points bigint not null,
    micropoints bigint,
    answer text not null,
    constraint purchase_document_key unique (source, external_id)
);
comment on table purchase is 'One receipt, and the answer its first caller was given, explanation included.';
create index purchase_member on purchase (member_id, id);

create table redemption (
    id uuid constraint redemption_pkey primary key,
    member_id uuid not null,
    store_id uuid,
    reward text,
    points bigint not null constraint redemption_points_check check (points > 0),
    worth bigint,
    status text not null constraint redemption_status_check check (status in ('captured')),
    recorded_at timestamptz not null,
    actor_role text not null,
    actor_id uuid,
    answer text not null
);
comment on table redemption is 'Points spent on a reward or as money off.';
create index redemption_member on redemption (member_id, id);

create table reward_usage (
    reward text constraint reward_usage_pkey primary key,
    used bigint not null constraint reward_usage_used_check check (used >= 0)
);
comment on table reward_usage is 'How many of a limited reward were handed out.';

create table idempotency (
    caller uuid not null,
    key text not null,
    fingerprint bytea not null constraint idempotency_fingerprint_check check (length(fingerprint) = 32),
    member_id uuid not null,
    status smallint not null,
    document_id uuid,
    body text,
    created_at timestamptz not null,
    constraint idempotency_pkey primary key (caller, key),
    -- An answer that a document keeps is stored there once.
    constraint idempotency_answer_check check ((document_id is null) <> (body is null))
);
comment on table idempotency is 'Which key had which effect, and the answer it was given. Kept 30 days.';
create index idempotency_created on idempotency using brin (created_at);

create table outbox (
    id uuid constraint outbox_pkey primary key,
    member_id uuid not null,
    kind text not null,
    document_id uuid,
    points bigint not null,
    at timestamptz not null
);
comment on table outbox is 'One event for every committed change, for whoever delivers messages.';

create table programme_version (
    version bigint constraint programme_version_pkey primary key,
    document jsonb not null,
    created_at timestamptz not null,
    actor_role text not null,
    actor_id uuid
);
comment on table programme_version is 'Every version of the programme; the highest is in force. Append-only.';

create table audit (
    id uuid constraint audit_pkey primary key,
    at timestamptz not null,
    actor_role text not null,
    actor_id uuid,
    action text not null,
    object text not null,
    before jsonb,
    after jsonb
);
comment on table audit is 'Who changed what, before and after. Append-only.';
create index audit_object on audit (object, id);

create table sandbox_clock (
    singleton boolean constraint sandbox_clock_pkey primary key constraint sandbox_clock_singleton_check check (singleton),
    offset_micros bigint not null
);
comment on table sandbox_clock is 'How far the sandbox clock is from the wall clock; empty outside sandbox mode.';

create table job_lease (
    name text constraint job_lease_pkey primary key,
    holder uuid not null,
    until timestamptz not null
);
comment on table job_lease is 'Which process leads the jobs, and until when unless it renews. Wall clock.';

create table job_run (
    job text not null,
    day date not null,
    position uuid,
    done_at timestamptz,
    constraint job_run_pkey primary key (job, day)
);
comment on table job_run is 'How far a daily job has come: the last member it finished, so that a killed run goes on.';

-- Append-only, also for the owner's own statements.
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'rows of % are never changed', tg_table_name using errcode = 'restrict_violation';
end $$;

do $$
declare t text;
begin
    foreach t in array array['entry', 'lot_movement', 'tier_change', 'perk_grant', 'programme_version', 'audit'] loop
        execute format('create trigger %I before update or delete on %I for each row execute function refuse_change()', t || '_keep', t);
        execute format('create trigger %I before truncate on %I for each statement execute function refuse_change()', t || '_keep_all', t);
    end loop;
end $$;

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
