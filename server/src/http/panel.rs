//! The panel, two pages and their files: made at build time, inside the program in release builds, read from the folder in debug builds.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

/// Where the build puts the panel.
#[derive(RustEmbed)]
#[folder = "../target/spa"]
#[allow_missing = true]
struct Panel;

/// The page of the desk.
const INDEX: &str = "index.html";
/// The page of management, a program of its own.
const MANAGE: &str = "manage.html";
/// A page for who built the server alone.
const MISSING: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Cordboard</title>\
    <h1>The panel has not been built</h1><p>Run <code>cargo xtask panel</code> and reload this page. \
    The API under <code>/core</code> works without it.</p>";

/// Everything that is no route: a file of the panel, or one of its two pages. Unknown paths of the API stay unknown.
pub(super) async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if is_api(path) {
        return StatusCode::NOT_FOUND.into_response();
    }
    if !matches!(method, Method::GET | Method::HEAD) {
        return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, HeaderValue::from_static("GET, HEAD"))]).into_response();
    }
    let name = if path.is_empty() { INDEX } else { path };
    let page = page_of(path);
    if let Some(response) = file(name, &headers) {
        return response;
    }
    // A path with a dot is a file that is not there; any other is a page of the panel.
    if name.rsplit('/').next().is_some_and(|last| last.contains('.')) && name != page {
        return (StatusCode::NOT_FOUND, "There is no such file.").into_response();
    }
    file(page, &headers).unwrap_or_else(|| {
        let kind = HeaderValue::from_static("text/html; charset=utf-8");
        (StatusCode::SERVICE_UNAVAILABLE, [(CONTENT_TYPE, kind)], MISSING).into_response()
    })
}

/// The page whose program shows a path.
fn page_of(path: &str) -> &'static str {
    if path == "manage" || path == MANAGE || path.starts_with("manage/") { MANAGE } else { INDEX }
}

fn is_api(path: &str) -> bool {
    path == "core" || path.starts_with("core/") || path == "edge" || path.starts_with("edge/")
}

fn file(name: &str, headers: &HeaderMap) -> Option<Response> {
    file_of(name, headers, |name| Panel::get(name).map(|file| file.data))
}

/// The file with the best coding that the browser takes, out of those that `get` has.
fn file_of(name: &str, headers: &HeaderMap, get: impl Fn(&str) -> Option<Cow<'static, [u8]>>) -> Option<Response> {
    let accepted = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Compressed files stand beside the plain one; they are no pages of their own.
    if matches!(name.rsplit('.').next(), Some("br" | "gz")) {
        return None;
    }
    let candidates = [("br", ".br"), ("gzip", ".gz")];
    let compressed = candidates
        .into_iter()
        .filter(|(coding, _)| accepts(accepted, coding))
        .find_map(|(coding, end)| get(&format!("{name}{end}")).map(|data| (Some(coding), data)));
    let (coding, data) = match compressed {
        Some(found) => found,
        None => (None, get(name)?),
    };

    let mut response = Response::new(Body::from(data));
    let set = response.headers_mut();
    let mut put = |name: HeaderName, value: &'static str| set.insert(name, HeaderValue::from_static(value));
    put(CONTENT_TYPE, content_type(name));
    put(CACHE_CONTROL, if is_hashed(name) { "public, max-age=31536000, immutable" } else { "no-cache" });
    put(VARY, "accept-encoding");
    match coding {
        Some("br") => put(CONTENT_ENCODING, "br"),
        Some(_) => put(CONTENT_ENCODING, "gzip"),
        None => None,
    };
    Some(response)
}

/// Whether `Accept-Encoding` takes a coding (RFC 9110 §12.5.3).
fn accepts(header: &str, coding: &str) -> bool {
    header.split(',').any(|entry| {
        let mut parts = entry.split(';');
        let name = parts.next().unwrap_or_default().trim();
        let refused = parts.any(|part| {
            part.trim().strip_prefix("q=").and_then(|q| q.trim().parse::<f32>().ok()).is_some_and(|q| q <= 0.0)
        });
        name.eq_ignore_ascii_case(coding) && !refused
    })
}

/// Whether the name holds the hash of the content: `app-1f2e3d4c5b6a7988.js`. Such a file never changes.
fn is_hashed(name: &str) -> bool {
    let stem = name.rsplit('/').next().and_then(|last| last.split('.').next()).unwrap_or_default();
    let digits = |part: &str| part.len() >= 12 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    stem.rsplit_once('-').is_some_and(|(_, hash)| digits(hash.trim_end_matches("_bg")))
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("json") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("wav") => "audio/wav",
        Some("txt") => "text/plain; charset=utf-8",
        Some(_) | None => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashed_names_are_kept_for_ever_and_no_others() {
        assert!(is_hashed("cordboard-frontend-0123456789abcdef.js"));
        assert!(is_hashed("snippets/x-0123456789abcdef.wasm"));
        for plain in ["index.html", "favicon.svg", "cordboard-frontend.js", "a-b.css"] {
            assert!(!is_hashed(plain), "{plain}");
        }
    }

    #[test]
    fn codings_are_taken_as_the_browser_says() {
        assert!(accepts("gzip, deflate, br, zstd", "br"));
        assert!(accepts("gzip;q=0.8, br;q=1.0", "br"));
        assert!(!accepts("gzip, br;q=0", "br"));
        assert!(!accepts("", "gzip"));
        assert!(!accepts("bridge", "br"));
    }

    #[test]
    fn the_best_coding_the_browser_takes_is_served_under_the_plain_type() {
        let files =
            ["a-0123456789abcdef.wasm", "a-0123456789abcdef.wasm.br", "a-0123456789abcdef.wasm.gz", "index.html"];
        let get = |name: &str| files.contains(&name).then(|| Cow::Owned(name.as_bytes().to_vec()));
        let coding = |name: &str, accepted: &'static str| {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(accepted))]);
            let response = file_of(name, &headers, get).unwrap();
            assert!(response.headers().contains_key(VARY));
            let coding = response.headers().get(CONTENT_ENCODING).map(|value| value.to_str().unwrap().to_owned());
            (coding, response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned())
        };
        let wasm = || "application/wasm".to_owned();

        assert_eq!(coding(files[0], "gzip, br"), (Some("br".to_owned()), wasm()));
        assert_eq!(coding(files[0], "gzip"), (Some("gzip".to_owned()), wasm()));
        assert_eq!(coding(files[0], "identity"), (None, wasm()));
        assert_eq!(coding("index.html", "br").0, None);
        assert!(file_of(files[1], &HeaderMap::new(), get).is_none());
    }

    #[test]
    fn management_has_a_page_of_its_own() {
        for path in ["manage", "manage/team", "manage/routing/support"] {
            assert_eq!(page_of(path), MANAGE, "{path}");
        }
        for path in ["", "calls", "management"] {
            assert_eq!(page_of(path), INDEX, "{path}");
        }
    }

    #[tokio::test]
    async fn unknown_api_paths_are_no_pages_and_missing_files_are_missing() {
        let status = async |method: Method, path: &'static str| {
            serve(method, Uri::from_static(path), HeaderMap::new()).await.status()
        };

        assert_eq!(status(Method::GET, "/core/nothing").await, 404);
        assert_eq!(status(Method::GET, "/core").await, 404);
        assert_eq!(status(Method::GET, "/missing.js").await, 404);
        assert_eq!(status(Method::GET, "/../Cargo.toml").await, 404);
        assert_eq!(status(Method::POST, "/calls").await, 405);
        // A page, or the one that says how to build it.
        let page = serve(Method::GET, Uri::from_static("/calls"), HeaderMap::new()).await;
        assert!(page.headers()[CONTENT_TYPE].to_str().unwrap().starts_with("text/html"));
    }
}
