//! The SQL functions of hindsight: scoring, exits, trades and metrics, exact and free of I/O.
//!
//! Each function is a file named as in SQL, which opens with the function's contract. Its kernel is
//! a pure function over integers that has never heard of Arrow; the DataFusion part only types,
//! dispatches and documents. Nothing here reads a file, a clock or a socket.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod arguments;
pub mod decimal;
pub mod exits;
pub mod extremes;
pub mod metrics;
pub mod portfolio;
pub mod price_book;
pub mod scoring;
pub mod trades;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};

use crate::price_book::PriceBook;

/// Every scalar function, those over prices bound to a price book.
pub fn scalar_functions(book: &Arc<PriceBook>) -> Vec<ScalarUDF> {
    vec![
        scoring::rescore::Rescore::default().into(),
        scoring::position_size::PositionSize::default().into(),
        exits::simulate_exit::SimulateExit::new(Arc::clone(book)).into(),
        exits::simulate_exits::SimulateExits::new(Arc::clone(book)).into(),
        exits::price_at::PriceAt::new(Arc::clone(book)).into(),
        trades::price_errors::PriceErrors::default().into(),
        trades::trade_pnl::TradePnlFunction::default().into(),
        trades::sale_pnl::SalePnl::default().into(),
        metrics::round_half_even::RoundHalfEven::default().into(),
        metrics::divide_rounded::DivideRounded::default().into(),
    ]
}

/// Every aggregate function.
pub fn aggregate_functions() -> Vec<AggregateUDF> {
    vec![
        metrics::win_rate::WinRate::default().into(),
        metrics::profit_factor::ProfitFactor::default().into(),
        metrics::expectancy::Expectancy::default().into(),
        metrics::max_drawdown::MaxDrawdown::default().into(),
        metrics::max_consecutive_losses::MaxConsecutiveLosses::default().into(),
        metrics::sharpe_ratio::SharpeRatio::default().into(),
        metrics::sortino_ratio::SortinoRatio::default().into(),
        metrics::sqn::Sqn::default().into(),
    ]
}

/// Every window function.
pub fn window_functions() -> Vec<WindowUDF> {
    vec![portfolio::skip_reason::SkipReason::default().into()]
}

/// Makes every function known to a session.
pub fn register(registry: &mut dyn FunctionRegistry, book: &Arc<PriceBook>) -> Result<()> {
    for function in scalar_functions(book) {
        registry.register_udf(Arc::new(function))?;
    }
    for function in aggregate_functions() {
        registry.register_udaf(Arc::new(function))?;
    }
    for function in window_functions() {
        registry.register_udwf(Arc::new(function))?;
    }
    Ok(())
}
