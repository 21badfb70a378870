//! `json_to_record(…) AS t(a int, b text)` and its like: members of objects as columns of the types
//! that are declared for them.

use datafusion::sql::sqlparser::ast::{
    DataType, FunctionArg, FunctionArgExpr, TableAlias, TableFactor, Value,
};

use super::derived;
use super::returning::called;
use crate::dialect::queries::limits::folded;
use crate::error::{Error, Result};

/// Rewrites such a function in `FROM`. `room` is how many characters all that is written more than once
/// may still have.
pub fn rewrite(table: &mut TableFactor, room: &mut usize) -> Result<()> {
    let (name, arguments, alias) = match table {
        TableFactor::Table {
            name,
            args: Some(args),
            alias,
            ..
        } => (&*name, &args.args, alias),
        TableFactor::Function {
            name, args, alias, ..
        } => (&*name, &*args, alias),
        _ => return Ok(()),
    };
    let Some(name) = called(name) else {
        return Ok(());
    };
    let (of_items, is_set) = match name.as_str() {
        "json_to_record" => ("json", false),
        "jsonb_to_record" => ("jsonb", false),
        "json_to_recordset" => ("json", true),
        "jsonb_to_recordset" => ("jsonb", true),
        _ => return Ok(()),
    };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(json))] = arguments.as_slice() else {
        return Ok(());
    };
    let columns = alias
        .as_mut()
        .map(|alias| std::mem::take(&mut alias.columns));
    let columns = columns.unwrap_or_default();
    if columns.is_empty() || columns.iter().any(|column| column.data_type.is_none()) {
        return Err(Error::session_hint(
            "42601",
            "a column definition list is required for functions returning \"record\"",
            format!("say what its columns are: {name}(…) AS t(a int, b text)"),
        ));
    }
    let object = match is_set {
        true => format!("{of_items}(unnest({of_items}_items({json})))"),
        false => format!("{of_items}({json})"),
    };
    *room = room
        .checked_sub(object.len() * columns.len())
        .ok_or_else(|| Error::session("54000", "a record has too many columns"))?;
    let items = columns.iter().filter_map(|column| {
        let (name, data_type) = (&column.name, column.data_type.as_ref()?);
        let key = Value::SingleQuotedString(folded(name));
        let value = match data_type {
            DataType::JSON | DataType::JSONB => format!("({object} -> {key})"),
            DataType::Array(_) => format!("json_text_items({object} -> {key})"),
            _ => format!("({object} ->> {key})"),
        };
        Some(format!("{value}::{data_type} as {name}"))
    });
    let items: Vec<String> = items.collect();
    let alias: Option<TableAlias> = alias.take();
    *table = derived(&format!("select {}", items.join(", ")), alias)?;
    Ok(())
}
