//! Call flows (`wire.md` section 3). Published versions only are run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::FlowId;
use crate::schedule::WeeklyHours;

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
    /// Its name for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Language of its prompts until a language node changes it; none is the account's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Working days and holidays; without windows it is always open.
    #[serde(default, skip_serializing_if = "WeeklyHours::is_always")]
    pub hours: WeeklyHours,
    /// The node that runs instead of `start` when it is closed; none hangs up after the language's `closed` prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
    /// Missed-call service: rings so many times (1 or 2), then ends without answering; what follows a missed call
    /// follows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed_call_rings: Option<u32>,
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
    /// Was live; callers of its numbers are refused until it is enabled or published again.
    Disabled,
}

/// A step of a flow. A missing next step hangs up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Node {
    /// Plays a prompt and waits for a key.
    Menu {
        /// `audio:<name>` or `tts:<text>`.
        audio: String,
        /// Key (`1` to `9`, `0`, `*`, `#`) → node; at most nine of the digits 1 to 9.
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
        /// What the caller hears first; none is the box's own greeting.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        audio: Option<String>,
        /// Longest message, in seconds (6–60); none is the box's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u32>,
    },
    /// Asks for digits and lets a webhook say what follows.
    Input {
        /// The question.
        audio: String,
        /// Most digits taken (1–32); `#` ends them earlier.
        digits_max: u32,
        /// Wait for the first and between digits, in seconds (1–30).
        #[serde(default = "input_seconds")]
        no_input_seconds: u32,
        /// Where the digits are posted to, as JSON; none goes to `next` with them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        webhook: Option<String>,
        /// Longest wait for the webhook, in milliseconds (500–10,000).
        timeout_ms: u32,
        /// Answers of the webhook (`{"next":"<key>"}`) → node; another answer is `next`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        answers: BTreeMap<String, String>,
        /// Node after it.
        next: Option<String>,
        /// Node when no digits came, or the webhook failed or was late; none is `next`.
        failed: Option<String>,
    },
    /// Lets a key choose the language of what follows.
    Language {
        /// The question.
        audio: String,
        /// Key → language, as in `en`.
        keys: BTreeMap<char, String>,
        /// Node after it, with or without a choice.
        next: Option<String>,
    },
}

fn input_seconds() -> u32 {
    5
}
