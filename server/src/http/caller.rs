//! Who asks: a signed-in panel by its cookie, or a token.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use cordboard_shared::agent::{Actor, Role};
use cordboard_shared::id::{AccountId, AgentId, DepartmentId, SessionId, TokenId};
use cordboard_shared::token::{self, TokenClaims, TokenError};
use cordboard_shared::{Millis, ProblemCode};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::cookie::SessionSecret;
use super::limit::{Key, Left};
use super::{ApiError, HttpState, origin};
use crate::rights;
use crate::store::SessionRow;

/// A sign-in's last activity is stored at most so often, in milliseconds: not a write per request.
const TOUCH_EVERY_MS: u64 = 60_000;

/// Who asks, and what they may do.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The account.
    pub account: AccountId,
    /// The person, or the one the token acts for.
    pub agent: AgentId,
    /// Their name.
    pub name: String,
    /// Their role.
    pub role: Role,
    /// What they may do: of a token, no more than its owner.
    pub scopes: Vec<&'static str>,
    /// By cookie or token.
    pub kind: CallerKind,
}

/// By cookie or token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallerKind {
    /// A signed-in panel.
    Session(SessionId),
    /// A token and its name.
    Token(TokenId, String),
}

impl Caller {
    /// Whether they may do this.
    pub fn has(&self, scope: &str) -> bool {
        self.scopes.contains(&scope)
    }

    /// Refuses who may not do this.
    pub fn require(&self, scope: &'static str) -> Result<(), ApiError> {
        if self.has(scope) { Ok(()) } else { Err(missing_right(scope)) }
    }

    /// Who set something, as the record shows it.
    pub fn actor(&self) -> Actor {
        match &self.kind {
            CallerKind::Session(_) => Actor::user(self.agent, self.name.clone()),
            CallerKind::Token(id, name) => Actor::token(*id, name.clone()),
        }
    }

    /// The sign-in a live socket hangs on; a token stands for itself.
    pub(super) fn session(&self) -> SessionId {
        match &self.kind {
            CallerKind::Session(id) => *id,
            CallerKind::Token(id, _) => SessionId(id.0),
        }
    }

    /// The departments whose people and calls they answer for; none means every one.
    pub(super) fn departments(&self, state: &HttpState) -> Option<Vec<DepartmentId>> {
        let directory = state.app.directory();
        match self.role {
            Role::Owner | Role::Admin => None,
            Role::Manager | Role::Agent => {
                let departments = directory.departments.iter().map(|department| department.id);
                Some(departments.filter(|id| directory.works_in(self.agent, *id)).collect())
            }
        }
    }

    /// Counts a write.
    pub(super) fn count_write(&self, state: &HttpState) -> Result<Left, ApiError> {
        state.limiter.take(Key::Writes(self.principal()), &state.config.limits, state.clock.now())
    }

    /// Whether the next write would be refused.
    pub(super) fn has_no_write_left(&self, state: &HttpState) -> bool {
        let left = state.limiter.look(&Key::Writes(self.principal()), &state.config.limits, state.clock.now());
        left.is_some_and(|left| left.remaining == 0)
    }

    /// Counts a read of one thing.
    pub(super) fn count_read(&self, state: &HttpState) -> Result<Left, ApiError> {
        state.limiter.take(Key::Reads(self.principal()), &state.config.limits, state.clock.now())
    }

    /// Counts a read of a list.
    pub(super) fn count_list(&self, state: &HttpState) -> Result<Left, ApiError> {
        state.limiter.take(Key::Lists(self.principal()), &state.config.limits, state.clock.now())
    }

    /// The sign-in or token that limits and keys are counted by.
    pub(super) fn principal(&self) -> Uuid {
        self.session().0
    }
}

/// Refusal of what the caller may not do.
pub(super) fn missing_right(scope: &'static str) -> ApiError {
    ApiError::new(ProblemCode::MissingRight, format!("This needs the right {scope}. Nothing was changed."))
        .with("right", scope)
}

impl FromRequestParts<HttpState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Self::Rejection> {
        // Found out already, by what stands around the handler.
        if let Some(caller) = parts.extensions.get::<Self>() {
            return Ok(caller.clone());
        }
        if let Some(value) = parts.headers.get(AUTHORIZATION) {
            let token = value.to_str().ok().and_then(bearer).ok_or_else(invalid_token)?;
            return caller_of_token(state, token).await;
        }
        if SessionSecret::from_headers(&parts.headers).is_none() {
            return Err(ApiError::new(
                ProblemCode::InvalidToken,
                "Send a token as Authorization: Bearer, or sign in to the panel.",
            ));
        }
        // A page elsewhere can make a browser send the cookie: reads give it nothing, writes need a page of ours.
        let reads = matches!(parts.method, Method::GET | Method::HEAD);
        if !reads {
            origin::require_own(&parts.headers, &state.config.allowed_origins)?;
        }
        caller_of_cookie(state, &parts.headers).await
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn invalid_token() -> ApiError {
    ApiError::new(ProblemCode::InvalidToken, "The token is missing, wrong, expired or revoked.")
}

fn signed_out() -> ApiError {
    ApiError::new(ProblemCode::SignedOut, "Nobody is signed in, or the sign-in has ended. Sign in again.")
}

/// The caller behind the session cookie; notes the activity.
pub(super) async fn caller_of_cookie(state: &HttpState, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let session = session_of_cookie(state, headers).await?;
    let directory = state.app.directory();
    let profile = directory.agents.get(&session.agent).filter(|_| session.account == directory.account);
    let profile = profile.ok_or_else(signed_out)?;
    Ok(Caller {
        account: session.account,
        agent: session.agent,
        name: profile.name.clone(),
        role: profile.role,
        scopes: rights::of_role(profile.role).to_vec(),
        kind: CallerKind::Session(session.id),
    })
}

/// The sign-in behind the session cookie; notes the activity.
pub(super) async fn session_of_cookie(state: &HttpState, headers: &HeaderMap) -> Result<SessionRow, ApiError> {
    let secret = SessionSecret::from_headers(headers).ok_or_else(signed_out)?;
    let now = state.clock.now();
    let active_after = now - idle_ms(state);
    let session = state.store.session(&secret.hash(), active_after).await?.ok_or_else(signed_out)?;
    if now.since(session.seen_at) >= TOUCH_EVERY_MS {
        state.store.touch_session(session.id, now).await?;
    }
    Ok(session)
}

/// A sign-in ends after so many milliseconds without activity.
pub(super) fn idle_ms(state: &HttpState) -> u64 {
    u64::from(state.config.limits.session_idle_minutes) * 60_000
}

/// Tokens whose signature was checked, by their hash: the check costs more than all the rest of a request. Clones share
/// them.
#[derive(Clone, Debug, Default)]
pub(super) struct Verified(Arc<Mutex<HashMap<[u8; 32], Arc<TokenClaims>>>>);

/// Most of them kept; then all are checked anew.
const MOST_VERIFIED: usize = 4_096;

impl Verified {
    /// What the token with this hash says, checked now or before. Its end counts each time.
    fn claims(
        &self,
        secret: &[u8; 32],
        now: Millis,
        verify: impl FnOnce() -> Result<TokenClaims, TokenError>,
    ) -> Result<Arc<TokenClaims>, TokenError> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(secret).cloned();
        if let Some(claims) = known {
            return if now.0 / 1_000 < claims.exp { Ok(claims) } else { Err(TokenError::Expired) };
        }
        let claims = Arc::new(verify()?);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_VERIFIED {
            known.clear();
        }
        known.insert(*secret, claims.clone());
        Ok(claims)
    }
}

/// The caller behind a token: signed by us, known, neither ended nor revoked.
pub async fn caller_of_token(state: &HttpState, text: &str) -> Result<Caller, ApiError> {
    let now = state.clock.now();
    let secret: [u8; 32] = Sha256::digest(text).into();
    let claims = state.verified.claims(&secret, now, || token::verify(text, |kid| state.keys.token_key(kid), now));
    let claims = claims.map_err(|_| invalid_token())?;
    let row = state.store.token(claims.tid).await?.ok_or_else(invalid_token)?;
    let directory = state.app.directory();
    // The signature is the proof; the hash ties it to the row, so that neither alone is enough.
    let known = row.secret == secret && row.agent == claims.sub && row.account == claims.acct;
    let alive = row.revoked_at.is_none() && now < row.expires_at && row.account == directory.account;
    let profile = directory.agents.get(&row.agent).filter(|_| known && alive).ok_or_else(invalid_token)?;
    let of_role = rights::of_role(profile.role);
    Ok(Caller {
        account: row.account,
        agent: row.agent,
        name: profile.name.clone(),
        role: profile.role,
        scopes: of_role.iter().copied().filter(|scope| claims.has_scope(scope)).collect(),
        kind: CallerKind::Token(row.id, row.name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        assert_eq!(bearer("Bearer ccp1.a.b"), Some("ccp1.a.b"));
        assert_eq!(bearer("bearer  ccp1.a.b "), Some("ccp1.a.b"));
        assert_eq!(bearer("Basic ccp1.a.b"), None);
        assert_eq!(bearer("ccp1.a.b"), None);
    }
}
