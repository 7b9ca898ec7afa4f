-- Invitations to a household pool. The code is told once, to the head who made it; what stands here is
-- its hash.

create table pool_invitation (
    id uuid constraint pool_invitation_pkey primary key,
    head uuid not null constraint pool_invitation_head_fkey references member (id),
    code_hash bytea not null constraint pool_invitation_code_hash_check check (length(code_hash) = 32),
    may_spend boolean not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    taken_by uuid constraint pool_invitation_taken_by_fkey references member (id),
    joined_at timestamptz,
    constraint pool_invitation_code_hash_key unique (code_hash),
    constraint pool_invitation_expires_check check (expires_at > created_at),
    constraint pool_invitation_joined_check check (joined_at is null or taken_by is not null)
);
comment on table pool_invitation is 'Invitations to join a household pool: good once and for a while.';
comment on column pool_invitation.taken_by is 'Who is joining by it: nobody else can any more, and he can try again.';
comment on column pool_invitation.joined_at is 'When he had joined: it is used up.';
create index pool_invitation_head on pool_invitation (head);
