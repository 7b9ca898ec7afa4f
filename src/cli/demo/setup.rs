//! Everything the demo needs before the first purchase: the programme, the stores, and one login
//! for each role. Every step may be done again and then changes nothing.

use anyhow::Context as _;
use serde_json::json;
use tessera_rules::Programme;
use tessera_rules::id::{MemberId, StoreId};
use tessera_rules::time::Instant;

use super::logins::{Login, Logins};
use super::people;
use crate::access::{NewStaff, Principal, StaffRole, password, set_member_password};
use crate::cli::desk::Desk;
use crate::cli::staff::{self as staff_command, OPERATOR};
use crate::clock::new_uuid;
use crate::engine::configure::{self, Applied, ApplyError};
use crate::engine::enrol;
use crate::store::audit::{self, Change};
use crate::store::db::{Connection, transaction};
use crate::store::{self, member, secret, shop, staff};

/// Code and name of the stores.
const STORES: [(&str, &str); 3] =
    [("shanghai", "上海南京路店 Shanghai"), ("hangzhou", "杭州西湖店 Hangzhou"), ("suzhou", "苏州平江店 Suzhou")];

/// A store of the demo.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shop {
    pub(super) id: StoreId,
    pub(super) code: &'static str,
}

/// Puts the programme in force, unless it is already.
pub(super) fn programme(desk: &Desk, programme: &Programme, name: &str) -> anyhow::Result<Applied> {
    let at = desk.clock.now();
    let applied = desk
        .pool
        .blocking(|conn| Ok(configure::apply(conn, None, programme, at, OPERATOR, "programme.apply", "programme")))?;
    match applied {
        Err(ApplyError::Problems(problems)) => {
            let list: Vec<String> =
                problems.iter().map(|p| format!("{}: {} ({})", p.pointer, p.detail, p.code)).collect();
            anyhow::bail!("{name}:\n{}", list.join("\n"))
        }
        applied => Ok(applied?),
    }
}

/// The stores, made where they are missing.
pub(super) fn stores(desk: &Desk) -> anyhow::Result<Vec<Shop>> {
    let at = desk.clock.now();
    let shops = desk.pool.blocking(|conn| {
        transaction(conn, |conn| STORES.into_iter().map(|(code, name)| store_of(conn, code, name, at)).collect())
    })?;
    Ok(shops)
}

fn store_of(conn: &mut Connection, code: &'static str, name: &str, at: Instant) -> Result<Shop, store::Error> {
    if let Some(found) = shop::by_code(conn, code)? {
        return Ok(Shop { id: found.store(), code });
    }
    let row =
        shop::ShopRow { id: new_uuid(), code: code.to_owned(), name: name.to_owned(), version: 1, created_at: at };
    shop::insert(conn, &row)?;
    let object = row.store().to_string();
    let after = Some(json!({ "code": code, "name": name }));
    audit::record(conn, at, OPERATOR, Change { action: "store.create", object: &object, before: None, after })?;
    Ok(Shop { id: row.store(), code })
}

/// The logins, made where they are missing; where they exist their passwords become those of the
/// list, so that what is printed opens the door.
pub(super) fn logins(desk: &Desk, logins: &Logins, shops: &[Shop], enrolled_at: Instant) -> anyhow::Result<MemberId> {
    let shop = shops.first().context("the demo has no store")?;
    let (wall, at) = (desk.clock.wall_now(), desk.clock.now());
    let mut member = None;
    for login in &logins.logins {
        let hash = password::hash_now(&login.password)?;
        let pin_hash = login.pin.as_deref().map(password::hash_now).transpose()?;
        desk.pool.blocking(|conn| {
            transaction(conn, |conn| match login.role.staff() {
                Some(role) => staff_login(conn, login, role, hash, shop, (wall, at)),
                None => {
                    let id = member_login(conn, enrolled_at, shop.id)?;
                    set_member_password(conn, id, &hash)?;
                    if let Some(pin_hash) = &pin_hash {
                        secret::set_pin_hash(conn, id, pin_hash)?;
                    }
                    member = Some(id);
                    Ok(())
                }
            })
        })?;
    }
    member.context("the list of logins names no member")
}

fn staff_login(
    conn: &mut Connection,
    login: &Login,
    role: StaffRole,
    hash: String,
    shop: &Shop,
    (wall, at): (Instant, Instant),
) -> Result<(), store::Error> {
    if let Some(found) = staff::find(conn, &login.identifier)? {
        secret::set_password_hash(conn, Principal::Staff(found.id), &hash)?;
        return Ok(());
    }
    let shop = Some(shop).filter(|_| role != StaffRole::Admin);
    let new = NewStaff {
        identifier: login.identifier.clone(),
        name: format!("Demo {}", role.as_str()),
        role,
        store: shop.map(|shop| shop.id),
    };
    staff_command::add(conn, &new, hash, wall, at, shop.map(|shop| shop.code))?;
    Ok(())
}

fn member_login(conn: &mut Connection, enrolled_at: Instant, store: StoreId) -> Result<MemberId, store::Error> {
    let key = member::Key::ExternalId(people::external_id(0));
    if let Some(found) = member::by_key(conn, &key)? {
        return Ok(found.member());
    }
    Ok(enrol(conn, people::sample_login(enrolled_at, store))?.member())
}
