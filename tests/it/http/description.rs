//! Every documented request and answer goes through the description that the server gives.

use serde_json::{Map, Value, json};

use super::{Client, HttpServer, defaults, events, operating};

/// Checks a value against a schema of the description.
struct Description(Value);

impl Description {
    fn schema<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema.get("$ref").and_then(Value::as_str) {
            Some(name) => self.0.pointer(name.trim_start_matches('#')).unwrap(),
            None => schema,
        }
    }

    fn check(&self, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
        let schema = self.schema(schema);
        let wrong = |what: String| Err(format!("{place}: {what}"));
        if let Some(any) = schema.get("anyOf").and_then(Value::as_array) {
            let failures: Vec<String> = any
                .iter()
                .filter_map(|one| self.check(one, value, place).err())
                .collect();
            return match failures.len() < any.len() {
                true => Ok(()),
                false => wrong(failures.join("; ")),
            };
        }
        if let Some(words) = schema.get("enum").and_then(Value::as_array)
            && !words.contains(value)
        {
            return wrong(format!("{value} is none of {words:?}"));
        }
        if let Some(kinds) = schema.get("type") {
            let kinds = kinds
                .as_array()
                .cloned()
                .unwrap_or_else(|| vec![kinds.clone()]);
            let is_of = |kind: &Value| match kind.as_str().unwrap() {
                "null" => value.is_null(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_i64() || value.is_u64(),
                "number" => value.is_number(),
                "array" => value.is_array(),
                "object" => value.is_object(),
                other => panic!("{other}"),
            };
            if !kinds.iter().any(is_of) {
                return wrong(format!("{value} is none of {kinds:?}"));
            }
        }
        if let (Some(_), Some(text)) = (schema.get("pattern"), value.as_str()) {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
            let all = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            if !all(whole) || !all(fraction) {
                return wrong(format!("{text} is no decimal"));
            }
        }
        if let Some(items) = value.as_array() {
            let of = schema.get("items").cloned().unwrap_or_default();
            for (position, item) in items.iter().enumerate().filter(|_| of.is_object()) {
                self.check(&of, item, &format!("{place}[{position}]"))?;
            }
        }
        let Some(members) = value.as_object() else {
            return Ok(());
        };
        for name in schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if !members.contains_key(name.as_str().unwrap()) {
                return wrong(format!("{name} is missing"));
            }
        }
        let known = schema.get("properties").and_then(Value::as_object);
        for (name, member) in members {
            let place = format!("{place}.{name}");
            match (
                known.and_then(|known| known.get(name)),
                schema.get("additionalProperties"),
            ) {
                (Some(schema), _) => self.check(schema, member, &place)?,
                (None, Some(Value::Bool(false))) => return wrong(format!("{name} is unknown")),
                (None, Some(schema)) if schema.is_object() => self.check(schema, member, &place)?,
                (None, _) => {}
            }
        }
        Ok(())
    }
}

/// A client that checks what it sends and what it is told.
struct Checked<'a> {
    client: Client,
    description: &'a Description,
    /// The operations that were asked.
    asked: std::cell::RefCell<Vec<String>>,
}

impl Checked<'_> {
    /// Asks a route, whose path has these parts in place of its names.
    fn ask(&self, method: &str, route: &str, parts: &[&str], query: &str, body: &Value) -> Value {
        let path = format!("/api/v1{route}");
        let operation = &self.description.0["paths"][&path][method.to_lowercase()];
        assert!(operation.is_object(), "{method} {path} is not described");
        self.asked.borrow_mut().push(format!("{method} {path}"));
        if let Some(schema) = operation.pointer("/requestBody/content/application~1json/schema") {
            self.description.check(schema, body, &path).unwrap();
        }
        let mut parts = parts.iter();
        let target: Vec<String> = path
            .split('/')
            .map(|part| match part.starts_with('{') {
                true => (*parts.next().unwrap()).to_owned(),
                false => part.to_owned(),
            })
            .collect();
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let target = format!("{}{query}", target.join("/"));
        let answer = self.client.with(method, &target, &[], body.as_bytes());
        if answer.status != 200 {
            let schema =
                &operation["responses"]["default"]["content"]["application/problem+json"]["schema"];
            self.description
                .check(schema, &answer.json(), &target)
                .unwrap();
            return answer.json();
        }
        let content = operation["responses"]["200"]["content"]
            .as_object()
            .unwrap();
        let (kind, schema) = content.iter().next().unwrap();
        let told = answer.header("content-type").unwrap();
        let told = told.strip_suffix("; charset=utf-8").unwrap_or(told);
        assert_eq!(told, kind, "{target}");
        if kind == "application/json" {
            self.description
                .check(&schema["schema"], &answer.json(), &target)
                .unwrap();
            return answer.json();
        }
        Value::from(answer.text())
    }
}

#[test]
fn every_route_is_as_described() {
    let workspace = crate::server::workspace();
    let server = HttpServer::start(workspace.path(), &operating());
    let client = server.client();
    let description = Description(client.get("openapi.json").right());
    let checked = Checked {
        client: client.clone(),
        description: &description,
        asked: std::cell::RefCell::default(),
    };
    let none = Value::Null;
    let get =
        |route: &str, parts: &[&str], query: &str| checked.ask("GET", route, parts, query, &none);
    let post = |route: &str, body: &Value| checked.ask("POST", route, &[], "", body);
    get("/openapi.json", &[], "");
    get("/status", &[], "");
    get("/quality", &[], "");
    get("/backtest/defaults", &[], "");
    let config = defaults(&client);
    let run = post("/backtest/run", &config);
    let id = run["id"].as_str().unwrap();
    let streamed = post("/backtest/run/stream", &config);
    let events = events(streamed.as_str().unwrap());
    let schema = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    for (name, event) in &events {
        let of = if name == "progress" {
            "BacktestProgress"
        } else {
            "BacktestResult"
        };
        description.check(&schema(of), event, name).unwrap();
    }
    let other = events.last().unwrap().1["id"].as_str().unwrap().to_owned();
    get("/backtest/progress/{id}", &[id], "");
    checked.ask("POST", "/backtest/cancel/{id}", &[id], "", &none);
    get("/backtest/result/{id}", &[id], "?trades=1");
    for rows in ["trades", "comparisons", "equity"] {
        get(
            &format!("/backtest/result/{{id}}/{rows}"),
            &[id],
            "?limit=2&after=1",
        );
    }
    get("/backtest/result/{id}/report", &[id], "");
    get("/backtest/history", &[], "?limit=1");
    get("/backtest/history", &[], &format!("?before={other}"));
    let preview = get("/backtest/preview/{id}", &[id], "");
    let apply = json!({
        "backtest_id": id,
        "settings_version": preview["settings_version"],
        "confirm_apply": true,
        "create_settings": true,
    });
    let applied = post("/backtest/apply", &apply);
    assert_eq!(applied["success"], true, "{applied}");
    post("/backtest/cache/clear", &none);
    get("/settings", &[], "");
    get("/settings/history", &[], "");
    post(
        "/settings/rollback",
        &json!({ "history_id": applied["history_id"], "confirm": true }),
    );
    let scenario =
        json!({ "description": "d", "tags": ["t"], "config": { "score_threshold": "60" } });
    checked.ask("PUT", "/scenarios/{name}", &["s"], "", &scenario);
    get("/scenarios", &[], "");
    get("/scenarios/{name}", &["s"], "");
    checked.ask("DELETE", "/scenarios/{name}", &["s"], "", &none);
    let grid = json!({ "score_threshold": ["60", 70] });
    post("/sweep", &json!({ "config": config, "grid": grid }));
    post(
        "/live",
        &json!({ "page": "p", "seq": 1, "width": 5, "config": config, "response": [] }),
    );
    let table = json!({ "config": config, "columns": ["signal_id"], "order": ["-signal_id"], "limit": 2, "filter": {} });
    checked.ask("POST", "/table/{function}", &["compare_trades"], "", &table);
    get("/outcomes", &[], "?signal=x");
    get("/prices", &[], "?token=x&limit=3");
    checked.ask("DELETE", "/backtest/result/{id}", &[&other], "", &none);

    let mut asked = checked.asked.borrow().clone();
    asked.sort();
    asked.dedup();
    let mut described = Vec::new();
    for (path, operations) in description.0["paths"].as_object().unwrap() {
        let operations: &Map<String, Value> = operations.as_object().unwrap();
        described.extend(
            operations
                .keys()
                .map(|method| format!("{} {path}", method.to_uppercase())),
        );
    }
    described.retain(|operation| operation != "GET /healthz");
    described.sort();
    assert_eq!(asked, described, "routes that are not asked here");
}

#[test]
fn a_description_can_fail() {
    let description = Description(json!({}));
    let schema = json!({ "type": "object", "properties": { "a": { "type": "string" } }, "required": ["a"], "additionalProperties": false });
    for (value, is_right) in [
        (json!({ "a": "x" }), true),
        (json!({ "a": 1 }), false),
        (json!({}), false),
        (json!({ "a": "x", "b": 1 }), false),
        (json!([]), false),
    ] {
        assert_eq!(
            description.check(&schema, &value, "").is_ok(),
            is_right,
            "{value}"
        );
    }
}
