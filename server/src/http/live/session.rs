//! One live socket from its hello to its end.
//!
//! This task alone writes to the socket and numbers what it writes. Client frames are answered in order by a second
//! task, so that a slow answer delays no `pong`; pongs go past it. Every queue is bounded: who does not read, or
//! asks faster than is answered, is closed.

use std::ops::ControlFlow;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use cordboard_shared::event::{
    ClientMessage, Hello, MAX_CLIENT_FRAME, PING_MS, PONG_LOST_MS, ServerFrame, ServerMessage,
};
use cordboard_shared::{FeedPosition, Problem, ProblemCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, timeout};

use super::super::caller::idle_ms;
use super::super::{Caller, CallerKind, HttpState};
use crate::app::{AppHandle, Attached, SocketId};

/// The first frame must come within this time.
const HELLO_TIME: Duration = Duration::from_secs(5);
/// A frame that the client does not take within this time ends the socket.
const SEND_TIME: Duration = Duration::from_secs(10);
/// Requests of one socket that wait for their answer.
const WAITING: usize = 256;
/// How often a socket looks whether its sign-in is still alive.
const SIGN_IN_CHECK: Duration = Duration::from_mins(1);

/// A client's frame before its message is read: its id is needed to refuse the message.
#[derive(Deserialize)]
struct Envelope {
    id: String,
    #[serde(flatten)]
    message: Value,
}

/// A request on its way to the account's task.
struct Question {
    id: String,
    message: ClientMessage,
}

/// Its answer on the way back.
struct Answer {
    id: String,
    outcome: Result<Value, Problem>,
}

/// The writing side: numbers frames from 1.
struct Writer {
    socket: WebSocket,
    seq: u64,
}

/// Why a socket ends, as the client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ending {
    code: u16,
    reason: &'static str,
}

const NO_HELLO: Ending = ending(close_code::POLICY, "no hello within 5 seconds");
const MALFORMED: Ending = ending(close_code::INVALID, "malformed frame");
const OVERSIZED: Ending = ending(close_code::SIZE, "frame over 64 KB");
const BINARY: Ending = ending(close_code::UNSUPPORTED, "frames are JSON text");
const SILENT: Ending = ending(close_code::POLICY, "no pong for 15 seconds");
const SIGNED_OUT: Ending = ending(close_code::POLICY, "signed out");
const BEHIND: Ending = ending(close_code::AGAIN, "too slow, or the sign-in has ended");
const HURRIED: Ending = ending(close_code::AGAIN, "too many requests at once");
const RESTARTING: Ending = ending(close_code::RESTART, "the server is stopping");
/// The client is gone; there is nobody to tell.
const GONE: Ending = ending(close_code::AWAY, "");

const fn ending(code: u16, reason: &'static str) -> Ending {
    Ending { code, reason }
}

/// Runs the socket to its end.
pub(super) async fn run(socket: WebSocket, state: &HttpState, caller: &Caller) {
    let mut writer = Writer { socket, seq: 0 };
    let ending = match talk(&mut writer, state, caller).await {
        Ok(()) => return,
        Err(ending) => ending,
    };
    if ending == GONE {
        return;
    }
    if ending.code != close_code::RESTART && ending.code != close_code::AGAIN {
        state.metrics.sockets_refused.increment();
    }
    tracing::debug!(code = ending.code, reason = ending.reason, "a live socket was closed: {}", ending.reason);
    writer.close(ending).await;
}

async fn talk(writer: &mut Writer, state: &HttpState, caller: &Caller) -> Result<(), Ending> {
    let (id, hello) = hello(writer).await?;
    let attached = match state.app.attach(caller.agent, caller.session(), hello).await {
        Ok(attached) => attached,
        Err(problem) => {
            writer.answer(id, Err(problem)).await?;
            return Err(RESTARTING);
        }
    };
    state.metrics.sockets_opened.increment();
    writer.answer(id, Ok(json!({}))).await?;
    let socket = attached.socket;
    let ending = serve(writer, state, caller, attached).await;
    state.app.detach(socket).await;
    Err(ending)
}

/// Waits for the hello.
async fn hello(writer: &mut Writer) -> Result<(String, Hello), Ending> {
    let deadline = Instant::now() + HELLO_TIME;
    loop {
        let read = tokio::time::timeout_at(deadline, writer.socket.recv()).await.map_err(|_| NO_HELLO)?;
        let Some(text) = text_of(read)? else { continue };
        return match question(&text)? {
            Ok(Question { id, message: ClientMessage::Hello(hello) }) => Ok((id, hello)),
            Ok(_) | Err(_) => Err(NO_HELLO),
        };
    }
}

/// From the hello to the end: events out, requests in.
async fn serve(writer: &mut Writer, state: &HttpState, caller: &Caller, attached: Attached) -> Ending {
    let Attached { socket, mut events } = attached;
    let (answers_tx, mut answers) = mpsc::channel(WAITING);
    let questions = answer_in_order(state.app.clone(), socket, answers_tx.clone());
    let pongs = answer_in_order(state.app.clone(), socket, answers_tx);
    let mut ping = interval(Duration::from_millis(PING_MS));
    let mut sign_in = interval(SIGN_IN_CHECK);
    let mut heard = Instant::now();
    let mut active = Instant::now();
    let mut draining = false;

    loop {
        let step = tokio::select! {
            read = writer.socket.recv() => match incoming(read, writer).await {
                ControlFlow::Continue(Some(question)) => {
                    let is_pong = matches!(question.message, ClientMessage::Pong { .. });
                    if is_pong {
                        heard = Instant::now();
                    }
                    let lane = if is_pong { &pongs } else { &questions };
                    // A pong comes by itself; what a person does in the panel keeps the sign-in alive.
                    if !is_pong && active.elapsed() >= SIGN_IN_CHECK {
                        active = Instant::now();
                        note_activity(state, caller).await;
                    }
                    lane.try_send(question).map_err(|_| HURRIED)
                }
                ControlFlow::Continue(None) => Ok(()),
                ControlFlow::Break(ending) => Err(ending),
            },
            event = events.recv() => match event {
                Some(event) => {
                    draining |= matches!(*event.message, ServerMessage::Draining { .. });
                    writer.send(event.pos, None, &event.message).await
                }
                None => Err(if draining { RESTARTING } else { BEHIND }),
            },
            Some(Answer { id, outcome }) = answers.recv() => writer.answer(id, outcome).await,
            _ = ping.tick() => {
                if heard.elapsed() >= Duration::from_millis(PONG_LOST_MS) {
                    Err(SILENT)
                } else {
                    writer.send(None, None, &ServerMessage::Ping { t: state.clock.now().0 }).await
                }
            }
            _ = sign_in.tick() => if is_signed_in(state, caller).await { Ok(()) } else { Err(SIGNED_OUT) },
        };
        if let Err(ending) = step {
            return ending;
        }
    }
}

/// Reads one frame. A message nobody knows is refused by its id; a frame that cannot be read at all ends the socket.
async fn incoming(
    read: Option<Result<Message, axum::Error>>,
    writer: &mut Writer,
) -> ControlFlow<Ending, Option<Question>> {
    let asked = match text_of(read) {
        Ok(Some(text)) => question(&text),
        Ok(None) => return ControlFlow::Continue(None),
        Err(ending) => return ControlFlow::Break(ending),
    };
    match asked {
        Ok(Ok(question)) => ControlFlow::Continue(Some(question)),
        Ok(Err(Answer { id, outcome })) => match writer.answer(id, outcome).await {
            Ok(()) => ControlFlow::Continue(None),
            Err(ending) => ControlFlow::Break(ending),
        },
        Err(ending) => ControlFlow::Break(ending),
    }
}

/// The text of a frame; none for the protocol's own pings and pongs.
fn text_of(read: Option<Result<Message, axum::Error>>) -> Result<Option<String>, Ending> {
    match read {
        Some(Ok(Message::Text(text))) if text.len() > MAX_CLIENT_FRAME => Err(OVERSIZED),
        Some(Ok(Message::Text(text))) => Ok(Some(text.as_str().to_owned())),
        Some(Ok(Message::Binary(_))) => Err(BINARY),
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
        Some(Err(error)) if error.to_string().contains("too long") => Err(OVERSIZED),
        Some(Err(error)) if error.to_string().to_lowercase().contains("utf-8") => Err(MALFORMED),
        Some(Ok(Message::Close(_)) | Err(_)) | None => Err(GONE),
    }
}

/// Reads a frame's JSON: a request, its refusal, or the end of the socket.
fn question(text: &str) -> Result<Result<Question, Answer>, Ending> {
    let Envelope { id, message } = serde_json::from_str(text).map_err(|_| MALFORMED)?;
    if !message.get("type").is_some_and(Value::is_string) {
        return Err(MALFORMED);
    }
    Ok(serde_json::from_value(message).map(|message| Question { id: id.clone(), message }).map_err(|error| {
        let problem = Problem::new(ProblemCode::InvalidRequest, format!("This message cannot be read: {error}."));
        Answer { id, outcome: Err(problem) }
    }))
}

/// Hands requests to the account's task one after the other and their answers back; ends with the socket.
fn answer_in_order(app: AppHandle, socket: SocketId, answers: mpsc::Sender<Answer>) -> mpsc::Sender<Question> {
    let (tx, mut rx) = mpsc::channel::<Question>(WAITING);
    tokio::spawn(async move {
        while let Some(Question { id, message }) = rx.recv().await {
            let outcome = app.client_message(socket, message).await;
            if answers.send(Answer { id, outcome }).await.is_err() {
                break;
            }
        }
    });
    tx
}

/// Whether the sign-in or token that opened the socket still holds. A store that does not answer ends nothing.
async fn is_signed_in(state: &HttpState, caller: &Caller) -> bool {
    let now = state.clock.now();
    match &caller.kind {
        CallerKind::Session(id) => state.store.is_session_active(*id, now - idle_ms(state)).await.unwrap_or(true),
        CallerKind::Token(id, _) => state
            .store
            .token(*id)
            .await
            .map_or(true, |row| row.is_some_and(|row| row.revoked_at.is_none() && now < row.expires_at)),
    }
}

async fn note_activity(state: &HttpState, caller: &Caller) {
    if let CallerKind::Session(id) = &caller.kind
        && let Err(error) = state.store.touch_session(*id, state.clock.now()).await
    {
        tracing::warn!(%error, "the activity of a sign-in could not be stored");
    }
}

impl Writer {
    async fn answer(&mut self, id: String, outcome: Result<Value, Problem>) -> Result<(), Ending> {
        let message = match outcome {
            Ok(data) => ServerMessage::Ok(data),
            Err(problem) => ServerMessage::Error(problem),
        };
        self.send(None, Some(id), &message).await
    }

    async fn send(
        &mut self,
        pos: Option<FeedPosition>,
        re: Option<String>,
        message: &ServerMessage,
    ) -> Result<(), Ending> {
        self.seq += 1;
        let frame = ServerFrame { seq: self.seq, pos, re, message: message.clone() };
        let text = serde_json::to_string(&frame).map_err(|_| BEHIND)?;
        match timeout(SEND_TIME, self.socket.send(Message::Text(text.into()))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(GONE),
            Err(_) => Err(BEHIND),
        }
    }

    async fn close(&mut self, ending: Ending) {
        let frame = CloseFrame { code: ending.code, reason: ending.reason.into() };
        let _ = timeout(Duration::from_secs(1), self.socket.send(Message::Close(Some(frame)))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_a_request_a_refusal_or_the_end() {
        let Ok(Ok(asked)) =
            question(r#"{"id":"c1","type":"call.answer","data":{"offer":"5f0c0000-0000-4000-8000-000000000001"}}"#)
        else {
            panic!("a request")
        };
        assert_eq!(asked.id, "c1");

        for unknown in [r#"{"id":"c2","type":"call.dial","data":{}}"#, r#"{"id":"c2","type":"call.answer","data":{}}"#]
        {
            let Ok(Err(answer)) = question(unknown) else { panic!("a refusal") };
            assert_eq!(answer.id, "c2");
            assert_eq!(answer.outcome.unwrap_err().status, 400);
        }

        for malformed in ["", "{", "[]", "1", r#"{"id":"c3"}"#, r#"{"type":"hello"}"#, r#"{"id":1,"type":"hello"}"#] {
            assert_eq!(question(malformed).err(), Some(MALFORMED), "{malformed}");
        }
    }

    #[test]
    fn a_frame_over_the_limit_ends_the_socket() {
        let text = |length: usize| text_of(Some(Ok(Message::Text("x".repeat(length).into()))));

        assert!(text(MAX_CLIENT_FRAME).unwrap().is_some());
        assert_eq!(text(MAX_CLIENT_FRAME + 1), Err(OVERSIZED));
        assert_eq!(text_of(Some(Ok(Message::Binary(vec![1].into())))), Err(BINARY));
        assert_eq!(text_of(None), Err(GONE));
    }
}
