//! `/v1/admin/promotions`: more points in a schedule.

use tessera_rules::promotion::Promotion;

use super::part_routes::part_routes;

part_routes! {
    Promotion as PromotionView, "promotion" in promotions at "/promotions", written by WritePromotions;
    "/promotions", "/promotions/{id}": "The promotion.";
    /// All promotions
    ///
    /// In no particular order: priority decides which comes first.
    list_promotions;
    /// Add a promotion
    create_promotion;
    /// One promotion
    read_promotion;
    /// Add or replace a promotion
    put_promotion;
    /// Take a promotion away
    delete_promotion;
}
