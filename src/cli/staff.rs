//! `tessera staff create`: somebody who may sign in. The first admin comes from here.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use serde_json::json;
use tessera_rules::Actor;
use tessera_rules::command::Role;
use tessera_rules::id::{StaffId, StoreId};
use tessera_rules::time::Instant;

use super::desk::Desk;
use super::{output, secret};
use crate::access::{NewStaff, StaffRole, create_staff, password};
use crate::store::audit::{self, Change};
use crate::store::db::{Connection, transaction};
use crate::store::{self, shop};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add somebody; the password is read from TESSERA_PASSWORD or standard input
    Create(Create),
}

#[derive(Debug, clap::Args)]
struct Create {
    /// What is typed at login: an e-mail address or a user name
    #[arg(long)]
    identifier: String,
    /// The person's name
    #[arg(long)]
    name: String,
    /// What this person may do
    #[arg(long, value_enum)]
    role: RoleArg,
    /// Code of the store; for all but admins
    #[arg(long, required_if_eq_any([("role", "cashier"), ("role", "manager")]))]
    store: Option<String>,
    /// One JSON line: {"id","identifier","role","store"}
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RoleArg {
    /// Awards points at the till of one store
    Cashier,
    /// Answers for one store
    Manager,
    /// Configures the programme
    Admin,
}

impl From<RoleArg> for StaffRole {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Cashier => Self::Cashier,
            RoleArg::Manager => Self::Manager,
            RoleArg::Admin => Self::Admin,
        }
    }
}

/// Whoever has the machine's shell acts as an admin without a name.
pub(super) const OPERATOR: Actor = Actor { role: Role::Admin, id: None };

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Command::Create(create) = args.command;
    let role = StaffRole::from(create.role);
    if role == StaffRole::Admin && create.store.is_some() {
        output::message("error: an admin answers for the programme, not for a store: leave out --store");
        return Ok(ExitCode::from(2));
    }
    let typed = secret::password()?;
    password::check(&typed, password::SHORTEST_OF_STAFF, &[&create.identifier, &create.name])?;
    let hash = password::hash_now(&typed)?;
    let desk = Desk::open()?;
    let store = match &create.store {
        Some(code) => Some(store_by_code(&desk, code)?),
        None => None,
    };
    let new = NewStaff { identifier: create.identifier.clone(), name: create.name, role, store };
    let (wall, at) = (desk.clock.wall_now(), desk.clock.now());
    let added =
        desk.pool.blocking(|conn| transaction(conn, |conn| add(conn, &new, hash, wall, at, create.store.as_deref())));
    let id = match added {
        Err(error) if error.is_conflict("staff_identifier_key") => {
            anyhow::bail!("{} is taken: choose another --identifier", create.identifier)
        }
        Err(error) if error.is_conflict("staff_identifier_check") => {
            anyhow::bail!("--identifier must have 1 to 254 characters")
        }
        Err(error) if error.is_conflict("staff_name_check") => anyhow::bail!("--name must have 1 to 200 characters"),
        added => added?,
    };
    desk.close()?;
    if create.json {
        let store = create.store;
        output::result(json!({ "id": id, "identifier": new.identifier, "role": role, "store": store }))?;
    } else {
        output::result(id)?;
        output::message(format_args!("{} can sign in as {}", new.identifier, role.as_str()));
    }
    Ok(ExitCode::SUCCESS)
}

fn store_by_code(desk: &Desk, code: &str) -> anyhow::Result<StoreId> {
    let found = desk.pool.blocking(|conn| shop::by_code(conn, code))?;
    found.map(|shop| shop.store()).ok_or_else(|| anyhow::anyhow!("there is no store with the code {code}"))
}

/// Adds staff with a line in the audit log, in the caller's transaction.
pub(super) fn add(
    conn: &mut Connection,
    new: &NewStaff,
    password_hash: String,
    wall: Instant,
    at: Instant,
    store: Option<&str>,
) -> Result<StaffId, store::Error> {
    let id = create_staff(conn, new, password_hash, wall)?;
    let after = Some(json!({ "role": new.role, "store": store }));
    audit::record(conn, at, OPERATOR, Change { action: "staff.create", object: &id.to_string(), before: None, after })?;
    Ok(id)
}
