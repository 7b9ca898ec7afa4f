//! `/v1/admin/staff`: who works with the programme. Nobody is deleted: entries name them for ever.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, patch, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use tessera_rules::Actor;
use tessera_rules::id::{StaffId, StoreId};
use tessera_rules::time::Instant;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::access::password::SHORTEST_OF_STAFF;
use crate::access::{self, Action, Caller, NewStaff, Principal, Resource, StaffRole};
use crate::api::Services;
use crate::api::contact;
use crate::api::error::{Code, Problem, both};
use crate::api::extract::{Id, IfMatch, Json, Query};
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::page::{ListOf, Page};
use crate::api::work::{Failed, run, run_whole, versioned};
use crate::store::audit;
use crate::store::db::Connection;
use crate::store::session;
use crate::store::shop;
use crate::store::staff::{self, Change, Staff};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_staff).service(create_staff).service(read_staff).service(change_staff);
}

/// The longest name and identifier, in characters.
const NAME_MAX: usize = 200;
const IDENTIFIER_MAX: usize = 254;

/// What a member of staff may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RoleName {
    /// Serves at the till of one store.
    Cashier,
    /// Answers for one store and for corrections.
    Manager,
    /// Configures the programme.
    Admin,
}

impl From<RoleName> for StaffRole {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Cashier => Self::Cashier,
            RoleName::Manager => Self::Manager,
            RoleName::Admin => Self::Admin,
        }
    }
}

impl From<StaffRole> for RoleName {
    fn from(role: StaffRole) -> Self {
        match role {
            StaffRole::Cashier => Self::Cashier,
            StaffRole::Manager => Self::Manager,
            StaffRole::Admin => Self::Admin,
        }
    }
}

/// Whether a member of staff may sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum StaffStatus {
    /// May sign in.
    Active,
    /// May not.
    Disabled,
}

impl StaffStatus {
    fn of(active: bool) -> Self {
        if active { Self::Active } else { Self::Disabled }
    }
}

/// Somebody new.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewStaffRequest {
    /// What is typed at login: an e-mail address or a user name. Kept in lower case.
    #[schema(min_length = 1, max_length = 254, example = "li.wei@example.com")]
    identifier: String,
    /// For people.
    #[schema(min_length = 1, max_length = 200, example = "李伟")]
    name: String,
    /// What this person may do.
    role: RoleName,
    /// Where; required for cashiers and managers, absent for admins.
    #[schema(value_type = Option<String>, example = "sto_01kapm3v5ne8v9b3r6a2f7qk4d")]
    store_id: Option<StoreId>,
    /// The first password: it is all that staff sign in with, hence its length.
    #[schema(format = Password, min_length = 15, max_length = 128)]
    password: String,
}

/// What may be changed; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct StaffPatch {
    /// For people.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// What this person may do.
    role: Option<RoleName>,
    /// Where; null for admins.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    store_id: Option<Option<StoreId>>,
    /// Disabling ends all sign-ins.
    status: Option<StaffStatus>,
}

/// Tells null from absent.
pub(super) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A member of staff.
#[derive(Serialize, ToSchema)]
struct StaffView {
    /// Id.
    #[schema(value_type = String, example = "usr_01kapm3v5ne8v9b3r6a2f7qk4d")]
    id: StaffId,
    /// What is typed at login.
    identifier: String,
    /// For people.
    name: String,
    /// What this person may do.
    role: RoleName,
    /// Where; null for admins.
    #[schema(value_type = Option<String>)]
    store_id: Option<StoreId>,
    /// Whether this person may sign in.
    status: StaffStatus,
    /// When the account was made, in wall time.
    created_at: DateTime<Utc>,
    /// Rises by one with every change; the entity tag.
    version: i64,
}

impl From<Staff> for StaffView {
    fn from(row: Staff) -> Self {
        let Staff { id, identifier, name, role, store, active, version, created_at } = row;
        let (role, status) = (role.into(), StaffStatus::of(active));
        Self { id, identifier, name, role, store_id: store, status, created_at, version }
    }
}

/// An admin has no store, everybody else has one that exists.
fn check_post(conn: &mut Connection, role: StaffRole, store: Option<StoreId>) -> Result<(), Failed> {
    let (mistake, detail) = match (role, store) {
        (StaffRole::Admin, None) => return Ok(()),
        (StaffRole::Admin, Some(_)) => ("not_allowed", both("An admin has no store.", "管理员不隶属于门店。")),
        (_, None) => ("required", both("A cashier or manager has a store.", "收银员和店长必须隶属于一家门店。")),
        (_, Some(store)) if shop::find(conn, store)?.is_some() => return Ok(()),
        (_, Some(_)) => ("unknown_store", both("There is no such store.", "门店不存在。")),
    };
    Err(Problem::field(Code::InvalidField, "/store_id", mistake, detail).into())
}

/// What the audit log keeps of a member of staff: no name, no identifier.
fn audited(role: StaffRole, store: Option<StoreId>, active: bool) -> Value {
    json!({ "role": RoleName::from(role), "store_id": store, "status": StaffStatus::of(active) })
}

/// All staff
#[utoipa::path(params(Page), responses((status = 200, description = "A page of staff.", body = ListOf<StaffView>)))]
#[get("/staff")]
async fn list_staff(services: web::Data<Services>, caller: Caller, page: Query<Page>) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadStaff, &Resource::Programme)?;
    let Page { limit, cursor } = page.0;
    let before: Option<StaffId> = cursor.map(|cursor| cursor.open("staff")).transpose()?;
    let rows = services.pool.run(move |conn| staff::list(conn, before, limit.to_read())).await?;
    Ok(HttpResponse::Ok().json(ListOf::new("staff", rows, limit, |row| row.id, StaffView::from)))
}

/// Add somebody to the staff
#[utoipa::path(
    responses((status = 201, description = "Added.", body = StaffView,
        headers(("ETag" = String, description = "The version.")))),
    extensions(("x-problems" = json!(problems(&[Code::IdentifierTaken, Code::PasswordUnfit, Code::TooManyRequests]))))
)]
#[post("/staff")]
async fn create_staff(
    services: web::Data<Services>,
    caller: Caller,
    body: Json<NewStaffRequest>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WriteStaff, &Resource::Programme)?;
    let (actor, now, wall_now) = (caller.actor(), services.clock.now(), services.clock.wall_now());
    let NewStaffRequest { identifier, name, role, store_id, password } = body.0;
    let new = NewStaff {
        identifier: contact::text("/identifier", &identifier, IDENTIFIER_MAX)?,
        name: contact::text("/name", &name, NAME_MAX)?,
        role: role.into(),
        store: store_id,
    };
    let about = [new.identifier.as_str(), new.name.as_str()];
    let hash = services.access.hash_password(&password, SHORTEST_OF_STAFF, &about).await?;
    let row = run_whole(&services, move |conn| {
        check_post(conn, new.role, new.store)?;
        let id = access::create_staff(conn, &new, hash, wall_now)?;
        let object = id.to_string();
        let change = audit::Change {
            action: "staff.create",
            object: &object,
            before: None,
            after: Some(audited(new.role, new.store, true)),
        };
        audit::record(conn, now, actor, change)?;
        Ok(staff::get(conn, id)?.ok_or(Code::Internal)?)
    })
    .await?;
    Ok(versioned(StatusCode::CREATED, row.version, &StaffView::from(row)))
}

/// One member of staff
#[utoipa::path(responses((status = 200, description = "The member of staff.", body = StaffView,
    headers(("ETag" = String, description = "The version.")))))]
#[get("/staff/{id}")]
async fn read_staff(services: web::Data<Services>, caller: Caller, id: Id<StaffId>) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadStaff, &Resource::Programme)?;
    let row = run(&services, move |conn| Ok(staff::get(conn, id.0)?.ok_or(Code::NotFound)?)).await?;
    Ok(versioned(StatusCode::OK, row.version, &StaffView::from(row)))
}

/// Change a member of staff
///
/// Nobody may disable himself or change his own role: somebody must be left to undo it. A new role
/// or store counts from the next request on, in every process within five seconds.
#[utoipa::path(
    params(IfMatch),
    responses((status = 200, description = "Changed.", body = StaffView,
        headers(("ETag" = String, description = "The version.")))),
    extensions(("x-problems" = json!(problems(&[Code::StateConflict]))))
)]
#[patch("/staff/{id}")]
async fn change_staff(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<StaffId>,
    if_match: IfMatch,
    body: Json<StaffPatch>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::WriteStaff, &Resource::Programme)?;
    let (id, now, wall_now) = (id.0, services.clock.now(), services.clock.wall_now());
    let (actor, myself) = (caller.actor(), caller.staff() == Some(id));
    let mut patch = body.0;
    patch.name = patch.name.map(|name| contact::text("/name", &name, NAME_MAX)).transpose()?;
    let (row, disabled) = run_whole(&services, move |conn| {
        let before = staff::get(conn, id)?.ok_or(Code::NotFound)?;
        if_match.check(before.version)?;
        let change = planned(conn, &before, patch, myself)?;
        let row = update(conn, &before, &change, now, actor)?;
        let disabled = before.active && !row.active;
        if disabled {
            session::revoke_all(conn, Principal::Staff(id), None, wall_now)?;
        }
        Ok((row, disabled))
    })
    .await?;
    if disabled {
        // Ended already, with the change; here this process forgets what it remembers of them.
        services.access.end_sessions(Principal::Staff(id)).await?;
    }
    Ok(versioned(StatusCode::OK, row.version, &StaffView::from(row)))
}

/// What a patch means for somebody.
fn planned(conn: &mut Connection, before: &Staff, patch: StaffPatch, myself: bool) -> Result<Change, Failed> {
    let active = patch.status.map(|status| status == StaffStatus::Active);
    let role = patch.role.map_or(before.role, StaffRole::from);
    if myself && (active == Some(false) || role != before.role) {
        let detail =
            both("Nobody may disable himself or change his own role.", "不能停用自己的账户，也不能更改自己的角色。");
        return Err(Problem::new(Code::StateConflict).with_detail(detail).into());
    }
    let store = match patch.store_id {
        Some(store) => store,
        // Whoever becomes an admin leaves the store.
        None => before.store.filter(|_| role != StaffRole::Admin),
    };
    let moves = (role, store) != (before.role, before.store);
    if moves {
        check_post(conn, role, store)?;
    }
    Ok(Change { name: patch.name, post: moves.then_some((role, store)), active })
}

/// Changes the row and notes it; what is the same already is left alone.
fn update(conn: &mut Connection, before: &Staff, change: &Change, now: Instant, actor: Actor) -> Result<Staff, Failed> {
    let renamed = change.name.as_ref().is_some_and(|name| *name != before.name);
    let switched = change.active.is_some_and(|active| active != before.active);
    if !renamed && !switched && change.post.is_none() {
        return Ok(before.clone());
    }
    let row = staff::update(conn, before.id, before.version, change)?.ok_or(Code::VersionConflict)?;
    let mut after = audited(row.role, row.store, row.active);
    if renamed {
        after["fields"] = json!(["name"]);
    }
    let object = before.id.to_string();
    let before = Some(audited(before.role, before.store, before.active));
    let line = audit::Change { action: "staff.change", object: &object, before, after: Some(after) };
    audit::record(conn, now, actor, line)?;
    Ok(row)
}
