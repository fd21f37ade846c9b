//! Sign-ins and tokens. Secrets are looked up by their SHA-256 and never stored.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use cordboard_shared::Millis;
use cordboard_shared::id::{AccountId, AgentId, SessionId, TokenId};
use sqlx::Row as _;

use super::signal::{Mark, Signal};
use super::{Store, StoreError};

/// What a password is checked against.
#[derive(Clone)]
pub struct Credential {
    /// Whose account.
    pub account: AccountId,
    /// Who.
    pub agent: AgentId,
    /// argon2id in PHC form.
    pub password: String,
}

/// A signed-in panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Its id.
    pub id: SessionId,
    /// Whose account.
    pub account: AccountId,
    /// Who is signed in.
    pub agent: AgentId,
    /// Since when.
    pub created_at: Millis,
    /// Last activity.
    pub seen_at: Millis,
}

/// An API token, or a panel's short token for the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// `tid` of its payload.
    pub id: TokenId,
    /// Whose account.
    pub account: AccountId,
    /// For whom it acts.
    pub agent: AgentId,
    /// The sign-in it ends with.
    pub session: Option<SessionId>,
    /// What people call it.
    pub name: String,
    /// SHA-256 of the whole token.
    pub secret: [u8; 32],
    /// Made at.
    pub created_at: Millis,
    /// Ends at.
    pub expires_at: Millis,
    /// Withdrawn at.
    pub revoked_at: Option<Millis>,
}

/// Longest time a token is believed without another look at its row: for changes of a process that died before it could
/// tell of them, or of somebody who edits the file by hand.
const BELIEVED: Duration = Duration::from_secs(1);
/// Most tokens kept; then all are read anew.
const MOST: usize = 4_096;

/// Tokens as they were read, good until the signal changes.
#[derive(Debug)]
pub(super) struct KnownTokens {
    signal: Signal,
    known: Mutex<HashMap<TokenId, Known>>,
}

#[derive(Debug)]
struct Known {
    row: TokenRow,
    mark: Mark,
    read_at: Instant,
}

impl KnownTokens {
    pub(super) fn new(signal: Signal) -> Self {
        Self { signal, known: Mutex::default() }
    }

    fn get(&self, id: TokenId, mark: Option<Mark>) -> Option<TokenRow> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get(&id).filter(|known| Some(known.mark) == mark && known.read_at.elapsed() < BELIEVED)?;
        Some(known.row.clone())
    }

    /// `mark` was looked at before the row: what was withdrawn in between has raised the signal since.
    fn keep(&self, row: &TokenRow, mark: Option<Mark>) {
        let Some(mark) = mark else { return };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(row.id, Known { row: row.clone(), mark, read_at: Instant::now() });
    }
}

impl Store {
    /// What the password of this sign-in name is checked against.
    pub async fn user_by_email(&self, email: &str) -> Result<Option<Credential>, StoreError> {
        let row = sqlx::query("SELECT id, account, password FROM agent WHERE email = $1")
            .bind(email.trim().to_lowercase())
            .fetch_optional(&self.read)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Credential {
            account: AccountId(row.try_get("account")?),
            agent: AgentId(row.try_get("id")?),
            password: row.try_get("password")?,
        }))
    }

    /// Stores a sign-in.
    pub async fn insert_session(&self, session: &SessionRow, secret: &[u8; 32]) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO session (id, account, agent, secret, created_at, seen_at) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(session.id.0)
        .bind(session.account.0)
        .bind(session.agent.0)
        .bind(secret.as_slice())
        .bind(session.created_at.0)
        .bind(session.seen_at.0)
        .execute(&mut *self.write.turn().await?)
        .await?;
        Ok(())
    }

    /// The sign-in with this secret, if it was active after the given time.
    pub async fn session(&self, secret: &[u8; 32], active_after: Millis) -> Result<Option<SessionRow>, StoreError> {
        let row = sqlx::query(
            "SELECT id, account, agent, created_at, seen_at FROM session WHERE secret = $1 AND seen_at > $2",
        )
        .bind(secret.as_slice())
        .bind(active_after.0)
        .fetch_optional(&self.read)
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(SessionRow {
            id: SessionId(row.try_get("id")?),
            account: AccountId(row.try_get("account")?),
            agent: AgentId(row.try_get("agent")?),
            created_at: Millis(row.try_get("created_at")?),
            seen_at: Millis(row.try_get("seen_at")?),
        }))
    }

    /// Whether a sign-in is still there and was active after the given time.
    pub async fn is_session_active(&self, id: SessionId, active_after: Millis) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM session WHERE id = $1 AND seen_at > $2)")
            .bind(id.0)
            .bind(active_after.0)
            .fetch_one(&self.read)
            .await?)
    }

    /// Notes activity of a sign-in.
    pub async fn touch_session(&self, id: SessionId, now: Millis) -> Result<(), StoreError> {
        sqlx::query("UPDATE session SET seen_at = $2 WHERE id = $1 AND seen_at < $2")
            .bind(id.0)
            .bind(now.0)
            .execute(&mut *self.write.turn().await?)
            .await?;
        Ok(())
    }

    /// Ends a sign-in, and its tokens with it.
    pub async fn delete_session(&self, id: SessionId) -> Result<(), StoreError> {
        let _told = self.tokens.signal.raise_at_end();
        sqlx::query("DELETE FROM session WHERE id = $1").bind(id.0).execute(&mut *self.write.turn().await?).await?;
        Ok(())
    }

    /// Ends every sign-in of a person, and their tokens with them.
    pub async fn delete_sessions_of(&self, agent: AgentId) -> Result<(), StoreError> {
        let _told = self.tokens.signal.raise_at_end();
        sqlx::query("DELETE FROM session WHERE agent = $1")
            .bind(agent.0)
            .execute(&mut *self.write.turn().await?)
            .await?;
        Ok(())
    }

    /// Clears away sign-ins without activity since a time, and panels' tokens that ended before `now`.
    pub async fn expire_sign_ins(&self, inactive_since: Millis, now: Millis) -> Result<(), StoreError> {
        let _told = self.tokens.signal.raise_at_end();
        sqlx::query("DELETE FROM token WHERE session IS NOT NULL AND expires_at < $1")
            .bind(now.0)
            .execute(&mut *self.write.turn().await?)
            .await?;
        sqlx::query("DELETE FROM session WHERE seen_at <= $1")
            .bind(inactive_since.0)
            .execute(&mut *self.write.turn().await?)
            .await?;
        Ok(())
    }

    /// Stores a token.
    pub async fn insert_token(&self, token: &TokenRow) -> Result<(), StoreError> {
        let mut writer = self.write.turn().await?;
        super::account::insert_token(&mut writer, token).await
    }

    /// The token with this `tid`, revoked or not. Read from memory while no handle on this database has withdrawn any.
    pub async fn token(&self, id: TokenId) -> Result<Option<TokenRow>, StoreError> {
        let mark = self.tokens.signal.mark();
        if let Some(row) = self.tokens.get(id, mark) {
            return Ok(Some(row));
        }
        let row = self.read_token(id).await?;
        if let Some(row) = &row {
            self.tokens.keep(row, mark);
        }
        Ok(row)
    }

    async fn read_token(&self, id: TokenId) -> Result<Option<TokenRow>, StoreError> {
        let row = sqlx::query(
            "SELECT id, account, agent, session, name, secret, created_at, expires_at, revoked_at FROM token WHERE id = $1",
        )
        .bind(id.0)
        .fetch_optional(&self.read)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let secret: Vec<u8> = row.try_get("secret")?;
        Ok(Some(TokenRow {
            id: TokenId(row.try_get("id")?),
            account: AccountId(row.try_get("account")?),
            agent: AgentId(row.try_get("agent")?),
            session: row.try_get::<Option<uuid::Uuid>, _>("session")?.map(SessionId),
            name: row.try_get("name")?,
            secret: secret
                .try_into()
                .map_err(|_| StoreError::Corrupt { what: "token", source: "its hash has another length".into() })?,
            created_at: Millis(row.try_get("created_at")?),
            expires_at: Millis(row.try_get("expires_at")?),
            revoked_at: row.try_get::<Option<i64>, _>("revoked_at")?.map(Millis),
        }))
    }

    /// Withdraws a token.
    pub async fn revoke_token(&self, id: TokenId, now: Millis) -> Result<(), StoreError> {
        let _told = self.tokens.signal.raise_at_end();
        sqlx::query("UPDATE token SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
            .bind(id.0)
            .bind(now.0)
            .execute(&mut *self.write.turn().await?)
            .await?;
        Ok(())
    }
}
