//! Request and response bodies of the HTTP API, one file per resource.

pub mod audio;
pub mod availability;
pub mod calls;
pub mod flows;
pub mod limits;
pub mod outbox;
pub mod policy;
pub mod presence;
pub mod routing;
pub mod session;
pub mod telephony;
pub mod test_call;
pub mod users;
