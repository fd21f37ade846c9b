//! Request bodies: content type, size and time limits, then JSON into a type.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use cordboard_shared::ProblemCode;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::{ApiError, HttpState, MAX_BODY};

/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Deepest nesting of a body.
const MAX_DEPTH: usize = 64;

/// A JSON body read into a type.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<HttpState> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &HttpState) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        check_content_type(&parts.headers)?;
        parse(&read(body).await?).map(Self)
    }
}

/// Reads JSON into a type; a member that does not fit is named by its JSON pointer. Unknown members are ignored.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if is_too_deep(bytes) {
        let detail = format!("The body is nested more than {MAX_DEPTH} levels deep.");
        return Err(ApiError::new(ProblemCode::MalformedJson, detail));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let pointer = pointer(error.path());
        refusal(error.inner(), &pointer)
    })?;
    reader.end().map_err(|error| refusal(&error, ""))?;
    Ok(value)
}

/// Whether brackets outside of strings are nested too deeply, in members that nobody reads, too.
fn is_too_deep(bytes: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in bytes {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'[' | b'{') => depth += 1,
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            (true | false, _) => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

/// A body that may be left out.
pub(super) async fn optional<T: DeserializeOwned + Default>(headers: &HeaderMap, body: Body) -> Result<T, ApiError> {
    let bytes = read(body).await?;
    if bytes.is_empty() {
        return Ok(T::default());
    }
    check_content_type(headers)?;
    parse(&bytes)
}

fn refusal(error: &serde_json::Error, pointer: &str) -> ApiError {
    match error.classify() {
        Category::Data => ApiError::new(ProblemCode::InvalidField, format!("The body does not fit: {error}."))
            .with("pointer", pointer.to_owned()),
        Category::Syntax | Category::Eof | Category::Io => {
            ApiError::new(ProblemCode::MalformedJson, format!("The body is not JSON: {error}."))
        }
    }
}

/// RFC 6901.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let segments = path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.replace('~', "~0").replace('/', "~1")),
        // Names a variant of ours, not a member of the body.
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    segments.flat_map(|segment| ["/".to_owned(), segment]).collect()
}

/// A field that is wrong in itself.
pub(super) fn invalid_field(pointer: &str, detail: &str) -> ApiError {
    ApiError::new(ProblemCode::InvalidField, format!("{detail} Nothing was changed.")).with("pointer", pointer)
}

/// Text of at least one character that says something, and of at most so many.
pub(super) fn check_text(text: &str, pointer: &str, longest: usize) -> Result<(), ApiError> {
    if !text.trim().is_empty() && text.chars().count() <= longest {
        return Ok(());
    }
    Err(invalid_field(pointer, &format!("{} is text of 1 to {longest} characters.", pointer.trim_start_matches('/'))))
}

/// Refuses any content type but `application/json`, with or without its charset.
pub(super) fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let found = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = found.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(ApiError::new(ProblemCode::UnsupportedMediaType, "The content type of the body is application/json."))
}

/// Reads a body within the limits of size and time.
pub(super) async fn read(body: Body) -> Result<Bytes, ApiError> {
    match tokio::time::timeout(BODY_TIME, axum::body::to_bytes(body, MAX_BODY)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_length_limit(&error) => {
            Err(ApiError::new(ProblemCode::TooLarge, "The body is longer than 1 MB."))
        }
        Ok(Err(_)) => Err(ApiError::new(ProblemCode::InvalidRequest, "The body ended early.")),
        Err(_) => Err(ApiError::new(ProblemCode::InvalidRequest, "The body took longer than 10 seconds to arrive.")),
    }
}

fn is_length_limit(error: &axum::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains("length limit exceeded") {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_passes_with_or_without_a_charset() {
        let verdict = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, value.parse().unwrap());
            check_content_type(&headers).is_ok()
        };

        assert!(verdict("application/json"));
        assert!(verdict("Application/JSON; charset=utf-8"));
        assert!(!verdict("text/plain"));
        assert!(!verdict("application/x-www-form-urlencoded"));
        assert!(!verdict("application/jsonp"));
        assert!(check_content_type(&HeaderMap::new()).is_err());
    }

    #[test]
    fn what_does_not_fit_is_pointed_at() {
        #[derive(Debug, serde::Deserialize)]
        struct Item {
            #[expect(dead_code, reason = "only read")]
            n: u8,
        }
        #[derive(Debug, serde::Deserialize)]
        struct Whole {
            #[serde(rename = "a/b")]
            items: Vec<Item>,
        }

        assert_eq!(parse::<Whole>(br#"{"a/b":[{"n":1,"new":2}],"x":[]}"#).unwrap().items.len(), 1);
        let refused = parse::<Whole>(br#"{"a/b":[{"n":1},{"n":300}]}"#).unwrap_err();
        assert_eq!(refused.problem().status, 422);
        assert_eq!(refused.problem().more["pointer"], "/a~1b/1/n");
        let deep = "[".repeat(100_000);
        for (body, status) in [("{", 400), ("{\"a/b\":[]}x", 400), (deep.as_str(), 400), ("{}", 422)] {
            assert_eq!(parse::<Whole>(body.as_bytes()).unwrap_err().problem().status, status, "{body:.20}");
        }
        let unread = format!("{{\"x\":{deep},\"a/b\":[]}}");
        assert_eq!(parse::<Whole>(unread.as_bytes()).unwrap_err().problem().status, 400);
        let brackets_in_text = format!("{{\"x\":\"\\\"{deep}\",\"a/b\":[]}}");
        assert!(parse::<Whole>(brackets_in_text.as_bytes()).is_ok());
    }

    #[tokio::test]
    async fn a_long_body_is_refused_by_name() {
        let refused = read(Body::from(vec![b' '; MAX_BODY + 1])).await.unwrap_err();

        assert_eq!(refused.problem().status, 413);
        assert_eq!(read(Body::from("{}")).await.unwrap(), "{}");
    }
}
