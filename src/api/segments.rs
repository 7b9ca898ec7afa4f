//! The segments a member is in, as tills, the back office and the member himself are shown them.

use serde::Serialize;
use tessera_rules::id::MemberId;
use utoipa::ToSchema;

use super::Services;
use super::error::{Language, Problem};
use super::page::ListOf;

/// A segment a member is in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MemberSegment {
    /// Code of the segment.
    #[schema(example = "regulars")]
    code: String,
    /// Its name in the reader's language (`Accept-Language`).
    #[schema(example = "Regulars")]
    name: String,
}

/// Who is shown segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// The member himself: those that are visible.
    Member,
    /// Staff: all of them.
    Staff,
}

/// The segments a member is in now, in the order of the programme.
pub(super) async fn of_member(
    services: &Services,
    member: MemberId,
    reader: For,
    language: Language,
) -> Result<ListOf<MemberSegment>, Problem> {
    let (versioned, facts) = services.engine.facts(member).await?.map_err(|refusal| Problem::from(&refusal))?;
    let inside = versioned.programme.segments_of(&facts);
    let shown = versioned.programme.segments.iter().filter(|segment| inside.contains(&segment.code));
    let shown = shown.filter(|segment| reader == For::Staff || segment.visible);
    let view = |segment: &tessera_rules::segment::Segment| MemberSegment {
        code: segment.code.clone(),
        name: language.of(&segment.name).to_owned(),
    };
    Ok(ListOf::whole(shown.map(view).collect()))
}
