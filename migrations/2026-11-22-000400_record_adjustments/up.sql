-- Points put right by staff: who asked, who agreed, and that none is booked without leave or twice. The
-- database keeps all of it by itself: an entry of the kind needs its row here, and the row says whether
-- it may be booked.

create table adjustment (
    id uuid constraint adjustment_pkey primary key,
    member_id uuid not null constraint adjustment_member_fkey references member (id),
    points bigint not null constraint adjustment_points_check
        check (points <> 0 and points between -9007199254740991 and 9007199254740991),
    reason text not null constraint adjustment_reason_check check (reason ~ '^[a-z0-9_-]{1,64}$'),
    note text not null,
    requested_by uuid not null constraint adjustment_requested_by_fkey references staff (id),
    requested_role text not null constraint adjustment_requested_role_check check (requested_role in ('manager', 'admin')),
    store_id uuid constraint adjustment_store_fkey references store (id),
    requested_at timestamptz not null,
    day date not null,
    key text not null,
    fingerprint bytea not null constraint adjustment_fingerprint_check check (length(fingerprint) = 32),
    day_before bigint not null constraint adjustment_day_before_check check (day_before >= 0),
    limit_each bigint not null,
    limit_day bigint not null,
    status text not null constraint adjustment_status_check
        check (status in ('requested', 'granted', 'approved', 'rejected', 'applied', 'refused')),
    decided_by uuid constraint adjustment_decided_by_fkey references staff (id),
    decided_at timestamptz,
    decision_key text,
    decision_note text,
    refusal text,
    booked bigint not null default 0,
    booked_at timestamptz,
    booked_entry bigint,
    constraint adjustment_two_people_check check (decided_by <> requested_by),
    constraint adjustment_decided_check check ((decided_by is null) = (decided_at is null)
        and (decided_by is not null or status in ('requested', 'granted', 'applied', 'refused'))
        and (decided_by is null or status in ('approved', 'rejected', 'applied', 'refused'))),
    -- Who was not asked about, stays within what the role may do alone, each time and in a day.
    constraint adjustment_alone_check check (status in ('requested', 'rejected') or decided_by is not null
        or abs(points) <= limit_each and day_before + abs(points) <= limit_day),
    constraint adjustment_refusal_check check ((status = 'refused') = (refusal is not null)),
    constraint adjustment_booked_check check (booked between 0 and abs(points) and (status = 'applied') = (booked > 0)
        and (booked > 0) = (booked_at is not null) and (booked > 0) = (booked_entry is not null))
);
comment on table adjustment is 'Points that staff give or take by hand. Above the limits of the role another person agrees first; the entry trigger marks it applied.';
comment on column adjustment.day is 'The programme''s local day of the request, whose limit it counts against.';
comment on column adjustment.day_before is 'Points the same person had given or taken alone that day before this.';
comment on column adjustment.limit_each is 'What the role could do alone at once, at the time of the request; limit_day: in a day.';
create index adjustment_asked on adjustment (requested_by, key);
create index adjustment_day on adjustment (requested_by, day);
create index adjustment_list on adjustment (status, id);
create index adjustment_member on adjustment (member_id, id);

-- One request of a person at a time, so that the sum of the day is exact whatever runs beside it.
create function count_adjustment() returns trigger language plpgsql as $$
begin
    if new.status not in ('requested', 'granted') then
        raise exception 'an adjustment begins as requested or granted'
            using errcode = 'check_violation', constraint = 'adjustment_begin_check';
    end if;
    perform from staff s where s.id = new.requested_by for no key update;
    select coalesce(sum(abs(a.points)), 0) into new.day_before from adjustment a
    where a.requested_by = new.requested_by and a.day = new.day and a.decided_by is null
      and a.status in ('granted', 'applied');
    return new;
end $$;
create trigger adjustment_count before insert on adjustment for each row execute function count_adjustment();

-- What was asked for never changes, and each step follows from the one before. Who decides may decide.
create function guard_adjustment() returns trigger language plpgsql as $$
begin
    if (old.id, old.member_id, old.points, old.reason, old.note, old.requested_by, old.requested_role, old.store_id,
            old.requested_at, old.day, old.key, old.fingerprint, old.day_before, old.limit_each, old.limit_day)
        is distinct from (new.id, new.member_id, new.points, new.reason, new.note, new.requested_by,
            new.requested_role, new.store_id, new.requested_at, new.day, new.key, new.fingerprint, new.day_before,
            new.limit_each, new.limit_day)
        or old.status <> 'requested' and (old.decided_by, old.decided_at, old.decision_key, old.decision_note)
        is distinct from (new.decided_by, new.decided_at, new.decision_key, new.decision_note)
        or (old.status, new.status) not in (('requested', 'approved'), ('requested', 'rejected'),
            ('granted', 'applied'), ('approved', 'applied'), ('granted', 'refused'), ('approved', 'refused'),
            ('applied', 'applied'))
    then
        raise exception 'an adjustment does not go from % to %', old.status, new.status
            using errcode = 'check_violation', constraint = 'adjustment_step_check';
    end if;
    if old.status = 'requested' and not exists (select from staff s where s.id = new.decided_by
            and s.status = 'active' and (s.role = 'admin' or s.role = 'manager' and s.store_id = old.store_id)) then
        raise exception 'this person does not decide on this adjustment'
            using errcode = 'check_violation', constraint = 'adjustment_decider_check';
    end if;
    return new;
end $$;
create trigger adjustment_guard before update on adjustment for each row execute function guard_adjustment();
create trigger adjustment_keep before delete on adjustment for each row execute function refuse_change();
create trigger adjustment_keep_all before truncate on adjustment for each statement execute function refuse_change();

-- An entry that staff make by hand stands on its adjustment. One that pays a debt and gives the rest
-- makes two entries, one after the other, of one moment.
create function book_adjustment() returns trigger language plpgsql as $$
declare
    v adjustment;
begin
    select * into v from adjustment a where a.id = new.document_id for no key update;
    if v.id is null or v.member_id <> new.member_id or v.requested_by is distinct from new.actor_id
        or v.requested_role <> new.actor_role or v.reason is distinct from new.reason
        or (new.from_account = 'adjusted') <> (v.points > 0)
        or not (v.status in ('granted', 'approved')
            or v.status = 'applied' and v.booked_at = new.recorded_at and v.booked_entry = new.number - 1)
        or v.booked + new.points > abs(v.points)
    then
        raise exception 'nobody allowed this adjustment, or it is booked'
            using errcode = 'check_violation', constraint = 'entry_adjustment_check';
    end if;
    update adjustment a set status = 'applied', booked = v.booked + new.points, booked_at = new.recorded_at,
        booked_entry = new.number
    where a.id = v.id;
    return new;
end $$;
create trigger entry_adjustment before insert on entry for each row
    when (new.kind = 'adjustment' and new.actor_role not in ('import', 'system')) execute function book_adjustment();
