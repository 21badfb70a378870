//! Random choices from a seed that a failing run prints and the next one can be given.

use std::sync::LazyLock;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The seed of this run: `HINDSIGHT_SEED`, else always the same.
pub static SEED: LazyLock<u64> = LazyLock::new(|| {
    let seed = std::env::var("HINDSIGHT_SEED").map_or(20_250_101, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("HINDSIGHT_SEED must be a whole number, found {text}"))
    });
    eprintln!("HINDSIGHT_SEED={seed}");
    seed
});

/// A stream of random choices.
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream of one test, independent of the streams of the others.
    pub fn of_test(test: &str) -> Self {
        let name = test.bytes().fold(0_u64, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(byte.into())
        });
        Self(ChaCha8Rng::seed_from_u64(SEED.wrapping_add(name)))
    }

    /// From `low` to `high`, both included.
    pub fn between(&mut self, low: i128, high: i128) -> i128 {
        assert!(low <= high, "nothing between {low} and {high}");
        let span = u128::try_from(high - low).unwrap() + 1;
        let bits = u128::from(self.0.next_u64()) << 64 | u128::from(self.0.next_u64());
        low + i128::try_from(bits % span).unwrap()
    }

    /// From `low` to `high`, both included.
    pub fn small(&mut self, low: i64, high: i64) -> i64 {
        i64::try_from(self.between(low.into(), high.into())).unwrap()
    }

    /// A position below `length`.
    pub fn below(&mut self, length: usize) -> usize {
        usize::try_from(self.between(0, i128::try_from(length).unwrap() - 1)).unwrap()
    }

    /// One of these.
    pub fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// True `times` in `of` times.
    pub fn chance(&mut self, times: i128, of: i128) -> bool {
        self.between(1, of) <= times
    }

    /// The same things in another order.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            things.swap(last, self.below(last + 1));
        }
    }
}
