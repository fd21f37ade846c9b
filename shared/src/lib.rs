//! The words all three tiers of Cordboard share.
//!
//! Plain data that serializes the same way in the server, at the edge and in the panel: ids, phone
//! numbers, availability facts, calls, decisions, live events, API bodies and errors. No I/O, no clock,
//! no randomness but for new ids, which take theirs from the caller.

pub mod agent;
pub mod api;
pub mod call;
pub mod decision;
pub mod department;
pub mod edge;
pub mod error;
pub mod event;
pub mod flow;
pub mod id;
pub mod phone;
pub mod pii;
pub mod policy;
pub mod presence;
pub mod schedule;
pub mod telephony;
pub mod time;
#[cfg(feature = "token")]
pub mod token;
pub mod version;

pub use error::{Problem, ProblemCode};
pub use pii::Pii;
pub use time::Millis;
pub use version::{FeedPosition, Version};
