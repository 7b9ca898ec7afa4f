//! `/v1/admin/early-access`: goods that are for some tiers first.

use tessera_rules::price::EarlyAccess;

use super::part_routes::part_routes;

part_routes! {
    EarlyAccess as EarlyAccessView, "early_access" in prices.early_access at "/prices/early_access", written by WritePrices;
    "/early-access", "/early-access/{id}": "The window of early access.";
    /// All windows of early access
    ///
    /// Through its last day only members of a tier and above may buy the goods.
    list_early_access;
    /// Add a window of early access
    create_early_access;
    /// One window of early access
    read_early_access;
    /// Add or replace a window of early access
    put_early_access;
    /// Take a window of early access away
    delete_early_access;
}
