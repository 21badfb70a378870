//! How long a grid will take, said before it starts; one that would not end in an hour is refused.

use std::time::Duration;

use crate::error::Error;

/// What one thread needs for one signal of one combination, about: `cargo bench` shows from 4 to 16.
const NANOS_PER_SIGNAL: u128 = 10;
/// What it needs for one combination, however few the signals.
const NANOS_PER_COMBINATION: u128 = 20_000;
/// Longer is not waited for.
const LONGEST: Duration = Duration::from_secs(3_600);

/// About how long a grid takes on all threads.
pub fn estimate(combinations: usize, signals: usize) -> Duration {
    let each = NANOS_PER_COMBINATION + NANOS_PER_SIGNAL * signals as u128;
    let nanos = (combinations as u128).saturating_mul(each) / rayon::current_num_threads() as u128;
    let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
    Duration::new(seconds, (nanos % 1_000_000_000) as u32)
}

/// Refuses a grid that nobody would wait for, and says how long it would take.
pub fn check(function: &str, combinations: usize, signals: usize) -> Result<(), Error> {
    let time = estimate(combinations, signals);
    if time <= LONGEST {
        return Ok(());
    }
    let combinations = match combinations {
        usize::MAX => "more combinations than can be counted".into(),
        count => format!("{count} combinations"),
    };
    Err(Error::Argument {
        function: function.into(),
        problem: format!(
            "{combinations} of {signals} signals would take about {}, and a sweep takes at most {}; \
             give fewer values, or sweep part of them at a time",
            in_words(time),
            in_words(LONGEST)
        ),
    })
}

/// A duration in its largest unit.
pub fn in_words(duration: Duration) -> String {
    const UNITS: [(u64, &str); 5] = [
        (31_557_600, "year"),
        (86_400, "day"),
        (3_600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    let seconds = duration.as_secs().max(1);
    let unit = UNITS.into_iter().find(|(length, _)| seconds >= *length);
    let (length, name) = unit.unwrap_or((1, "second"));
    match (seconds + length / 2) / length {
        1 => format!("1 {name}"),
        count => format!("{count} {name}s"),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn a_grid_of_hours_is_refused_in_words() {
        assert!(check("backtest", 10_000, 36_000).is_ok());
        let endless = check("backtest", usize::MAX, 36_000)
            .unwrap_err()
            .to_string();
        assert!(
            endless.contains("more combinations than can be counted"),
            "{endless}"
        );
        let long = check("backtest", 1_000_000_000_000, 36_000)
            .unwrap_err()
            .to_string();
        assert!(
            long.contains("1000000000000 combinations of 36000 signals"),
            "{long}"
        );
        assert!(long.contains("at most 1 hour"), "{long}");
        assert_eq!(in_words(Duration::from_secs(100)), "2 minutes");
        assert_eq!(in_words(Duration::ZERO), "1 second");
    }
}
