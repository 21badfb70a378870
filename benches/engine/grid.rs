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
}

impl Grid {
    /// Every grid.
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

    pub fn len(&self) -> usize {
        let exits = self.stops.len() * self.targets.len() * self.trails.len() * self.holds.len();
        self.weights.len() * self.thresholds.len() * exits
    }

    /// The call that sweeps it.
    pub fn call(&self) -> String {
        let list = |values: Vec<String>| format!("[{}]", values.join(", "));
        let whole = |values: &[u32]| list(values.iter().map(u32::to_string).collect());
        let weights = self.weights.iter().map(|weight| format!("0.{weight}"));
        format!(
            "backtest({RANGE}, exit_strategy => 'hybrid', liquidity_weight => {}, \
             score_threshold => {}, stop_loss_percent => {}, take_profit_percent => {}, \
             trailing_stop_percent => {}, max_hold_minutes => {})",
            list(weights.collect()),
            whole(&self.thresholds),
            whole(&self.stops),
            whole(&self.targets),
            whole(&self.trails),
            whole(&self.holds),
        )
    }
}
