//! What this program is: its version, the commit that it was built from where that is known, and the
//! format of the datasets that it reads.

use std::sync::LazyLock;

use hindsight::dataset::FORMAT;

/// As `--version` shows it.
pub fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let commit = option_env!("HINDSIGHT_COMMIT").filter(|commit| !commit.is_empty());
        let commit = commit.map_or_else(String::new, |commit| format!("commit {commit}, "));
        format!(
            "{} ({commit}dataset format {FORMAT})",
            env!("CARGO_PKG_VERSION")
        )
    });
    &VERSION
}
