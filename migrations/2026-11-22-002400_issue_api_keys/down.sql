alter table entry drop constraint entry_actor_check;
alter table entry add constraint entry_actor_check
    check (actor_role in ('member', 'cashier', 'manager', 'admin', 'import', 'system'));
drop table api_key;
