//! Who is in a segment: listed page by page, or counted for one that is still being written. Members are asked
//! at the moment of the request, a few thousand at a time, so that no request takes long; a cursor leads on.

use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use tessera_rules::condition::Condition;
use tessera_rules::id::MemberId;
use tessera_rules::segment::Segment;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::part;
use crate::access::{Action, Caller, Resource};
use crate::api::Services;
use crate::api::error::{Code, FieldError, Problem};
use crate::api::extract::{Id, Json, Query};
use crate::api::guard::permit;
use crate::api::openapi::problems;
use crate::api::page::{Cursor, ListOf, Page};
use crate::api::work::run;
use crate::store::member;
use tessera_rules::text::Text;

/// Pages of members that one request asks at most.
const PAGES: u32 = 10;
/// Members of a preview that are named.
const NAMED: usize = 5;

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(segment_members).service(preview_segment);
}

/// A member of a segment.
#[derive(Serialize, ToSchema)]
struct SegmentMember {
    /// Id.
    #[schema(value_type = String, example = "mem_01kapm3v5ne8v9b3r6a2f7qk4d")]
    id: MemberId,
    /// Member code.
    #[schema(example = "482916350718")]
    code: String,
    /// Name.
    #[schema(example = "林小雨")]
    name: String,
}

/// Members as they are shown, in the order of the ids.
async fn shown(services: &Services, ids: Vec<MemberId>) -> Result<Vec<SegmentMember>, Problem> {
    let rows = run(services, move |conn| Ok(member::named(conn, &ids)?)).await?;
    let view = |(id, code, name)| SegmentMember { id: MemberId::new(id), code, name };
    Ok(rows.into_iter().map(view).collect())
}

/// Who is in a segment
///
/// Now, newest member first. Each request asks some thousand members: a page may be short, or empty, while
/// `next_cursor` leads on.
#[utoipa::path(
    params(("id" = String, Path, description = "Code of the segment."), Page),
    responses((status = 200, description = "A page of members.", body = ListOf<SegmentMember>)),
    extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
)]
#[get("/segments/{id}/members")]
async fn segment_members(
    services: web::Data<Services>,
    caller: Caller,
    id: Id<String>,
    page: Query<Page>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadMembers, &Resource::Programme)?;
    let found = services.engine.programme().await?;
    let condition = part::find::<Segment>(&found, &id.0)?.condition.clone();
    let Page { limit, cursor } = page.0;
    let list = format!("segment {}", id.0);
    let mut before: Option<MemberId> = cursor.map(|cursor| cursor.open(&list)).transpose()?;
    let wanted = usize::try_from(limit.get()).unwrap_or(usize::MAX);
    let mut inside = Vec::new();
    let mut more = true;
    for _ in 0..PAGES {
        let asked = services.engine.ask_members(condition.clone(), before).await?;
        inside.extend(asked.inside);
        (before, more) = (asked.last, asked.last.is_some());
        if inside.len() >= wanted || !more {
            break;
        }
    }
    if inside.len() > wanted {
        inside.truncate(wanted);
        (before, more) = (inside.last().copied(), true);
    }
    let next_cursor = before.filter(|_| more).map(|before| Cursor::seal(&list, &before));
    Ok(HttpResponse::Ok().json(ListOf { data: shown(&services, inside).await?, next_cursor }))
}

/// A segment that is being written.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SegmentPreview {
    /// Who would be in it.
    #[schema(value_type = String, max_length = 2000, example = "member.purchases >= 10")]
    when: Condition,
    /// `next_cursor` of the answer before.
    #[serde(default)]
    cursor: Option<Cursor>,
}

/// How far counting came.
#[derive(Serialize, ToSchema)]
struct SegmentCount {
    /// Members in it so far.
    inside: u64,
    /// Members that were asked so far.
    asked: u64,
    /// Members there are.
    members: i64,
    /// Some of those who are in it, newest first.
    examples: Vec<SegmentMember>,
    /// Goes on with the count: send it with the same condition. Null: this is all of them.
    next_cursor: Option<Cursor>,
}

/// Where counting goes on: before whom, how many were in it, and how many were asked.
type Counted = (Option<MemberId>, u64, u64);

/// Count who would be in a segment
///
/// For one that is not saved yet. Each request asks some thousand members and tells how far it came; `cursor`
/// goes on from there.
#[utoipa::path(
    responses((status = 200, description = "The count so far.", body = SegmentCount)),
    extensions(("x-problems" = json!(problems(&[Code::ProgrammeInvalid, Code::CursorInvalid, Code::NoProgramme]))))
)]
#[post("/segments/preview")]
async fn preview_segment(
    services: web::Data<Services>,
    caller: Caller,
    body: Json<SegmentPreview>,
) -> Result<HttpResponse, Problem> {
    permit(&caller, Action::ReadMembers, &Resource::Programme)?;
    let SegmentPreview { when, cursor } = body.0;
    sound(&when)?;
    // A cursor belongs to the condition it counts.
    let list = format!("segment preview {}", when.source());
    let counted: Option<Counted> = cursor.map(|cursor| cursor.open(&list)).transpose()?;
    let (mut before, mut inside, mut asked) = counted.unwrap_or_default();
    let mut examples = Vec::new();
    for _ in 0..PAGES {
        let page = services.engine.ask_members(when.clone(), before).await?;
        inside += page.inside.len() as u64;
        asked += page.asked;
        examples.extend(page.inside.into_iter().take(NAMED - examples.len()));
        before = page.last;
        if before.is_none() {
            break;
        }
    }
    let members = run(&services, |conn| Ok(member::count(conn)?)).await?;
    let next_cursor = before.is_some().then(|| Cursor::seal(&list, &(before, inside, asked)));
    let examples = shown(&services, examples).await?;
    Ok(HttpResponse::Ok().json(SegmentCount { inside, asked, members, examples, next_cursor }))
}

/// Refuses a condition that could not be saved as a segment's.
fn sound(when: &Condition) -> Result<(), Problem> {
    let beyond = when.beyond_member();
    let mut problems = when.problems().iter().chain(&beyond).peekable();
    if problems.peek().is_none() {
        return Ok(());
    }
    Err(problems.fold(Problem::new(Code::ProgrammeInvalid), |told, problem| {
        let detail = Text::from(problem.to_string().as_str());
        told.with_error(FieldError { pointer: "/when".to_owned(), code: problem.code, detail })
    }))
}
