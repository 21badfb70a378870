//! `pnl_interval`: what the difference between simulated and actual PnL may be worth, had other tokens,
//! or other days, come along.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Field, Schema, SchemaRef};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::logical_expr::LogicalPlan;
use hindsight_statistics::bootstrap::{self, Interval, Warning};
use hindsight_udfs::metrics::totals::{LAMPORTS_PER_UNIT, rounded_units};

use super::gathered::{self, Work};
use super::own_arguments::{Given, Kind, OwnArgument};
use crate::records::runs::{Texts, texts as texts_of};
use crate::schema::SOL;

pub const CONFIDENCE: OwnArgument = OwnArgument {
    name: "confidence",
    kind: Kind::Between(0.0, 100.0, 95.0),
};
pub const RESAMPLES: OwnArgument = OwnArgument {
    name: "resamples",
    kind: Kind::Whole(2, 1_000_000, 10_000),
};
pub const SEED: OwnArgument = OwnArgument {
    name: "seed",
    kind: Kind::Whole(0, i64::MAX, 1),
};

/// The arguments of intervals.
pub const ARGUMENTS: [OwnArgument; 3] = [CONFIDENCE, RESAMPLES, SEED];

/// The columns of `pnl_interval`.
static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let sol = |name: &str| Field::new(name, SOL, true);
    Arc::new(Schema::new(vec![
        Field::new("method", DataType::Utf8, true),
        Field::new("groups", DataType::Int64, true),
        sol("estimate_sol"),
        sol("lower_sol"),
        sol("upper_sol"),
        sol("standard_error_sol"),
        Field::new("share_not_better", DataType::Float64, true),
        Field::new("warning", DataType::Utf8, true),
    ]))
});

/// The methods, with what one group and several are called.
const METHODS: [(&str, &str); 2] = [("token", "tokens"), ("day", "days")];

/// The plan over the rows of `pnl_groups`.
pub fn plan(own: LogicalPlan, groups: LogicalPlan) -> Result<LogicalPlan> {
    gathered::plan(
        "pnl_interval",
        own,
        groups,
        Arc::clone(&SCHEMA),
        Arc::new(make),
    )
}

/// What a stored run keeps of the wider interval: its name there, and here.
const STORED: [(&str, &str); 5] = [
    ("interval_method", "method"),
    ("interval_lower_sol", "lower_sol"),
    ("interval_upper_sol", "upper_sol"),
    ("interval_share_not_better", "share_not_better"),
    ("interval_warning", "warning"),
];

/// The columns of a stored run that say how far to believe it.
pub fn stored_columns() -> impl Iterator<Item = Field> {
    STORED.iter().filter_map(|(stored, name)| {
        let field = SCHEMA.field_with_name(name).ok()?;
        Some(field.clone().with_name(*stored))
    })
}

/// Their values, of the rows of `pnl_interval`: none where there is nothing to resample.
pub fn stored(rows: &[RecordBatch]) -> crate::error::Result<Texts> {
    let mut widest: Option<(i128, Texts)> = None;
    for batch in rows {
        let (lower, upper) = (lamports(batch, "lower_sol")?, lamports(batch, "upper_sol")?);
        for row in 0..batch.num_rows() {
            let of_row = texts_of(batch, row)?;
            let width = upper[row] - lower[row];
            let is_wider = widest.as_ref().is_none_or(|(widest, _)| width > *widest);
            if of_row.contains_key("lower_sol") && is_wider {
                widest = Some((width, of_row));
            }
        }
    }
    let widest = widest.map(|(_, texts)| texts).unwrap_or_default();
    let stored = STORED
        .iter()
        .filter_map(|(stored, name)| Some(((*stored).to_owned(), widest.get(*name)?.clone())));
    Ok(stored.collect())
}

fn make(own: &Given, groups: &RecordBatch, work: &Work) -> Result<RecordBatch> {
    let resampling = Resampling::of(own)?;
    let methods = texts(groups, "method")?;
    let (names, differences) = (
        texts(groups, "group_name")?,
        lamports(groups, "difference_sol")?,
    );
    let mut rows = Vec::new();
    for (method, groups) in METHODS {
        let of_method = (0..methods.len()).filter(|row| methods.value(*row) == method);
        let mut of_method: Vec<usize> = of_method.collect();
        // Resamples draw places: groups stand in one order, in whichever their rows have come.
        of_method.sort_unstable_by_key(|row| names.value(*row));
        let sums: Vec<i128> = of_method.iter().map(|row| differences[*row]).collect();
        let values: Vec<f64> = sums.iter().map(|sum| *sum as f64).collect();
        let name = |group: usize| match method {
            "token" => format!("token {}", names.value(of_method[group])),
            _ => format!("day {} of the range", group + 1),
        };
        rows.push(Row {
            method,
            groups: of_method.len(),
            estimate: sums.iter().sum(),
            interval: resampling.interval(&values, work)?,
            warning: warning(&values, groups, name),
        });
    }
    Row::batch(&rows)
}

struct Row {
    method: &'static str,
    groups: usize,
    estimate: i128,
    interval: Option<Interval>,
    warning: Option<String>,
}

impl Row {
    fn batch(rows: &[Self]) -> Result<RecordBatch> {
        let sol = |pick: &dyn Fn(&Self) -> Option<i128>| -> ArrayRef {
            let amounts: Decimal128Array = rows.iter().map(pick).collect();
            Arc::new(amounts.with_data_type(SOL))
        };
        let of = |pick: fn(&Interval) -> Option<f64>| {
            move |row: &Self| row.interval.as_ref().and_then(pick).map(rounded)
        };
        let shares = rows
            .iter()
            .map(|row| row.interval.map(|interval| interval.share_not_better));
        let groups = rows.iter().map(|row| i64::try_from(row.groups).ok());
        let columns: Vec<ArrayRef> = vec![
            Arc::new(
                rows.iter()
                    .map(|row| Some(row.method))
                    .collect::<StringArray>(),
            ),
            Arc::new(groups.collect::<Int64Array>()),
            sol(&|row| Some(rounded_units(row.estimate) * LAMPORTS_PER_UNIT)),
            sol(&of(|interval| Some(interval.lower))),
            sol(&of(|interval| Some(interval.upper))),
            sol(&of(|interval| interval.standard_error)),
            Arc::new(shares.collect::<Float64Array>()),
            Arc::new(
                rows.iter()
                    .map(|row| row.warning.as_deref())
                    .collect::<StringArray>(),
            ),
        ];
        Ok(RecordBatch::try_new(Arc::clone(&SCHEMA), columns)?)
    }
}

/// How to resample.
#[derive(Debug, Clone, Copy)]
pub struct Resampling {
    /// From 0 to 1.
    confidence: f64,
    resamples: usize,
    seed: u64,
}

impl Resampling {
    pub fn of(own: &Given) -> Result<Self> {
        Ok(Self {
            confidence: own.number(&CONFIDENCE)? / 100.0,
            resamples: usize::try_from(own.whole(&RESAMPLES)?).unwrap_or(usize::MAX),
            seed: own.whole(&SEED)?.unsigned_abs(),
        })
    }

    /// The interval of the sum of these groups; `None` without any.
    pub fn interval(&self, groups: &[f64], work: &Work) -> Result<Option<Interval>> {
        if groups.is_empty() {
            return Ok(None);
        }
        work.memory.try_grow(self.resamples * size_of::<f64>())?;
        let goes_on = || work.goes_on();
        let Self {
            confidence,
            resamples,
            seed,
        } = *self;
        let interval = bootstrap::interval(groups, confidence, resamples, seed, &goes_on);
        work.unless_stopped(interval).map(Some)
    }
}

/// What should make the reader doubt an interval over these groups, `called` so.
pub fn warning(groups: &[f64], called: &str, name: impl Fn(usize) -> String) -> Option<String> {
    let sentences = bootstrap::warnings(groups)
        .into_iter()
        .map(|warning| match warning {
            Warning::FewGroups(count) => {
                let called = match count {
                    1 => called.trim_end_matches('s'),
                    _ => called,
                };
                format!(
                    "only {count} {called}: fewer than 30 groups say little about how they spread"
                )
            }
            Warning::OneGroup { group, share } => format!(
                "{} makes {:.0} % of the sum of all absolute differences",
                name(group),
                share * 100.0
            ),
        });
    let sentences: Vec<String> = sentences.collect();
    (!sentences.is_empty()).then(|| sentences.join("; "))
}

/// Lamports rounded to four digits of a SOL.
pub fn rounded(lamports: f64) -> i128 {
    let units = lamports / LAMPORTS_PER_UNIT as f64;
    units.round_ties_even() as i128 * LAMPORTS_PER_UNIT
}

/// The amounts of a column, null as 0.
pub fn lamports(rows: &RecordBatch, name: &str) -> Result<Vec<i128>> {
    let column = column(rows, name)?;
    let column = cast(column, &DataType::Decimal128(38, 9))?;
    let amounts = column.as_primitive::<Decimal128Type>().iter();
    Ok(amounts.map(Option::unwrap_or_default).collect())
}

/// The texts of a column.
pub fn texts(rows: &RecordBatch, name: &str) -> Result<StringArray> {
    let texts = cast(column(rows, name)?, &DataType::Utf8)?;
    Ok(texts.as_string::<i32>().clone())
}

fn column<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    let column = rows.column_by_name(name);
    column.ok_or_else(|| internal_datafusion_err!("there is no column {name}"))
}
