//! Rows of one token and one instant: those that say the same again go, and of those that say
//! something else the one that shall hold stays.

use std::sync::Arc;

use datafusion::arrow::datatypes::ArrowNativeType;

use super::conflict::Value;
use super::prices::Piece;
use super::read::Place;
use super::{Finding, OnConflict, timestamp};
use crate::dataset::{NO_VOLUME, Series};
use crate::error::InputRow;

/// The place of what is stored; what is read comes after it.
pub(super) const STORED: u64 = 0;

/// One instant with two different values, the earlier one first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Different {
    pub(super) timestamp: i64,
    pub(super) value: Value,
    pub(super) other: Value,
    /// Of the later one.
    place: u64,
}

/// What became of rows of the same instants.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct United {
    /// Rows that said the same again.
    pub(super) duplicates: u64,
    /// Rows that said something else, and the first of them.
    different: u64,
    first: Option<Different>,
}

/// Rows that contradicted others, and the first of them in the order of the input.
#[derive(Debug, Default)]
pub(super) struct Corrections {
    pub(super) rows: u64,
    first: Option<(Arc<str>, Different)>,
}

impl Corrections {
    pub(super) fn note(&mut self, address: &Arc<str>, united: United) {
        self.add(Self {
            rows: united.different,
            first: united.first.map(|first| (Arc::clone(address), first)),
        });
    }

    pub(super) fn add(&mut self, other: Self) {
        self.rows += other.rows;
        let earlier = |one: &(Arc<str>, Different)| {
            self.first
                .as_ref()
                .is_none_or(|first| one.1.place < first.1.place)
        };
        if other.first.as_ref().is_some_and(earlier) {
            self.first = other.first;
        }
    }

    /// What was done about them, as a finding; `locate` names the file and row of a place.
    pub(super) fn finding(
        &self,
        on_conflict: OnConflict,
        locate: impl Fn(Place) -> (String, InputRow),
    ) -> Option<Finding> {
        let (address, first) = self.first.as_ref()?;
        let (file, row) = locate(Place::unpacked(first.place.saturating_sub(1)));
        let at = timestamp::to_text(first.timestamp);
        let (value, other, column) = (first.value, first.other, first.value.column());
        Some(on_conflict.finding(
            "token_prices",
            self.rows,
            &format!("{file}: row {row}, {column} of token {address} at {at}"),
            &value.to_string(),
            &other.to_string(),
        ))
    }
}

/// Sorts by time, and where rows know their places by these, and leaves one row for each instant.
pub(super) fn sort_and_unite(
    piece: &mut Piece,
    on_conflict: OnConflict,
) -> Result<United, Different> {
    // A sum, not a search: what is nearly always so is found out without a branch.
    let pairs = piece.timestamps.windows(2);
    if pairs.map(|pair| u64::from(pair[0] >= pair[1])).sum::<u64>() == 0 {
        return Ok(United::default());
    }
    let has_places = !piece.places.is_empty();
    if has_places || !piece.timestamps.is_sorted() {
        let mut order: Vec<(i64, usize)> = piece.timestamps.iter().copied().zip(0..).collect();
        match has_places {
            true => order.sort_by_key(|(timestamp, row)| (*timestamp, piece.places[*row])),
            false => order.sort(),
        }
        piece.timestamps = ordered(&piece.timestamps, &order);
        piece.mantissas.values = ordered(&piece.mantissas.values, &order);
        piece.volumes = ordered(&piece.volumes, &order);
        piece.places = ordered(&piece.places, &order);
    }
    unite(piece, on_conflict)
}

/// The values in another order; those that are not there stay so.
fn ordered<T: ArrowNativeType>(values: &Series<T>, order: &[(i64, usize)]) -> Series<T> {
    match values.is_empty() {
        true => Series::default(),
        false => order
            .iter()
            .map(|(_, row)| values[*row])
            .collect::<Vec<_>>()
            .into(),
    }
}

fn unite(piece: &mut Piece, on_conflict: OnConflict) -> Result<United, Different> {
    let scale = piece.mantissas.scale;
    let timestamps = piece.timestamps.to_mut();
    let mantissas = piece.mantissas.values.to_mut();
    let volumes = piece.volumes.to_mut();
    let places = piece.places.to_mut();
    let rows = timestamps.len();
    let mut united = United::default();
    let mut kept = 0;
    for row in 1..rows {
        if timestamps[row] != timestamps[kept] {
            kept += 1;
            timestamps[kept] = timestamps[row];
            mantissas[kept] = mantissas[row];
            if !volumes.is_empty() {
                volumes[kept] = volumes[row];
            }
            if !places.is_empty() {
                places[kept] = places[row];
            }
            continue;
        }
        let volume = |row: usize| volumes.get(row).copied().unwrap_or(NO_VOLUME);
        let (old_volume, new_volume) = (volume(kept), volume(row));
        let values = if mantissas[row] != mantissas[kept] {
            let price = |row: usize| Value::Price(mantissas[row], scale);
            Some((price(kept), price(row)))
        } else if old_volume != new_volume && old_volume != NO_VOLUME && new_volume != NO_VOLUME {
            Some((Value::Volume(old_volume), Value::Volume(new_volume)))
        } else {
            None
        };
        if let Some((value, other)) = values {
            let different = Different {
                timestamp: timestamps[row],
                value,
                other,
                place: places.get(row).copied().unwrap_or(STORED),
            };
            united.different += 1;
            let is_earlier = |first: Different| different.place < first.place;
            if united.first.is_none_or(is_earlier) {
                united.first = Some(different);
            }
            match on_conflict {
                OnConflict::Refuse => return Err(different),
                OnConflict::Keep => continue,
                OnConflict::Replace => mantissas[kept] = mantissas[row],
            }
        } else {
            united.duplicates += 1;
        }
        // A null says nothing, so that it takes nothing away.
        if new_volume != NO_VOLUME && !volumes.is_empty() {
            volumes[kept] = new_volume;
        }
    }
    let rows_kept = if rows == 0 { 0 } else { kept + 1 };
    timestamps.truncate(rows_kept);
    mantissas.truncate(rows_kept);
    volumes.truncate(rows_kept);
    places.truncate(rows_kept);
    Ok(united)
}
