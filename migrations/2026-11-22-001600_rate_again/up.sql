-- Re-ratings: purchases of some days that were given wrong points. What should have been is planned and looked at,
-- then booked member by member with one reason, and may be taken back as one. The database keeps by itself that
-- nothing is booked twice or without a plan, and that above the limits of an adjustment a second person does it.

create table re_rating (
    id uuid constraint re_rating_pkey primary key,
    status text not null constraint re_rating_status_check
        check (status in ('planned', 'applying', 'applied', 'undoing', 'undone')),
    from_day date not null,
    to_day date not null,
    stores text[] not null,
    tried jsonb not null,
    reason text not null constraint re_rating_reason_check check (reason ~ '^[a-z0-9_-]{1,64}$'),
    note text not null,
    fingerprint bytea not null constraint re_rating_fingerprint_check check (length(fingerprint) = 32),
    looked_at bigint not null,
    inexact bigint not null,
    refused bigint not null,
    purchases bigint not null,
    members bigint not null,
    gives bigint not null constraint re_rating_gives_check check (gives >= 0),
    takes bigint not null constraint re_rating_takes_check check (takes >= 0),
    largest bigint not null constraint re_rating_largest_check check (largest >= 0),
    planned_by uuid not null constraint re_rating_planned_by_fkey references staff (id),
    planned_at timestamptz not null,
    limit_each bigint,
    limit_day bigint,
    day_before bigint,
    applied_by uuid constraint re_rating_applied_by_fkey references staff (id),
    applied_at timestamptz,
    undone_by uuid constraint re_rating_undone_by_fkey references staff (id),
    undone_at timestamptz,
    constraint re_rating_days_check check (from_day <= to_day),
    constraint re_rating_steps_check check (
        (status = 'planned') = (applied_by is null)
        and (applied_by is null) = (applied_at is null) and (applied_by is null) = (limit_each is null)
        and (applied_by is null) = (limit_day is null) and (applied_by is null) = (day_before is null)
        and (status in ('undoing', 'undone')) = (undone_by is not null)
        and (undone_by is null) = (undone_at is null)),
    -- Who planned it books it alone within what an admin may adjust alone; who booked it takes it back alone so.
    constraint re_rating_two_people_check check (
        (applied_by is null or applied_by <> planned_by) and (undone_by is null or undone_by <> applied_by)
        or largest <= limit_each and day_before + gives + takes <= limit_day)
);
comment on table re_rating is 'Plans to have purchases of some days stand as they should have been, and what became of them.';
comment on column re_rating.tried is 'What the programme should have said: a promotion, the code of one that should not have been, or a whole programme.';
comment on column re_rating.fingerprint is 'SHA-256 of the plan: what it does to which purchase.';
comment on column re_rating.gives is 'Points to give to members who are due some; takes: points to take from the others.';
comment on column re_rating.largest is 'Most points of one member.';
comment on column re_rating.limit_each is 'What an admin could adjust alone at once when it was booked; limit_day: in a day; day_before: what the person had of it.';

create table re_rating_member (
    re_rating_id uuid not null constraint re_rating_member_re_rating_fkey references re_rating (id),
    member_id uuid not null,
    purchases integer not null constraint re_rating_member_purchases_check check (purchases > 0),
    points bigint not null,
    applied bigint,
    forgiven bigint,
    applied_at timestamptz,
    left_out text,
    undone bigint,
    undone_forgiven bigint,
    undone_at timestamptz,
    kept text,
    constraint re_rating_member_pkey primary key (re_rating_id, member_id),
    constraint re_rating_member_applied_check check ((applied is null) = (applied_at is null)
        and (applied is null) = (forgiven is null) and (applied is null or left_out is null)),
    constraint re_rating_member_undone_check check ((undone is null) = (undone_at is null)
        and (undone is null) = (undone_forgiven is null) and (undone is null or applied is not null and kept is null))
);
comment on table re_rating_member is 'What a re-rating gives each member, or below 0 takes.';
comment on column re_rating_member.points is 'As planned.';
comment on column re_rating_member.applied is 'As booked: less is taken where points had lapsed unspent or were forgiven.';
comment on column re_rating_member.left_out is 'Code of the refusal: a purchase had changed. kept: the same for taking it back.';
create index re_rating_member_of on re_rating_member (member_id);

create table re_rating_purchase (
    re_rating_id uuid not null constraint re_rating_purchase_re_rating_fkey references re_rating (id),
    purchase_id uuid not null,
    member_id uuid not null,
    occurred_at timestamptz not null,
    given bigint not null,
    clawed bigint not null,
    points bigint not null,
    should_be_clawed bigint not null,
    claws jsonb not null,
    returned integer not null,
    explanation text not null,
    lapsed bigint,
    applied_at timestamptz,
    undone_at timestamptz,
    constraint re_rating_purchase_pkey primary key (re_rating_id, purchase_id),
    constraint re_rating_purchase_applied_check check ((lapsed is null) = (applied_at is null)
        and (undone_at is null or applied_at is not null))
);
comment on table re_rating_purchase is 'How a purchase should have stood. From applied_at until undone_at it stands so, after those of earlier re-ratings.';
comment on column re_rating_purchase.given is 'Points it stood at when it was planned; clawed: what its returns had taken; returned: how many parts had come back.';
comment on column re_rating_purchase.claws is 'What each return should have taken: [id, points].';
comment on column re_rating_purchase.lapsed is 'Points that were not taken because they had lapsed unspent.';
create index re_rating_purchase_of on re_rating_purchase (purchase_id) where applied_at is not null;
create index re_rating_purchase_member on re_rating_purchase (re_rating_id, member_id, purchase_id);

-- A plan never changes, and each step follows from the one before.
create function guard_re_rating() returns trigger language plpgsql as $$
begin
    if (to_jsonb(old) - '{status,limit_each,limit_day,day_before,applied_by,applied_at,undone_by,undone_at}'::text[])
        is distinct from (to_jsonb(new) - '{status,limit_each,limit_day,day_before,applied_by,applied_at,undone_by,undone_at}'::text[])
        or (old.status, new.status) not in (('planned', 'applying'), ('applying', 'applied'), ('applied', 'undoing'), ('undoing', 'undone'))
        or old.status <> 'planned' and (old.limit_each, old.limit_day, old.day_before, old.applied_by, old.applied_at)
            is distinct from (new.limit_each, new.limit_day, new.day_before, new.applied_by, new.applied_at)
        or old.status <> 'applied' and (old.undone_by, old.undone_at) is distinct from (new.undone_by, new.undone_at)
    then
        raise exception 'a re-rating does not go from % to %', old.status, new.status
            using errcode = 'check_violation', constraint = 're_rating_step_check';
    end if;
    return new;
end $$;
create trigger re_rating_guard before update on re_rating for each row execute function guard_re_rating();
create trigger re_rating_keep before delete on re_rating for each row execute function refuse_change();
create trigger re_rating_keep_all before truncate on re_rating for each statement execute function refuse_change();

-- What is booked is booked once: no column that holds something is written again.
create function guard_re_rated() returns trigger language plpgsql as $$
begin
    if exists (select from jsonb_each(to_jsonb(old)) was
        where was.value <> 'null' and was.value is distinct from to_jsonb(new) -> was.key)
    then
        raise exception 'what is booked of a re-rating stays' using errcode = 'check_violation', constraint = 're_rating_once_check';
    end if;
    return new;
end $$;
create trigger re_rating_member_guard before update on re_rating_member for each row execute function guard_re_rated();
create trigger re_rating_member_keep before delete on re_rating_member for each row execute function refuse_change();
create trigger re_rating_member_keep_all before truncate on re_rating_member for each statement execute function refuse_change();
create trigger re_rating_purchase_guard before update on re_rating_purchase for each row execute function guard_re_rated();
create trigger re_rating_purchase_keep before delete on re_rating_purchase for each row execute function refuse_change();
create trigger re_rating_purchase_keep_all before truncate on re_rating_purchase for each statement execute function refuse_change();

-- An entry of the kind stands on a plan that is being booked, or taken back, by the one who acts.
create function allow_re_rating() returns trigger language plpgsql as $$
begin
    if not exists (
        select from re_rating r join re_rating_member m on m.re_rating_id = r.id and m.member_id = new.member_id
        where r.id = new.document_id and r.reason = new.reason and (
            r.status in ('applying', 'applied') and new.actor_id = r.applied_by and m.applied_at is null
            or r.status in ('undoing', 'undone') and new.actor_id = r.undone_by and m.applied_at is not null and m.undone_at is null))
    then
        raise exception 'nobody planned this re-rating, or it is booked'
            using errcode = 'check_violation', constraint = 'entry_re_rating_check';
    end if;
    return new;
end $$;
create trigger entry_re_rating before insert on entry for each row
    when (new.kind = 're_rating') execute function allow_re_rating();

-- THE WRITE PATH, beside store_batch and in its transaction: what re-ratings came to, member by member and purchase
-- by purchase. Each once: else nothing is written.
create function store_re_ratings(
    p_re_ratings uuid[], p_members uuid[], p_points bigint[], p_forgiven bigint[], p_undone boolean[], p_ats timestamptz[],
    p_by uuid[], p_purchases uuid[], p_lapsed bigint[], p_purchases_undone boolean[], p_purchase_ats timestamptz[]
) returns void language plpgsql as $$
declare
    v_rows bigint;
    v_booked bigint := 0;
begin
    update re_rating_member m set applied = n.points, forgiven = n.forgiven, applied_at = n.at
    from unnest(p_re_ratings, p_members, p_points, p_forgiven, p_undone, p_ats) as n(re_rating_id, member_id, points, forgiven, undone, at)
    where not n.undone and m.re_rating_id = n.re_rating_id and m.member_id = n.member_id and m.applied_at is null;
    get diagnostics v_rows = row_count;
    v_booked := v_booked + v_rows;
    update re_rating_member m set undone = n.points, undone_forgiven = n.forgiven, undone_at = n.at
    from unnest(p_re_ratings, p_members, p_points, p_forgiven, p_undone, p_ats) as n(re_rating_id, member_id, points, forgiven, undone, at)
    where n.undone and m.re_rating_id = n.re_rating_id and m.member_id = n.member_id
        and m.applied_at is not null and m.undone_at is null;
    get diagnostics v_rows = row_count;
    v_booked := v_booked + v_rows;
    update re_rating_purchase p set lapsed = n.lapsed, applied_at = n.at
    from unnest(p_by, p_purchases, p_lapsed, p_purchases_undone, p_purchase_ats) as n(re_rating_id, purchase_id, lapsed, undone, at)
    where not n.undone and p.re_rating_id = n.re_rating_id and p.purchase_id = n.purchase_id and p.applied_at is null;
    get diagnostics v_rows = row_count;
    v_booked := v_booked + v_rows;
    update re_rating_purchase p set undone_at = n.at
    from unnest(p_by, p_purchases, p_lapsed, p_purchases_undone, p_purchase_ats) as n(re_rating_id, purchase_id, lapsed, undone, at)
    where n.undone and p.re_rating_id = n.re_rating_id and p.purchase_id = n.purchase_id
        and p.applied_at is not null and p.undone_at is null;
    get diagnostics v_rows = row_count;
    v_booked := v_booked + v_rows;
    if v_booked <> cardinality(p_members) + cardinality(p_purchases) then
        raise exception 'a re-rating was booked meanwhile' using errcode = 'serialization_failure';
    end if;
end $$;
