//! `COPY … TO 'file'`: a result in a file of whoever types it. Only the command line writes files; the
//! engine and the server do not.

use std::path::{Path, PathBuf};

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};
use hindsight::{Engine, Outcome};

use super::failure::Failure;
use super::numbers::grouped;
use super::output::{self, Format};
use super::statements::Offsets;
use super::terminal::aside;

/// A statement that writes a file.
#[derive(Debug, PartialEq, Eq)]
pub struct CopyToFile {
    query: String,
    path: PathBuf,
    format: Format,
}

/// What a statement writes into which file; none where it does something else.
pub fn read(sql: &str) -> Result<Option<CopyToFile>, Failure> {
    let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize_with_location() else {
        return Ok(None);
    };
    let is_space =
        |token: &&TokenWithSpan| matches!(token.token, Token::Whitespace(_) | Token::EOF);
    let tokens: Vec<&TokenWithSpan> = tokens.iter().filter(|token| !is_space(token)).collect();
    let [copy, rest @ ..] = tokens.as_slice() else {
        return Ok(None);
    };
    let Some(to) = outside_brackets(rest, "to").filter(|_| is_word(copy, "copy")) else {
        return Ok(None);
    };
    let (source, [to, target, options @ ..]) = rest.split_at(to) else {
        return Ok(None);
    };
    let (Token::SingleQuotedString(path), false) = (&target.token, source.is_empty()) else {
        return Ok(None);
    };
    let mut offsets = Offsets::new(sql);
    let source = sql[offsets.of(copy.span.end)..offsets.of(to.span.start)].trim();
    let inner = |text: &str| text.strip_suffix(')').map(|inner| inner.trim().to_owned());
    let query = match source.split_once('(') {
        Some(("", query)) => inner(query),
        Some((table, columns)) => {
            inner(columns).map(|columns| format!("select {columns} from {table}"))
        }
        None => Some(format!("select * from {source}")),
    };
    let Some(query) = query else {
        return Ok(None);
    };
    let path = PathBuf::from(path);
    let format = match asked(options)? {
        Some(format) => format,
        None => by_name(&path)?,
    };
    Ok(Some(CopyToFile {
        query,
        path,
        format,
    }))
}

fn is_word(token: &TokenWithSpan, word: &str) -> bool {
    matches!(&token.token, Token::Word(found)
        if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

/// Where a word stands that is in no brackets.
fn outside_brackets(tokens: &[&TokenWithSpan], word: &str) -> Option<usize> {
    let mut depth = 0_usize;
    tokens.iter().position(|token| {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && is_word(token, word)
    })
}

/// The format that `(FORMAT csv)` or `STORED AS csv` names; a file has a header in any case.
fn asked(options: &[&TokenWithSpan]) -> Result<Option<Format>, Failure> {
    const GRAMMAR: [&str; 9] = [
        "with", "stored", "as", "format", "header", "true", "on", "(", ")",
    ];
    let mut format = None;
    for option in options {
        let text = match &option.token {
            Token::SingleQuotedString(text) => text.to_lowercase(),
            Token::Comma => continue,
            token => token.to_string().to_lowercase(),
        };
        if !GRAMMAR.contains(&text.as_str()) {
            format = Some(
                Format::of_files(&text).ok_or_else(|| unknown(format!("does not know {text}")))?,
            );
        }
    }
    Ok(format)
}

/// The format that the end of the file's name says.
fn by_name(path: &Path) -> Result<Format, Failure> {
    let format = Format::of_file(path).filter(|format| *format != Format::Table);
    format.ok_or_else(|| unknown(format!("cannot tell the format of {}", path.display())))
}

fn unknown(problem: String) -> Failure {
    Failure::usage(
        format!("COPY to a file {problem}"),
        "name it with (format csv), or json, ndjson, markdown, parquet, arrow",
    )
}

/// Writes the file, which is there whole or not at all.
pub async fn execute(engine: &Engine, copy: &CopyToFile) -> Result<(), Failure> {
    let Outcome::Rows(rows) = engine.run(&copy.query).await? else {
        return Err(Failure::usage(
            "COPY takes a query or a table",
            "as in copy (select …) to 'file.csv'",
        ));
    };
    let written = output::write_file(rows, copy.format, &copy.path).await?;
    let noun = if written == 1 { "row" } else { "rows" };
    aside(format_args!(
        "{} {noun} written to {}",
        grouped(written),
        copy.path.display()
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_from_all_else() {
        let copied = |sql: &str| {
            let copy = read(sql).unwrap_or_else(|_| unreachable!("{sql}"));
            copy.map(|copy| (copy.query, copy.format))
        };
        assert_eq!(
            copied("copy (select ')' as a, (1) b) to 'x.csv'"),
            Some(("select ')' as a, (1) b".into(), Format::Csv))
        );
        assert_eq!(
            copied("COPY signals (id, score) TO 'x' (FORMAT parquet)"),
            Some(("select id, score from signals ".into(), Format::Parquet))
        );
        assert_eq!(
            copied("copy public.signals to 'x.csv' stored as json"),
            Some(("select * from public.signals".into(), Format::Json))
        );
        for other in [
            "copy (select 1) to stdout",
            "copy to 'x.csv'",
            "select 'copy' to",
            "copy signals from 'x.csv'",
            "copy",
            "",
        ] {
            assert_eq!(copied(other), None, "{other}");
        }
        assert!(read("copy (select 1) to 'x'").is_err());
        assert!(read("copy (select 1) to 'x.csv' (format exe)").is_err());
    }
}
