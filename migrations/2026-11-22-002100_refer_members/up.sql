-- Referrals: who brought a member into the programme. Said once, with the enrolment; completed with one purchase; and
-- the referrer is thanked once.

create table referral (
    member_id uuid constraint referral_pkey primary key,
    referrer_id uuid not null,
    at timestamptz not null,
    purchase_id uuid,
    completed_at timestamptz,
    rewarded_id uuid,
    number bigint constraint referral_number_check check (number > 0),
    rewarded_at timestamptz,
    constraint referral_number_key unique (rewarded_id, number),
    constraint referral_other_check check (referrer_id <> member_id),
    constraint referral_completed_check check ((purchase_id is null) = (completed_at is null)),
    constraint referral_rewarded_check check (
        num_nulls(rewarded_id, number, rewarded_at) in (0, 3) and (rewarded_id is null or purchase_id is not null))
);
comment on table referral is 'Who referred whom, by the member who was referred. Append-only but for its two steps: completed, rewarded.';
comment on column referral.referrer_id is 'As it was said: member_now() tells who that is by now.';
comment on column referral.purchase_id is 'The purchase that completed it. Changed only together with the member''s standing.';
comment on column referral.completed_at is 'When that purchase happened.';
comment on column referral.rewarded_id is 'The referrer as he was when he was thanked, whether or not a promotion gave something.';
comment on column referral.number is '1, 2, 3 … for each rewarded_id; changed only together with his standing, whose version proves what was read here.';
create index referral_of_referrer on referral (referrer_id, member_id);
create index referral_due on referral (referrer_id) where completed_at is not null and rewarded_at is null;

create function guard_referral() returns trigger language plpgsql as $$
begin
    if (old.member_id, old.referrer_id, old.at) is distinct from (new.member_id, new.referrer_id, new.at)
        or old.purchase_id is not null
            and (old.purchase_id, old.completed_at) is distinct from (new.purchase_id, new.completed_at)
        or old.rewarded_at is not null
            and (old.rewarded_id, old.number, old.rewarded_at) is distinct from (new.rewarded_id, new.number, new.rewarded_at)
    then
        raise exception 'a referral is completed once and rewarded once'
            using errcode = 'check_violation', constraint = 'referral_once_check';
    end if;
    return new;
end $$;
create trigger referral_guard before update on referral for each row execute function guard_referral();
create trigger referral_keep before delete on referral for each row execute function refuse_change();
create trigger referral_keep_all before truncate on referral for each statement execute function refuse_change();

-- Everybody that a member is by now: himself, and the accounts that were merged into him.
create function merged_into(p_member uuid) returns setof uuid language sql stable as $$
    with recursive mine(id) as (
        select p_member
        union
        select s.member_id from mine m join standing s on (s.ties).root = m.id where (s.ties).kind = 'merged'
    )
    select id from mine
$$;

-- THE WRITE PATH, after the standings: a referral changes only together with one.
-- The open referrals of members, with the referrers as they are now.
create function open_referrals(p_members uuid[]) returns table(member_id uuid, referrer_id uuid)
language sql stable as $$
    select r.member_id, member_now(r.referrer_id) from referral r
    where r.member_id = any(p_members) and r.purchase_id is null
$$;

-- What members are to be thanked for, in the order of completion, and for how many they were before.
create function due_referrals(p_members uuid[])
returns table(referrer_id uuid, rewarded bigint, member_id uuid, completed_at timestamptz) language sql stable as $$
    select m.id, (select coalesce(max(n.number), 0) from referral n where n.rewarded_id = m.id), r.member_id, r.completed_at
    from unnest(p_members) as m(id), merged_into(m.id) as own(id) join referral r on r.referrer_id = own.id
    where r.completed_at is not null and r.rewarded_at is null
    order by m.id, r.completed_at, r.member_id
$$;

-- Beside store_batch and in its transaction, after it. A step that was made meanwhile lets all of it fail.
--   p_members, p_purchases, p_completed_ats       whose referral is completed, by which purchase of when
--   p_referred, p_rewarded, p_numbers, p_ats      for whose referral who is thanked, as which of his, and when
create function store_referrals(
    p_members uuid[], p_purchases uuid[], p_completed_ats timestamptz[],
    p_referred uuid[], p_rewarded uuid[], p_numbers bigint[], p_ats timestamptz[]
) returns void language plpgsql as $$
declare
    v_changed bigint;
begin
    if cardinality(p_members) > 0 then
        update referral r set purchase_id = n.purchase_id, completed_at = n.at
        from unnest(p_members, p_purchases, p_completed_ats) as n(member_id, purchase_id, at)
        where r.member_id = n.member_id and r.purchase_id is null;
        get diagnostics v_changed = row_count;
        if v_changed <> cardinality(p_members) then
            raise exception 'a referral was completed meanwhile' using errcode = 'serialization_failure';
        end if;
    end if;
    if cardinality(p_referred) > 0 then
        update referral r set rewarded_id = n.rewarded_id, number = n.number, rewarded_at = n.at
        from unnest(p_referred, p_rewarded, p_numbers, p_ats) as n(member_id, rewarded_id, number, at)
        where r.member_id = n.member_id and r.purchase_id is not null and r.rewarded_at is null;
        get diagnostics v_changed = row_count;
        if v_changed <> cardinality(p_referred) then
            raise exception 'a referrer was thanked meanwhile' using errcode = 'serialization_failure';
        end if;
    end if;
end $$;
