//! Refusals: a problem with the headers of its case. The envelope writes it, since it knows the request's id.

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use cordboard_shared::{Problem, ProblemCode};

use crate::store::StoreError;

/// A refusal on its way to the caller.
#[derive(Debug)]
pub struct ApiError {
    problem: Problem,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl ApiError {
    /// A refusal of this kind with its sentence.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Problem::new(code, detail).into()
    }

    /// Adds a member of the case.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.problem = self.problem.with(name, value);
        self
    }

    /// The same about a part of a larger body: the pointer begins at its top.
    #[must_use]
    pub(super) fn below(mut self, place: &str) -> Self {
        if let Some(serde_json::Value::String(pointer)) = self.problem.more.get_mut("pointer") {
            pointer.insert_str(0, place);
        }
        self
    }

    /// Adds headers, such as those of a rate limit.
    #[must_use]
    pub(super) fn with_headers(mut self, headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>) -> Self {
        self.headers.extend(headers);
        self
    }

    /// The problem it tells.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self { problem, headers: Vec::new() }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the store failed a request");
        Self::new(ProblemCode::StoreUnavailable, "The database does not answer. Nothing was changed; try again.")
            .with("retry_after", 1)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.headers_mut().extend(self.headers);
        response.extensions_mut().insert(self.problem);
        response
    }
}
