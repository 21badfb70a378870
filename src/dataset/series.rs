//! Values of one token in the order they came: a part of the chunk they came in, until they change.

use std::ops::Deref;

use datafusion::arrow::buffer::ScalarBuffer;
use datafusion::arrow::datatypes::ArrowNativeType;

/// A vector that shares a part of a chunk, and keeps it alive, as long as that is all it holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series<T: ArrowNativeType> {
    shared: Option<Part<T>>,
    own: Vec<T>,
}

/// Some rows of a chunk that follow each other.
#[derive(Debug, Clone)]
struct Part<T: ArrowNativeType> {
    chunk: ScalarBuffer<T>,
    start: usize,
    rows: usize,
}

impl<T: ArrowNativeType> Part<T> {
    fn is_followed_by(&self, next: &Self) -> bool {
        self.chunk.inner().ptr_eq(next.chunk.inner()) && self.start + self.rows == next.start
    }
}

impl<T: ArrowNativeType> Series<T> {
    /// Some rows of a chunk.
    pub(crate) fn shared(chunk: &ScalarBuffer<T>, start: usize, rows: usize) -> Self {
        let chunk = chunk.clone();
        Self {
            shared: Some(Part { chunk, start, rows }),
            own: Vec::new(),
        }
    }

    /// Whether the other's values come right after these in one chunk.
    pub(super) fn is_followed_by(&self, next: &Self) -> bool {
        match (&self.shared, &next.shared) {
            (Some(part), Some(next)) => part.is_followed_by(next),
            _ => false,
        }
    }

    /// The values as a vector: copied, if they are shared.
    pub(crate) fn to_mut(&mut self) -> &mut Vec<T> {
        if self.shared.is_some() {
            self.own = self.to_vec();
            self.shared = None;
        }
        &mut self.own
    }

    /// Appends a run that is mostly long, or a single value where tokens take turns.
    pub(crate) fn append_run(&mut self, run: &[T]) {
        match run {
            [one] => self.to_mut().push(*one),
            many => self.to_mut().extend_from_slice(many),
        }
    }

    /// All values one after the other: not copied where they lie so in a chunk.
    pub(super) fn concat<'s>(series: impl Iterator<Item = &'s Self> + Clone) -> ScalarBuffer<T> {
        match Self::whole(series.clone()) {
            Some(Part { chunk, start, rows }) => chunk.slice(start, rows),
            None => series
                .map(|values| &**values)
                .collect::<Vec<_>>()
                .concat()
                .into(),
        }
    }

    fn whole<'s>(mut series: impl Iterator<Item = &'s Self>) -> Option<Part<T>> {
        let mut whole = series.next()?.shared.clone()?;
        for next in series {
            let next = next.shared.as_ref()?;
            if !whole.is_followed_by(next) {
                return None;
            }
            whole.rows += next.rows;
        }
        Some(whole)
    }
}

impl<T: ArrowNativeType> Deref for Series<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.shared {
            Some(Part { chunk, start, rows }) => &chunk[*start..start + rows],
            None => &self.own,
        }
    }
}

impl<T: ArrowNativeType> From<Vec<T>> for Series<T> {
    fn from(own: Vec<T>) -> Self {
        Self { shared: None, own }
    }
}

impl<T: ArrowNativeType> PartialEq for Series<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: ArrowNativeType + Eq> Eq for Series<T> {}
