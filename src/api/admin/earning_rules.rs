//! `/v1/admin/earning-rules`: multipliers for categories and articles.

use tessera_rules::programme::EarningRule;

use super::part_routes::part_routes;

part_routes! {
    EarningRule as EarningRuleView, "earning_rule" in earning.rules at "/earning/rules", written by WriteEarningRules;
    "/earning-rules", "/earning-rules/{id}": "The earning rule.";
    /// All earning rules
    ///
    /// Of those that match a line the largest multiplier counts. The base rate, the caps and what earns nothing stand in the programme itself.
    list_earning_rules;
    /// Add an earning rule
    create_earning_rule;
    /// One earning rule
    read_earning_rule;
    /// Add or replace an earning rule
    put_earning_rule;
    /// Take an earning rule away
    delete_earning_rule;
}
