//! Rescoring and position size.

use num_traits::Zero;

use super::number::{Number, rounded, whole};
use super::parameters::Parameters;

/// `score = 100 × Σ factor × weight`, rounded to 2; an absent factor counts as 0.
pub fn rescore(factors: &[Option<Number>; 5], weights: &[Number; 5]) -> Number {
    let mut sum = Number::zero();
    for (factor, weight) in factors.iter().zip(weights) {
        if let Some(factor) = factor {
            sum += factor * weight;
        }
    }
    rounded(&(whole(100) * sum), 2)
}

/// `size = base`; with scaling, `size = min(base × score/100 × multiplier, max)`. Not rounded.
pub fn position_size(score: &Number, parameters: &Parameters) -> Number {
    if !parameters.scale_with_confidence {
        return parameters.base_position_sol.clone();
    }
    let scaled =
        &parameters.base_position_sol * score / whole(100) * &parameters.confidence_multiplier;
    scaled.min(parameters.max_position_sol.clone())
}
