//! The HTTP API and the live socket, as their users meet them: a whole server on free ports, over real connections.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

#[path = "http_api/audio.rs"]
mod audio;
#[path = "http_api/batch.rs"]
mod batch;
#[path = "http_api/calls.rs"]
mod calls;
#[path = "http_api/envelope.rs"]
mod envelope;
#[path = "http_api/facts.rs"]
mod facts;
#[path = "http_api/flows.rs"]
mod flows;
#[path = "http_api/hostile.rs"]
mod hostile;
#[path = "http_api/idempotency.rs"]
mod idempotency;
#[path = "http_api/live.rs"]
mod live;
#[path = "http_api/opt_out.rs"]
mod opt_out;
#[path = "http_api/people.rs"]
mod people;
#[path = "http_api/presence.rs"]
mod presence;
#[path = "http_api/rights.rs"]
mod rights;
#[path = "http_api/routing.rs"]
mod routing;
#[path = "http_api/session.rs"]
mod session;
#[path = "http_api/stack.rs"]
mod stack;
#[path = "http_api/telephony.rs"]
mod telephony;
#[path = "http_api/users.rs"]
mod users;
