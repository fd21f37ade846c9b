//! A first call without a phone: the server calls one of its own numbers over loopback and speaks a greeting.

use cordboard_media::{Codec, Command as Media, Source};
use cordboard_shared::id::{CallId, LegId};
use cordboard_shared::phone::E164;
use cordboard_shared::{Millis, Problem, ProblemCode};
use cordboard_sip::endpoint::{Credentials, TrunkId};
use cordboard_sip::message::{NameAddr, SipUri};
use cordboard_sip::sdp::{self, AudioCodec, Direction, SessionDescription};
use cordboard_sip::{Command as Sip, DialogId, Invitation, Secret, SipUser, TrunkPeers};
use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::json;

use super::leg::{rtp_params, session_number};
use super::{CallCenter, Effect, Owner, ReplyTo};

/// Header that ties the INVITE that arrives to the one that was sent.
pub(super) const TEST_HEADER: &str = "X-Cordboard-Test-Call";
/// The server itself, as a trunk.
const OWN_TRUNK: &str = "test-call";
/// User part of the caller's address.
const CALLER: &str = "+442079460100";
/// A test call rings at most so long, in milliseconds.
const RING_MS: u64 = 120_000;
/// A test call talks at most so long, in milliseconds.
const TALK_MS: u64 = 180_000;

/// The calling side.
#[derive(Debug)]
pub(super) struct TestCaller {
    leg: LegId,
    to: E164,
    secret: String,
    reply: Option<ReplyTo>,
    local: Option<std::net::SocketAddr>,
    pub(super) deadline: Option<Millis>,
}

/// A user and a password that nobody else has or learns; the user is longer than any phone's may be.
pub(super) fn own_credentials(random: &mut StdRng) -> Credentials {
    let [user, password] = [(); 2].map(|()| format!("test-call-{:032x}", random.random::<u128>()));
    Credentials { user, password }
}

impl CallCenter {
    /// The server itself, as the SIP side has to know it to take its test calls: from wherever they seem to come, and
    /// whatever trunks there are.
    pub fn own_trunk(&self) -> TrunkPeers {
        let Credentials { user, password } = self.own.clone();
        TrunkPeers {
            id: TrunkId(OWN_TRUNK.to_owned()),
            addresses: Vec::new(),
            digest: Some(SipUser { username: user, secret: Secret::Password(password) }),
            rate_per_second: 0,
        }
    }

    pub(super) fn place_test_call(&mut self, now: Millis, to: E164, reply: ReplyTo) {
        let problem = if self.draining {
            Some(Problem::new(ProblemCode::Draining, "The server is stopping and takes no new calls."))
        } else if self.directory.number(&to).is_none() {
            let detail = format!("{} is no number of this account.", to.as_str());
            Some(Problem::new(ProblemCode::InvalidField, detail).with("pointer", "/to"))
        } else {
            None
        };
        if let Some(problem) = problem {
            return self.push(Effect::Reply { to: reply, result: Err(problem) });
        }
        self.next_dialog += 1;
        let dialog = DialogId::outgoing(self.next_dialog);
        let leg = LegId::new(now, self.random_bytes());
        let secret = LegId::new(now, self.random_bytes()).to_string();
        self.legs.insert(leg, Owner::TestCaller(dialog));
        self.dialogs.insert(dialog, Owner::TestCaller(dialog));
        let deadline = Some(now + RING_MS);
        self.test_callers.insert(dialog, TestCaller { leg, to, secret, reply: Some(reply), local: None, deadline });
        self.push(Effect::OpenRtp(leg));
    }

    pub(super) fn test_opened(&mut self, dialog: DialogId, local: std::net::SocketAddr) {
        let destination = self.sip;
        let Some(caller) = self.test_callers.get_mut(&dialog) else { return };
        caller.local = Some(local);
        let (leg, secret) = (caller.leg, caller.secret.clone());
        let to = SipUri::new(Some(caller.to.as_str()), destination);
        let from = NameAddr::new(Some("Cordboard test call"), SipUri::new(Some(CALLER), destination));
        let sdp = sdp::offer(local, session_number(leg), 1, &[AudioCodec::Pcmu], Direction::SendRecv).to_bytes();
        self.media(Media::AddRtp { leg, params: None });
        let mut invitation = Invitation::new(dialog, to, from, destination, sdp);
        invitation.headers = vec![(TEST_HEADER.to_owned(), secret)];
        invitation.credentials = Some(self.own.clone());
        self.sip(invitation.into());
    }

    /// Whether a call of ours said this.
    pub(super) fn is_test(&self, secret: &str) -> bool {
        self.test_callers.values().any(|caller| caller.secret == secret)
    }

    /// The INVITE has come in at the other end: the call has an id now.
    pub(super) fn test_arrived(&mut self, secret: &str, call: CallId) {
        let reply = self
            .test_callers
            .values_mut()
            .find(|caller| caller.secret == secret)
            .and_then(|caller| caller.reply.take());
        if let Some(to) = reply {
            self.push(Effect::Reply { to, result: Ok(json!({ "uid": call })) });
        }
    }

    pub(super) fn test_answered(&mut self, now: Millis, dialog: DialogId, answer: Option<&[u8]>) {
        let Some(caller) = self.test_callers.get_mut(&dialog) else { return };
        caller.deadline = Some(now + TALK_MS);
        let leg = caller.leg;
        let Some(local) = caller.local else { return };
        let ours = sdp::offer(local, session_number(leg), 1, &[AudioCodec::Pcmu], Direction::SendRecv);
        let audio = answer
            .and_then(|bytes| SessionDescription::parse(bytes).ok())
            .and_then(|theirs| sdp::accept_answer(&ours, &theirs).ok());
        let Some(audio) = audio else { return self.sip(Sip::HangUp { dialog }) };
        debug_assert_eq!(rtp_params(&audio).codec, Codec::Pcmu, "we offered nothing else");
        self.media(Media::UpdateRtp { leg, params: rtp_params(&audio) });
        if let Some(clip) = (self.sounds.prompt)(&self.directory.language, "test-call") {
            self.media(Media::Hear { leg, source: Source::Loop { clip } });
        }
    }

    pub(super) fn test_failed(&mut self, dialog: DialogId, status: u16) {
        if let Some(to) = self.test_callers.get_mut(&dialog).and_then(|caller| caller.reply.take()) {
            let detail = format!("The test call was refused with SIP status {status}.");
            let problem = Problem::new(ProblemCode::Internal, detail).with("sip_status", status);
            self.push(Effect::Reply { to, result: Err(problem) });
        }
        self.test_over(dialog);
    }

    pub(super) fn test_over(&mut self, dialog: DialogId) {
        self.dialogs.remove(&dialog);
        if let Some(caller) = self.test_callers.remove(&dialog) {
            self.legs.remove(&caller.leg);
            self.media(Media::Remove { leg: caller.leg });
        }
    }

    pub(super) fn test_timeouts(&mut self, now: Millis) {
        let due: Vec<_> = self
            .test_callers
            .iter()
            .filter(|(_, caller)| caller.deadline.is_some_and(|deadline| deadline <= now))
            .map(|(dialog, _)| *dialog)
            .collect();
        for dialog in due {
            if let Some(caller) = self.test_callers.get_mut(&dialog) {
                caller.deadline = None;
            }
            self.sip(Sip::HangUp { dialog });
        }
    }
}
