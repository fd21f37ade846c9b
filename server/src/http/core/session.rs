//! `/core/session`: signing in and out, who is signed in, and a short token for the edge.

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use cordboard_shared::api::session::{SessionToken, SessionView, SignIn};
use cordboard_shared::id::{SessionId, TokenId};
use cordboard_shared::token::{self, TokenClaims};
use cordboard_shared::{Millis, ProblemCode};
use sha2::{Digest as _, Sha256};

use crate::clock;
use crate::http::caller::{caller_of_cookie, idle_ms, session_of_cookie};
use crate::http::cookie::{self, SessionSecret};
use crate::http::limit::Key;
use crate::http::{ApiError, Caller, CallerKind, HttpState, Peer, body, origin};
use crate::password;
use crate::store::{SessionRow, TokenRow};

/// Life of a panel's token for the edge, in milliseconds.
const TOKEN_MS: u64 = 10 * 60_000;

/// `POST /core/session`
pub(in crate::http) async fn sign_in(
    State(state): State<HttpState>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    body::Json(sign_in): body::Json<SignIn>,
) -> Result<Response, ApiError> {
    // Signing a visitor in to somebody else's account is an attack, too.
    origin::refuse_foreign(&headers, &state.config.allowed_origins)?;
    let now = state.clock.now();
    let limits = &state.config.limits;
    let tries = [Key::PasswordsFrom(peer.ip()), Key::PasswordsFor(key_of_email(&sign_in.email))];
    for key in &tries {
        state.limiter.take(key.clone(), limits, now)?;
    }
    let credential = state.store.user_by_email(&sign_in.email).await?;
    let stored = credential.as_ref().map(|credential| credential.password.clone());
    let right = tokio::task::spawn_blocking(move || password::verify(&sign_in.password, stored.as_deref()))
        .await
        .map_err(|_| ApiError::new(ProblemCode::Internal, "The password could not be checked. Try again."))?;
    let Some(credential) = credential.filter(|_| right) else {
        state.metrics.sign_in_failures.increment();
        return Err(ApiError::new(ProblemCode::WrongCredentials, "The email or the password is wrong. Try again."));
    };
    for key in &tries {
        state.limiter.put_back(key);
    }

    let secret = SessionSecret::new(clock::random());
    let row = SessionRow {
        id: SessionId::new(now, clock::random()),
        account: credential.account,
        agent: credential.agent,
        created_at: now,
        seen_at: now,
    };
    state.store.expire_sign_ins(now - idle_ms(&state), now).await?;
    state.store.insert_session(&row, &secret.hash()).await?;
    state.metrics.sign_ins.increment();
    let view = view(&state, &row)?;
    let mut response = Json(view).into_response();
    if let Some(cookie) = secret.set(&headers) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// `GET /core/session`
pub(in crate::http) async fn show(
    State(state): State<HttpState>,
    headers: HeaderMap,
) -> Result<Json<SessionView>, ApiError> {
    let session = session_of_cookie(&state, &headers).await?;
    view(&state, &session).map(Json)
}

/// `DELETE /core/session`. Signing out twice is no error.
pub(in crate::http) async fn sign_out(
    State(state): State<HttpState>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    origin::require_own(&headers, &state.config.allowed_origins)?;
    if let Ok(session) = session_of_cookie(&state, &headers).await {
        state.store.delete_session(session.id).await?;
        state.app.end_session(session.id).await;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Some(cookie) = cookie::clear(&headers) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// `POST /core/session/token`: a 10-minute token for the edge, with what the role may do. It ends with the sign-in.
pub(in crate::http) async fn token(
    State(state): State<HttpState>,
    headers: HeaderMap,
) -> Result<Json<SessionToken>, ApiError> {
    origin::require_own(&headers, &state.config.allowed_origins)?;
    let caller = caller_of_cookie(&state, &headers).await?;
    caller.count_write(&state)?;
    let now = state.clock.now();
    let expires_at = Millis((now + TOKEN_MS).0 / 1_000 * 1_000);
    let claims = TokenClaims {
        tid: TokenId::new(now, clock::random()),
        acct: caller.account,
        sub: caller.agent,
        scopes: caller.scopes.iter().map(|&scope| scope.to_owned()).collect(),
        iat: now.0 / 1_000,
        exp: expires_at.0 / 1_000,
        kid: state.keys.token.id.to_owned(),
        tg: 1,
    };
    let text = token::sign(&claims, &state.keys.token.signing);
    let row = TokenRow {
        id: claims.tid,
        account: caller.account,
        agent: caller.agent,
        session: session_of(&caller),
        name: format!("Panel of {}", caller.name),
        secret: Sha256::digest(&text).into(),
        created_at: now,
        expires_at,
        revoked_at: None,
    };
    state.store.insert_token(&row).await?;
    Ok(Json(SessionToken { token: text, expires_at, edge_url: state.config.edge_url.clone() }))
}

fn session_of(caller: &Caller) -> Option<SessionId> {
    match &caller.kind {
        CallerKind::Session(id) => Some(*id),
        CallerKind::Token(..) => None,
    }
}

fn view(state: &HttpState, session: &SessionRow) -> Result<SessionView, ApiError> {
    let directory = state.app.directory();
    let user = directory.agents.get(&session.agent).cloned().ok_or_else(|| {
        ApiError::new(ProblemCode::SignedOut, "This person is no longer in the account. Ask an admin.")
    })?;
    Ok(SessionView {
        rights: crate::rights::of_role(user.role).iter().map(|&right| right.to_owned()).collect(),
        user,
        account: directory.name.clone(),
        zone: directory.zone.clone(),
        expires_at: state.clock.now() + idle_ms(state),
    })
}

/// An email as the limiter counts it: one bucket whatever the spelling, and no long keys.
fn key_of_email(email: &str) -> String {
    email.trim().to_lowercase().chars().take(128).collect()
}
