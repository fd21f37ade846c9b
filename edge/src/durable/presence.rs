//! The object of one account: answers reads from its copy, forwards toggles, takes the feed.
//!
//! It may be evicted between two requests and two of its methods may run at once, so the truth is in its
//! tables, and nothing borrowed is held over an `await`.

use std::cell::{Cell, RefCell};

use cordboard_shared::edge::{
    BUCKET, CHANGES_PATH, Changes, FeedAnswer, FeedFrame, FeedItem, FeedRange, GENERATION, INTENTS_PATH,
    IntentsRequest, MAX_CHANGES, SNAPSHOT_PATH,
};
use cordboard_shared::id::AccountId;
use cordboard_shared::presence::Answer;
use cordboard_shared::presence::mirror::Arrival;
use cordboard_shared::presence::read::{self, Pull, ReadRequest, ReadStep};
use cordboard_shared::presence::write::{Forwarded, WriteRequest};
use cordboard_shared::time::Millis;
use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, Shared};
use serde::Serialize;
use worker::{
    DurableObject, Env, Error, Request, Response, Result, Socket, State, WebSocket, WebSocketIncomingMessage,
    console_error, durable_object,
};

use super::rows::Rows;
use crate::binding::{Call, ObjectRequest};
use crate::origin::{self, NoReply};
use crate::reply;

/// After a pull that failed, reads do not wait for the server again for this long, in milliseconds.
const PULL_PAUSE: u64 = 1_000;
/// A server that pushes every 5 s and was not heard of for this long, in milliseconds, may be gone.
const SILENCE: u64 = 6_000;

/// The copy of one account's presence.
#[durable_object]
pub struct PresenceObject {
    state: State,
    env: Env,
    /// The pull that runs now: whoever needs one meanwhile waits for it.
    pulling: RefCell<Option<Shared<LocalBoxFuture<'static, bool>>>>,
    /// No pull before this time.
    pause_until: Cell<Millis>,
    /// When the server was last heard of; zero after it failed to answer.
    heard_at: Cell<Millis>,
}

impl DurableObject for PresenceObject {
    fn new(state: State, env: Env) -> Self {
        Self { state, env, pulling: RefCell::default(), pause_until: Cell::default(), heard_at: Cell::default() }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let call: Call = request.json().await?;
        let rows = self.rows()?;
        if rows.account(call.account)? != call.account {
            return Err("this object belongs to another account".into());
        }
        match call.request {
            ObjectRequest::Read(request) => respond(&self.read(&rows, call.account, &request).await?),
            ObjectRequest::Write(request) => respond(&self.write(&rows, &request).await?),
            ObjectRequest::Feed(text) => {
                let frame = text.frame()?;
                if frame.account != call.account {
                    return Err("this frame is for another account".into());
                }
                respond(&self.feed(&rows, &frame).await?)
            }
        }
    }

    // The object keeps no timer and no socket yet; the trait's own bodies would panic.

    async fn alarm(&self) -> Result<Response> {
        Response::empty()
    }

    async fn connect(&self, _socket: Socket) -> Result<()> {
        Ok(())
    }

    async fn websocket_message(&self, socket: WebSocket, _message: WebSocketIncomingMessage) -> Result<()> {
        socket.close(Some(1003), Some("not served here"))
    }

    async fn websocket_close(&self, _socket: WebSocket, _code: usize, _reason: String, _clean: bool) -> Result<()> {
        Ok(())
    }

    async fn websocket_error(&self, _socket: WebSocket, _error: Error) -> Result<()> {
        Ok(())
    }
}

impl PresenceObject {
    fn rows(&self) -> Result<Rows> {
        Rows::open(self.state.storage().sql())
    }

    async fn read(&self, rows: &Rows, account: AccountId, request: &ReadRequest) -> Result<Answer> {
        let (mut pull, mut joined) = (Pull::NotTried, false);
        loop {
            let (mirror, row) = (rows.mirror()?, rows.row(request.agent)?);
            match read::read(&mirror, row.as_ref(), request, pull, reply::now()) {
                ReadStep::Answer(answer) => return Ok(answer),
                ReadStep::Pull => {
                    let (succeeded, own) = self.pull(account).await;
                    pull = match succeeded {
                        true if own || joined => Pull::Succeeded,
                        // It was asked before this reader came, and may lack what this one has seen.
                        true => Pull::NotTried,
                        false => Pull::Failed,
                    };
                    joined = true;
                }
            }
        }
    }

    async fn write(&self, rows: &Rows, request: &WriteRequest) -> Result<Answer> {
        let forwarded = self.forward(request).await?;
        if let Some(written) = forwarded.written() {
            // Read again: the push may have come while the server answered.
            let held = rows.row(request.agent)?.map(|row| row.mark);
            if let Some(row) = rows.mirror()?.apply_written(&written.presence, held) {
                rows.put(&row)?;
            }
        }
        Ok(forwarded.answer())
    }

    async fn forward(&self, request: &WriteRequest) -> Result<Forwarded> {
        // The runtime does not tell a refused connection from one that broke later. So a server that may be gone is
        // asked for a sign of life first: without one nothing is sent, and the caller can be told so.
        if reply::now().since(self.heard_at.get()) > SILENCE && !origin::answers(&self.env).await {
            return Ok(Forwarded::Unreachable);
        }
        let intents = IntentsRequest { intents: vec![request.forwarded(reply::now())] };
        let result = origin::post(&self.env, INTENTS_PATH, serde_json::to_string(&intents)?).await;
        let well = result.as_ref().is_ok_and(|reply| reply.status == 200);
        self.heard_at.set(if well { reply::now() } else { Millis::default() });
        Ok(match result {
            Ok(reply) => Forwarded::read(reply.status, &reply.body, &request.key),
            Err(NoReply::NotSent) => Forwarded::Unreachable,
            Err(NoReply::Unknown) => Forwarded::Unknown,
        })
    }

    async fn feed(&self, rows: &Rows, frame: &FeedFrame) -> Result<FeedAnswer> {
        self.heard_at.set(reply::now());
        let items: Vec<FeedItem> = serde_json::from_str(frame.items.get())?;
        let pull = store(rows, Arrival::Pushed { at: reply::now() }, &frame.range, &items)?;
        if pull {
            self.pull(frame.account).await;
        }
        Ok(FeedAnswer { cursor: rows.mirror()?.cursor })
    }

    /// Brings the copy up to the server's state: whether the server gave a usable answer, and whether it was asked
    /// for this call or already before.
    async fn pull(&self, account: AccountId) -> (bool, bool) {
        if reply::now() < self.pause_until.get() {
            return (false, true);
        }
        let running = self.pulling.borrow().clone();
        let own = running.is_none();
        let running = running.unwrap_or_else(|| {
            let pull = pull(self.env.clone(), self.state.storage().sql(), account).boxed_local().shared();
            self.pulling.replace(Some(pull.clone()));
            pull
        });
        let succeeded = running.clone().await;
        let ended = self.pulling.borrow().as_ref().is_some_and(|held| held.ptr_eq(&running));
        if ended {
            self.pulling.replace(None);
        }
        if succeeded {
            self.heard_at.set(reply::now());
        } else {
            self.heard_at.set(Millis::default());
            self.pause_until.set(reply::now() + PULL_PAUSE);
        }
        (succeeded, own)
    }
}

async fn pull(env: Env, sql: worker::SqlStorage, account: AccountId) -> bool {
    match pull_all(&env, sql, account).await {
        Ok(complete) => complete,
        Err(error) => {
            console_error!("a pull failed: {error}");
            false
        }
    }
}

async fn pull_all(env: &Env, sql: worker::SqlStorage, account: AccountId) -> Result<bool> {
    let rows = Rows::open(sql)?;
    let mirror = rows.mirror()?;
    let snapshot = format!("{SNAPSHOT_PATH}?account={account}&bucket={BUCKET}");
    let changes = mirror.cursor.map(|after| {
        let since = mirror.server_time.0;
        format!("{CHANGES_PATH}?account={account}&bucket={BUCKET}&after={after}&since={since}&limit={MAX_CHANGES}")
    });
    for path in changes.into_iter().chain([snapshot]) {
        // Before the request: what is committed while it runs may be missing in its answer.
        let asked_at = reply::now();
        let Ok(answer) = origin::get(env, &path).await else { return Ok(false) };
        match answer.status {
            200 => {}
            410 => continue,
            status => {
                console_error!("the server answered {status} to a pull");
                return Ok(false);
            }
        }
        let changes: Changes = serde_json::from_slice(&answer.body)?;
        if changes.account != account || changes.generation != GENERATION || changes.range.bucket != BUCKET {
            return Err("the server answered a pull for something else".into());
        }
        if !store(&rows, Arrival::Pulled { asked_at }, &changes.range, &changes.items)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Applies a part of the feed and stores the result; true when something is missing.
fn store(rows: &Rows, arrival: Arrival, range: &FeedRange, items: &[FeedItem]) -> Result<bool> {
    let marks = rows.marks(items.iter().map(|item| item.agent))?;
    let mut mirror = rows.mirror()?;
    let applied = mirror.apply(arrival, range, items, |agent| marks.get(&agent).copied());
    rows.apply(&mirror, &applied)?;
    Ok(applied.pull)
}

fn respond(value: &impl Serialize) -> Result<Response> {
    Response::from_json(value)
}
