-- When to ask again who is due a notice, so that a day's job asks only where something has changed; and
-- a programme that is to come into force on a day.

create table notice_watch (
    member_id uuid constraint notice_watch_pkey primary key,
    version bigint not null,
    programme bigint not null,
    next_at timestamptz
);
comment on table notice_watch is 'Members with nothing to be told: as long as standing and programme have these versions, there is nothing to tell before next_at, or never. Lost rows cost time, not notices.';

create table scheduled_programme (
    number bigint generated always as identity constraint scheduled_programme_pkey primary key,
    effective_on date not null,
    base bigint not null constraint scheduled_programme_base_check check (base > 0),
    document jsonb not null,
    created_at timestamptz not null,
    actor_role text not null,
    actor_id uuid,
    refused_at timestamptz,
    refusal jsonb,
    constraint scheduled_programme_refusal_check check ((refused_at is null) = (refusal is null))
);
comment on table scheduled_programme is 'The programme that comes into force on a local day, made on the version base; at most one. Kept when it was refused on its day, until somebody has seen it.';
create unique index scheduled_programme_one on scheduled_programme ((true));
