//! The options of `EXPLAIN`.

use datafusion::common::format::{ExplainFormat, ExplainStatementOptions};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::settings::value;
use crate::error::{Error, Result};
use crate::session::words::Words;

/// The options of an `EXPLAIN`, of which those about settings and buffers say nothing here. Costs that
/// are off are statistics that are not shown.
pub fn options(words: &mut Words<'_>) -> Result<ExplainStatementOptions> {
    let mut options = ExplainStatementOptions::default();
    let is_list = words.peek() == Some(&Token::LParen)
        && !matches!(words.rest().get(1).map(|token| &token.token),
        Some(Token::LParen | Token::Word(_)) if {
            let mut inner = words.clone();
            inner.next();
            inner.peek() == Some(&Token::LParen)
                || ["select", "with", "values", "table"].iter().any(|word| inner.is(word))
        });
    if !is_list {
        options.analyze = words.take_any(&["analyze", "analyse"]).is_some();
        options.verbose = words.take("verbose");
        if words.take("format") {
            options.format = format(&value(words)?)?;
        }
        return Ok(options);
    }
    words.next();
    let mut shows_costs = true;
    loop {
        let name = words.name()?;
        let given = match words.peek() {
            Some(Token::Comma | Token::RParen) => "on".into(),
            _ => value(words)?,
        };
        let is_on = matches!(given.to_lowercase().as_str(), "on" | "true" | "1");
        match name.as_str() {
            "analyze" | "analyse" => options.analyze = is_on,
            "verbose" => options.verbose = is_on,
            "format" => options.format = format(&given)?,
            "costs" => shows_costs = is_on,
            "settings" | "generic_plan" | "buffers" | "wal" | "timing" | "summary" | "memory"
            | "serialize" => {}
            _ => {
                let message = format!("unrecognized EXPLAIN option \"{name}\"");
                return Err(Error::session("42601", message));
            }
        }
        if !words.take_token(&Token::Comma) {
            break;
        }
    }
    // What is measured is shown with them.
    if !shows_costs && !options.analyze {
        options.show_statistics = Some(false);
    }
    match words.take_token(&Token::RParen) {
        true => Ok(options),
        false => Err(words.unexpected(", or )")),
    }
}

fn format(name: &str) -> Result<Option<ExplainFormat>> {
    Ok(match name.to_lowercase().as_str() {
        "text" => None,
        "json" => Some(ExplainFormat::PostgresJSON),
        "tree" => Some(ExplainFormat::Tree),
        "indent" => Some(ExplainFormat::Indent),
        "graphviz" => Some(ExplainFormat::Graphviz),
        _ => {
            let message =
                format!("EXPLAIN has no format {name}; it has text, tree, json and graphviz");
            return Err(Error::session("22023", message));
        }
    })
}
