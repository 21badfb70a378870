//! Makes a wide table fit a terminal, as DuckDB does: first long texts lose their ends, then columns
//! in the middle are left out. Numbers and times are never cut.

use crate::cli::table::total_width;

/// What long texts keep at least.
const TEXT_WIDTH_MIN: usize = 20;
/// The width of what stands for the columns that are left out.
const GAP_WIDTH: usize = 1;

/// What stands at one place of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A column, and the width that it is cut to.
    Column(usize, usize),
    /// Columns that are left out.
    Gap,
}

/// What is shown of columns of these widths, within so many characters; `is_text` tells which may be cut.
pub fn fit(natural: &[usize], is_text: &[bool], available: usize) -> Vec<Place> {
    let mut widths = natural.to_vec();
    while let Some(excess) = excess(&widths, available) {
        let texts = (0..widths.len()).filter(|column| is_text[*column]);
        let longest = texts.max_by_key(|column| widths[*column]);
        let Some(longest) = longest.filter(|column| widths[*column] > TEXT_WIDTH_MIN) else {
            break;
        };
        let others = (0..widths.len()).filter(|column| *column != longest && is_text[*column]);
        let next = others
            .map(|column| widths[column])
            .filter(|w| *w < widths[longest]);
        let floor = next.max().unwrap_or(0).max(TEXT_WIDTH_MIN);
        widths[longest] = widths[longest]
            .saturating_sub(excess)
            .max(floor.min(widths[longest] - 1));
    }
    let mut left: Vec<usize> = (0..widths.len()).collect();
    let mut gap = None;
    loop {
        let mut shown: Vec<usize> = left.iter().map(|column| widths[*column]).collect();
        if gap.is_some() {
            shown.push(GAP_WIDTH);
        }
        if left.len() <= 1 || excess(&shown, available).is_none() {
            break;
        }
        let middle = left.len() / 2;
        left.remove(middle);
        gap = Some(middle);
    }
    // The room that the columns left out have made.
    let mut spare = {
        let mut shown: Vec<usize> = left.iter().map(|column| widths[*column]).collect();
        shown.extend(gap.map(|_| GAP_WIDTH));
        available.saturating_sub(total_width(&shown))
    };
    for column in &left {
        let more = (natural[*column] - widths[*column]).min(spare);
        widths[*column] += more;
        spare -= more;
    }
    let mut places: Vec<Place> = left
        .iter()
        .map(|column| Place::Column(*column, widths[*column]))
        .collect();
    if let Some(gap) = gap {
        places.insert(gap, Place::Gap);
    }
    places
}

/// By how much columns of these widths are too wide, if they are.
fn excess(widths: &[usize], available: usize) -> Option<usize> {
    let excess = total_width(widths).saturating_sub(available);
    (excess > 0).then_some(excess)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn width(places: &[Place]) -> usize {
        let widths: Vec<usize> = places
            .iter()
            .map(|place| match place {
                Place::Column(_, width) => *width,
                Place::Gap => GAP_WIDTH,
            })
            .collect();
        total_width(&widths)
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        assert_eq!(
            fit(&[5, 7], &[false, true], 17),
            [Place::Column(0, 5), Place::Column(1, 7)]
        );
        assert_eq!(fit(&[], &[], 80), []);
    }

    #[test]
    fn long_texts_lose_their_ends_before_columns_go() {
        assert_eq!(
            fit(&[44, 5, 36], &[true, false, true], 60),
            [
                Place::Column(0, 27),
                Place::Column(1, 5),
                Place::Column(2, 20)
            ]
        );
        // A number that is too long is shown all the same.
        assert_eq!(fit(&[90], &[false], 80), [Place::Column(0, 90)]);
    }

    #[test]
    fn columns_in_the_middle_go_and_both_ends_stay() {
        for available in 10..200 {
            for count in 1..40 {
                let widths: Vec<usize> = (0..count).map(|column| 3 + column * 7 % 31).collect();
                let is_text: Vec<bool> = (0..count).map(|column| column % 3 == 0).collect();
                let places = fit(&widths, &is_text, available);
                assert!(
                    width(&places) <= available || places.len() <= 2,
                    "{count} columns in {available}"
                );
                let gaps = places.iter().filter(|place| **place == Place::Gap).count();
                let shown = places.len() - gaps;
                assert_eq!(gaps, usize::from(shown < count));
                assert!(matches!(places[0], Place::Column(0, _)));
            }
        }
    }
}
