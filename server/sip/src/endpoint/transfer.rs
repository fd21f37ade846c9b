//! Transfers: REFER in both directions, the NOTIFYs that tell how they go (RFC 3515), and INVITEs that take over a
//! dialog (RFC 3891).

use std::time::Instant;

use super::Endpoint;
use super::api::{DialogId, EndCause, Event, Replaces, Transfer};
use super::call::{CallState, ReferIn};
use super::screen::Refusal;
use crate::flow::Flow;
use crate::message::{Envelope, HeaderId, Headers, Method, NameAddr, Request, Scheme, SipUri, status, text};
use crate::transaction::Purpose;

/// How long the NOTIFYs of a transfer may go on, in seconds; told to the far side.
const SUBSCRIPTION_SECONDS: u32 = 180;
/// The body type of a NOTIFY about a transfer (RFC 3420).
const SIPFRAG: &str = "message/sipfrag;version=2.0";

impl Endpoint {
    /// The far side wants its call transferred.
    pub(super) fn remote_refer(
        &mut self,
        now: Instant,
        id: DialogId,
        reply: Flow,
        request: &Request,
        envelope: &Envelope,
    ) {
        let transfer = match read_refer(id, &request.headers) {
            Ok(transfer) => transfer,
            Err(status) => return self.answer_with(now, reply, request, envelope, Refusal::new(status)),
        };
        let busy = match self.calls.get(&id).map(|call| &call.state) {
            Some(CallState::Confirmed(confirmed)) => confirmed.refer_in.is_some().then_some(491),
            // A call that nobody has answered yet has nobody who could be transferred.
            Some(CallState::Ringing(_) | CallState::Calling(_)) => Some(403),
            Some(CallState::Leaving(_)) | None => Some(481),
        };
        if let Some(status) = busy {
            return self.answer_with(now, reply, request, envelope, Refusal::new(status));
        }
        let replaced = transfer.replaces.as_ref().and_then(|replaces| self.dialog_at_other_end(replaces));
        let tx = self.layer.open_server(envelope, &Method::Refer, reply);
        if let Some(confirmed) = self.confirmed_mut(id) {
            confirmed.refers += 1;
            let number = (confirmed.refers > 1).then_some(envelope.cseq.number);
            confirmed.refer_in = Some(ReferIn { asked: Some((tx, request.clone())), id: number });
            self.emit(Event::Refer(Box::new(Transfer { replaced, ..transfer })));
        }
    }

    pub(super) fn accept_refer(&mut self, now: Instant, id: DialogId) {
        let Some(tag) = self.calls.get(&id).map(|call| call.key.1.clone()) else { return };
        let Some(refer) = self.confirmed_mut(id).and_then(|confirmed| confirmed.refer_in.as_mut()) else { return };
        let Some((tx, request)) = refer.asked.take() else { return };
        let Some(flow) = self.layer.server_flow(tx) else { return };
        let response = self.respond_in_dialog(&request, 202, &tag, flow, None);
        self.layer.respond(now, tx, &response, &mut self.wire);
        // RFC 3515 §2.4.4: "immediately after accepting" a NOTIFY says where the transfer stands.
        self.notify_refer(now, id, 100, false);
    }

    pub(super) fn reject_refer(&mut self, now: Instant, id: DialogId, status: u16) {
        let Some(confirmed) = self.confirmed_mut(id) else { return };
        let Some((tx, request)) = confirmed.refer_in.take_if(|refer| refer.asked.is_some()).and_then(|it| it.asked)
        else {
            return;
        };
        let status = if (300..700).contains(&status) { status } else { 603 };
        let response = self.respond_to(&request, status, None);
        self.layer.respond(now, tx, &response, &mut self.wire);
    }

    /// Tells how the transfer goes (RFC 3515 §2.4.5).
    pub(super) fn notify_refer(&mut self, now: Instant, id: DialogId, status: u16, end: bool) {
        let Some(confirmed) = self.confirmed_mut(id) else { return };
        let Some(refer) = confirmed.refer_in.as_ref().filter(|refer| refer.asked.is_none()) else { return };
        let status = status.clamp(100, 699);
        let end = end || status >= 200;
        let event = refer.id.map_or_else(|| "refer".to_owned(), |number| format!("refer;id={number}"));
        if end {
            confirmed.refer_in = None;
        }
        let flow = confirmed.session.dialog.next_hop();
        let (mut notify, _) = confirmed.session.dialog.next_request(Method::Notify);
        for header in self.session_headers(flow) {
            notify.headers.push_header(header);
        }
        notify.headers.push(HeaderId::Event, event);
        let state = if end {
            "terminated;reason=noresource".to_owned()
        } else {
            format!("active;expires={SUBSCRIPTION_SECONDS}")
        };
        notify.headers.push(HeaderId::SubscriptionState, state);
        notify.headers.push(HeaderId::ContentType, SIPFRAG);
        notify.body = format!("SIP/2.0 {status} {}\r\n", status::reason_phrase(status)).into_bytes();
        self.send_request(now, notify, flow, Purpose::Notify(id));
    }

    /// A NOTIFY that is not wanted ends the telling; the call goes on (RFC 5057 §5.3).
    pub(super) fn notify_response(&mut self, id: DialogId, status: u16) {
        if status >= 300
            && let Some(confirmed) = self.confirmed_mut(id)
        {
            confirmed.refer_in.take_if(|refer| refer.asked.is_none());
        }
    }

    /// Asks the far side to call somebody else.
    pub(super) fn refer(
        &mut self,
        now: Instant,
        id: DialogId,
        to: SipUri,
        replaces: Option<DialogId>,
        referred_by: Option<&NameAddr>,
    ) {
        let refused = Event::ReferProgress { dialog: id, status: 491, end: true };
        let mut target = to;
        target.headers = None;
        if let Some(replaced) = replaces {
            let Some(replaces) = self.seen_by_far_side(replaced) else { return self.emit(refused) };
            target.headers = Some(format!("Replaces={}", escape(&replaces.to_string())));
        }
        let Some(confirmed) = self.confirmed_mut(id).filter(|confirmed| confirmed.refer_out.is_none()) else {
            return self.emit(refused);
        };
        let flow = confirmed.session.dialog.next_hop();
        let (mut refer, number) = confirmed.session.dialog.next_request(Method::Refer);
        confirmed.refer_out = Some(number);
        for header in self.session_headers(flow) {
            refer.headers.push_header(header);
        }
        refer.headers.push(HeaderId::ReferTo, NameAddr::new(None, target).to_string());
        if let Some(asker) = referred_by {
            refer.headers.push(HeaderId::ReferredBy, asker.to_string());
        }
        self.send_request(now, refer, flow, Purpose::Refer(id));
    }

    pub(super) fn refer_response(&mut self, now: Instant, id: DialogId, status: u16) {
        let Some(confirmed) = self.confirmed_mut(id).filter(|confirmed| confirmed.refer_out.is_some()) else { return };
        match status {
            ..200 => {}
            200..300 => self.emit(Event::ReferProgress { dialog: id, status: 100, end: false }),
            _ => {
                confirmed.refer_out = None;
                self.emit(Event::ReferProgress { dialog: id, status, end: true });
                self.check_alive(now, id, status);
            }
        }
    }

    pub(super) fn refer_timed_out(&mut self, now: Instant, id: DialogId) {
        self.refer_response(now, id, 408);
        self.leave(now, id, EndCause::Timeout);
    }

    /// How the transfer goes that we asked for.
    pub(super) fn remote_notify(
        &mut self,
        now: Instant,
        id: DialogId,
        reply: Flow,
        request: &Request,
        envelope: &Envelope,
    ) {
        let event = request.headers.first(HeaderId::Event).map(|header| header.text().into_owned()).unwrap_or_default();
        if !event.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("refer") {
            return self.answer_with(now, reply, request, envelope, Refusal::new(489));
        }
        let Some(confirmed) = self.confirmed_mut(id).filter(|confirmed| confirmed.refer_out.is_some()) else {
            return self.answer_with(now, reply, request, envelope, Refusal::new(481));
        };
        let state = request.headers.first(HeaderId::SubscriptionState).map(|it| it.text().to_ascii_lowercase());
        let status = fragment_status(&request.body);
        let over = state.is_some_and(|state| state.trim_start().starts_with("terminated"));
        let end = over || status.is_some_and(|status| status >= 200);
        if end {
            confirmed.refer_out = None;
        }
        self.answer_with(now, reply, request, envelope, Refusal::new(200));
        // An end without a word is no success.
        if let Some(status) = status.or(end.then_some(487)) {
            self.emit(Event::ReferProgress { dialog: id, status, end });
        }
    }

    /// The dialog an INVITE wants to take over (RFC 3891 §3).
    pub(super) fn replaced(&self, request: &Request) -> Result<Option<DialogId>, Refusal> {
        let mut all = request.headers.all(HeaderId::Replaces);
        let Some(first) = all.next() else { return Ok(None) };
        // "If more than one Replaces header field is present in an INVITE, or if a Replaces header field is present in a
        // request other than INVITE, the UAS MUST reject the request with a 400 Bad Request response."
        let Some(replaces) = Replaces::parse(&first.text()).filter(|_| all.next().is_none()) else {
            return Err(Refusal::new(400));
        };
        let key = (replaces.call_id, replaces.to_tag);
        let Some(call) = self.by_key.get(&key).and_then(|id| self.calls.get(id)) else { return Err(Refusal::new(481)) };
        let is_peer = |tag: Option<&str>| tag.unwrap_or("0") == replaces.from_tag;
        match &call.state {
            CallState::Confirmed(confirmed) if is_peer(confirmed.session.dialog.remote_tag()) => {
                // "If the Replaces header field contains an 'early-only' flag and the dialog is confirmed: 486".
                if replaces.early_only { Err(Refusal::new(486)) } else { Ok(Some(call.id)) }
            }
            CallState::Calling(calling)
                if calling.early.iter().any(|early| is_peer(early.session.dialog.remote_tag())) =>
            {
                Ok(Some(call.id))
            }
            // "If the Replaces header field matches a confirmed dialog that has terminated: 603".
            CallState::Leaving(leaving) if is_peer(leaving.dialog.remote_tag()) => Err(Refusal::new(603)),
            // An early dialog that we did not start cannot be replaced.
            CallState::Ringing(_) | CallState::Calling(_) | CallState::Confirmed(_) | CallState::Leaving(_) => {
                Err(Refusal::new(481))
            }
        }
    }

    /// How the far side of a dialog of ours would name it in a Replaces that is sent to itself.
    fn seen_by_far_side(&self, id: DialogId) -> Option<Replaces> {
        let call = self.calls.get(&id)?;
        let dialog = match &call.state {
            CallState::Confirmed(confirmed) => &confirmed.session.dialog,
            CallState::Calling(calling) => &calling.early.first()?.session.dialog,
            CallState::Ringing(_) | CallState::Leaving(_) => return None,
        };
        let (call_id, from_tag) = call.key.clone();
        Some(Replaces { call_id, to_tag: dialog.remote_tag()?.to_owned(), from_tag, early_only: false })
    }

    /// The dialog of ours that a Replaces means which is to be sent to its far side.
    fn dialog_at_other_end(&self, replaces: &Replaces) -> Option<DialogId> {
        let by = |ours: &str, theirs: &str| {
            let id = *self.by_key.get(&(replaces.call_id.clone(), ours.to_owned()))?;
            let Some(CallState::Confirmed(confirmed)) = self.calls.get(&id).map(|call| &call.state) else {
                return None;
            };
            (confirmed.session.dialog.remote_tag() == Some(theirs)).then_some(id)
        };
        // The asker talks to the target through us: then it names its own dialog with us, from either side.
        by(&replaces.to_tag, &replaces.from_tag).or_else(|| by(&replaces.from_tag, &replaces.to_tag))
    }
}

/// Reads what a REFER asks for; the error is the status that refuses it.
fn read_refer(dialog: DialogId, headers: &Headers) -> Result<Transfer, u16> {
    let targets = headers.list(HeaderId::ReferTo);
    // RFC 3515 §2.4.2: "A REFER request […] with no (or more than one) Refer-To header field MUST be rejected: 400".
    let [target] = targets.as_slice() else { return Err(400) };
    let mut refer_to = NameAddr::parse(target).map_err(|_| 400_u16)?.uri;
    match refer_to.scheme {
        Scheme::Sip | Scheme::Sips | Scheme::Tel => {}
        Scheme::Other(_) => return Err(416),
    }
    // Only calls are made on somebody's word.
    if refer_to.params.value("method").is_some_and(|method| !method.eq_ignore_ascii_case("INVITE")) {
        return Err(501);
    }
    let replaces = match refer_to.headers.take() {
        Some(query) => match replaces_in(&query) {
            Some(value) => Some(Replaces::parse(&value).ok_or(400_u16)?),
            None => None,
        },
        None => None,
    };
    let referred_by = headers.list(HeaderId::ReferredBy).first().and_then(|value| NameAddr::parse(value).ok());
    Ok(Transfer { dialog, refer_to, replaces, replaced: None, referred_by })
}

/// The Replaces among the header components of a URI.
fn replaces_in(query: &str) -> Option<String> {
    query.split('&').find_map(|component| {
        let (name, value) = component.split_once('=')?;
        name.eq_ignore_ascii_case("Replaces").then(|| text::percent_decode(value))
    })
}

/// The status line of a `message/sipfrag` body.
fn fragment_status(body: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(body.get(..body.len().min(256))?).ok()?;
    let digits = text.trim_start().strip_prefix("SIP/2.0 ")?.get(..3)?;
    digits.parse().ok().filter(|status| (100..700).contains(status))
}

/// Percent-encodes a header component (RFC 3261 §25.1 `hvalue`).
fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()[]/?:+$".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            escaped.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaces_survives_the_uri() {
        let replaces = Replaces {
            call_id: "a=b;c@h".to_owned(),
            to_tag: "t%1".to_owned(),
            from_tag: "f".to_owned(),
            early_only: false,
        };
        assert_eq!(replaces_in(&format!("X=1&replaces={}", escape(&replaces.to_string()))), Some(replaces.to_string()));
    }

    #[test]
    fn a_fragment_begins_with_a_status_line() {
        assert_eq!(fragment_status(b"SIP/2.0 180 Ringing\r\n"), Some(180));
        assert_eq!(fragment_status(b"SIP/2.0 180"), Some(180));
        assert_eq!(fragment_status(b"SIP/2.0 9"), None);
        assert_eq!(fragment_status(b"hello"), None);
        assert_eq!(fragment_status(&[0xff; 300]), None);
    }

    #[test]
    fn what_makes_no_call_is_no_transfer() {
        let read = |value: &str| {
            let mut headers = Headers::default();
            headers.push(HeaderId::ReferTo, value);
            read_refer(DialogId::outgoing(1), &headers).map(|transfer| transfer.refer_to.to_string())
        };
        assert_eq!(read("<sip:a@b;method=BYE>"), Err(501));
        assert_eq!(read("<http://example.com>"), Err(416));
        assert_eq!(read("<sip:a@b>, <sip:c@d>"), Err(400));
        assert_eq!(read("<sip:a@b?Subject=x>"), Ok("sip:a@b".to_owned()));
        assert_eq!(read("<sip:a@b?Replaces=nonsense>"), Err(400));
    }
}
