//! `/v1/admin/segments`: groups of members that conditions tell. Who is in one: [`super::segment_members`].

use tessera_rules::segment::Segment;

use super::part_routes::part_routes;

part_routes! {
    Segment as SegmentView, "segment" in segments at "/segments", written by WriteSegments;
    "/segments", "/segments/{id}": "The segment.";
    /// All segments
    ///
    /// Groups of members that a condition tells. Who is in one is asked whenever somebody needs to know, and so
    /// is never out of date.
    list_segments;
    /// Add a segment
    create_segment;
    /// One segment
    read_segment;
    /// Add or replace a segment
    put_segment;
    /// Take a segment away
    ///
    /// Refused while a promotion, a coupon or a price is for it.
    delete_segment;
}
