//! The prices of one token while it is loaded: integers over one power of ten, which changes when it
//! must.

use super::decimal::{divide_exactly, power_of_ten};
use crate::dataset::Series;

/// Prices × 10^scale.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Mantissas {
    pub(super) scale: u8,
    pub(super) values: Series<i64>,
}

/// No scale makes all prices exact and lets them fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DoesNotFit;

impl Mantissas {
    /// Appends prices of any scale.
    pub(super) fn append(&mut self, values: &[i64], scale: u8) -> Result<(), DoesNotFit> {
        if self.values.is_empty() {
            self.scale = scale;
        }
        if self.scale == scale {
            self.values.append_run(values);
            return Ok(());
        }
        if self.append_rescaled(values, scale) {
            return Ok(());
        }
        // More digits than before: the prices so far move to the new scale.
        if scale > self.scale && self.rescale(scale) {
            self.values.append_run(values);
            return Ok(());
        }
        // Zeros at the end take room: without them it may fit.
        self.minimise();
        let mut new = Self {
            scale,
            values: values.to_vec().into(),
        };
        new.minimise();
        let common = self.scale.max(new.scale);
        if !self.rescale(common) || !new.rescale(common) {
            return Err(DoesNotFit);
        }
        self.values.append_run(&new.values);
        Ok(())
    }

    /// The smallest scale at which all prices stay exact.
    pub(super) fn minimise(&mut self) {
        let cut = self.spare_digits();
        if cut > 0 {
            let divisor = 10_i64.pow(u32::from(cut));
            for value in self.values.to_mut() {
                *value /= divisor;
            }
            self.scale -= cut;
        }
    }

    /// How many digits at the end are zero in every price, at most the scale.
    fn spare_digits(&self) -> u8 {
        let all_bits = self.values.iter().fold(0, |bits, value| bits | value);
        // 2^n divides what 10^n divides; mostly this says that there is nothing to cut.
        let mut cut = (all_bits.trailing_zeros() as u8).min(self.scale);
        for value in self.values.iter() {
            while cut > 0 && divide_exactly(value.unsigned_abs().into(), cut.into()).is_none() {
                cut -= 1;
            }
            if cut == 0 {
                break;
            }
        }
        cut
    }

    /// Appends at the present scale where that is exact and fits; otherwise changes nothing.
    fn append_rescaled(&mut self, values: &[i64], scale: u8) -> bool {
        let own = self.values.to_mut();
        let before = own.len();
        for &value in values {
            let rescaled = match self.scale.checked_sub(scale) {
                Some(more) => multiply(value, more),
                None => divide_exactly(value.unsigned_abs().into(), (scale - self.scale).into())
                    .and_then(|quotient| i64::try_from(quotient).ok()),
            };
            match rescaled {
                Some(rescaled) => own.push(rescaled),
                None => {
                    own.truncate(before);
                    return false;
                }
            }
        }
        true
    }

    /// Moves to a scale that is not smaller; changes nothing where a price would not fit.
    fn rescale(&mut self, scale: u8) -> bool {
        let more = scale - self.scale;
        let largest = self.values.iter().copied().max().unwrap_or(0);
        let (Some(_), Some(factor)) = (multiply(largest, more), power_of_ten(more.into())) else {
            return false;
        };
        let Ok(factor) = i64::try_from(factor) else {
            return largest == 0;
        };
        for value in self.values.to_mut() {
            *value *= factor;
        }
        self.scale = scale;
        true
    }
}

fn multiply(value: i64, digits: u8) -> Option<i64> {
    let factor = i64::try_from(power_of_ten(digits.into())?).ok()?;
    value
        .checked_mul(factor)
        .filter(|product| *product < i64::MAX)
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::unwrap_used,
        reason = "a test may stop at what it did not expect"
    )]

    use super::*;

    fn of(pieces: &[(&[i64], u8)]) -> Result<Mantissas, DoesNotFit> {
        let mut all = Mantissas::default();
        for (values, scale) in pieces {
            all.append(values, *scale)?;
        }
        all.minimise();
        Ok(all)
    }

    #[test]
    fn the_scale_is_the_smallest_that_is_exact() {
        for (pieces, scale, values) in [
            (&[(&[1230, 4500][..], 4)][..], 3, &[123, 450][..]),
            (&[(&[0, 0], 18)], 0, &[0, 0]),
            (&[(&[5], 1), (&[25], 2), (&[125], 3)], 3, &[500, 250, 125]),
            (&[(&[125], 3), (&[5], 1)], 3, &[125, 500]),
            (
                &[(&[5_000_000_000_000_000_000], 18), (&[12], 0)],
                0,
                &[5, 12],
            ),
            (
                &[(&[12], 0), (&[5_000_000_000_000_000_000], 18)],
                0,
                &[12, 5],
            ),
            (&[(&[100], 2), (&[700], 2)], 0, &[1, 7]),
        ] {
            let all = of(pieces).unwrap();
            assert_eq!((all.scale, &*all.values), (scale, values), "{pieces:?}");
        }
        assert_eq!(of(&[(&[1], 18), (&[10], 0)]), Err(DoesNotFit));
        assert_eq!(of(&[(&[10], 0), (&[1], 18)]), Err(DoesNotFit));
    }
}
