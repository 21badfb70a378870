//! Prices on their way: collected by the threads that read them, and written once they are whole.
//!
//! Parquet files mostly say which is the least token of each row group. A token before the least of
//! all row groups still unread is whole: it is merged, written and forgotten at once. A history in
//! the order of its tokens so takes little memory, however long it is; any other is written when
//! all of it was read, and goes to temporary files where it outgrows the memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::chunk::Chunk;
use super::columns::TOKEN_PRICES;
use super::decimal::Rounding;
use super::files::Format;
use super::input::Input;
use super::merge::{MergeError, Merger, Written};
use super::parquet::ParquetFile;
use super::prices::PriceCollector;
use super::probes::Probes;
use super::read::{Failure, Place, Sink};
use super::spill::Spill;
use super::{OnConflict, Progress};
use crate::dataset::GenerationWriter;
use crate::error::Result;

/// Prices of a load, from the threads that read them to the next generation.
pub(super) struct Flow<'g> {
    generation: &'g GenerationWriter,
    progress: &'g dyn Progress,
    on_conflict: OnConflict,
    probes: &'g Probes,
    rounding: Rounding,
    memory_bytes: usize,
    /// One for each thread.
    collectors: Mutex<Vec<Arc<Mutex<PriceCollector>>>>,
    early: Option<Early<'g>>,
}

/// What is needed to write before everything is read.
struct Early<'g> {
    /// The least token of every unit that is not yet read.
    unread: Mutex<Vec<Option<Vec<u8>>>>,
    merger: Mutex<Merger<'g>>,
    /// Two values for one instant were found; reading goes on, since a file that is wrong comes
    /// first.
    conflict: Mutex<Option<MergeError>>,
    stopped: AtomicBool,
}

impl<'g> Flow<'g> {
    pub(super) fn new(
        inputs: &[Input],
        generation: &'g GenerationWriter,
        probes: &'g Probes,
        memory_bytes: usize,
        on_conflict: OnConflict,
        progress: &'g dyn Progress,
    ) -> Result<Self> {
        let given = inputs.iter().any(|input| input.rounding() == Rounding::Any);
        let rounding = if given {
            Rounding::Any
        } else {
            Rounding::Slight
        };
        let early = match RowGroups::of(inputs) {
            Some(groups) => Some(Early {
                merger: Mutex::new(Merger::new(
                    generation,
                    probes,
                    rounding,
                    groups.with_volumes,
                    on_conflict,
                )?),
                unread: Mutex::new(groups.least_tokens),
                conflict: Mutex::new(None),
                stopped: AtomicBool::new(false),
            }),
            None => None,
        };
        Ok(Self {
            generation,
            progress,
            on_conflict,
            probes,
            rounding,
            memory_bytes: memory_bytes / rayon::current_num_threads(),
            collectors: Mutex::default(),
            early,
        })
    }

    /// Where one thread takes its rows.
    pub(super) fn sink(&self) -> PriceSink<'_, 'g> {
        let mut collectors = lock(&self.collectors);
        let file = format!("prices-{}.tmp", collectors.len());
        let path = self.generation.directory().join(file);
        let with_places = self.on_conflict != OnConflict::Refuse;
        let collector = PriceCollector::new(self.memory_bytes, self.rounding, path, with_places);
        let collector = Arc::new(Mutex::new(collector));
        collectors.push(Arc::clone(&collector));
        PriceSink {
            flow: self,
            collector,
        }
    }

    /// Writes the tokens that are whole now that one more unit is read. Where another thread does
    /// so already, a thread that holds little reads on; one that holds much waits for it, lest
    /// reading outrun the disk.
    fn unit_read(&self, unit: u64, held_bytes: usize) -> Result<(), Failure> {
        let Some(early) = &self.early else {
            return Ok(());
        };
        if let Some(least) = lock(&early.unread).get_mut(unit as usize) {
            *least = None;
        }
        let merger = match held_bytes > self.memory_bytes / 4 {
            true => Some(lock(&early.merger)),
            false => early.merger.try_lock().ok(),
        };
        let end = lock(&early.unread).iter().flatten().min().cloned();
        let (Some(mut merger), Some(end)) = (merger, end) else {
            return Ok(());
        };
        if early.stopped.load(Ordering::Relaxed) {
            return Ok(());
        }
        let collectors = lock(&self.collectors).clone();
        let mut collectors: Vec<_> = collectors.iter().map(|one| lock(one)).collect();
        if collectors.iter().any(|collector| collector.has_spilled()) {
            early.stopped.store(true, Ordering::Relaxed);
            return Ok(());
        }
        let whole = collectors
            .iter_mut()
            .map(|collector| (collector.take_before(&end), Spill::default()))
            .collect();
        drop(collectors);
        match merger.write(whole, Some(&end), self.progress) {
            Ok(()) => Ok(()),
            Err(MergeError::Other(error)) => Err(Failure::Other(error)),
            Err(conflict) => {
                early.stopped.store(true, Ordering::Relaxed);
                *lock(&early.conflict) = Some(conflict);
                Ok(())
            }
        }
    }

    /// Writes what is left, when everything is read.
    pub(super) fn finish(self) -> Result<Written, MergeError> {
        let collectors = lock(&self.collectors).split_off(0);
        let mut with_volumes = false;
        let mut rest = Vec::with_capacity(collectors.len());
        for collector in &collectors {
            let mut collector = lock(collector);
            with_volumes |= collector.with_volumes;
            rest.push(collector.finish()?);
        }
        let mut merger = match self.early {
            Some(early) => {
                if let Some(conflict) = lock(&early.conflict).take() {
                    return Err(conflict);
                }
                early
                    .merger
                    .into_inner()
                    .unwrap_or_else(PoisonError::into_inner)
            }
            None => Merger::new(
                self.generation,
                self.probes,
                self.rounding,
                with_volumes,
                self.on_conflict,
            )?,
        };
        merger.write(rest, None, self.progress)?;
        Ok(merger.finish())
    }
}

/// The collector of one thread.
pub(super) struct PriceSink<'f, 'g> {
    flow: &'f Flow<'g>,
    collector: Arc<Mutex<PriceCollector>>,
}

impl Sink for PriceSink<'_, '_> {
    fn take(&mut self, chunk: &Chunk, place: Place) -> Result<(), Failure> {
        lock(&self.collector).take(chunk, place)
    }

    fn unit_read(&mut self, unit: u64) -> Result<(), Failure> {
        let held_bytes = lock(&self.collector).held_bytes();
        self.flow.unit_read(unit, held_bytes)
    }
}

/// What files tell of their row groups before those are read.
struct RowGroups {
    /// By unit.
    least_tokens: Vec<Option<Vec<u8>>>,
    with_volumes: bool,
}

impl RowGroups {
    /// `None` where an input does not tell, or cannot be read: then reading it says why.
    fn of(inputs: &[Input]) -> Option<Self> {
        let mut least_tokens = Vec::new();
        let mut volumes = Vec::new();
        for input in inputs {
            let Input::File(file) = input else {
                return None;
            };
            if file.format != Format::Parquet {
                return None;
            }
            let file = ParquetFile::open(file, &TOKEN_PRICES).ok()?;
            for row_group in 0..file.row_groups() {
                least_tokens.push(Some(file.least(row_group, "token_address")?));
                volumes.extend(file.has_values(row_group, "volume_24h"));
            }
        }
        let with_volumes = volumes.contains(&true);
        // A column that is said to be null everywhere is left out when it was seen to be.
        (with_volumes || volumes.is_empty()).then_some(Self {
            least_tokens,
            with_volumes,
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
