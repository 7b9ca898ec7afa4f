//! Sharing a whole number out exactly: shares are floored towards −∞ and what is left goes to the
//! largest fractions, ties to the earlier share (PROGRAMME.md §1).

use crate::amount::OutOfRange;

/// Shares `total` out in the proportions `numerators[i] / denominator`, which need not be whole.
/// The shares sum to `total` exactly.
///
/// `total` must not be below the sum of the floored proportions: callers share a sum that was
/// itself rounded down.
///
/// # Errors
/// A share leaves the range of `i64`, or `denominator` is not positive.
pub fn apportion(total: i64, numerators: &[i128], denominator: i128) -> Result<Vec<i64>, OutOfRange> {
    if denominator <= 0 {
        return Err(OutOfRange);
    }
    let mut shares = Vec::with_capacity(numerators.len());
    let mut left = i128::from(total);
    for numerator in numerators {
        let floor = numerator.div_euclid(denominator);
        left -= floor;
        shares.push(i64::try_from(floor).map_err(|_| OutOfRange)?);
    }
    let mut by_fraction: Vec<usize> = (0..numerators.len()).collect();
    by_fraction.sort_by_key(|&i| (std::cmp::Reverse(numerators[i].rem_euclid(denominator)), i));
    for &i in by_fraction.iter().cycle().take(usize::try_from(left).unwrap_or(0)) {
        shares[i] = shares[i].checked_add(1).ok_or(OutOfRange)?;
    }
    Ok(shares)
}

/// Shares `total` out in proportion to whole `weights`. Where the weights do not sum to something
/// positive there is no proportion, and the first share takes all.
///
/// # Errors
/// An intermediate product leaves the range of `i128`.
pub fn by_weight(total: i64, weights: &[i64]) -> Result<Vec<i64>, OutOfRange> {
    let sum: i128 = weights.iter().map(|&w| i128::from(w)).sum();
    if sum <= 0 {
        return Ok((0..weights.len()).map(|i| if i == 0 { total } else { 0 }).collect());
    }
    let numerators: Vec<i128> = weights.iter().map(|&w| i128::from(w) * i128::from(total)).collect();
    apportion(total, &numerators, sum)
}
