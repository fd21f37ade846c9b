//! Hold, as a session description says it: `sendonly`, `inactive` (RFC 3264 §8.4), or the connection address 0.0.0.0
//! of RFC 2543.

use crate::sdp::{Direction, SessionDescription};

/// What a new description of the far side means for the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldChange {
    /// They put us on hold.
    Held,
    /// They took us back.
    Resumed,
    /// Nothing of the kind.
    None,
}

impl HoldChange {
    /// Compares what they say now with what they said before.
    pub fn between(before: Option<&SessionDescription>, now: &SessionDescription) -> Self {
        match (before.is_some_and(is_held), is_held(now)) {
            (false, true) => Self::Held,
            (true, false) => Self::Resumed,
            (false, false) | (true, true) => Self::None,
        }
    }
}

/// Whether this description of theirs asks us for silence: they do not want to receive our audio.
pub fn is_held(theirs: &SessionDescription) -> bool {
    let Some(audio) = theirs.media.iter().find(|media| media.kind == "audio" && media.port != 0) else { return false };
    let nowhere = theirs
        .connection_of(audio)
        .and_then(crate::sdp::Connection::ip)
        .is_some_and(|address| address.is_unspecified());
    nowhere || matches!(theirs.direction_of(audio), Direction::SendOnly | Direction::Inactive)
}

/// A description of ours with another direction and the next version: an offer that holds (`SendOnly` with music,
/// `Inactive` without) or resumes (`SendRecv`).
#[must_use]
pub fn with_direction(ours: &SessionDescription, direction: Direction) -> SessionDescription {
    let mut changed = ours.clone();
    changed.version += 1;
    changed.direction = None;
    for media in changed.media.iter_mut().filter(|media| media.port != 0) {
        media.direction = Some(direction);
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(connection: &str, attribute: &str) -> SessionDescription {
        format!(
            "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 {connection}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n\
             {attribute}"
        )
        .parse()
        .unwrap()
    }

    #[test]
    fn hold_is_said_in_three_ways() {
        let talking = described("192.0.2.9", "");
        for held in [
            described("192.0.2.9", "a=sendonly\r\n"),
            described("192.0.2.9", "a=inactive\r\n"),
            described("0.0.0.0", ""),
        ] {
            assert_eq!(HoldChange::between(Some(&talking), &held), HoldChange::Held);
            assert_eq!(HoldChange::between(Some(&held), &talking), HoldChange::Resumed);
            assert_eq!(HoldChange::between(Some(&held), &held), HoldChange::None);
            assert_eq!(HoldChange::between(None, &held), HoldChange::Held);
        }
        assert_eq!(HoldChange::between(Some(&talking), &described("192.0.2.10", "")), HoldChange::None);
    }

    #[test]
    fn our_own_hold_is_a_new_version_with_a_direction() {
        let ours = described("192.0.2.1", "");
        let held = with_direction(&ours, Direction::SendOnly);
        assert!(is_held(&held) && held.version == ours.version + 1);
        assert!(!is_held(&with_direction(&held, Direction::SendRecv)));
    }
}
