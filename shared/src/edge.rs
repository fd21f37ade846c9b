//! What server and edge say to each other (`wire.md` section 2): forwarded toggles, the change feed, signatures.
//!
//! The feed carries each person's presence as the text the server wrote, so that an edge hands on members it
//! does not know, and a signature covers the very bytes that were sent.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::api::presence::PresenceWritten;
use crate::error::Problem;
use crate::id::{AccountId, AgentId, TokenId};
use crate::time::Millis;
use crate::version::{FeedPosition, Version};

#[cfg(feature = "token")]
pub mod signature;

/// Where the edge hands over toggles; on the server.
pub const INTENTS_PATH: &str = "/edge/intents";
/// Where the edge pulls what it missed; on the server.
pub const CHANGES_PATH: &str = "/edge/changes";
/// Where the edge takes everybody's presence; on the server.
pub const SNAPSHOT_PATH: &str = "/edge/snapshot";
/// Where the server pushes changes; on the edge.
pub const FEED_PATH: &str = "/edge/feed";

/// Most intents in one request.
pub const MAX_INTENTS: usize = 100;
/// Most changes in one answer of [`CHANGES_PATH`]; a mirror further behind takes a snapshot.
pub const MAX_CHANGES: usize = 256;
/// Generation of the split of an account into buckets; one bucket for now.
pub const GENERATION: u32 = 1;
/// The only bucket for now.
pub const BUCKET: u32 = 0;

/// Body of `POST /edge/intents`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IntentsRequest {
    /// In the order in which they are to be tried.
    pub intents: Vec<ForwardedIntent>,
}

/// One caller's toggle on its way through the edge.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ForwardedIntent {
    /// The caller's `Idempotency-Key`, or one the edge made.
    pub key: String,
    /// Whose toggle.
    pub agent: AgentId,
    /// The caller's intent number, when it sent one.
    #[serde(default)]
    pub n: Option<u64>,
    /// The device the number counts for.
    #[serde(default)]
    pub device: Option<String>,
    /// The caller's body, checked by the server again.
    pub body: Value,
    /// The caller's `If-Match`.
    #[serde(default)]
    pub if_match: Option<Version>,
    /// The fence it was accepted under, when it waited at the edge.
    #[serde(default)]
    pub fence: Option<u32>,
    /// The version the edge held when it accepted it, when it waited at the edge.
    #[serde(default)]
    pub base: Option<Version>,
    /// The caller's token; absent when it waited at the edge, which keeps no token.
    #[serde(default)]
    pub token: Option<String>,
    /// Id of that token.
    pub tid: TokenId,
    /// When the edge took it.
    pub accepted_at: Millis,
    /// After this the server must not apply it; absent on a live one, whose caller still waits.
    #[serde(default)]
    pub not_after: Option<Millis>,
}

/// Answer of `POST /edge/intents`: one result per intent, in the same order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IntentsAnswer {
    /// The results.
    pub results: Vec<IntentResult>,
}

/// What became of one intent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntentResult {
    /// The intent's key.
    pub key: String,
    /// The one outcome of that key.
    pub outcome: IntentOutcome,
    /// The person's version after it, when the caller may know.
    #[serde(default)]
    pub version: Option<Version>,
    /// The body the caller gets; when applied.
    #[serde(default)]
    pub presence: Option<Box<PresenceWritten>>,
    /// The error the caller gets; when not applied.
    #[serde(default)]
    pub problem: Option<Problem>,
}

/// The four ends an intent can come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentOutcome {
    /// Committed, and obeyed by routing.
    Applied,
    /// Without effect after a newer one.
    Superseded,
    /// Came after its end.
    Expired,
    /// The token, the right or the content does not allow it.
    Refused,
}

/// One person's presence at a position of the feed: absolute, so the newest wins whatever came before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FeedItem {
    /// Whose.
    pub agent: AgentId,
    /// Version of the facts in it.
    pub version: Version,
    /// Number of the change in the feed.
    pub seq: u64,
    /// The server's time when it was true; orders items of one version and number.
    pub as_of: Millis,
    /// The body of `GET …/presence`, as the server wrote it.
    pub presence: Box<RawValue>,
}

/// Which part of the feed something covers: after it, a mirror that knew all before `from` knows all up to `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedRange {
    /// As in [`Version`].
    pub epoch: u32,
    /// The part of the account's people.
    pub bucket: u32,
    /// First number covered; 0 when the items are everybody's newest state.
    pub from: u64,
    /// Last number covered; `from - 1` when nothing changed.
    pub to: u64,
    /// The server's time at which nothing newer than `to` was committed.
    pub as_of: Millis,
}

impl FeedRange {
    /// Where a mirror stands after it.
    pub fn position(&self) -> FeedPosition {
        FeedPosition { epoch: self.epoch, bucket: self.bucket, seq: self.to }
    }
}

/// What the server pushes to the edge. Without items it says that nothing changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FeedFrame {
    /// The account.
    pub account: AccountId,
    /// Generation of the split into buckets.
    #[serde(rename = "gen")]
    pub generation: u32,
    /// What it covers.
    #[serde(flatten)]
    pub range: FeedRange,
    /// A JSON list of [`FeedItem`]s, signed as it stands.
    pub items: Box<RawValue>,
    /// Base64url of the signature.
    pub sig: String,
}

/// The edge's answer to a frame: how far its copy is contiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedAnswer {
    /// None before the first complete state.
    pub cursor: Option<FeedPosition>,
}

/// Answer of `GET /edge/changes` and `GET /edge/snapshot`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Changes {
    /// The account.
    pub account: AccountId,
    /// Generation of the split into buckets.
    #[serde(rename = "gen")]
    pub generation: u32,
    /// What they cover; a snapshot is from 0.
    #[serde(flatten)]
    pub range: FeedRange,
    /// At most one per person, in the order of their change.
    pub items: Vec<FeedItem>,
}
