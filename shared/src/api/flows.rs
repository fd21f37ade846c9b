//! Call flows over HTTP: draft, check, preview, publish, versions.
//!
//! A flow has at most one draft and any number of published versions, of which the newest is live. New calls run it at
//! once; running calls keep the version they began with.

use serde::{Deserialize, Serialize};

use crate::agent::Actor;
use crate::flow::Flow;
use crate::id::{FlowId, NumberId};
use crate::time::Millis;

/// `GET /core/flows`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowList {
    /// Flows, in the order they were made.
    pub flows: Vec<FlowEntry>,
}

/// A flow in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowEntry {
    /// Its id.
    pub id: FlowId,
    /// Its short name, which numbers lead to.
    pub slug: String,
    /// Its name for people: that of the draft, if there is one.
    pub name: String,
    /// The version that is live; none while it was never published.
    pub version: Option<u32>,
    /// Whether callers are refused although it was published.
    pub disabled: bool,
    /// When the live version was published; none for one the company began with.
    pub published_at: Option<Millis>,
    /// By whom.
    pub published_by: Option<Actor>,
    /// What is being edited; none when all of it is live.
    pub draft: Option<DraftEntry>,
    /// Numbers that lead here.
    pub numbers: Vec<NumberId>,
}

/// What the list says of a draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftEntry {
    /// Rises with each save; the `ETag` of the draft.
    pub revision: u64,
    /// The version it was begun from; none for a flow that was never published.
    pub based_on: Option<u32>,
    /// When it was saved last.
    pub edited_at: Millis,
    /// By whom.
    pub edited_by: Actor,
}

/// Body of `POST /core/flows`: a new flow, as a draft. The answer is its [`FlowDraft`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewFlow {
    /// Its short name: lower-case letters, digits and hyphens, 1 to 32.
    pub slug: String,
    /// Its name for people, at most 64 characters.
    pub name: String,
    /// Begin with the nodes of this flow; none begins with one message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_of: Option<FlowId>,
}

/// `GET`, `PUT` and answer of `…/{id}/draft`. `PUT` takes the bare [`Flow`]; id, version and state in it are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowDraft {
    /// The draft, or the live flow when nothing is being edited (then `revision` is 0).
    pub flow: Flow,
    /// Rises with each save.
    pub revision: u64,
    /// The version it was begun from.
    pub based_on: Option<u32>,
    /// When it was saved last.
    pub edited_at: Option<Millis>,
    /// By whom.
    pub edited_by: Option<Actor>,
    /// What is wrong with it, or doubtful. It can be saved, not published, with errors.
    pub findings: Vec<FlowFinding>,
}

/// Something wrong, or doubtful, in a flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowFinding {
    /// JSON pointer into the flow.
    pub pointer: String,
    /// The node it is about.
    pub node: Option<String>,
    /// A sentence.
    pub text: String,
    /// Whether the flow cannot be published like this.
    pub error: bool,
}

/// Answer of `POST /core/flows/{id}/check` (body: a [`Flow`], or none for the draft).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowFindings {
    /// Errors first; empty when all is well.
    pub findings: Vec<FlowFinding>,
}

/// Body of `POST /core/flows/{id}/publish`; may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishFlow {
    /// What has changed, at most 200 characters.
    #[serde(default)]
    pub note: Option<String>,
}

/// `GET /core/flows/{id}/versions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowVersions {
    /// Newest first; at most 200.
    pub versions: Vec<FlowVersion>,
}

/// A published version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowVersion {
    /// Its number.
    pub version: u32,
    /// When it was published.
    pub at: Millis,
    /// By whom.
    pub by: Actor,
    /// What was said about it.
    pub note: Option<String>,
    /// The version it restores, if it does.
    pub restores: Option<u32>,
    /// Whether it is live.
    pub live: bool,
}

/// Body of `POST /core/flows/{id}/preview`: walks the flow as a caller would.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewRequest {
    /// The flow to walk; none is the draft, or the live one without a draft.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<Box<Flow>>,
    /// When the call comes; none is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Millis>,
    /// What the caller does, and others do to the call, in order.
    #[serde(default)]
    pub inputs: Vec<PreviewInput>,
}

/// What happens to a caller in a flow: `{"key":"1"}`, `"nothing"`, `{"digits":"1234"}`, `{"webhook":"ok"}`, `"failed"`,
/// `"unanswered"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PreviewInput {
    /// Presses one key.
    Key(char),
    /// Presses nothing until the node gives up waiting once.
    Nothing,
    /// Presses these keys: an extension in a menu, or what an input node asks for.
    Digits(String),
    /// The webhook answers this word.
    Webhook(String),
    /// The webhook fails or is late.
    Failed,
    /// The person, or the whole department with its fallback chain, does not take the call.
    Unanswered,
}

/// Answer of `POST /core/flows/{id}/preview`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewAnswer {
    /// Whether the flow is open then.
    pub open: bool,
    /// Why not: the holiday's name, or the hours in words.
    pub closed_because: Option<String>,
    /// What happens, node by node.
    pub steps: Vec<PreviewStep>,
    /// What the last node waits for; empty when the call is over.
    pub wants: Vec<PreviewChoice>,
    /// How the call ends, as a sentence; none while a node waits.
    pub ends: Option<String>,
}

/// A node on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewStep {
    /// Its name.
    pub node: String,
    /// Its type, as in the flow.
    pub kind: String,
    /// What happens, as a sentence.
    pub text: String,
    /// What the caller hears: `audio:<id or name>` or `tts:<text>`.
    pub audio: Option<String>,
    /// In which language.
    pub language: String,
    /// What was given there, in order.
    pub given: Vec<PreviewInput>,
}

/// Something a node waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewChoice {
    /// What could happen.
    pub input: PreviewInput,
    /// The node it leads to; none hangs up.
    pub leads_to: Option<String>,
    /// In words.
    pub text: String,
}
