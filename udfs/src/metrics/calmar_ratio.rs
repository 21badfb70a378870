//! The Calmar ratio: what a year earns beside the largest fall on the way.

use datafusion::common::Result;

use super::moments::YEAR_DAYS;
use crate::arguments::refuse;
use crate::decimal::multiply_divide_half_even;

/// `sum × 365/days / drawdown` rounded half to even, × 10^4; `None` without days or drawdown.
pub fn calmar_ratio(sum: i128, days: i64, drawdown: i128) -> Result<Option<i128>> {
    let below = i128::from(days).saturating_mul(drawdown);
    if below == 0 {
        return Ok(None);
    }
    match multiply_divide_half_even(sum, i128::from(YEAR_DAYS) * 10_000, below) {
        Some(ratio) => Ok(Some(ratio)),
        None => refuse(
            "pnl",
            "small enough for the ratio to be worked out",
            sum.to_string(),
        ),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn is_undefined_without_a_fall() {
        assert_eq!(calmar_ratio(5, 10, 0).unwrap(), None);
        assert_eq!(calmar_ratio(5, 0, 5).unwrap(), None);
        assert_eq!(calmar_ratio(-2, 365, 1).unwrap(), Some(-20_000));
        assert_eq!(calmar_ratio(1, 3, 1).unwrap(), Some(1_216_667));
    }
}
