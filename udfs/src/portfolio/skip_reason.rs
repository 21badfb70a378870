//! `skip_reason`: the portfolio limit that refuses each position, one asked for after the other.
//!
//! - Shape: window function → text, null for a position that is admitted.
//! - Input: one row for each sale: signal, token, instants of entry and exit, size of the whole position
//!   in SOL, not rounded, share that is sold in percent of it, net PnL of the sale in SOL; then the limits:
//!   positions open at once, and in one token, minutes after a position in the token, positions entered
//!   on a day (UTC), loss in SOL of the sales ended on a day, balance in SOL to start with. Limits are those
//!   of the partition's first row.
//! - Output: `max_open_positions`, `max_positions_per_token`, `token_cooldown`, `max_trades_per_day`,
//!   `max_daily_loss` or `starting_balance`, the first that holds; the same in every row of a signal.
//! - Nulls: a limit of null does not hold; a row without signal, token, instants, size, share or PnL asks
//!   for nothing, and gives null.
//! - Errors: a value of the wrong type (22023).
//! - Order: by the entry, then the signal, whatever the order of the rows.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::window_doc_sections::DOC_SECTION_ANALYTICAL;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, PartitionEvaluator, Signature, WindowUDFImpl,
};

use super::admission::{Admission, Ask, Limits, Sale};
use crate::arguments::{self, SOL, decimals, integers, refuse, strings, timestamps};
use crate::scoring::position_size::SIZE_DIGITS;

const MINUTE_MICROS: i64 = 60_000_000;

/// The arguments, with the types that clients should send.
fn signature() -> Signature {
    arguments::signature(&[
        ("signal_id", DataType::Utf8),
        ("token_address", DataType::Utf8),
        ("entry_timestamp", arguments::timestamp()),
        ("exit_timestamp", arguments::timestamp()),
        (
            "position_size_sol",
            DataType::Decimal128(38, SIZE_DIGITS as i8),
        ),
        ("share_percent", DataType::Decimal128(9, 4)),
        ("net_pnl_sol", SOL),
        ("max_open_positions", DataType::Int64),
        ("max_positions_per_token", DataType::Int64),
        ("token_cooldown_minutes", DataType::Int64),
        ("max_trades_per_day", DataType::Int64),
        ("max_daily_loss_sol", SOL),
        ("starting_balance_sol", SOL),
    ])
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    arguments::with_example(Documentation::builder(
        DOC_SECTION_ANALYTICAL,
        "The portfolio limit that refuses each position, one asked for after the other: \
         max_open_positions, max_positions_per_token, token_cooldown, max_trades_per_day, \
         max_daily_loss or starting_balance, the first that holds, the same in every row of a signal; \
         null for a position that is admitted. One row for each sale. At an entry, what has ended then or \
         before is over. Units: SOL, percent, minutes, days in UTC. Nulls: a limit of null does not hold; a \
         row with another null asks for nothing. Errors: a value of the wrong type (22023). Order: by entry, \
         then signal, whatever the order of the rows.",
        "skip_reason(signal_id, token_address, entry_timestamp, exit_timestamp, position_size_sol, \
         share_percent, net_pnl_sol, max_open_positions, max_positions_per_token, \
         token_cooldown_minutes, max_trades_per_day, max_daily_loss_sol, starting_balance_sol) OVER ()",
    )
    .with_sql_example(
        "select signal_id, skip_reason(signal_id, token_address, entry_timestamp, exit_timestamp, \
         position_size_sol, 100, net_pnl_sol, 3, 1, 10, null, null, null) over () from simulate_trades()",
    )
    .with_argument("signal_id", "whose position it is")
    .with_argument("token_address", "what is bought")
    .with_argument("entry_timestamp", "instant of the entry")
    .with_argument("exit_timestamp", "instant of the sale")
    .with_argument("position_size_sol", "SOL of the whole position, not rounded")
    .with_argument("share_percent", "percent of the position that is sold")
    .with_argument("net_pnl_sol", "SOL that the sale earned")
    .with_argument("max_open_positions", "positions open at once, or null")
    .with_argument("max_positions_per_token", "positions open in one token, or null")
    .with_argument("token_cooldown_minutes", "minutes after a position in the token, or null")
    .with_argument("max_trades_per_day", "positions entered on a day, or null")
    .with_argument("max_daily_loss_sol", "SOL lost on a day, or null")
    .with_argument("starting_balance_sol", "SOL to start with, or null")
    .build())
});

/// The SQL function; see the head of this file.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct SkipReason {
    signature: Signature,
}

impl Default for SkipReason {
    fn default() -> Self {
        Self {
            signature: signature(),
        }
    }
}

impl WindowUDFImpl for SkipReason {
    fn name(&self) -> &str {
        "skip_reason"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn partition_evaluator(
        &self,
        _: PartitionEvaluatorArgs,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(SkipReasons))
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), DataType::Utf8, true)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

#[derive(Debug)]
struct SkipReasons;

impl PartitionEvaluator for SkipReasons {
    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        Ok(Arc::new(skip_reasons(values, rows)?))
    }
}

/// One row that asks.
struct Asked {
    row: usize,
    signal: String,
    ask: Ask,
    sale: Sale,
}

fn skip_reasons(values: &[ArrayRef], rows: usize) -> Result<StringArray> {
    let values: Vec<ColumnarValue> = values
        .iter()
        .map(|array| ColumnarValue::Array(Arc::clone(array)))
        .collect();
    let [
        asking @ ..,
        open,
        per_token,
        cooldown,
        per_day,
        loss,
        balance,
    ] = &values[..]
    else {
        return refuse(
            "skip_reason",
            "given 13 arguments",
            values.len().to_string(),
        );
    };
    let limit = |name: &str, value: &ColumnarValue| {
        Ok::<_, datafusion::common::DataFusionError>(integers(name, value)?.get(0))
    };
    let amount = |name: &str, value: &ColumnarValue| {
        Ok::<_, datafusion::common::DataFusionError>(decimals(name, value, 9)?.get(0))
    };
    if rows == 0 {
        return Ok(StringArray::new_null(0));
    }
    let limits = Limits {
        max_open_positions: limit("max_open_positions", open)?,
        max_positions_per_token: limit("max_positions_per_token", per_token)?,
        token_cooldown: limit("token_cooldown_minutes", cooldown)?
            .map(|minutes| minutes.saturating_mul(MINUTE_MICROS)),
        max_trades_per_day: limit("max_trades_per_day", per_day)?,
        max_daily_loss: amount("max_daily_loss_sol", loss)?,
        starting_balance: amount("starting_balance_sol", balance)?,
    };
    let mut reasons: Vec<Option<&str>> = vec![None; rows];
    if limits.are_none() {
        return Ok(reasons.into_iter().collect());
    }
    let mut asked = asked(asking, rows)?;
    asked.sort_by(|a, b| (a.ask.entry, &a.signal).cmp(&(b.ask.entry, &b.signal)));
    let mut admission = Admission::new(limits);
    for sales in asked.chunk_by(|a, b| a.signal == b.signal) {
        let Some(Asked { ask, .. }) = sales.first() else {
            continue;
        };
        let end = sales.iter().map(|asked| asked.sale.end).max();
        let ask = Ask {
            end: end.unwrap_or(ask.end),
            ..*ask
        };
        let refusal = admission.ask(&ask, sales.iter().map(|asked| asked.sale));
        for asked in sales {
            reasons[asked.row] = refusal.map(|refusal| refusal.name());
        }
    }
    Ok(reasons.into_iter().collect())
}

/// The rows that ask for something.
fn asked(values: &[ColumnarValue], rows: usize) -> Result<Vec<Asked>> {
    let [signal, token, entry, exit, size, share, net] = values else {
        return refuse(
            "skip_reason",
            "given 13 arguments",
            (values.len() + 6).to_string(),
        );
    };
    let signals = strings("signal_id", signal)?;
    let tokens = strings("token_address", token)?;
    let entries = timestamps("entry_timestamp", entry)?;
    let exits = timestamps("exit_timestamp", exit)?;
    let sizes = decimals("position_size_sol", size, SIZE_DIGITS as i8)?;
    let shares = decimals("share_percent", share, 4)?;
    let nets = decimals("net_pnl_sol", net, 9)?;
    let mut numbers: HashMap<String, u32> = HashMap::new();
    let mut asked = Vec::with_capacity(rows);
    for row in 0..rows {
        let (Some(signal), Some(token), Some(entry), Some(end)) = (
            signals.get(row),
            tokens.get(row),
            entries.get(row),
            exits.get(row),
        ) else {
            continue;
        };
        let (Some(size), Some(share), Some(net)) = (sizes.get(row), shares.get(row), nets.get(row))
        else {
            continue;
        };
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        let token = match numbers.get(token) {
            Some(token) => *token,
            None => *numbers.entry(token.to_owned()).or_insert(next),
        };
        asked.push(Asked {
            row,
            signal: signal.to_owned(),
            ask: Ask {
                entry,
                end,
                token,
                size,
            },
            sale: Sale {
                end,
                net,
                share: i64::try_from(share).unwrap_or(i64::MAX),
            },
        });
    }
    Ok(asked)
}
