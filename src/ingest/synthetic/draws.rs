//! Random draws that are the same on every machine.
//!
//! A draw is made of integers and of `+ - * /` on `f64`, which IEEE 754 fixes to the bit. Functions
//! such as `ln` or `exp` are absent on purpose: their last bit depends on the platform.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// One stream of draws.
pub struct Draws(ChaCha8Rng);

impl Draws {
    /// Streams of one seed are independent of each other, so that each token can have its own.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(stream);
        Draws(generator)
    }

    /// In `[0, 1)`.
    pub fn uniform(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.0.next_u64() >> 11) as f64 * STEP
    }

    /// In `[low, high)`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// In `[0, bound)`; 0 for a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.0.next_u64()) * bound as u128) >> 64) as usize
    }

    /// Whole microseconds in `[0, bound)`.
    pub fn micros(&mut self, bound: i64) -> i64 {
        self.below(usize::try_from(bound).unwrap_or(0)) as i64
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// Mean 0, variance 1, and close to normal: the count of 64 fair coins.
    pub fn normal(&mut self) -> f64 {
        (f64::from(self.0.next_u64().count_ones()) - 32.0) * 0.25
    }

    /// `base × 2^x` for `x` spread over `0..octaves`: as many small values as large ones.
    pub fn octaves(&mut self, base: f64, octaves: usize) -> f64 {
        let octave = (1_u64 << self.below(octaves)) as f64;
        base * octave * (1.0 + self.uniform())
    }

    /// A 44-character address. Tokens end in `demo`, so that nobody takes one for a real token.
    pub fn address(&mut self, suffix: &str) -> String {
        let mut address = String::with_capacity(44);
        // 32 bytes in base 58 with 44 digits begin with a low digit.
        address.push(char::from(BASE58[self.below(17)]));
        while address.len() + suffix.len() < 44 {
            address.push(char::from(BASE58[self.below(58)]));
        }
        address.push_str(suffix);
        address
    }

    /// A random (version 4) UUID.
    pub fn uuid(&mut self) -> u128 {
        let bits = u128::from(self.0.next_u64()) << 64 | u128::from(self.0.next_u64());
        bits & !(0xf << 76) & !(0b11 << 62) | 0x4 << 76 | 0b10 << 62
    }
}

/// The usual text of a UUID.
pub fn uuid_text(uuid: u128) -> String {
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        uuid >> 96,
        uuid >> 80 & 0xffff,
        uuid >> 64 & 0xffff,
        uuid >> 48 & 0xffff,
        uuid & 0xffff_ffff_ffff
    )
}
