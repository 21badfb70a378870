//! Division by powers of ten that leaves nothing: what numbers are brought to fewer digits with.

/// `value / 10^power` where nothing remains; several times faster than a division.
pub(super) fn divide_exactly(value: u128, power: u32) -> Option<u128> {
    // Division by an odd number is multiplication by its inverse modulo 2^128; if the result is
    // small enough to multiply back, nothing remained.
    let index = power as usize;
    if value.trailing_zeros() < power {
        return None;
    }
    let quotient = (value >> power).wrapping_mul(*INVERSE_POWERS_OF_FIVE.get(index)?);
    (quotient <= *QUOTIENT_LIMITS.get(index)?).then_some(quotient)
}

const EXACT_POWERS: usize = 39;

const INVERSE_POWERS_OF_FIVE: [u128; EXACT_POWERS] = {
    // Newton's iteration doubles the number of correct low bits; 5 × 5 is 1 modulo 8.
    let mut fifth = 5_u128;
    let mut step = 0;
    while step < 6 {
        fifth = fifth.wrapping_mul(2_u128.wrapping_sub(fifth.wrapping_mul(5)));
        step += 1;
    }
    let mut inverses = [1_u128; EXACT_POWERS];
    let mut power = 1;
    while power < EXACT_POWERS {
        inverses[power] = inverses[power - 1].wrapping_mul(fifth);
        power += 1;
    }
    inverses
};

const QUOTIENT_LIMITS: [u128; EXACT_POWERS] = {
    let mut limits = [u128::MAX; EXACT_POWERS];
    let mut power = 1;
    while power < EXACT_POWERS {
        limits[power] = limits[power - 1] / 5;
        power += 1;
    }
    limits
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_division_divides() {
        for value in [
            0_u128,
            1,
            10,
            25,
            100,
            1_000_000,
            123_000,
            u128::MAX,
            10_u128.pow(38),
        ] {
            for power in 0..=38 {
                let divisor = 10_u128.pow(power);
                let expected = (value % divisor == 0).then_some(value / divisor);
                assert_eq!(
                    divide_exactly(value, power),
                    expected,
                    "{value} / 10^{power}"
                );
            }
        }
    }
}
