//! A request that carries the edge's signature, checked before anything else is read from it.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use cordboard_shared::ProblemCode;
use cordboard_shared::edge::signature::{
    EDGE_KEY_ID, ID_HEADER, PublicKeys, SIGNATURE_HEADER, SignatureError, SignedHeaders, TIME_HEADER, verify_request,
};

use crate::http::{ApiError, HttpState, body};

/// The body of a request of the edge's.
pub(super) struct Signed(pub(super) Bytes);

impl FromRequest<HttpState> for Signed {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &HttpState) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        let body = body::read(body).await?;
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let verdict = match (state.config.edge_public_key, signed_headers(&parts.headers)) {
            (Some(key), Some(headers)) => {
                let keys = PublicKeys::of(EDGE_KEY_ID, key);
                verify_request(&keys, headers, parts.method.as_str(), path, &body, state.clock.now())
            }
            (None, _) => Err(SignatureError::UnknownKey),
            (_, None) => Err(SignatureError::Malformed),
        };
        match verdict {
            Ok(()) => Ok(Self(body)),
            Err(error) => {
                tracing::warn!(%error, "refused a request in the edge's name");
                Err(ApiError::new(ProblemCode::InvalidToken, "The edge's signature is missing, wrong or too old."))
            }
        }
    }
}

fn signed_headers(headers: &HeaderMap) -> Option<SignedHeaders<'_>> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    Some(SignedHeaders { id: text(ID_HEADER)?, time: text(TIME_HEADER)?, signature: text(SIGNATURE_HEADER)? })
}
