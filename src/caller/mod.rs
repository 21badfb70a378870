//! Who executes a statement, as everything below the session sees it: the user and the role, the
//! transaction, remarks on the way, the runs under way, and the wish to stop.

pub mod activity;
pub mod bounds;
pub mod client;
pub mod give_way;
pub mod guard;
pub mod in_turn;
pub mod passing;
pub mod progress;
pub mod runs;
pub mod transaction;
