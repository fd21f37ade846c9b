//! Request and response bodies of the HTTP API, one file per resource.

pub mod calls;
pub mod presence;
pub mod session;
pub mod test_call;
