//! What a client is told that went wrong: a problem document (RFC 9457) with the sentence and the
//! hint that SQL gives, its SQLSTATE, and of a parameter its name, value and range.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use serde_json::{Map, Value};

use crate::error::Error;
use crate::parameters;

/// The type of a problem document.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What went wrong.
#[derive(Debug, Clone)]
pub struct Problem {
    pub status: StatusCode,
    pub detail: String,
    pub hint: Option<String>,
    pub sqlstate: Option<&'static str>,
    /// Its name, what was found, and what was expected. On the heap: most problems have none.
    parameter: Option<Box<[String; 3]>>,
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            hint: None,
            sqlstate: None,
            parameter: None,
        }
    }

    /// Something in the request is wrong.
    pub fn request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// There is no such thing.
    pub fn missing(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// The server is being stopped.
    pub fn stopping() -> Self {
        Self {
            sqlstate: Some("57P01"),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping")
        }
    }

    #[must_use]
    pub fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// As the document has it.
    pub fn json(&self) -> Value {
        let mut members = Map::new();
        let title = self.status.canonical_reason().unwrap_or("Problem");
        members.insert("type".into(), "about:blank".into());
        members.insert("title".into(), title.into());
        members.insert("status".into(), self.status.as_u16().into());
        members.insert("detail".into(), self.detail.as_str().into());
        if let Some(hint) = &self.hint {
            members.insert("hint".into(), hint.as_str().into());
        }
        if let Some(sqlstate) = self.sqlstate {
            members.insert("sqlstate".into(), sqlstate.into());
        }
        if let Some([name, value, range]) = self.parameter.as_deref() {
            members.insert("parameter".into(), name.as_str().into());
            members.insert("value".into(), value.as_str().into());
            members.insert("range".into(), range.as_str().into());
        }
        Value::Object(members)
    }

    pub fn response(&self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.json().to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        match self.status {
            // Not Basic: a browser would ask for a password by itself.
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let state = error.sqlstate();
        let mut problem = Self::new(status(state), error.to_string());
        problem.sqlstate = Some(state);
        problem.hint = parameters::hint(&error);
        let mut inner = &error;
        while let Error::Located { error, .. } | Error::Hinted { error, .. } = inner {
            inner = error;
        }
        if let Error::Parameter {
            parameter,
            expected,
            found,
        } = inner
        {
            // What names a thing that is not there.
            problem.status = match parameter.as_str() {
                "backtest_id" | "history_id" => StatusCode::NOT_FOUND,
                _ => StatusCode::UNPROCESSABLE_ENTITY,
            };
            problem.parameter = Some(Box::new([
                parameter.clone(),
                found.clone(),
                expected.clone(),
            ]));
        }
        if problem.status.is_server_error() && problem.status != StatusCode::SERVICE_UNAVAILABLE {
            tracing::error!(sqlstate = state, "{error}");
        }
        problem
    }
}

impl From<datafusion::error::DataFusionError> for Problem {
    fn from(error: datafusion::error::DataFusionError) -> Self {
        Error::from(error).into()
    }
}

/// The status that stands for a SQLSTATE.
fn status(state: &str) -> StatusCode {
    match state {
        "42501" => StatusCode::FORBIDDEN,
        "40001" | "23505" | "55000" => StatusCode::CONFLICT,
        "53300" => StatusCode::TOO_MANY_REQUESTS,
        "57014" | "57P01" | "08006" => StatusCode::SERVICE_UNAVAILABLE,
        "58030" | "58000" => StatusCode::INTERNAL_SERVER_ERROR,
        state if state.starts_with("53") => StatusCode::SERVICE_UNAVAILABLE,
        state if state.starts_with("XX") => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}
