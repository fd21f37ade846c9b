//! The door: block list, lines and account first, then the number, before anything of the call is opened.

use cordboard_routing::Input as Routing;
use cordboard_shared::Millis;
use cordboard_shared::call::{CallCause, CallResult, EndedBy};
use cordboard_shared::decision::Reason;
use cordboard_shared::id::{CallId, TrunkId};
use cordboard_shared::phone::E164;

use super::record::Call;
use super::{CallCenter, Effect};

impl CallCenter {
    /// Asks the engine whether the call may come in. From here on its line is taken, until it is over.
    pub(super) fn knock(&mut self, now: Millis, id: CallId) {
        let caller = self.caller_of(id);
        if let Some(call) = self.calls.get_mut(&id) {
            call.knocked = true;
        }
        if let Err(error) = self.try_route(now, Routing::CallOffered { call: id, caller }) {
            self.push(Effect::Note { call: Some(id), text: format!("the engine did not look at the call: {error}") });
            self.refuse(now, id, CallResult::Lost, None, 500);
        }
    }

    pub(super) fn admitted(&mut self, now: Millis, id: CallId) {
        let known = self.destination_of(id).is_some();
        let Some(call) = self.calls.get_mut(&id) else { return };
        let no_codec = call.caller.sip.as_mut().is_some_and(|sip| !sip.can_answer());
        let (leg, trunk) = (call.caller.leg, call.trunk);
        let full = trunk.is_some_and(|(id, most)| self.calls_by(id) > usize::try_from(most).unwrap_or(usize::MAX));
        if !known {
            self.refuse_number(now, id);
        } else if no_codec {
            self.refuse(now, id, CallResult::Rejected, None, 488);
        } else if full {
            self.refuse(now, id, CallResult::Lost, Some(CallCause::NoLineFree), 486);
        } else {
            self.publish(id);
            self.push(Effect::OpenRtp(leg));
        }
    }

    /// How many calls there are that came by this trunk.
    fn calls_by(&self, trunk: TrunkId) -> usize {
        let came = |call: &&Call| !call.is_over() && call.trunk.is_some_and(|(id, _)| id == trunk);
        self.calls.values().filter(came).count()
    }

    pub(super) fn refused(&mut self, now: Millis, id: CallId, reason: Reason) {
        if reason == Reason::NoLineFree {
            self.refuse(now, id, CallResult::Lost, Some(CallCause::NoLineFree), 486);
        } else {
            // RFC 3261 §21.6.2: 603, the callee does not wish to take the call, here or anywhere. A suspended account is
            // 403: asking again does not help.
            let status = if reason == Reason::BlockedCaller { 603 } else { 403 };
            self.refuse(now, id, CallResult::Rejected, None, status);
        }
    }

    /// The number leads nowhere now: the ledger says so, and the caller's network is told.
    pub(super) fn refuse_number(&mut self, now: Millis, id: CallId) {
        self.route(now, Routing::NoFlow(id));
        self.refuse(now, id, CallResult::Rejected, Some(CallCause::NoFlow), 404);
    }

    pub(super) fn refuse(
        &mut self,
        now: Millis,
        id: CallId,
        result: CallResult,
        cause: Option<CallCause>,
        status: u16,
    ) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.view.result = Some(result);
            call.view.cause = cause;
        }
        self.hang_up(now, id, EndedBy::System, status);
    }

    /// The caller's number, unless withheld.
    pub(super) fn caller_of(&self, id: CallId) -> Option<cordboard_shared::pii::Pii<String>> {
        self.calls.get(&id).map(|call| call.view.from.number.clone()).filter(|it| it.0 != super::inbound::WITHHELD)
    }

    /// Where the number that was called leads, if that exists.
    pub(super) fn destination_of(&self, id: CallId) -> Option<cordboard_shared::department::Destination> {
        use cordboard_shared::department::Destination;
        let number = self.calls.get(&id)?.view.to.number.0.parse::<E164>().ok()?;
        let destination = self.directory.number(&number)?.goes_to.clone();
        let exists = match &destination {
            Destination::Flow(slug) => self.directory.flow(slug).is_some(),
            Destination::Department(slug) => self.directory.department_by_slug(slug).is_some(),
            Destination::Extension(extension) => self.directory.agent_by_extension(extension).is_some(),
        };
        exists.then_some(destination)
    }
}
