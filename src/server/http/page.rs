//! The files of the page, compiled in; `build.rs` lists the folder `page`.
//!
//! Their names have one hash of all of them in front, so that a browser may keep them for good and
//! yet never mixes those of two versions; modules name each other relatively. Only `index.html` is
//! asked for by the same name again: in it `/page/…` becomes the name with the hash.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::LazyLock;

use axum::body::Body;
use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::problem::Problem;

include!(concat!(env!("OUT_DIR"), "/page_files.rs"));

const INDEX: &str = "index.html";
const FOREVER: &str = "public, max-age=31536000, immutable";
/// Below this, compressing gains nothing.
const WORTH_COMPRESSING: usize = 1_024;

/// A file, and compressed where that makes it smaller.
struct File {
    kind: &'static str,
    plain: Bytes,
    compressed: Option<Bytes>,
}

/// Every file by the path that it is asked for with.
static FILES: LazyLock<BTreeMap<String, File>> = LazyLock::new(|| {
    let hash = hash(PAGE_FILES);
    let files = PAGE_FILES.iter().filter_map(|(name, bytes)| {
        let kind = kind(name)?;
        let (path, plain) = match *name {
            INDEX => {
                let text = String::from_utf8_lossy(bytes);
                let text = text.replace("/page/-/", "/page/");
                (
                    "/".to_owned(),
                    text.replace("/page/", &format!("/page/{hash}/")).into(),
                )
            }
            name => (format!("/page/{hash}/{name}"), Bytes::from_static(bytes)),
        };
        let compressed = compressed(&plain).filter(|smaller| smaller.len() < plain.len());
        Some((
            path,
            File {
                kind,
                plain,
                compressed,
            },
        ))
    });
    files.collect()
});

/// One hash of the names and contents of all files.
fn hash(files: &[(&str, &[u8])]) -> String {
    let mut hash = Sha256::new();
    for (name, bytes) in files {
        for part in [name.as_bytes(), *bytes] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    hash.finalize()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What a file is, by its name; `None` is not for browsers.
fn kind(name: &str) -> Option<&'static str> {
    Some(match name.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}

/// The same bytes compressed, where that is worth it.
pub fn compressed(bytes: &[u8]) -> Option<Bytes> {
    if bytes.len() < WORTH_COMPRESSING {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// Whether a client takes compressed answers.
pub fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT_ENCODING).iter();
    let mut accepted = accepted.filter_map(|value| value.to_str().ok());
    accepted.any(|list| {
        list.split(',').any(|one| {
            let (coding, weight) = one.split_once(';').unwrap_or((one, ""));
            let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
            coding.trim().eq_ignore_ascii_case("gzip")
                && weight.parse::<f32>().is_ok_and(|weight| weight > 0.0)
        })
    })
}

/// The answer to a request for a file.
pub fn answer(path: &str, headers: &HeaderMap) -> Result<Response<Body>, Problem> {
    let Some(file) = FILES.get(path) else {
        let shown: String = path.chars().take(100).collect();
        return Err(Problem::missing(format!("there is nothing at {shown}")));
    };
    let mut response = Response::new(Body::empty());
    let answered = response.headers_mut();
    answered.insert(CONTENT_TYPE, HeaderValue::from_static(file.kind));
    answered.insert(VARY, HeaderValue::from_static("accept-encoding"));
    let kept = if path == "/" { "no-store" } else { FOREVER };
    answered.insert(CACHE_CONTROL, HeaderValue::from_static(kept));
    let bytes = match &file.compressed {
        Some(compressed) if takes_gzip(headers) => {
            answered.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            compressed
        }
        _ => &file.plain,
    };
    *response.status_mut() = StatusCode::OK;
    *response.body_mut() = Body::from(bytes.clone());
    Ok(response)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_the_index_names_is_there() {
        let index = &FILES["/"];
        let text = std::str::from_utf8(&index.plain).unwrap();
        let mut named = 0;
        for part in text.split('"').filter(|part| part.starts_with("/page/")) {
            assert!(FILES.contains_key(part), "{part}");
            named += 1;
        }
        assert!(named > 0, "the index names no file");
    }

    #[test]
    fn another_content_is_another_name() {
        let one: &[(&str, &[u8])] = &[("a", b"bc"), ("d", b"")];
        let other: &[(&str, &[u8])] = &[("ab", b"c"), ("d", b"")];
        assert_ne!(hash(one), hash(other));
        assert_eq!(hash(one), hash(one));
    }

    #[test]
    fn compression_is_for_those_who_take_it() {
        let headers = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
            headers
        };
        assert!(takes_gzip(&headers("br, gzip")));
        assert!(takes_gzip(&headers("GZIP;q=0.5")));
        assert!(!takes_gzip(&headers("gzip;q=0, br")));
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
