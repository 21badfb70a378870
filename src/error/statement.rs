//! What DataFusion says is wrong with a statement: the message, the SQLSTATE, the name that it is
//! about, and the way out.

use datafusion::arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;

use super::{names, refused};

/// What DataFusion says, in one line and without its own prefixes.
pub(super) fn message(error: &DataFusionError) -> String {
    let root = error.find_root();
    let message = match root {
        DataFusionError::Plan(text)
        | DataFusionError::Execution(text)
        | DataFusionError::NotImplemented(text)
        | DataFusionError::Configuration(text) => text.clone(),
        DataFusionError::ResourcesExhausted(text) => exhausted(text),
        DataFusionError::SQL(error, _) => error.to_string(),
        DataFusionError::SchemaError(error, _) => names::column(error),
        DataFusionError::ArrowError(error, _) => match &**error {
            ArrowError::ArithmeticOverflow(what) => format!("the result is out of range: {what}"),
            error => error.to_string(),
        },
        other => other.strip_backtrace(),
    };
    let first = message
        .split("\n\nbacktrace:")
        .next()
        .unwrap_or(&message)
        .trim();
    let first = first
        .trim_start_matches("sql parser error: ")
        .trim_start_matches("Error during planning: ");
    if let Some(told) = names::table(first) {
        return told;
    }
    if let Some((_, told)) = refused::in_postgresql(first) {
        return told;
    }
    let first = first.replace("'hindsight.public.", "'");
    first.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What was asked for and is not there, without the list of all others that take memory.
fn exhausted(text: &str) -> String {
    let asked = text.rsplit_once("Failed to allocate additional ");
    match asked.and_then(|(_, asked)| asked.split_once(" with ")) {
        Some((asked, _)) => format!("out of memory: {asked} is more than the limit leaves"),
        None => text.to_owned(),
    }
}

pub(super) fn state(error: &DataFusionError) -> &'static str {
    let root = error.find_root();
    if let DataFusionError::Plan(text)
    | DataFusionError::Internal(text)
    | DataFusionError::NotImplemented(text)
    | DataFusionError::Execution(text) = root
        && let Some((state, _)) = refused::in_postgresql(text)
    {
        return state;
    }
    match root {
        DataFusionError::SQL(error, _) => match **error {
            ParserError::RecursionLimitExceeded => "54001",
            _ => "42601",
        },
        DataFusionError::SchemaError(error, _) => match **error {
            SchemaError::FieldNotFound { .. } if names::is_of_no_table(error) => "42P01",
            SchemaError::FieldNotFound { .. } => "42703",
            SchemaError::AmbiguousReference { .. } => "42702",
            SchemaError::DuplicateQualifiedField { .. } => "42712",
            _ => "42701",
        },
        DataFusionError::Plan(text) => plan_state(text),
        DataFusionError::NotImplemented(_) => "0A000",
        DataFusionError::ResourcesExhausted(_) => "53200",
        DataFusionError::ArrowError(error, _) => match &**error {
            ArrowError::DivideByZero => "22012",
            ArrowError::ArithmeticOverflow(_) => "22003",
            ArrowError::CastError(text) | ArrowError::ParseError(text) => cast_state(text),
            ArrowError::InvalidArgumentError(text) if text.contains("too large to store") => {
                "22003"
            }
            ArrowError::ComputeError(text) if text.contains("verflow") => "22003",
            ArrowError::InvalidArgumentError(_) | ArrowError::ComputeError(_) => "22000",
            _ => "XX000",
        },
        DataFusionError::IoError(_) | DataFusionError::ObjectStore(_) => "58030",
        DataFusionError::Execution(text) if text.contains("already exists") => "42P07",
        DataFusionError::Execution(text) if text.contains("doesn't exist") => "42P01",
        DataFusionError::Execution(_) => "22000",
        DataFusionError::Configuration(_) => "22023",
        _ => "XX000",
    }
}

/// What is wrong with a statement that cannot be planned, which DataFusion tells only in words.
fn plan_state(text: &str) -> &'static str {
    let tells = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if text.contains("table '") && text.contains("not found") {
        "42P01"
    } else if tells(&[
        "Invalid function",
        "table function",
        "No function matches",
        "does not support zero arguments",
    ]) {
        "42883"
    } else if tells(&["must appear in the GROUP BY", "in GROUP BY clause"]) {
        "42803"
    } else if tells(&[
        "Cannot infer common argument type",
        "Cannot coerce",
        "annot automatically convert",
        "coercion",
    ]) {
        "42804"
    } else if tells(&["already exists"]) {
        "42P07"
    } else {
        "42601"
    }
}

/// What is wrong with a value that cannot be cast.
fn cast_state(text: &str) -> &'static str {
    let is_time = ["Date", "Timestamp", "Time", "timestamp", "Interval"]
        .iter()
        .any(|name| text.contains(name));
    let is_written = text.contains("tring '") || text.contains("arsing");
    if is_time && is_written {
        // Digits in the right places that are no time, such as a thirteenth month.
        let digits = text.chars().filter(char::is_ascii_digit).count();
        return if digits > 6 { "22008" } else { "22007" };
    }
    match is_written {
        true => "22P02",
        false => "22003",
    }
}

/// The name in a statement that an error is about.
pub(super) fn subject(error: &DataFusionError) -> Option<String> {
    match error.find_root() {
        DataFusionError::SchemaError(error, _) => match &**error {
            SchemaError::FieldNotFound { field, .. } => Some(field.name.clone()),
            SchemaError::AmbiguousReference { field } => Some(field.name.clone()),
            _ => None,
        },
        DataFusionError::Plan(text) => {
            let from = text.find("table '").map(|at| at + 7);
            let from = from.or_else(|| text.find("Invalid function '").map(|at| at + 18))?;
            let name = text.get(from..)?.split('\'').next()?;
            name.rsplit('.').next().map(str::to_owned)
        }
        _ => None,
    }
}

pub(super) fn hint(error: &DataFusionError) -> Option<String> {
    if let DataFusionError::SchemaError(error, _) = error.find_root() {
        return names::columns(error);
    }
    match state(error) {
        "42P01" => Some("show tables lists what there is".into()),
        "53200" => Some(
            "ask for fewer rows or shorter texts at once, or give more with --memory-limit".into(),
        ),
        "42883" => Some(
            "select routine_name, syntax_example from information_schema.routines lists what there \
             is"
            .into(),
        ),
        _ => None,
    }
}
