//! Trade by trade: what each signal brought and what it would have brought.

use num_traits::{Signed, Zero};

use super::history::{Outcome, Signal};
use super::number::{Number, parse};

/// One signal of the range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    pub signal_id: String,
    pub timestamp: i64,
    pub token_address: String,
    pub source_wallet: Option<String>,
    pub score: Number,
    pub actual_traded: bool,
    pub actual_pnl_sol: Option<Number>,
    pub simulated_traded: bool,
    pub simulated_pnl_sol: Option<Number>,
    pub outcome_changed: bool,
    pub pnl_changed: bool,
    pub change: &'static str,
    /// Why it is not traded.
    pub skip_reason: Option<&'static str>,
}

/// One signal of the range, with both running sums so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EquityPoint {
    pub timestamp: i64,
    pub signal_id: String,
    pub actual_pnl_sol: Number,
    pub simulated_pnl_sol: Number,
}

/// Compares the outcomes of one signal, all of them its own, with its simulated net PnL.
pub fn compare(
    signal: &Signal,
    score: Number,
    outcomes: &[&Outcome],
    simulated_pnl_sol: Option<Number>,
    skip_reason: Option<&'static str>,
) -> Comparison {
    // An outcome that is not closed makes its signal traded and adds no PnL.
    let actual_traded = !outcomes.is_empty();
    let mut actual_pnl_sol = None;
    for outcome in outcomes {
        if let (Some(_), Some(pnl)) = (outcome.exit_timestamp, &outcome.realized_pnl_sol) {
            actual_pnl_sol = Some(actual_pnl_sol.unwrap_or_else(Number::zero) + pnl);
        }
    }

    let simulated_traded = simulated_pnl_sol.is_some();
    let outcome_changed = simulated_traded != actual_traded;
    let pnl_changed = match (&actual_pnl_sol, &simulated_pnl_sol) {
        (None, None) => false,
        (Some(actual), Some(simulated)) => (simulated - actual).abs() > parse("0.001").unwrap(),
        _ => true,
    };
    let change = if simulated_traded && !actual_traded {
        "new_trade"
    } else if actual_traded && !simulated_traded {
        "skipped"
    } else if pnl_changed {
        "pnl_changed"
    } else {
        "unchanged"
    };
    Comparison {
        signal_id: signal.id.clone(),
        timestamp: signal.timestamp,
        token_address: signal.token_address.clone(),
        source_wallet: signal.source_wallet.clone(),
        score,
        actual_traded,
        actual_pnl_sol,
        simulated_traded,
        simulated_pnl_sol,
        outcome_changed,
        pnl_changed,
        change,
        skip_reason,
    }
}

/// Outcome changes first, then PnL changes, then the rest; within each by timestamp, then id.
pub fn sort_for_people(comparisons: &mut [Comparison]) {
    comparisons.sort_by_key(|row| {
        let group = if row.outcome_changed {
            0
        } else if row.pnl_changed {
            1
        } else {
            2
        };
        (group, row.timestamp, row.signal_id.clone())
    });
}

/// The running sum of both PnLs over the signals in time order; no PnL adds nothing.
pub fn equity_curve(comparisons: &[Comparison]) -> Vec<EquityPoint> {
    let mut in_time_order: Vec<&Comparison> = comparisons.iter().collect();
    in_time_order.sort_by_key(|row| (row.timestamp, row.signal_id.clone()));
    let mut actual = Number::zero();
    let mut simulated = Number::zero();
    let mut curve = Vec::new();
    for row in in_time_order {
        if let Some(pnl) = &row.actual_pnl_sol {
            actual += pnl;
        }
        if let Some(pnl) = &row.simulated_pnl_sol {
            simulated += pnl;
        }
        curve.push(EquityPoint {
            timestamp: row.timestamp,
            signal_id: row.signal_id.clone(),
            actual_pnl_sol: actual.clone(),
            simulated_pnl_sol: simulated.clone(),
        });
    }
    curve
}
