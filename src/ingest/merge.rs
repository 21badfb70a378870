//! Prices on their way out: each token's pieces joined, sorted, made unique, merged with the stored
//! history and written, tokens in the order of their addresses.

use std::sync::Arc;

use rayon::prelude::*;

use super::columns::TOO_FINE;
use super::conflict::Conflict;
use super::decimal::Rounding;
use super::mantissas::{DoesNotFit, Mantissas};
use super::prices::{CollectedToken, Piece, does_not_fit, volume_values};
use super::probes::{Answers, Probes};
use super::quality::{Oddities, PriceChecks};
use super::spill::Spill;
use super::unite::{Corrections, Different, STORED, sort_and_unite};
use super::{OnConflict, Phase, Progress};
use crate::dataset::{Dataset, GenerationWriter, PricesWriter, Series, SortedToken};
use crate::error::{Error, Result};

/// Prices written together: enough for both cores to share, few enough to hold several times.
const BATCH_PRICES: usize = 1 << 17;

/// What became of the prices.
pub(super) struct Written {
    pub(super) prices: PricesWriter,
    pub(super) added: u64,
    pub(super) total: u64,
    pub(super) checks: PriceChecks,
    /// What signals and trades asked of the prices.
    pub(super) answers: Answers,
    /// Every token with its last price's timestamp, by address.
    pub(super) last_timestamps: Vec<(Arc<str>, i64)>,
    pub(super) corrections: Corrections,
}

/// Why prices could not be written.
pub(super) enum MergeError {
    /// Two different values for one instant; the files must be read again to say where.
    Conflict(Conflict),
    Other(Error),
}

impl From<Error> for MergeError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Writes whole tokens, merged with what is stored of them, in the order of their addresses.
pub(super) struct Merger<'g> {
    stored: &'g Dataset,
    probes: &'g Probes,
    rounding: Rounding,
    on_conflict: OnConflict,
    /// Of the stored tokens, how many are written.
    stored_written: usize,
    written: Written,
}

impl<'g> Merger<'g> {
    pub(super) fn new(
        generation: &'g GenerationWriter,
        probes: &'g Probes,
        rounding: Rounding,
        with_volumes: bool,
        on_conflict: OnConflict,
    ) -> Result<Self> {
        let stored = generation.previous();
        let with_volumes = with_volumes || stored.volumes.iter().any(Option::is_some);
        Ok(Self {
            stored,
            probes,
            rounding,
            on_conflict,
            stored_written: 0,
            written: Written {
                prices: generation.prices(with_volumes)?,
                added: 0,
                total: 0,
                checks: PriceChecks::default(),
                answers: Answers::default(),
                last_timestamps: Vec::new(),
                corrections: Corrections::default(),
            },
        })
    }

    /// Writes what each thread collected, and what is stored, of the tokens before `end`; or all
    /// that is left, which progress then hears of.
    pub(super) fn write(
        &mut self,
        collected: Vec<(Vec<CollectedToken>, Spill)>,
        end: Option<&[u8]>,
        progress: &dyn Progress,
    ) -> Result<(), MergeError> {
        let (spills, tokens) = self.tokens_before(end, collected);
        self.check_order(&tokens)?;
        let rows = |token: &Token| token.rows(self.stored);
        if end.is_none() {
            let rows = tokens.iter().map(|token| rows(token) as u64).sum();
            progress.begin(Phase::Writing, rows);
        }
        let mut batch = Vec::new();
        let mut batch_rows = 0;
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            batch_rows += token.rows(self.stored);
            batch.push(token);
            if batch_rows >= BATCH_PRICES || tokens.peek().is_none() {
                self.write_batch(std::mem::take(&mut batch), &spills, progress)?;
                if end.is_none() {
                    progress.advance(Phase::Writing, batch_rows as u64);
                }
                batch_rows = 0;
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Written {
        self.written
    }

    /// All there is of each token, by address.
    fn tokens_before(
        &mut self,
        end: Option<&[u8]>,
        collected: Vec<(Vec<CollectedToken>, Spill)>,
    ) -> (Vec<Spill>, Vec<Token>) {
        let mut spills = Vec::new();
        let mut all: Vec<Token> = Vec::new();
        for (thread, (tokens, spill)) in collected.into_iter().enumerate() {
            spills.push(spill);
            all.extend(tokens.into_iter().map(|token| Token {
                address: Arc::clone(&token.address),
                collected: vec![(thread, token)],
                stored: None,
            }));
        }
        let stored = self.stored.price_book.iter().enumerate();
        let before = all.len();
        all.extend(
            stored
                .skip(self.stored_written)
                .take_while(|(_, (address, _))| end.is_none_or(|end| address.as_bytes() < end))
                .map(|(position, (address, _))| Token {
                    address: Arc::clone(address),
                    collected: Vec::new(),
                    stored: Some(position),
                }),
        );
        self.stored_written += all.len() - before;
        all.sort_by(|a, b| a.address.cmp(&b.address));
        all.dedup_by(|later, token| {
            let same = later.address == token.address;
            if same {
                token.collected.append(&mut later.collected);
                token.stored = token.stored.or(later.stored);
            }
            same
        });
        (spills, all)
    }

    /// Refuses tokens that come after they were written.
    fn check_order(&self, tokens: &[Token]) -> Result<()> {
        match (tokens.first(), self.written.last_timestamps.last()) {
            (Some(token), Some((last, _))) if token.address <= *last => Err(Error::InputFile {
                file: "prices".into(),
                found: format!(
                    "token {} in a row group whose statistics say that it is not there",
                    token.address
                ),
                expected: "Parquet files whose statistics are true".into(),
            }),
            _ => Ok(()),
        }
    }

    fn write_batch(
        &mut self,
        batch: Vec<Token>,
        spills: &[Spill],
        progress: &dyn Progress,
    ) -> Result<(), MergeError> {
        if progress.should_stop() {
            return Err(Error::Cancelled.into());
        }
        let (stored, probes) = (self.stored, self.probes);
        let (rounding, on_conflict) = (self.rounding, self.on_conflict);
        let merged: Vec<_> = batch
            .into_par_iter()
            .map(|token| merge(token, spills, stored, probes, rounding, on_conflict))
            .collect();
        let written = &mut self.written;
        let mut tokens = Vec::with_capacity(merged.len());
        for token in merged {
            // The first failure by address, so that the message does not depend on the threads.
            let Some(token) = token? else {
                continue;
            };
            written.added += token.added;
            written.total += token.rows;
            written.checks.add(token.checks);
            written.corrections.add(token.corrections);
            written.answers.add(token.answers);
            written
                .last_timestamps
                .push((token.address, token.last_timestamp));
            tokens.push(token.token);
        }
        Ok(written.prices.write(&tokens)?)
    }
}

/// One token of the merged history.
struct Token {
    address: Arc<str>,
    /// From each thread that saw it, with the position of its spill file.
    collected: Vec<(usize, CollectedToken)>,
    /// Its position in the stored price book.
    stored: Option<usize>,
}

impl Token {
    fn rows(&self, stored: &Dataset) -> usize {
        let collected: usize = self.collected.iter().map(|(_, token)| token.rows()).sum();
        let stored = self
            .stored
            .map(|position| stored.price_book.token(position));
        collected + stored.map_or(0, |prices| prices.timestamps.len())
    }
}

/// A token ready to be written, and what there is to say about it.
struct Merged {
    token: SortedToken,
    rows: u64,
    added: u64,
    last_timestamp: i64,
    checks: PriceChecks,
    corrections: Corrections,
    answers: Answers,
    address: Arc<str>,
}

/// Joins all there is of a token; `None` where that is nothing.
fn merge(
    token: Token,
    spills: &[Spill],
    stored: &Dataset,
    probes: &Probes,
    rounding: Rounding,
    on_conflict: OnConflict,
) -> Result<Option<Merged>, MergeError> {
    let address = token.address;
    let mut pieces = Vec::new();
    for (thread, collected) in token.collected {
        pieces.extend(collected.into_pieces(&spills[thread])?);
    }
    let does_not_fit = |DoesNotFit| {
        let error = Error::InputFile {
            file: "prices".into(),
            found: does_not_fit(&address),
            expected: "prices of fewer digits".into(),
        };
        error.hinted(TOO_FINE)
    };
    let conflict = |stored| {
        let address = Arc::clone(&address);
        move |Different {
                  timestamp,
                  value,
                  other,
                  ..
              }| {
            MergeError::Conflict(Conflict {
                address,
                timestamp,
                value,
                other,
                stored,
            })
        }
    };
    let mut corrections = Corrections::default();
    let mut all = join(pieces, rounding).map_err(does_not_fit)?;
    // What is rounded is rounded once, to the digits that both leave room for.
    if let Some(prices) = token
        .stored
        .map(|position| stored.price_book.token(position))
    {
        all.mantissas.leave_room(&prices.mantissas, prices.scale);
    }
    let rounded = all.mantissas.settle(rounding).map_err(does_not_fit)?;
    let rounded = rounded
        .first()
        .map(|row| (rounded.len() as u64, all.timestamps[*row]));
    let united = sort_and_unite(&mut all, on_conflict).map_err(conflict(false))?;
    let oddities = Oddities {
        rounded,
        duplicates: united.duplicates,
    };
    corrections.note(&address, united);
    let mut stored_rows = 0;
    if let Some(position) = token.stored {
        let prices = stored.price_book.token(position);
        let volumes = stored.volumes.get(position).and_then(Option::as_ref);
        stored_rows = prices.timestamps.len();
        let stored = Piece {
            timestamps: Series::shared(&prices.timestamps, 0, stored_rows),
            mantissas: Mantissas::new(
                prices.scale,
                Series::shared(&prices.mantissas, 0, stored_rows),
            ),
            volumes: volumes.map_or_else(Series::default, |volumes| {
                Series::shared(&volume_values(volumes), 0, stored_rows)
            }),
            // What is stored comes before all that is read.
            places: match all.places.is_empty() {
                true => Series::default(),
                false => vec![STORED; stored_rows].into(),
            },
        };
        all = join(vec![stored, all], rounding).map_err(does_not_fit)?;
        all.mantissas.settle(rounding).map_err(does_not_fit)?;
        let united = sort_and_unite(&mut all, on_conflict).map_err(conflict(true))?;
        corrections.note(&address, united);
    }
    all.mantissas.minimise();
    let Some(&last_timestamp) = all.timestamps.last() else {
        return Ok(None);
    };
    let rows = all.timestamps.len();
    let checks = PriceChecks::of(&address, &all, oddities);
    let answers = probes.ask(&address, &all);
    Ok(Some(Merged {
        rows: rows as u64,
        added: (rows - stored_rows) as u64,
        last_timestamp,
        checks,
        corrections,
        answers,
        token: SortedToken::new(
            Arc::clone(&address),
            all.mantissas.scale,
            all.timestamps,
            all.mantissas.values,
            all.volumes,
        ),
        address,
    }))
}

fn join(mut pieces: Vec<Piece>, rounding: Rounding) -> Result<Piece, DoesNotFit> {
    pieces.retain(|piece| !piece.timestamps.is_empty());
    // Pieces that follow each other in time need no sorting once they lie in that order.
    pieces.sort_by_key(|piece| piece.timestamps.first().copied());
    let mut pieces = pieces.into_iter();
    let mut all = pieces.next().unwrap_or_default();
    for piece in pieces {
        all.append(&piece, rounding)?;
    }
    Ok(all)
}
