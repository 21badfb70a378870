//! The prices of one token while it is loaded: integers over one power of ten, which changes when it
//! must. Where no one power serves all of them exactly, each keeps its own until all are known, and
//! then those with more digits than the largest leaves room for are rounded.
//!
//! Such a price may have been rounded before, to what 64 bits hold. So that it is as if it had been
//! rounded once, where it now lies half-way it is remembered on which side of that it was.

use std::cmp::Ordering;

use hindsight_udfs::price_book::PRICE_DIGITS_MAX;

use super::decimal::{Rounding, is_slight, power_of_ten};
use super::division::divide_exactly;
use crate::dataset::Series;

/// Prices × 10^scale.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Mantissas {
    pub(super) scale: u8,
    pub(super) values: Series<i64>,
    /// Each price's own scale, as [`marked_scale`] has it, where there is no scale for all; else empty.
    pub(super) scales: Vec<u8>,
    /// How many fractional digits the largest price of those leaves room for.
    room: u8,
}

/// Of a marked scale: the price was rounded down, or up.
const ROUNDED_DOWN: u8 = 1 << 6;
const ROUNDED_UP: u8 = 1 << 7;
const MARKS: u8 = ROUNDED_DOWN | ROUNDED_UP;

/// A price's scale, marked where rounding the price once more may come to lie half-way: `of_exact` says
/// how the price compares to what it was before it was rounded.
pub(super) fn marked_scale(value: i64, scale: u8, of_exact: Ordering) -> u8 {
    // Only what ends with a five and zeros is half-way between two of fewer digits.
    let ends_with_five = || {
        let mut value = value;
        while value > 0 && value % 10 == 0 {
            value /= 10;
        }
        value % 10 == 5
    };
    match of_exact {
        Ordering::Less if ends_with_five() => scale | ROUNDED_DOWN,
        Ordering::Greater if ends_with_five() => scale | ROUNDED_UP,
        _ => scale,
    }
}

/// The scale without its mark.
pub(super) fn plain_scale(scale: u8) -> u8 {
    scale & !MARKS
}

/// No scale makes all prices exact, or nearly so, and lets them fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DoesNotFit;

impl Mantissas {
    /// Prices of one scale, without a mark.
    pub(super) fn new(scale: u8, values: Series<i64>) -> Self {
        Self {
            scale,
            values,
            ..Self::default()
        }
    }

    /// Prices each with its own scale, as they were appended before.
    pub(super) fn of_scales(values: Vec<i64>, scales: Vec<u8>) -> Self {
        let mut mixed = Self::new(0, values.into());
        mixed.room = mixed.room_of(&scales, 0, PRICE_DIGITS_MAX);
        mixed.scales = scales;
        mixed
    }

    /// Appends other prices.
    pub(super) fn append_all(
        &mut self,
        other: &Self,
        rounding: Rounding,
    ) -> Result<(), DoesNotFit> {
        match other.scales.is_empty() {
            true => self.append(&other.values, other.scale, rounding),
            false => self.append_mixed(&other.values, &other.scales, rounding),
        }
    }

    /// Appends prices of any scale, marked or not.
    pub(super) fn append(
        &mut self,
        values: &[i64],
        scale: u8,
        rounding: Rounding,
    ) -> Result<(), DoesNotFit> {
        if scale != plain_scale(scale) {
            return self.append_mixed(values, &vec![scale; values.len()], rounding);
        }
        if self.values.is_empty() && self.scales.is_empty() {
            self.scale = scale;
        }
        if self.scale == scale && self.scales.is_empty() {
            self.values.append_run(values);
            return Ok(());
        }
        if !self.scales.is_empty() {
            return self.append_mixed(values, &vec![scale; values.len()], rounding);
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
        let mut new = Self::new(scale, values.to_vec().into());
        new.minimise();
        let common = self.scale.max(new.scale);
        if !self.can_rescale(common) || !new.can_rescale(common) {
            return self.append_mixed(&new.values, &vec![new.scale; values.len()], rounding);
        }
        self.rescale(common);
        new.rescale(common);
        self.values.append_run(&new.values);
        Ok(())
    }

    /// Appends prices of which each has its own scale; refuses as soon as one is known to be too
    /// fine beside the largest.
    #[cold]
    fn append_mixed(
        &mut self,
        values: &[i64],
        scales: &[u8],
        rounding: Rounding,
    ) -> Result<(), DoesNotFit> {
        if self.scales.is_empty() {
            self.scales = vec![self.scale; self.values.len()];
            self.scale = 0;
            self.room = self.room_of(&self.scales, 0, PRICE_DIGITS_MAX);
        }
        let before = self.values.len();
        self.values.append_run(values);
        self.scales.extend_from_slice(scales);
        let room = self.room_of(&self.scales, before, self.room);
        let from = if room < self.room { 0 } else { before };
        self.room = room;
        if rounding == Rounding::Any {
            return Ok(());
        }
        let mut new = self.values[from..].iter().zip(&self.scales[from..]);
        match new.all(|(value, scale)| round(*value, *scale, room).2) {
            true => Ok(()),
            false => Err(DoesNotFit),
        }
    }

    /// The most fractional digits, at most `most`, with which the values from a row on all fit.
    fn room_of(&self, scales: &[u8], from: usize, most: u8) -> u8 {
        let rows = self.values.iter().zip(scales).skip(from);
        rows.fold(most, |room, (value, scale)| {
            room_for(*value, plain_scale(*scale), room)
        })
    }

    /// Where prices wait to be rounded, leaves room for others of one scale, which they will stand beside.
    pub(super) fn leave_room(&mut self, others: &[i64], scale: u8) {
        if !self.scales.is_empty() {
            let largest = others.iter().copied().max().unwrap_or(0);
            self.room = room_for(largest, scale, self.room);
        }
    }

    /// Gives all prices one scale, the largest at which all fit, where they do not have one.
    /// Returns the positions of the prices that were rounded.
    pub(super) fn settle(&mut self, rounding: Rounding) -> Result<Vec<usize>, DoesNotFit> {
        let mut rounded = Vec::new();
        if self.scales.is_empty() {
            return Ok(rounded);
        }
        let scales = std::mem::take(&mut self.scales);
        self.scale = self.room;
        for (row, (value, scale)) in self.values.to_mut().iter_mut().zip(scales).enumerate() {
            let (at_room, exact, slight) = round(*value, scale, self.room);
            if !slight && rounding == Rounding::Slight {
                return Err(DoesNotFit);
            }
            if !exact {
                rounded.push(row);
            }
            *value = at_room;
        }
        self.minimise();
        Ok(rounded)
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

    /// Whether all prices fit at a scale that is not smaller.
    fn can_rescale(&self, scale: u8) -> bool {
        let largest = self.values.iter().copied().max().unwrap_or(0);
        largest == 0 || multiply(largest, scale - self.scale).is_some()
    }

    /// Moves to a scale that is not smaller; changes nothing where a price would not fit.
    fn rescale(&mut self, scale: u8) -> bool {
        if !self.can_rescale(scale) {
            return false;
        }
        let factor = power_of_ten((scale - self.scale).into()).and_then(|f| i64::try_from(f).ok());
        for value in self.values.to_mut() {
            // Without a factor all are zero.
            *value *= factor.unwrap_or(0);
        }
        self.scale = scale;
        true
    }
}

/// The most fractional digits, at most `most`, with which a price of this scale fits.
fn room_for(value: i64, scale: u8, most: u8) -> u8 {
    let fits = |room: &u8| *room <= scale || multiply(value, room - scale).is_some();
    (0..=most).rev().find(fits).unwrap_or(0)
}

/// A price at the scale `to`, where it fits: whether it is exact there, and whether it is within
/// 1e-9 of what it was.
fn round(value: i64, marked: u8, to: u8) -> (i64, bool, bool) {
    let scale = plain_scale(marked);
    let Some(dropped) = scale.checked_sub(to) else {
        let rescaled = multiply(value, to - scale);
        return (rescaled.unwrap_or(value), true, true);
    };
    let divisor = 10_i64.pow(dropped.into());
    let (quotient, remainder) = (value / divisor, value % divisor);
    let half = divisor / 2;
    let up = match (remainder.cmp(&half), marked & MARKS) {
        (Ordering::Equal, ROUNDED_DOWN) => remainder > 0,
        (Ordering::Equal, ROUNDED_UP) => false,
        (Ordering::Equal, _) => remainder > 0 && quotient % 2 == 1,
        (of_half, _) => of_half.is_gt(),
    };
    let rounded = quotient + i64::from(up);
    let back = u128::from(rounded.unsigned_abs()) * u128::from(divisor.unsigned_abs());
    let slight = is_slight(value.unsigned_abs().into(), back);
    (rounded, remainder == 0, slight)
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
            all.append(values, *scale, Rounding::Slight)?;
        }
        all.settle(Rounding::Slight)?;
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

    #[test]
    fn what_the_largest_price_leaves_no_room_for_is_rounded() {
        // Beside 150.5 16 fractional digits fit, and 17 do beside 15.5.
        let fine = (&[12_345_678_901_234_565][..], 18);
        for (pieces, scale, values, rounded) in [
            (
                [(&[1505][..], 1), fine],
                16,
                [1_505_000_000_000_000_000, 123_456_789_012_346],
                1,
            ),
            (
                [fine, (&[1505][..], 1)],
                16,
                [123_456_789_012_346, 1_505_000_000_000_000_000],
                0,
            ),
            (
                [(&[155][..], 1), fine],
                17,
                [1_550_000_000_000_000_000, 1_234_567_890_123_456],
                1,
            ),
        ] {
            let mut all = Mantissas::default();
            for (values, scale) in pieces {
                all.append(values, scale, Rounding::Slight).unwrap();
            }
            assert_eq!(all.settle(Rounding::Slight), Ok(vec![rounded]));
            assert_eq!(
                (all.scale, &*all.values),
                (scale, &values[..]),
                "{pieces:?}"
            );
        }
        let mut all = Mantissas::default();
        all.append(&[125], 1, Rounding::Any).unwrap();
        all.append(&[123], 18, Rounding::Any).unwrap();
        assert_eq!(all.settle(Rounding::Any), Ok(vec![1]));
        assert_eq!(
            (all.scale, &*all.values),
            (17, &[1_250_000_000_000_000_000, 12][..])
        );
    }

    #[test]
    fn what_was_rounded_before_is_rounded_as_if_once() {
        // 691.975558860141040531, in 64 bits …0405, beside 2610.72, which leaves 15 digits.
        let half_way = 6_919_755_588_601_410_405;
        for (of_exact, expected) in [
            (Ordering::Less, 691_975_558_860_141_041),
            (Ordering::Equal, 691_975_558_860_141_040),
            (Ordering::Greater, 691_975_558_860_141_040),
        ] {
            let marked = marked_scale(half_way, 16, of_exact);
            let pieces = [
                (half_way, marked),
                (261_072, 2),
                (15, marked_scale(15, 16, of_exact)),
            ];
            for turn in 0..3 {
                let mut all = Mantissas::default();
                for place in 0..3 {
                    let (value, scale) = pieces[(place + turn) % 3];
                    all.append(&[value], scale, Rounding::Any).unwrap();
                }
                all.settle(Rounding::Any).unwrap();
                assert_eq!(all.scale, 15);
                let of = |piece: usize| all.values[(piece + 3 - turn) % 3];
                assert_eq!((of(0), of(1)), (expected, 2_610_720_000_000_000_000));
                // 1.5: odd is rounded up unless it was less.
                assert_eq!(of(2), 2 - i64::from(of_exact.is_gt()));
            }
        }
        // Half-way does not lie what ends with another digit, nor is anything rounded by no digits.
        assert_eq!(marked_scale(1234, 16, Ordering::Less), 16);
        assert_ne!(marked_scale(12_500, 16, Ordering::Less), 16);
        let mut all = Mantissas::default();
        all.append(
            &[25],
            marked_scale(25, 18, Ordering::Less),
            Rounding::Slight,
        )
        .unwrap();
        assert_eq!(all.settle(Rounding::Slight), Ok(vec![]));
        assert_eq!((all.scale, &*all.values), (18, &[25][..]));
    }
}
