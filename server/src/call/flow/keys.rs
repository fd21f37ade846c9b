//! Keys a caller presses in a flow or a line.

use cordboard_media::{Command as Media, Source};
use cordboard_shared::Millis;
use cordboard_shared::flow::Node;
use cordboard_shared::id::CallId;

use super::step::Happened;
use crate::call::CallCenter;
use crate::call::record::Phase;

/// Digits that are kept at most, whatever a node asks for: what a caller holds down is not a number.
const MOST_DIGITS: usize = 32;

impl CallCenter {
    /// A key pressed by the caller.
    pub(in crate::call) fn caller_digit(&mut self, now: Millis, id: CallId, digit: char) {
        match self.calls.get(&id).map(|call| &call.phase) {
            Some(Phase::Flow) => self.flow_digit(now, id, digit),
            Some(Phase::Routing) => self.waiting_digit(now, id, digit),
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
            | None => {}
        }
    }

    fn flow_digit(&mut self, now: Millis, id: CallId, digit: char) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(run) = call.flow.as_mut() else { return };
        if run.asking || run.missed_call || run.digits.len() >= MOST_DIGITS {
            return;
        }
        // A key cuts short what asks for one; a message is heard to its end.
        let asks = match run.flow.nodes.get(&run.node) {
            Some(Node::Menu { .. } | Node::Input { .. } | Node::Language { .. }) => true,
            Some(Node::Message { .. } | Node::Extension { .. } | Node::Department { .. } | Node::Voicemail { .. })
            | None => false,
        };
        run.digits.push(digit);
        let digits = run.digits.clone();
        if asks {
            call.deadline = None;
            if call.play.take().is_some() {
                let leg = call.caller.leg;
                self.media(Media::Hear { leg, source: Source::Silence });
            }
        }
        self.flow_goes_on(now, id, Happened::Key(&digits));
    }
}
