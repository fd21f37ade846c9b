//! The API under `/core`, one file per resource.

pub(super) mod batch;
pub(super) mod blocked;
pub(super) mod calls;
pub(super) mod decisions;
pub(super) mod emergencies;
pub(super) mod facts;
pub(super) mod history;
pub(super) mod limits;
pub(super) mod lines;
pub(super) mod opt_out_link;
pub(super) mod outbox;
pub(super) mod person;
pub(super) mod policy;
pub(super) mod presence;
pub(super) mod presence_list;
pub(super) mod reach;
pub(super) mod recordings;
pub(super) mod route;
pub(super) mod routing_policy;
pub(super) mod session;
pub(super) mod slots;
pub(super) mod test_calls;
pub(super) mod users;
