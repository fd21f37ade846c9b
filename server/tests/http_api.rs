//! The HTTP API and the live socket, as their users meet them: a whole server on free ports, over real connections.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

#[path = "http_api/calls.rs"]
mod calls;
#[path = "http_api/envelope.rs"]
mod envelope;
#[path = "http_api/live.rs"]
mod live;
#[path = "http_api/presence.rs"]
mod presence;
#[path = "http_api/session.rs"]
mod session;
#[path = "http_api/stack.rs"]
mod stack;
