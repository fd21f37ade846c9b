//! Call flows: where a call is in its flow, and what each node does. What follows from what happens at a node is
//! [`step`]'s to say.

pub(super) mod dial;
mod keys;
pub(crate) mod step;
pub(crate) mod walk;
mod webhook;

use std::sync::Arc;

use cordboard_media::{Command as Media, Source};
use cordboard_routing::{Row, Target};
use cordboard_shared::Millis;
use cordboard_shared::call::{CallCause, CallResult, CallState, CallStep, EndedBy, FlowRef, StepKind};
use cordboard_shared::flow::{Flow, Node};
use cordboard_shared::id::CallId;
use cordboard_shared::phone::Extension;

use super::record::{Phase, VoicemailStep};
use super::{CallCenter, Effect};
use step::{Happened, MOST_HOPS, Then};
pub use webhook::{WebhookAnswer, WebhookBody, WebhookQuestion};

/// Time between two digits of an extension, in milliseconds.
const INTER_DIGIT_MS: u64 = 1_500;
/// How much longer than its length a prompt may take, in milliseconds.
const PROMPT_SLACK_MS: u64 = 5_000;
/// One ring and the pause after it, in milliseconds, as most networks have it (ITU-T E.180 supplement 2: 4 to 6 s).
const RING_MS: u64 = 5_000;

/// Where a call is in its flow.
#[derive(Clone, Debug)]
pub(super) struct FlowRun {
    /// The flow as it was when the call came: a publication meanwhile changes nothing for it.
    flow: Arc<Flow>,
    node: String,
    /// Plays of the present node so far.
    plays: u32,
    digits: String,
    /// Language chosen by the caller.
    language: Option<String>,
    /// Node after the department or person in hand.
    next: Option<String>,
    /// Nodes entered so far.
    hops: u32,
    /// The webhook is asked and has not answered.
    asking: bool,
    /// Rings to its end and is never answered.
    missed_call: bool,
    /// What a voicemail node says of the message in hand: greeting, seconds.
    voicemail: (Option<String>, Option<u32>),
}

impl CallCenter {
    pub(super) fn start_flow(&mut self, now: Millis, id: CallId, slug: &str) {
        let Some(flow) = self.directory.flow(slug).cloned() else {
            return self.refuse(now, id, CallResult::Rejected, Some(CallCause::NoFlow), 404);
        };
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.view.flow = Some(FlowRef { id: flow.id, version: flow.version });
        call.phase = Phase::Flow;
        call.flow = Some(FlowRun {
            flow: flow.clone(),
            node: String::new(),
            plays: 0,
            digits: String::new(),
            language: None,
            next: None,
            hops: 0,
            asking: false,
            missed_call: flow.missed_call_rings.is_some(),
            voicemail: (None, None),
        });
        if let Some(rings) = flow.missed_call_rings {
            // What follows a missed call follows it; nobody is charged for it.
            call.deadline = Some(now + u64::from(rings) * RING_MS);
            return self.ring_back(id);
        }
        if step::closed(&flow, &self.directory.zone, now).is_none() {
            return self.enter_node(now, id, Some(flow.start.clone()));
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.view.cause = Some(CallCause::OutOfHours);
        }
        match &flow.closed {
            Some(closed) => self.enter_node(now, id, Some(closed.clone())),
            None => self.farewell(now, id, &["closed"]),
        }
    }

    /// Goes to a node of the call's flow; none hangs up.
    pub(super) fn enter_node(&mut self, now: Millis, id: CallId, name: Option<String>) {
        let entered = self.calls.get_mut(&id).and_then(|call| {
            let (name, run) = (name?, call.flow.as_mut()?);
            let node = run.flow.nodes.get(&name).cloned()?;
            run.hops += 1;
            run.node.clone_from(&name);
            run.plays = 1;
            run.digits.clear();
            run.next = None;
            run.asking = false;
            run.voicemail = (None, None);
            call.phase = Phase::Flow;
            call.view.state = CallState::Flow;
            call.deadline = None;
            let step = CallStep { at: now, what: StepKind::Node, agent: None, text: Some(name.into()) };
            (run.hops <= MOST_HOPS).then(|| {
                call.view.steps.push(step);
                node
            })
        });
        let Some(node) = entered else { return self.hang_up(now, id, EndedBy::System, 480) };
        match node {
            Node::Menu { audio, .. }
            | Node::Message { audio, .. }
            | Node::Input { audio, .. }
            | Node::Language { audio, .. } => {
                self.accept(id);
                self.play_prompt(now, id, &audio);
                self.publish(id);
            }
            Node::Department { department, next } => {
                self.remember_next(id, next);
                self.enter_department(now, id, &department);
            }
            Node::Extension { extension, next } => {
                self.remember_next(id, next);
                self.ring_extension(now, id, &extension, Row::FlowExtension);
            }
            Node::Voicemail { mailbox, audio, seconds } => {
                if let Some(run) = self.calls.get_mut(&id).and_then(|call| call.flow.as_mut()) {
                    run.voicemail = (audio, seconds);
                }
                self.enter_voicemail(now, id, &mailbox);
            }
        }
    }

    /// Tells the present node what happened, and does what follows.
    pub(super) fn flow_goes_on(&mut self, now: Millis, id: CallId, happened: Happened<'_>) {
        let Some(run) = self.calls.get(&id).and_then(|call| call.flow.as_ref()) else { return };
        let flow = run.flow.clone();
        let Some(node) = flow.nodes.get(&run.node) else { return };
        match step::then(node, run.plays, happened, &self.directory, self.directory.telephony.direct_dialing) {
            Then::Stay => {}
            Then::Wait(seconds) | Then::WaitForMore(Some(seconds)) => {
                self.wait_for_key(now, id, u64::from(seconds) * 1_000);
            }
            Then::WaitForMore(None) => self.wait_for_key(now, id, INTER_DIGIT_MS),
            Then::Again => {
                if let Some(run) = self.calls.get_mut(&id).and_then(|call| call.flow.as_mut()) {
                    run.plays += 1;
                    run.digits.clear();
                }
                if let Node::Menu { audio, .. } = node {
                    self.play_prompt(now, id, audio);
                }
            }
            Then::Go(next) => self.enter_node(now, id, next),
            Then::Dial(extension) => {
                self.remember_next(id, None);
                self.ring_extension(now, id, &extension, Row::DirectExtension);
            }
            Then::Speak(language, next) => {
                if let Some(run) = self.calls.get_mut(&id).and_then(|call| call.flow.as_mut()) {
                    run.language = Some(language);
                }
                self.enter_node(now, id, next);
            }
            Then::Ask(digits) => self.ask_webhook(now, id, node, digits),
        }
    }

    fn wait_for_key(&mut self, now: Millis, id: CallId, ms: u64) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.deadline = Some(now + ms);
        }
    }

    /// The wait of a node is over, or a missed call has rung.
    pub(super) fn menu_timeout(&mut self, now: Millis, id: CallId) {
        let Some(run) = self.calls.get_mut(&id).and_then(|call| call.flow.as_mut()) else { return };
        if run.missed_call {
            // RFC 3261 §21.6.2: 603, so that no network tries the call by another way and it rings again.
            if let Some(call) = self.calls.get_mut(&id) {
                call.view.result = Some(CallResult::Missed);
            }
            return self.hang_up(now, id, EndedBy::System, 603);
        }
        if run.asking {
            return self.webhook_late(now, id);
        }
        let digits = std::mem::take(&mut run.digits);
        self.flow_goes_on(now, id, Happened::Waited(&digits));
    }

    /// The language this call is spoken to in.
    pub(super) fn language_of(&self, id: CallId) -> String {
        let run = self.calls.get(&id).and_then(|call| call.flow.as_ref());
        let chosen = run.and_then(|run| run.language.as_ref().or(run.flow.language.as_ref()));
        chosen.unwrap_or(&self.directory.language).clone()
    }

    /// Greeting and longest message that the call's voicemail node wants, if it wants its own.
    pub(super) fn voicemail_of_node(&self, id: CallId) -> (Option<String>, Option<u32>) {
        let run = self.calls.get(&id).and_then(|call| call.flow.as_ref());
        run.map(|run| run.voicemail.clone()).unwrap_or_default()
    }

    fn remember_next(&mut self, id: CallId, next: Option<String>) {
        if let Some(run) = self.calls.get_mut(&id).and_then(|call| call.flow.as_mut()) {
            run.next = next;
        }
    }

    /// The node that follows the department or person in hand.
    pub(super) fn node_after(&self, id: CallId) -> Option<String> {
        self.calls.get(&id)?.flow.as_ref()?.next.clone()
    }

    /// The node that takes a call whose person did not, instead of their voicemail box.
    pub(super) fn node_instead_of_voicemail(&self, id: CallId) -> Option<String> {
        let run = self.calls.get(&id)?.flow.as_ref()?;
        match run.flow.nodes.get(&run.node)? {
            Node::Extension { .. } => run.next.clone(),
            Node::Menu { .. }
            | Node::Department { .. }
            | Node::Message { .. }
            | Node::Voicemail { .. }
            | Node::Input { .. }
            | Node::Language { .. } => None,
        }
    }

    /// Plays `audio:<id or name>` or `tts:<text>` to the caller in the language of the call; what is empty or cannot be
    /// found is passed over at once.
    pub(super) fn play_prompt(&mut self, now: Millis, id: CallId, audio: &str) {
        match self.prompt_of(id, audio) {
            Some(clip) => self.play(now, id, clip),
            None => self.play_finished(now, id),
        }
    }

    /// A prompt in the language of the call.
    pub(super) fn prompt_of(&mut self, id: CallId, audio: &str) -> Option<Arc<cordboard_media::Clip>> {
        let name = audio.strip_prefix("audio:").unwrap_or(audio);
        let clip = (self.sounds.prompt)(&self.language_of(id), name);
        if clip.is_none() && !name.is_empty() {
            // Not its text: that may hold what nobody but the caller is to hear.
            let what = if name.starts_with("tts:") { "a text" } else { name };
            self.push(Effect::Note { call: Some(id), text: format!("no prompt {what:?}") });
        }
        clip
    }

    pub(super) fn play(&mut self, now: Millis, id: CallId, clip: Arc<cordboard_media::Clip>) {
        let play = self.next_play();
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.play = Some(play);
        // A far side that nothing can be sent to never hears the end.
        call.deadline = Some(now + clip.ms() + PROMPT_SLACK_MS);
        let leg = call.caller.leg;
        self.media(Media::Hear { leg, source: Source::Clip { clip, play } });
    }

    pub(super) fn play_finished(&mut self, now: Millis, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.play = None;
        call.deadline = None;
        match &call.phase {
            Phase::Flow => self.flow_goes_on(now, id, Happened::Played),
            Phase::Voicemail(VoicemailStep::Greeting) => self.play_beep(now, id),
            Phase::Voicemail(VoicemailStep::Beep) => self.start_recording(now, id),
            Phase::Farewell => self.hang_up(now, id, EndedBy::System, 480),
            // An announcement is over.
            Phase::Routing => self.music(id),
            Phase::Voicemail(VoicemailStep::Recording(_))
            | Phase::Opening
            | Phase::Dialing
            | Phase::Connecting
            | Phase::Connected
            | Phase::Parked
            | Phase::Over => {}
        }
    }

    pub(super) fn enter_department(&mut self, now: Millis, id: CallId, slug: &str) {
        let Some(department) = self.directory.department_by_slug(slug).map(|it| it.id) else {
            return self.hang_up(now, id, EndedBy::System, 480);
        };
        self.hand_to_engine(now, id, Target::Department(department), Row::Queue);
    }

    pub(super) fn ring_extension(&mut self, now: Millis, id: CallId, extension: &Extension, row: Row) {
        let Some(agent) = self.directory.agent_by_extension(extension).map(|it| it.id) else {
            return self.hang_up(now, id, EndedBy::System, 404);
        };
        self.hand_to_engine(now, id, Target::Agent(agent), row);
    }
}
