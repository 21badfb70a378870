//! `pnl_interval`: what the difference between simulated and actual PnL may be worth, had other tokens,
//! or other days, come along.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Field, Schema, SchemaRef};
use datafusion::common::{DataFusionError, Result, internal_datafusion_err};
use datafusion::logical_expr::LogicalPlan;
use hindsight_statistics::bootstrap::{self, Interval, Warning};
use hindsight_sweep::combination::Combination;
use hindsight_sweep::days::DAY_MICROS;
use hindsight_udfs::metrics::totals::{LAMPORTS_PER_UNIT, rounded_units};

use super::gathered::{self, Work};
use super::own_arguments::{Given, Kind, OwnArgument};
use crate::records::runs::{Texts, texts as texts_of};
use crate::schema::SOL;
use crate::whatif::grid::SweepSource;

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

/// The plan over the row of parameters: the kernel sums the groups.
pub fn plan(
    own: LogicalPlan,
    parameters: LogicalPlan,
    source: &Arc<SweepSource>,
) -> Result<LogicalPlan> {
    let source = Arc::clone(source);
    let make = move |own: &Given, parameters: &RecordBatch, work: &Work| {
        let combination = Combination::read(parameters, 0)?;
        make(own, &Groups::of_sales(&source, &combination, work)?, work)
    };
    gathered::plan(
        "pnl_interval",
        own,
        parameters,
        Arc::clone(&SCHEMA),
        Arc::new(make),
    )
}

/// The plan over the rows of `pnl_groups`.
pub fn plan_by_queries(own: LogicalPlan, groups: LogicalPlan) -> Result<LogicalPlan> {
    let make =
        |own: &Given, groups: &RecordBatch, work: &Work| make(own, &Groups::of_rows(groups)?, work);
    gathered::plan(
        "pnl_interval_by_queries",
        own,
        groups,
        Arc::clone(&SCHEMA),
        Arc::new(make),
    )
}

/// Simulated less actual PnL in lamports, summed over what goes together.
struct Groups {
    /// In the order of their names.
    tokens: Vec<(String, i128)>,
    /// From the first of the range on.
    days: Vec<i128>,
}

impl Groups {
    /// Those of `queries/pnl_groups.sql`, by the kernel.
    fn of_sales(source: &SweepSource, combination: &Combination, work: &Work) -> Result<Self> {
        let history = source.history()?;
        let range = history.range(combination.range.0, combination.range.1);
        let days = usize::try_from(combination.days().count).unwrap_or(0);
        let bytes = days.saturating_add(2 * range.len()) * size_of::<(String, i128)>();
        work.memory.try_grow(bytes)?;
        let mut differences = vec![0_i128; range.len()];
        for sale in work.sales(source, combination)? {
            differences[sale.signal as usize - range.start] += sale.net_pnl;
        }
        let mut of_tokens: BTreeMap<&str, i128> = BTreeMap::new();
        let mut of_days = vec![0; days];
        let first = combination.range.0.unwrap_or_default();
        let names = source.tokens()?;
        for (signal, difference) in range.zip(differences) {
            let actual = history.actual[signal].and_then(|actual| actual.pnl);
            let difference = difference - actual.unwrap_or(0);
            *of_tokens.entry(names.value(signal)).or_default() += difference;
            let day = (history.timestamps[signal] - first) / DAY_MICROS;
            if let Some(of_day) = usize::try_from(day).ok().and_then(|d| of_days.get_mut(d)) {
                *of_day += difference;
            }
        }
        let tokens = of_tokens.into_iter();
        Ok(Self {
            tokens: tokens.map(|(name, sum)| (name.to_owned(), sum)).collect(),
            days: of_days,
        })
    }

    /// Those of `queries/pnl_groups.sql`, as it gives them.
    fn of_rows(rows: &RecordBatch) -> Result<Self> {
        let (methods, names) = (texts(rows, "method")?, texts(rows, "group_name")?);
        let differences = lamports(rows, "difference_sol")?;
        // Resamples draw places: groups stand in one order, in whichever their rows have come.
        let [tokens, days] = ["token", "day"].map(|method| {
            let of_method = (0..methods.len()).filter(|row| methods.value(*row) == method);
            let of_method = of_method.map(|row| (names.value(row).to_owned(), differences[row]));
            let mut of_method: Vec<(String, i128)> = of_method.collect();
            of_method.sort_unstable();
            of_method
        });
        Ok(Self {
            tokens,
            days: days.into_iter().map(|(_, sum)| sum).collect(),
        })
    }
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

fn make(own: &Given, groups: &Groups, work: &Work) -> Result<RecordBatch> {
    let resampling = Resampling::of(own)?;
    let row = |method, called, sums: &[i128], name: &dyn Fn(usize) -> String| {
        let values: Vec<f64> = sums.iter().map(|sum| *sum as f64).collect();
        Ok::<_, DataFusionError>(Row {
            method,
            groups: sums.len(),
            estimate: sums.iter().sum(),
            interval: resampling.interval(&values, work)?,
            warning: warning(&values, called, name),
        })
    };
    let tokens: Vec<i128> = groups.tokens.iter().map(|(_, sum)| *sum).collect();
    let token = |group: usize| format!("token {}", groups.tokens[group].0);
    let day = |group: usize| format!("day {} of the range", group + 1);
    Row::batch(&[
        row("token", "tokens", &tokens, &token)?,
        row("day", "days", &groups.days, &day)?,
    ])
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
