//! What requests and answers consist of.

use serde_json::{Value, json};

use super::super::{config, live, settings};
use super::shapes::{
    Members, asked, column, decimal, instant, list, members, object, or_null, reference, text,
};
use crate::parameters::{Kind, PARAMETERS, Parameter};
use crate::records::settings::Group;
use crate::state_sql::backtests::BACKTESTS;

/// A parameter as requests give it and answers have it.
fn parameter(parameter: &Parameter) -> Value {
    let mut schema = match parameter.kind {
        Kind::Boolean => json!({ "type": ["boolean", "string", "null"] }),
        Kind::Choice(words) => {
            let words: Vec<Value> = words
                .iter()
                .map(|word| json!(word))
                .chain([Value::Null])
                .collect();
            json!({ "enum": words })
        }
        Kind::Date => json!({ "type": ["string", "null"], "format": "date" }),
        Kind::Integer => json!({ "type": ["integer", "string", "null"] }),
        _ => json!({ "type": ["string", "number", "null"] }),
    };
    let range = match (parameter.minimum, parameter.maximum) {
        (None, None) => String::new(),
        (least, most) => format!("; {} to {}", least.unwrap_or("any"), most.unwrap_or("any")),
    };
    schema["description"] = format!("{} ({}{range})", parameter.description, parameter.unit).into();
    if let Some(default) = parameter.default {
        schema["default"] = config::value(parameter, default);
    }
    schema
}

/// `BacktestConfig`, with what answers add to it.
fn configuration() -> Members {
    let of_group = |group: Option<&str>| -> Members {
        let parameters = PARAMETERS.iter().filter(|p| config::group(p) == group);
        parameters
            .map(|p| (config::member(p).to_owned(), parameter(p)))
            .collect()
    };
    let mut all = of_group(None);
    for group in config::groups() {
        let mut nested = of_group(Some(group));
        if group == "scoring_weights" {
            nested.extend(members([
                (
                    "total_weight",
                    json!({ "type": "string", "readOnly": true }),
                ),
                ("is_valid", json!({ "type": "boolean", "readOnly": true })),
            ]));
        }
        let mut nested = asked(nested, &[]);
        nested["type"] = json!(["object", "null"]);
        all.push((group.to_owned(), nested));
    }
    all.extend(members([
        ("scenario", or_null("string")),
        ("label", or_null("string")),
        ("tried", tried()),
        (
            "date_range_days",
            json!({ "type": ["integer", "null"], "readOnly": true }),
        ),
    ]));
    all
}

/// What a run that is stored says of the settings looked at before.
fn tried() -> Value {
    let mut schema = asked(
        members([
            ("settings", json!({ "type": "integer", "minimum": 1 })),
            ("sharpe_ratio_deviation", text()),
        ]),
        &["settings"],
    );
    schema["type"] = json!(["object", "null"]);
    schema["description"] = "How many settings were looked at before these were chosen, and the standard \
        deviation of their Sharpe ratios: goes into the deflated Sharpe ratio of the run that is stored"
        .into();
    schema
}

/// What `GET backtest/defaults` says beside the configuration.
fn defaults() -> Value {
    let about = json!({ "type": "object", "required": ["name", "path", "group", "kind", "unit",
        "default", "minimum", "maximum", "step", "description"] });
    let mut all = configuration();
    all.extend(members([
        ("parameters", list(about)),
        (
            "metrics",
            list(json!({ "type": "object", "required": ["name"] })),
        ),
        ("settings_version", text()),
    ]));
    asked(
        all,
        &[
            "parameters",
            "metrics",
            "settings_version",
            "start_date",
            "end_date",
        ],
    )
}

/// The metrics of one side, and what the comparison has beside both.
fn metrics() -> (Members, Members) {
    let schema = &BACKTESTS;
    let of_both = |metric: &str| {
        ["actual", "simulated"]
            .iter()
            .all(|side| schema.field_with_name(&format!("{side}_{metric}")).is_ok())
    };
    let (mut side, mut comparison) = (Members::new(), Members::new());
    for field in schema.fields() {
        let name = field.name();
        let is_other = super::super::results::OWN.contains(&name.as_str())
            || crate::parameters::position(name).is_some()
            || super::super::results::COUNTS
                .iter()
                .any(|(count, _)| count == name);
        let of_side = name
            .split_once('_')
            .filter(|(side, metric)| matches!(*side, "actual" | "simulated") && of_both(metric));
        match of_side {
            Some(("actual", metric)) => side.push((metric.to_owned(), column(field))),
            Some(_) => {}
            None if is_other => {}
            None => comparison.push((name.clone(), column(field))),
        }
    }
    (side, comparison)
}

/// What is said of a run beside its configuration.
fn run() -> Members {
    members([
        ("id", text()),
        ("scenario", or_null("string")),
        ("label", or_null("string")),
        (
            "status",
            json!({ "enum": ["running", "completed", "failed", "cancelled", "interrupted"] }),
        ),
        ("started_at", instant()),
        ("completed_at", instant()),
        ("duration_seconds", or_null("integer")),
        ("duration", decimal(true)),
        ("error_message", or_null("string")),
        ("dataset", or_null("string")),
        ("engine_version", or_null("string")),
        ("config", reference("BacktestConfig")),
        (
            "metrics_comparison",
            json!({ "anyOf": [reference("MetricsComparison"), { "type": "null" }] }),
        ),
    ])
}

/// All of them, by the names under which they are referred to.
pub(super) fn schemas() -> Value {
    let rows = || list(json!({ "type": "object" }));
    let (side, mut comparison) = metrics();
    comparison.extend(members([
        ("actual", reference("PerformanceMetrics")),
        ("simulated", reference("PerformanceMetrics")),
    ]));
    let mut result = run();
    result.extend(
        super::super::results::COUNTS.map(|(_, told)| (told.to_owned(), or_null("integer"))),
    );
    result.extend(members([
        ("is_successful", json!({ "type": "boolean" })),
        ("simulated_trades", rows()),
        ("simulated_trades_count", json!({ "type": "integer" })),
        ("trade_comparisons", rows()),
        ("trade_comparisons_count", json!({ "type": "integer" })),
        (
            "links",
            object(members([
                ("trades", text()),
                ("comparisons", text()),
                ("equity", text()),
            ])),
        ),
    ]));
    let mut stored = run();
    let of_backtest = BACKTESTS.fields().iter().filter(|field| {
        !super::super::results::OWN.contains(&field.name().as_str())
            && crate::parameters::position(field.name()).is_none()
    });
    stored.extend(of_backtest.map(|field| (field.name().clone(), column(field))));
    let mut apply = members([
        ("backtest_id", text()),
        ("settings_version", text()),
        (
            "confirm_apply",
            json!({ "type": "boolean", "default": false }),
        ),
        ("without", list(text())),
        ("create_settings", json!({ "type": "boolean" })),
    ]);
    apply.extend(Group::ALL.map(|group| {
        (
            settings::member(group),
            json!({ "type": "boolean", "default": true }),
        )
    }));
    let change = object(members([
        ("setting_group", or_null("string")),
        ("setting", text()),
        ("current", or_null("string")),
        ("proposed", or_null("string")),
        ("changed", json!({ "type": "boolean" })),
    ]));
    let last_changed = json!({ "type": ["object", "null"] });
    let scenario = members([
        ("description", or_null("string")),
        (
            "tags",
            json!({ "type": ["array", "null"], "items": text() }),
        ),
        ("config", reference("BacktestConfig")),
    ]);
    let mut stored_scenario = scenario.clone();
    stored_scenario.extend(members([
        ("name", text()),
        ("created_at", instant()),
        ("updated_at", instant()),
    ]));
    let grid = json!({ "type": "object", "additionalProperties": list(json!({ "type": ["string", "number", "boolean"] })) });
    let events = |about: &str| json!({ "type": "string", "description": about });
    let cell = json!({ "type": "object", "required": ["name", "type"] });
    let all: Members = members([
        ("BacktestConfig", asked(configuration(), &[])),
        ("Defaults", defaults()),
        ("PerformanceMetrics", object(side)),
        ("MetricsComparison", object(comparison)),
        ("BacktestResult", object(result)),
        (
            "BacktestProgress",
            object(members([
                ("backtest_id", text()),
                ("status", text()),
                ("signals_processed", or_null("integer")),
                ("total_signals", or_null("integer")),
                ("current_phase", or_null("string")),
                ("elapsed_seconds", or_null("integer")),
                ("estimated_remaining_seconds", or_null("integer")),
                ("progress_percent", decimal(true)),
            ])),
        ),
        (
            "RunEvents",
            events(
                "event: progress with a BacktestProgress, then complete with a BacktestResult, or error with a Problem",
            ),
        ),
        (
            "SweepLines",
            events(
                "each line an object: type progress with done, total, elapsed_seconds, estimated_remaining_seconds and best; rows with columns and rows; at last complete with combinations as well, or error with a problem",
            ),
        ),
        ("Report", events("an HTML document")),
        (
            "Cancelled",
            object(members([("backtest_id", text()), ("status", text())])),
        ),
        (
            "Deleted",
            object(members([
                ("id", text()),
                ("deleted", json!({ "type": "boolean" })),
            ])),
        ),
        (
            "DeletedScenario",
            object(members([
                ("name", text()),
                ("deleted", json!({ "type": "boolean" })),
            ])),
        ),
        (
            "Table",
            object(members([
                ("columns", list(cell)),
                ("rows", list(list(json!({})))),
                ("total", json!({ "type": "integer" })),
                ("next", or_null("integer")),
            ])),
        ),
        (
            "History",
            object(members([
                ("backtests", list(object(stored))),
                ("next", or_null("string")),
            ])),
        ),
        (
            "Preview",
            object(members([
                ("backtest_id", text()),
                ("settings_version", text()),
                ("changes", list(change)),
                ("objections", list(text())),
                ("last_changed", last_changed.clone()),
            ])),
        ),
        (
            "ApplySettingsRequest",
            asked(apply, &["backtest_id", "settings_version"]),
        ),
        (
            "ApplySettingsResult",
            object(members([
                ("success", json!({ "type": "boolean" })),
                ("backtest_id", text()),
                ("applied_at", instant()),
                ("applied_by", or_null("string")),
                ("changes_applied", list(text())),
                ("previous_values", json!({ "type": "object" })),
                ("error_message", or_null("string")),
                ("message", or_null("string")),
                ("history_id", or_null("string")),
                ("settings_version", text()),
            ])),
        ),
        (
            "CacheCleared",
            object(members([
                ("status", text()),
                ("message", text()),
                ("generation", json!({ "type": "integer" })),
            ])),
        ),
        (
            "Settings",
            object(members([
                ("settings", rows()),
                ("settings_version", text()),
                ("last_changed", last_changed),
            ])),
        ),
        ("SettingsHistory", object(members([("history", rows())]))),
        (
            "RollbackRequest",
            asked(
                members([
                    ("history_id", text()),
                    ("confirm", json!({ "type": "boolean", "default": false })),
                ]),
                &["history_id"],
            ),
        ),
        (
            "RollbackResult",
            json!({ "type": "object", "required": ["rolled_back", "message", "history_id", "settings_version"] }),
        ),
        ("ScenarioRequest", asked(scenario, &[])),
        ("Scenario", object(stored_scenario)),
        (
            "Scenarios",
            object(members([("scenarios", list(reference("Scenario")))])),
        ),
        (
            "SweepRequest",
            asked(
                members([
                    ("config", reference("BacktestConfig")),
                    ("grid", grid.clone()),
                ]),
                &["grid"],
            ),
        ),
        (
            "LiveRequest",
            asked(
                members([
                    (
                        "page",
                        json!({ "type": "string", "maxLength": live::PAGE_LIMIT }),
                    ),
                    ("seq", json!({ "type": "integer", "minimum": 0 })),
                    (
                        "width",
                        json!({ "type": "integer", "minimum": 1, "maximum": live::WIDTH_MAX }),
                    ),
                    ("config", reference("BacktestConfig")),
                    (
                        "response",
                        json!({ "type": "array", "items": text(), "maxItems": live::RESPONSES_MAX }),
                    ),
                ]),
                &["seq", "width", "config"],
            ),
        ),
        (
            "LiveBody",
            json!({ "type": "string", "format": "binary", "description": live::LAYOUT }),
        ),
        (
            "TableRequest",
            asked(
                members([
                    ("config", reference("BacktestConfig")),
                    ("arguments", json!({ "type": "object" })),
                    ("grid", grid),
                    ("columns", list(text())),
                    ("order", list(text())),
                    ("filter", json!({ "type": "object" })),
                    ("after", json!({ "type": "integer", "minimum": 0 })),
                    ("limit", json!({ "type": "integer", "minimum": 0 })),
                ]),
                &[],
            ),
        ),
        (
            "Status",
            object(members([
                ("user", text()),
                ("role", text()),
                ("engine_version", text()),
                ("generation", json!({ "type": "integer" })),
                ("dataset", or_null("string")),
                ("signals", json!({ "type": "integer" })),
                ("prices", json!({ "type": "integer" })),
                ("trades", json!({ "type": "integer" })),
                ("first_signal", instant()),
                ("last_signal", instant()),
                ("first_day", or_null("string")),
                ("last_day", or_null("string")),
                ("seconds_per_combination", json!({ "type": "number" })),
            ])),
        ),
        (
            "Description",
            json!({ "type": "object", "required": ["openapi", "info", "paths"] }),
        ),
        (
            "Problem",
            asked(
                members([
                    ("type", text()),
                    ("title", text()),
                    ("status", json!({ "type": "integer" })),
                    ("detail", text()),
                    ("hint", text()),
                    ("sqlstate", text()),
                    ("parameter", text()),
                    ("value", text()),
                    ("range", text()),
                ]),
                &["type", "title", "status", "detail"],
            ),
        ),
    ]);
    Value::Object(all.into_iter().collect())
}
