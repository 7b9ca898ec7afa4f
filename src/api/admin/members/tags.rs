//! The tags of a member: put on and taken off by staff, with all that was ever changed.

use actix_web::{HttpResponse, delete, get, put, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tessera_rules::command::ChangeTag;
use tessera_rules::id::MemberId;
use tessera_rules::tag::{Tag, TagStep};
use tessera_rules::time::to_micros;
use tessera_rules::{Command, Outcome};
use utoipa::ToSchema;

use super::known;
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::error::{Code, Problem, both};
use crate::api::extract::{Id, Json, Path, Query, Reader};
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::page::{ListOf, Page};
use crate::api::submit::{self, answer};
use crate::api::tags::{self, MemberTag};
use crate::api::work::{ActorView, run};
use crate::engine::{Answer, Audit, Submission, Time};
use crate::store::tag::{self, TagChangeRow};

/// For how long a member has a tag.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PutTag {
    /// From when no longer; in the future. Null or absent: until it is taken off.
    #[serde(default)]
    #[schema(example = "2027-01-01T00:00:00Z")]
    until: Option<DateTime<Utc>>,
}

/// A tag that was put on a member or taken off.
#[derive(Serialize, ToSchema)]
struct TagChanged {
    /// The tag.
    #[schema(example = "vip")]
    tag: String,
    /// When.
    at: DateTime<Utc>,
    /// Whether the member has it from then on.
    held: bool,
    /// From when no longer; null: until it is taken off.
    until: Option<DateTime<Utc>>,
    /// `staff`, `promotion` or `merge`: an account that was merged into this one had it.
    #[schema(example = "staff")]
    cause: String,
    /// Code of the promotion, where it was one.
    promotion: Option<String>,
    /// Who.
    actor: ActorView,
}

impl From<TagChangeRow> for TagChanged {
    fn from(row: TagChangeRow) -> Self {
        let TagChangeRow { tag, at, held, until, cause, promotion, actor_role, actor_id, .. } = row;
        Self { tag, at, held, until, cause, promotion, actor: ActorView::of(actor_role, actor_id) }
    }
}

/// A member's tags
#[utoipa::path(
    responses((status = 200, description = "In alphabetical order.", body = ListOf<MemberTag>)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown]))))
)]
#[get("/members/{id}/tags")]
pub(super) async fn member_tags(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<MemberId>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadMembers, &Resource::Member(id.0))?;
    Ok(HttpResponse::Ok().json(tags::of_member(&services, id.0).await?))
}

/// How a member's tags were changed
#[utoipa::path(
    params(Page),
    responses((status = 200, description = "A page of changes.", body = ListOf<TagChanged>)),
    extensions(("x-problems" = json!(problems(&[Code::MemberUnknown]))))
)]
#[get("/members/{id}/tag-changes")]
pub(super) async fn member_tag_changes(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<MemberId>,
    page: Query<Page>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadMembers, &Resource::Member(id.0))?;
    let Page { limit, cursor } = page.0;
    let before: Option<i64> = cursor.map(|cursor| cursor.open("tag-changes")).transpose()?;
    let read = move |conn: &mut _| {
        known(conn, id.0)?;
        Ok(tag::history(conn, id.0, before, limit.to_read())?)
    };
    let rows = run(&services, read).await?;
    Ok(HttpResponse::Ok().json(ListOf::new("tag-changes", rows, limit, |row| row.seq, TagChanged::from)))
}

/// Put a tag on a member
///
/// Whoever has it already has it until then from now on. The answer is all tags the member has.
#[utoipa::path(
    params(
        ("id" = String, Path, description = "The member."),
        ("code" = String, Path, description = "The tag: 1 to 32 of a-z, 0-9, '-' and '_'.")
    ),
    responses((status = 200, description = "The member has it.", body = ListOf<MemberTag>)),
    extensions(("x-problems" = json!(problems(PROBLEMS))))
)]
#[put("/members/{id}/tags/{code}")]
pub(super) async fn put_tag(
    services: web::Data<Services>,
    caller: Caller,
    reader: Reader,
    Path((member, tag)): Path<(MemberId, String)>,
    body: Json<PutTag>,
) -> Result<HttpResponse, Problem> {
    let until = body.0.until.map(to_micros);
    change(&services, &caller, reader, member, &tag, TagStep::Put { until }).await
}

/// Take a tag off a member
///
/// Whoever does not have it stays as he is. The answer is all tags the member has.
#[utoipa::path(
    params(
        ("id" = String, Path, description = "The member."),
        ("code" = String, Path, description = "The tag.")
    ),
    responses((status = 200, description = "The member does not have it.", body = ListOf<MemberTag>)),
    extensions(("x-problems" = json!(problems(PROBLEMS))))
)]
#[delete("/members/{id}/tags/{code}")]
pub(super) async fn take_tag_off(
    services: web::Data<Services>,
    caller: Caller,
    reader: Reader,
    Path((member, tag)): Path<(MemberId, String)>,
) -> Result<HttpResponse, Problem> {
    change(&services, &caller, reader, member, &tag, TagStep::TakeOff).await
}

const PROBLEMS: &[Code] =
    &[Code::MemberUnknown, Code::MemberMerged, Code::InvalidPath, Code::TagOver, Code::TooManyTags, Code::NoProgramme];

async fn change(
    services: &Services,
    caller: &Caller,
    reader: Reader,
    member: MemberId,
    tag: &str,
    step: TagStep,
) -> Result<HttpResponse, Problem> {
    permit(caller, Action::ChangeMemberTags, &Resource::Member(member))?;
    let tag: Tag = tag.parse().map_err(|error| {
        let detail = both(format!("{error}."), "标签为 1 至 32 个小写字母、数字、“-”或“_”。");
        Problem::new(Code::InvalidPath).with_detail(detail)
    })?;
    let submission = Submission {
        member,
        audit: Some(audit(member, &tag, step)),
        command: Command::Tag(ChangeTag { tag, step }),
        actor: caller.actor(),
        time: Time::Live,
        claim: None,
        render: submit::render(Some(reader), show),
    };
    submit::send(services, submission).await
}

fn audit(member: MemberId, tag: &Tag, step: TagStep) -> Audit {
    let (action, after): (_, Option<Value>) = match step {
        TagStep::Put { until } => ("member.put_tag", Some(json!({ "tag": tag, "until": until }))),
        TagStep::TakeOff => ("member.take_tag_off", None),
    };
    let before = after.is_none().then(|| json!({ "tag": tag }));
    Audit { action, object: member.to_string(), before, after }
}

fn show(outcome: &Outcome) -> Answer {
    let Outcome::Tags(tags) = outcome else { return answer(500, &()) };
    answer(200, &ListOf::whole(tags.iter().map(MemberTag::from).collect()))
}
