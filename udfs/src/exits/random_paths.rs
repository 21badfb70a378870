//! Random paths and exit settings that meet each other's edges on purpose.

use super::ladder::Ladder;
use super::settings::ExitSettings;
use super::walk::Path;
use super::words::ExitStrategy;

const MINUTE: i64 = 60_000_000;
const HUNDRED: i128 = 1_000_000;
/// The settings that a path is made for.
pub const SETTINGS_FOR_EACH: usize = 4;

/// SplitMix64: the same choices in each run.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = (high - low + 1) as u64;
        low + (self.next() % span) as i64
    }

    fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.next() as usize % choices.len()].clone()
    }

    fn chance(&mut self, times: i64, of: i64) -> bool {
        self.between(1, of) <= times
    }
}

/// Often whole percents that paths repeat, so that levels fall on prices.
fn percent(random: &mut Random, low: i64, high: i64) -> i64 {
    match random.chance(4, 5) {
        true => random.between(low, high) * 10_000,
        false => random.between(low * 10_000, high * 10_000),
    }
}

fn settings(random: &mut Random) -> ExitSettings {
    let (_, strategy) = random.one_of(&ExitStrategy::NAMES);
    let mut settings = ExitSettings::new(
        strategy,
        percent(random, 1, 50),
        percent(random, 5, 60),
        percent(random, 1, 30),
        random.one_of(&[5, 30, 60, 240]) * MINUTE,
    );
    if random.chance(1, 2) {
        settings.moonbag = Some(match random.between(0, 5) {
            0 => 0,
            1 => 1_000_000,
            _ => percent(random, 1, 60),
        });
    }
    let left = 1_000_000 - settings.moonbag.unwrap_or(0);
    if left > 0 && random.chance(2, 3) {
        settings.ladder = ladder(random, left);
    }
    if random.chance(1, 2) {
        settings.trailing_activation = percent(random, 1, 40);
    }
    settings.break_even = random.chance(1, 2).then(|| percent(random, 1, 30));
    settings.stagnation_micros = random
        .chance(1, 2)
        .then(|| random.one_of(&[1, 2, 5, 20]) * MINUTE);
    settings.moonbag_stop_loss = random.chance(1, 2).then(|| percent(random, 1, 100));
    settings.moonbag_max_hold_micros = random
        .chance(1, 2)
        .then(|| random.one_of(&[5, 7, 60, 300]) * MINUTE);
    settings
}

/// Steps of at most this much in all; often of exactly that.
fn ladder(random: &mut Random, most: i64) -> Option<Ladder> {
    let count = random.between(1, 6).min(most);
    let mut text = Vec::new();
    let (mut left, mut gain) = (most, 0);
    for step in 1..=count {
        let is_last = step == count;
        let most = left - (count - step);
        let share = match is_last && random.chance(1, 2) {
            true => left,
            false => random.between(1, most).min(random.between(1, most)),
        };
        left -= share;
        gain += percent(random, 1, 20);
        let decimal = |value: i64| format!("{}.{:04}", value / 10_000, value % 10_000);
        text.push(format!("{}@{}", decimal(share), decimal(gain)));
    }
    Some(text.join(", ").parse().unwrap())
}

/// A path, and settings that meet its edges.
pub struct Case {
    pub timestamps: Vec<i64>,
    pub prices: Vec<i64>,
    pub entry: usize,
    pub signal_timestamp: i64,
    pub all: Vec<ExitSettings>,
}

impl Case {
    pub fn random(random: &mut Random) -> Self {
        let all: Vec<_> = (0..SETTINGS_FOR_EACH).map(|_| settings(random)).collect();
        let entry_price = random.one_of(&[1, 100, 12_345, 10_000_000, 10_000_000, 20_000, 1 << 50]);
        let entry = random.between(0, 2) as usize;
        let signal_timestamp = random.between(-3, 3) * MINUTE;
        let mut case = Self {
            timestamps: (0..entry as i64)
                .map(|at| signal_timestamp - 5 * MINUTE + at)
                .collect(),
            prices: (0..entry).map(|_| entry_price * 3).collect(),
            entry,
            signal_timestamp,
            all,
        };
        let mut now = signal_timestamp + random.one_of(&[0, 0, 1, MINUTE, 7 * MINUTE]);
        let (mut peak, mut peak_at, mut price) = (entry_price, now, entry_price);
        for _ in 0..random.between(1, 40) {
            case.timestamps.push(now);
            case.prices.push(price);
            if price > peak {
                (peak, peak_at) = (price, now);
            }
            let of = random.one_of(&case.all);
            now = next_instant(random, &of, case.signal_timestamp, peak_at, now);
            price = next_price(random, &of, entry_price, peak, price);
        }
        case
    }

    pub fn path(&self) -> Path<'_> {
        Path {
            timestamps: &self.timestamps,
            prices: &self.prices,
            entry: self.entry,
            signal_timestamp: self.signal_timestamp,
        }
    }
}

/// On a limit or a microsecond beside it, where it is still to come.
fn next_instant(random: &mut Random, of: &ExitSettings, signal: i64, peak: i64, now: i64) -> i64 {
    let limits = [
        signal + of.max_hold_micros,
        signal + of.moonbag_max_hold_micros.unwrap_or(MINUTE),
        peak + of.stagnation_micros.unwrap_or(MINUTE),
    ];
    let instant = match random.between(0, 9) {
        0 => random.one_of(&limits) + random.between(-1, 1),
        1..=5 => now + 1,
        6 => now + random.between(1, 30 * MINUTE),
        _ => now + MINUTE / 2,
    };
    instant.max(now + 1)
}

fn next_price(random: &mut Random, of: &ExitSettings, entry: i64, peak: i64, price: i64) -> i64 {
    let share = |base: i64, percent: i64| (i128::from(base) * i128::from(percent) / HUNDRED) as i64;
    let mut gains = vec![
        of.take_profit,
        of.trailing_activation,
        of.break_even.unwrap_or(0),
    ];
    gains.extend(
        of.ladder
            .iter()
            .flat_map(|l| l.steps())
            .map(|step| step.gain),
    );
    let rise = share(entry, 1_000_000 + random.one_of(&gains));
    let beside = random.one_of(&[-1, 0, 0, 0, 1, 2]);
    let next = match random.between(0, 29) {
        0 => share(entry, 1_000_000 - of.stop_loss) + beside,
        1 => share(entry, 1_000_000 - of.moonbag_stop_loss.unwrap_or(0)) + beside,
        2..=7 => share(peak, 1_000_000 - of.trailing_stop) + beside,
        8..=13 => rise + beside,
        14 | 15 => entry + random.between(-1, 1),
        16 => peak + random.between(0, 1),
        17 => random.one_of(&[0, 1, entry * 3, entry / 2]),
        _ => price + share(entry, 1_000 * random.between(-15, 25)),
    };
    next.max(0)
}
