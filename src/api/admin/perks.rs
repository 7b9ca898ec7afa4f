//! `/v1/admin/perks`: what members are given for an occasion.

use tessera_rules::perk::Perk;

use super::part_routes::part_routes;

part_routes! {
    Perk as PerkView, "perk" in perks at "/perks", written by WritePerks;
    "/perks", "/perks/{id}": "The perk.";
    /// All perks
    ///
    /// Each is granted once per member and occasion.
    list_perks;
    /// Add a perk
    create_perk;
    /// One perk
    read_perk;
    /// Add or replace a perk
    put_perk;
    /// Take a perk away
    delete_perk;
}
