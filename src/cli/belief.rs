//! How far to believe the difference that a backtest found, in a sentence or two.

use datafusion::arrow::array::RecordBatch;
use hindsight::records::objections::holds_zero;
use hindsight::{Engine, Result};

use super::apply::text;
use super::terminal::{BOLD, CAUTION};

/// The interval of a difference, the wider of those by token and by day; amounts as text.
#[derive(Debug, PartialEq, Eq)]
pub struct Belief {
    method: String,
    lower: String,
    upper: String,
    warning: String,
}

impl Belief {
    /// Of a backtest with these arguments; `None` where there is nothing to resample.
    pub async fn of_call(engine: &Engine, arguments: &str) -> Result<Option<Self>> {
        let rows = engine
            .sql(&format!(
                "select method as interval_method, lower_sol as interval_lower_sol, \
                 upper_sol as interval_upper_sol, warning as interval_warning \
                 from pnl_interval({arguments}) where lower_sol is not null \
                 order by upper_sol - lower_sol desc, method desc limit 1"
            ))
            .await?;
        Ok(Self::of_row(&rows))
    }

    /// As a stored run has it; `None` where it has none.
    pub fn of_row(rows: &[RecordBatch]) -> Option<Self> {
        let text = |name: &str| text(rows, name, 0);
        let belief = Self {
            method: text("interval_method"),
            lower: text("interval_lower_sol"),
            upper: text("interval_upper_sol"),
            warning: text("interval_warning"),
        };
        (!belief.method.is_empty()).then_some(belief)
    }

    /// Whether there may be no difference at all.
    fn holds_zero(&self) -> bool {
        holds_zero(&self.lower, &self.upper)
    }

    pub fn sentences(&self) -> String {
        let range = format!("{} to {} SOL", shown(&self.lower), shown(&self.upper));
        let verdict = match self.holds_zero() {
            true => format!(
                "{CAUTION}{BOLD}It holds 0: the difference may be chance.{BOLD:#}{CAUTION:#}"
            ),
            false => "It does not hold 0.".to_owned(),
        };
        let warning = match self.warning.as_str() {
            "" => String::new(),
            warning => format!(" {CAUTION}Caution:{CAUTION:#} {warning}."),
        };
        format!(
            "95 % interval of the difference, resampled by {}: {range}. {verdict}{warning}",
            self.method
        )
    }
}

/// That a stored run is the best of several, and what speaks for it.
#[derive(Debug, PartialEq)]
pub struct Choice {
    tried: u64,
    deflated_sharpe_ratio: Option<f64>,
    probability_of_overfitting: Option<f64>,
    efficiency: Option<f64>,
}

impl Choice {
    /// As a stored run has it; `None` where it was the only one.
    pub fn of_row(rows: &[RecordBatch]) -> Option<Self> {
        let number = |name: &str| text(rows, name, 0).parse::<f64>().ok();
        let tried = text(rows, "combinations_tried", 0).parse().ok();
        Some(Self {
            tried: tried.filter(|tried| *tried > 1)?,
            deflated_sharpe_ratio: number("deflated_sharpe_ratio"),
            probability_of_overfitting: number("probability_of_overfitting"),
            efficiency: number("walk_forward_efficiency"),
        })
    }

    pub fn sentence(&self) -> String {
        let mut sentence = format!(
            "The best of {} combinations",
            super::numbers::grouped(self.tried)
        );
        let mut say = |what: &str, share: Option<f64>| {
            if let Some(share) = share {
                sentence.push_str(&format!(", {what} {:.0} %", share * 100.0));
            }
        };
        say("deflated Sharpe ratio", self.deflated_sharpe_ratio);
        say(
            "probability of overfitting",
            self.probability_of_overfitting,
        );
        say("walk-forward efficiency", self.efficiency);
        sentence + "."
    }
}

/// Four digits, with a plus where it is more than nothing.
fn shown(amount: &str) -> String {
    match hindsight_udfs::decimal::parse(amount) {
        Some((mantissa, scale)) => super::numbers::signed(mantissa, scale, 4),
        None => amount.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn belief(lower: &str, upper: &str) -> Belief {
        Belief {
            method: "token".into(),
            lower: lower.into(),
            upper: upper.into(),
            warning: String::new(),
        }
    }

    #[test]
    fn what_holds_zero_may_be_chance() {
        assert!(belief("-1.5", "0.0001").holds_zero());
        assert!(belief("0.0000", "2").holds_zero());
        assert!(!belief("0.0001", "2").holds_zero());
        assert!(!belief("-2", "-0.0001").holds_zero());
        let sentences = belief("-1.500000000", "12.25").sentences();
        assert!(
            sentences.contains("by token: -1.5000 to +12.2500 SOL."),
            "{sentences}"
        );
        assert!(sentences.contains("may be chance"), "{sentences}");
    }
}
