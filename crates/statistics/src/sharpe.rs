//! Sharpe ratios by the day, and what is left of the best of many (Bailey and López de Prado 2014).

use super::normal;

/// Euler's constant.
const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;

/// Mean over standard deviation, with N − 1, not annualised; `None` for fewer than two days or where
/// all are equal.
pub fn daily_sharpe(series: &[f64]) -> Option<f64> {
    let first = series.first()?;
    if series.len() < 2 || series.iter().all(|day| day == first) {
        return None;
    }
    let mean = mean(series);
    let squares: f64 = series.iter().map(|day| (day - mean) * (day - mean)).sum();
    let deviation = (squares / (series.len() - 1) as f64).sqrt();
    (deviation > 0.0).then(|| mean / deviation)
}

/// The mean; that of equal values is their value.
pub fn mean(values: &[f64]) -> f64 {
    let first = values.first().copied().unwrap_or(f64::NAN);
    let over: f64 = values.iter().map(|value| value - first).sum();
    first + over / values.len() as f64
}

/// The highest Sharpe ratio to expect of as many combinations without any skill, from how far their
/// ratios spread; 0 for one, `None` for none.
pub fn expected_best_sharpe(sharpes: &[f64]) -> Option<f64> {
    if sharpes.len() < 2 {
        return (!sharpes.is_empty()).then_some(0.0);
    }
    let mean = mean(sharpes);
    let squares: f64 = sharpes.iter().map(|s| (s - mean) * (s - mean)).sum();
    let count = sharpes.len() as f64;
    Some(expected_best_of(count, (squares / (count - 1.0)).sqrt()))
}

/// As [`expected_best_sharpe`], of so many combinations whose ratios spread so far.
pub fn expected_best_of(count: f64, deviation: f64) -> f64 {
    if count < 2.0 {
        return 0.0;
    }
    let highest = (1.0 - EULER_GAMMA) * normal::quantile(1.0 - 1.0 / count)
        + EULER_GAMMA * normal::quantile(1.0 - 1.0 / (count * std::f64::consts::E));
    deviation * highest
}

/// How likely the series' true Sharpe ratio is above `expected_best`, given its length and its tails;
/// `None` for fewer than three days, for a series without a ratio, and where the moments allow none.
pub fn deflated_sharpe_ratio(series: &[f64], expected_best: f64) -> Option<f64> {
    if series.len() < 3 {
        return None;
    }
    let sharpe = daily_sharpe(series)?;
    let days = series.len() as f64;
    let mean = mean(series);
    let moment = |power: i32| {
        series
            .iter()
            .map(|day| (day - mean).powi(power))
            .sum::<f64>()
            / days
    };
    let variance = moment(2);
    let skewness = moment(3) / (variance * variance.sqrt());
    let kurtosis = moment(4) / (variance * variance);
    let spread = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe;
    (spread > 0.0)
        .then(|| normal::cdf((sharpe - expected_best) * (days - 1.0).sqrt() / spread.sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Option<f64>, expected: f64) -> bool {
        found.is_some_and(|found| (found - expected).abs() < 1e-12)
    }

    #[test]
    fn a_ratio_needs_two_days_that_differ() {
        assert_eq!(daily_sharpe(&[]), None);
        assert_eq!(daily_sharpe(&[1.0]), None);
        assert_eq!(daily_sharpe(&[0.3, 0.3, 0.3]), None);
        // Mean 2, deviation 1.
        assert_eq!(daily_sharpe(&[1.0, 2.0, 3.0]), Some(2.0));
        assert_eq!(daily_sharpe(&[-1.0, 0.0, 1.0]), Some(0.0));
    }

    #[test]
    fn the_best_of_more_is_expected_higher() {
        assert_eq!(expected_best_sharpe(&[]), None);
        assert_eq!(expected_best_sharpe(&[0.4]), Some(0.0));
        assert_eq!(expected_best_sharpe(&[0.4, 0.4, 0.4]), Some(0.0));
        // Two: Φ⁻¹(1/2) is 0, and the deviation 1/√2.
        let two = EULER_GAMMA * normal::quantile(1.0 - 0.5 / std::f64::consts::E) / 2_f64.sqrt();
        assert!(near(expected_best_sharpe(&[0.0, 1.0]), two));
        let spread: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        assert!(expected_best_sharpe(&spread) > expected_best_sharpe(&[0.0, 1.0]));
    }

    #[test]
    fn three_days_are_enough_and_two_are_not() {
        assert_eq!(deflated_sharpe_ratio(&[1.0, 2.0], 0.0), None);
        assert_eq!(deflated_sharpe_ratio(&[1.0, 1.0, 1.0], 0.0), None);
        // Skewness 0, kurtosis 1.5, ratio 2: the root is of 1 + 0.125 × 4.
        let expected = normal::cdf(2.0 * 2_f64.sqrt() / 1.5_f64.sqrt());
        assert!(near(deflated_sharpe_ratio(&[1.0, 2.0, 3.0], 0.0), expected));
        assert!(near(deflated_sharpe_ratio(&[1.0, 2.0, 3.0], 2.0), 0.5));
    }

    #[test]
    fn a_root_of_nothing_is_undefined() {
        // Two values, kurtosis 1 + skewness²: 1 − γ₃·SR + γ₃²/4·SR² is a square, 0 at SR = 2/γ₃.
        let root = |p: f64| {
            let skewness = (1.0 - 2.0 * p) / (p * (1.0 - p)).sqrt();
            2.0 / skewness
        };
        assert!(root(0.2) > 0.0);
        let series = [0.0, 0.0, 0.0, 0.0, 1.0];
        let sharpe = daily_sharpe(&series).unwrap_or_default();
        let shift = (root(0.2) - sharpe) * (0.2_f64).sqrt();
        let shifted: Vec<f64> = series.iter().map(|day| day + shift).collect();
        let found = deflated_sharpe_ratio(&shifted, 0.0);
        // At the edge itself rounding decides between nothing and a certainty.
        assert!(found.is_none_or(|found| found > 0.999), "{found:?}");
    }
}
