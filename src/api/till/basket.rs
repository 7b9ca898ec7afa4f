//! What is bought and how it is paid: the checks that types alone do not make.

use tessera_rules::amount::MAX_MAGNITUDE;
use tessera_rules::command::{Line, Tender};
use tessera_rules::coupon::canonical;
use tessera_rules::programme::is_code;

use super::within;
use crate::api::contact;
use crate::api::error::{Code, Problem, both};

/// Lines a receipt may have.
const LINES_MAX: usize = 1_000;
/// Tenders a receipt may have.
const TENDERS_MAX: usize = 20;
/// Categories a line may have.
const CATEGORIES_MAX: usize = 8;
/// Characters of an SKU, a category or a tender type.
const NAME_MAX: usize = 64;

/// Checks lines and tenders, which stand in the body under these names.
pub(super) fn check(lines: &[Line], tenders: &[Tender]) -> Result<(), Problem> {
    within("/lines", lines.len(), 1, LINES_MAX)?;
    within("/tenders", tenders.len(), 0, TENDERS_MAX)?;
    for (i, line) in lines.iter().enumerate() {
        if line.quantity.units() <= 0 {
            let detail = both("The quantity must be above 0.", "数量必须大于 0。");
            return Err(Problem::field(Code::InvalidField, format!("/lines/{i}/quantity"), "too_small", detail));
        }
        if line.quantity.units() > MAX_MAGNITUDE {
            let detail = both("The quantity is too large.", "数量过大。");
            return Err(Problem::field(Code::InvalidField, format!("/lines/{i}/quantity"), "too_large", detail));
        }
        within(format_args!("/lines/{i}/categories"), line.categories.len(), 0, CATEGORIES_MAX)?;
        for (j, category) in line.categories.iter().enumerate() {
            contact::text(format_args!("/lines/{i}/categories/{j}"), category, NAME_MAX)?;
        }
        if let Some(sku) = &line.sku {
            contact::text(format_args!("/lines/{i}/sku"), sku, NAME_MAX)?;
        }
    }
    for (i, tender) in tenders.iter().enumerate() {
        contact::text(format_args!("/tenders/{i}/type"), &tender.kind, NAME_MAX)?;
        if tender.amount.get() < 0 {
            let detail = both("A tender is not negative.", "支付金额不能为负数。");
            return Err(Problem::field(Code::InvalidField, format!("/tenders/{i}/amount"), "too_small", detail));
        }
    }
    Ok(())
}

/// Coupons a purchase may name.
const COUPONS_MAX: usize = 20;

/// The codes of coupons as they are kept. They stand in the body under `coupons`; none may be there twice.
pub(super) fn coupons(typed: &[String]) -> Result<Vec<String>, Problem> {
    within("/coupons", typed.len(), 0, COUPONS_MAX)?;
    let mut codes: Vec<String> = Vec::with_capacity(typed.len());
    for (i, typed) in typed.iter().enumerate() {
        contact::text(format_args!("/coupons/{i}"), typed, NAME_MAX)?;
        let code = canonical(typed);
        if codes.contains(&code) {
            let detail = both("The coupon is named twice.", "该优惠券重复。");
            return Err(Problem::field(Code::InvalidField, format!("/coupons/{i}"), "duplicate", detail));
        }
        codes.push(code);
    }
    Ok(codes)
}

/// Checks how a purchase came about, which stands in the body under `channel`.
pub(super) fn channel(code: Option<&str>) -> Result<(), Problem> {
    if code.is_none_or(is_code) {
        return Ok(());
    }
    let detail = both("Expected 1 to 64 of a-z, 0-9, '-' and '_'.", "应为 1 至 64 个小写字母、数字、“-”或“_”。");
    Err(Problem::field(Code::InvalidField, "/channel", "invalid_value", detail))
}
