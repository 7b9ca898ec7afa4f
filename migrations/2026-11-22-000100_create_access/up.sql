-- Who may do what: staff, the secrets of members, sign-ins and their refresh tokens.
-- Times here are wall time, also in sandbox mode.

create table staff (
    id uuid constraint staff_pkey primary key,
    identifier text not null constraint staff_identifier_key unique constraint staff_identifier_check
        check (length(identifier) between 1 and 254 and identifier = lower(btrim(identifier))),
    name text not null constraint staff_name_check check (length(name) between 1 and 200),
    role text not null constraint staff_role_check check (role in ('cashier', 'manager', 'admin')),
    store_id uuid constraint staff_store_fkey references store (id),
    password_hash text not null constraint staff_password_hash_check check (password_hash like '$argon2id$%'),
    status text not null constraint staff_status_check check (status in ('active', 'disabled')),
    version bigint not null constraint staff_version_check check (version > 0),
    created_at timestamptz not null,
    -- An admin answers for the programme, everybody else for one store.
    constraint staff_role_store_check check ((role = 'admin') = (store_id is null))
);
comment on table staff is 'Who works with the programme: cashiers, managers, admins.';
create index staff_store on staff (store_id);

create table member_credential (
    member_id uuid constraint member_credential_pkey primary key
        constraint member_credential_member_fkey references member (id),
    password_hash text constraint member_credential_password_hash_check check (password_hash like '$argon2id$%'),
    pin_hash text constraint member_credential_pin_hash_check check (pin_hash like '$argon2id$%'),
    -- RFC 4226 asks for 160 bits.
    otp_secret bytea not null constraint member_credential_otp_secret_check check (octet_length(otp_secret) = 20),
    -- Wrong PINs and codes since the last right one, and until when neither is looked at.
    failures integer not null constraint member_credential_failures_check check (failures >= 0),
    locked_until timestamptz
);
comment on table member_credential is 'What a member proves himself with. Read by access only.';

create table session (
    id uuid constraint session_pkey primary key,
    principal_kind text not null constraint session_principal_kind_check check (principal_kind in ('staff', 'member')),
    principal_id uuid not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    constraint session_expires_at_check check (expires_at > created_at)
);
comment on table session is 'A sign-in: the family of refresh tokens that came from one login.';
create index session_principal on session (principal_id);
create index session_expiry on session (expires_at);

create table refresh_token (
    hash bytea constraint refresh_token_pkey primary key
        constraint refresh_token_hash_check check (octet_length(hash) = 32),
    session_id uuid not null constraint refresh_token_session_fkey references session (id) on delete cascade,
    salt bytea not null constraint refresh_token_salt_check check (octet_length(salt) = 32),
    issued_at timestamptz not null,
    used_at timestamptz
);
comment on table refresh_token is
    'Tokens by their SHA-256. A token''s successor is derived from the token itself and the salt: whoever repeats a '
    'refresh whose answer was lost gets the same successor, and neither the token nor the table alone tells it.';
create index refresh_token_session on refresh_token (session_id);
