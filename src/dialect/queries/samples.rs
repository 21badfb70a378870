//! `TABLESAMPLE BERNOULLI (p)` and `SYSTEM (p)`: each row with a chance of p percent.

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, TableAlias, TableFactor, TableSample, TableSampleKind, TableSampleMethod,
    TableSampleQuantity, TableSampleUnit,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::unsupported;
use crate::error::{Error, Result};

/// Rewrites a sample of a table as a query of it.
pub fn rewrite(table: &mut TableFactor) -> Result<()> {
    let (sample, name, alias) = match table {
        TableFactor::Table {
            sample,
            name,
            alias,
            ..
        } => (sample.take(), name.0.last().cloned(), alias.take()),
        TableFactor::Derived {
            sample: Some(_), ..
        } => {
            let hint = "WHERE random() < 0.1 keeps about a tenth of any rows";
            return Err(unsupported("TABLESAMPLE of a subquery", hint));
        }
        _ => return Ok(()),
    };
    let Some(TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) =
        sample
    else {
        if let TableFactor::Table { alias: own, .. } = table {
            *own = alias;
        }
        return Ok(());
    };
    let TableSample {
        modifier: _,
        name: method,
        quantity,
        seed,
        bucket,
        offset,
    } = *sample;
    let percent = match (method, quantity, bucket, offset) {
        (
            Some(TableSampleMethod::Bernoulli | TableSampleMethod::System),
            Some(TableSampleQuantity {
                parenthesized: _,
                value: Expr::Value(value),
                unit: None | Some(TableSampleUnit::Percent),
            }),
            None,
            None,
        ) => value.to_string().parse::<f64>().ok(),
        _ => None,
    };
    let Some(percent) = percent else {
        let hint = "TABLESAMPLE BERNOULLI (10) keeps about a tenth of the rows";
        return Err(unsupported("this form of TABLESAMPLE", hint));
    };
    if !(0.0..=100.0).contains(&percent) {
        let message = "sample percentage must be between 0 and 100";
        return Err(Error::session("2202H", message));
    }
    if seed.is_some() {
        let hint = "WHERE md5(id) < '2' keeps the same rows each time, about an eighth of them";
        return Err(unsupported("TABLESAMPLE … REPEATABLE", hint));
    }
    let alias = alias.or_else(|| {
        let name = name.and_then(|name| name.as_ident().cloned())?;
        Some(TableAlias {
            explicit: true,
            name,
            columns: Vec::new(),
            at: None,
        })
    });
    // Every row, where nothing is left to chance.
    let condition = match percent {
        100.0 => String::new(),
        _ => format!(" where random() < {}", percent / 100.0),
    };
    let sampled = Ident::new("sampled");
    let text = format!("select * from {sampled}{condition}");
    let parsed = Parser::new(&PostgreSqlDialect {})
        .try_with_sql(&text)
        .and_then(|mut parser| parser.parse_query());
    let mut query = parsed.map_err(datafusion::error::DataFusionError::from)?;
    if let datafusion::sql::sqlparser::ast::SetExpr::Select(select) = query.body.as_mut()
        && let Some(from) = select.from.first_mut()
    {
        from.relation = table.clone();
    }
    *table = TableFactor::Derived {
        lateral: false,
        subquery: query,
        alias,
        sample: None,
    };
    Ok(())
}
