-- Draw tickets: numbers that a reward gives for a draw to come. They are given under the reward's lock, each once,
-- and one that is taken back leaves its number behind.

create table draw_ticket (
    reward text not null,
    number bigint not null constraint draw_ticket_number_check check (number > 0),
    redemption_id uuid not null,
    member_id uuid not null,
    given_at timestamptz not null,
    voided_at timestamptz,
    constraint draw_ticket_pkey primary key (reward, number),
    constraint draw_ticket_redemption_key unique (redemption_id, number),
    constraint draw_ticket_voided_check check (voided_at >= given_at)
);
comment on table draw_ticket is 'Tickets for draws. Append-only but for voided_at.';
comment on column draw_ticket.number is '1, 2, 3 … for each reward, without a gap.';
comment on column draw_ticket.member_id is 'Whose it was when it was given: member_now() tells whose it is.';
comment on column draw_ticket.voided_at is 'When its redemption was voided.';
create index draw_ticket_of_member on draw_ticket (member_id, redemption_id, number);

create function guard_draw_ticket() returns trigger language plpgsql as $$
begin
    if (old.reward, old.number, old.redemption_id, old.member_id, old.given_at)
            is distinct from (new.reward, new.number, new.redemption_id, new.member_id, new.given_at)
        or old.voided_at is not null or new.voided_at is null
    then
        raise exception 'a ticket is given once and voided once'
            using errcode = 'check_violation', constraint = 'draw_ticket_once_check';
    end if;
    return new;
end $$;
create trigger draw_ticket_guard before update on draw_ticket for each row execute function guard_draw_ticket();
create trigger draw_ticket_keep before delete on draw_ticket for each row execute function refuse_change();
create trigger draw_ticket_keep_all before truncate on draw_ticket for each statement execute function refuse_change();

-- The member that somebody is now: himself, or the one that he was merged into.
create function member_now(p_member uuid) returns uuid language sql stable as $$
    with recursive chain(id, links) as (
        select p_member, 0
        union all
        select (s.ties).root, c.links + 1 from chain c join standing s on s.member_id = c.id
        where (s.ties).kind = 'merged' and c.links < 8
    )
    select id from chain order by links desc limit 1
$$;

-- THE WRITE PATH, beside store_batch and in its transaction, after it.
--   p_rewards, p_redemptions, p_members, p_firsts, p_counts, p_ats
--                        which redemption of whose is given so many tickets of a reward from a number on, and when
--   p_voided, p_voided_ats  redemptions whose tickets are void, and from when on
create function store_tickets(
    p_rewards text[], p_redemptions uuid[], p_members uuid[], p_firsts bigint[], p_counts integer[], p_ats timestamptz[],
    p_voided uuid[], p_voided_ats timestamptz[]
) returns void language plpgsql as $$
begin
    if cardinality(p_rewards) > 0 then
        if exists (
            select from unnest(p_rewards, p_firsts) as n(reward, first) group by n.reward
            having min(n.first) <> 1 + coalesce((select max(t.number) from draw_ticket t where t.reward = n.reward), 0)
        ) then
            raise exception 'tickets were given meanwhile' using errcode = 'serialization_failure';
        end if;
        insert into draw_ticket
        select n.reward, n.first + place, n.redemption_id, n.member_id, n.at
        from unnest(p_rewards, p_redemptions, p_members, p_firsts, p_counts, p_ats)
                as n(reward, redemption_id, member_id, first, count, at),
            generate_series(0, n.count - 1) as place;
    end if;
    if cardinality(p_voided) > 0 then
        update draw_ticket t set voided_at = v.at
        from unnest(p_voided, p_voided_ats) as v(redemption_id, at) where t.redemption_id = v.redemption_id;
    end if;
end $$;
