//! The sound connection of one call: one audio line both ways, made while it rings, the microphone attached at Answer.

use std::cell::RefCell;
use std::rc::Rc;

use cordboard_shared::id::CallId;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    HtmlAudioElement, MediaStream, MediaStreamTrack, RtcPeerConnection, RtcPeerConnectionState, RtcRtpSender,
    RtcRtpTransceiverDirection, RtcRtpTransceiverInit, RtcSdpType, RtcSessionDescriptionInit, RtcTrackEvent,
};

use super::{explain, page};

/// The sound connection of one call; closed when dropped.
pub(crate) struct Peer {
    /// The call it carries.
    pub(crate) call: CallId,
    connection: RtcPeerConnection,
    sender: RtcRtpSender,
    /// The far side's voice, once it has come.
    voice: Rc<RefCell<Option<MediaStream>>>,
    _track: Closure<dyn FnMut(RtcTrackEvent)>,
    _state: Closure<dyn FnMut()>,
}

impl Peer {
    /// Makes the connection; `on_failed` hears when it breaks for good.
    pub(crate) fn new(call: CallId, on_failed: impl Fn() + 'static) -> Result<Self, String> {
        let connection = RtcPeerConnection::new().map_err(|error| explain(&error))?;
        let init = RtcRtpTransceiverInit::new();
        init.set_direction(RtcRtpTransceiverDirection::Sendrecv);
        let sender = connection.add_transceiver_with_str_and_init("audio", &init).sender();

        let voice = Rc::<RefCell<Option<MediaStream>>>::default();
        let heard = voice.clone();
        let track = Closure::<dyn FnMut(RtcTrackEvent)>::new(move |event: RtcTrackEvent| {
            let stream = event.streams().get(0).dyn_into::<MediaStream>().ok().or_else(|| {
                let stream = MediaStream::new().ok()?;
                stream.add_track(&event.track());
                Some(stream)
            });
            play(stream.as_ref());
            *heard.borrow_mut() = stream;
        });
        connection.set_ontrack(track.as_ref().dyn_ref());
        let watched = connection.clone();
        let state = Closure::<dyn FnMut()>::new(move || {
            if watched.connection_state() == RtcPeerConnectionState::Failed {
                on_failed();
            }
        });
        connection.set_onconnectionstatechange(state.as_ref().dyn_ref());
        Ok(Self { call, connection, sender, voice, _track: track, _state: state })
    }

    /// A handle for the steps that wait.
    pub(crate) fn connection(&self) -> RtcPeerConnection {
        self.connection.clone()
    }

    /// Sends this microphone, or none, to the far side.
    pub(crate) async fn replace_track(sender: RtcRtpSender, track: Option<MediaStreamTrack>) -> Result<(), String> {
        JsFuture::from(sender.replace_track(track.as_ref())).await.map_err(|error| explain(&error))?;
        Ok(())
    }

    /// Lets the far side of this call be heard, and no other.
    pub(crate) fn play(&self) {
        if let Some(voice) = &*self.voice.borrow() {
            play(Some(voice));
        }
    }

    /// What sends the microphone.
    pub(crate) fn sender(&self) -> RtcRtpSender {
        self.sender.clone()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.connection.set_ontrack(None);
        self.connection.set_onconnectionstatechange(None);
        self.connection.close();
        // Another call may be heard meanwhile.
        let voice = self.voice.borrow();
        if voice.is_none() || audio().and_then(|audio| audio.src_object()).as_ref() == voice.as_ref() {
            play(None);
        }
    }
}

/// Makes the offer and sets it as the local description.
pub(crate) async fn offer(connection: &RtcPeerConnection) -> Result<String, String> {
    let offer = JsFuture::from(connection.create_offer()).await.map_err(|error| explain(&error))?;
    let offer: RtcSessionDescriptionInit = offer.unchecked_into();
    JsFuture::from(connection.set_local_description(&offer)).await.map_err(|error| explain(&error))?;
    // The server has a public address and answers checks: the browser's own candidates need not be waited for.
    connection.local_description().map(|local| local.sdp()).ok_or_else(|| "no local description".to_owned())
}

/// Takes over the server's answer.
pub(crate) async fn accept(connection: &RtcPeerConnection, sdp: &str) -> Result<(), String> {
    let answer = RtcSessionDescriptionInit::new(RtcSdpType::Answer);
    answer.set_sdp(sdp);
    JsFuture::from(connection.set_remote_description(&answer)).await.map_err(|error| explain(&error))?;
    Ok(())
}

/// Plays the far side's voice in the page's one audio element.
fn play(stream: Option<&MediaStream>) {
    if let Some(audio) = audio() {
        // Setting what is there already would interrupt it.
        if audio.src_object().as_ref() != stream {
            audio.set_src_object(stream);
        }
        start(&audio);
    }
}

/// Tries once more to play the far side's voice: after a reload the browser allows it only once the microphone is
/// open, or something was pressed.
pub(crate) fn play_on() {
    if let Some(audio) = audio().filter(|audio| audio.paused()) {
        start(&audio);
    }
}

fn audio() -> Option<HtmlAudioElement> {
    page::element("call-audio")?.dyn_into().ok()
}

fn start(audio: &HtmlAudioElement) {
    if audio.src_object().is_none() {
        return;
    }
    if let Ok(started) = audio.play() {
        wasm_bindgen_futures::spawn_local(async move {
            // A refusal is mended by `play_on`.
            let _ = JsFuture::from(started).await;
        });
    }
}
