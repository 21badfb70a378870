//! What makes DataFusion compute as PostgreSQL does: its functions, the forms of its queries, its
//! types and the names of its columns. Imports nothing of ours but [`crate::error`] and what
//! [`crate::catalog`] knows of PostgreSQL's values, so that both compute them alike.

pub mod around;
pub mod functions;
pub mod output;
pub mod queries;
