//! The arguments of `simulate_exit` and `simulate_exits` that say the exit rules.

use datafusion::arrow::array::{Decimal128Array, Int64Array, StringArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;

use super::ladder::Ladder;
use super::rule::Part;
use super::settings::ExitSettings;
use super::words::{ExitStrategy, FillModel};
use crate::arguments::{self, Argument, refuse};
use crate::decimal::{format, pow10};

const MINUTE_MICROS: i64 = 60_000_000;
const PERCENT: DataType = DataType::Decimal128(9, 4);
/// Five digits before the point, as the type of percentages has.
const PERCENT_MAX: i128 = pow10(9) - 1;
const HUNDRED: i128 = 100 * pow10(4);

/// The arguments that each call has, with their types.
pub fn arguments() -> [(&'static str, DataType); 8] {
    [
        ("token_address", DataType::Utf8),
        ("timestamp", arguments::timestamp()),
        ("exit_strategy", DataType::Utf8),
        ("stop_loss_percent", PERCENT),
        ("take_profit_percent", PERCENT),
        ("trailing_stop_percent", PERCENT),
        ("max_hold_minutes", DataType::Int64),
        ("fill_model", DataType::Utf8),
    ]
}

/// Those that may be null, which is none.
pub const FURTHER_ARGUMENTS: [(&str, DataType); 7] = [
    ("take_profit_ladder", DataType::Utf8),
    ("trailing_activation_percent", PERCENT),
    ("break_even_percent", PERCENT),
    ("stagnation_minutes", DataType::Int64),
    ("moonbag_percent", PERCENT),
    ("moonbag_stop_loss_percent", PERCENT),
    ("moonbag_max_hold_minutes", DataType::Int64),
];

/// The columns of [`arguments`] that are about rules, and of [`FURTHER_ARGUMENTS`].
pub struct RuleArguments {
    strategy: Argument<StringArray>,
    stop: Argument<Decimal128Array>,
    target: Argument<Decimal128Array>,
    trail: Argument<Decimal128Array>,
    hold: Argument<Int64Array>,
    model: Argument<StringArray>,
    further: Option<Further>,
}

struct Further {
    ladder: Argument<StringArray>,
    activation: Argument<Decimal128Array>,
    break_even: Argument<Decimal128Array>,
    stagnation: Argument<Int64Array>,
    moonbag: Argument<Decimal128Array>,
    moonbag_stop: Argument<Decimal128Array>,
    moonbag_hold: Argument<Int64Array>,
}

/// The values of one row.
#[derive(Clone, Copy, PartialEq)]
struct Row<'a> {
    strategy: &'a str,
    stop: i128,
    target: i128,
    trail: i128,
    hold: i64,
    model: &'a str,
    further: FurtherRow<'a>,
}

#[derive(Clone, Copy, Default, PartialEq)]
struct FurtherRow<'a> {
    ladder: Option<&'a str>,
    activation: Option<i128>,
    break_even: Option<i128>,
    stagnation: Option<i64>,
    moonbag: Option<i128>,
    moonbag_stop: Option<i128>,
    moonbag_hold: Option<i64>,
}

/// The rules of a row.
pub struct Rules {
    pub parts: Vec<Part>,
    pub fill_model: FillModel,
    /// The argument that names the targets.
    pub target_argument: &'static str,
}

/// The rules of the last row that was asked for, which is mostly that of the next as well.
#[derive(Default)]
pub struct LastRules<'a>(Option<(Row<'a>, Rules)>);

impl RuleArguments {
    /// Reads the arguments from the strategy on.
    pub fn read(values: &[ColumnarValue]) -> Result<Self> {
        let [strategy, stop, target, trail, hold, model, further @ ..] = values else {
            return refuse(
                "exit_strategy",
                "followed by the rules",
                "too few arguments",
            );
        };
        let further = match further {
            [] => None,
            [
                ladder,
                activation,
                break_even,
                stagnation,
                moonbag,
                moonbag_stop,
                moonbag_hold,
            ] => Some(Further {
                ladder: arguments::strings("take_profit_ladder", ladder)?,
                activation: percents("trailing_activation_percent", activation)?,
                break_even: percents("break_even_percent", break_even)?,
                stagnation: arguments::integers("stagnation_minutes", stagnation)?,
                moonbag: percents("moonbag_percent", moonbag)?,
                moonbag_stop: percents("moonbag_stop_loss_percent", moonbag_stop)?,
                moonbag_hold: arguments::integers("moonbag_max_hold_minutes", moonbag_hold)?,
            }),
            other => {
                let found = format!("{} arguments after it", other.len());
                return refuse("fill_model", "the last argument, or followed by 7", found);
            }
        };
        Ok(Self {
            strategy: arguments::strings("exit_strategy", strategy)?,
            stop: percents("stop_loss_percent", stop)?,
            target: percents("take_profit_percent", target)?,
            trail: percents("trailing_stop_percent", trail)?,
            hold: arguments::integers("max_hold_minutes", hold)?,
            model: arguments::strings("fill_model", model)?,
            further,
        })
    }

    /// The rules of a row, `None` where an argument that must be given is null.
    pub fn rules<'l, 'a: 'l>(
        &'a self,
        row: usize,
        last: &'l mut LastRules<'a>,
    ) -> Result<Option<&'l Rules>> {
        let Some(row) = self.row(row) else {
            return Ok(None);
        };
        if last.0.as_ref().is_none_or(|(known, _)| *known != row) {
            last.0 = Some((row, row.rules()?));
        }
        Ok(last.0.as_ref().map(|(_, rules)| rules))
    }

    fn row(&self, row: usize) -> Option<Row<'_>> {
        let further = self.further.as_ref();
        let further = further.map(|further| FurtherRow {
            ladder: further.ladder.get(row),
            activation: further.activation.get(row),
            break_even: further.break_even.get(row),
            stagnation: further.stagnation.get(row),
            moonbag: further.moonbag.get(row),
            moonbag_stop: further.moonbag_stop.get(row),
            moonbag_hold: further.moonbag_hold.get(row),
        });
        Some(Row {
            strategy: self.strategy.get(row)?,
            stop: self.stop.get(row)?,
            target: self.target.get(row)?,
            trail: self.trail.get(row)?,
            hold: self.hold.get(row)?,
            model: self.model.get(row)?,
            further: further.unwrap_or_default(),
        })
    }
}

impl Row<'_> {
    fn rules(&self) -> Result<Rules> {
        let Ok(strategy) = self.strategy.parse::<ExitStrategy>() else {
            let known = ExitStrategy::NAMES.map(|(name, _)| name).join(", ");
            return refuse("exit_strategy", format!("one of {known}"), self.strategy);
        };
        let Ok(fill_model) = self.model.parse::<FillModel>() else {
            let known = FillModel::NAMES.map(|(name, _)| name).join(", ");
            return refuse("fill_model", format!("one of {known}"), self.model);
        };
        let settings = ExitSettings {
            moonbag: optional("moonbag_percent", self.further.moonbag, HUNDRED)?,
            ladder: self.ladder()?,
            trailing_activation: optional(
                "trailing_activation_percent",
                self.further.activation,
                PERCENT_MAX,
            )?
            .unwrap_or(0),
            break_even: optional("break_even_percent", self.further.break_even, PERCENT_MAX)?,
            stagnation_micros: optional_micros("stagnation_minutes", self.further.stagnation)?,
            moonbag_stop_loss: optional(
                "moonbag_stop_loss_percent",
                self.further.moonbag_stop,
                HUNDRED,
            )?,
            moonbag_max_hold_micros: optional_micros(
                "moonbag_max_hold_minutes",
                self.further.moonbag_hold,
            )?,
            ..ExitSettings::new(
                strategy,
                within("stop_loss_percent", self.stop, HUNDRED)?,
                within("take_profit_percent", self.target, PERCENT_MAX)?,
                within("trailing_stop_percent", self.trail, HUNDRED)?,
                micros("max_hold_minutes", self.hold)?,
            )
        };
        Ok(Rules {
            parts: settings.parts(),
            fill_model,
            target_argument: match settings.ladder {
                Some(_) => "take_profit_ladder",
                None => "take_profit_percent",
            },
        })
    }

    fn ladder(&self) -> Result<Option<Ladder>> {
        let Some(text) = self.further.ladder else {
            return Ok(None);
        };
        let problem =
            |expected: String| refuse("take_profit_ladder", expected, format!("'{text}'"));
        let ladder: Ladder = match text.parse() {
            Ok(ladder) => ladder,
            Err(expected) => return problem(expected),
        };
        let moonbag = optional("moonbag_percent", self.further.moonbag, HUNDRED)?;
        match ladder.check_beside(moonbag.unwrap_or(0)) {
            Ok(()) => Ok(Some(ladder)),
            Err(expected) => problem(expected),
        }
    }
}

fn percents(name: &str, value: &ColumnarValue) -> Result<Argument<Decimal128Array>> {
    arguments::decimals(name, value, 4)
}

fn within(name: &str, value: i128, most: i128) -> Result<i64> {
    match i64::try_from(value) {
        Ok(number) if (0..=most).contains(&value) => Ok(number),
        _ => refuse(
            name,
            format!("between 0 and {}", format(most, 4)),
            format(value, 4),
        ),
    }
}

fn optional(name: &str, value: Option<i128>, most: i128) -> Result<Option<i64>> {
    value.map(|value| within(name, value, most)).transpose()
}

fn micros(name: &str, minutes: i64) -> Result<i64> {
    let micros = minutes.checked_mul(MINUTE_MICROS);
    match micros.filter(|micros| *micros >= 0) {
        Some(micros) => Ok(micros),
        None => refuse(name, "0 or more", minutes.to_string()),
    }
}

fn optional_micros(name: &str, minutes: Option<i64>) -> Result<Option<i64>> {
    minutes.map(|minutes| micros(name, minutes)).transpose()
}
