//! What a call is called on its card.

use cordboard_shared::Pii;
use cordboard_shared::call::{CallState, CallView, Direction, MediaState};
use cordboard_shared::event::{LiveCall, Ring};

use crate::model::log;

/// Name or number of the party that rings.
pub fn caller(ring: &Ring) -> String {
    match (&ring.name, ring.from.0.as_str()) {
        (Some(Pii(name)), _) => name.clone(),
        (None, "" | "anonymous") => "Number withheld".to_owned(),
        (None, number) => number.to_owned(),
    }
}

/// Name, or else number, of the other party.
pub fn peer(call: &LiveCall) -> String {
    match call.peer.0.as_str() {
        "" if call.call.direction == Direction::Inbound => log::caller(&call.call),
        "" => call.call.to.name.as_ref().unwrap_or(&call.call.to.number).0.clone(),
        "anonymous" => "Number withheld".to_owned(),
        peer => peer.to_owned(),
    }
}

/// The number, where the name is shown above it.
pub fn number(call: &LiveCall) -> Option<String> {
    let party = if call.call.direction == Direction::Inbound { &call.call.from } else { &call.call.to };
    let number = party.number.0.clone();
    (number != peer(call) && !number.is_empty() && number != "anonymous").then_some(number)
}

/// The state of a call, in a word. Both sides can hold at once; the own hold is the one that can be ended here.
pub fn state_word(call: &LiveCall) -> &'static str {
    match (call.call.state, call.media) {
        (CallState::Held, _) => "On hold",
        (CallState::Connected, MediaState::Lost) => "Sound lost",
        (CallState::Connected, _) if call.held_by_peer => "Held by the other side",
        (CallState::Connected, MediaState::Open) => "Connected",
        (CallState::Connected, MediaState::Gated) => "Connecting sound",
        (CallState::Ended, _) => "Ended",
        (CallState::Flow | CallState::Waiting | CallState::Ringing, _) if call.call.direction != Direction::Inbound => {
            "Calling"
        }
        (CallState::Flow | CallState::Waiting | CallState::Ringing, _) => "Ringing",
    }
}

/// What the server measured about the sound, in words; none while it is well.
pub fn audio_words(verdict: &str) -> Option<&'static str> {
    match verdict {
        "microphone_silent" => Some("Your microphone is silent: the other side hears nothing."),
        "nothing_from_browser" => Some("No sound leaves this browser: the other side hears nothing."),
        "nothing_from_carrier" => Some("No sound comes from the other side."),
        "network_poor" => Some("The other side may not hear you well: the network is poor."),
        _ => None,
    }
}

/// Why an own call that nobody answered ended; none for a call that was talked on.
pub(super) fn failed(call: &CallView) -> Option<String> {
    let cause = call.cause.filter(|_| call.direction != Direction::Inbound && call.answered_at.is_none())?;
    Some(format!("The call ended: {}.", log::cause_words(cause)))
}
