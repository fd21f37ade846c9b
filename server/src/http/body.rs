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

/// A JSON body read into a type.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<HttpState> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &HttpState) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        check_content_type(&parts.headers)?;
        let bytes = read(body).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| match error.classify() {
            Category::Data => ApiError::new(ProblemCode::InvalidField, format!("The body does not fit: {error}.")),
            Category::Syntax | Category::Eof | Category::Io => {
                ApiError::new(ProblemCode::MalformedJson, format!("The body is not JSON: {error}."))
            }
        })
    }
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

    #[tokio::test]
    async fn a_long_body_is_refused_by_name() {
        let refused = read(Body::from(vec![b' '; MAX_BODY + 1])).await.unwrap_err();

        assert_eq!(refused.problem().status, 413);
        assert_eq!(read(Body::from("{}")).await.unwrap(), "{}");
    }
}
