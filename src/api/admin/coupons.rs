//! `/v1/admin/coupons`: the kinds of coupons there are.

use tessera_rules::coupon::CouponType;

use super::part_routes::part_routes;

part_routes! {
    CouponType as CouponTypeView, "coupon" in coupons at "/coupons", written by WriteCoupons;
    "/coupons", "/coupons/{id}": "The kind of coupon.";
    /// All kinds of coupons
    ///
    /// What is issued carries a code of its own and points to its kind.
    list_coupons;
    /// Add a kind of coupon
    create_coupon;
    /// One kind of coupon
    read_coupon;
    /// Add or replace a kind of coupon
    put_coupon;
    /// Take a kind of coupon away
    delete_coupon;
}
