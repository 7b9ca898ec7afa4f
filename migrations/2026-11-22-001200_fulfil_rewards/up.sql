-- Rewards as they reach the member: codes of partners, each given out once, and the way of goods from the
-- shelf to the hand.

-- A reward may cost a tier nothing: then no points move, as where a perk gives it.
alter table redemption
    drop constraint redemption_points_check,
    add constraint redemption_points_check check (points > 0
        or points = 0 and reward is not null and worth is null and entry is null and cardinality(bite_lots) = 0);

create table voucher_upload (
    id uuid constraint voucher_upload_pkey primary key,
    reward text not null,
    digest bytea not null constraint voucher_upload_digest_check check (length(digest) = 32),
    codes integer not null constraint voucher_upload_codes_check check (codes between 1 and 10000),
    uploaded_by uuid not null constraint voucher_upload_staff_fkey references staff (id),
    uploaded_at timestamptz not null,
    constraint voucher_upload_digest_key unique (reward, digest)
);
comment on table voucher_upload is 'Lists of a partner''s codes as they were uploaded; digest: SHA-256 of the list, so that the same list again is the same upload.';
create trigger voucher_upload_keep before update or delete on voucher_upload for each row execute function refuse_change();
create trigger voucher_upload_keep_all before truncate on voucher_upload for each statement execute function refuse_change();

create table voucher_code (
    number bigint generated always as identity constraint voucher_code_pkey primary key,
    reward text not null,
    code text not null constraint voucher_code_code_check check (length(code) between 1 and 100),
    upload_id uuid not null constraint voucher_code_upload_fkey references voucher_upload (id),
    redemption_id uuid,
    constraint voucher_code_code_key unique (reward, code),
    constraint voucher_code_redemption_key unique (redemption_id)
);
comment on table voucher_code is 'Codes of partners, given out in the order of their numbers, one for each redemption.';
comment on column voucher_code.redemption_id is 'Who has it: a hold that ends lets it go, a capture keeps it for ever.';
create index voucher_code_free on voucher_code (reward, number) where redemption_id is null;

-- A code goes from nobody to one redemption and, as long as nobody has seen it, back to nobody.
create function guard_voucher_code() returns trigger language plpgsql as $$
begin
    if (old.number, old.reward, old.code, old.upload_id) is distinct from (new.number, new.reward, new.code, new.upload_id)
        or (old.redemption_id is null) = (new.redemption_id is null)
    then
        raise exception 'a code is given out once' using errcode = 'check_violation', constraint = 'voucher_code_once_check';
    end if;
    return new;
end $$;
create trigger voucher_code_guard before update on voucher_code for each row execute function guard_voucher_code();
create trigger voucher_code_keep before delete on voucher_code for each row execute function refuse_change();
create trigger voucher_code_keep_all before truncate on voucher_code for each statement execute function refuse_change();

create table fulfilment (
    redemption_id uuid constraint fulfilment_pkey primary key,
    member_id uuid not null,
    store_id uuid,
    status text not null constraint fulfilment_status_check check (status in ('reserved', 'ready', 'handed_over', 'cancelled')),
    changed_at timestamptz not null,
    steps integer not null constraint fulfilment_steps_check check (steps > 0)
);
comment on table fulfilment is 'Where the goods of a redemption stand: its last step again.';
comment on column fulfilment.store_id is 'Where they lie or were asked for; nowhere yet where the member redeemed by himself.';
create index fulfilment_waiting on fulfilment (redemption_id) where status in ('reserved', 'ready');

create table fulfilment_step (
    redemption_id uuid not null,
    number integer not null constraint fulfilment_step_number_check check (number > 0),
    status text not null constraint fulfilment_step_status_check
        check (status in ('reserved', 'ready', 'handed_over', 'cancelled')),
    store_id uuid,
    at timestamptz not null,
    actor_role text not null,
    actor_id uuid,
    constraint fulfilment_step_pkey primary key (redemption_id, number)
);
comment on table fulfilment_step is 'The way of goods to the member, step by step: when, where and by whom.';
create trigger fulfilment_step_keep before update or delete on fulfilment_step for each row execute function refuse_change();
create trigger fulfilment_step_keep_all before truncate on fulfilment_step for each statement execute function refuse_change();

-- What was redeemed before goods were followed has long been carried home.
insert into fulfilment
select id, member_id, store_id, 'handed_over', recorded_at, 2 from redemption
where reward is not null and status = 'captured';
insert into fulfilment_step
select f.redemption_id, s.number, case s.number when 1 then 'reserved' else f.status end, f.store_id, f.changed_at,
    r.actor_role, r.actor_id
from fulfilment f join redemption r on r.id = f.redemption_id cross join generate_series(1, 2) as s(number);

-- THE WRITE PATH, beside store_batch and in its transaction: codes that are let go and given out, and goods
-- on their way.
--   p_freed      redemptions that let their code go
--   p_rewards, p_codes, p_redemptions  which code of which reward goes to which redemption
--   p_steps      new steps, in their order
create function store_rewards(
    p_freed uuid[], p_rewards text[], p_codes text[], p_redemptions uuid[], p_steps fulfilment_step[]
) returns void language plpgsql as $$
declare
    v_given bigint;
begin
    if cardinality(p_freed) > 0 then
        update voucher_code set redemption_id = null where redemption_id = any(p_freed);
    end if;
    if cardinality(p_codes) > 0 then
        update voucher_code v set redemption_id = n.redemption_id
        from unnest(p_rewards, p_codes, p_redemptions) as n(reward, code, redemption_id)
        where v.reward = n.reward and v.code = n.code and v.redemption_id is null;
        get diagnostics v_given = row_count;
        if v_given <> cardinality(p_codes) then
            raise exception 'a code was given out meanwhile' using errcode = 'serialization_failure';
        end if;
    end if;
    if cardinality(p_steps) > 0 then
        insert into fulfilment as f
        select distinct on (s.redemption_id) s.redemption_id, r.member_id, s.store_id, s.status, s.at, s.number
        from unnest(p_steps) s join redemption r on r.id = s.redemption_id
        order by s.redemption_id, s.number desc
        on conflict (redemption_id) do update set status = excluded.status, changed_at = excluded.changed_at,
            steps = excluded.steps, store_id = coalesce(excluded.store_id, f.store_id);
        insert into fulfilment_step select * from unnest(p_steps);
    end if;
end $$;
