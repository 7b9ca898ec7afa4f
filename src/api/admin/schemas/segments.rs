//! Segments as they look on the wire.

use utoipa::ToSchema;

use super::Text;

/// A group of members.
#[derive(ToSchema)]
pub(in crate::api::admin) struct Segment {
    /// Names the segment.
    #[schema(pattern = "^[a-z0-9_-]{1,64}$", example = "regulars")]
    code: String,
    /// What people see.
    name: Text,
    /// Who is in it: a condition in CEL on `member` and `now`, see `docs/conditions.md`. It may name no other
    /// segment.
    #[schema(max_length = 2000, example = "member.purchases >= 10 && member.days_since_purchase <= 60")]
    when: String,
    /// Whether the member is shown that he is in it; staff always are.
    #[schema(required = false, default = false)]
    visible: bool,
}

/// A segment as it is shown.
#[derive(ToSchema)]
pub(in crate::api::admin) struct SegmentView {
    /// The code.
    id: String,
    #[serde(flatten)]
    segment: Segment,
}
