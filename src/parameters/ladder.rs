//! Ladders of take profits as they are written: `50@100, 25@300`.

use std::fmt;
use std::str::FromStr;

use hindsight_udfs::decimal;

/// What a ladder must be.
pub const EXPECTED: &str = "1 to 6 steps share@gain in percent, such as 50@100, 25@300";

const STEPS_MAX: usize = 6;
/// Percentages have four fractional digits.
const PERCENT_DIGITS: i8 = 4;
const HUNDRED_PERCENT: i128 = 1_000_000;
/// The largest gain, 100,000 %.
const GAIN_LIMIT: i128 = 1_000_000_000;

/// Steps of share and gain, percent × 10^4; gains ascend.
#[derive(Debug, PartialEq, Eq)]
pub struct Ladder(Vec<(i128, i128)>);

impl Ladder {
    /// How much of the position its steps sell, percent × 10^4.
    pub fn shares(&self) -> i128 {
        self.0.iter().map(|(share, _)| share).sum()
    }
}

impl FromStr for Ladder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let percent = |text: &str| {
            let (mantissa, scale) = decimal::parse(text.trim())?;
            decimal::rescale_exact(mantissa, scale, PERCENT_DIGITS)
        };
        let step = |step: &str| {
            let (share, gain) = step.split_once('@')?;
            Some((percent(share)?, percent(gain)?))
        };
        let steps: Option<Vec<_>> = text.split(',').map(step).collect();
        let steps = steps.filter(|steps| steps.len() <= STEPS_MAX);
        let ladder = Self(steps.ok_or(EXPECTED)?);
        let is_inside = |(share, gain): &(i128, i128)| *share > 0 && *gain > 0;
        if !ladder.0.iter().all(is_inside) {
            return Err("of shares and gains above 0, such as 50@100, 25@300".into());
        }
        if ladder.0.iter().any(|(_, gain)| *gain >= GAIN_LIMIT) {
            return Err("of gains below 100000, such as 50@100, 25@300".into());
        }
        if !ladder.0.is_sorted_by(|(_, a), (_, b)| a < b) {
            return Err("of gains that rise, such as 50@100, 25@300".into());
        }
        if ladder.shares() > HUNDRED_PERCENT {
            return Err("of shares that sum to at most 100, such as 50@100, 25@300".into());
        }
        Ok(ladder)
    }
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (share, gain)) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            let number = |percent| decimal::format(percent, PERCENT_DIGITS);
            write!(f, "{separator}{}@{}", number(*share), number(*gain))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ladders_are_read_and_written_without_needless_digits() {
        let written = |text: &str| text.parse::<Ladder>().map(|ladder| ladder.to_string());
        for (text, expected) in [
            ("50@100, 25@300", "50@100, 25@300"),
            (" 50.50 @ 100.0,25@3e2 ", "50.5@100, 25@300"),
            ("100@0.0001", "100@0.0001"),
        ] {
            assert_eq!(written(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn each_wrong_ladder_is_told_what_is_right() {
        for (text, expected) in [
            ("", "1 to 6 steps"),
            ("50", "1 to 6 steps"),
            ("50@", "1 to 6 steps"),
            ("@100", "1 to 6 steps"),
            ("50@100,", "1 to 6 steps"),
            ("50%@2x", "1 to 6 steps"),
            ("50@100@200", "1 to 6 steps"),
            ("50.00001@100", "1 to 6 steps"),
            ("1@1,1@2,1@3,1@4,1@5,1@6,1@7", "1 to 6 steps"),
            ("-50@100", "above 0"),
            ("0@100", "above 0"),
            ("50@0", "above 0"),
            ("50@100000", "below 100000"),
            ("50@300, 25@100", "that rise"),
            ("50@100, 25@100", "that rise"),
            ("60@10, 60@20", "at most 100"),
        ] {
            let refused = text.parse::<Ladder>().err();
            let is_told = |told: String| told.contains(expected) && told.contains("50@100");
            assert!(refused.is_some_and(is_told), "{text}");
        }
    }
}
