//! The sales of positions in several parts, in the order in which trades are counted.

use hindsight_udfs::exits::rule::Part;

use super::exits::{ExitTable, Sales, SignalExit, UNTOUCHED};

impl ExitTable<'_> {
    /// The sales of positions in several parts.
    pub(super) fn of_parts(&self, parts: &[Part]) -> Sales {
        let (shared, slots) = self.slots_of_parts(parts);
        let rows = self.ranks.len() / self.levels.slot_count();
        let mut sold: Vec<Sold> = Vec::with_capacity(rows * parts.len());
        let mut is_place = vec![0_u64; self.exits.len().div_ceil(64)];
        let mut behind: Vec<Sold> = Vec::new();
        for ranks in self.ranks.chunks_exact(self.levels.slot_count()) {
            let first = sold.len();
            let least = |slots: &[usize]| {
                let ranks = slots.iter().map(|slot| ranks[*slot]);
                ranks.fold(UNTOUCHED, u32::min)
            };
            let of_shared = least(&shared);
            for ((part, slots), number) in parts.iter().zip(&slots).zip(1..) {
                let rank = match slots.has_shared {
                    true => least(&slots.own).min(of_shared),
                    false => least(&slots.own),
                };
                if rank == UNTOUCHED {
                    continue;
                }
                match sold[first..].iter_mut().find(|sold| sold.rank == rank) {
                    Some(sold) => sold.share += part.share,
                    None => sold.push(Sold {
                        rank,
                        place: rank,
                        part: number,
                        share: part.share,
                    }),
                }
            }
            // At one instant sales go by their parts, and the ranks of most do. The last part, a
            // moonbag, may end by a rule whose turn comes before that of others.
            let of_signal = &sold[first..];
            if let [others @ .., last] = of_signal
                && others.iter().any(|sold| sold.rank > last.rank)
            {
                let end = |rank: u32| self.exits[rank as usize].end;
                let later = others.iter().map(|sold| sold.rank);
                let later = later.filter(|rank| *rank > last.rank && end(*rank) == end(last.rank));
                if let Some(place) = later.max() {
                    behind.push(Sold { place, ..*last });
                    sold.pop();
                }
            }
            for sold in &sold[first..] {
                is_place[sold.place as usize / 64] |= 1 << (sold.place % 64);
            }
        }
        self.in_order(&sold, &is_place, behind)
    }

    /// The slots that several parts share, looked at once for all of them, and the rest of each.
    fn slots_of_parts(&self, parts: &[Part]) -> (Vec<usize>, Vec<PartSlots>) {
        let slots = parts.iter().map(|part| self.levels.slots(part));
        let slots: Vec<Vec<usize>> = slots.collect();
        let mut shared = slots.first().cloned().unwrap_or_default();
        shared.retain(|slot| slots.iter().filter(|slots| slots.contains(slot)).count() > 1);
        let of_part = |mut own: Vec<usize>| {
            let has_shared = shared.iter().all(|slot| own.contains(slot));
            own.retain(|slot| !has_shared || !shared.contains(slot));
            PartSlots { has_shared, own }
        };
        let of_parts = slots.into_iter().map(of_part).collect();
        (shared, of_parts)
    }

    /// Sales at the places of their ranks, and `behind` those places some more.
    fn in_order(&self, sold: &[Sold], is_place: &[u64], mut behind: Vec<Sold>) -> Sales {
        let mut before = 0_u32;
        let counts = is_place.iter().map(|word| {
            let count = before;
            before += word.count_ones();
            count
        });
        let counts: Vec<u32> = counts.collect();
        // How many places there are before one.
        let index = |place: u32| {
            let (word, bit) = (place as usize / 64, place % 64);
            (counts[word] + (is_place[word] & ((1 << bit) - 1)).count_ones()) as usize
        };
        let Some(some) = sold.first() else {
            return Sales::default();
        };
        let mut ordered = vec![*some; sold.len()];
        for sold in sold {
            ordered[index(sold.place)] = *sold;
        }
        if !behind.is_empty() {
            behind.sort_unstable_by_key(|sold| sold.place);
            let mut merged = Vec::with_capacity(ordered.len() + behind.len());
            let mut taken = 0;
            for sold in behind {
                let next = index(sold.place) + 1;
                merged.extend_from_slice(&ordered[taken..next]);
                merged.push(sold);
                taken = next;
            }
            merged.extend_from_slice(&ordered[taken..]);
            ordered = merged;
        }
        let mut shares: Vec<i64> = Vec::new();
        let exit = |sold: &Sold| {
            let known = shares.iter().position(|share| *share == sold.share);
            let share = known.unwrap_or(shares.len());
            if share == shares.len() {
                shares.push(sold.share);
            }
            SignalExit {
                part: sold.part,
                share: share as u8,
                ..self.exits[sold.rank as usize]
            }
        };
        // In the order of their ranks, which is that of memory.
        let exits = ordered.iter().map(exit).collect();
        Sales { exits, shares }
    }
}

/// What a sale needs on its way: where it is found, and where it is put in order.
pub(super) const SOLD_BYTES: usize = 2 * size_of::<Sold>();

/// The slots of one of several parts.
struct PartSlots {
    /// Whether it has all slots that are shared, besides its own.
    has_shared: bool,
    own: Vec<usize>,
}

/// A sale on its way to its place.
#[derive(Clone, Copy)]
struct Sold {
    rank: u32,
    /// The rank that it stands at or behind.
    place: u32,
    part: u8,
    share: i64,
}
