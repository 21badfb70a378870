//! The parameter relation: one row for each combination of a call's arguments, checked.
//!
//! Its input is a single row with a column for each argument given, and where a scenario is named,
//! the table of scenarios beside it. What is not given takes the scenario's value, and its default
//! where that is null or there is no scenario; an array stands for each of its values in turn, the
//! scenario changing slowest and the last parameter fastest, or with `zip => true` all arrays step
//! by step together. All values, and all combinations of them, are checked before the first row is
//! made, and so before anything is simulated.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::common::{DFSchema, Result, ScalarValue, internal_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

use super::table_functions::{SCENARIO, ZIP, is_list};
use crate::caller::client::Client;
use crate::error::Error;
use crate::parameters::effect::{self, Taken};
use crate::parameters::{PARAMETERS, Ranges, check_together, is_checked_with_others};
use crate::whatif::estimate;
use crate::whatif::operator::{self, Operator};
use crate::whatif::pipeline::RUN_PARAMETERS_SCHEMA;

const DAY_MICROS: i64 = 86_400_000_000;
/// Days of the default range.
const RANGE_DAYS: i32 = 30;
const ROWS_PER_BATCH: usize = 1024;
/// Combinations that are checked before others may go on.
const CHECKED_TOGETHER: usize = 4096;

/// The plan that multiplies the row of arguments.
pub fn plan(
    arguments: LogicalPlan,
    scenarios: Option<LogicalPlan>,
    function: &'static str,
    last_day: Option<i32>,
    grid_signals: Option<usize>,
) -> Result<LogicalPlan> {
    let schema = DFSchema::try_from(RUN_PARAMETERS_SCHEMA.as_ref().clone())?;
    let rows = ParameterRows {
        function,
        last_day,
        grid_signals,
    };
    let inputs = std::iter::once(arguments).chain(scenarios).collect();
    Ok(operator::plan(rows, inputs, Arc::new(schema)))
}

/// The operator: its inputs are the arguments, and the scenarios where one is named.
#[derive(Debug)]
struct ParameterRows {
    function: &'static str,
    last_day: Option<i32>,
    /// The signals that each combination runs over, where it is the grid operator that runs them.
    grid_signals: Option<usize>,
}

impl Operator for ParameterRows {
    fn name(&self) -> &'static str {
        "ParameterRows"
    }

    fn detail(&self) -> String {
        self.function.to_owned()
    }

    /// Mostly one row: joins collect it, and leave the signals where they are, in all partitions.
    fn row_count(&self) -> Option<usize> {
        Some(1)
    }

    fn execute(
        &self,
        inputs: &[Arc<dyn ExecutionPlan>],
        _: &SchemaRef,
        context: Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let client = Client::of(&context).ok();
        let inputs = inputs.iter();
        let inputs = inputs.map(|input| input.execute(0, Arc::clone(&context)));
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        let (function, last_day, grid_signals) = (self.function, self.last_day, self.grid_signals);
        let rows = async move {
            let mut tables: Vec<Vec<RecordBatch>> = Vec::with_capacity(inputs.len());
            for input in inputs {
                tables.push(input.try_collect().await?);
            }
            let mut arguments = tables.first().into_iter().flatten();
            let Some(arguments) = arguments.find(|batch| batch.num_rows() > 0) else {
                return internal_err!("the arguments of {function} are one row");
            };
            let scenarios = tables.get(1).map_or(&[] as &[_], Vec::as_slice);
            let own = Ranges::default();
            let ranges = client.as_ref().map_or(&own, |client| client.store.ranges());
            let combinations = Combinations::new(function, arguments, scenarios, last_day, ranges)?;
            if let Some(signals) = grid_signals {
                estimate::check(function, combinations.count(), signals)?;
            }
            combinations.check().await?;
            if let (Some(remark), Some(client)) = (combinations.remark(), &client) {
                client.remark_once(remark);
            }
            Ok(stream::iter(combinations.batches()))
        };
        Ok(stream::once(rows).try_flatten().boxed())
    }
}

/// The values of each parameter, of which every combination is a row; once for each scenario.
struct Combinations {
    sets: Vec<Values>,
    last_day: Option<i32>,
    /// How many steps all arrays take together, where they are not crossed.
    steps: Option<usize>,
}

/// The values of each parameter with one scenario, or with none.
struct Values {
    scenario: Option<String>,
    values: Vec<Vec<ScalarValue>>,
}

impl Combinations {
    fn new(
        function: &str,
        arguments: &RecordBatch,
        scenarios: &[RecordBatch],
        last_day: Option<i32>,
        ranges: &Ranges,
    ) -> Result<Self> {
        let names = match arguments.column_by_name(SCENARIO) {
            None => vec![None],
            Some(column) => names(function, column)?,
        };
        let sets = names.into_iter().map(|name| {
            let row = name
                .as_deref()
                .map(|name| row_of(function, scenarios, name));
            Values::new(arguments, name.clone(), row.transpose()?, ranges)
        });
        Ok(Self {
            sets: sets.collect::<Result<_>>()?,
            last_day,
            steps: steps(function, arguments)?,
        })
    }

    /// How many there are of each scenario; a number past counting stands for itself.
    fn count_of_each(&self) -> usize {
        let values = self.sets.first().map_or(&[] as &[_], |set| &set.values);
        values.iter().map(Vec::len).fold(1, usize::saturating_mul)
    }

    fn count(&self) -> usize {
        let crossed = self.count_of_each().saturating_mul(self.sets.len());
        self.steps.unwrap_or(crossed)
    }

    /// Every combination of what is checked together. A grid is of far more combinations than of
    /// these few parameters.
    async fn check(&self) -> Result<()> {
        if self.count() == 0 {
            return Ok(());
        }
        if let Some(steps) = self.steps {
            for step in 0..steps {
                give_way(step).await;
                check_together(&self.row(step).1)?;
            }
            return Ok(());
        }
        for set in &self.sets {
            let mut turning: Vec<usize> = (0..set.values.len()).collect();
            turning.retain(|at| set.values[*at].len() > 1 && is_checked_with_others(*at));
            let first = set.values.iter().map(|values| values[0].clone());
            let mut row: Vec<ScalarValue> = first.collect();
            let counts = turning.iter().map(|at| set.values[*at].len());
            let count: usize = counts.fold(1, usize::saturating_mul);
            for combination in 0..count {
                give_way(combination).await;
                let mut rest = combination;
                for at in turning.iter().rev() {
                    let values = &set.values[*at];
                    row[*at] = values[rest % values.len()].clone();
                    rest /= values.len();
                }
                let mut dated = row.clone();
                self.fill_dates(&mut dated);
                check_together(&dated)?;
            }
        }
        Ok(())
    }

    /// What is set and has no effect.
    fn remark(&self) -> Option<String> {
        let taken: Vec<Taken<'_>> = self.sets.iter().map(|set| Taken(&set.values)).collect();
        effect::remark(&taken)
    }

    /// The scenario and the values of one combination, the last parameter changing fastest.
    fn row(&self, combination: usize) -> (Option<String>, Vec<ScalarValue>) {
        let each = self.count_of_each();
        let (set, mut rest) = match self.steps {
            Some(_) => (&self.sets[combination % self.sets.len()], combination),
            None => (&self.sets[combination / each], combination % each),
        };
        let mut row: Vec<ScalarValue> = Vec::with_capacity(set.values.len());
        for values in set.values.iter().rev() {
            row.push(values[rest % values.len()].clone());
            if self.steps.is_none() {
                rest /= values.len();
            }
        }
        row.reverse();
        self.fill_dates(&mut row);
        (set.scenario.clone(), row)
    }

    /// Where none are given, the last days that there are signals of.
    fn fill_dates(&self, row: &mut [ScalarValue]) {
        if let [start, end, ..] = row {
            if end.is_null() {
                *end = ScalarValue::Date32(self.last_day);
            }
            if let (true, ScalarValue::Date32(Some(end))) = (start.is_null(), end) {
                *start = ScalarValue::Date32(Some(end.saturating_sub(RANGE_DAYS - 1)));
            }
        }
    }

    fn batches(self) -> impl Iterator<Item = Result<RecordBatch>> {
        let count = self.count();
        (0..count).step_by(ROWS_PER_BATCH).map(move |first| {
            let last = first.saturating_add(ROWS_PER_BATCH).min(count);
            self.batch(first..last)
        })
    }

    fn batch(&self, combinations: std::ops::Range<usize>) -> Result<RecordBatch> {
        let schema: SchemaRef = Arc::clone(&RUN_PARAMETERS_SCHEMA);
        let mut columns: Vec<Vec<ScalarValue>> = vec![Vec::new(); schema.fields().len()];
        for combination in combinations {
            let (scenario, row) = self.row(combination);
            let midnight = |date: &ScalarValue, days: i64| match date {
                ScalarValue::Date32(Some(day)) => {
                    Some((i64::from(*day) + days).saturating_mul(DAY_MICROS))
                }
                _ => None,
            };
            let zone: Option<Arc<str>> = Some("UTC".into());
            let leading = [
                ScalarValue::Int64(i64::try_from(combination).ok()),
                ScalarValue::Utf8(scenario),
                ScalarValue::TimestampMicrosecond(midnight(&row[0], 0), zone.clone()),
                ScalarValue::TimestampMicrosecond(midnight(&row[1], 1), zone),
            ];
            for (column, value) in columns.iter_mut().zip(leading.into_iter().chain(row)) {
                column.push(value);
            }
        }
        let columns = columns
            .into_iter()
            .map(ScalarValue::iter_to_array)
            .collect::<Result<Vec<ArrayRef>>>()?;
        Ok(RecordBatch::try_new(schema, columns)?)
    }
}

impl Values {
    /// `row` is that of the scenario.
    fn new(
        arguments: &RecordBatch,
        scenario: Option<String>,
        row: Option<(&RecordBatch, usize)>,
        ranges: &Ranges,
    ) -> Result<Self> {
        let mut values = Vec::with_capacity(PARAMETERS.len());
        for parameter in &PARAMETERS {
            let argument = arguments.column_by_name(parameter.name);
            let stored =
                row.and_then(|(batch, row)| Some((batch.column_by_name(parameter.name)?, row)));
            let given = match (argument, stored) {
                (Some(column), _) => elements(column)?,
                (None, Some((column, row))) => vec![ScalarValue::try_from_array(column, row)?],
                (None, None) => vec![ScalarValue::Null],
            };
            let checked = given.iter().map(|value| parameter.value_in(value, ranges));
            values.push(checked.collect::<Result<_, Error>>()?);
        }
        Ok(Self { scenario, values })
    }
}

/// Lets others go on, and the statement be cancelled, from time to time.
async fn give_way(checked: usize) {
    if checked % CHECKED_TOGETHER == CHECKED_TOGETHER - 1 {
        tokio::task::yield_now().await;
    }
}

/// How many steps the arrays of a call take together; `None` where they are crossed.
fn steps(function: &str, arguments: &RecordBatch) -> Result<Option<usize>> {
    let refuse = |problem: String| Error::Argument {
        function: function.into(),
        problem,
    };
    let zip = arguments.column_by_name(ZIP);
    match zip
        .map(|column| ScalarValue::try_from_array(column, 0))
        .transpose()?
    {
        Some(ScalarValue::Boolean(Some(true))) => {}
        None | Some(ScalarValue::Boolean(_) | ScalarValue::Null) => return Ok(None),
        Some(other) => {
            return Err(refuse(format!(
                "zip is true or false, as in zip => true; found {other}"
            ))
            .into());
        }
    }
    let mut found: Option<(String, usize)> = None;
    for (field, column) in arguments.schema().fields().iter().zip(arguments.columns()) {
        if !is_list(field.data_type()) {
            continue;
        }
        let length = elements(column)?.len();
        match &found {
            Some((name, expected)) if *expected != length => {
                return Err(refuse(format!(
                    "zip => true pairs arrays of one length, and {name} has {expected} values, {} {length}",
                    field.name()
                ))
                .into());
            }
            Some(_) => {}
            None => found = Some((field.name().clone(), length)),
        }
    }
    Ok(Some(found.map_or(1, |(_, length)| length)))
}

/// The scenarios that a call names, `None` for none of them.
fn names(function: &str, column: &ArrayRef) -> Result<Vec<Option<String>>> {
    let name = |value: ScalarValue| match value {
        ScalarValue::Null => Ok(None),
        ScalarValue::Utf8(name) | ScalarValue::LargeUtf8(name) | ScalarValue::Utf8View(name) => {
            Ok(name)
        }
        other => Err(Error::Argument {
            function: function.into(),
            problem: format!(
                "scenario is the name of a scenario, or an array of names; found {other}"
            ),
        }
        .into()),
    };
    elements(column)?.into_iter().map(name).collect()
}

/// The row of a scenario.
fn row_of<'a>(
    function: &str,
    scenarios: &'a [RecordBatch],
    wanted: &str,
) -> Result<(&'a RecordBatch, usize)> {
    for batch in scenarios {
        let names = batch.column_by_name("name");
        let names = names.and_then(|names| names.as_string_opt::<i32>());
        let found = names.and_then(|names| names.iter().position(|name| name == Some(wanted)));
        if let Some(row) = found {
            return Ok((batch, row));
        }
    }
    Err(Error::Argument {
        function: function.into(),
        problem: format!("there is no scenario '{wanted}'; the table scenarios lists them"),
    }
    .into())
}

/// The values of an argument: those of an array, or the one.
fn elements(column: &ArrayRef) -> Result<Vec<ScalarValue>> {
    if !is_list(column.data_type()) {
        return Ok(vec![ScalarValue::try_from_array(column, 0)?]);
    }
    let item = match column.data_type() {
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::ListView(field)
        | DataType::LargeListView(field) => field.data_type().clone(),
        _ => DataType::Null,
    };
    let list = DataType::List(Arc::new(Field::new_list_field(item, true)));
    let lists = cast(column, &list)?;
    if lists.is_null(0) {
        return Ok(vec![ScalarValue::Null]);
    }
    let items = lists.as_list::<i32>().value(0);
    (0..items.len())
        .map(|row| ScalarValue::try_from_array(&items, row))
        .collect()
}
