-- Tags: short codes that are put on members and taken off, for a while or for good. The changes are the truth;
-- what a member has now stands again in a table of its own, where members are looked for by their tags.

create table member_tag_change (
    seq bigint generated always as identity constraint member_tag_change_pkey primary key,
    member_id uuid not null,
    tag text not null constraint member_tag_change_tag_check check (tag ~ '^[a-z0-9_-]{1,32}$'),
    at timestamptz not null,
    held boolean not null,
    until timestamptz constraint member_tag_change_until_check check (until is null or held and until > at),
    cause text not null constraint member_tag_change_cause_check check (cause in ('staff', 'promotion', 'merge')),
    promotion text,
    actor_role text not null,
    actor_id uuid,
    constraint member_tag_change_promotion_check check ((cause = 'promotion') = (promotion is not null))
);
comment on table member_tag_change is 'Tags as they were put on members and taken off, in order.';
comment on column member_tag_change.at is 'Since when it counts: the microsecond after the command.';
comment on column member_tag_change.held is 'Whether the member has the tag from then on.';
comment on column member_tag_change.until is 'From when he has it no longer; null: until it is taken off.';
create index member_tag_change_member on member_tag_change (member_id, tag, seq);
create trigger member_tag_change_keep before update or delete on member_tag_change for each row execute function refuse_change();
create trigger member_tag_change_keep_all before truncate on member_tag_change for each statement execute function refuse_change();

create table member_tag (
    member_id uuid not null,
    tag text not null,
    since timestamptz not null,
    until timestamptz,
    constraint member_tag_pkey primary key (member_id, tag)
);
comment on table member_tag is 'The tags members have: the last change of each again. One whose time is over stays until it is changed.';
create index member_tag_tag on member_tag (tag, member_id);

-- THE WRITE PATH, beside load_batch and after it: whoever has changed a tag since has changed a standing too.
-- What is needed to tell the tags of members at any instant from p_since on.
create function load_tags(p_members uuid[], p_since timestamptz) returns setof member_tag_change language sql stable as $$
    select c.* from member_tag_change c
    where c.member_id = any(p_members) and not exists (
        select from member_tag_change n
        where n.member_id = c.member_id and n.tag = c.tag and n.seq > c.seq and n.at <= p_since
    )
    order by c.seq
$$;

-- Beside store_batch and in its transaction: changes in their order, each list beside the others.
create function store_tags(
    p_members uuid[], p_tags text[], p_ats timestamptz[], p_held boolean[], p_untils timestamptz[], p_causes text[],
    p_promotions text[], p_roles text[], p_actors uuid[]
) returns void language plpgsql as $$
begin
    insert into member_tag_change (member_id, tag, at, held, until, cause, promotion, actor_role, actor_id)
    select n.member_id, n.tag, n.at, n.held, n.until, n.cause, n.promotion, n.role, n.actor
    from unnest(p_members, p_tags, p_ats, p_held, p_untils, p_causes, p_promotions, p_roles, p_actors) with ordinality
        as n(member_id, tag, at, held, until, cause, promotion, role, actor, position)
    order by n.position;
    with last as (
        select distinct on (n.member_id, n.tag) n.*
        from unnest(p_members, p_tags, p_ats, p_held, p_untils) with ordinality
            as n(member_id, tag, at, held, until, position)
        order by n.member_id, n.tag, n.position desc
    ), taken_off as (
        delete from member_tag t using last l where not l.held and t.member_id = l.member_id and t.tag = l.tag
    )
    insert into member_tag as t select member_id, tag, at, until from last where held
    on conflict (member_id, tag) do update set since = excluded.since, until = excluded.until;
end $$;
