//! The routes: one table, from which requests find their way, and which `openapi.json` describes.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::RawPathParams;
use axum::http::{Method, Request, Response, StatusCode};
use axum::routing::{MethodFilter, get, on};
use futures::future::BoxFuture;
use serde_json::json;

use super::call::{self, Call};
use super::problem::Problem;
use super::{
    Shared, backtests, defaults, live, openapi, page, report, results, scenarios, settings, sweep,
    tables,
};
use crate::records::roles::Role;

/// What stands before the path of every route.
pub const PREFIX: &str = "/api/v1";

/// A route.
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub role: Role,
    pub about: &'static str,
    /// The schema of its body; `None` takes none.
    pub request: Option<&'static str>,
    /// The schema of its answer, and its type.
    pub answer: &'static str,
    pub content_type: &'static str,
    pub query: &'static [Query],
    /// Whether its query also names columns that rows are filtered by.
    pub takes_columns: bool,
    pub handler: fn(Call) -> BoxFuture<'static, Result<Response<Body>, Problem>>,
}

/// A parameter of a query.
pub struct Query {
    pub name: &'static str,
    pub is_number: bool,
    pub about: &'static str,
}

const fn number(name: &'static str, about: &'static str) -> Query {
    Query {
        name,
        is_number: true,
        about,
    }
}

const fn text(name: &'static str, about: &'static str) -> Query {
    Query {
        name,
        is_number: false,
        about,
    }
}

const JSON: &str = "application/json";
const TRADES: &[Query] = &[number(
    "trades",
    "rows of trades and comparisons, at most 1000",
)];
const PAGE: &[Query] = &[
    number("after", "rows to leave out"),
    number("limit", "rows at most"),
    text(
        "order",
        "columns with commas between them, - before one that descends",
    ),
];

macro_rules! one {
    () => {
        None
    };
    ($one:expr) => {
        Some($one)
    };
}

macro_rules! first {
    ($first:expr $(, $rest:expr)?) => {
        $first
    };
}

macro_rules! is_there {
    () => {
        false
    };
    ($there:ident) => {
        true
    };
}

macro_rules! routes {
    ($($method:ident $path:literal $role:ident $handler:path : $about:literal
        $(takes $request:literal)? => $answer:literal $(as $kind:literal)?
        $(with $query:expr)? $(, $columns:ident)?;)*) => {
        /// Every route.
        pub static ROUTES: &[Route] = &[$(Route {
            method: Method::$method,
            path: $path,
            role: Role::$role,
            about: $about,
            request: one!($($request)?),
            answer: $answer,
            content_type: first!($($kind,)? JSON),
            query: first!($($query,)? &[]),
            takes_columns: is_there!($($columns)?),
            handler: |call| Box::pin($handler(call)),
        }),*];
    };
}

routes! {
    POST "/backtest/run" Analyst backtests::run: "Runs a backtest, stores it and answers what came of it"
        takes "BacktestConfig" => "BacktestResult" with TRADES;
    POST "/backtest/run/stream" Analyst backtests::stream: "The same as server-sent events: progress at each phase and while one takes long, then complete or error. A client that leaves cancels the run"
        takes "BacktestConfig" => "RunEvents" as "text/event-stream" with TRADES;
    GET "/backtest/progress/{id}" Reader backtests::progress: "How far a run under way is"
        => "BacktestProgress";
    POST "/backtest/cancel/{id}" Analyst backtests::cancel: "Cancels a run under way" => "Cancelled";
    GET "/backtest/result/{id}" Reader results::result: "A stored run" => "BacktestResult" with TRADES;
    DELETE "/backtest/result/{id}" Analyst results::delete: "Deletes a stored run whose settings were not applied" => "Deleted";
    GET "/backtest/result/{id}/trades" Reader results::trades: "The simulated trades of a stored run" => "Table" with PAGE, columns;
    GET "/backtest/result/{id}/comparisons" Reader results::comparisons: "Trade by trade, what would have changed" => "Table" with PAGE, columns;
    GET "/backtest/result/{id}/equity" Reader results::equity: "How actual and simulated PnL grew" => "Table" with PAGE, columns;
    GET "/backtest/result/{id}/report" Reader report::answer: "A report about a stored run: one HTML file that needs no network, to be kept and sent"
        => "Report" as "text/html"
        with &[text("grid", "the sweep that its settings came from, as POST sweep takes it")];
    GET "/backtest/history" Reader results::history: "Stored runs, newest first" => "History"
        with &[number("limit", "runs at most"), text("before", "the id of the run that those wanted are older than")];
    GET "/backtest/preview/{id}" Reader settings::preview: "What applying a run would change" => "Preview";
    POST "/backtest/apply" Operator settings::apply: "Applies the settings of a run to the live system"
        takes "ApplySettingsRequest" => "ApplySettingsResult";
    GET "/backtest/defaults" Reader defaults::defaults: "The default configuration over the last 30 days of data, and what is known of each parameter" => "Defaults";
    POST "/backtest/cache/clear" Analyst settings::clear_cache: "Says what generation is served; there is no cache to clear" => "CacheCleared";
    GET "/settings" Reader settings::settings: "The live settings" => "Settings";
    GET "/settings/history" Reader settings::history: "What was applied, newest first" => "SettingsHistory";
    POST "/settings/rollback" Operator settings::rollback: "Puts back what was there before an application"
        takes "RollbackRequest" => "RollbackResult";
    GET "/scenarios" Reader scenarios::list: "Every scenario" => "Scenarios";
    GET "/scenarios/{name}" Reader scenarios::get: "A scenario" => "Scenario";
    PUT "/scenarios/{name}" Analyst scenarios::put: "Makes a scenario, or replaces it"
        takes "ScenarioRequest" => "Scenario";
    DELETE "/scenarios/{name}" Analyst scenarios::delete: "Deletes a scenario" => "DeletedScenario";
    POST "/sweep" Analyst sweep::sweep: "Every combination of a grid: rows as they come, progress with the best so far. Lines of JSON, or server-sent events to who accepts those"
        takes "SweepRequest" => "SweepLines" as "application/x-ndjson";
    POST "/live" Analyst live::live: "The live what-if: one binary body for each adjustment; 204 where a newer one of the page has overtaken it"
        takes "LiveRequest" => "LiveBody" as "application/octet-stream";
    POST "/table/{function}" Reader tables::function: "Rows of a table function for a configuration that is not stored"
        takes "TableRequest" => "Table";
    GET "/prices" Reader tables::prices: "The prices of a token, by time" => "Table"
        with &[text("token", "its address"), text("from", "a time"), text("to", "a time"), number("limit", "rows at most")];
    GET "/outcomes" Reader tables::outcomes: "What was really done on a signal" => "Table" with &[text("signal", "its id")];
    GET "/quality" Reader tables::quality: "What in the history should worry its reader" => "Table";
    GET "/status" Reader tables::status: "Who asks, and of what" => "Status";
    GET "/openapi.json" Reader openapi::answer: "This description" => "Description";
}

/// The way from a request to its route; whoever asks is known.
pub fn router(shared: &Arc<Shared>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let filter = MethodFilter::try_from(route.method.clone()).unwrap_or(MethodFilter::GET);
        let shared = Arc::clone(shared);
        let handler = move |path: RawPathParams, request: Request<Body>| {
            call::perform(Arc::clone(&shared), route, path, request)
        };
        router = router.route(&format!("{PREFIX}{}", route.path), on(filter, handler));
    }
    router = router.route("/healthz", get(health));
    router
        .method_not_allowed_fallback(|request: Request<Body>| async move {
            let detail = format!("{} is not for {}", request.uri().path(), request.method());
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).response()
        })
        .fallback(elsewhere)
}

async fn health() -> Response<Body> {
    let mut response = Response::new(Body::from(json!({ "status": "ok" }).to_string()));
    let kind = axum::http::HeaderValue::from_static(JSON);
    let headers = response.headers_mut();
    headers.insert(axum::http::header::CONTENT_TYPE, kind);
    response
}

/// The files of the page, and what is nowhere.
async fn elsewhere(request: Request<Body>) -> Response<Body> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let answered = match is_read {
        true => page::answer(request.uri().path(), request.headers()),
        false => {
            let detail = format!("{} is not for {}", request.uri().path(), request.method());
            Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail))
        }
    };
    answered.unwrap_or_else(|problem| problem.response())
}
