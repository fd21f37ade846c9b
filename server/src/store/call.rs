//! Reading the call log.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cordboard_shared::Millis;
use cordboard_shared::call::CallView;
use cordboard_shared::id::{AccountId, AgentId, CallId, DepartmentId};
use serde_json::Value;
use uuid::Uuid;

use super::{Store, StoreError};

/// Which calls, newest first.
#[derive(Clone, Debug, Default)]
pub struct CallFilter {
    /// Whose.
    pub account: AccountId,
    /// At most so many.
    pub limit: u32,
    /// Older than this one.
    pub before: Option<CallCursor>,
    /// Calls this person took, or stands in a decision of. With `departments`: either is enough.
    pub agent: Option<AgentId>,
    /// Calls of these departments. With `agent`: either is enough. Neither: every call.
    pub departments: Option<Vec<DepartmentId>>,
}

/// A place in the call log. Its text is opaque to callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallCursor {
    /// When the call started.
    pub started_at: Millis,
    /// Which one of those that started then.
    pub uid: CallId,
}

/// The text is no cursor of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor")]
pub struct ParseCursorError;

impl CallCursor {
    /// After every call.
    const END: Self = Self { started_at: Millis(i64::MAX), uid: CallId(Uuid::max()) };
}

impl From<&CallView> for CallCursor {
    fn from(call: &CallView) -> Self {
        Self { started_at: call.started_at, uid: call.uid }
    }
}

impl fmt::Display for CallCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(format!("{}.{}", self.started_at.0, self.uid)))
    }
}

impl FromStr for CallCursor {
    type Err = ParseCursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| ParseCursorError)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| ParseCursorError)?;
        let (started_at, uid) = text.split_once('.').ok_or(ParseCursorError)?;
        Ok(Self {
            started_at: Millis(started_at.parse().map_err(|_| ParseCursorError)?),
            uid: uid.parse().map_err(|_| ParseCursorError)?,
        })
    }
}

impl Store {
    /// A page of the call log.
    #[tracing::instrument(name = "db.call.list", level = "debug", skip_all)]
    pub async fn calls(&self, filter: &CallFilter) -> Result<Vec<CallView>, StoreError> {
        let before = filter.before.unwrap_or(CallCursor::END);
        let departments: Vec<Value> =
            filter.departments.iter().flatten().map(|id| id.0.simple().to_string().into()).collect();
        let bodies: Vec<String> = sqlx::query_scalar(
            "SELECT body FROM call
             WHERE account = $1 AND (started_at, uid) < ($2, $3)
               AND ($4 OR agent = $5
                    OR department IN (SELECT unhex(d.value) FROM json_each($6) d)
                    OR EXISTS (SELECT 1 FROM call_member m WHERE m.call = call.uid AND m.agent = $5))
             ORDER BY started_at DESC, uid DESC LIMIT $7",
        )
        .bind(filter.account.0)
        .bind(before.started_at.0)
        .bind(before.uid.0)
        .bind(filter.agent.is_none() && filter.departments.is_none())
        .bind(filter.agent.map(|agent| agent.0))
        .bind(Value::Array(departments).to_string())
        .bind(i64::from(filter.limit))
        .fetch_all(&self.read)
        .await?;
        read_calls(&bodies)
    }

    /// One call.
    pub async fn call(&self, account: AccountId, call: CallId) -> Result<Option<CallView>, StoreError> {
        let body: Option<String> = sqlx::query_scalar("SELECT body FROM call WHERE account = $1 AND uid = $2")
            .bind(account.0)
            .bind(call.0)
            .fetch_optional(&self.read)
            .await?;
        body.map(|body| serde_json::from_str(&body).map_err(StoreError::corrupt("call"))).transpose()
    }

    /// Every call that has not ended: after a crash, those it cut short.
    pub async fn open_calls(&self) -> Result<Vec<CallView>, StoreError> {
        let bodies: Vec<String> =
            sqlx::query_scalar("SELECT body FROM call WHERE state <> 'ended' ORDER BY started_at, uid")
                .fetch_all(&self.read)
                .await?;
        read_calls(&bodies)
    }

    /// Whether this person stands in a decision of the call.
    pub async fn is_call_member(&self, call: CallId, agent: AgentId) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM call_member WHERE call = $1 AND agent = $2)")
            .bind(call.0)
            .bind(agent.0)
            .fetch_one(&self.read)
            .await?)
    }
}

fn read_calls(bodies: &[String]) -> Result<Vec<CallView>, StoreError> {
    bodies.iter().map(|body| serde_json::from_str(body).map_err(StoreError::corrupt("call"))).collect()
}
