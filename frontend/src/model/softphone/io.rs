//! What goes into the softphone and what comes out of it.

use cordboard_shared::Millis;
use cordboard_shared::event::{LiveCall, Ring, RingStop};
use cordboard_shared::id::{AgentId, CallId, OfferId};

/// Where an offered call is, in this tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Rings; nothing was pressed here.
    Ringing,
    /// Answer was pressed; the offer of the sound connection has to go out first.
    WaitingForPeer,
    /// Answer is on its way to the server.
    Answering,
    /// The server gave the call to this tab.
    Won,
    /// Decline is on its way to the server.
    Declining,
}

/// A call offered to this person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// As the server put it.
    pub ring: Ring,
    /// Where it is.
    pub stage: Stage,
    /// When ring time is over.
    pub ends_at: Millis,
    /// When ring time began, as far as this tab knows.
    pub began_at: Millis,
    /// What went wrong with the last press.
    pub problem: Option<String>,
}

/// Where the sound of the current call is, seen from this tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    /// Here.
    Here,
    /// Being connected here.
    Connecting,
    /// In another tab or device, or nowhere.
    Elsewhere,
}

/// Something a person can do in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Press {
    /// Silence the own microphone.
    Mute,
    /// Open it again.
    Unmute,
    /// Put the caller on hold.
    Hold,
    /// Take them back.
    Resume,
    /// Keys of the keypad.
    Digits(String),
    /// End the call.
    HangUp,
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Who is signed in here.
    SignedIn(AgentId),
    /// This tab holds the ringer and the microphone, or no longer does.
    LeaderChanged(bool),
    /// What is live now, after a new socket.
    SnapshotTaken {
        /// Offers that ring.
        offers: Vec<Ring>,
        /// Own calls.
        calls: Vec<LiveCall>,
    },
    /// `ring`
    Rang(Box<Ring>),
    /// `ring.lease`
    LeaseRenewed(OfferId, u64),
    /// `ring.stop`
    RingStopped(OfferId, RingStop),
    /// `call.state`
    CallChanged(Box<LiveCall>),
    /// `call.logged`: it is over.
    CallLogged(CallId),
    /// The ringer is really heard.
    RingerSounds(OfferId),
    /// Answer was pressed.
    AnswerPressed(OfferId),
    /// Decline was pressed.
    DeclinePressed(OfferId),
    /// The server gave the call to this tab.
    AnswerTaken(OfferId),
    /// It did not.
    AnswerRefused(OfferId, String),
    /// Decline did not reach the server.
    DeclineFailed(OfferId, String),
    /// `rtc.offer` has been sent.
    PeerOffered(CallId),
    /// Its answer is in place.
    PeerReady(CallId),
    /// The sound connection could not be made, or broke.
    PeerFailed(CallId, String),
    /// Another device of the person's own has the sound.
    PeerRefused(CallId),
    /// Before this page was reloaded the sound of this call was here.
    SoundWasHere(CallId),
    /// Another tab of this browser has taken the sound of this call.
    SoundTaken(CallId),
    /// The tab that had the sound of this call is gone, or is being reloaded.
    SoundReleased(CallId),
    /// Bring the sound of the current call here.
    BringHerePressed,
    /// Something was pressed in the call in hand.
    Pressed(Press),
    /// Something was pressed for another call.
    PressedOn(CallId, Press),
    /// The server did it.
    PressDone(CallId, Press),
    /// This tab has placed the call, or taken it from the floor: its sound shall be here.
    Placed(CallId),
    /// This person has placed the call by another device.
    PlacedElsewhere(CallId),
    /// `call.audio`
    SoundMeasured(CallId, String),
    /// The server did not.
    PressRefused(String),
    /// Time has passed.
    Timeout,
}

/// What the browser shall do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Ring, and stop by yourself after so many milliseconds; report [`Input::RingerSounds`] when it is heard.
    Sound(OfferId, u64),
    /// Ring no longer.
    Silence,
    /// Send `ring.ack`.
    Acknowledge(OfferId),
    /// Make a peer connection for this call, without a microphone, and send its offer: whether it takes the sound from
    /// another device of the person's own.
    OpenPeer(CallId, bool),
    /// Close the peer connection of this call; with the last one, let go of the microphone.
    ClosePeer(CallId),
    /// This call is in hand now: its far side is heard here, and hears the microphone, alone.
    Listen(CallId),
    /// Tell the browser's other tabs that the sound of this call is here, and remember it over a reload.
    ClaimSound(CallId),
    /// Open the microphone, so that it is there when the server says ok.
    OpenMicrophone,
    /// Send the microphone to the caller.
    AttachMicrophone(CallId),
    /// Silence or open the microphone here, before the server does.
    EnableMicrophone(bool),
    /// Send `call.answer`.
    SendAnswer(OfferId),
    /// Send `call.decline`.
    SendDecline(OfferId),
    /// Send what was pressed.
    SendPress(CallId, Press),
    /// Say it at once: the assertive live region.
    Alert(String),
    /// Say it when there is a pause: the polite live region.
    Tell(String),
    /// Show a notice of the operating system, if the person allowed it.
    Notify(Box<Ring>),
    /// Take that notice back.
    EndNotice,
}
