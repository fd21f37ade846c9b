//! Pure state and transitions, tested natively. Time is an argument, never read.

pub mod device;
pub mod duration;
pub mod link;
pub mod log;
pub mod ringer;
pub mod roster;
pub mod route;
pub mod softphone;
pub mod switch;
pub mod why;
