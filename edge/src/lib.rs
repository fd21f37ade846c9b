//! The edge: the presence API close to its callers.
//!
//! A worker checks the token and hands the request to the account's Durable Object, which answers reads from
//! its copy and passes toggles to the server. What either decides is in `cordboard_shared::presence`; here is
//! only what touches the runtime. Nothing here panics: a trap would end every request of the instance.

mod api;
mod binding;
mod durable;
mod origin;
mod reply;
mod settings;

use worker::{Context, Env, Request, Response, Result, event};

pub use durable::presence::PresenceObject;

/// Answers every request, errors included.
#[event(fetch)]
async fn fetch(request: Request, env: Env, _ctx: Context) -> Result<Response> {
    reply::send(api::handle(request, &env).await)
}
