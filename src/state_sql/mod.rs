//! The state in SQL: tables over what is stored, the procedures that change it, and the backtest
//! that is kept.

pub mod backtests;
pub mod call;
pub mod procedures;
pub mod run_backtest;
pub mod run_tables;
pub mod scenario_writes;
pub mod scenarios_table;
pub mod settings_tables;
pub mod state_table;
