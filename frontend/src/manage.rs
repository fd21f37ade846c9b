//! Management.
/// Begins.
pub fn start() {}
