//! The SIP side of a leg: what was offered and agreed, and who has put whom on hold (RFC 3264).

mod handshake;
mod keys;

use std::net::SocketAddr;

use cordboard_media::dtls::{DtlsRole, SecureFailure};
use cordboard_media::{Codec, Command as Media, Flow, RtcpTo, RtpParams, Security};
use cordboard_shared::call::StepKind;
use cordboard_shared::id::{CallId, LegId};
use cordboard_shared::telephony::{Encryption, SoundCodec};
use cordboard_sip::sdp::{
    self, AudioCodec, Direction, Keying, NegotiatedAudio, OfferTerms, Protection, Secrecy, SessionDescription,
};
use cordboard_sip::{Command as Sip, DialogId};
use rand::Rng;

use self::keys::Keys;
use super::record::Call;
use super::{CallCenter, Owner};

/// Codecs in the order we like them, when theirs leaves us a choice.
const CODECS: [AudioCodec; 2] = [AudioCodec::Pcmu, AudioCodec::Pcma];
/// The same where Opus may be spoken.
const CODECS_AND_OPUS: [AudioCodec; 3] = [AudioCodec::Pcmu, AudioCodec::Pcma, AudioCodec::Opus];

/// What the settings say of a leg, and the secret its keys come from.
#[derive(Debug)]
pub(super) struct LegTerms {
    codec: SoundCodec,
    pub(super) encryption: Encryption,
    keys: Keys,
}

/// A dialog with a phone, here or far away.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own: any mix of them occurs")]
pub(super) struct SipLeg {
    pub(super) dialog: DialogId,
    /// We sent the INVITE.
    pub(super) outgoing: bool,
    /// Their offer; none when the INVITE asked for ours, or was ours.
    pub(super) offer: Option<SessionDescription>,
    /// Our offer that waits for its answer.
    pub(super) ours: Option<SessionDescription>,
    /// What was negotiated, once it was.
    pub(super) audio: Option<NegotiatedAudio>,
    /// Our address, once its sockets are open.
    pub(super) local: Option<SocketAddr>,
    /// A 200 was sent or received.
    pub(super) accepted: bool,
    /// 180 was sent or received.
    pub(super) ringing: bool,
    /// The far side hung up, or we did.
    pub(super) gone: bool,
    /// We have told them that they are on hold.
    pub(super) holding: bool,
    /// Header fields of their INVITE that go on to the other leg's.
    pub(super) carries: Vec<(String, String)>,
    /// Codecs, encryption and keys.
    pub(super) terms: LegTerms,
    /// Session id of our descriptions: it stays.
    session: u64,
    /// Rises with each description we send (RFC 3264 §8).
    version: u64,
}

impl SipLeg {
    pub(super) fn incoming(dialog: DialogId, leg: LegId, offer: Option<SessionDescription>, terms: LegTerms) -> Self {
        Self {
            dialog,
            outgoing: false,
            offer,
            ours: None,
            audio: None,
            local: None,
            accepted: false,
            ringing: false,
            gone: false,
            holding: false,
            carries: Vec::new(),
            terms,
            session: session_number(leg),
            version: 0,
        }
    }

    pub(super) fn outgoing(dialog: DialogId, leg: LegId, terms: LegTerms) -> Self {
        Self { outgoing: true, ..Self::incoming(dialog, leg, None, terms) }
    }

    /// Session id and version of the next description.
    fn next_description(&mut self) -> (u64, u64) {
        self.version += 1;
        (self.session, self.version)
    }

    /// Whether the far side has put us on hold: it does not listen, in whichever of the three ways it says so.
    pub(super) fn holds_us(&self) -> bool {
        self.audio.as_ref().is_some_and(|audio| !audio.remote_direction.receives())
    }

    /// Makes an offer and remembers it for its answer. What was agreed on before is offered again.
    pub(super) fn make_offer(&mut self, direction: Direction) -> Option<Vec<u8>> {
        let local = self.local?;
        let numbers = self.next_description();
        let before = self.audio.as_ref();
        let protection = before.map(|audio| audio.protection);
        let terms = before.map_or_else(|| OfferTerms::new(self.terms.codecs()), OfferTerms::again);
        let keying = self.terms.keys.offer(protection, self.terms.encryption);
        if keying.is_none() && self.terms.encryption != Encryption::Off {
            return None;
        }
        // RFC 5764 §4.1: one handshake for both, where the far side can.
        let mux = terms.mux || (before.is_none() && matches!(keying, Some(Keying::Dtls(_))));
        let offer = sdp::offer_by(local, numbers, &OfferTerms { direction, keying, mux, ..terms });
        let bytes = offer.to_bytes();
        self.ours = Some(offer);
        Some(bytes)
    }

    /// Takes the answer to our offer. It may come twice: early, and with the 200.
    pub(super) fn take_answer(&mut self, answer: &[u8]) -> Option<RtpParams> {
        let ours = self.ours.as_ref()?;
        let theirs = SessionDescription::parse(answer).ok()?;
        let audio = sdp::accept_answer(ours, &theirs).ok()?;
        if audio.protection != Protection::Clear {
            self.terms.keys.accept(&sdp::accepted_keys(&theirs)?, audio.remote)?;
        }
        self.audio = Some(audio);
        self.rtp_params()
    }

    /// Our answer to an offer of theirs, which is agreed on then.
    fn take_offer(&mut self, offer: &SessionDescription, local: SocketAddr) -> Option<SessionDescription> {
        let numbers = self.next_description();
        let codecs = self.terms.codecs();
        let LegTerms { keys, encryption, .. } = &mut self.terms;
        let wanted = *encryption;
        let mut choose = |theirs: &Keying, remote| keys.answer(theirs, wanted, remote);
        let secrecy = match wanted {
            Encryption::Off => Secrecy::Either(&mut choose),
            Encryption::Required | Encryption::Dtls => Secrecy::Required(&mut choose),
        };
        let (answer, audio) = sdp::answer_by(offer, local, numbers, codecs, secrecy).ok()?;
        if audio.protection == Protection::Clear {
            self.terms.keys.forget();
        }
        self.audio = Some(audio);
        Some(answer)
    }

    /// Whether the offer of their INVITE, if there is one, can be answered.
    pub(super) fn can_answer(&mut self) -> bool {
        let Some(offer) = self.offer.take() else { return true };
        let anywhere = SocketAddr::from(([0, 0, 0, 0], 9));
        let fits = self.take_offer(&offer, anywhere).is_some();
        self.offer = Some(offer);
        // Nothing is agreed on before the sockets are there.
        self.audio = None;
        fits
    }

    /// The sockets are open: what the offer of their INVITE comes to.
    pub(super) fn open(&mut self, local: SocketAddr) -> Option<RtpParams> {
        self.local = Some(local);
        if let Some(offer) = self.offer.take() {
            self.take_offer(&offer, local);
            self.offer = Some(offer);
        }
        self.early_params()
    }

    /// Our answer to the offer of their INVITE, or our offer when it had none.
    pub(super) fn describe(&mut self) -> Option<Vec<u8>> {
        let local = self.local?;
        let Some(offer) = self.offer.take() else { return self.make_offer(Direction::SendRecv) };
        let answer = self.take_offer(&offer, local);
        self.offer = Some(offer);
        answer.map(|answer| answer.to_bytes())
    }

    /// What the media leg has to know of what was agreed on.
    fn rtp_params(&self) -> Option<RtpParams> {
        let audio = self.audio.as_ref()?;
        let security = self.terms.keys.protect(audio.protection)?;
        Some(RtpParams { security, ..rtp_params(audio) })
    }

    /// The same before our answer was sent: a handshake that is ours to begin waits for it, since nobody can know our
    /// certificate before.
    fn early_params(&self) -> Option<RtpParams> {
        self.rtp_params().filter(|params| self.accepted || !begins(params))
    }

    /// What ends it now.
    pub(super) fn ending(&self, status: u16) -> Option<Sip> {
        let dialog = self.dialog;
        if self.gone || (self.outgoing && self.local.is_none()) {
            // Nothing to end: it is over, or nobody has been called yet.
            None
        } else if self.outgoing || self.accepted {
            Some(Sip::HangUp { dialog })
        } else {
            Some(Sip::Reject { dialog, status, retry_after: None, reason: None })
        }
    }
}

impl LegTerms {
    /// Codecs that may be spoken, the preferred one first.
    fn codecs(&self) -> &'static [AudioCodec] {
        match self.codec {
            SoundCodec::G711 => &CODECS,
            SoundCodec::Opus => &CODECS_AND_OPUS,
        }
    }
}

impl CallCenter {
    /// The terms of a new leg.
    pub(super) fn leg_terms(&mut self, encryption: Encryption) -> LegTerms {
        let keys = Keys::new(self.secrets.random(), self.fingerprint);
        LegTerms { codec: self.directory.telephony.phone_codec, encryption, keys }
    }

    /// The SIP side of a leg and its media leg.
    pub(super) fn sip_leg(&mut self, owner: Owner) -> Option<(&mut SipLeg, LegId)> {
        match owner {
            Owner::Caller(id) => {
                let caller = &mut self.calls.get_mut(&id)?.caller;
                let leg = caller.leg;
                caller.sip.as_mut().map(|sip| (sip, leg))
            }
            Owner::Desk(id, device) => {
                let desk = self.calls.get_mut(&id)?.desks.get_mut(&device)?;
                let leg = desk.leg;
                desk.sip.as_mut().map(|sip| (sip, leg))
            }
            Owner::TestCaller(_) => None,
        }
    }

    /// The header fields that go out on this leg: what the INVITE of the other one brought.
    pub(super) fn carried_to(&self, owner: Owner) -> Vec<(String, String)> {
        let other = match owner {
            Owner::Caller(id) => self.calls.get(&id).and_then(Call::desk_leg).and_then(|desk| desk.sip.as_ref()),
            Owner::Desk(id, _) => self.calls.get(&id).and_then(|call| call.caller.sip.as_ref()),
            Owner::TestCaller(_) => None,
        };
        other.map(|sip| sip.carries.clone()).unwrap_or_default()
    }

    /// Sends 200 to the caller, once: somebody answered, or something is about to be heard.
    pub(super) fn accept(&mut self, id: CallId) {
        self.accept_leg(Owner::Caller(id));
    }

    pub(super) fn accept_leg(&mut self, owner: Owner) {
        let Some((sip, leg)) = self.sip_leg(owner) else { return };
        if sip.accepted || sip.outgoing {
            return;
        }
        let Some(sdp) = sip.describe() else { return };
        sip.accepted = true;
        let dialog = sip.dialog;
        if let Some(params) = sip.rtp_params().filter(begins) {
            self.media(Media::UpdateRtp { leg, params });
        }
        if let Owner::Caller(id) = owner {
            self.set_status(id, 200);
        }
        self.sip(Sip::Accept { dialog, sdp });
    }

    /// The ACK to a 200 that carried our offer brings their answer.
    pub(super) fn confirmed(&mut self, now: cordboard_shared::Millis, dialog: DialogId, answer: Option<&[u8]>) {
        let Some(owner) = self.dialogs.get(&dialog).copied() else { return };
        let Some((sip, leg)) = self.sip_leg(owner) else { return };
        if sip.local.is_none() {
            return;
        }
        if let Some(params) = answer.and_then(|answer| sip.take_answer(answer)) {
            self.media(Media::UpdateRtp { leg, params });
        } else if sip.audio.is_none() {
            // We made the offer and got nothing that could be spoken: RFC 3261 §13.2.2.4 leaves only BYE.
            match owner {
                Owner::Caller(id) => self.hang_up(now, id, cordboard_shared::call::EndedBy::System, 488),
                Owner::Desk(id, device) => self.desk_failed(now, id, device, 488),
                Owner::TestCaller(_) => {}
            }
        }
    }

    /// The far side changes the session: another address, another codec, or hold.
    pub(super) fn reinvite(&mut self, dialog: DialogId, theirs: Option<&[u8]>) {
        let owner = self.dialogs.get(&dialog).copied();
        let refuse = |status| Sip::RejectOffer { dialog, status };
        let Some((owner, (sip, leg))) = owner.and_then(|owner| Some((owner, self.sip_leg(owner)?))) else {
            return self.sip(refuse(488));
        };
        let Some(local) = sip.local else { return self.sip(refuse(500)) };
        let Some(theirs) = theirs else {
            let direction = if sip.holding { Direction::SendOnly } else { Direction::SendRecv };
            return match sip.make_offer(direction) {
                Some(sdp) => self.sip(Sip::AnswerOffer { dialog, sdp }),
                None => self.sip(refuse(500)),
            };
        };
        let offer = SessionDescription::parse(theirs).ok();
        let answer = offer.as_ref().and_then(|offer| sip.take_offer(offer, local));
        if answer.is_some() && !sip.accepted {
            // While it rings: what the 200 answers is the newest.
            sip.offer = offer;
        }
        let (Some(answer), Some(params)) = (answer, sip.rtp_params()) else { return self.sip(refuse(488)) };
        self.media(Media::UpdateRtp { leg, params });
        self.sip(Sip::AnswerOffer { dialog, sdp: answer.to_bytes() });
        self.sound_of(owner);
    }

    /// The answer to our hold or resume.
    pub(super) fn offer_answered(&mut self, dialog: DialogId, answer: Option<&[u8]>) {
        let Some(owner) = self.dialogs.get(&dialog).copied() else { return };
        let Some((sip, leg)) = self.sip_leg(owner) else { return };
        if let Some(params) = answer.and_then(|answer| sip.take_answer(answer)) {
            self.media(Media::UpdateRtp { leg, params });
            self.sound_of(owner);
        }
    }

    /// Tells a phone that it is on hold, or is not any more; a browser only hears the difference.
    pub(super) fn tell_hold(&mut self, owner: Owner, hold: bool) {
        let Some((sip, _)) = self.sip_leg(owner) else { return };
        if !sip.accepted || sip.gone || sip.holding == hold {
            return;
        }
        sip.holding = hold;
        let dialog = sip.dialog;
        let direction = if hold { Direction::SendOnly } else { Direction::SendRecv };
        if let Some(sdp) = sip.make_offer(direction) {
            self.sip(Sip::Offer { dialog, sdp });
        }
    }

    /// A leg that must be encrypted is not, and will not be: it ends, and the record says why.
    pub(super) fn not_secure(&mut self, now: cordboard_shared::Millis, leg: LegId, why: SecureFailure) {
        let text = match why {
            SecureFailure::Fingerprint => "DTLS: the certificate is none of those that the SDP names",
            SecureFailure::Handshake => "DTLS: the handshake failed",
        };
        match self.legs.get(&leg).copied() {
            Some(Owner::Caller(id)) => {
                self.step_with(now, id, StepKind::SoundRefused, None, Some(text.to_owned()));
                self.hang_up(now, id, cordboard_shared::call::EndedBy::System, 488);
            }
            Some(Owner::Desk(id, device)) => {
                let agent = self.calls.get(&id).and_then(|call| call.desks.get(&device)).map(|desk| desk.agent);
                self.step_with(now, id, StepKind::SoundRefused, agent, Some(text.to_owned()));
                self.desk_failed(now, id, device, 488);
            }
            Some(Owner::TestCaller(_)) | None => {}
        }
    }

    /// What is heard on both sides of the call this leg belongs to is worked out anew.
    pub(super) fn sound_of(&mut self, owner: Owner) {
        match owner {
            Owner::Caller(id) | Owner::Desk(id, _) => {
                self.try_join(id);
                self.show(id);
            }
            Owner::TestCaller(_) => {}
        }
    }
}

pub(super) fn rtp_params(audio: &NegotiatedAudio) -> RtpParams {
    let codec = match audio.codec {
        AudioCodec::Pcmu => Codec::Pcmu,
        AudioCodec::Pcma => Codec::Pcma,
        AudioCodec::Opus => Codec::Opus,
    };
    let flow = match (audio.remote_direction.receives(), audio.remote_direction.sends()) {
        (true, true) => Flow::Both,
        (true, false) => Flow::Send,
        (false, true) => Flow::Receive,
        (false, false) => Flow::Neither,
    };
    let rtcp = if audio.mux { RtcpTo::Mux } else { RtcpTo::NextPort };
    RtpParams { dtmf: audio.dtmf, flow, rtcp, ..RtpParams::new(audio.remote, codec, audio.payload_type) }
}

/// Whether a handshake is ours to begin.
fn begins(params: &RtpParams) -> bool {
    matches!(&params.security, Security::Dtls(dtls) if dtls.role == DtlsRole::Client)
}

/// A session id for SDP: any number that differs from call to call (RFC 8866 §5.2).
pub(super) fn session_number(leg: LegId) -> u64 {
    u64::try_from(leg.0.as_u128() >> 66).unwrap_or(1)
}
