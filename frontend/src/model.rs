//! Pure state and transitions, tested natively. Time is an argument, never read.

pub mod audio;
pub mod bulk;
pub mod contacts;
pub mod device;
pub mod draft;
pub mod duration;
pub mod facts;
pub mod floor;
pub mod flow;
pub mod link;
pub mod log;
pub mod matrix;
pub mod notice;
pub mod past;
pub mod reach;
pub mod ringer;
pub mod roster;
pub mod route;
pub mod slots;
pub mod softphone;
pub mod strip;
pub mod switch;
pub mod telephony;
pub mod why;
