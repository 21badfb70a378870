//! `hindsight calibrate`: what was really traded, simulated with the settings in force, and how far
//! that is from what really happened.

use std::io::Write;

use clap::Args;
use datafusion::arrow::array::RecordBatch;
use hindsight_udfs::decimal;

use super::apply::text;
use super::failure::Failure;
use super::numbers::{fixed, grouped, signed};
use super::output::OutputArgs;
use super::run::open_loaded;
use super::settings::{self, Setting, quoted};
use super::table::{Cell, Column, Table};
use super::terminal::{self, BOLD, CAUTION, DIM};
use super::workspace::Workspace;

/// Simulate what was really traded, and say how far that is from what really happened
#[derive(Debug, Args)]
#[command(
    long_about = "Simulate what was really traded, and say how far that is from what really \
                  happened: how far to believe every other number.\n\n\
                  What is not set takes the scenario's value, or without a scenario that of the live \
                  settings. Set what really ran: an error that is left shows what the simulation does \
                  not know, such as delays, fees or failed exits.",
    after_help = "Examples:\n  \
                  hindsight calibrate\n  \
                  hindsight calibrate --set start_date=2025-01-01 --set slippage_percent=2\n  \
                  hindsight calibrate --trades --format csv > errors.csv"
)]
pub struct CalibrateArgs {
    /// The scenario that was really run, in place of the live settings
    scenario: Option<String>,
    /// A parameter and its value
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = settings::parse)]
    settings: Vec<Setting>,
    /// The error of every trade, and its parts
    #[arg(long)]
    trades: bool,
    /// In all formats but table, the row of calibration
    #[command(flatten)]
    output: OutputArgs,
}

pub async fn execute(workspace: &Workspace, arguments: CalibrateArgs) -> Result<(), Failure> {
    let is_table = arguments.output.is_table();
    let mut output = arguments.output.open()?;
    let engine = open_loaded(workspace).await?;
    let mut call: Vec<String> = arguments.settings.iter().map(Setting::argument).collect();
    if let Some(scenario) = &arguments.scenario {
        call.push(format!("scenario => {}", quoted(scenario)));
    }
    let call = call.join(", ");
    if arguments.trades {
        let sql = format!("select * from calibrate_trades({call})");
        return output.write(engine.run(&sql).await?, true).await;
    }
    let sql = format!("select * from calibration({call})");
    match is_table {
        true => print(&engine.sql(&sql).await?),
        false => output.write(engine.run(&sql).await?, true).await,
    }
}

/// The summary for people, of the row of `calibration`.
fn print(row: &[RecordBatch]) -> Result<(), Failure> {
    let mut out = terminal::stdout();
    let count: u64 = text(row, "trades", 0).parse().unwrap_or(0);
    if count == 0 {
        writeln!(
            out,
            "No closed trade of this range: there is nothing to compare."
        )?;
        return Ok(out.flush()?);
    }
    writeln!(
        out,
        "{BOLD}{} trades that were really made and are closed{BOLD:#}{DIM}, simulated less actual, \
         in SOL{DIM:#}\n",
        grouped(count)
    )?;
    let mut table = Table::new(vec![Column::left("error of a trade"), Column::right("SOL")]);
    for (name, column) in [
        ("mean (bias)", "bias_sol"),
        ("  · at least", "bias_lower_sol"),
        ("  · at most", "bias_upper_sol"),
        (
            "  · trades that are not simulated",
            "mean_decision_error_sol",
        ),
        ("  · entry price", "mean_entry_error_sol"),
        ("  · exit price", "mean_exit_error_sol"),
        ("  · size and costs", "mean_size_and_cost_error_sol"),
        ("  · unexplained", "mean_unexplained_error_sol"),
        ("mean, absolute", "mean_absolute_error_sol"),
        ("median, absolute", "median_absolute_error_sol"),
        ("of nine in ten below", "p90_absolute_error_sol"),
    ] {
        let is_absolute = column.contains("absolute");
        let value = match decimal::parse(&text(row, column, 0)) {
            Some((mantissa, scale)) if is_absolute => fixed(mantissa, scale, 4),
            Some((mantissa, scale)) => signed(mantissa, scale, 4),
            None => "–".to_owned(),
        };
        table.push(vec![Cell::plain(name), Cell::plain(value)]);
    }
    writeln!(out, "{table}")?;
    let share = |column: &str| {
        let share = text(row, column, 0).parse::<f64>();
        share.map_or_else(|_| "–".to_owned(), |share| format!("{:.1}", share * 100.0))
    };
    writeln!(
        out,
        "{} % are within 10 % of the actual PnL or 0.0001 SOL; {} % agree in gain or loss.",
        share("share_close"),
        share("share_same_sign")
    )?;
    let concordance = text(row, "concordance", 0).parse::<f64>();
    if let Ok(concordance) = concordance {
        writeln!(
            out,
            "Concordance of simulated and actual PnL: {concordance:.3}, where 1 is the same trade by trade."
        )?;
    }
    let warning = text(row, "warning", 0);
    if !warning.is_empty() {
        writeln!(out, "{CAUTION}Caution:{CAUTION:#} {warning}.")?;
    }
    Ok(out.flush()?)
}
