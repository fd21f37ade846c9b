//! The other facts of a person, lists, history, batches and reach (`availability-and-panel.md` section 6.2).

use serde::{Deserialize, Serialize};

use crate::agent::{Actor, AgentFacts, Presence, Source, Verdict};
use crate::api::presence::PresenceChange;
use crate::error::Problem;
use crate::id::{AgentId, DepartmentId, RequestId};
use crate::schedule::WeeklyHours;
use crate::time::Millis;
use crate::version::{FeedPosition, Version};

/// Most people of one batch.
pub const BATCH_MOST: usize = 500;

/// Body of `PUT …/pause`, `…/dnd` and `…/opt-out`. `DELETE` of the same path ends the block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockChange {
    /// Why, at most 64 characters. A pause needs one.
    #[serde(default)]
    pub reason: Option<String>,
    /// When it ends by itself. An opt-out has no end.
    #[serde(default)]
    pub until: Option<Millis>,
}

/// Answer to `GET` and `PUT …/slots`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotsView {
    /// The person.
    pub uuid: AgentId,
    /// Version of the facts.
    pub version: Version,
    /// What is set; the zone is always named.
    pub slots: WeeklyHours,
    /// The windows of the asked days as instants, overlaps merged.
    pub preview: Vec<Window>,
}

/// A stretch of time, `[from, to)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Begin.
    pub from: Millis,
    /// End.
    pub to: Millis,
}

/// A page of `GET /core/agents/presence`, in the order of the ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresencePage {
    /// The people.
    pub agents: Vec<Presence>,
    /// Cursor of the next page; null at the end.
    pub next: Option<String>,
    /// When this was true.
    pub as_of: Millis,
    /// Where the stream goes on without a gap.
    pub stream_position: FeedPosition,
}

/// A page of `GET …/presence/history`, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceHistory {
    /// The changes.
    pub changes: Vec<FactsChange>,
    /// Cursor of the next page; null at the end.
    pub next: Option<String>,
}

/// One change of a person's facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactsChange {
    /// Number in the account's log.
    pub seq: u64,
    /// When it was committed.
    pub at: Millis,
    /// By whom.
    pub actor: Actor,
    /// By which surface.
    pub source: Source,
    /// Which facts.
    pub changed: Vec<String>,
    /// Free text of the caller.
    #[serde(default)]
    pub note: Option<String>,
    /// The request that made it.
    #[serde(default)]
    pub request: Option<RequestId>,
    /// The facts before; null for the first entry.
    pub before: Option<Box<AgentFacts>>,
    /// The facts after.
    pub after: Box<AgentFacts>,
}

/// A change of one fact, in a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum FactChange {
    /// The toggle.
    Toggle(PresenceChange),
    /// An admin's pause; null lifts it.
    Pause {
        /// The pause.
        set: Option<BlockChange>,
    },
    /// Do Not Disturb; null ends it.
    Dnd {
        /// The block.
        set: Option<BlockChange>,
    },
    /// Opt-out; null resumes.
    OptOut {
        /// The block.
        set: Option<BlockChange>,
    },
    /// Availability slots; no windows means always.
    Slots {
        /// The windows.
        set: WeeklyHours,
    },
    /// Works outside the slots until then; null ends it.
    WorkAnyway {
        /// Until when.
        until: Option<Millis>,
    },
    /// Switches the seat on or off.
    Seat {
        /// Active or not.
        active: bool,
    },
}

/// Body of `POST /core/presence/batch`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchRequest {
    /// Tells what would happen and changes nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// At most 500.
    pub items: Vec<BatchItem>,
}

/// One person's change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchItem {
    /// Who.
    pub agent: AgentId,
    /// What.
    pub change: FactChange,
}

/// Answer to a batch: `200`, with a result for each item in its order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchAnswer {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// One per item.
    pub results: Vec<BatchResult>,
    /// What it means for the departments.
    pub impact: Vec<DepartmentImpact>,
}

/// What became of one item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchResult {
    /// Who.
    pub agent: AgentId,
    /// The status this change alone would have had.
    pub status: u16,
    /// Whether anything changes.
    pub changed: bool,
    /// The verdict before.
    pub before: Option<Verdict>,
    /// The verdict after.
    pub after: Option<Verdict>,
    /// Whether this takes a person who could be rung out of every path but outbound.
    pub locked_out: bool,
    /// Why it was refused.
    #[serde(default)]
    pub problem: Option<Problem>,
}

/// What a change means for one department.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepartmentImpact {
    /// Which.
    pub department: DepartmentId,
    /// Its name.
    pub name: String,
    /// People a call could ring, busy ones included, before.
    pub reachable_before: u32,
    /// And after.
    pub reachable_after: u32,
    /// Times within the next seven days when nobody could be rung after the change, though somebody could before.
    pub empty: Vec<Window>,
}

/// Answer to `GET /core/agents/{UUID}/reach`: what can ring this person now, in words, from the rules that route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReachView {
    /// The person.
    pub uuid: AgentId,
    /// Their verdict.
    pub verdict: Verdict,
    /// One line per call path.
    pub lines: Vec<ReachLine>,
}

/// Whether one call path reaches a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReachLine {
    /// Row of the reachability matrix.
    pub row: u8,
    /// Its letter now.
    pub letter: char,
    /// The cell that decides.
    pub cell: String,
    /// The call path, such as "Support queue".
    pub path: String,
    /// The answer in words, such as "no, you are Away (Lunch)".
    pub answer: String,
    /// Whether it rings.
    pub rings: bool,
    /// The setting behind the cell; none when it can never be changed.
    #[serde(default)]
    pub setting: Option<String>,
}

/// A cell of the matrix, for the screen that shows all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatrixCell {
    /// `"<row>/<column>"`.
    pub cell: String,
    /// The letter now.
    pub letter: char,
    /// The letter without any setting.
    pub default: char,
    /// The setting that may change it; none: never.
    #[serde(default)]
    pub setting: Option<String>,
}
