//! Values while a catalog query runs, their order and their keys in hash tables.
//!
//! A value does not carry its type: the types of expressions are known before they run.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::numeric::Numeric;

/// One value of any type.
#[derive(Clone, Debug)]
pub enum Value {
    Null,
    Bool(bool),
    /// Integers, and everything that is an oid.
    Int(i64),
    Float(f64),
    Numeric(Numeric),
    /// Texts, and everything that is kept as its text.
    Text(Arc<str>),
    Bytes(Arc<[u8]>),
    /// Days since 1970.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// Microseconds since 1970.
    Timestamp(i64),
    Interval(Interval),
    Array(Arc<Array>),
    Record(Arc<[Value]>),
}

/// An interval, in PostgreSQL's three parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interval {
    pub months: i32,
    pub days: i32,
    pub microseconds: i64,
}

impl Interval {
    /// A length to compare by: a month is 30 days, a day 24 hours.
    pub fn span(&self) -> i128 {
        let days = i128::from(self.months) * 30 + i128::from(self.days);
        days * 86_400_000_000 + i128::from(self.microseconds)
    }
}

/// An array of one dimension; the vectors of `pg_index` count from 0.
#[derive(Clone, Debug)]
pub struct Array {
    pub lower: i64,
    pub items: Vec<Value>,
}

impl Value {
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::Text(text.as_ref().into())
    }

    pub fn optional(text: Option<impl AsRef<str>>) -> Self {
        text.map_or(Self::Null, Self::text)
    }

    pub fn array(items: Vec<Value>) -> Self {
        Self::Array(Arc::new(Array { lower: 1, items }))
    }

    pub fn vector(items: Vec<Value>) -> Self {
        Self::Array(Arc::new(Array { lower: 0, items }))
    }

    pub fn texts<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::array(items.into_iter().map(Self::text).collect())
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub fn is_true(&self) -> bool {
        matches!(self, Self::Bool(true))
    }

    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn items(&self) -> &[Value] {
        match self {
            Self::Array(array) => &array.items,
            Self::Record(fields) => fields,
            _ => &[],
        }
    }

    /// The total order of sorting: null after everything.
    pub fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Null, _) => Ordering::Greater,
            (_, Self::Null) => Ordering::Less,
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => match (a.is_nan(), b.is_nan()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                _ => a.partial_cmp(b).unwrap_or(Ordering::Equal),
            },
            (Self::Numeric(a), Self::Numeric(b)) => a.compare(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Bytes(a), Self::Bytes(b)) => a.cmp(b),
            (Self::Date(a), Self::Date(b)) => a.cmp(b),
            (Self::Time(a), Self::Time(b)) | (Self::Timestamp(a), Self::Timestamp(b)) => a.cmp(b),
            (Self::Interval(a), Self::Interval(b)) => a.span().cmp(&b.span()),
            (Self::Array(_), Self::Array(_)) | (Self::Record(_), Self::Record(_)) => {
                let (a, b) = (self.items(), other.items());
                let parts = a.iter().zip(b).map(|(a, b)| a.order(b));
                let differs = parts.into_iter().find(|order| order.is_ne());
                differs.unwrap_or_else(|| a.len().cmp(&b.len()))
            }
            // Types are made equal before values meet.
            (a, b) => a.kind().cmp(&b.kind()),
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::Int(_) => 2,
            Self::Float(_) => 3,
            Self::Numeric(_) => 4,
            Self::Text(_) => 5,
            Self::Bytes(_) => 6,
            Self::Date(_) => 7,
            Self::Time(_) => 8,
            Self::Timestamp(_) => 9,
            Self::Interval(_) => 10,
            Self::Array(_) => 11,
            Self::Record(_) => 12,
        }
    }
}

/// Equal as `IS NOT DISTINCT FROM` says it.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.order(other).is_eq()
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kind().hash(state);
        match self {
            Self::Null => {}
            Self::Bool(value) => value.hash(state),
            Self::Int(value) | Self::Time(value) | Self::Timestamp(value) => value.hash(state),
            // 0 and -0 are equal, and so are all that are not a number.
            Self::Float(value) if *value == 0.0 => 0_u64.hash(state),
            Self::Float(value) if value.is_nan() => f64::NAN.to_bits().hash(state),
            Self::Float(value) => value.to_bits().hash(state),
            Self::Numeric(value) => value.hash(state),
            Self::Text(value) => value.hash(state),
            Self::Bytes(value) => value.hash(state),
            Self::Date(value) => value.hash(state),
            Self::Interval(value) => value.span().hash(state),
            Self::Array(_) | Self::Record(_) => self.items().hash(state),
        }
    }
}
