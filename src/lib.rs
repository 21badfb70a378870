//! hindsight: had our settings been different, what would have happened?

pub mod dataset;
pub mod error;
pub mod ingest;
pub mod schema;
