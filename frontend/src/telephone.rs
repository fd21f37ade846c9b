//! Carries out what the softphone model asks for: ringer, peer connection, microphone and frames.

use std::cell::RefCell;

use crate::model::duration;
use crate::model::softphone::{self, Input, Output, Press};
use cordboard_shared::event::{ClientMessage, Ring};
use cordboard_shared::id::{CallId, OfferId};
use leptos::prelude::*;
use serde_json::Value;
use wasm_bindgen_futures::spawn_local;

use crate::browser::microphone::Microphone;
use crate::browser::peer::{self, Peer};
use crate::browser::ringer::Ringer;
use crate::browser::storage::{self, Claim};
use crate::browser::{notifications, page};
use crate::panel::Panel;
use crate::{device, shortcuts};

/// The parts of a telephone that live in the browser.
#[derive(Default)]
pub(crate) struct Telephone {
    pub(crate) ringer: Ringer,
    peer: RefCell<Option<Peer>>,
    microphone: RefCell<Option<Microphone>>,
    /// The call whose far side shall hear the microphone as soon as both are there.
    attach_to: RefCell<Option<CallId>>,
}

impl Telephone {
    /// Lets go of everything.
    pub(crate) fn hang_up(&self) {
        self.ringer.silence();
        self.close();
        notifications::close();
    }

    fn close(&self) {
        self.attach_to.borrow_mut().take();
        self.peer.borrow_mut().take();
        self.microphone.borrow_mut().take();
    }

    /// Sends the microphone to the far side if both are there and the server has said ok.
    fn attach(&self, panel: Panel) {
        let wanted = *self.attach_to.borrow();
        let Some(uid) = wanted else { return };
        let sender = self.peer.borrow().as_ref().filter(|peer| peer.call == uid).map(Peer::sender);
        let track = self.microphone.borrow().as_ref().and_then(Microphone::track);
        let (Some(sender), Some(track)) = (sender, track) else { return };
        spawn_local(async move {
            match Peer::replace_track(sender, Some(track)).await {
                Ok(()) => peer::play_on(),
                Err(why) => panel.alert(format!("The microphone could not be connected: {why}.")),
            }
        });
    }
}

/// Begins to follow where the sound of calls is; once per page.
pub(crate) fn watch(panel: Panel) {
    storage::on_sound(move |uid, claim| {
        feed(
            panel,
            match claim {
                Claim::Taken => Input::SoundTaken(uid),
                Claim::Released => Input::SoundReleased(uid),
            },
        );
    });
    if let Some(uid) = panel.shells().had_sound {
        feed(panel, Input::SoundWasHere(uid));
    }
}

/// Gives the model something to take in, and carries out what follows.
pub(crate) fn feed(panel: Panel, input: Input) {
    let now = panel.exactly_now();
    let mut outputs = Vec::new();
    panel.phone.update(|phone| {
        phone.handle_input(now, input);
        outputs.extend(std::iter::from_fn(|| phone.poll_output()));
    });
    for output in outputs {
        perform(panel, output);
    }
}

/// Lets the model look at the clock, when it wants to.
pub(crate) fn tick(panel: Panel) {
    let now = panel.exactly_now();
    let due = panel.phone.with_untracked(|phone| {
        phone.deadline().is_some_and(|deadline| now >= deadline)
            || phone.incoming().is_some_and(|incoming| now > incoming.ends_at)
    });
    if due {
        feed(panel, Input::Timeout);
    }
}

fn perform(panel: Panel, output: Output) {
    let shells = panel.shells();
    let telephone = &shells.telephone;
    match output {
        Output::Sound(offer, lease_ms) => {
            if telephone.ringer.sound(lease_ms) {
                feed(panel, Input::RingerSounds(offer));
            }
        }
        Output::Silence => telephone.ringer.silence(),
        Output::Acknowledge(offer) => acknowledge(panel, offer),
        Output::OpenPeer(uid) => open_peer(panel, uid),
        Output::ClosePeer => telephone.close(),
        Output::ClaimSound(uid) => storage::claim_sound(uid, &shells.tab),
        Output::OpenMicrophone => open_microphone(panel),
        Output::AttachMicrophone(uid) => {
            *telephone.attach_to.borrow_mut() = Some(uid);
            telephone.attach(panel);
        }
        Output::EnableMicrophone(enabled) => {
            if let Some(microphone) = &*telephone.microphone.borrow() {
                microphone.enable(enabled);
            }
        }
        Output::SendAnswer(offer) => shells.live.send(ClientMessage::Answer { offer }, move |answer| {
            feed(
                panel,
                match answer {
                    Ok(_) => Input::AnswerTaken(offer),
                    Err(problem) => Input::AnswerRefused(offer, problem.detail),
                },
            );
        }),
        Output::SendDecline(offer) => shells.live.send(ClientMessage::Decline { offer }, move |answer| {
            if let Err(problem) = answer {
                feed(panel, Input::DeclineFailed(offer, problem.detail));
            }
        }),
        Output::SendPress(uid, press) => send_press(panel, uid, press),
        Output::Alert(text) => panel.alert(text),
        Output::Tell(text) => panel.tell(text),
        Output::Notify(ring) => {
            if !page::is_visible() && panel.phone.with_untracked(softphone::Softphone::is_leader) {
                notifications::show(&format!("Incoming call: {}", softphone::caller(&ring)), &ring.why);
            }
        }
        Output::EndNotice => notifications::close(),
    }
}

/// Each offer is acknowledged once; a renewed lease is not news.
fn acknowledge(panel: Panel, offer: OfferId) {
    thread_local! {
        static LAST: RefCell<Option<OfferId>> = const { RefCell::new(None) };
    }
    if LAST.replace(Some(offer)) != Some(offer) {
        panel.shells().live.post(ClientMessage::RingAck { offer });
    }
}

fn open_peer(panel: Panel, uid: CallId) {
    let failed = move |why: String| {
        feed(panel, Input::PeerFailed(uid, format!("The sound connection could not be made: {why}.")));
    };
    let broke = move || feed(panel, Input::PeerFailed(uid, "The sound connection broke.".to_owned()));
    let made = match Peer::new(uid, broke) {
        Ok(made) => made,
        Err(why) => return failed(why),
    };
    let connection = made.connection();
    *panel.shells().telephone.peer.borrow_mut() = Some(made);
    spawn_local(async move {
        let sdp = match peer::offer(&connection).await {
            Ok(sdp) => sdp,
            Err(why) => return failed(why),
        };
        let answered = connection.clone();
        let shells = panel.shells();
        shells.live.send(ClientMessage::RtcOffer { call: uid, sdp }, move |answer| {
            let sdp = match answer {
                Ok(data) => data.get("sdp").and_then(Value::as_str).map(str::to_owned),
                Err(problem) => return failed(problem.detail),
            };
            let Some(sdp) = sdp else { return failed("the server sent no answer".to_owned()) };
            spawn_local(async move {
                match peer::accept(&answered, &sdp).await {
                    Ok(()) => {
                        feed(panel, Input::PeerReady(uid));
                        panel.shells().telephone.attach(panel);
                    }
                    Err(why) => failed(why),
                }
            });
        });
        feed(panel, Input::PeerOffered(uid));
    });
}

fn open_microphone(panel: Panel) {
    if panel.shells().telephone.microphone.borrow().is_some() {
        return;
    }
    spawn_local(async move {
        match Microphone::open().await {
            Ok(microphone) => {
                device::heard_microphone(panel, &microphone);
                let shells = panel.shells();
                *shells.telephone.microphone.borrow_mut() = Some(microphone);
                shells.telephone.attach(panel);
            }
            Err((state, why)) => {
                device::set_microphone(panel, state);
                panel.alert(format!("{why} The caller cannot hear you."));
            }
        }
    });
}

fn send_press(panel: Panel, uid: CallId, press: Press) {
    let message = match press.clone() {
        Press::Mute => ClientMessage::Mute { call: uid },
        Press::Unmute => ClientMessage::Unmute { call: uid },
        Press::Hold => ClientMessage::Hold { call: uid },
        Press::Resume => ClientMessage::Resume { call: uid },
        Press::Digits(digits) => ClientMessage::Digits { call: uid, digits },
        Press::HangUp => ClientMessage::HangUp { call: uid },
    };
    panel.shells().live.send(message, move |answer| {
        feed(
            panel,
            match answer {
                Ok(_) => Input::PressDone(press),
                Err(problem) => Input::PressRefused(problem.detail),
            },
        );
    });
}

/// What is said once when a call comes in.
pub(crate) fn announcement(panel: Panel, ring: &Ring) -> String {
    let department = ring
        .department
        .and_then(|id| panel.roster.with_untracked(|roster| roster.department(id).map(str::to_owned)))
        .map(|name| format!(", {name}"))
        .unwrap_or_default();
    format!(
        "Incoming call, {}{department}, waited {}. Answer {}, decline {}.",
        softphone::caller(ring),
        duration::spoken(ring.waited_ms),
        shortcuts::spoken('A'),
        shortcuts::spoken('D'),
    )
}

/// What the server measured about the sound of the current call.
pub(crate) fn audio_verdict(panel: Panel, uid: CallId, verdict: &str) {
    let current = panel.phone.with_untracked(|phone| phone.current().map(|call| call.call.uid));
    if current != Some(uid) {
        return;
    }
    match verdict {
        "microphone_silent" => panel.alert("Your microphone is silent: the caller hears nothing."),
        "nothing_from_carrier" => panel.alert("No sound comes from the caller's side."),
        "network_poor" => panel.alert("The caller may not hear you well: the network is poor."),
        _ => {}
    }
}
