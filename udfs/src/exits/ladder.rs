//! A take-profit ladder: which share of a position is sold at which gain, such as
//! `50@100, 25@300` for half of it at + 100 % and a quarter at + 300 %.
//!
//! One to six steps; shares above 0 that sum to at most 100, gains above 0 that ascend, both in
//! percent with at most four fractional digits. What the steps leave over has no target. A text
//! that is no ladder is refused with what a ladder must be, and one that would be right.

use std::fmt;
use std::str::FromStr;

use super::words::HUNDRED_PERCENT;
use crate::decimal::{format, parse, rescale_exact};

/// The most steps of a ladder.
pub const STEPS_MAX: usize = 6;
/// The fractional digits of percentages, and what is just too much for their type.
const PERCENT_DIGITS: i8 = 4;
const PERCENT_LIMIT: i128 = 1_000_000_000;
/// What a ladder must be, in short.
pub const EXPECTED: &str = "1 to 6 steps share@gain in percent, such as 50@100, 25@300";
/// The ladder that a refusal shows.
const EXAMPLE: &str =
    "'50@100, 25@300' for 50 % of the position at a gain of 100 % and 25 % at 300 %";

/// One step; percentages × 10^4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Step {
    /// Of the whole position.
    pub share: i64,
    pub gain: i64,
}

/// The steps of a ladder, gains ascending.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ladder(Vec<Step>);

impl Ladder {
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// What the steps sell in all, × 10^4.
    pub fn shares(&self) -> i64 {
        self.0.iter().map(|step| step.share).sum()
    }

    /// Whether the steps leave room for a moonbag of this share, × 10^4; else what they must be.
    pub fn check_beside(&self, moonbag: i64) -> Result<(), String> {
        let (left, moonbag) = (HUNDRED_PERCENT - moonbag, percent(moonbag));
        match left {
            left if self.shares() <= left => Ok(()),
            0 => Err(format!("none beside a moonbag_percent of {moonbag}")),
            left => Err(format!(
                "of shares that sum to at most {left}, beside a moonbag_percent of {moonbag}, such \
                 as {left}@100",
                left = percent(left)
            )),
        }
    }
}

impl FromStr for Ladder {
    type Err = String;

    /// The error says what a ladder must be.
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = |what: &str| format!("{what}, such as {EXAMPLE}");
        let steps: Vec<&str> = text.split(',').map(str::trim).collect();
        if text.trim().is_empty() || steps.len() > STEPS_MAX {
            return Err(expected("1 to 6 steps share@gain with commas between"));
        }
        let mut ladder = Self(Vec::with_capacity(steps.len()));
        for step in steps {
            let Some((share, gain)) = step.split_once('@') else {
                return Err(expected("1 to 6 steps share@gain with commas between"));
            };
            let (share, gain) = match (number(share), number(gain)) {
                (Some(share), Some(gain)) => (share, gain),
                _ => {
                    return Err(expected(
                        "1 to 6 steps share@gain of two plain numbers of percent with at most 4 \
                         fractional digits",
                    ));
                }
            };
            if share <= 0 {
                return Err(expected("steps share@gain with shares above 0"));
            }
            if gain <= 0 {
                return Err(expected("steps share@gain with gains above 0"));
            }
            if i128::from(gain) >= PERCENT_LIMIT {
                return Err(expected("steps share@gain with gains below 100000"));
            }
            if ladder.0.last().is_some_and(|last| last.gain >= gain) {
                return Err(expected("steps share@gain with gains that ascend"));
            }
            ladder.0.push(Step { share, gain });
            if ladder.shares() > HUNDRED_PERCENT {
                return Err(expected(
                    "steps share@gain with shares that sum to at most 100",
                ));
            }
        }
        Ok(ladder)
    }
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(
                f,
                "{separator}{}@{}",
                percent(step.share),
                percent(step.gain)
            )?;
        }
        Ok(())
    }
}

/// A percentage × 10^4, at most what is too much for its type; `None` where the text is none.
fn number(text: &str) -> Option<i64> {
    let (mantissa, digits) = parse(text)?;
    let number = rescale_exact(mantissa, digits, PERCENT_DIGITS)?;
    i64::try_from(number.clamp(-PERCENT_LIMIT, PERCENT_LIMIT)).ok()
}

fn percent(value: i64) -> String {
    format(value.into(), PERCENT_DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        let problem = text.parse::<Ladder>();
        problem.unwrap_err()
    }

    #[test]
    fn a_ladder_is_read_and_shown() {
        for (text, shown) in [
            ("50@100, 25@300", "50@100, 25@300"),
            (" 50 @ 100 ,25@300.50 ", "50@100, 25@300.5"),
            (
                "0.0001@0.0001,99.9999@99999.9999",
                "0.0001@0.0001, 99.9999@99999.9999",
            ),
            ("100@5", "100@5"),
            ("1@1,1@2,1@3,1@4,1@5,1@6", "1@1, 1@2, 1@3, 1@4, 1@5, 1@6"),
        ] {
            let ladder: Ladder = text.parse().unwrap();
            assert_eq!(ladder.to_string(), shown);
            assert_eq!(shown.parse(), Ok(ladder));
        }
        let ladder: Ladder = "50@100, 25.5@300".parse().unwrap();
        assert_eq!(ladder.shares(), 755_000);
        assert_eq!(ladder.steps()[1].gain, 3_000_000);
    }

    #[test]
    fn each_kind_of_wrong_ladder_says_what_is_right() {
        for (text, what) in [
            ("", "1 to 6 steps"),
            (" ", "1 to 6 steps"),
            ("1@1,1@2,1@3,1@4,1@5,1@6,1@7", "1 to 6 steps"),
            ("50", "steps share@gain with commas"),
            ("50@100,", "steps share@gain with commas"),
            ("50@100; 25@300", "two plain numbers"),
            ("50@", "two plain numbers"),
            ("@100", "two plain numbers"),
            ("50%@2x", "two plain numbers"),
            ("50@100@200", "two plain numbers"),
            ("0.00001@100", "two plain numbers"),
            ("50@100000", "gains below 100000"),
            ("50@1e40", "two plain numbers"),
            ("0@100", "shares above 0"),
            ("-50@100", "shares above 0"),
            ("50@0", "gains above 0"),
            ("50@-10", "gains above 0"),
            ("25@300, 50@100", "gains that ascend"),
            ("25@100, 50@100", "gains that ascend"),
            ("60@10, 60@20", "sum to at most 100"),
            ("100.0001@20", "sum to at most 100"),
        ] {
            let problem = refusal(text);
            assert!(problem.contains(what), "{text}: {problem}");
            assert!(
                problem.contains("such as '50@100, 25@300'"),
                "{text}: {problem}"
            );
        }
    }

    #[test]
    fn a_moonbag_takes_its_share_first() {
        let ladder: Ladder = "50@100, 25@300".parse().unwrap();
        assert_eq!(ladder.check_beside(0), Ok(()));
        assert_eq!(ladder.check_beside(250_000), Ok(()));
        assert_eq!(
            ladder.check_beside(250_001),
            Err(
                "of shares that sum to at most 74.9999, beside a moonbag_percent of 25.0001, such \
                 as 74.9999@100"
                    .into()
            )
        );
        let none = "none beside a moonbag_percent of 100";
        assert_eq!(ladder.check_beside(1_000_000), Err(none.into()));
    }
}
