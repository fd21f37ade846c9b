//! Telephony settings over HTTP: their state, phone passwords, and where numbers lead.
//!
//! `GET` and `PUT /core/telephony` carry [`Telephony`](crate::telephony::Telephony) itself: passwords of trunks never come
//! back, and an empty one keeps the one that is there.

use serde::{Deserialize, Serialize};

use crate::agent::Actor;
use crate::api::policy::PolicyFinding;
use crate::department::Destination;
use crate::id::{AgentId, TrunkId};
use crate::time::Millis;

/// `GET /core/telephony/status`: what trunks and phones do now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelephonyStatus {
    /// Trunks calls go out by, in the order they are tried.
    pub trunks: Vec<TrunkStatus>,
    /// Desk phones.
    pub phones: Vec<PhoneStatus>,
    /// What is unwise about the settings in force; none of it is refused.
    #[serde(default)]
    pub findings: Vec<PolicyFinding>,
    /// When the settings were changed last; none while they are those of the beginning.
    pub changed_at: Option<Millis>,
    /// By whom.
    pub changed_by: Option<Actor>,
}

/// A trunk now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrunkStatus {
    /// Which.
    pub trunk: TrunkId,
    /// Its name.
    pub name: String,
    /// Whether calls can go out by it.
    pub state: TrunkHealth,
    /// Whether it has registered; none when it does not register.
    pub registered: Option<bool>,
    /// Since when; none before the first news.
    pub since: Option<Millis>,
    /// What the far side said, in words.
    pub detail: Option<String>,
}

/// Whether calls can go out by a trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrunkHealth {
    /// Nothing is known yet, or nobody asks.
    Unknown,
    /// It answers.
    Up,
    /// It does not, or refuses us.
    Down,
}

/// A desk phone now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneStatus {
    /// The user part it registers with.
    pub username: String,
    /// Whose it is.
    pub agent: AgentId,
    /// Whether it is registered now.
    pub registered: bool,
    /// Whether it has a password; without one it cannot register.
    pub has_password: bool,
}

/// Answer to `POST /core/phones/{username}/password`: shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhonePassword {
    /// The user part to register with.
    pub username: String,
    /// The new password; the one before it is no longer taken.
    pub password: String,
    /// Digest realm.
    pub realm: String,
}

impl std::fmt::Debug for PhonePassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PhonePassword({})", self.username)
    }
}

/// Body of `PUT /core/numbers/{id}`; what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberEdit {
    /// Where its calls lead; several numbers may lead to one flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goes_to: Option<Destination>,
    /// Its name for people, at most 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}
