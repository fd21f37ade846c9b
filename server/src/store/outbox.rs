//! Text messages to people of the account, and what the links in them hang on.

use cordboard_shared::Millis;
use cordboard_shared::api::outbox::{OutboxMessage, OutboxState};
use cordboard_shared::id::{AccountId, AgentId, MessageId};
use cordboard_shared::phone::E164;
use cordboard_shared::pii::Pii;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{Store, StoreError, from_word, word};

/// A message whose next try is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueMessage {
    /// The message; it has a recipient.
    pub message: OutboxMessage,
    /// Tries so far.
    pub tries: u32,
}

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The gateway took it.
    Taken,
    /// It will not be tried again.
    Failed {
        /// Why.
        error: String,
    },
    /// It is tried again then.
    Later {
        /// When.
        at: Millis,
        /// What went wrong.
        error: String,
    },
}

impl Store {
    /// The mobile number of a person, if one is known.
    pub async fn mobile(&self, account: AccountId, agent: AgentId) -> Result<Option<E164>, StoreError> {
        let found: Option<Option<String>> =
            sqlx::query_scalar("SELECT mobile FROM agent WHERE account = $1 AND id = $2")
                .bind(account.0)
                .bind(agent.0)
                .fetch_optional(&self.read)
                .await?;
        found.flatten().map(number).transpose()
    }

    /// Sets or clears the mobile number of a person.
    pub async fn set_mobile(
        &self,
        account: AccountId,
        agent: AgentId,
        mobile: Option<&E164>,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE agent SET mobile = $3 WHERE account = $1 AND id = $2")
            .bind(account.0)
            .bind(agent.0)
            .bind(mobile.map(|mobile| mobile.as_str().to_owned()))
            .execute(&mut *self.write.turn().await?)
            .await?;
        Ok(())
    }

    /// The generation of a person's links; none for an unknown person.
    pub async fn link_generation(&self, account: AccountId, agent: AgentId) -> Result<Option<u32>, StoreError> {
        let found: Option<i64> = sqlx::query_scalar("SELECT link_generation FROM agent WHERE account = $1 AND id = $2")
            .bind(account.0)
            .bind(agent.0)
            .fetch_optional(&self.read)
            .await?;
        Ok(found.map(|generation| u32::try_from(generation).unwrap_or_default()))
    }

    /// Takes back every link sent to a person so far. To be called on a change of their role, too.
    pub async fn raise_link_generation(&self, account: AccountId, agent: AgentId) -> Result<(), StoreError> {
        sqlx::query("UPDATE agent SET link_generation = link_generation + 1 WHERE account = $1 AND id = $2")
            .bind(account.0)
            .bind(agent.0)
            .execute(&mut *self.write.turn().await?)
            .await?;
        Ok(())
    }

    /// Stores a message; one on its way is tried at once.
    #[tracing::instrument(name = "db.outbox.insert", level = "debug", skip_all)]
    pub async fn insert_message(&self, account: AccountId, message: &OutboxMessage) -> Result<(), StoreError> {
        let next_at = match message.state {
            OutboxState::Sending => Some(message.at.0),
            OutboxState::Held | OutboxState::Sent | OutboxState::Failed => None,
        };
        sqlx::query(
            "INSERT INTO outbox (id, account, agent, recipient, text, at, state, next_at, error)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(message.id.0)
        .bind(account.0)
        .bind(message.agent.0)
        .bind(message.to.as_ref().map(|to| to.0.as_str().to_owned()))
        .bind(&message.text.0)
        .bind(message.at.0)
        .bind(word(&message.state))
        .bind(next_at)
        .bind(message.error.as_deref())
        .execute(&mut *self.write.turn().await?)
        .await?;
        Ok(())
    }

    /// The newest messages, to one person or to everybody.
    #[tracing::instrument(name = "db.outbox.list", level = "debug", skip(self))]
    pub async fn messages(
        &self,
        account: AccountId,
        to: Option<AgentId>,
        limit: u32,
    ) -> Result<Vec<OutboxMessage>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, agent, recipient, text, at, state, tries, error FROM outbox
             WHERE account = $1 AND ($2 IS NULL OR agent = $2) ORDER BY at DESC, id DESC LIMIT $3",
        )
        .bind(account.0)
        .bind(to.map(|agent| agent.0))
        .bind(limit)
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(message_of).collect()
    }

    /// Messages whose next try is due, the longest overdue first.
    pub async fn due_messages(&self, now: Millis, limit: u32) -> Result<Vec<DueMessage>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, agent, recipient, text, at, state, tries, error FROM outbox
             WHERE next_at <= $1 ORDER BY next_at LIMIT $2",
        )
        .bind(now.0)
        .bind(limit)
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| {
                let tries: i64 = row.try_get("tries")?;
                Ok(DueMessage { message: message_of(row)?, tries: u32::try_from(tries).unwrap_or(u32::MAX) })
            })
            .collect()
    }

    /// When the next try is due; none when nothing is on its way.
    pub async fn next_message_at(&self) -> Result<Option<Millis>, StoreError> {
        let next: Option<i64> = sqlx::query_scalar("SELECT min(next_at) FROM outbox WHERE next_at IS NOT NULL")
            .fetch_one(&self.read)
            .await?;
        Ok(next.map(Millis))
    }

    /// Notes what became of a try.
    #[tracing::instrument(name = "db.outbox.settle", level = "debug", skip_all)]
    pub async fn settle_message(&self, id: MessageId, sent: &Sent) -> Result<(), StoreError> {
        let (state, next_at, error) = match sent {
            Sent::Taken => (OutboxState::Sent, None, None),
            Sent::Failed { error } => (OutboxState::Failed, None, Some(error)),
            Sent::Later { at, error } => (OutboxState::Sending, Some(at.0), Some(error)),
        };
        sqlx::query("UPDATE outbox SET state = $2, next_at = $3, error = $4, tries = tries + 1 WHERE id = $1")
            .bind(id.0)
            .bind(word(&state))
            .bind(next_at)
            .bind(error)
            .execute(&mut *self.write.turn().await?)
            .await?;
        Ok(())
    }

    /// Deletes messages made up to a time that are not on their way.
    pub async fn forget_messages_until(&self, until: Millis) -> Result<u64, StoreError> {
        let deleted = sqlx::query("DELETE FROM outbox WHERE at <= $1 AND next_at IS NULL")
            .bind(until.0)
            .execute(&mut *self.write.turn().await?)
            .await?;
        Ok(deleted.rows_affected())
    }
}

fn message_of(row: &SqliteRow) -> Result<OutboxMessage, StoreError> {
    let to: Option<String> = row.try_get("recipient")?;
    Ok(OutboxMessage {
        id: MessageId(row.try_get("id")?),
        agent: AgentId(row.try_get("agent")?),
        to: to.map(number).transpose()?.map(Pii),
        text: Pii(row.try_get("text")?),
        at: Millis(row.try_get("at")?),
        state: from_word(row.try_get("state")?, "outbox")?,
        error: row.try_get("error")?,
    })
}

fn number(text: String) -> Result<E164, StoreError> {
    E164::try_from(text).map_err(|error| StoreError::Corrupt { what: "outbox", source: Box::new(error) })
}
