//! Lin's concordance correlation: how near pairs lie to the line on which both sides are equal.
//!
//! `2·s_xy / (s_x² + s_y² + (x̄ − ȳ)²)` with moments over n (Lin 1989): 1 only where every pair is
//! equal, while a plain correlation is 1 as well where one side is always double the other.

/// Undefined for fewer than two pairs, and where both sides are one and the same constant.
pub fn concordance(pairs: &[(f64, f64)]) -> Option<f64> {
    if pairs.len() < 2 {
        return None;
    }
    let n = pairs.len() as f64;
    let mean = |side: fn(&(f64, f64)) -> f64| pairs.iter().map(side).sum::<f64>() / n;
    let (mean_x, mean_y) = (mean(|p| p.0), mean(|p| p.1));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in pairs {
        let (x, y) = (x - mean_x, y - mean_y);
        xx += x * x;
        yy += y * y;
        xy += x * y;
    }
    let apart = (mean_x - mean_y) * (mean_x - mean_y);
    let all = (xx + yy) / n + apart;
    (all > 0.0).then(|| 2.0 * xy / n / all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_only_where_pairs_are_equal() {
        assert_eq!(
            concordance(&[(1.0, 1.0), (2.0, 2.0), (5.0, 5.0)]),
            Some(1.0)
        );
        assert_eq!(concordance(&[(1.0, -1.0), (-1.0, 1.0)]), Some(-1.0));
        // Means 2 and 3, variances 2/3, covariance 2/3.
        let shifted = concordance(&[(1.0, 2.0), (2.0, 3.0), (3.0, 4.0)]);
        assert!(shifted.is_some_and(|c| (c - 4.0 / 7.0).abs() < 1e-15));
    }

    #[test]
    fn is_undefined_without_a_spread() {
        assert_eq!(concordance(&[]), None);
        assert_eq!(concordance(&[(1.0, 1.0)]), None);
        assert_eq!(concordance(&[(1.0, 1.0), (1.0, 1.0)]), None);
        assert_eq!(concordance(&[(1.0, 2.0), (1.0, 2.0)]), Some(0.0));
    }
}
