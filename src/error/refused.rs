//! What DataFusion refuses for the types of arguments, in PostgreSQL's words.

/// The SQLSTATE and the sentence, where a refusal is one of those.
pub fn in_postgresql(text: &str) -> Option<(&'static str, String)> {
    if let Some((_, why)) = text.split_once("coercion failed with: ") {
        let why = [
            "External error: ",
            "Error during planning: ",
            "Execution error: ",
        ]
        .iter()
        .fold(why, |why, prefix| why.trim_start_matches(prefix));
        let why = why.lines().next().unwrap_or(why).trim();
        if why.ends_with("does not exist") {
            return Some(("42883", why.to_owned()));
        }
        let (_, named) = text.split_once("Function '")?;
        let (name, _) = named.split_once('\'')?;
        let message = format!("function {name} does not exist for arguments of these types");
        return Some(("42883", message));
    }
    if let Some((_, rest)) =
        text.split_once("No function matches the given name and argument types '")
        && let Some((call, _)) = rest.split_once('\'')
        && let Some((name, given)) = call.strip_suffix(')').and_then(|call| call.split_once('('))
    {
        let given: Vec<String> = parts(given).into_iter().map(type_name).collect();
        let message = format!("function {name}({}) does not exist", given.join(", "));
        return Some(("42883", message));
    }
    if let Some((_, rest)) = text.split_once("non-boolean predicate '")
        && let Some((_, of)) = rest.rsplit_once("' returning ")
    {
        let message = format!(
            "argument of WHERE must be type boolean, not type {}",
            type_name(of)
        );
        return Some(("42804", message));
    }
    if let Some((_, of)) = text.split_once("'NOT' requires a boolean expression, got ") {
        let message = format!(
            "argument of NOT must be type boolean, not type {}",
            type_name(of)
        );
        return Some(("42804", message));
    }
    if let Some(told) = form(text) {
        return Some(told);
    }
    let operation = [
        "common argument type for comparison operation ",
        "common argument type for logical boolean operation ",
        "common string type for string concat operation ",
        "coerce arithmetic expression ",
        "result type for arithmetic operation ",
    ];
    let operation = operation
        .iter()
        .find_map(|words| Some(text.split_once(words)?.1))?;
    let operation = operation.split(" to valid types").next()?;
    let operation = operation.lines().next()?.trim();
    let (left, operator, right) = operands(operation)?;
    let (left, right) = (type_name(left), type_name(right));
    if matches!(operator, "AND" | "OR") {
        let of = if left == "boolean" { right } else { left };
        let message = format!("argument of {operator} must be type boolean, not type {of}");
        return Some(("42804", message));
    }
    let message = format!("operator does not exist: {left} {} {right}", sign(operator));
    Some(("42883", message))
}

/// Functions that are computed over windows alone.
const OVER_WINDOWS: [&str; 9] = [
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "ntile",
    "lag",
    "lead",
    "nth_value",
];

/// What stands where it may not.
fn form(text: &str) -> Option<(&'static str, String)> {
    let told = |state, message: &str| Some((state, message.to_owned()));
    let has = |words: &str| text.contains(words);
    if let Some((_, rest)) = text.split_once("Invalid function '")
        && let Some((name, _)) = rest.split_once('\'')
        && OVER_WINDOWS.contains(&name)
    {
        let message = format!("window function {name} requires an OVER clause");
        return Some(("42809", message));
    }
    if let Some((_, rest)) = text.split_once("Order by column out of bounds, specified: ") {
        let place = rest.split(',').next().unwrap_or(rest);
        let message = format!("ORDER BY position {place} is not in select list");
        return Some(("42P10", message));
    }
    if let Some((_, rest)) = text.split_once("Cannot find column with position ") {
        let place = rest.split(' ').next().unwrap_or(rest);
        let message = format!("GROUP BY position {place} is not in select list");
        return Some(("42P10", message));
    }
    if has("Scalar subquery returned more than one row") {
        let message = "more than one row returned by a subquery used as an expression";
        return told("21000", message);
    }
    if has("SELECT DISTINCT ON expressions must match initial ORDER BY expressions") {
        let message = "SELECT DISTINCT ON expressions must match initial ORDER BY expressions";
        return told("42P10", message);
    }
    if has("Aggregate function calls cannot contain window function calls") {
        let message = "aggregate function calls cannot contain window function calls";
        return told("42803", message);
    }
    if has("Aggregate functions are not allowed in the WHERE clause") {
        return told("42803", "aggregate functions are not allowed in WHERE");
    }
    if has("Aggregate function calls cannot be nested") {
        return told("42803", "aggregate function calls cannot be nested");
    }
    if has("Unary operator '-' only supports") {
        return told("42883", "operator does not exist: - text");
    }
    if has("does not support logical expression WindowFunction") {
        let message = "window functions are not allowed in WHERE, GROUP BY or HAVING";
        return told("42P20", message);
    }
    if has("to grouping function is not in grouping columns") {
        let message = "arguments to GROUPING must be grouping expressions of the query";
        return told("42803", message);
    }
    if has("NTILE requires a positive integer") {
        return told("22014", "argument of ntile must be greater than zero");
    }
    if has("start bound cannot be UNBOUNDED FOLLOWING") {
        return told("42P20", "frame start cannot be UNBOUNDED FOLLOWING");
    }
    if has("end bound cannot be UNBOUNDED PRECEDING") {
        return told("42P20", "frame end cannot be UNBOUNDED PRECEDING");
    }
    if has("frame offsets for ROWS / GROUPS must be non negative integers") {
        return told("22013", "frame offset must be a whole number, not negative");
    }
    if has("RANGE requires exactly one ORDER BY column") {
        let message = "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column";
        return told("42P20", message);
    }
    None
}

/// An operator as PostgreSQL names it.
fn sign(operator: &str) -> &str {
    match operator {
        "!=" => "<>",
        "IS DISTINCT FROM" | "IS NOT DISTINCT FROM" => "=",
        operator => operator,
    }
}

/// The types on both sides of an operator: types have brackets, within which none stands.
fn operands(operation: &str) -> Option<(&str, &str, &str)> {
    let mut depth = 0_usize;
    let end = operation.char_indices().find(|(_, letter)| {
        match letter {
            '(' | '{' => depth += 1,
            ')' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && *letter == ' '
    });
    let (left, rest) = operation.split_at(end?.0);
    let rest = rest.trim_start();
    let long = ["IS NOT DISTINCT FROM", "IS DISTINCT FROM"];
    let long = long.iter().find(|operator| rest.starts_with(**operator));
    let length = long.map_or_else(|| rest.find(' '), |operator| Some(operator.len()))?;
    let (operator, right) = rest.split_at(length);
    Some((left, operator, right.trim()))
}

/// What stands between the commas of a list of types.
fn parts(list: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let parts = list.split(|letter| {
        match letter {
            '(' | '{' => depth += 1,
            ')' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && letter == ','
    });
    parts
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect()
}

/// PostgreSQL's name of a type that Arrow shows.
fn type_name(shown: &str) -> String {
    let shown = shown.trim().trim_end_matches('.');
    let name = shown.split(['(', ' ']).next().unwrap_or(shown);
    let inner = || shown.split_once('(').map_or("", |(_, inner)| inner);
    let name = match name {
        "Int8" | "UInt8" | "Int16" => "smallint",
        "UInt16" | "Int32" => "integer",
        "UInt32" | "UInt64" | "Int64" => "bigint",
        "Float16" | "Float32" => "real",
        "Float64" => "double precision",
        "Boolean" => "boolean",
        "Utf8" | "Utf8View" | "LargeUtf8" => "text",
        "Binary" | "BinaryView" | "LargeBinary" => "bytea",
        "Date32" | "Date64" => "date",
        "Time32" | "Time64" => "time without time zone",
        "Timestamp" if inner().contains(',') && !inner().contains("None") => {
            "timestamp with time zone"
        }
        "Timestamp" => "timestamp without time zone",
        "Interval" | "Duration" => "interval",
        "Null" => "unknown",
        "Struct" => "record",
        "Dictionary" => "text",
        "List" | "LargeList" => return format!("{}[]", type_name(inner().trim_end_matches(')'))),
        name if name.starts_with("Decimal") => "numeric",
        name => name,
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_said_as_postgresql_says_them() {
        for (said, state, told) in [
            (
                "Cannot coerce arithmetic expression Int32 + Utf8 to valid types",
                "42883",
                "operator does not exist: integer + text",
            ),
            (
                "Cannot infer common string type for string concat operation Decimal128(7, 2) || Int32",
                "42883",
                "operator does not exist: numeric || integer",
            ),
            (
                "Cannot infer common argument type for comparison operation Timestamp(µs, \"UTC\") IS DISTINCT FROM Boolean",
                "42883",
                "operator does not exist: timestamp with time zone = boolean",
            ),
            (
                "Cannot infer common argument type for logical boolean operation Int32 AND Boolean",
                "42804",
                "argument of AND must be type boolean, not type integer",
            ),
            (
                "Error during planning: No function matches the given name and argument types \
                 'nanvl(Utf8, Timestamp(µs))'. You might need to add explicit type casts.",
                "42883",
                "function nanvl(text, timestamp without time zone) does not exist",
            ),
            (
                "Function 'lower' user-defined coercion failed with: External error: function \
                 lower(integer) does not exist",
                "42883",
                "function lower(integer) does not exist",
            ),
        ] {
            assert_eq!(
                in_postgresql(said),
                Some((state, told.to_owned())),
                "{said}"
            );
        }
        for (said, state) in [
            ("Invalid function 'rank'. Did you mean 'rand'?", "42809"),
            (
                "Order by column out of bounds, specified: 2, max: 1",
                "42P10",
            ),
            ("NTILE requires a positive integer", "22014"),
            ("Scalar subquery returned more than one row", "21000"),
        ] {
            assert_eq!(in_postgresql(said).map(|(state, _)| state), Some(state));
        }
        assert_eq!(in_postgresql("something else"), None);
    }
}
