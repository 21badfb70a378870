//! Which functions return rows, and the array that has them as its elements.

use datafusion::sql::sqlparser::ast::{Function, FunctionArguments, ObjectName};

/// Functions whose rows are the elements of an array that a function of DataFusion returns.
pub const SERIES: &str = "generate_series";

/// The array of a series.
pub const ARRAY: &str = "\"generate_series\"";

/// A step of a series that is a time, as an interval.
fn as_interval(step: &str) -> Option<String> {
    let is_interval = |step: &str| {
        let step = step.trim_start_matches('(').to_lowercase();
        step.starts_with("interval") || step.ends_with("::interval")
    };
    if is_interval(step) {
        return Some(step.to_owned());
    }
    step.starts_with('\'').then(|| match step.ends_with('\'') {
        true => format!("interval {step}"),
        false => step.to_owned(),
    })
}

/// A bound of a series of times, with a zone where it is a text in quotes.
fn as_time(bound: &str) -> String {
    match bound.starts_with('\'') && bound.ends_with('\'') {
        true => format!("{bound}::timestamptz"),
        false => bound.to_owned(),
    }
}

/// A function that returns rows, and how they come about.
pub struct Rows {
    pub name: &'static str,
    /// What its column is called in `FROM` whatever the table is called; else as the table is.
    pub column: Option<&'static str>,
    /// The array whose elements the rows are.
    pub array: String,
    /// The function that makes a row of an element.
    pub each: Option<&'static str>,
}

impl Rows {
    fn plain(name: &'static str, array: String) -> Self {
        Self {
            name,
            column: None,
            array,
            each: None,
        }
    }

    /// The rows as an expression of a select list.
    pub fn unnested(&self) -> String {
        match self.each {
            Some(each) => format!("{each}(unnest({}))", self.array),
            None => format!("unnest({})", self.array),
        }
    }
}

/// The rows of a call, if it returns rows.
pub fn rows_of(function: &Function) -> Option<Rows> {
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    if function.over.is_some() || !list.clauses.is_empty() {
        return None;
    }
    let arguments: Vec<String> = list.args.iter().map(ToString::to_string).collect();
    rows_of_call(&function.name, &arguments)
}

/// The name of a function that is not in quotes, as it is looked up.
pub fn called(name: &ObjectName) -> Option<String> {
    let name = name.0.last()?.as_ident()?;
    let is_plain = name.quote_style.is_none();
    is_plain.then(|| name.value.to_lowercase())
}

/// The same by the name and the arguments of the call.
pub fn rows_of_call(name: &ObjectName, arguments: &[String]) -> Option<Rows> {
    // In quotes it is the array, as it is written here.
    let name = called(name)?;
    let all = arguments.join(", ");
    let of_json = |name: &'static str, of: &str, each: Option<&'static str>| Rows {
        name,
        column: Some("value"),
        array: format!("{of}({all})"),
        each,
    };
    Some(match (name.as_str(), arguments) {
        (SERIES, [from, to, step]) => match as_interval(step) {
            Some(step) => {
                let (from, to) = (as_time(from), as_time(to));
                Rows::plain(SERIES, format!("{ARRAY}({from}, {to}, {step})"))
            }
            None => Rows::plain(SERIES, format!("{ARRAY}({all})")),
        },
        (SERIES, [_, _]) => Rows::plain(SERIES, format!("{ARRAY}({all})")),
        ("generate_subscripts", [array, dimension]) if dimension == "1" => {
            let places = format!("{ARRAY}(1, cardinality({array}))");
            Rows::plain("generate_subscripts", places)
        }
        ("string_to_table", [_, _] | [_, _, _]) => {
            Rows::plain("string_to_table", format!("string_to_array({all})"))
        }
        ("regexp_split_to_table", [_, _] | [_, _, _]) => Rows::plain(
            "regexp_split_to_table",
            format!("regexp_split_to_array({all})"),
        ),
        ("regexp_matches", [_, _] | [_, _, _]) => {
            Rows::plain("regexp_matches", format!("\"regexp_matches\"({all})"))
        }
        ("json_array_elements", [_]) => of_json("json_array_elements", "json_items", Some("json")),
        ("jsonb_array_elements", [_]) => {
            of_json("jsonb_array_elements", "jsonb_items", Some("jsonb"))
        }
        ("json_array_elements_text", [_]) => {
            of_json("json_array_elements_text", "json_text_items", None)
        }
        ("jsonb_array_elements_text", [_]) => {
            of_json("jsonb_array_elements_text", "json_text_items", None)
        }
        ("jsonb_path_query", [_, _]) => Rows {
            column: None,
            ..of_json("jsonb_path_query", "jsonb_path_items", Some("jsonb"))
        },
        ("json_object_keys", [_]) => Rows::plain("json_object_keys", format!("json_keys({all})")),
        ("jsonb_object_keys", [_]) => Rows::plain("jsonb_object_keys", format!("json_keys({all})")),
        _ => return None,
    })
}

/// `json_each(…)` and its like in `FROM`: the keys and values of an object side by side.
pub fn members_of_call(name: &ObjectName, arguments: &[String]) -> Option<(String, String)> {
    let name = called(name)?;
    let [object] = arguments else {
        return None;
    };
    let value = match name.as_str() {
        "json_each" => format!("json(unnest(json_values({object})))"),
        "jsonb_each" => format!("jsonb(unnest(json_values({object})))"),
        "json_each_text" | "jsonb_each_text" => format!("unnest(json_text_values({object}))"),
        _ => return None,
    };
    let query = format!("select unnest(json_keys({object})) as key, {value} as value");
    Some((name, query))
}
