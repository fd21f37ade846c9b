//! The routing policy over HTTP: `GET` and `PUT /core/policy`, block list and emergency routes.

use serde::{Deserialize, Serialize};

use crate::api::availability::MatrixCell;
use crate::id::DepartmentId;
use crate::phone::E164;
use crate::policy::{BlockedCaller, EmergencyRoute};
use crate::time::Millis;

/// Something wrong, or doubtful, in a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyFinding {
    /// JSON pointer into the document.
    pub pointer: String,
    /// A sentence.
    pub text: String,
    /// Whether the policy cannot be used like this.
    pub error: bool,
}

/// Body of `POST /core/blocked`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockCaller {
    /// Who.
    pub number: E164,
    /// Why, 1 to 200 characters.
    pub reason: String,
}

/// Body of `POST /core/emergencies`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartEmergency {
    /// Its name, 1 to 64 characters.
    pub name: String,
    /// Why, 1 to 200 characters.
    pub reason: String,
    /// For which departments; empty is all.
    #[serde(default)]
    pub departments: Vec<DepartmentId>,
    /// Until when: at most 24 h from now; none is 2 h.
    #[serde(default)]
    pub until: Option<Millis>,
}

/// Answer to `POST /core/policy/check`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyFindings {
    /// Errors and doubts; empty when all is well.
    pub findings: Vec<PolicyFinding>,
}

/// `GET /core/blocked`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedList {
    /// Callers who are refused.
    pub blocked: Vec<BlockedCaller>,
}

/// `GET /core/emergencies`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmergencyList {
    /// Routes that hold now or will.
    pub emergencies: Vec<EmergencyRoute>,
}

/// `GET /core/reachability`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reachability {
    /// Every cell of the matrix.
    pub cells: Vec<MatrixCell>,
}
