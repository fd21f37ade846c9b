//! `GET /core/recordings/{id}`: a recording for who may see its call, whole or in part (RFC 9110 §14).

use std::io::SeekFrom;
use std::path::{Component, Path as FilePath};

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, RANGE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use cordboard_shared::ProblemCode;
use cordboard_shared::id::RecordingId;
use futures_util::stream;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::calls;
use crate::http::{ApiError, Caller, HttpState};

/// Bytes read from the file at once.
const CHUNK: usize = 65_536;

/// Which bytes are asked for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    /// From the first to the last, both included.
    Part(u64, u64),
    Unsatisfiable,
}

/// Serves the file; a browser's player asks for parts of it.
pub(in crate::http) async fn show(
    State(state): State<HttpState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    caller.count_read(&state)?;
    let id: RecordingId = id.parse().map_err(|_| not_found())?;
    let recording = state.store.recording(caller.account, id).await?.ok_or_else(not_found)?;
    calls::visible(&state, &caller, &recording.call.to_string()).await.map_err(|_| not_found())?;

    let relative = FilePath::new(&recording.path);
    // Names are made by the server; a row that points elsewhere is damage, not a file to serve.
    if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(not_found());
    }
    serve(&state.config.recordings_dir.join(relative), &recording.sha256, &headers).await
}

/// A file that never changes, whole or in part; `sha256` is its tag.
pub(super) async fn serve(path: &FilePath, sha256: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
    let mut file = File::open(path).await.map_err(|error| {
        tracing::error!(path = %path.display(), %error, "a file of sound cannot be opened");
        ApiError::new(ProblemCode::NotFound, "The file of this recording is missing.")
    })?;
    let length = file.metadata().await.map_err(|_| not_found())?.len();

    let (status, first, count) = match wanted(headers.get(RANGE), length) {
        Wanted::All => (StatusCode::OK, 0, length),
        Wanted::Part(first, last) => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        Wanted::Unsatisfiable => {
            let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
            insert(&mut response, CONTENT_RANGE, &format!("bytes */{length}"));
            return Ok(response);
        }
    };
    file.seek(SeekFrom::Start(first)).await.map_err(|_| not_found())?;
    let mut response = Response::new(stream(file, count));
    *response.status_mut() = status;
    insert(&mut response, CONTENT_TYPE, content_type(path));
    insert(&mut response, CONTENT_LENGTH, &count.to_string());
    insert(&mut response, ACCEPT_RANGES, "bytes");
    insert(&mut response, ETAG, &format!("\"{sha256}\""));
    // It never changes, and it is nobody else's.
    insert(&mut response, CACHE_CONTROL, "private, max-age=3600, immutable");
    if status == StatusCode::PARTIAL_CONTENT {
        insert(&mut response, CONTENT_RANGE, &format!("bytes {first}-{}/{length}", first + count - 1));
    }
    Ok(response)
}

/// One range is served; several, or an unknown unit, get the whole file, as the RFC allows.
fn wanted(range: Option<&HeaderValue>, length: u64) -> Wanted {
    let Some(spec) = range.and_then(|value| value.to_str().ok()).and_then(|text| text.strip_prefix("bytes=")) else {
        return Wanted::All;
    };
    let Some((first, last)) = spec.split_once('-').filter(|_| !spec.contains(',')) else { return Wanted::All };
    match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), _) if first >= length => Wanted::Unsatisfiable,
        (Ok(first), Ok(last)) if last < first => Wanted::All,
        (Ok(first), Ok(last)) => Wanted::Part(first, last.min(length - 1)),
        (Ok(first), Err(_)) if last.trim().is_empty() => Wanted::Part(first, length - 1),
        (Err(_), Ok(0)) if first.trim().is_empty() => Wanted::Unsatisfiable,
        (Err(_), Ok(suffix)) if first.trim().is_empty() && length > 0 => {
            Wanted::Part(length.saturating_sub(suffix), length - 1)
        }
        (Ok(_) | Err(_), Ok(_) | Err(_)) => Wanted::All,
    }
}

fn stream(file: File, count: u64) -> Body {
    Body::from_stream(stream::unfold((file, count), |(mut file, left)| async move {
        if left == 0 {
            return None;
        }
        let mut chunk = vec![0; CHUNK.min(usize::try_from(left).unwrap_or(CHUNK))];
        match file.read(&mut chunk).await {
            Ok(0) => None,
            Ok(read) => {
                chunk.truncate(read);
                Some((Ok(Bytes::from(chunk)), (file, left - read as u64)))
            }
            Err(error) => Some((Err(error), (file, 0))),
        }
    }))
}

fn content_type(path: &FilePath) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("wav") => "audio/wav",
        Some("ogg" | "opus") => "audio/ogg",
        Some(_) | None => "application/octet-stream",
    }
}

fn insert(response: &mut Response, name: axum::http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn not_found() -> ApiError {
    ApiError::new(ProblemCode::NotFound, "There is no such recording, or it is not yours to hear.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_file() {
        let check = |range: &'static str, length| wanted(Some(&HeaderValue::from_static(range)), length);

        assert_eq!(wanted(None, 100), Wanted::All);
        assert_eq!(check("bytes=0-", 100), Wanted::Part(0, 99));
        assert_eq!(check("bytes=10-19", 100), Wanted::Part(10, 19));
        assert_eq!(check("bytes=90-200", 100), Wanted::Part(90, 99));
        assert_eq!(check("bytes=-10", 100), Wanted::Part(90, 99));
        assert_eq!(check("bytes=-200", 100), Wanted::Part(0, 99));
        assert_eq!(check("bytes=100-", 100), Wanted::Unsatisfiable);
        assert_eq!(check("bytes=-0", 100), Wanted::Unsatisfiable);
        assert_eq!(check("bytes=0-", 0), Wanted::Unsatisfiable);
        for whole in ["bytes=5-3", "bytes=a-b", "bytes=0-1,5-6", "lines=1-2", "bytes=5", "bytes=-"] {
            assert_eq!(check(whole, 100), Wanted::All, "{whole}");
        }
    }
}
