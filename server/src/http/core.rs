//! The API under `/core`, one file per resource.

pub(super) mod calls;
pub(super) mod decisions;
pub(super) mod policy;
pub(super) mod presence;
pub(super) mod recordings;
pub(super) mod session;
pub(super) mod test_calls;
