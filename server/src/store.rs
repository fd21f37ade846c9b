//! The store: everything that must outlive the process, in SQLite.
//!
//! One connection writes, four read. What [`Store::commit`] has answered is on disk (`synchronous=FULL`).
//! Speaks in domain types; knows no HTTP, no socket and no routing.

mod account;
mod call;
mod commit;
mod idempotency;
mod meta;
mod open;
mod outbox;
mod recording;
mod sign_in;

use std::path::PathBuf;

use cordboard_shared::Millis;
use cordboard_shared::call::{CallView, RecordingKind};
use cordboard_shared::decision::Decision;
use cordboard_shared::id::{AccountId, AgentId, CallId, RecordingId};
use sqlx::SqlitePool;

pub use account::{NewAccount, NewPerson, SipUser};
pub use call::{CallCursor, CallFilter, ParseCursorError};
pub use idempotency::{KeptAnswer, KeyRow};
pub use outbox::{DueMessage, Sent};
pub use sign_in::{Credential, SessionRow, TokenRow};

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    /// The one connection that writes.
    write: SqlitePool,
    /// Read-only connections: a misplaced write fails there.
    read: SqlitePool,
}

/// What can go wrong, by what the caller may do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened or created.
    #[error("cannot open the database {}", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database does not keep the promise that an answered write is on disk.
    #[error("the database has {setting} = {found}, but {wanted} is needed to keep what was acknowledged")]
    Unsafe {
        /// The PRAGMA.
        setting: &'static str,
        /// What it should be.
        wanted: &'static str,
        /// What it is.
        found: String,
    },
    /// A migration failed.
    #[error("cannot bring the database up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The key exists: a doubled append, or an account that is there already.
    #[error("the record exists already")]
    Exists(#[source] sqlx::Error),
    /// The record names an account, person or session that does not exist.
    #[error("the record names something that does not exist")]
    Unknown(#[source] sqlx::Error),
    /// A batch with calls, decisions or recordings that names no account.
    #[error("a batch with calls, decisions or recordings must name its account")]
    NoAccount,
    /// The database does not answer: locked, full or broken. Nothing of the batch was stored.
    #[error("the database does not answer")]
    Unavailable(#[source] sqlx::Error),
    /// A row that this version cannot read.
    #[error("cannot read {what} from the database")]
    Corrupt {
        /// Which kind of row.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    fn corrupt(what: &'static str) -> impl Fn(serde_json::Error) -> Self {
        move |source| Self::Corrupt { what, source: Box::new(source) }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::error::ErrorKind;

        match error.as_database_error().map(sqlx::error::DatabaseError::kind) {
            Some(ErrorKind::UniqueViolation) => Self::Exists(error),
            Some(ErrorKind::ForeignKeyViolation) => Self::Unknown(error),
            Some(_) | None => Self::Unavailable(error),
        }
    }
}

/// One durable unit: all of it is on disk, or nothing.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Whose calls, decisions and recordings; not needed for events alone.
    pub account: AccountId,
    /// Appended to the log; a sequence number that exists fails the whole batch.
    pub events: Vec<EventRow>,
    /// Inserted or replaced by `uid`; an older version changes nothing.
    pub calls: Vec<CallView>,
    /// Inserted or replaced by call and step.
    pub decisions: Vec<(CallId, Decision)>,
    /// Inserted or replaced by id.
    pub recordings: Vec<RecordingRow>,
    /// Last sign of life: what a call that a crash cut short gets as its end.
    pub alive_at: Option<Millis>,
}

/// One event of an account's log.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRow {
    /// Whose log.
    pub account: AccountId,
    /// Place in it, from 1.
    pub seq: u64,
    /// When.
    pub at: Millis,
    /// The person it is about.
    pub agent: Option<AgentId>,
    /// What happened, as the engine writes it.
    pub body: serde_json::Value,
}

/// A closed recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingRow {
    /// Its id.
    pub id: RecordingId,
    /// Of which call.
    pub call: CallId,
    /// Voicemail or conversation.
    pub kind: RecordingKind,
    /// The voicemail box it was left in.
    pub mailbox: Option<String>,
    /// File, relative to the folder of recordings.
    pub path: String,
    /// Length in milliseconds.
    pub ms: u32,
    /// Size of the file.
    pub bytes: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// When it was closed.
    pub at: Millis,
}

/// The word JSON has for a unit variant, to stand in a column.
fn word<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(_) | Err(_) => String::new(),
    }
}

/// The value of a column's word.
fn from_word<T: serde::de::DeserializeOwned>(word: String, what: &'static str) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(word)).map_err(StoreError::corrupt(what))
}

/// A number that is stored as SQLite's signed integer.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number read back; the schema has no negative ones.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
