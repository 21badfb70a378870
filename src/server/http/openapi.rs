//! The description of the routes, as OpenAPI 3.1 has it.
//!
//! It is made out of the table of routes, the table of parameters and the columns of results, so that
//! none can be forgotten in it; macros over types would know neither parameters nor columns. Tests
//! send every request and answer through it.

mod schemas;
mod shapes;

use axum::body::Body;
use axum::http::Response;
use serde_json::{Map, Value, json};

use super::call::Call;
use super::problem::{PROBLEM_JSON, Problem};
use super::routes::{PREFIX, ROUTES, Route};
use schemas::schemas;
use shapes::reference;

pub async fn answer(call: Call) -> Result<Response<Body>, Problem> {
    Ok(call.json(&document()))
}

/// The whole description.
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let path = paths.entry(format!("{PREFIX}{}", route.path));
        let path = path.or_insert_with(|| json!({}));
        path[route.method.as_str().to_lowercase()] = operation(route);
    }
    paths.insert(
        "/healthz".into(),
        json!({ "get": {
            "summary": "Whether the server is there; anybody may ask",
            "security": [],
            "responses": { "200": { "description": "it is" } },
        }}),
    );
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "hindsight",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Had our settings been different, what would have happened? Amounts, prices \
                and percentages are strings with all their digits, times are RFC 3339 in UTC, and \
                unknown fields are refused.",
        },
        "security": [{ "token": [] }, { "password": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "password": { "type": "http", "scheme": "basic" },
            },
            "schemas": schemas(),
        },
    })
}

fn operation(route: &Route) -> Value {
    let problem = |description: &str| {
        json!({
            "description": description,
            "content": { PROBLEM_JSON: { "schema": reference("Problem") } },
        })
    };
    let mut responses = json!({
        "200": {
            "description": "done",
            "content": { route.content_type: { "schema": reference(route.answer) } },
        },
        "default": problem("what went wrong, by its status"),
    });
    if route.answer == "LiveBody" {
        responses["204"] = json!({ "description": "a newer request has overtaken it" });
    }
    let in_path = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{'));
    let in_path = in_path.map(|name| {
        json!({
            "name": name.trim_end_matches('}'),
            "in": "path",
            "required": true,
            "schema": { "type": "string" },
        })
    });
    let in_query = route.query.iter().map(|query| {
        json!({
            "name": query.name,
            "in": "query",
            "description": query.about,
            "schema": { "type": if query.is_number { "integer" } else { "string" } },
        })
    });
    let mut parameters: Vec<Value> = in_path.chain(in_query).collect();
    if route.takes_columns {
        parameters.push(json!({
            "name": "column",
            "in": "query",
            "description": "any column of the rows, and the value that it has in those wanted",
            "style": "form",
            "explode": true,
            "schema": { "type": "object", "additionalProperties": { "type": "string" } },
        }));
    }
    let mut operation = json!({
        "summary": route.about,
        "description": format!("Needs the role {}.", route.role.name()),
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(request) = route.request {
        operation["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": reference(request) } },
        });
    }
    operation
}

#[cfg(test)]
mod tests {
    use super::super::config;
    use super::*;
    use crate::parameters::PARAMETERS;

    /// Every name that the description refers to.
    fn references(value: &Value, names: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    match member {
                        Value::String(text) if name == "$ref" => names.push(text.clone()),
                        member => references(member, names),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, names)),
            _ => {}
        }
    }

    #[test]
    fn all_that_is_referred_to_is_there() {
        let document = document();
        let mut names = Vec::new();
        references(&document, &mut names);
        assert!(names.len() > ROUTES.len());
        for name in names {
            let pointer = name.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{name}");
        }
    }

    #[test]
    fn every_parameter_has_its_place() {
        let document = document();
        let config = &document["components"]["schemas"]["BacktestConfig"]["properties"];
        for parameter in &PARAMETERS {
            let place = config::path(parameter).replace('.', "/properties/");
            assert!(config.pointer(&format!("/{place}")).is_some(), "{place}");
        }
    }
}
