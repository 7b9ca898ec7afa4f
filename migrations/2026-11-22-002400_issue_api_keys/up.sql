-- Keys for tills and integrations: shown once, kept as a hash, for what they need and no more. Times here are wall
-- time. Nothing of a key changes but when it was used last and that it was revoked: what it did names it for ever.

create table api_key (
    id uuid constraint api_key_pkey primary key,
    name text not null constraint api_key_name_check check (length(name) between 1 and 100),
    prefix text not null constraint api_key_prefix_check check (prefix ~ '^tsk_[0-9a-z]{8}$'),
    hash bytea not null constraint api_key_hash_check check (octet_length(hash) = 32)
        constraint api_key_hash_key unique,
    store_id uuid not null constraint api_key_store_fkey references store (id),
    scopes text[] not null constraint api_key_scopes_check check (cardinality(scopes) > 0 and scopes <@ array[
        'members:read', 'members:write', 'purchases:read', 'purchases:write', 'redemptions:write', 'events:write'
    ]),
    created_by uuid not null constraint api_key_created_by_fkey references staff (id),
    created_at timestamptz not null,
    expires_at timestamptz not null constraint api_key_expires_at_check check (expires_at > created_at),
    last_used_at timestamptz,
    revoked_at timestamptz
);
comment on table api_key is 'Keys for tills and integrations.';
comment on column api_key.prefix is 'How the key begins: for people to know it again.';
comment on column api_key.hash is 'SHA-256 of the whole key, which has 160 random bits.';
comment on column api_key.store_id is 'Whose till it is; the code of the store is the source of its receipts.';
comment on column api_key.last_used_at is 'To within a minute.';
create index api_key_store on api_key (store_id);
create index api_key_created_by on api_key (created_by);
