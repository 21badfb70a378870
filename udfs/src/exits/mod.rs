//! From a signal and exit rules to the prices a trade would have ended at.

pub mod first_touches;
pub mod ladder;
pub mod levels;
pub mod price_at;
pub mod rule;
mod rule_arguments;
pub mod settings;
pub mod simulate_exit;
pub mod simulate_exits;
pub mod walk;
pub mod words;

#[cfg(test)]
mod exit_cases;
#[cfg(test)]
mod random_paths;
