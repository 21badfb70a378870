//! The standard normal distribution.
//!
//! The quantile is algorithm AS 241 (Wichura 1988, PPND16), right to about 1e-16.

use std::f64::consts::FRAC_1_SQRT_2;

/// `Φ(x)`: how much of the distribution lies below `x`.
pub fn cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

/// `Φ⁻¹(p)`: below which a share of `p` lies; infinite at 0 and 1.
pub fn quantile(p: f64) -> f64 {
    let from_middle = p - 0.5;
    if from_middle.abs() <= 0.425 {
        let r = 0.180_625 - from_middle * from_middle;
        return from_middle * horner(&A, r) / horner(&B, r);
    }
    let tail = p.min(1.0 - p);
    if tail <= 0.0 {
        return from_middle.signum() * f64::INFINITY;
    }
    let r = (-libm::log(tail)).sqrt();
    let size = match r <= 5.0 {
        true => horner(&C, r - 1.6) / horner(&D, r - 1.6),
        false => horner(&E, r - 5.0) / horner(&F, r - 5.0),
    };
    size.copysign(from_middle)
}

/// The polynomial with these coefficients, the constant first.
fn horner(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
}

#[rustfmt::skip]
mod coefficients {
    pub const A: [f64; 8] = [
        3.387_132_872_796_366_6, 1.331_416_678_917_843_8e2, 1.971_590_950_306_551_3e3,
        1.373_169_376_550_946e4, 4.592_195_393_154_987e4, 6.726_577_092_700_87e4,
        3.343_057_558_358_813e4, 2.509_080_928_730_122_7e3,
    ];
    pub const B: [f64; 8] = [
        1.0, 4.231_333_070_160_091e1, 6.871_870_074_920_579e2, 5.394_196_021_424_751e3,
        2.121_379_430_158_659_7e4, 3.930_789_580_009_271e4, 2.872_908_573_572_194_3e4,
        5.226_495_278_852_854e3,
    ];
    pub const C: [f64; 8] = [
        1.423_437_110_749_683_5, 4.630_337_846_156_546, 5.769_497_221_460_691,
        3.647_848_324_763_204_5, 1.270_458_252_452_368_4, 2.417_807_251_774_506e-1,
        2.272_384_498_926_918_4e-2, 7.745_450_142_783_414e-4,
    ];
    pub const D: [f64; 8] = [
        1.0, 2.053_191_626_637_759, 1.676_384_830_183_803_8, 6.897_673_349_851e-1,
        1.481_039_764_274_800_8e-1, 1.519_866_656_361_645_7e-2, 5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ];
    pub const E: [f64; 8] = [
        6.657_904_643_501_103, 5.463_784_911_164_114, 1.784_826_539_917_291_3,
        2.965_605_718_285_048_7e-1, 2.653_218_952_657_612_4e-2, 1.242_660_947_388_078_4e-3,
        2.711_555_568_743_487_6e-5, 2.010_334_399_292_288_1e-7,
    ];
    pub const F: [f64; 8] = [
        1.0, 5.998_322_065_558_879e-1, 1.369_298_809_227_358e-1, 1.487_536_129_085_061_5e-2,
        7.868_691_311_456_133e-4, 1.846_318_317_510_054_8e-5, 1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ];
}
use coefficients::{A, B, C, D, E, F};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(cdf(0.0), 0.5);
        assert!((cdf(1.959_963_984_540_054) - 0.975).abs() < 1e-15);
        assert!((quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-14);
        assert!((quantile(1e-300) + 37.047_096_299_361_2).abs() < 1e-11);
        assert_eq!(quantile(0.5), 0.0);
        assert_eq!(quantile(1.0), f64::INFINITY);
        assert_eq!(quantile(0.0), f64::NEG_INFINITY);
    }

    #[test]
    fn each_undoes_the_other_in_every_branch() {
        for step in 1..2_000 {
            let p = f64::from(step) / 2_000.0;
            assert!((cdf(quantile(p)) - p).abs() < 1e-15, "{p}");
        }
        for exponent in 1..300 {
            let p = 10_f64.powi(-exponent);
            assert!((cdf(quantile(p)) / p - 1.0).abs() < 1e-11, "{p}");
        }
    }
}
