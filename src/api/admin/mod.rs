//! Routes under `/v1/admin`: what runs the programme, its shops, its staff, its keys and its members.
//!
//! Every change leaves a line in the audit log, in the transaction of the change, without secrets
//! and without personal data. The parts of the programme (tiers, earning rules, promotions, rewards,
//! perks, coupons, prices, segments) are one versioned document: they share its version as their entity tag.

mod adjustments;
mod api_keys;
mod audit;
mod coupons;
mod early_access;
mod earning_rules;
mod events;
mod issued_coupons;
mod members;
mod part;
mod part_routes;
mod perks;
mod prices;
mod programme;
mod promotion_life;
mod promotions;
mod re_ratings;
mod rewards;
mod schedule;
pub(in crate::api) mod schemas;
mod segment_members;
mod segments;
mod simulate;
mod staff;
mod stores;
mod tickets;
mod tiers;
mod voucher_codes;

use utoipa_actix_web::service_config::ServiceConfig;

/// Registers them.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config
        .configure(programme::routes)
        .configure(schedule::routes)
        .configure(simulate::routes)
        .configure(tiers::routes)
        .configure(earning_rules::routes)
        .configure(promotions::routes)
        .configure(promotion_life::routes)
        .configure(events::routes)
        .configure(segments::routes)
        .configure(segment_members::routes)
        .configure(rewards::routes)
        .configure(voucher_codes::routes)
        .configure(tickets::routes)
        .configure(perks::routes)
        .configure(coupons::routes)
        .configure(issued_coupons::routes)
        .configure(prices::routes)
        .configure(early_access::routes)
        .configure(stores::routes)
        .configure(staff::routes)
        .configure(api_keys::routes)
        .configure(members::routes)
        .configure(adjustments::routes)
        .configure(re_ratings::routes)
        .configure(audit::routes);
}
