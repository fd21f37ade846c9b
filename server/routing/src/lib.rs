//! Who answers next, and why not the others.
//!
//! The engine is pure and deterministic: commands and the time go in, offers, withdrawals and ledger
//! entries come out. It knows no socket, no clock, no database and no thread, and it also runs in the
//! browser.
//!
//! ```text
//! handle_input(now, Input) ──► poll_output() … until Output::Timeout(next deadline)
//! ```

mod agent;
mod check;
mod command;
mod compiled;
mod durable;
mod engine;
mod event;
mod ledger;
mod line;
mod matrix;
mod offer;
mod replay;
mod schedule;
mod simulate;
mod strategy;

pub use agent::{Agent, DeviceId, DeviceKind, Layers, Load};
pub use check::{MOST_WINDOWS, check_hours, check_policy};
pub use command::{Arrival, CallingOut, Elapsed, EngineError, Input, Output, Target};
use cordboard_shared::FeedPosition;
pub use durable::{Bound, Durable};
pub use engine::Engine;
pub use event::{Callback, Event, Place};
pub use ledger::{is_rung, recompute};
pub use line::{Exhausted, RING_SECONDS_DIRECT};
pub use matrix::{Column, Judged, Letter, Matrix, Row};
pub use replay::replay;
pub use schedule::{check_zone, windows};
pub use simulate::Question;
