//! Carries out what the softphone model asks for: ringer, peer connection, microphone and frames.

use std::cell::{Cell, RefCell};

use crate::model::duration;
use crate::model::softphone::{self, Input, Output, Press};
use cordboard_shared::ProblemCode;
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
use crate::{decode, device, shortcuts};

/// The parts of a telephone that live in the browser.
#[derive(Default)]
pub(crate) struct Telephone {
    pub(crate) ringer: Ringer,
    peers: RefCell<Vec<Peer>>,
    microphone: RefCell<Option<Microphone>>,
    /// The calls whose far side may hear the microphone: the server has said so.
    open_for: RefCell<Vec<CallId>>,
    /// The call in hand: of several, its far side alone hears the microphone and is heard.
    in_hand: Cell<Option<CallId>>,
}

impl Telephone {
    /// Lets go of everything.
    pub(crate) fn hang_up(&self) {
        self.ringer.silence();
        self.open_for.borrow_mut().clear();
        self.peers.borrow_mut().clear();
        self.microphone.borrow_mut().take();
        notifications::close();
    }

    fn close(&self, uid: CallId) {
        self.open_for.borrow_mut().retain(|known| *known != uid);
        let mut peers = self.peers.borrow_mut();
        peers.retain(|peer| peer.call != uid);
        if peers.is_empty() {
            self.microphone.borrow_mut().take();
        }
    }

    /// Sends the microphone to the far side of the call in hand, if all are there and the server has said ok, and to
    /// nobody else; and lets that far side be heard.
    fn attach(&self, panel: Panel) {
        let peers = self.peers.borrow();
        let in_hand = self.in_hand.get().filter(|uid| peers.iter().any(|peer| peer.call == *uid));
        for peer in &*peers {
            let chosen = in_hand.is_none_or(|uid| uid == peer.call);
            let open = chosen && self.open_for.borrow().contains(&peer.call);
            let track = self.microphone.borrow().as_ref().and_then(Microphone::track).filter(|_| open);
            if in_hand == Some(peer.call) {
                peer.play();
            }
            if open && track.is_none() {
                continue;
            }
            let sender = peer.sender();
            spawn_local(async move {
                match Peer::replace_track(sender, track).await {
                    Ok(()) => peer::play_on(),
                    Err(why) => panel.alert(format!("The microphone could not be connected: {why}.")),
                }
            });
        }
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
        Output::OpenPeer(uid, takes) => open_peer(panel, uid, takes),
        Output::ClosePeer(uid) => {
            telephone.close(uid);
            telephone.attach(panel);
        }
        Output::Listen(uid) => {
            telephone.in_hand.set(Some(uid));
            telephone.attach(panel);
        }
        Output::ClaimSound(uid) => storage::claim_sound(uid, &shells.tab),
        Output::OpenMicrophone => open_microphone(panel),
        Output::AttachMicrophone(uid) => {
            telephone.open_for.borrow_mut().push(uid);
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

fn open_peer(panel: Panel, uid: CallId, takes: bool) {
    let failed = move |why: String| {
        feed(panel, Input::PeerFailed(uid, format!("The sound connection could not be made: {why}.")));
    };
    let broke = move || feed(panel, Input::PeerFailed(uid, "The sound connection broke.".to_owned()));
    let made = match Peer::new(uid, broke) {
        Ok(made) => made,
        Err(why) => return failed(why),
    };
    let connection = made.connection();
    panel.shells().telephone.peers.borrow_mut().push(made);
    spawn_local(async move {
        let sdp = match peer::offer(&connection).await {
            Ok(sdp) => sdp,
            Err(why) => return failed(why),
        };
        let answered = connection.clone();
        let shells = panel.shells();
        shells.live.send(ClientMessage::RtcOffer { call: uid, sdp, takes }, move |answer| {
            let sdp = match answer {
                Ok(data) => data.get("sdp").and_then(Value::as_str).map(str::to_owned),
                Err(problem) if problem.code() == Some(ProblemCode::AnsweredElsewhere) => {
                    return feed(panel, Input::PeerRefused(uid));
                }
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
                Ok(_) => Input::PressDone(uid, press),
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

/// Asks the server for something about a call; `done` hears its answer, or why not, in a sentence.
pub(crate) fn ask(panel: Panel, message: ClientMessage, done: impl FnOnce(Result<Value, String>) + 'static) {
    panel.shells().live.send(message, move |answer| done(answer.map_err(|problem| problem.detail)));
}

/// Asks for a call that this tab shall talk on: `done` hears when it is there, or why not.
pub(crate) fn place(panel: Panel, message: ClientMessage, done: impl FnOnce(Result<(), String>) + 'static) {
    let (named, here) = match &message {
        ClientMessage::Take { call } => (Some(*call), true),
        ClientMessage::Dial { device, .. } => (None, device.is_none()),
        _ => (None, true),
    };
    ask(panel, message, move |answer| {
        let placed = answer.map(|data| named.or_else(|| decode::read(data.get("call")?).ok()));
        if let Ok(Some(uid)) = placed {
            feed(panel, if here { Input::Placed(uid) } else { Input::PlacedElsewhere(uid) });
        }
        done(placed.map(|_| ()));
    });
}
