//! The grids that are swept. The tests read this file too, and hold every row to the single run.

pub const RANGE: &str = "start_date => '2025-01-01'";

/// A product of settings, all with stops, targets and trails.
#[derive(Debug, Clone)]
pub struct Grid {
    /// Of liquidity × 1000; the other weights are the defaults, and all sum to 1 within 0.01.
    pub weights: Vec<u32>,
    pub thresholds: Vec<u32>,
    pub stops: Vec<u32>,
    pub targets: Vec<u32>,
    pub trails: Vec<u32>,
    pub holds: Vec<u32>,
    /// Ladders with a break-even and an activated trail, in place of targets.
    pub ladders: Vec<String>,
    /// Positions open at once; without it, no limit.
    pub open: Option<u32>,
}

impl Grid {
    /// Every grid of plain exit rules that the plain loop does as well.
    pub fn all() -> [Self; 3] {
        [Self::hundred(), Self::thousand(), Self::ten_thousand()]
    }

    /// 5 stops × 5 targets × 4 trails.
    pub fn hundred() -> Self {
        Self {
            weights: vec![200],
            thresholds: vec![70],
            stops: vec![8, 10, 12, 15, 20],
            targets: vec![25, 50, 75, 100, 200],
            trails: vec![5, 8, 10, 15],
            holds: vec![60],
            ladders: vec![],
            open: None,
        }
    }

    /// The same with 5 thresholds and 2 time limits.
    pub fn thousand() -> Self {
        Self {
            thresholds: vec![60, 65, 70, 75, 80],
            holds: vec![60, 240],
            ..Self::hundred()
        }
    }

    /// The same with 10 sets of weights.
    pub fn ten_thousand() -> Self {
        Self {
            weights: (191..210).step_by(2).collect(),
            ..Self::thousand()
        }
    }

    /// The thousand with at most three positions at once.
    pub fn limited() -> Self {
        Self {
            open: Some(3),
            ..Self::thousand()
        }
    }

    /// 1,000 sets of exit rules.
    pub fn rules() -> Self {
        Self {
            targets: (1..=25).map(|step| step * 10).collect(),
            holds: vec![60, 240],
            ..Self::hundred()
        }
    }

    /// As many with ladders.
    pub fn ladders() -> Self {
        let ladder = |step: u32| format!("{}@{}, 25@{}", 30 + step, 5 + 2 * step, 60 + 5 * step);
        Self {
            targets: vec![50],
            ladders: (1..=25).map(ladder).collect(),
            ..Self::rules()
        }
    }

    pub fn len(&self) -> usize {
        let targets = self.targets.len() * self.ladders.len().max(1);
        let exits = self.stops.len() * targets * self.trails.len() * self.holds.len();
        self.weights.len() * self.thresholds.len() * exits
    }

    /// The call that sweeps it.
    pub fn call(&self) -> String {
        let list = |values: Vec<String>| format!("[{}]", values.join(", "));
        let whole = |values: &[u32]| list(values.iter().map(u32::to_string).collect());
        let weights = self.weights.iter().map(|weight| format!("0.{weight}"));
        let ladders = self.ladders.iter().map(|ladder| format!("'{ladder}'"));
        let ladders = match self.ladders.is_empty() {
            true => String::new(),
            false => format!(
                ", take_profit_ladder => {}, trailing_activation_percent => 5, \
                 break_even_percent => 10",
                list(ladders.collect())
            ),
        };
        let open = self.open.map_or(String::new(), |open| {
            format!(", max_open_positions => {open}")
        });
        format!(
            "backtest({RANGE}, exit_strategy => 'hybrid', liquidity_weight => {}, \
             score_threshold => {}, stop_loss_percent => {}, take_profit_percent => {}, \
             trailing_stop_percent => {}, max_hold_minutes => {}{ladders}{open})",
            list(weights.collect()),
            whole(&self.thresholds),
            whole(&self.stops),
            whole(&self.targets),
            whole(&self.trails),
            whole(&self.holds),
        )
    }
}
