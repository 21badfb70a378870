//! One set of rules that is asked for alone: its paths are walked for its sales, and for nothing else.

use hindsight_udfs::exits::first_touches::{Levels, Touch, Touches, first_touches};
use hindsight_udfs::exits::rule::Part;
use hindsight_udfs::exits::walk::Path;
use hindsight_udfs::price_book::TokenPrices;

use super::walked::is_long;

/// Some of the parts of a position, a bit each: there are at most eight.
pub type Together = u8;

/// Which of them were sold together.
pub type Sets = [bool; 1 << Together::BITS];

/// One set of rules.
pub struct OneSet {
    /// Parts that wait for a stop and a time limit alone are walked apart from the others, which look at
    /// more and are over sooner.
    walks: Vec<Walk>,
}

/// Some of the parts, walked together.
struct Walk {
    levels: Levels,
    /// The parts of each slot.
    parts: Vec<Together>,
}

/// A touch, and the parts that end there.
#[derive(Debug, Clone, Copy)]
pub struct End {
    pub touch: Touch,
    pub parts: Together,
}

impl OneSet {
    pub fn new(parts: &[Part]) -> Self {
        let numbered = (0..).zip(parts);
        let (waiting, others): (Vec<_>, Vec<_>) = numbered.partition(|(_, part)| part.waits());
        let walks = [others, waiting].into_iter();
        Self {
            walks: walks
                .filter(|parts| !parts.is_empty())
                .map(|parts| Walk::new(&parts))
                .collect(),
        }
    }

    /// The ends of a path: the first touch of each part, where parts that end alike are one sale.
    pub fn ends(
        &self,
        path: &Path<'_>,
        prices: &TokenPrices,
        touches: &mut Touches,
        ends: &mut Vec<End>,
    ) {
        ends.clear();
        for walk in &self.walks {
            let extremes = is_long(prices, &walk.levels).then(|| prices.extremes());
            first_touches(path, extremes, &walk.levels, touches);
            // At one price the reasons take their turns, and a part has one rule of each.
            let in_turn = |touch: &Touch| (touch.position, touch.reason);
            touches.all.sort_unstable_by_key(in_turn);
            let mut over = 0;
            for touch in &touches.all {
                let parts = walk.parts[touch.slot] & !over;
                over |= parts;
                let alike = |end: &&mut End| {
                    in_turn(&end.touch) == in_turn(touch) && end.touch.level == touch.level
                };
                match ends.iter_mut().find(alike) {
                    _ if parts == 0 => {}
                    Some(end) => end.parts |= parts,
                    None => ends.push(End {
                        touch: *touch,
                        parts,
                    }),
                }
            }
        }
    }
}

impl Walk {
    fn new(numbered: &[(u32, &Part)]) -> Self {
        let mut levels = Levels::default();
        numbered.iter().for_each(|(_, part)| levels.add(part));
        let mut parts = vec![0; levels.slot_count()];
        for (number, part) in numbered {
            for slot in levels.slots(part) {
                parts[slot] |= 1 << number;
            }
        }
        Self { levels, parts }
    }
}
