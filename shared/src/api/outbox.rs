//! Text messages: sent through a gateway, or shown in the outbox of the panel when none is set.

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, MessageId};
use crate::phone::E164;
use crate::pii::Pii;
use crate::time::Millis;

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutboxState {
    /// No gateway is set: it is shown here only.
    Held,
    /// On its way to the gateway.
    Sending,
    /// The gateway took it.
    Sent,
    /// The gateway refused it, or did not answer after all tries.
    Failed,
}

/// A text message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxMessage {
    /// Its id.
    pub id: MessageId,
    /// To whom.
    pub agent: AgentId,
    /// Their mobile number, when one is known.
    #[serde(default)]
    pub to: Option<Pii<E164>>,
    /// The text.
    pub text: Pii<String>,
    /// When it was made.
    pub at: Millis,
    /// Where it is.
    pub state: OutboxState,
    /// What went wrong last.
    #[serde(default)]
    pub error: Option<String>,
}

/// `GET /core/outbox`, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxList {
    /// The messages.
    pub messages: Vec<OutboxMessage>,
}

/// Answer to `POST /core/agents/{UUID}/opt-out-link`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptOutLink {
    /// Opens the page that opts the person out; whoever has it can.
    pub url: Pii<String>,
    /// The message it was sent in.
    pub message: OutboxMessage,
}
