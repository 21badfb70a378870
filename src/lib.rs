//! hindsight: had our settings been different, what would have happened?

pub mod dataset;
pub mod engine;
pub mod error;
pub mod functions;
pub mod ingest;
pub mod parameters;
pub mod pipeline;
pub mod schema;
pub mod sweep;
pub mod tables;

pub use engine::Engine;
pub use error::{Error, Result};
