//! Carrying out what the call core asks for.

use std::sync::Arc;

use cordboard_routing::Load;
use cordboard_shared::event::ServerMessage;
use cordboard_shared::id::AgentId;
use cordboard_shared::{FeedPosition, Millis, Problem, ProblemCode};
use serde_json::Value;

use super::{Account, LOOK_EVERY_MS, Waiting};
use crate::app::handle::{LiveEvent, PresenceEvent, Request};
use crate::app::journal::Entry;
use crate::call::{Audience, Effect, ReplyTo, SocketId};
use crate::net::media::ToMedia;
use crate::store::RecordingRow;

impl Account {
    pub(super) fn perform(&mut self, now: Millis, effect: Effect) {
        match effect {
            Effect::Sip(command) => self.sip.send(*command),
            Effect::OpenRtp(leg) => self.media.send(ToMedia::OpenRtp { leg }),
            Effect::Media(command) => self.media.send(ToMedia::Command(command)),
            Effect::Live { to, message } => self.tell(to, None, &Arc::new(*message)),
            Effect::Reply { to, result } => self.answer(to, result),
            Effect::SaveCall(call) => self.save(Entry::Call(call)),
            Effect::SaveDecision(call, decision) => self.save(Entry::Decision(call, decision)),
            Effect::SaveRecording(made) => {
                let made = *made;
                self.save(Entry::Recording(Box::new(RecordingRow {
                    id: made.id,
                    call: made.call,
                    kind: made.kind,
                    mailbox: made.mailbox,
                    path: made.path,
                    ms: made.ms,
                    bytes: made.bytes,
                    sha256: made.sha256,
                    at: made.at,
                })));
            }
            Effect::Remember(event) => self.remember(now, event),
            Effect::Elapsed(agent, what) => self.elapsed(agent, what),
            Effect::EndSessions(agent) => self.end_sessions(agent),
            Effect::Trace(at, input) => self.trace(at, input),
            Effect::AskWebhook(question) => {
                let requests = self.requests.clone();
                tokio::spawn(async move {
                    let answer = crate::jobs::ask_webhook(&question).await;
                    let Some(requests) = requests.upgrade() else { return };
                    let request = Request::WebhookAnswered { call: question.call, hop: question.hop, answer };
                    // A full queue loses the answer: the call takes it for a failed webhook in time.
                    let _ = requests.try_send(request);
                });
            }
            Effect::Note { call: Some(call), text } => tracing::info!(call.id = %call, "{text}"),
            // Strangers cause these; at the default level they would fill the log.
            Effect::Note { call: None, text } => tracing::debug!("{text}"),
            Effect::PresenceChanged(_) | Effect::Timeout(_) => {}
        }
    }

    pub(super) fn save(&mut self, entry: Entry) {
        // What follows from an input never reaches the disk before it.
        self.flush_trace();
        if let Err(error) = self.journal.try_send(entry) {
            tracing::error!(%error, "a record is lost: the database has not answered for too long");
        }
    }

    fn answer(&mut self, to: ReplyTo, result: Result<Value, Problem>) {
        match self.replies.remove(&to) {
            Some(Waiting::Client(reply)) => drop(reply.send(result)),
            Some(Waiting::TestCall(reply)) => {
                let placed = result.and_then(|value| {
                    serde_json::from_value(value["uid"].clone())
                        .map_err(|error| Problem::new(ProblemCode::Internal, error.to_string()))
                });
                drop(reply.send(placed));
            }
            Some(Waiting::Done(reply)) => drop(reply.send(result.map(|_| ()))),
            None => {}
        }
    }

    /// Ends a person's sign-ins: their sockets now, and nothing of theirs opens another.
    fn end_sessions(&mut self, agent: AgentId) {
        let sockets: Vec<_> = self.sockets.keys().copied().collect();
        for socket in sockets {
            if self.center.socket_agent(socket) == Some(agent) {
                self.close_socket(socket);
            }
        }
        let store = self.store.clone();
        tokio::spawn(async move {
            if let Err(error) = store.delete_sessions_of(agent).await {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, agent.id = %agent, "sign-ins could not be ended");
            }
        });
    }

    /// Tells the edge and those who may see it what a person's presence reads like now.
    pub(super) fn announce_presence(&mut self, now: Millis, agent: AgentId, at: Option<FeedPosition>) {
        *self.live.entry(agent).or_default() += 1;
        if self.look_at.is_none() && self.center.engine().agent(agent).is_some_and(|it| it.load != Load::Idle) {
            let at = now + LOOK_EVERY_MS;
            self.look_at = Some(at);
            self.deadline = self.deadline.into_iter().chain([at]).min();
        }
        // Without an edge and a panel nobody listens, and nothing need be made for them.
        let edge = self.presences.receiver_count() > 0;
        if !edge && self.sockets.is_empty() {
            return;
        }
        let Some(presence) = self.center.engine().presence(agent) else { return };
        if edge {
            let pos = at.unwrap_or_else(|| self.center.engine().position());
            let _ = self.presences.send(PresenceEvent { pos, presence: Arc::new(presence.clone()) });
        }
        let message = Arc::new(ServerMessage::PresenceChanged(Box::new(presence)));
        let watchers: Vec<_> = self
            .sockets
            .keys()
            .copied()
            .filter(|socket| {
                self.center.socket_agent(*socket).is_some_and(|viewer| self.directory.may_see(viewer, agent))
            })
            .collect();
        self.send_to(&watchers, at, &message);
    }

    fn tell(&mut self, to: Audience, pos: Option<FeedPosition>, message: &Arc<ServerMessage>) {
        let hears = |socket: SocketId| {
            let listener = self.center.socket_agent(socket);
            match to {
                Audience::Everybody => true,
                Audience::Socket(only) => only == socket,
                Audience::Agent(agent) => listener == Some(agent),
                Audience::Staff => listener.is_some_and(|listener| self.directory.is_staff(listener)),
                Audience::Department(department) => {
                    listener.is_some_and(|listener| self.directory.works_in(listener, department))
                }
                Audience::Call { department, agent } => {
                    listener.is_some_and(|listener| self.directory.may_see_call(listener, department, agent))
                }
            }
        };
        let listeners: Vec<_> = self.sockets.keys().copied().filter(|socket| hears(*socket)).collect();
        self.send_to(&listeners, pos, message);
    }

    fn send_to(&mut self, sockets: &[SocketId], pos: Option<FeedPosition>, message: &Arc<ServerMessage>) {
        let mut slow = Vec::new();
        for socket in sockets {
            let Some(events) = self.sockets.get(socket) else { continue };
            if events.try_send(LiveEvent { pos, message: message.clone() }).is_err() {
                slow.push(*socket);
            }
        }
        for socket in slow {
            // The queue is full: the socket is closed with 1013 as its stream ends.
            self.close_socket(socket);
        }
    }
}

/// What the media thread says, in the words of the call core.
pub(super) fn media_input(event: crate::net::media::FromMedia) -> crate::call::FromMedia {
    use crate::call::FromMedia as To;
    use crate::net::media::FromMedia as From;
    match event {
        From::RtpOpened { leg, local } => To::RtpOpened { leg, local },
        From::RtpFailed { leg, error } => To::RtpFailed { leg, error },
        From::Event(event) => To::Event(event),
        From::Recorded { recording, path, ms, bytes, sha256 } => {
            To::Recorded { recording, path: path.to_string_lossy().into_owned(), ms, bytes, sha256 }
        }
        From::RecordingFailed { recording, error } => To::RecordingFailed { recording, error },
    }
}
