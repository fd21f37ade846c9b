//! Sockets: one loop per core, which decides nothing.

pub mod media;
pub mod sip;
