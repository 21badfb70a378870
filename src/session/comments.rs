//! What the tables, their columns and the table functions are, as clients show it beside them.

/// A table of the product.
pub struct TableComment {
    pub name: &'static str,
    pub comment: &'static str,
    /// The columns that name a row.
    pub key: &'static [&'static str],
    columns: &'static [(&'static str, &'static str)],
}

impl TableComment {
    pub fn column(&self, name: &str) -> Option<&'static str> {
        let mut columns = self.columns.iter();
        columns
            .find(|(known, _)| *known == name)
            .map(|(_, comment)| *comment)
    }
}

/// What is known of a table.
pub fn of_table(name: &str) -> Option<&'static TableComment> {
    TABLES.iter().find(|table| table.name == name)
}

/// What a table function returns.
pub fn of_function(name: &str) -> Option<&'static str> {
    let mut functions = FUNCTIONS.iter();
    functions
        .find(|(known, _)| *known == name)
        .map(|(_, comment)| *comment)
}

const FUNCTIONS: &[(&str, &str)] = &[
    (
        "backtest",
        "One row for each combination of the arguments: what was really made beside what other \
         settings would have made. An array is a sweep.",
    ),
    (
        "backtest_by_queries",
        "The same rows as backtest, by plain queries: slower, and easy to follow.",
    ),
    ("simulate_trades", "One row for each simulated trade."),
    (
        "compare_trades",
        "One row for each signal of the range: really traded, simulated, and what differs.",
    ),
    (
        "equity_curve",
        "One row for each signal of the range: running sums of both results.",
    ),
    (
        "pnl_interval",
        "What the difference between simulated and actual PnL may be worth, had other tokens or other \
         days come along; one row by token and one by day.",
    ),
    (
        "pnl_interval_by_queries",
        "The same rows as pnl_interval, by plain queries: slower, and easy to follow.",
    ),
    (
        "calibrate_trades",
        "One row for each closed trade: how far its simulation, by default with the live settings, is \
         from what really happened, and in what.",
    ),
    (
        "calibration",
        "The same in one row: how far to believe every other number.",
    ),
    (
        "overfitting",
        "What is left of the best combination of a grid, given how many were tried.",
    ),
    (
        "walk_forward",
        "One row for each fold: the best combination of its training days, on the test days after them.",
    ),
    (
        "run_backtest",
        "Runs a backtest and stores it, with its trades; one row says what was done.",
    ),
    ("cancel_backtest", "Stops a run that is under way."),
    (
        "preview_settings",
        "One row for each live setting that applying a run would touch: what it is and would be.",
    ),
    (
        "apply_settings",
        "Makes a run's parameters the live settings; without confirm => true nothing changes.",
    ),
    (
        "rollback_settings",
        "Takes an applied change of the live settings back; without confirm => true nothing changes.",
    ),
];

const TABLES: [TableComment; 13] = [
    TableComment {
        name: "signals",
        comment: "Signals to copy a trade, ordered by time",
        key: &["id"],
        columns: &[
            ("id", "name of the signal"),
            ("timestamp", "when it was given, UTC"),
            ("token_address", "token to buy"),
            ("source_wallet", "wallet whose trade would be copied"),
            ("score", "score when it was given, 0-100"),
            (
                "wallet_score",
                "factor of the score: the wallet's record, 0-1",
            ),
            ("token_metrics", "factor of the score: the token, 0-1"),
            ("liquidity", "factor of the score: liquidity, 0-1"),
            (
                "holder_distribution",
                "factor of the score: how holders are spread, 0-1",
            ),
            ("momentum", "factor of the score: momentum, 0-1"),
        ],
    },
    TableComment {
        name: "token_prices",
        comment: "Observed prices, one for each token and time",
        key: &["token_address", "timestamp"],
        columns: &[
            ("token_address", "token"),
            ("timestamp", "when the price was observed, UTC"),
            ("price", "SOL for one token"),
            (
                "volume_24h",
                "traded volume of the last 24 hours, as the source gave it",
            ),
        ],
    },
    TableComment {
        name: "trade_outcomes",
        comment: "Trades that were really made; several for one signal are partial exits",
        key: &[],
        columns: &[
            ("signal_id", "signal that was copied"),
            ("token_address", "token that was bought"),
            ("entry_timestamp", "when it was bought, UTC"),
            ("exit_timestamp", "when it was sold, UTC"),
            ("entry_price", "SOL for one token at the entry"),
            ("exit_price", "SOL for one token at the exit"),
            ("realized_pnl_sol", "profit or loss, SOL"),
        ],
    },
    TableComment {
        name: "data_quality",
        comment: "What the last load found in its files, one row for each kind of finding",
        key: &[],
        columns: &[
            ("table_name", "table that the rows are of"),
            ("check_name", "what was checked"),
            ("severity", "how bad it is"),
            ("row_count", "rows that were found"),
            ("example", "one of them"),
        ],
    },
    TableComment {
        name: "parameters",
        comment: "Every parameter of a backtest, with its default and range",
        key: &["name"],
        columns: &[],
    },
    TableComment {
        name: "scenarios",
        comment: "Named sets of parameters; what is null takes its default",
        key: &["name"],
        columns: &[
            ("name", "name of the scenario"),
            ("description", "what it is for"),
            ("tags", "words to find it by"),
            ("created_at", "when it was made, UTC"),
            ("updated_at", "when it was last changed, UTC"),
        ],
    },
    TableComment {
        name: "backtests",
        comment: "Stored runs of backtests, with their parameters and results",
        key: &["id"],
        columns: &[
            ("id", "name of the run"),
            ("scenario", "scenario it was run with"),
            ("label", "what it was run for"),
            ("status", "running, completed, failed or cancelled"),
            ("started_at", "when it began, UTC"),
            ("completed_at", "when it ended, UTC"),
            ("duration_seconds", "how long it took, seconds"),
            ("error_message", "why it failed"),
            ("dataset", "fingerprint of the history it ran on"),
            ("engine_version", "version of hindsight that ran it"),
        ],
    },
    TableComment {
        name: "simulated_trades",
        comment: "Simulated trades of stored runs",
        key: &[],
        columns: &[("backtest_id", "run it is of")],
    },
    TableComment {
        name: "trade_comparisons",
        comment: "Signals of stored runs: really traded, simulated, and what differs",
        key: &[],
        columns: &[("backtest_id", "run it is of")],
    },
    TableComment {
        name: "equity_curves",
        comment: "Running sums of stored runs",
        key: &[],
        columns: &[("backtest_id", "run it is of")],
    },
    TableComment {
        name: "backtest_progress",
        comment: "Runs that are under way",
        key: &["backtest_id"],
        columns: &[
            ("backtest_id", "run"),
            ("progress_percent", "how far it is, percent"),
            ("elapsed_seconds", "time since it began, seconds"),
            (
                "estimated_remaining_seconds",
                "time it will still take, seconds",
            ),
        ],
    },
    TableComment {
        name: "live_settings",
        comment: "Settings in force in the live system; apply_settings changes them",
        key: &["setting_group", "setting"],
        columns: &[
            ("setting_group", "group of settings"),
            ("setting", "name of the setting"),
            ("value", "its value"),
        ],
    },
    TableComment {
        name: "settings_history",
        comment: "Changes of the live settings that were applied",
        key: &["id"],
        columns: &[
            ("id", "name of the change"),
            ("backtest_id", "run whose parameters were applied"),
            ("applied_at", "when, UTC"),
            ("applied_by", "by whom"),
            ("changes_applied", "groups that were applied"),
            ("previous_values", "the values before"),
            ("new_values", "the values after"),
            ("rolled_back_at", "when it was taken back, UTC"),
        ],
    },
];
