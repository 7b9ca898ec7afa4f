//! `/v1/admin/prices`: what articles cost members.

use tessera_rules::price::MemberPrice;

use super::part_routes::part_routes;

part_routes! {
    MemberPrice as MemberPriceView, "price" in prices.member at "/prices/member", written by WritePrices;
    "/prices", "/prices/{id}": "The member price.";
    /// All member prices
    ///
    /// Of several that hold for an article the lowest counts.
    list_prices;
    /// Add a member price
    create_price;
    /// One member price
    read_price;
    /// Add or replace a member price
    put_price;
    /// Take a member price away
    delete_price;
}
