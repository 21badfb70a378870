//! The lowest and the highest of each block of a token's prices: where neither of them does anything,
//! no price of the block does.

/// So many prices to the power of two are a block.
const BITS: u32 = 5;

/// The extremes of a token's prices, block by block; prices behind the last whole block have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extremes {
    /// The length of a block is two to this power.
    bits: u32,
    all: Vec<Extreme>,
}

/// Those of one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extreme {
    pub low: i64,
    pub high: i64,
}

impl Extreme {
    fn of(prices: &[i64]) -> Self {
        let none = Self {
            low: i64::MAX,
            high: i64::MIN,
        };
        prices.iter().fold(none, |extreme, price| Self {
            low: extreme.low.min(*price),
            high: extreme.high.max(*price),
        })
    }
}

impl Extremes {
    pub fn of(prices: &[i64]) -> Self {
        Self::of_blocks(prices, BITS)
    }

    /// Those of blocks of two prices to this power.
    pub(crate) fn of_blocks(prices: &[i64], bits: u32) -> Self {
        let blocks = prices.chunks_exact(1 << bits);
        Self {
            bits,
            all: blocks.map(Extreme::of).collect(),
        }
    }

    /// How many prices from a position on are left of its block.
    #[inline]
    pub fn rest_of_block(&self, position: usize) -> usize {
        self.length() - (position & (self.length() - 1))
    }

    /// Those of the block that starts at a position, if one does, and where it ends.
    #[inline]
    pub fn starting_at(&self, position: usize) -> Option<(Extreme, usize)> {
        if position & (self.length() - 1) != 0 {
            return None;
        }
        let extreme = self.all.get(position >> self.bits)?;
        Some((*extreme, position + self.length()))
    }

    #[inline]
    fn length(&self) -> usize {
        1 << self.bits
    }
}
