//! `GET /core/limits`: the caller's own quota and use.

use serde::{Deserialize, Serialize};

/// What the caller may still ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsView {
    /// One entry per kind of request; empty when limits are off.
    pub limits: Vec<LimitView>,
}

/// One kind of request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitView {
    /// `writes`, `reads`, `lists`, or `changes` of the person's own presence.
    pub name: String,
    /// Requests a minute.
    pub per_minute: u32,
    /// Requests at once.
    pub burst: u32,
    /// Requests left now.
    pub remaining: u32,
    /// Seconds until all of them are left again.
    pub reset: u32,
}
