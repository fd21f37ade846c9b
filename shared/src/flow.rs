//! Call flows (`wire.md` section 3). Published versions only are run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::FlowId;

/// A call flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// Its id.
    pub id: FlowId,
    /// Its short name.
    pub slug: String,
    /// Rises with each publication.
    pub version: u32,
    /// Draft or published.
    pub state: FlowState,
    /// Name of the first node.
    pub start: String,
    /// The nodes by name.
    pub nodes: BTreeMap<String, Node>,
}

/// Whether callers hear it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowState {
    /// Being edited.
    Draft,
    /// Live.
    Published,
}

/// A step of a flow. A missing next step hangs up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Node {
    /// Plays a prompt and waits for a key.
    Menu {
        /// `audio:<name>` or `tts:<text>`.
        audio: String,
        /// Key → node.
        keys: BTreeMap<char, String>,
        /// Extra plays (0–10).
        repeat: u32,
        /// Wait after the prompt, in seconds.
        no_input_seconds: u32,
        /// Node when no key came after all plays.
        no_input: Option<String>,
        /// Node for a key that leads nowhere; none repeats the menu.
        wrong_key: Option<String>,
        /// Whether callers may dial an extension here.
        dial_extensions: bool,
    },
    /// Rings one person.
    Extension {
        /// Whose.
        extension: crate::phone::Extension,
        /// Node when they do not answer; none is their voicemail box.
        next: Option<String>,
    },
    /// Rings a department.
    Department {
        /// Its slug.
        department: String,
        /// Node after its fallback chain.
        next: Option<String>,
    },
    /// Plays a message.
    Message {
        /// `audio:<name>`.
        audio: String,
        /// Node after it.
        next: Option<String>,
    },
    /// Records a message.
    Voicemail {
        /// The box.
        #[serde(rename = "box")]
        mailbox: String,
    },
}
