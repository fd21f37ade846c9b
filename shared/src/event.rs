//! Frames of the live socket `/core/ws` (`wire.md` section 4).

mod live;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::agent::{AgentProfile, Presence, Verdict};
use crate::call::CallView;
use crate::department::{Department, Number};
use crate::error::Problem;
use crate::id::{AgentId, CallId, DepartmentId, OfferId};
use crate::policy::Policy;
use crate::time::Millis;
use crate::version::FeedPosition;

pub use live::{
    DeviceView, DeviceViewKind, FloorCall, FloorState, LiveCall, Ring, RingStop, TransferMode, TransferView,
};

/// Longest client frame, in bytes; a longer one closes the socket (1009).
pub const MAX_CLIENT_FRAME: usize = 65_536;
/// Frames a slow reader may be behind before the socket is closed (1013).
pub const SOCKET_QUEUE: usize = 1_024;
/// Time between two `ping` frames, in milliseconds.
pub const PING_MS: u64 = 5_000;
/// Without a `pong` for so long a device cannot ring, in milliseconds.
pub const PONG_LOST_MS: u64 = 15_000;
/// A ringer without a fresh lease for so long stops by itself, in milliseconds.
pub const LEASE_MS: u64 = 3_000;
/// Time between two leases of an offer, in milliseconds.
pub const LEASE_EVERY_MS: u64 = 1_000;
/// Time a device has to acknowledge a ring, in milliseconds.
pub const RING_ACK_MS: u64 = 1_000;
/// Subprotocol of the socket.
pub const SUBPROTOCOL: &str = "cordboard.v1";

/// A frame from a client. Each is answered once with the same id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClientFrame {
    /// The client's name for it.
    pub id: String,
    /// What it asks.
    #[serde(flatten)]
    pub message: ClientMessage,
}

/// Microphone permission of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Microphone {
    /// Granted, and a device is there.
    Granted,
    /// Not asked yet.
    #[default]
    Prompt,
    /// Refused.
    Denied,
    /// No microphone at all.
    None,
}

/// Whether the page may sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageAudio {
    /// Yes.
    Running,
    /// Not before the user presses something.
    #[default]
    Blocked,
}

/// What a device says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceState {
    /// Microphone permission.
    pub mic: Microphone,
    /// Whether the page may sound.
    pub audio: PageAudio,
    /// Whether the tab is in front.
    pub visible: bool,
    /// Whether this tab holds microphone and ringer among the browser's tabs.
    pub leader: bool,
}

impl DeviceState {
    /// Whether a call may be rung here: a microphone, sound, and the leading tab.
    pub fn can_ring(&self) -> bool {
        self.mic == Microphone::Granted && self.audio == PageAudio::Running && self.leader
    }
}

/// First frame of a client, within 5 s.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Name and version of the client.
    pub app: String,
    /// A stable id of this browser.
    pub device: String,
    /// This tab.
    pub tab: String,
    /// What it wants to hear: `presence`, `calls`, `queues`.
    #[serde(default)]
    pub topics: Vec<String>,
    /// Last position seen.
    #[serde(default)]
    pub after: Option<FeedPosition>,
}

/// What a client can ask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum ClientMessage {
    /// First frame.
    #[serde(rename = "hello")]
    Hello(Hello),
    /// Answer to `ping`.
    #[serde(rename = "pong")]
    Pong {
        /// The ping's `t`.
        t: i64,
        /// The device now.
        #[serde(flatten)]
        state: DeviceState,
    },
    /// The device has changed.
    #[serde(rename = "device")]
    Device(DeviceState),
    /// The ringer can sound.
    #[serde(rename = "ring.ack")]
    RingAck {
        /// Which offer.
        offer: OfferId,
    },
    /// A WebRTC offer; answered with `{"sdp"}`.
    #[serde(rename = "rtc.offer")]
    RtcOffer {
        /// Which call.
        call: CallId,
        /// The SDP.
        sdp: String,
        /// Whether the person asked for the sound to come here from another device of theirs. Otherwise a device that has
        /// it keeps it: an offer made for a ring may arrive after another device has answered.
        #[serde(default)]
        takes: bool,
    },
    /// An ICE candidate of the browser; optional.
    #[serde(rename = "rtc.candidate")]
    RtcCandidate {
        /// Which call.
        call: CallId,
        /// The candidate line.
        candidate: String,
    },
    /// Take the call.
    #[serde(rename = "call.answer")]
    Answer {
        /// Which offer.
        offer: OfferId,
    },
    /// Leave it to the next one.
    #[serde(rename = "call.decline")]
    Decline {
        /// Which offer.
        offer: OfferId,
    },
    /// Put the far side on hold.
    #[serde(rename = "call.hold")]
    Hold {
        /// Which call.
        call: CallId,
    },
    /// Take it back.
    #[serde(rename = "call.resume")]
    Resume {
        /// Which call.
        call: CallId,
    },
    /// Silence the own microphone.
    #[serde(rename = "call.mute")]
    Mute {
        /// Which call.
        call: CallId,
    },
    /// Open it again.
    #[serde(rename = "call.unmute")]
    Unmute {
        /// Which call.
        call: CallId,
    },
    /// End the call.
    #[serde(rename = "call.hangup")]
    HangUp {
        /// Which call.
        call: CallId,
    },
    /// Keys pressed in the call (0–9 * #).
    #[serde(rename = "call.digits")]
    Digits {
        /// Which call.
        call: CallId,
        /// The keys.
        digits: String,
    },
    /// Calls a number or a colleague.
    ///
    /// Answered with `{"call"}` once the call exists; the browser then sends `rtc.offer` for it, unless another
    /// device was chosen. Refused with a sentence before anything is sent.
    #[serde(rename = "call.dial")]
    Dial {
        /// A number, as people write it, or an extension.
        to: String,
        /// The department whose number is shown; none is the first of the person's own.
        #[serde(default)]
        department: Option<DepartmentId>,
        /// The own device that is called first, by [`DeviceView::id`]; none is this tab.
        #[serde(default)]
        device: Option<String>,
        /// A callback this call is for.
        #[serde(default)]
        callback: Option<CallId>,
    },
    /// Hands the call over. Blind: answered with `{}` at once, and the call comes back to the person when nobody
    /// takes it. Warm: answered with `{"call"}`, the consultation, while the caller hears music.
    #[serde(rename = "call.transfer")]
    Transfer {
        /// Which call.
        call: CallId,
        /// `agent:<uuid>`, `department:<slug>`, a number or an extension.
        to: String,
        /// Blind or warm.
        mode: TransferMode,
    },
    /// Joins the caller and the person asked.
    #[serde(rename = "call.transfer.complete")]
    TransferComplete {
        /// The call to be transferred.
        call: CallId,
    },
    /// Ends the consultation; the caller is taken back.
    #[serde(rename = "call.transfer.cancel")]
    TransferCancel {
        /// The call to be transferred.
        call: CallId,
    },
    /// Talks with the other of caller and person asked; the one left hears music.
    #[serde(rename = "call.swap")]
    Swap {
        /// The call to be transferred.
        call: CallId,
    },
    /// Puts the call where others can take it; answered with `{"slot"}`.
    #[serde(rename = "call.park")]
    Park {
        /// Which call.
        call: CallId,
    },
    /// Takes a parked call, one that waits in a department of one's own (row 13), or one that rings at a colleague
    /// of such a department (row 12). The browser then sends `rtc.offer` for it.
    #[serde(rename = "call.take")]
    Take {
        /// Which call.
        call: CallId,
    },
    /// Brings this call's sound to a phone of one's own. To a tab it comes by the tab's own `rtc.offer`, with `takes`.
    #[serde(rename = "call.move")]
    Move {
        /// Which call.
        call: CallId,
        /// The phone, by [`DeviceView::id`].
        device: String,
    },
    /// Pauses the recording, or lets it go on.
    #[serde(rename = "call.record")]
    Record {
        /// Which call.
        call: CallId,
        /// Whether it records from now on.
        on: bool,
    },
    /// Files the call under one of the account's words, during the call or in its after-call work; none takes it off.
    #[serde(rename = "call.disposition")]
    Disposition {
        /// Which call.
        call: CallId,
        /// The word.
        disposition: Option<String>,
    },
    /// After-call work is finished.
    #[serde(rename = "wrapup.done")]
    WrapUpDone {},
    /// Thirty seconds more of after-call work, once.
    #[serde(rename = "wrapup.extend")]
    WrapUpExtend {},
    /// The person has done something: a pointer, a key. At most one a minute.
    #[serde(rename = "activity")]
    Activity {},
    /// A due callback is dealt with.
    #[serde(rename = "callback.done")]
    CallbackDone {
        /// The call that asked for it.
        call: CallId,
    },
    /// A note on the call.
    #[serde(rename = "call.note")]
    Note {
        /// Which call.
        call: CallId,
        /// The text.
        text: String,
    },
}

/// A frame to a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerFrame {
    /// Counts from 1 per socket; a gap means reconnect.
    pub seq: u64,
    /// On durable events only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pos: Option<FeedPosition>,
    /// On answers: the id of the frame answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub re: Option<String>,
    /// What it says.
    #[serde(flatten)]
    pub message: ServerMessage,
}

/// Everything a panel shows at first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The person signed in.
    pub me: AgentProfile,
    /// Own presence.
    pub presence: Presence,
    /// People one may see.
    pub agents: Vec<AgentProfile>,
    /// Their presence.
    pub presences: Vec<Presence>,
    /// Departments one may see.
    pub departments: Vec<Department>,
    /// Numbers of the account.
    #[serde(default)]
    pub numbers: Vec<Number>,
    /// Offers ringing now.
    pub offers: Vec<Ring>,
    /// Own calls now.
    pub calls: Vec<LiveCall>,
    /// Account time zone (IANA name).
    #[serde(default)]
    pub zone: String,
    /// The routing policy, for those who may see it.
    #[serde(default)]
    pub policy: Option<Box<Policy>>,
    /// The words an Away may give as its reason.
    #[serde(default)]
    pub away_reasons: Vec<String>,
    /// Calls that wait, ring at colleagues or are parked, as far as one may see them.
    #[serde(default)]
    pub floor: Vec<FloorCall>,
    /// Own devices.
    #[serde(default)]
    pub devices: Vec<DeviceView>,
    /// The words a call may be filed under.
    #[serde(default)]
    pub dispositions: Vec<String>,
    /// When this was true.
    pub as_of: Millis,
}

/// What the server says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum ServerMessage {
    /// Answer: done.
    #[serde(rename = "ok")]
    Ok(Value),
    /// Answer: not done.
    #[serde(rename = "error")]
    Error(Problem),
    /// Everything at first.
    #[serde(rename = "snapshot")]
    Snapshot(Box<Snapshot>),
    /// History is gone: drop lists, take the snapshot.
    #[serde(rename = "gap")]
    Gap {},
    /// Still there?
    #[serde(rename = "ping")]
    Ping {
        /// Server time in milliseconds since the epoch.
        t: i64,
    },
    /// Somebody's presence has changed.
    #[serde(rename = "presence.changed")]
    PresenceChanged(Box<Presence>),
    /// A call is offered to this person.
    #[serde(rename = "ring")]
    Ring(Box<Ring>),
    /// It still rings.
    #[serde(rename = "ring.lease")]
    RingLease {
        /// Which offer.
        offer: OfferId,
        /// As in [`Ring`].
        lease_ms: u64,
    },
    /// It stops.
    #[serde(rename = "ring.stop")]
    RingStop {
        /// Which offer.
        offer: OfferId,
        /// Why.
        reason: RingStop,
    },
    /// An own call has changed.
    #[serde(rename = "call.state")]
    CallState(Box<LiveCall>),
    /// What the sound of a call is like.
    #[serde(rename = "call.audio")]
    CallAudio {
        /// Which call.
        call: CallId,
        /// `ok`, `microphone_silent`, `nothing_from_browser`, `nothing_from_carrier`, `network_poor`.
        verdict: String,
    },
    /// A call's final record.
    #[serde(rename = "call.logged")]
    CallLogged(Box<CallView>),
    /// A department's line has changed.
    #[serde(rename = "queue.changed")]
    QueueChanged {
        /// Which department.
        department: DepartmentId,
        /// Callers waiting.
        waiting: u32,
        /// The longest wait, in milliseconds.
        longest_ms: u64,
        /// Members by verdict.
        #[serde(default)]
        by_verdict: BTreeMap<Verdict, u32>,
    },
    /// Calls of the floor have changed: all that this person may see now, at most four times a second.
    #[serde(rename = "floor.changed")]
    FloorChanged {
        /// The calls, the longest first.
        calls: Vec<FloorCall>,
    },
    /// Own devices have changed.
    #[serde(rename = "devices.changed")]
    DevicesChanged {
        /// All of them.
        devices: Vec<DeviceView>,
    },
    /// The policy has changed.
    #[serde(rename = "policy.changed")]
    PolicyChanged(Box<Policy>),
    /// A callback has come due, or is dealt with.
    #[serde(rename = "callbacks.changed")]
    CallbacksChanged {},
    /// Inactivity ends this sign-in then, unless something is done.
    #[serde(rename = "signout.soon")]
    SignOutSoon {
        /// When.
        at: Millis,
    },
    /// The person was set Away by the server, and why.
    #[serde(rename = "away.set")]
    AwaySet {
        /// `missed_2`, `inactivity_8h` and the like.
        reason: String,
    },
    /// An Away with an end is over: is the person back?
    #[serde(rename = "away.over")]
    AwayOver {},
    /// The server is stopping: reconnect after so long.
    #[serde(rename = "draining")]
    Draining {
        /// Wait, in milliseconds.
        retry_ms: u64,
    },
}

/// Whose live events a frame is for; the panel never sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// One person, in all their tabs.
    Agent(AgentId),
    /// Everybody who may see this person.
    Watchers(AgentId),
    /// Owners, admins and managers.
    Staff,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_shape_of_the_wire() {
        let frame: ClientFrame = serde_json::from_str(
            r#"{"id":"c17","type":"pong","data":{"t":5,"mic":"granted","audio":"running","visible":true,"leader":true,"new":1}}"#,
        )
        .unwrap();

        let ClientMessage::Pong { t, state } = frame.message else { panic!("{frame:?}") };
        assert_eq!(t, 5);
        assert!(state.can_ring());

        let frame = ServerFrame {
            seq: 7,
            pos: None,
            re: Some("c17".to_owned()),
            message: ServerMessage::Ok(serde_json::json!({})),
        };
        assert_eq!(serde_json::to_value(frame).unwrap(), serde_json::json!({"seq":7,"re":"c17","type":"ok","data":{}}));
    }
}
