//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a write repeated with its key has no second effect.
//!
//! Answers are kept for 24 hours per token or sign-in, in memory and in the table `idempotency`. A change of a fact costs
//! no commit of its own for its key: those keys follow within a quarter of a second, many in one statement. What a crash
//! can take with it are the keys of that last moment, and nothing that was changed: a fact set again to what it is changes
//! nothing, and an intent number or `If-Match` refuses what came too late. Where doing it twice would differ from doing
//! it once (a test call, an emergency route, a batch, a message), the key is on disk before the work begins; if the
//! server stops meanwhile, the repeat is told that the outcome is not known.
//!
//! Work with a key goes on when its caller hangs up, so that the repeat meets its answer.

mod kept;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use cordboard_shared::presence::headers;
use cordboard_shared::{Millis, Problem, ProblemCode};
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::{ApiError, Caller, HttpState, MAX_BODY, body};
use crate::store::{KeptAnswer, KeyRow, Store, StoreError};
use kept::{Found, Kept};

/// The caller's key.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// On an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Headers that belong to an answer and are given again with it.
const KEPT_HEADERS: [HeaderName; 4] = [CONTENT_TYPE, ETAG, LOCATION, HeaderName::from_static("x-presence-revision")];
/// How long an answer is kept, in milliseconds.
pub(super) const KEPT_MS: u64 = 24 * 3_600_000;
/// Keys that are read back at a start.
const LOADED: u32 = 50_000;
/// Keys of facts are written so long after the first of them.
const WRITE_AFTER: Duration = Duration::from_millis(250);
/// Wait before the next try when the database did not answer.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// Tries before keys that cannot be written are given up; they stay in memory.
const TRIES: u32 = 10;

/// The keys in use. Cheap to clone.
#[derive(Clone)]
pub(super) struct Keys(Arc<Inner>);

struct Inner {
    store: Store,
    loaded: OnceCell<()>,
    kept: Mutex<Kept>,
}

/// A request with its key, on its way.
struct Keyed {
    principal: Uuid,
    key: String,
    fingerprint: [u8; 32],
    at: Millis,
    /// Whether the key is on disk before the work begins.
    strict: bool,
}

/// Around every request: one without a key, or that changes nothing, passes untouched.
pub(super) async fn guard(State(state): State<HttpState>, request: Request, next: Next) -> Response {
    let covered = covers(request.method(), request.uri().path());
    match request.headers().get(KEY).filter(|_| covered).cloned() {
        Some(key) => run(state, key, request, next).await.unwrap_or_else(ApiError::into_response),
        None => next.run(request).await,
    }
}

async fn run(state: HttpState, key: HeaderValue, request: Request, next: Next) -> Result<Response, ApiError> {
    let key = headers::key(key.to_str().unwrap_or_default())?;
    let (mut parts, content) = request.into_parts();
    let caller = Caller::from_request_parts(&mut parts, &state).await?;
    let content = body::read(content).await?;
    let keyed = Keyed {
        principal: caller.principal(),
        key,
        fingerprint: fingerprint(&parts.method, parts.uri.path_and_query().map_or("", |path| path.as_str()), &content),
        at: state.clock.now(),
        strict: parts.method == Method::POST && differs_twice(parts.uri.path()),
    };
    let keys = state.keys_used.clone();
    keys.load(keyed.at).await?;
    let found = keys.kept().begin(keyed.principal, &keyed.key, keyed.fingerprint, keyed.at);
    match found {
        // Who may write no more now is told so before anything is put on disk for them.
        Found::New if keyed.strict && caller.has_no_write_left(&state) => {
            keys.kept().release(keyed.principal, &keyed.key);
            caller.count_write(&state)?;
            return Err(ApiError::new(
                ProblemCode::RateLimited,
                "Too many requests of this kind. Try again in a moment.",
            )
            .with("retry_after", 1));
        }
        Found::New => {}
        Found::Answered(answer) => {
            let left = caller.count_read(&state)?;
            let mut response = replay(&answer);
            response.headers_mut().extend(left.headers());
            return Ok(response);
        }
        Found::Running => {
            return Err(ApiError::new(
                ProblemCode::StillRunning,
                "A request with this key is still being carried out. Wait for its answer, or ask again in a moment.",
            )
            .with("retry_after", 1));
        }
        Found::Unknown => {
            return Err(ApiError::new(
                ProblemCode::OutcomeUnknown,
                "The server stopped while a request with this key was carried out. See whether it took effect, and \
                 send it again with a new key if it did not.",
            ));
        }
        Found::Other => {
            return Err(ApiError::new(
                ProblemCode::IdempotencyKeyReuse,
                "This key was used for another request. Nothing was changed; take a new key for each request.",
            ));
        }
    }

    // The caller is known: the handler need not find out again.
    parts.extensions.insert(caller);
    let request = Request::from_parts(parts, Body::from(content));
    // On its own, so that a caller who hangs up does not cut it short.
    let work = tokio::spawn(async move { keys.carry_out(keyed, request, next).await });
    match work.await {
        Ok(response) => response,
        Err(_) => {
            Err(ApiError::new(ProblemCode::Internal, "Something failed on our side. See whether it took effect."))
        }
    }
}

impl Keys {
    pub(super) fn new(store: Store) -> Self {
        Self(Arc::new(Inner { store, loaded: OnceCell::new(), kept: Mutex::default() }))
    }

    /// Writes keys that are not on disk yet.
    pub(super) async fn flush(&self) {
        if let Err(error) = self.write().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the last keys of requests could not be written");
        }
    }

    async fn load(&self, now: Millis) -> Result<(), StoreError> {
        let load = || async {
            let rows = self.0.store.keys_since(now - KEPT_MS, LOADED).await?;
            let mut kept = self.kept();
            for row in rows {
                kept.restore(row);
            }
            Ok(())
        };
        self.0.loaded.get_or_try_init(load).await.map(|&()| ())
    }

    async fn carry_out(&self, keyed: Keyed, request: Request, next: Next) -> Result<Response, ApiError> {
        // A panic in the work lets go of the key, too.
        let mut hold = Hold { keys: self, keyed: &keyed, settled: false };
        if keyed.strict {
            self.0.store.save_keys(&[row_of(&keyed, None)]).await?;
        }
        let (response, answer) = keep(next.run(request).await).await;
        match answer.filter(|answer| is_kept(answer.status)) {
            Some(answer) => {
                hold.settled = true;
                if keyed.strict {
                    if let Err(error) = self.0.store.save_keys(&[row_of(&keyed, Some(answer.clone()))]).await {
                        tracing::warn!(error = &error as &dyn std::error::Error, "the answer to a key is not on disk");
                    }
                    self.kept().end(keyed.principal, &keyed.key, answer, None);
                } else {
                    let row = row_of(&keyed, Some(answer.clone()));
                    let first = self.kept().end(keyed.principal, &keyed.key, answer, Some(row));
                    if first {
                        self.write_soon();
                    }
                }
            }
            None if keyed.strict => {
                if let Err(error) = self.0.store.forget_keys(&[(keyed.principal, keyed.key.clone())]).await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a key that is free again is still on disk"
                    );
                }
            }
            None => {}
        }
        drop(hold);
        Ok(response)
    }

    fn write_soon(&self) {
        let keys = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(WRITE_AFTER).await;
            for _ in 0..TRIES {
                match keys.write().await {
                    Ok(()) => return,
                    Err(error) => {
                        tracing::debug!(
                            error = &error as &dyn std::error::Error,
                            "keys of requests wait for the database"
                        );
                        tokio::time::sleep(TRY_AGAIN).await;
                    }
                }
            }
            keys.kept().give_up();
        });
    }

    async fn write(&self) -> Result<(), StoreError> {
        let (rows, gone) = self.kept().take_unwritten();
        let written = async {
            self.0.store.save_keys(&rows).await?;
            self.0.store.forget_keys(&gone).await
        };
        let written = written.await;
        if written.is_err() {
            self.kept().put_back(rows, gone);
        }
        written
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // The keys are whole between any two of their methods, so a panic elsewhere does not spoil them.
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets go of a key whose work came to nothing that is kept.
struct Hold<'k> {
    keys: &'k Keys,
    keyed: &'k Keyed,
    settled: bool,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.keys.kept().release(self.keyed.principal, &self.keyed.key);
        }
    }
}

/// Writes of the API; signing in has no caller yet, and its answers are secrets.
fn covers(method: &Method, path: &str) -> bool {
    let writes = *method == Method::POST || *method == Method::PUT || *method == Method::DELETE;
    writes && path.starts_with("/core/") && !path.starts_with("/core/session")
}

/// Whether doing it twice differs from doing it once.
fn differs_twice(path: &str) -> bool {
    let repeatable = path.ends_with("/presence") || path.starts_with("/core/route/") || path == "/core/policy/check";
    !repeatable
}

/// Answers that tell nothing about this request itself are not kept: who asks again may be served.
fn is_kept(status: u16) -> bool {
    status < 500 && !matches!(status, 401 | 403 | 408 | 413 | 415 | 429)
}

fn fingerprint(method: &Method, path: &str, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(method.as_str());
    hash.update([0]);
    hash.update(path);
    hash.update([0]);
    hash.update(body);
    hash.finalize().into()
}

fn row_of(keyed: &Keyed, answer: Option<KeptAnswer>) -> KeyRow {
    KeyRow { principal: keyed.principal, key: keyed.key.clone(), fingerprint: keyed.fingerprint, at: keyed.at, answer }
}

/// The response, and what is kept of it.
async fn keep(response: Response) -> (Response, Option<KeptAnswer>) {
    let (parts, content) = response.into_parts();
    let Ok(content) = axum::body::to_bytes(content, MAX_BODY).await else {
        let lost = ApiError::new(ProblemCode::Internal, "The answer could not be read. See whether it took effect.");
        return (lost.into_response(), None);
    };
    // The envelope writes a problem's body, which names the request; here it is still a value.
    let body = match parts.extensions.get::<Problem>() {
        Some(problem) => serde_json::to_string(problem).ok(),
        None => String::from_utf8(content.to_vec()).ok(),
    };
    let headers = KEPT_HEADERS.into_iter().filter_map(|name| {
        let value = parts.headers.get(&name)?.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    let answer = body.map(|body| KeptAnswer { status: parts.status.as_u16(), headers: headers.collect(), body });
    (Response::from_parts(parts, Body::from(content)), answer)
}

fn replay(answer: &KeptAnswer) -> Response {
    let mut response = match serde_json::from_str::<Problem>(&answer.body) {
        Ok(problem) if answer.status >= 400 => ApiError::from(problem).into_response(),
        Ok(_) | Err(_) => {
            let mut response = Response::new(Body::from(Bytes::from(answer.body.clone())));
            *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
            response
        }
    };
    let kept = answer
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?)));
    response.headers_mut().extend(kept);
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_count_for_writes_of_the_api_that_have_a_caller() {
        assert!(covers(&Method::POST, "/core/presence/batch"));
        assert!(covers(&Method::DELETE, "/core/agents/x/dnd"));
        assert!(!covers(&Method::GET, "/core/calls"));
        assert!(!covers(&Method::POST, "/core/session/token"));
        assert!(!covers(&Method::POST, "/edge/intents"));
    }

    #[test]
    fn a_toggle_waits_for_no_commit_of_its_key() {
        assert!(!differs_twice("/core/agents/x/presence"));
        assert!(differs_twice("/core/test-calls") && differs_twice("/core/presence/batch"));
    }

    #[test]
    fn another_path_or_body_is_another_request() {
        let one = fingerprint(&Method::POST, "/core/a", b"{}");
        assert_eq!(one, fingerprint(&Method::POST, "/core/a", b"{}"));
        for other in [
            fingerprint(&Method::PUT, "/core/a", b"{}"),
            fingerprint(&Method::POST, "/core/b", b"{}"),
            fingerprint(&Method::POST, "/core/a", b"{ }"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn refusals_that_may_pass_are_not_kept() {
        for kept in [200, 201, 204, 404, 409, 412, 422] {
            assert!(is_kept(kept), "{kept}");
        }
        for passing in [401, 403, 413, 429, 500, 503, 504] {
            assert!(!is_kept(passing), "{passing}");
        }
    }
}
