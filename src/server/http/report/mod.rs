//! A report: one HTML file about one set of settings, to be sent to others. It holds the page's own
//! modules and, compressed, the rows that they show; its policy allows those and nothing else, so it
//! asks no server. What is in it is computed over the history as it is now.

mod about;
mod bundle;
mod sections;

use std::io::{self, Write};

use async_recursion::async_recursion as door;
use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::call::Call;
use super::json::Object;
use super::problem::Problem;
use super::{config, results, tables};
use crate::error::{Error, Result};
use crate::session::Session;
pub use about::{About, Swept};

/// The whole file: styles, data, modules, and a policy that allows these and no more.
#[door]
pub async fn html(session: &Session, about: &About, version: &str) -> Result<String> {
    let json = sections::collect(session, about, version).await?;
    let (style, script) = (bundle::style(), bundle::script()?);
    let packed = packed(&json).map_err(|source| Error::Io {
        path: "the report's data".into(),
        source,
    })?;
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; base-uri 'none'; form-action 'none'",
        hash(&script),
        hash(&style)
    );
    let title = escaped(&about.title());
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title} · hindsight</title>\n\
         <style>{style}</style>\n</head>\n<body class=\"report-body\">\n\
         <div id=\"page\">This report draws itself with JavaScript.</div>\n\
         <script type=\"application/octet-stream\" id=\"data\">{packed}</script>\n\
         <script type=\"module\">{script}</script>\n</body>\n</html>\n"
    ))
}

fn packed(json: &str) -> io::Result<String> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(json.as_bytes())?;
    Ok(STANDARD.encode(packed.finish()?))
}

/// As a policy names what it allows.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The report about a stored run, as a file to be kept: it is no page of this server.
pub(super) async fn answer(call: Call) -> Result<Response<Body>, Problem> {
    let id = call.path("id");
    let session = call.session().await?;
    let Some(mut about) = About::of_run(&session, id).await? else {
        return Err(results::unknown(id));
    };
    if let Some(text) = call.query.get("grid") {
        let grid = tables::grid_of(Object::parse(text.as_bytes())?, call.ranges())?;
        let grid = grid.into_iter().map(|(parameter, values)| Swept {
            name: parameter.name.to_owned(),
            count: values.len(),
            argument: config::array(parameter, &values),
        });
        about = about.with_grid(grid.collect())?;
    }
    let html = html(&session, &about, env!("CARGO_PKG_VERSION")).await?;
    let mut response = Response::new(Body::from(html));
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    headers.insert(CONTENT_TYPE, kind);
    let kept = HeaderValue::from_static("attachment; filename=\"report.html\"");
    headers.insert(CONTENT_DISPOSITION, kept);
    Ok(response)
}
