-- What promotions bring about beside points: coupons that are issued with a decision, messages, and the events that
-- members have and promotions wait for. What was granted for an occasion stands in perk_grant, under the
-- promotion's code with 'promotion:' before it: its key proves that nothing is granted twice.

alter table coupon_issue
    add column given_by text,
    add column document_id uuid,
    add constraint coupon_issue_given_check check (
        (document_id is null or given_by is not null)
        and (given_by is null or count = 1 and member_id is not null and key is null));
comment on column coupon_issue.given_by is 'The perk that gave it, or ''promotion:'' and the promotion, or ''reward:'' and the reward; null where staff issued it.';
comment on column coupon_issue.document_id is 'The purchase or the redemption it was given with: when that goes back and the coupon was not used, it is taken back.';
create index coupon_issue_of_document on coupon_issue (document_id) where document_id is not null;

create table member_event (
    id uuid constraint member_event_pkey primary key,
    member_id uuid not null,
    number bigint not null constraint member_event_number_check check (number > 0),
    code text not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    programme_version bigint not null,
    store_id uuid not null,
    actor_role text not null,
    actor_id uuid,
    attributes jsonb not null constraint member_event_attributes_check check (jsonb_typeof(attributes) = 'object'),
    constraint member_event_number_key unique (member_id, number)
);
comment on table member_event is 'What other systems told of members. Append-only.';
comment on column member_event.number is '1, 2, 3 … for each member; changed only together with the standing, whose version proves what was read here.';
comment on column member_event.programme_version is 'Which declared its attributes.';
create trigger member_event_keep before update or delete on member_event for each row execute function refuse_change();
create trigger member_event_keep_all before truncate on member_event for each statement execute function refuse_change();

create table message (
    id uuid constraint message_pkey primary key,
    member_id uuid not null,
    given_by text not null,
    at timestamptz not null,
    text jsonb not null
);
comment on table message is 'What promotions and perks tell members, for whoever delivers messages. Append-only.';
comment on column message.text is 'In English (en) and in Chinese (zh); {name} stands where the member''s name goes, which only member knows.';
create index message_of_member on message (member_id, id);
create trigger message_keep before update or delete on message for each row execute function refuse_change();
create trigger message_keep_all before truncate on message for each statement execute function refuse_change();

-- THE WRITE PATH, beside store_batch and in its transaction, after it.
--   p_events             what happened to members
--   p_issues, p_coupons  coupons that are issued
--   p_messages           what members are to be told
--   p_documents, p_givers, p_ats  purchases and redemptions, and who gave coupons with them that are taken back
--                        unless they were used
create function store_gifts(
    p_events member_event[], p_issues coupon_issue[], p_coupons coupon[], p_messages message[],
    p_documents uuid[], p_givers text[], p_ats timestamptz[]
) returns void language plpgsql as $$
begin
    insert into member_event select * from unnest(p_events);
    if cardinality(p_issues) > 0 then
        insert into coupon_issue select * from unnest(p_issues);
        insert into coupon select * from unnest(p_coupons);
    end if;
    insert into message select * from unnest(p_messages);
    if cardinality(p_documents) > 0 then
        -- Locked in code order, as by everybody: a coupon that is being used counts as used.
        perform from coupon c join coupon_issue i on i.id = c.issue_id
            join unnest(p_documents, p_givers) b(document, giver) on i.document_id = b.document and i.given_by = b.giver
        order by c.code for no key update of c;
        update coupon c set revoked_at = b.at
        from coupon_issue i join unnest(p_documents, p_givers, p_ats) b(document, giver, at)
            on i.document_id = b.document and i.given_by = b.giver
        where c.issue_id = i.id and c.used = 0 and c.revoked_at is null;
    end if;
end $$;
