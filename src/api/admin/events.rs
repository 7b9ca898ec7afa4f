//! `/v1/admin/events`: the kinds of events that other systems tell of.

use tessera_rules::event::EventType;

use super::part_routes::part_routes;

part_routes! {
    EventType as EventTypeView, "event" in events at "/events", written by WritePromotions;
    "/events", "/events/{id}": "The kind of event.";
    /// All kinds of events
    ///
    /// What happens to members is told under the code of its kind (`POST /v1/till/members/{id}/events`), and promotions
    /// wait for it.
    list_events;
    /// Add a kind of event
    create_event;
    /// One kind of event
    read_event;
    /// Add or replace a kind of event
    put_event;
    /// Take a kind of event away
    delete_event;
}
