//! What a user sets, with what holds where nothing is set.

use num_traits::Zero;

use super::costs::Costs;
use super::limits::Limits;
use super::number::{Number, parse};

/// Settings as a user types them: name and value, both as text.
pub type Settings = Vec<(String, String)>;

/// The exit strategies; each arms some of the rules, see [`super::exit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStrategy {
    TrailingStop,
    FixedTargets,
    TimeBased,
    Hybrid,
}

/// At which price a crossed level fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FillModel {
    Level,
    Observed,
    Conservative,
}

/// How a position is left.
#[derive(Debug, Clone)]
pub struct ExitRules {
    pub exit_strategy: ExitStrategy,
    pub stop_loss_percent: Number,
    pub take_profit_percent: Number,
    pub trailing_stop_percent: Number,
    pub max_hold_minutes: i64,
    pub fill_model: FillModel,
    /// Shares and gains in percent, none: no ladder.
    pub take_profit_ladder: Vec<(Number, Number)>,
    pub trailing_activation_percent: Number,
    pub break_even_percent: Option<Number>,
    pub stagnation_minutes: Option<i64>,
    pub moonbag_percent: Option<Number>,
    pub moonbag_stop_loss_percent: Option<Number>,
    pub moonbag_max_hold_minutes: Option<i64>,
}

impl Default for ExitRules {
    fn default() -> Self {
        let number = |text| parse(text).unwrap();
        Self {
            exit_strategy: ExitStrategy::TrailingStop,
            stop_loss_percent: number("15"),
            take_profit_percent: number("50"),
            trailing_stop_percent: number("10"),
            max_hold_minutes: 60,
            fill_model: FillModel::Level,
            take_profit_ladder: vec![],
            trailing_activation_percent: number("0"),
            break_even_percent: None,
            stagnation_minutes: None,
            moonbag_percent: None,
            moonbag_stop_loss_percent: None,
            moonbag_max_hold_minutes: None,
        }
    }
}

/// Every parameter of a backtest.
#[derive(Debug, Clone)]
pub struct Parameters {
    /// `None`: the 30 days that end with the last signal's day.
    pub start_date: Option<String>,
    pub end_date: Option<String>,
    /// In the order of the factors.
    pub weights: [Number; 5],
    pub score_threshold: Number,
    pub base_position_sol: Number,
    pub max_position_sol: Number,
    pub scale_with_confidence: bool,
    pub confidence_multiplier: Number,
    pub exit: ExitRules,
    pub costs: Costs,
    pub include_gas_costs: bool,
    pub limits: Limits,
    pub max_entry_delay_minutes: Option<Number>,
}

impl Default for Parameters {
    fn default() -> Self {
        let number = |text| parse(text).unwrap();
        Self {
            start_date: None,
            end_date: None,
            weights: ["0.30", "0.25", "0.20", "0.15", "0.10"].map(number),
            score_threshold: number("70"),
            base_position_sol: number("0.1"),
            max_position_sol: number("0.5"),
            scale_with_confidence: true,
            confidence_multiplier: number("1.5"),
            exit: ExitRules::default(),
            costs: Costs {
                slippage_percent: number("1.0"),
                gas_cost_sol: number("0.0001"),
                ..Costs::default()
            },
            include_gas_costs: true,
            limits: Limits::default(),
            max_entry_delay_minutes: None,
        }
    }
}

impl Parameters {
    /// The defaults with these settings over them.
    pub fn with(settings: &Settings) -> Self {
        let mut parameters = Self::default();
        for (name, value) in settings {
            parameters.set(name, value);
        }
        parameters
    }

    fn set(&mut self, name: &str, value: &str) {
        let number = || parse(value).unwrap_or_else(|| panic!("{name}: {value} is no number"));
        let minutes = || value.parse::<i64>().unwrap();
        let switch = || value.parse::<bool>().unwrap();
        match name {
            "start_date" => self.start_date = Some(value.to_owned()),
            "end_date" => self.end_date = Some(value.to_owned()),
            "wallet_score_weight" => self.weights[0] = number(),
            "token_metrics_weight" => self.weights[1] = number(),
            "liquidity_weight" => self.weights[2] = number(),
            "holder_distribution_weight" => self.weights[3] = number(),
            "momentum_weight" => self.weights[4] = number(),
            "score_threshold" => self.score_threshold = number(),
            "base_position_sol" => self.base_position_sol = number(),
            "max_position_sol" => self.max_position_sol = number(),
            "scale_with_confidence" => self.scale_with_confidence = switch(),
            "confidence_multiplier" => self.confidence_multiplier = number(),
            "exit_strategy" => self.exit.exit_strategy = ExitStrategy::named(value),
            "stop_loss_percent" => self.exit.stop_loss_percent = number(),
            "take_profit_percent" => self.exit.take_profit_percent = number(),
            "trailing_stop_percent" => self.exit.trailing_stop_percent = number(),
            "max_hold_minutes" => self.exit.max_hold_minutes = minutes(),
            "include_gas_costs" => self.include_gas_costs = switch(),
            "fill_model" => self.exit.fill_model = FillModel::named(value),
            "take_profit_ladder" => self.exit.take_profit_ladder = ladder(value),
            "trailing_activation_percent" => self.exit.trailing_activation_percent = number(),
            "break_even_percent" => self.exit.break_even_percent = Some(number()),
            "stagnation_minutes" => self.exit.stagnation_minutes = Some(minutes()),
            "moonbag_percent" => self.exit.moonbag_percent = Some(number()),
            "moonbag_stop_loss_percent" => self.exit.moonbag_stop_loss_percent = Some(number()),
            "moonbag_max_hold_minutes" => self.exit.moonbag_max_hold_minutes = Some(minutes()),
            "max_entry_delay_minutes" => self.max_entry_delay_minutes = Some(number()),
            _ if self.costs.set(name, value) || self.limits.set(name, value) => {}
            _ => panic!("no parameter {name}"),
        }
    }

    /// What a trade is charged: gas only where it counts.
    pub fn costs(&self) -> Costs {
        let mut costs = self.costs.clone();
        if !self.include_gas_costs {
            costs.gas_cost_sol = Number::zero();
        }
        costs
    }
}

/// `50@100, 25@300` as shares and gains.
pub fn ladder(text: &str) -> Vec<(Number, Number)> {
    let step = |step: &str| {
        let (share, gain) = step.trim().split_once('@')?;
        Some((parse(share)?, parse(gain)?))
    };
    let steps: Option<Vec<_>> = text.split(',').map(step).collect();
    steps.unwrap_or_else(|| panic!("{text} is no ladder"))
}

impl ExitStrategy {
    /// All of them, by their names in SQL.
    pub const NAMED: [(&str, Self); 4] = [
        ("trailing_stop", Self::TrailingStop),
        ("fixed_targets", Self::FixedTargets),
        ("time_based", Self::TimeBased),
        ("hybrid", Self::Hybrid),
    ];

    /// The strategy of this name.
    pub fn named(name: &str) -> Self {
        let found = Self::NAMED.iter().find(|(named, _)| *named == name);
        found.unwrap_or_else(|| panic!("no exit strategy {name}")).1
    }
}

impl FillModel {
    /// All of them, by their names in SQL.
    pub const NAMED: [(&str, Self); 3] = [
        ("level", Self::Level),
        ("observed", Self::Observed),
        ("conservative", Self::Conservative),
    ];

    /// The fill model of this name.
    pub fn named(name: &str) -> Self {
        let found = Self::NAMED.iter().find(|(named, _)| *named == name);
        found.unwrap_or_else(|| panic!("no fill model {name}")).1
    }
}
