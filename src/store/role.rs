//! The role a server works as: what it may do to which table, and the look at the database before
//! a server starts. A role that cannot rewrite the ledger is the first of its guards; the triggers
//! are the second and the hash chain the third.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};

use super::db::{Connection, Error};

/// The role made in the private server.
pub const APP: &str = "tessera_app";

/// What the role may do beside reading, table by table. A table that is missing here can only be
/// read; one without `update` and `delete` is append-only.
const GRANTS: &[(&str, &str)] = &[
    ("entry", "insert"),
    ("lot_movement", "insert"),
    ("tier_change", "insert"),
    ("perk_grant", "insert"),
    ("programme_version", "insert"),
    ("audit", "insert"),
    ("purchase", "insert"),
    ("purchase_return", "insert"),
    ("transfer", "insert"),
    ("entitlement_use", "insert"),
    ("notice", "insert"),
    ("member_tag_change", "insert"),
    ("member_tag", "insert, update (since, until), delete"),
    ("redemption", "insert, update (status, points, worth, held_until, entry, bite_lots, bite_points)"),
    ("outbox", "insert"),
    (
        "adjustment",
        "insert, update (status, decided_by, decided_at, decision_key, decision_note, refusal, booked, booked_at, \
         booked_entry)",
    ),
    ("lot", "insert, update (remaining, held, lapsed, pending, expires_at, fixed, idle_months)"),
    ("qualifying_day", "insert, update (points, spend, visits, given)"),
    ("standing", "insert, update"),
    ("reward_usage", "insert, update (used)"),
    ("promotion_usage", "insert, update (uses, points, money)"),
    ("promotion_member_usage", "insert, update (uses)"),
    ("coupon_issue", "insert"),
    ("coupon", "insert, update (used, revoked_at)"),
    ("coupon_use", "insert, update (given_back_at)"),
    ("coupon_type_usage", "insert, update (uses, money)"),
    ("quote", "insert, delete, update (purchase_id)"),
    ("member_event", "insert"),
    ("message", "insert"),
    ("voucher_upload", "insert"),
    ("voucher_code", "insert, update (redemption_id)"),
    ("draw_ticket", "insert, update (voided_at)"),
    ("referral", "insert, update (purchase_id, completed_at, rewarded_id, number, rewarded_at)"),
    ("fulfilment", "insert, update (status, changed_at, steps, store_id)"),
    ("fulfilment_step", "insert"),
    ("wallet", "insert, update (entries, head, lots, paid, bonus, cashback, due_at)"),
    ("wallet_entry", "insert"),
    ("wallet_lot", "insert, update (remaining, lapsed, refunded)"),
    ("wallet_movement", "insert"),
    (
        "re_rating",
        "insert, update (status, limit_each, limit_day, day_before, applied_by, applied_at, undone_by, undone_at)",
    ),
    (
        "re_rating_member",
        "insert, update (applied, forgiven, applied_at, left_out, undone, undone_forgiven, undone_at, kept)",
    ),
    ("re_rating_purchase", "insert, update (lapsed, applied_at, undone_at)"),
    ("idempotency", "insert, delete"),
    ("member", "insert, update"),
    ("member_credential", "insert, update, delete"),
    ("store", "insert, update"),
    ("staff", "insert, update"),
    ("session", "insert, update, delete"),
    ("refresh_token", "insert, update, delete"),
    ("api_key", "insert, update (last_used_at, revoked_at)"),
    ("verification", "insert, update (attempts), delete"),
    ("contact_message", "insert, delete"),
    ("pool_invitation", "insert, delete, update (taken_by, joined_at)"),
    ("sandbox_clock", "insert, update"),
    ("job_lease", "insert, update, delete"),
    ("job_run", "insert, update, delete"),
    ("notice_watch", "insert, update"),
    ("scheduled_programme", "insert, delete, update (refused_at, refusal)"),
];

/// Makes the role where it is missing. As the owner.
///
/// # Errors
/// As [`Error`].
pub fn create(conn: &mut Connection) -> Result<(), Error> {
    let exists =
        diesel::dsl::sql::<Bool>("exists (select from pg_roles where rolname = ").bind::<Text, _>(APP).sql(")");
    if !diesel::select(exists).get_result::<bool>(conn)? {
        conn.batch_execute(&format!("create role {APP} login"))?;
    }
    Ok(())
}

/// Grants a role what a server needs, and takes back what it must not have. As the owner.
///
/// # Errors
/// As [`Error`]; there is no such role.
pub fn grant(conn: &mut Connection, role: &str) -> Result<(), Error> {
    let role = format!("\"{}\"", role.replace('"', "\"\""));
    let mut script = format!(
        "revoke all on all tables in schema public from {role}; grant usage on schema public to {role}; \
         grant select on all tables in schema public to {role};"
    );
    for (table, privileges) in GRANTS {
        script += &format!("grant {privileges} on {table} to {role};");
    }
    Ok(conn.batch_execute(&script)?)
}

/// Why a server does not start on a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The role could rewrite the ledger.
    #[error(
        "the database role {0} owns the tables or may change the ledger: serve as another role (run \
         `tessera migrate` with DATABASE_OWNER_URL set to grant it what it needs), or set \
         TESSERA__DATABASE__ALLOW_OWNER=true"
    )]
    Owner(String),
    /// A crash could lose what was acknowledged.
    #[error("the database setting {0} is off: a crash would lose acknowledged points")]
    NotDurable(&'static str),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] Error),
}

#[derive(QueryableByName)]
struct Look {
    #[diesel(sql_type = Text)]
    role: String,
    #[diesel(sql_type = Bool)]
    owner: bool,
    #[diesel(sql_type = Bool)]
    fsync: bool,
    #[diesel(sql_type = Bool)]
    full_page_writes: bool,
    #[diesel(sql_type = Bool)]
    synchronous_commit: bool,
}

/// Looks whether a server may work on this database as this role.
///
/// # Errors
/// [`Unfit`].
pub fn check(conn: &mut Connection, allow_owner: bool, durable: bool) -> Result<(), Unfit> {
    let look: Look = diesel::sql_query(
        "select current_user::text as role, \
         has_table_privilege('entry', 'update, delete, truncate') \
         or pg_has_role(current_user, (select relowner from pg_class where oid = 'entry'::regclass), 'member') as owner, \
         current_setting('fsync')::bool as fsync, current_setting('full_page_writes')::bool as full_page_writes, \
         current_setting('synchronous_commit') <> 'off' as synchronous_commit",
    )
    .get_result(conn)
    .map_err(Error::from)?;
    if look.owner && !allow_owner {
        return Err(Unfit::Owner(look.role));
    }
    let settings = [
        ("fsync", look.fsync),
        ("full_page_writes", look.full_page_writes),
        ("synchronous_commit", look.synchronous_commit),
    ];
    match settings.into_iter().find(|(_, on)| durable && !on) {
        Some((name, _)) => Err(Unfit::NotDurable(name)),
        None => Ok(()),
    }
}
