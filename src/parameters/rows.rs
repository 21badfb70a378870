//! The rows of the table: what can be set, in the order of the columns of `backtest`.

use hindsight_udfs::exits::words::{ExitStrategy, FillModel};

use super::{Kind, Parameter};

const STRATEGIES: [&str; 4] = [
    ExitStrategy::NAMES[0].0,
    ExitStrategy::NAMES[1].0,
    ExitStrategy::NAMES[2].0,
    ExitStrategy::NAMES[3].0,
];
const FILL_MODELS: [&str; 3] = [
    FillModel::NAMES[0].0,
    FillModel::NAMES[1].0,
    FillModel::NAMES[2].0,
];
const SOL: Kind = Kind::Decimal(20, 9);
const PERCENT: Kind = Kind::Decimal(9, 4);

const BLANK: Parameter = Parameter {
    name: "",
    group: "",
    kind: Kind::Boolean,
    unit: "",
    default: None,
    minimum: None,
    above_minimum: false,
    maximum: None,
    step: None,
    description: "",
};

const fn weight(name: &'static str, default: &'static str, description: &'static str) -> Parameter {
    Parameter {
        name,
        group: "scoring_weights",
        kind: Kind::Decimal(5, 4),
        unit: "fraction",
        default: Some(default),
        minimum: Some("0"),
        maximum: Some("1"),
        step: Some("0.05"),
        description,
        ..BLANK
    }
}

/// Every parameter, in the order of the columns of `backtest`.
pub static PARAMETERS: [Parameter; 40] = [
    Parameter {
        name: "start_date",
        group: "simulation",
        kind: Kind::Date,
        unit: "date, UTC",
        description: "first day of the signals; by default 29 days before end_date",
        ..BLANK
    },
    Parameter {
        name: "end_date",
        group: "simulation",
        kind: Kind::Date,
        unit: "date, UTC",
        description: "last day of the signals, included; by default the last signal's day",
        ..BLANK
    },
    weight(
        "wallet_score_weight",
        "0.30",
        "weight of the wallet's record; the five weights sum to 1",
    ),
    weight(
        "token_metrics_weight",
        "0.25",
        "weight of the token's metrics",
    ),
    weight("liquidity_weight", "0.20", "weight of the liquidity"),
    weight(
        "holder_distribution_weight",
        "0.15",
        "weight of how widely the token is held",
    ),
    weight("momentum_weight", "0.10", "weight of the price's momentum"),
    Parameter {
        name: "score_threshold",
        group: "score_threshold",
        kind: Kind::Decimal(7, 2),
        unit: "points",
        default: Some("70"),
        minimum: Some("0"),
        maximum: Some("100"),
        step: Some("1"),
        description: "signals that score at least this are traded",
        ..BLANK
    },
    Parameter {
        name: "base_position_sol",
        group: "position_sizing",
        kind: SOL,
        unit: "SOL",
        default: Some("0.1"),
        minimum: Some("0"),
        above_minimum: true,
        step: Some("0.01"),
        description: "size of a position before the score scales it",
        ..BLANK
    },
    Parameter {
        name: "max_position_sol",
        group: "position_sizing",
        kind: SOL,
        unit: "SOL",
        default: Some("0.5"),
        minimum: Some("0"),
        above_minimum: true,
        step: Some("0.05"),
        description: "largest size of a scaled position",
        ..BLANK
    },
    Parameter {
        name: "scale_with_confidence",
        group: "position_sizing",
        kind: Kind::Boolean,
        unit: "true or false",
        default: Some("true"),
        description: "whether the score scales the size of a position",
        ..BLANK
    },
    Parameter {
        name: "confidence_multiplier",
        group: "position_sizing",
        kind: Kind::Decimal(9, 4),
        unit: "factor",
        default: Some("1.5"),
        minimum: Some("1"),
        step: Some("0.1"),
        description: "factor on base position × score/100",
        ..BLANK
    },
    Parameter {
        name: "exit_strategy",
        group: "exit_strategy",
        kind: Kind::Choice(&STRATEGIES),
        unit: "name",
        default: Some("trailing_stop"),
        description: "which exit rules are armed; the stop loss and the time limit always are",
        ..BLANK
    },
    Parameter {
        name: "stop_loss_percent",
        group: "exit_strategy",
        kind: PERCENT,
        unit: "percent",
        default: Some("15"),
        minimum: Some("1"),
        maximum: Some("50"),
        step: Some("1"),
        description: "fall below the entry price that ends a trade",
        ..BLANK
    },
    Parameter {
        name: "take_profit_percent",
        group: "exit_strategy",
        kind: PERCENT,
        unit: "percent",
        default: Some("50"),
        minimum: Some("5"),
        maximum: Some("500"),
        step: Some("5"),
        description: "rise above the entry price that ends a trade",
        ..BLANK
    },
    Parameter {
        name: "trailing_stop_percent",
        group: "exit_strategy",
        kind: PERCENT,
        unit: "percent",
        default: Some("10"),
        minimum: Some("1"),
        maximum: Some("30"),
        step: Some("1"),
        description: "fall below the peak that ends a trade once it has risen",
        ..BLANK
    },
    Parameter {
        name: "max_hold_minutes",
        group: "exit_strategy",
        kind: Kind::Integer,
        unit: "minutes",
        default: Some("60"),
        minimum: Some("5"),
        maximum: Some("1440"),
        step: Some("5"),
        description: "time after the signal at which a trade ends",
        ..BLANK
    },
    Parameter {
        name: "slippage_percent",
        group: "simulation",
        kind: PERCENT,
        unit: "percent",
        default: Some("1.0"),
        minimum: Some("0"),
        maximum: Some("10"),
        step: Some("0.1"),
        description: "cost of slippage, of the position's size",
        ..BLANK
    },
    Parameter {
        name: "include_gas_costs",
        group: "simulation",
        kind: Kind::Boolean,
        unit: "true or false",
        default: Some("true"),
        description: "whether each trade pays for gas",
        ..BLANK
    },
    Parameter {
        name: "gas_cost_sol",
        group: "simulation",
        kind: SOL,
        unit: "SOL",
        default: Some("0.0001"),
        minimum: Some("0"),
        step: Some("0.0001"),
        description: "cost of gas of a trade",
        ..BLANK
    },
    Parameter {
        name: "fill_model",
        group: "simulation",
        kind: Kind::Choice(&FILL_MODELS),
        unit: "name",
        default: Some("level"),
        description: "price a crossed level fills at: the level, the observed price, or the worse",
        ..BLANK
    },
    Parameter {
        name: "max_entry_delay_minutes",
        group: "simulation",
        kind: PERCENT,
        unit: "minutes",
        minimum: Some("0"),
        step: Some("1"),
        description: "latest first price after the signal to enter at; by default any",
        ..BLANK
    },
    Parameter {
        name: "take_profit_ladder",
        group: "exit_rules",
        kind: Kind::Ladder,
        unit: "steps share@gain, in percent",
        description: "sells in steps in place of one take profit: 50@100, 25@300 sells half at +100 % and a quarter at +300 %",
        ..BLANK
    },
    Parameter {
        name: "trailing_activation_percent",
        group: "exit_rules",
        kind: PERCENT,
        unit: "percent",
        default: Some("0"),
        minimum: Some("0"),
        maximum: Some("1000"),
        step: Some("5"),
        description: "rise above the entry price that arms the trailing stop",
        ..BLANK
    },
    Parameter {
        name: "break_even_percent",
        group: "exit_rules",
        kind: PERCENT,
        unit: "percent",
        minimum: Some("0.1"),
        maximum: Some("1000"),
        step: Some("0.1"),
        description: "rise above the entry price after which a fall back to it ends a trade",
        ..BLANK
    },
    Parameter {
        name: "stagnation_minutes",
        group: "exit_rules",
        kind: Kind::Integer,
        unit: "minutes",
        minimum: Some("1"),
        maximum: Some("1440"),
        step: Some("1"),
        description: "time without a new peak after which a trade ends",
        ..BLANK
    },
    Parameter {
        name: "moonbag_percent",
        group: "exit_rules",
        kind: PERCENT,
        unit: "percent",
        minimum: Some("0"),
        maximum: Some("100"),
        step: Some("5"),
        description: "share of the position that is left to ride, with only a stop and a time limit of its own",
        ..BLANK
    },
    Parameter {
        name: "moonbag_stop_loss_percent",
        group: "exit_rules",
        kind: PERCENT,
        unit: "percent",
        minimum: Some("1"),
        maximum: Some("100"),
        step: Some("1"),
        description: "stop loss of the moonbag; by default stop_loss_percent",
        ..BLANK
    },
    Parameter {
        name: "moonbag_max_hold_minutes",
        group: "exit_rules",
        kind: Kind::Integer,
        unit: "minutes",
        minimum: Some("5"),
        maximum: Some("43200"),
        step: Some("5"),
        description: "time limit of the moonbag; by default max_hold_minutes",
        ..BLANK
    },
    Parameter {
        name: "exit_slippage_percent",
        group: "costs",
        kind: PERCENT,
        unit: "percent",
        default: Some("0"),
        minimum: Some("0"),
        maximum: Some("50"),
        step: Some("0.5"),
        description: "cost of slippage when selling, of what the sale brings",
        ..BLANK
    },
    Parameter {
        name: "platform_fee_percent",
        group: "costs",
        kind: PERCENT,
        unit: "percent",
        default: Some("0"),
        minimum: Some("0"),
        maximum: Some("10"),
        step: Some("0.1"),
        description: "fee of the trading platform, of every buy and every sale",
        ..BLANK
    },
    Parameter {
        name: "priority_fee_sol",
        group: "costs",
        kind: SOL,
        unit: "SOL",
        default: Some("0"),
        minimum: Some("0"),
        step: Some("0.0001"),
        description: "fee for each transaction that is sent, a buy or a sale",
        ..BLANK
    },
    Parameter {
        name: "failed_transaction_percent",
        group: "costs",
        kind: PERCENT,
        unit: "percent",
        default: Some("0"),
        minimum: Some("0"),
        maximum: Some("90"),
        step: Some("5"),
        description: "how many of the transactions sent fail, and cost their priority fee",
        ..BLANK
    },
    Parameter {
        name: "pool_sol",
        group: "costs",
        kind: SOL,
        unit: "SOL",
        minimum: Some("0"),
        above_minimum: true,
        step: Some("10"),
        description: "SOL side of the pool that is traded with, whose price our own orders move; by default so deep that they do not",
        ..BLANK
    },
    Parameter {
        name: "max_open_positions",
        group: "limits",
        kind: Kind::Integer,
        unit: "positions",
        minimum: Some("1"),
        step: Some("1"),
        description: "positions that may be open at once",
        ..BLANK
    },
    Parameter {
        name: "max_positions_per_token",
        group: "limits",
        kind: Kind::Integer,
        unit: "positions",
        minimum: Some("1"),
        step: Some("1"),
        description: "positions that may be open at once in one token",
        ..BLANK
    },
    Parameter {
        name: "token_cooldown_minutes",
        group: "limits",
        kind: Kind::Integer,
        unit: "minutes",
        minimum: Some("0"),
        step: Some("5"),
        description: "time after a position in a token in which it is not bought again",
        ..BLANK
    },
    Parameter {
        name: "max_trades_per_day",
        group: "limits",
        kind: Kind::Integer,
        unit: "positions",
        minimum: Some("1"),
        step: Some("1"),
        description: "positions that may be entered on one day, UTC",
        ..BLANK
    },
    Parameter {
        name: "max_daily_loss_sol",
        group: "limits",
        kind: SOL,
        unit: "SOL",
        minimum: Some("0"),
        above_minimum: true,
        step: Some("0.1"),
        description: "loss of a day, UTC, after which nothing more is bought on it",
        ..BLANK
    },
    Parameter {
        name: "starting_balance_sol",
        group: "limits",
        kind: SOL,
        unit: "SOL",
        minimum: Some("0"),
        above_minimum: true,
        step: Some("1"),
        description: "money to begin with; a position that it does not pay for is not bought",
        ..BLANK
    },
];
