//! Backtests as relations: the queries of the pipeline, calls of table functions with named
//! arguments, and the grid operator.

pub mod daily_grid;
pub mod data_tables;
pub mod elsewhere;
pub mod estimate;
pub mod grid;
pub mod here;
pub mod operator;
pub mod parameter_rows;
pub mod pipeline;
pub mod relations;
pub mod statistics;
pub mod table_functions;
