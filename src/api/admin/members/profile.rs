//! Finding members, and reading one in full.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tessera_rules::amount::Points;
use tessera_rules::id::{MemberId, StoreId};
use tessera_rules::time::BirthDate;
use utoipa::ToSchema;
use uuid::Uuid;

use super::known;
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::contact;
use crate::api::error::{Code, Problem, both};
use crate::api::extract::{Id, Query};
use crate::api::guard::permit;
use crate::api::linked::LinkView;
use crate::api::openapi::problems;
use crate::api::page::{Cursor, Limit, ListOf};
use crate::api::views::BalanceView;
use crate::api::work::{run, versioned};
use crate::engine::Settled;
use crate::store::db::Connection;
use crate::store::link;
use crate::store::member::{self, Key, MemberRow};
use tessera_rules::decision::Balance;

/// Whom to find. What is given must all hold.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct MemberQuery {
    /// The beginning of the name, in any case.
    name: Option<String>,
    /// The phone number, in full.
    #[param(example = "+8613800138000")]
    phone: Option<String>,
    /// The e-mail address, in full.
    email: Option<String>,
    /// The member code, in full.
    code: Option<String>,
    /// The id in another system, in full.
    external_id: Option<String>,
    /// How many rows.
    #[serde(default)]
    limit: Limit,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: Option<Cursor>,
}

/// A member in full.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MemberView {
    /// Id.
    #[schema(value_type = String, example = "mem_01kapm3v5ne8v9b3r6a2f7qk4d")]
    id: MemberId,
    /// Member code: identifies, never spends.
    #[schema(example = "482916350718")]
    code: String,
    /// Name.
    #[schema(example = "林小雨")]
    name: String,
    /// International number.
    #[schema(example = "+8613800138000")]
    phone: Option<String>,
    /// E-mail address.
    email: Option<String>,
    /// `YYYY-MM-DD` or `--MM-DD`.
    #[schema(value_type = Option<String>, example = "1990-02-28")]
    birth_date: Option<BirthDate>,
    /// Language of messages.
    #[schema(example = "zh-CN")]
    locale: String,
    /// The id in another system.
    external_id: Option<String>,
    /// `active` or `frozen`.
    #[schema(example = "active")]
    status: String,
    /// Where the member enrolled.
    #[schema(value_type = Option<String>)]
    store_id: Option<StoreId>,
    /// When.
    enrolled_at: DateTime<Utc>,
    /// Rises by one with every change; the entity tag.
    version: i64,
}

impl From<MemberRow> for MemberView {
    fn from(row: MemberRow) -> Self {
        Self {
            id: row.member(),
            birth_date: row.birth_date(),
            code: row.code,
            name: row.name,
            phone: row.phone,
            email: row.email,
            locale: row.locale,
            external_id: row.external_id,
            status: row.status,
            store_id: row.store_id.map(StoreId::new),
            enrolled_at: row.enrolled_at,
            version: row.version,
        }
    }
}

/// Where a member stands.
#[derive(Debug, Serialize, ToSchema)]
struct StandingView {
    /// Points per account.
    balance: BalanceView,
    /// Everything ever earned.
    #[schema(value_type = i64)]
    lifetime_earned: Points,
    /// Purchases so far.
    purchases: i64,
    /// Code of the tier.
    #[schema(example = "gold")]
    tier: String,
    /// Since when.
    tier_since: DateTime<Utc>,
    /// The moment all this was true.
    as_of: DateTime<Utc>,
}

impl StandingView {
    fn of(settled: &Settled) -> Self {
        let (programme, standing) = (&settled.programme.programme, &settled.member.standing);
        Self {
            balance: Balance::from(standing).into(),
            lifetime_earned: standing.lifetime_earned,
            purchases: standing.purchases,
            tier: programme.tier(programme.tier_position(&standing.tier)).code.clone(),
            tier_since: standing.tier_since,
            as_of: standing.recorded_at,
        }
    }
}

/// A member with what he owns.
#[derive(Debug, Serialize, ToSchema)]
struct MemberInFull {
    #[serde(flatten)]
    member: MemberView,
    /// Where he stands.
    standing: StandingView,
    /// With whom his points are kept, because both are one person or of one household; null: with himself.
    link: Option<LinkView>,
    /// How many others have joined the household pool that he is the head of.
    household: i32,
    /// The accounts that were merged into this one.
    #[schema(value_type = Vec<String>)]
    merged: Vec<MemberId>,
}

/// What a query means: the keys to match, and the name to begin with.
struct Wanted {
    keys: Vec<Key>,
    name: Option<String>,
    before: Option<Uuid>,
    limit: i64,
}

impl Wanted {
    fn of(query: MemberQuery) -> Result<Self, Problem> {
        let unsound = |name: &'static str| {
            Problem::field(Code::InvalidQuery, name, "invalid_value", both("This is none.", "格式不正确。"))
        };
        let phone = query.phone.map(|text| contact::normal_phone(&text).map(Key::Phone).ok_or(unsound("/phone")));
        let email = query.email.map(|text| contact::normal_email(&text).map(Key::Email).ok_or(unsound("/email")));
        let mut keys: Vec<Key> = [phone, email].into_iter().flatten().collect::<Result<_, _>>()?;
        keys.extend(query.code.map(Key::Code));
        keys.extend(query.external_id.map(Key::ExternalId));
        let before = query.cursor.map(|cursor| cursor.open("members")).transpose()?;
        Ok(Self { keys, name: query.name, before, limit: query.limit.to_read() })
    }

    fn find(&self, conn: &mut Connection) -> Result<Vec<MemberRow>, crate::store::Error> {
        let Some(key) = self.keys.first() else {
            return member::search(conn, self.name.as_deref(), self.before, self.limit);
        };
        // A key has one member: what else is asked is asked of him.
        let found = member::by_key(conn, key)?.filter(|row| self.fits(row));
        Ok(found.into_iter().filter(|row| self.before.is_none_or(|before| row.id < before)).collect())
    }

    fn fits(&self, row: &MemberRow) -> bool {
        let named = self.name.as_ref().is_none_or(|name| row.name.to_lowercase().starts_with(&name.to_lowercase()));
        named
            && self.keys.iter().all(|key| match key {
                Key::Phone(phone) => row.phone.as_ref() == Some(phone),
                Key::Email(email) => row.email.as_ref() == Some(email),
                Key::Code(code) => row.code == *code,
                Key::ExternalId(id) => row.external_id.as_ref() == Some(id),
            })
    }
}

/// Find members
///
/// All of them without a filter, newest first.
#[utoipa::path(
    params(MemberQuery),
    responses((status = 200, description = "A page of members.", body = ListOf<MemberView>))
)]
#[get("/members")]
pub(super) async fn list_members(
    services: web::Data<Services>,
    caller: Caller,
    query: Query<MemberQuery>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadMembers, &Resource::Programme)?;
    let (limit, wanted) = (query.0.limit, Wanted::of(query.0)?);
    let rows = services.pool.run(move |conn| wanted.find(conn)).await?;
    Ok(HttpResponse::Ok().json(ListOf::new("members", rows, limit, |row| row.id, MemberView::from)))
}

/// One member
///
/// The profile, and where the member stands: settled to now.
#[utoipa::path(
    responses((status = 200, description = "The member.", body = MemberInFull,
        headers(("ETag" = String, description = "The version of the profile.")))),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown, Code::NoProgramme]))))
)]
#[get("/members/{id}")]
pub(super) async fn read_member(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<MemberId>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadMembers, &Resource::Member(id.0))?;
    let read = move |conn: &mut _| Ok((known(conn, id.0)?, link::tied_to(conn, id.0, link::MERGED)?));
    let (row, tied) = run(&services, read).await?;
    let settled = services.settled(id.0).await?;
    let (version, now) = (row.version, &settled.member.standing);
    let member = MemberInFull {
        member: row.into(),
        standing: StandingView::of(&settled),
        link: now.link.map(LinkView::from),
        household: now.household,
        merged: tied.into_iter().map(|tied| MemberId::new(tied.member)).collect(),
    };
    Ok(versioned(StatusCode::OK, version, &member))
}
