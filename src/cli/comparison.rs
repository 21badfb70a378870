//! The comparison of a backtest for people: actual beside simulated, a verdict, the trades that
//! would have changed most. `run` and `demo` print the same.

use std::io::Write;

use anstyle::Style;
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Int64Type, UInt64Type};
use datafusion::common::ScalarValue;
use hindsight::metrics::{Better, METRICS};
use hindsight::parameters::{Kind, PARAMETERS, Parameter};
use hindsight::{Engine, Error, Result};
use hindsight_udfs::decimal;

use super::apply::text;
use super::belief::{Belief, Choice};
use super::failure::Failure;
use super::load::short_fingerprint;
use super::numbers::{fixed, signed};
use super::settings::quoted;
use super::table::{Cell, Column, Table};
use super::terminal::{self, BAD, BOLD, DIM, GOOD, PLAIN};
use super::values::{Form, write_value};

/// The trades that are shown.
const TRADES_SHOWN: usize = 10;

/// The arguments of the table functions, run and printed.
pub struct Comparison {
    backtest: RecordBatch,
    trades: RecordBatch,
    fingerprint: String,
    belief: Option<Belief>,
}

impl Comparison {
    /// Runs the backtest with these arguments, and compares its trades.
    pub async fn run(engine: &Engine, arguments: &str) -> Result<Self> {
        let row = format!("select * from backtest({arguments})");
        let trades = format!("compare_trades({arguments})");
        let changed = changed_trades(&trades, "true");
        // The one runs while the other is planned.
        let (backtest, trades, belief) = futures::try_join!(
            engine.sql(&row),
            engine.sql(&changed),
            Belief::of_call(engine, arguments)
        )?;
        Self::of(
            backtest,
            trades,
            engine.dataset().fingerprint.clone(),
            belief,
        )
    }

    /// Compares the trades of a stored run.
    pub async fn of_run(engine: &Engine, id: &str) -> std::result::Result<Self, Failure> {
        let row = format!("select * from backtests where id = {}", quoted(id));
        let backtest = engine.sql(&row).await?;
        let status = text(&backtest, "status", 0);
        if status != "completed" {
            let why = text(&backtest, "error_message", 0);
            return Err(Error::NotReady(format!("this backtest is {status}: {why}")).into());
        }
        Ok(Self::of_completed(engine, id, backtest).await?)
    }

    /// Compares the trades of a stored run that has completed, of which this is the row.
    pub async fn of_completed(
        engine: &Engine,
        id: &str,
        backtest: Vec<RecordBatch>,
    ) -> Result<Self> {
        let is_its = format!("backtest_id = {}", quoted(id));
        let changed = changed_trades("trade_comparisons", &is_its);
        let trades = engine.sql(&changed).await?;
        let fingerprint = text(&backtest, "dataset", 0);
        let belief = Belief::of_row(&backtest);
        Self::of(backtest, trades, fingerprint, belief)
    }

    fn of(
        backtest: Vec<RecordBatch>,
        trades: Vec<RecordBatch>,
        fingerprint: String,
        belief: Option<Belief>,
    ) -> Result<Self> {
        let one = |batches: Vec<RecordBatch>| {
            let schema = batches.first().map(RecordBatch::schema);
            let schema = schema.ok_or_else(|| missing("result"))?;
            datafusion::arrow::compute::concat_batches(&schema, &batches)
                .map_err(|error| Error::from(datafusion::error::DataFusionError::from(error)))
        };
        Ok(Self {
            backtest: one(backtest)?,
            trades: one(trades)?,
            fingerprint,
            belief,
        })
    }

    /// Prints everything on standard output.
    pub fn print(&self) -> std::result::Result<(), Failure> {
        let mut out = terminal::stdout();
        writeln!(out, "{}", self.header()?)?;
        writeln!(out, "\n{}", self.metrics()?)?;
        let count = |column: &str| Ok::<_, Error>(fixed(self.whole(column)?, 0, 0));
        writeln!(
            out,
            "{} signals, {} at or above the threshold, {} of them untradable, {} refused by limits; {} \
             trades changed.",
            count("total_signals")?,
            count("signals_above_threshold")?,
            count("untradable_signals")?,
            count("limited_signals")?,
            count("trades_changed")?
        )?;
        writeln!(
            out,
            "Had every level filled at the worse of level and observed price: {} SOL.",
            fixed(self.exact("simulated_pnl_conservative_sol")?, 9, 4)
        )?;
        writeln!(out, "{}", self.verdict()?)?;
        if let Some(belief) = &self.belief {
            writeln!(out, "{}", belief.sentences())?;
        }
        if let Some(choice) = Choice::of_row(std::slice::from_ref(&self.backtest)) {
            writeln!(out, "{}", choice.sentence())?;
        }
        if self.trades.num_rows() > 0 {
            writeln!(
                out,
                "\n{BOLD}The trades that would have changed most{BOLD:#}\n"
            )?;
            let trades = self.changed_trades()?;
            write!(out, "{}", trades.within(terminal::width()))?;
        }
        Ok(out.flush()?)
    }

    /// The range, the dataset, and the settings that differ from the defaults.
    fn header(&self) -> Result<String> {
        let mut different = Vec::new();
        for parameter in PARAMETERS.iter().filter(|p| p.kind != Kind::Date) {
            let value = ScalarValue::try_from_array(self.column(parameter.name)?, 0)?;
            let default = parameter.default_value()?;
            if value != default {
                different.push(format!(
                    "{} {} (default {})",
                    parameter.name,
                    parameter_text(&value)?,
                    default_text(parameter)
                ));
            }
        }
        let settings = match different.is_empty() {
            true => "every setting at its default".to_owned(),
            false => different.join(", "),
        };
        Ok(format!(
            "{BOLD}{} to {}{BOLD:#} {DIM}· dataset {} ·{DIM:#} {settings}",
            self.text("start_date")?,
            self.text("end_date")?,
            short_fingerprint(&self.fingerprint),
        ))
    }

    fn metrics(&self) -> Result<Table> {
        let mut table = Table::new(vec![
            Column::left("metric"),
            Column::right("actual"),
            Column::right("simulated"),
            Column::right("difference"),
        ]);
        for metric in &METRICS {
            let actual = self.number(&format!("actual_{}", metric.name))?;
            let simulated = self.number(&format!("simulated_{}", metric.name))?;
            let digits = metric.digits();
            let cell = |number: Option<(i128, i8)>| match number {
                Some((mantissa, scale)) => Cell::plain(fixed(mantissa, scale, digits)),
                None => Cell::styled("–", DIM),
            };
            let difference = match (actual, simulated) {
                // Both sides of a metric have the same type.
                (Some((actual, scale)), Some((simulated, _))) => {
                    let difference = simulated - actual;
                    let text = signed(difference, scale, digits);
                    Cell::styled(text, style(metric.better, difference))
                }
                _ => Cell::styled("–", DIM),
            };
            table.push(vec![
                Cell::plain(metric.title),
                cell(actual),
                cell(simulated),
                difference,
            ]);
        }
        Ok(table)
    }

    /// Whether it would have been better, by the same rule as `is_improvement`, and why.
    fn verdict(&self) -> Result<String> {
        let difference = self.exact("pnl_difference_sol")?;
        let win_rate = self.exact("win_rate_difference")?;
        let is_improvement = self.column("is_improvement")?.as_boolean().value(0);
        let percent = match self.number("pnl_improvement_percent")? {
            Some((percent, scale)) => format!(" ({} %)", signed(percent, scale, 2)),
            None => String::new(),
        };
        let facts = format!(
            "{} SOL{percent}, win rate {} points",
            signed(difference, 9, 4),
            signed(win_rate, 2, 2)
        );
        Ok(match is_improvement {
            true => format!("{GOOD}{BOLD}An improvement:{BOLD:#}{GOOD:#} {facts}."),
            false if difference > 10_000_000 => format!(
                "{BAD}{BOLD}Not an improvement:{BOLD:#}{BAD:#} {facts}, and a win rate that falls \
                 by 5 points or more outweighs the gain."
            ),
            false => format!("{BAD}{BOLD}Not an improvement:{BOLD:#}{BAD:#} {facts}."),
        })
    }

    fn changed_trades(&self) -> Result<Table> {
        let mut table = Table::new(vec![
            Column::left("signal at (UTC)"),
            Column::left("token"),
            Column::right("score"),
            Column::right("actual"),
            Column::right("simulated"),
            Column::right("difference"),
            Column::left("what would have changed"),
        ]);
        let trades = &self.trades;
        for row in 0..trades.num_rows() {
            let text = |position: usize| -> Result<String> {
                let mut text = String::new();
                write_value(&mut text, trades.column(position), row, Form::Table)?;
                Ok(text)
            };
            let sol = |position: usize| {
                let column = trades.column(position);
                let column = column.as_primitive_opt::<Decimal128Type>()?;
                column.is_valid(row).then(|| column.value(row))
            };
            let cell = |value: Option<i128>| match value {
                Some(value) => Cell::plain(fixed(value, 9, 4)),
                None => Cell::styled("–", DIM),
            };
            let difference = sol(5).unwrap_or(0);
            let at = text(0)?;
            table.push(vec![
                Cell::plain(at.get(..19).unwrap_or(&at)),
                Cell::plain(short_address(&text(1)?)),
                Cell::plain(text(2)?),
                cell(sol(3)),
                cell(sol(4)),
                Cell::styled(signed(difference, 9, 4), style(Better::More, difference)),
                Cell::plain(text(6)?),
            ]);
        }
        Ok(table)
    }

    fn column(&self, name: &str) -> Result<&dyn Array> {
        let column = self.backtest.column_by_name(name);
        match column {
            Some(column) if !column.is_empty() => Ok(column.as_ref()),
            _ => Err(missing(name)),
        }
    }

    fn text(&self, name: &str) -> Result<String> {
        let mut text = String::new();
        write_value(&mut text, self.column(name)?, 0, Form::Table)?;
        Ok(text)
    }

    /// A whole or a decimal number with its scale; `None` for null.
    fn number(&self, name: &str) -> Result<Option<(i128, i8)>> {
        let column = self.column(name)?;
        if column.is_null(0) {
            return Ok(None);
        }
        Ok(Some(match column.data_type() {
            DataType::Int64 => (column.as_primitive::<Int64Type>().value(0).into(), 0),
            DataType::UInt64 => (column.as_primitive::<UInt64Type>().value(0).into(), 0),
            DataType::Decimal128(_, scale) => {
                (column.as_primitive::<Decimal128Type>().value(0), *scale)
            }
            _ => return Err(missing(name)),
        }))
    }

    fn whole(&self, name: &str) -> Result<i128> {
        Ok(self.number(name)?.map_or(0, |(number, _)| number))
    }

    /// The mantissa of a number that is never null.
    fn exact(&self, name: &str) -> Result<i128> {
        self.whole(name)
    }
}

/// The colour of a difference: better or worse.
fn style(better: Better, difference: i128) -> Style {
    match (better, difference.signum()) {
        (Better::More, 1) | (Better::Less, -1) => GOOD,
        (Better::More, -1) | (Better::Less, 1) => BAD,
        _ => PLAIN,
    }
}

/// The changed trades among these, those that would have changed most.
fn changed_trades(trades: &str, condition: &str) -> String {
    format!(
        "select timestamp, token_address, score, actual_pnl_sol, simulated_pnl_sol, \
         cast(coalesce(simulated_pnl_sol, 0) - coalesce(actual_pnl_sol, 0) as numeric(20, 9)) as difference_sol, \
         change_description \
         from {trades} \
         where change <> 'unchanged' and {condition} \
         order by abs(difference_sol) desc, timestamp, signal_id \
         limit {TRADES_SHOWN}"
    )
}

/// A value of a parameter without the zeros of its type.
fn parameter_text(value: &ScalarValue) -> Result<String> {
    if value.is_null() {
        return Ok("none".into());
    }
    if let ScalarValue::Decimal128(Some(mantissa), _, scale) = value {
        return Ok(decimal::format(*mantissa, *scale));
    }
    let mut text = String::new();
    write_value(&mut text, &value.to_array()?, 0, Form::Table)?;
    Ok(text)
}

fn default_text(parameter: &Parameter) -> &'static str {
    parameter.default.unwrap_or("none")
}

/// Enough of an address to recognise it by.
fn short_address(address: &str) -> String {
    match (
        address.get(..4),
        address.get(address.len().saturating_sub(4)..),
    ) {
        (Some(first), Some(last)) if address.len() > 12 => format!("{first}…{last}"),
        _ => address.to_owned(),
    }
}

/// A column of `backtest` that is not as it was when this was written.
fn missing(name: &str) -> Error {
    Error::Statement(datafusion::error::DataFusionError::Internal(format!(
        "backtest returns no usable {name}"
    )))
}
