//! Call flows: menus, messages and where keys lead.

use cordboard_media::{Command as Media, Source};
use cordboard_routing::{Row, Target};
use cordboard_shared::Millis;
use cordboard_shared::call::{CallState, EndedBy, FlowRef};
use cordboard_shared::flow::{Flow, Node};
use cordboard_shared::id::CallId;
use cordboard_shared::phone::Extension;

use super::record::{Phase, VoicemailStep};
use super::{CallCenter, Effect};

/// Time between two digits of an extension, in milliseconds.
const INTER_DIGIT_MS: u64 = 1_500;

/// Nodes a call may enter before its flow is taken for a circle.
const MOST_HOPS: u32 = 100;
/// How much longer than its length a prompt may take, in milliseconds.
const PROMPT_SLACK_MS: u64 = 5_000;

/// Where a call is in its flow.
#[derive(Clone, Debug)]
pub(super) struct FlowRun {
    flow: String,
    node: String,
    /// Plays of the present menu so far.
    plays: u32,
    digits: String,
    /// Node after the department or person in hand.
    next: Option<String>,
    /// Nodes entered so far.
    hops: u32,
}

impl CallCenter {
    pub(super) fn start_flow(&mut self, now: Millis, id: CallId, slug: &str) {
        let Some(flow) = self.directory.flow(slug) else {
            return self.hang_up(now, id, EndedBy::System, 480);
        };
        let (reference, start) = (FlowRef { id: flow.id, version: flow.version }, flow.start.clone());
        if let Some(call) = self.calls.get_mut(&id) {
            call.view.flow = Some(reference);
            call.phase = Phase::Flow;
            call.flow = Some(FlowRun {
                flow: slug.to_owned(),
                node: String::new(),
                plays: 0,
                digits: String::new(),
                next: None,
                hops: 0,
            });
        }
        self.enter_node(now, id, Some(start));
    }

    fn flow_of(&self, id: CallId) -> Option<&Flow> {
        let run = self.calls.get(&id)?.flow.as_ref()?;
        self.directory.flow(&run.flow)
    }

    /// Goes to a node of the call's flow; none hangs up.
    pub(super) fn enter_node(&mut self, now: Millis, id: CallId, name: Option<String>) {
        let node = name.as_ref().and_then(|name| self.flow_of(id)?.nodes.get(name)).cloned();
        let (Some(name), Some(node)) = (name, node) else {
            return self.hang_up(now, id, EndedBy::System, 480);
        };
        if let Some(call) = self.calls.get_mut(&id) {
            call.phase = Phase::Flow;
            call.view.state = CallState::Flow;
            call.deadline = None;
            if let Some(run) = call.flow.as_mut() {
                run.hops += 1;
                if run.hops > MOST_HOPS {
                    return self.hang_up(now, id, EndedBy::System, 480);
                }
                run.node = name;
                run.plays = 0;
                run.digits.clear();
                run.next = None;
            }
        }
        match node {
            Node::Menu { audio, .. } | Node::Message { audio, .. } => {
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
            Node::Voicemail { mailbox, .. } => self.enter_voicemail(now, id, &mailbox),
            Node::Input { next, .. } | Node::Language { next, .. } => self.enter_node(now, id, next),
        }
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

    /// Plays `audio:<name>` to the caller; what cannot be found is passed over at once.
    pub(super) fn play_prompt(&mut self, now: Millis, id: CallId, audio: &str) {
        let name = audio.strip_prefix("audio:").unwrap_or(audio);
        let clip = (self.sounds.prompt)(&self.directory.language, name);
        let Some(clip) = clip else {
            self.push(Effect::Note { call: Some(id), text: format!("no prompt {name:?}") });
            return self.play_finished(now, id);
        };
        self.play(now, id, clip);
    }

    pub(super) fn play(&mut self, now: Millis, id: CallId, clip: std::sync::Arc<cordboard_media::Clip>) {
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
            Phase::Flow => self.prompt_finished(now, id),
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

    fn current_node(&self, id: CallId) -> Option<Node> {
        let run = self.calls.get(&id)?.flow.as_ref()?;
        self.flow_of(id)?.nodes.get(&run.node).cloned()
    }

    fn prompt_finished(&mut self, now: Millis, id: CallId) {
        match self.current_node(id) {
            Some(Node::Menu { no_input_seconds, .. }) => {
                if let Some(call) = self.calls.get_mut(&id) {
                    call.deadline = Some(now + u64::from(no_input_seconds) * 1_000);
                }
            }
            Some(Node::Message { next, .. }) => self.enter_node(now, id, next),
            Some(
                Node::Department { .. }
                | Node::Extension { .. }
                | Node::Voicemail { .. }
                | Node::Input { .. }
                | Node::Language { .. },
            )
            | None => {}
        }
    }

    /// No key came, or no further digit of an extension.
    pub(super) fn menu_timeout(&mut self, now: Millis, id: CallId) {
        let Some(Node::Menu { audio, keys, repeat, no_input, .. }) = self.current_node(id) else { return };
        let Some(run) = self.calls.get_mut(&id).and_then(|call| call.flow.as_mut()) else { return };
        let digits = std::mem::take(&mut run.digits);
        if let Some(first) = digits.chars().next() {
            let target = if digits.len() == 1 { keys.get(&first).cloned() } else { None };
            return self.key_chosen(now, id, target);
        }
        run.plays += 1;
        if run.plays > repeat {
            return self.enter_node(now, id, no_input);
        }
        self.play_prompt(now, id, &audio);
    }

    fn key_chosen(&mut self, now: Millis, id: CallId, target: Option<String>) {
        if target.is_some() {
            return self.enter_node(now, id, target);
        }
        let Some(Node::Menu { audio, wrong_key, repeat, no_input, .. }) = self.current_node(id) else { return };
        if wrong_key.is_some() {
            return self.enter_node(now, id, wrong_key);
        }
        let Some(run) = self.calls.get_mut(&id).and_then(|call| call.flow.as_mut()) else { return };
        run.plays += 1;
        if run.plays > repeat {
            return self.enter_node(now, id, no_input);
        }
        self.play_prompt(now, id, &audio);
    }

    /// A key pressed by the caller.
    pub(super) fn caller_digit(&mut self, now: Millis, id: CallId, digit: char) {
        match self.calls.get(&id).map(|call| &call.phase) {
            Some(Phase::Flow) => {}
            Some(Phase::Routing) => return self.waiting_digit(now, id, digit),
            Some(
                Phase::Opening
                | Phase::Dialing
                | Phase::Connecting
                | Phase::Connected
                | Phase::Parked
                | Phase::Voicemail(_)
                | Phase::Farewell
                | Phase::Over,
            )
            | None => return,
        }
        let Some(Node::Menu { keys, dial_extensions, .. }) = self.current_node(id) else { return };
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(run) = call.flow.as_mut() else { return };
        run.digits.push(digit);
        let digits = run.digits.clone();
        if call.play.take().is_some() {
            let leg = call.caller.leg;
            self.media(Media::Hear { leg, source: Source::Silence });
        }
        if dial_extensions {
            if let Ok(extension) = digits.parse::<Extension>()
                && self.directory.agent_by_extension(&extension).is_some()
            {
                return self.ring_extension(now, id, &extension, Row::DirectExtension);
            }
            let begins = |extension: &Extension| {
                extension.as_str().starts_with(&digits) && extension.as_str().len() > digits.len()
            };
            if self.directory.agents.values().filter_map(|agent| agent.extension.as_ref()).any(begins) {
                if let Some(call) = self.calls.get_mut(&id) {
                    call.deadline = Some(now + INTER_DIGIT_MS);
                }
                return;
            }
        }
        if let Some(run) = self.calls.get_mut(&id).and_then(|call| call.flow.as_mut()) {
            run.digits.clear();
        }
        let target = if digits.len() == 1 { keys.get(&digit).cloned() } else { None };
        self.key_chosen(now, id, target);
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
