//! The sales of positions in several parts, in the order in which trades are counted.

use hindsight_udfs::exits::rule::Part;

use super::exits::{ExitTable, ROWS_AT_ONCE, Sales, SignalExit, UNTOUCHED};
use super::one_set::Together;

impl ExitTable<'_> {
    /// The sales of positions in several parts.
    pub(super) fn of_parts(&self, parts: &[Part]) -> Sales {
        let (shared, slots) = self.slots_of_parts(parts);
        let mut sold: Vec<Sold> = Vec::with_capacity(self.rows * parts.len());
        let mut is_place = vec![0_u64; self.exits.len().div_ceil(64)];
        let mut behind: Vec<Behind> = Vec::new();
        let mut of_shared = [UNTOUCHED; ROWS_AT_ONCE];
        let mut of_parts = vec![of_shared; parts.len()];
        for row in 0..self.rows {
            let place = row % ROWS_AT_ONCE;
            if place == 0 {
                self.first_ranks(row, &shared, &mut of_shared);
                for (slots, first) in slots.iter().zip(&mut of_parts) {
                    self.first_ranks(row, &slots.own, first);
                    if slots.has_shared {
                        let both = first.iter_mut().zip(&of_shared);
                        both.for_each(|(first, shared)| *first = (*first).min(*shared));
                    }
                }
            }
            let first = sold.len();
            for (ranks, part) in of_parts.iter().zip(0..) {
                let rank = ranks[place];
                if rank == UNTOUCHED {
                    continue;
                }
                match sold[first..].iter_mut().find(|sold| sold.rank == rank) {
                    Some(sold) => sold.parts |= 1 << part,
                    None => sold.push(Sold {
                        rank,
                        parts: 1 << part,
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
                    behind.push(Behind { place, sold: *last });
                    sold.pop();
                }
            }
            for sold in &sold[first..] {
                is_place[sold.rank as usize / 64] |= 1 << (sold.rank % 64);
            }
        }
        self.in_order(parts, &sold, &is_place, behind)
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
    fn in_order(
        &self,
        parts: &[Part],
        sold: &[Sold],
        is_place: &[u64],
        mut behind: Vec<Behind>,
    ) -> Sales {
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
            ordered[index(sold.rank)] = *sold;
        }
        if !behind.is_empty() {
            behind.sort_unstable_by_key(|behind| behind.place);
            let mut merged = Vec::with_capacity(ordered.len() + behind.len());
            let mut taken = 0;
            for behind in behind {
                let next = index(behind.place) + 1;
                merged.extend_from_slice(&ordered[taken..next]);
                merged.push(behind.sold);
                taken = next;
            }
            merged.extend_from_slice(&ordered[taken..]);
            ordered = merged;
        }
        let mut shares = Shares::new(parts);
        let exit = |sold: &Sold| SignalExit {
            part: sold.parts.trailing_zeros() as u8 + 1,
            share: shares.place_of(sold.parts),
            ..self.exits[sold.rank as usize]
        };
        // In the order of their ranks, which is that of memory.
        let exits = ordered.iter().map(exit).collect();
        Sales {
            exits,
            shares: shares.sold,
        }
    }
}

/// What a sale needs on its way: where it is found, and where it is put in order.
pub(super) const SOLD_BYTES: usize = 2 * size_of::<Sold>();

/// The shares that are sold, of parts that are sold together: few of those that could be.
pub(super) struct Shares<'a> {
    parts: &'a [Part],
    /// Each once.
    pub sold: Vec<i64>,
    /// The place of what each set of parts sells, a bit for each part.
    places: Vec<Option<u8>>,
}

impl<'a> Shares<'a> {
    pub fn new(parts: &'a [Part]) -> Self {
        Self {
            parts,
            sold: Vec::new(),
            places: vec![None; 1 << parts.len()],
        }
    }

    /// The place of what these parts sell together.
    pub fn place_of(&mut self, together: Together) -> u8 {
        if let Some(place) = self.places[usize::from(together)] {
            return place;
        }
        let parts = self.parts.iter().enumerate();
        let parts = parts.filter(|(part, _)| together & (1 << part) != 0);
        let share = parts.map(|(_, part)| part.share).sum();
        let known = self.sold.iter().position(|known| *known == share);
        let place = known.unwrap_or(self.sold.len());
        if place == self.sold.len() {
            self.sold.push(share);
        }
        self.places[usize::from(together)] = Some(place as u8);
        place as u8
    }
}

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
    /// Those that end by it.
    parts: Together,
}

/// A sale that does not stand at the place of its rank, but behind another.
struct Behind {
    place: u32,
    sold: Sold,
}
