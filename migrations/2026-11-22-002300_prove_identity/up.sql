-- Who says that a phone number or an e-mail address is his proves it with a code sent there: to register, or to
-- choose a new password. Times here are wall time. Nothing stays: who has proved it, and what has lapsed, goes.

create table verification (
    id uuid constraint verification_pkey primary key,
    purpose text not null constraint verification_purpose_check check (purpose in ('register', 'reset_password')),
    phone text,
    email text,
    code_hash bytea not null constraint verification_code_hash_check check (octet_length(code_hash) = 32),
    attempts integer not null constraint verification_attempts_check check (attempts between 0 and 5),
    created_at timestamptz not null,
    expires_at timestamptz not null,
    member_id uuid,
    name text constraint verification_name_check check (length(name) between 1 and 100),
    birth_date text,
    locale text constraint verification_locale_check check (locale in ('en', 'zh-CN')),
    password_hash text constraint verification_password_hash_check check (password_hash like '$argon2id$%'),
    constraint verification_expires_at_check check (expires_at > created_at),
    constraint verification_contact_check check ((phone is null) <> (email is null)),
    constraint verification_register_check
        check ((purpose = 'register') = (name is not null and locale is not null and password_hash is not null))
);
comment on table verification is 'Contacts about to be proved by a code: for a registration, or a new password.';
comment on column verification.code_hash is
    'Of the code; where none was sent, because the contact is taken or unknown, 32 random bytes that no code has.';
comment on column verification.attempts is 'Codes tried. After five the right one is refused too.';
comment on column verification.member_id is 'Who chooses a new password; null in a registration, and where nobody has the contact. No foreign key: its lock on the member would tell by the time of an answer who is one.';
create index verification_expiry on verification (expires_at);

create table contact_message (
    id uuid constraint contact_message_pkey primary key,
    channel text not null constraint contact_message_channel_check check (channel in ('sms', 'email')),
    contact text not null,
    kind text not null constraint contact_message_kind_check
        check (kind in ('verification_code', 'account_exists', 'account_missing', 'password_changed')),
    text jsonb not null,
    created_at timestamptz not null,
    expires_at timestamptz not null constraint contact_message_expires_at_check check (expires_at > created_at)
);
comment on table contact_message is
    'What is to be told to a phone number or an e-mail address, whoever has it, until it is sent or has lapsed.';
comment on column contact_message.text is 'In English (en) and in Chinese (zh).';
create index contact_message_expiry on contact_message (expires_at);

alter table session add column device text
    constraint session_device_check check (length(device) between 1 and 200);
comment on column session.device is 'What the caller said it is when signing in (User-Agent), for its owner to know it again.';
