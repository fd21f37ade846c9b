//! The store: everything that must outlive the process, in SQLite.
//!
//! One connection writes, four read. What [`Store::commit`] has answered is on disk (`synchronous=FULL`).
//! Speaks in domain types; knows no HTTP, no socket and no routing.

mod account;
mod audio;
mod call;
mod commit;
mod decision;
mod event;
mod flow;
mod idempotency;
mod meta;
mod open;
mod outbox;
mod person;
mod recording;
mod rows;
mod setting;
mod sign_in;
mod signal;
mod snapshot;
mod trace;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use cordboard_shared::Millis;
use cordboard_shared::call::{CallView, RecordingKind};
use cordboard_shared::decision::Decision;
use cordboard_shared::id::{AccountId, CallId, RecordingId};
use sqlx::SqlitePool;

pub use account::{NewAccount, NewPerson, SipUser};
pub use audio::AudioRow;
pub use call::{CallCursor, CallFilter, ParseCursorError};
pub use event::{EVENT_FORMAT, EventRow, Historic};
pub use flow::{DraftRow, FlowVersionRow};
pub use idempotency::{KeptAnswer, KeyRow};
pub use outbox::{DueMessage, Sent};
pub use person::PersonChange;
pub use setting::SettingChange;
pub use sign_in::{Credential, SessionRow, TokenRow};
pub use snapshot::{SNAPSHOT_FORMAT, SnapshotRow};
pub use trace::{CHECKPOINT_FORMAT, CheckpointRow, TraceRow, Traced};

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    /// The one connection that writes.
    write: Arc<writer::Writer>,
    /// Read-only connections: a misplaced write fails there.
    read: SqlitePool,
    /// Tokens read before, and what tells that one may read differently now.
    tokens: Arc<sign_in::KnownTokens>,
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
    /// A batch with more than events that names no account.
    #[error("a batch with more than events must name its account")]
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
    /// Whose calls, decisions, recordings, trace and snapshot; not needed for events alone.
    pub account: AccountId,
    /// Appended to the log; a sequence number that exists fails the whole batch.
    pub events: Vec<EventRow>,
    /// Inserted or replaced by `uid`; an older version changes nothing.
    pub calls: Vec<CallView>,
    /// Inserted or replaced by call and step.
    pub decisions: Vec<(CallId, Decision)>,
    /// Inserted or replaced by id.
    pub recordings: Vec<RecordingRow>,
    /// What the engine was fed; lost by a crash only together with what followed from it.
    pub trace: Vec<TraceRow>,
    /// The engine whole, as a start for replays.
    pub checkpoint: Option<CheckpointRow>,
    /// The lasting state, so that a start need not fold the whole log. Replaces an older one.
    pub snapshot: Option<SnapshotRow>,
    /// Last sign of life: what a call that a crash cut short gets as its end.
    pub alive_at: Option<Millis>,
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

/// An id as `unhex` reads it in a statement.
fn hex(id: uuid::Uuid) -> String {
    id.simple().to_string()
}

/// A number that is stored as SQLite's signed integer.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number read back; the schema has no negative ones.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
