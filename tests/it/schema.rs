//! The database guards itself: migrations up and down, what may never change, and who may try.

use diesel::connection::SimpleConnection;
use tessera::app::prepare;
use tessera::store::db::{migrate, revert_all};

use crate::support::App;
use crate::support::db::Db;
use crate::support::make::{self, earn};

/// Everything the catalogue says of the schema, one thing a line.
const SCHEMA: &str = "
    select 'column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
        || case when a.attnotnull then ' not null' else '' end
        || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') || ' ' || a.attnum as value
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v', 'm', 'p') and a.attnum > 0
        and not a.attisdropped
    union all
    select 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
    from pg_constraint where connamespace = 'public'::regnamespace
    union all
    select 'index ' || pg_get_indexdef(indexrelid) from pg_index join pg_class on pg_class.oid = indexrelid
    where relnamespace = 'public'::regnamespace
    union all
    select 'function ' || pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace
    union all
    select 'trigger ' || pg_get_triggerdef(t.oid) from pg_trigger t join pg_class c on c.oid = t.tgrelid
    where c.relnamespace = 'public'::regnamespace and not t.tgisinternal
    union all
    select 'table ' || relname || ' ' || relkind::text || ' ' || coalesce(reloptions::text, '') || ' '
        || coalesce(obj_description(oid, 'pg_class'), '')
    from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'm', 'p', 'S')
    union all
    select 'type ' || typname from pg_type where typnamespace = 'public'::regnamespace and typtype in ('e', 'd')
    order by 1";

#[test]
fn migrations_go_up_and_down_and_up_again() {
    let db = Db::empty();
    let before = db.texts(SCHEMA);
    let applied = migrate(&db.owner_url).expect("up");
    assert!(applied.len() >= 2, "{applied:?}");
    let up = db.texts(SCHEMA);
    assert!(up.len() > 200, "the catalogue has been read");
    assert_eq!(migrate(&db.owner_url).expect("up once more"), [""; 0]);

    assert_eq!(revert_all(&db.owner_url).expect("down").len(), applied.len());
    let own = |line: &String| !line.contains("__diesel_schema_migrations");
    let down: Vec<String> = db.texts(SCHEMA).into_iter().filter(own).collect();
    assert_eq!(down, before, "what down leaves behind");

    migrate(&db.owner_url).expect("up again");
    assert_eq!(db.texts(SCHEMA), up);
}

/// An update that changes no indexed column stays on its page and touches no index. A purchase changes most
/// columns of a standing, and a composite one changes as a whole.
#[test]
fn no_index_of_standings_looks_at_what_every_purchase_changes() {
    let db = Db::furnished();
    let indexed = db.texts(
        "select distinct a.attname::text as value from pg_index i \
         join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = i.indexrelid \
         join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid \
         where i.indrelid = 'standing'::regclass and d.refobjid = 'standing'::regclass order by 1",
    );
    assert_eq!(indexed, ["due_at", "ties"], "beside the primary key");
}

#[test]
fn every_table_is_said_what_it_is_for() {
    let db = Db::furnished();
    let silent = "select relname::text as value from pg_class where relnamespace = 'public'::regnamespace
        and relkind = 'r' and obj_description(oid, 'pg_class') is null and relname !~ '^__' and relname !~ '^job_'";
    assert_eq!(db.texts(silent), [""; 0]);
    let unnamed = "select conrelid::regclass || ' ' || conname as value from pg_constraint
        where connamespace = 'public'::regnamespace and contype = 'c' and conname !~ '_check$'";
    assert_eq!(db.texts(unnamed), [""; 0]);
}

/// What is said when a statement fails, or nothing.
fn refusal(db: &Db, as_server: bool, statement: &str) -> Option<String> {
    use diesel::Connection as _;
    let url = if as_server { &db.url } else { &db.owner_url };
    let mut connection = tessera::store::db::Connection::establish(url).expect("a connection");
    connection.batch_execute(statement).err().map(|error| error.to_string())
}

#[test]
fn the_ledger_is_append_only_even_for_its_owner() {
    let app = App::start();
    let till = app.cashier();
    let member = make::enrol(&till, &serde_json::json!({"name": "Lin", "birth_date": "--03-05"}));
    earn(&till, &member, 1500);
    let own = app.member(&member);
    own.post("/v1/member/redemptions", &serde_json::json!({"points": 100})).expect(201);
    for table in ["entry", "lot_movement", "tier_change", "perk_grant", "programme_version", "audit"] {
        assert!(app.db.number(&format!("select count(*) as value from {table}")) > 0, "{table} has rows to guard");
        let column = app.db.texts(&format!(
            "select attname::text as value from pg_attribute where attrelid = '{table}'::regclass and attnum = 1"
        ));
        for statement in [
            format!("update {table} set {0} = {0}", column[0]),
            format!("delete from {table}"),
            format!("truncate {table} cascade"),
        ] {
            let by_owner = refusal(&app.db, false, &statement);
            assert!(by_owner.as_ref().is_some_and(|why| why.contains("never changed")), "{statement}: {by_owner:?}");
            let by_server = refusal(&app.db, true, &statement);
            assert!(
                by_server.as_ref().is_some_and(|why| why.contains("permission denied")),
                "{statement}: {by_server:?}"
            );
        }
    }
}

#[test]
fn the_role_of_a_server_can_change_nothing_else_that_is_written_once() {
    let app = App::start();
    earn(&app.cashier(), &make::member(&app.cashier()), 100);
    for statement in [
        "update purchase set points = 1",
        "delete from purchase",
        "update coupon set uses = 100",
        "delete from coupon",
        "update coupon_issue set count = 1000",
        "update coupon_use set amount = 1",
        "delete from coupon_use",
        "update draw_ticket set number = 1",
        "delete from draw_ticket",
        "update wallet_entry set amount = 1",
        "delete from wallet_entry",
        "update wallet_lot set amount = 1",
        "delete from wallet_lot",
        "delete from wallet_movement",
        "delete from wallet",
        "update quote set promised = '{}'",
        "update lot set points = 1",
        "delete from lot",
        "delete from member",
        "delete from standing",
        "update idempotency set status = 200",
        "update outbox set points = 1",
        "delete from outbox",
        "drop table entry",
        "alter table entry disable trigger all",
        "create table mine (id int)",
        "create or replace function refuse_change() returns trigger language plpgsql as 'begin return new; end'",
        "set role tessera_owner",
        "set session_replication_role = replica",
    ] {
        assert!(refusal(&app.db, true, statement).is_some(), "{statement}");
    }
}

#[test]
fn a_server_refuses_what_it_must_not_run_on() {
    use tessera::app::{App as Server, Database};
    use tessera::postgres::Durability;
    let start = |db: &Db, url: &str, durability: Durability| {
        let settings = crate::support::app::settings_for(url, &crate::support::db::scratch("refused"), &[]);
        let database = Database::existing(url, None, durability);
        let _keep = db;
        Server::start_on(&settings, database).err().map(|error| format!("{error:#}"))
    };
    let db = Db::furnished();
    let as_owner = start(&db, &db.owner_url, Durability::Fast).expect("not as the owner");
    assert!(as_owner.contains("ALLOW_OWNER"), "{as_owner}");
    let not_durable = start(&db, &db.url, Durability::Durable).expect("not without fsync");
    assert!(not_durable.contains("fsync is off"), "{not_durable}");
    let empty = Db::empty();
    let unmigrated = start(&empty, &empty.url, Durability::Fast).expect("not before migrations");
    assert!(unmigrated.contains("tessera migrate"), "{unmigrated}");
    prepare(&empty.owner_url, None).expect("migrations and grants apply");
    assert_eq!(start(&empty, &empty.url, Durability::Fast), None);
}
