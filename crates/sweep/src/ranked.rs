//! Touches in the order in which trades are counted: by the instant, then the signal, then the rule.

use hindsight_udfs::exits::first_touches::Touch;
use hindsight_udfs::exits::words::ExitReason;

use super::exits::SignalExit;
use super::one_set::Sets;

/// The bits of a level's place in an order.
const LEVEL_BITS: u32 = 24;
const LEVEL_MASK: u32 = (1 << LEVEL_BITS) - 1;

/// The paths of some signals, walked.
pub struct Walked {
    pub order: Vec<EndingTouch>,
    /// In the order of the walk.
    pub exits: Vec<SignalExit>,
    /// Of one set of rules, the parts that were sold together.
    pub together: Sets,
}

impl Walked {
    #[inline]
    pub fn push(&mut self, order: u128, cell: usize, exit: SignalExit) {
        // Blocks hold fewer cells, and so fewer exits, than 32 bits count.
        self.order.push(EndingTouch {
            order,
            exit: self.exits.len() as u32,
            cell: cell as u32,
        });
        self.exits.push(exit);
    }
}

/// A touch on its way to its rank: they are ranked as these are sorted.
#[derive(Clone, Copy)]
pub struct EndingTouch {
    /// From the highest bits on: the instant, the rank of the signal's id, the reason, the level; or the
    /// part in place of these.
    pub order: u128,
    /// Among the exits of the signals that were walked with its own.
    pub exit: u32,
    /// Row × slots + slot.
    pub cell: u32,
}

/// The place of a level among those of one reason, which ascend and are fewer than cells.
fn level_place(reason: ExitReason, slot: usize) -> u32 {
    match reason {
        // What the clock ends, ends at the observed price, whichever limit it was.
        ExitReason::TimeLimit | ExitReason::Stagnation | ExitReason::EndOfData => 0,
        _ => slot as u32 & LEVEL_MASK,
    }
}

impl EndingTouch {
    /// That of a touch among all of the rules.
    #[inline]
    pub fn order(timestamp: i64, id_rank: u32, touch: &Touch) -> u128 {
        let Touch { reason, slot, .. } = *touch;
        let place = (reason as u32) << LEVEL_BITS | level_place(reason, slot);
        Self::order_at(timestamp, id_rank, place)
    }

    /// That of a sale among those of one set of rules: at one instant sales go by their parts.
    #[inline]
    pub fn order_of_part(exit: &SignalExit, id_rank: u32) -> u128 {
        Self::order_at(exit.end, id_rank, exit.part.into())
    }

    fn order_at(timestamp: i64, id_rank: u32, place: u32) -> u128 {
        // Flipped, the sign lets bits compare as numbers do.
        let instant = timestamp as u64 ^ 1 << 63;
        u128::from(instant) << 64 | u128::from(id_rank) << 32 | u128::from(place)
    }

    fn instant(&self) -> u64 {
        (self.order >> 64) as u64
    }
}

/// All places in their order. Exits lie spread over time: dealt by their instants to as many short
/// spans as there are exits, few share one and need to be compared.
pub fn ranked(walked: &[Walked]) -> Vec<EndingTouch> {
    let all = || walked.iter().flat_map(|walked| &walked.order);
    let Some(some) = all().next() else {
        return vec![];
    };
    let (mut count, mut first, mut last) = (0_usize, u64::MAX, 0);
    for place in all() {
        count += 1;
        first = first.min(place.instant());
        last = last.max(place.instant());
    }
    let length = last - first;
    let shift = (length.checked_ilog2().unwrap_or(0)).saturating_sub(count.ilog2());
    let span = |place: &EndingTouch| ((place.instant() - first) >> shift) as usize;
    // Where the next place of each span goes.
    let mut next = vec![0_u32; (length >> shift) as usize + 2];
    all().for_each(|place| next[span(place) + 1] += 1);
    let mut before = 0;
    for next in &mut next {
        before += *next;
        *next = before;
    }
    let mut ranked = vec![*some; count];
    for place in all() {
        let next = &mut next[span(place)];
        ranked[*next as usize] = *place;
        *next += 1;
    }
    for alike in ranked.chunk_by_mut(|a, b| span(a) == span(b)) {
        if alike.len() > 1 {
            alike.sort_unstable_by_key(|place| place.order);
        }
    }
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ranks of exits at these instants, of signals with these ranks, walked in two parts.
    fn check(exits: &[(i64, u32, ExitReason)]) {
        let touch = |reason| Touch {
            slot: 0,
            position: 0,
            reason,
            level: 0,
        };
        let place = |(timestamp, id_rank, reason): &(i64, u32, ExitReason)| EndingTouch {
            order: EndingTouch::order(*timestamp, *id_rank, &touch(*reason)),
            exit: 0,
            cell: 0,
        };
        let part = |exits: &[(i64, u32, ExitReason)]| Walked {
            order: exits.iter().map(place).collect(),
            exits: vec![],
            together: [false; 256],
        };
        let (first, last) = exits.split_at(exits.len() / 2);
        let ranked = ranked(&[part(first), part(last)]);
        let ranked: Vec<u128> = ranked.iter().map(|place| place.order).collect();
        let mut sorted = exits.to_vec();
        sorted.sort();
        let sorted: Vec<u128> = sorted.iter().map(|exit| place(exit).order).collect();
        assert_eq!(ranked, sorted, "{exits:?}");
    }

    #[test]
    fn exits_are_ranked_by_instant_then_signal_then_reason() {
        use ExitReason::{EndOfData, StopLoss, TimeLimit, TrailingStop};
        check(&[]);
        check(&[(5, 0, StopLoss)]);
        check(&[(5, 1, StopLoss), (5, 0, EndOfData), (5, 0, TimeLimit)]);
        check(&[
            (i64::MAX, 0, TimeLimit),
            (i64::MIN, 0, TimeLimit),
            (0, u32::MAX, EndOfData),
            (-1, 0, TrailingStop),
        ]);
        // Many at few instants, and one far from them.
        let mut state = 1_u32;
        let mut draw = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        };
        let mut many: Vec<_> = (0..5_000)
            .map(|_| (i64::from(draw(300)), draw(40), TimeLimit))
            .collect();
        check(&many);
        many.push((i64::MAX / 2, 0, StopLoss));
        check(&many);
    }
}
