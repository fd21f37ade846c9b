//! The one way out: every INVITE that leaves by a trunk passes here, whoever wants it and why.

use std::collections::{BTreeSet, VecDeque};

use cordboard_shared::id::CallId;
use cordboard_shared::phone::E164;
use cordboard_shared::{Millis, Problem, ProblemCode};
use cordboard_sip::endpoint::{Destination, TrunkId};
use cordboard_sip::message::{NameAddr, SipUri};
use cordboard_sip::{DialogId, Invitation};

use super::{CallCenter, Effect, Owner};

/// The window of the rate, in milliseconds.
const MINUTE_MS: u64 = 60_000;

/// What has gone out.
#[derive(Debug, Default)]
pub(super) struct WentOut {
    /// Dialogs by trunks.
    dialogs: BTreeSet<DialogId>,
    /// When the last ones were begun.
    begun: VecDeque<Millis>,
}

impl CallCenter {
    /// Whether this number may be called now: the account's open prefixes, its caps, and a trunk to go out by.
    pub(super) fn may_go_out(&mut self, now: Millis, number: &E164) -> Result<(), Problem> {
        let refuse = |detail: &str| Err(Problem::new(ProblemCode::NotAllowed, detail));
        let telephony = self.directory.telephony.clone();
        let guard = &telephony.guard;
        if self.draining {
            return Err(Problem::new(ProblemCode::Draining, "The server is stopping and takes no new calls."));
        }
        if self.engine.policy().settings.suspended {
            return refuse("The account is suspended: nothing goes out.");
        }
        if !guard.allows(number) {
            self.push(Effect::Note { call: None, text: "refused a number that no open prefix allows".to_owned() });
            return refuse("Numbers that begin like this are not open for calls from this account.");
        }
        if telephony.outbound.is_empty() {
            return refuse("There is no trunk to call out by.");
        }
        let dialogs = &self.dialogs;
        self.went_out.dialogs.retain(|dialog| dialogs.contains_key(dialog));
        while self.went_out.begun.front().is_some_and(|at| now.since(*at) >= MINUTE_MS) {
            self.went_out.begun.pop_front();
        }
        let most = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX);
        if self.went_out.dialogs.len() >= most(guard.calls) {
            self.cap_reached("calls at once");
            return refuse("As many calls as are allowed at once are out already.");
        }
        if self.went_out.begun.len() >= most(guard.per_minute) {
            self.cap_reached("calls a minute");
            return refuse("As many calls as are allowed in a minute have gone out already.");
        }
        Ok(())
    }

    fn cap_reached(&mut self, which: &str) {
        self.totals.caps_reached += 1;
        self.push(Effect::Note { call: None, text: format!("outgoing calls reached their cap: {which}") });
    }

    /// Calls a number by a trunk, if that is allowed. The shown number is vouched for.
    pub(super) fn invite_out(
        &mut self,
        now: Millis,
        owner: Owner,
        trunk: usize,
        number: &E164,
        shown: Option<&E164>,
    ) -> Result<(), Problem> {
        self.may_go_out(now, number)?;
        let out = self.directory.telephony.outbound.get(trunk);
        let encryption = out.map(|it| it.encryption).unwrap_or_default();
        let trunk = out.map(|it| TrunkId(it.trunk.to_string()));
        let headers = self.carried_to(owner);
        let here = self.sip;
        let unreachable = || Problem::new(ProblemCode::NotAllowed, "There is no trunk to call out by.");
        let trunk = trunk.ok_or_else(unreachable)?;
        let (sip, _) = self.sip_leg(owner).ok_or_else(unreachable)?;
        sip.terms.encryption = encryption;
        let sdp = sip.make_offer(cordboard_sip::sdp::Direction::SendRecv).ok_or_else(unreachable)?;
        let dialog = sip.dialog;
        let from = NameAddr::new(None, SipUri::new(shown.map(E164::as_str), here));
        let to = SipUri::new(Some(number.as_str()), here);
        let mut invitation = Invitation::new(dialog, to, from.clone(), Destination::Trunk(trunk), sdp);
        invitation.identity = shown.map(|_| from);
        invitation.privacy = shown.is_none();
        invitation.headers = headers;
        self.went_out.dialogs.insert(dialog);
        self.went_out.begun.push_back(now);
        self.dialogs.insert(dialog, owner);
        self.sip(invitation.into());
        Ok(())
    }

    /// The number shown for a call of this department: its own, else the first of the account.
    pub(super) fn shown_number(&self, department: Option<cordboard_shared::id::DepartmentId>) -> Option<E164> {
        let own = department.and_then(|id| self.directory.department(id)).and_then(|it| it.caller_id.clone());
        own.or_else(|| self.directory.numbers.first().map(|it| it.number.clone()))
    }

    /// When an outgoing call that begins to talk now ends at the latest.
    pub(super) fn longest_call(&self, now: Millis, _id: CallId) -> Millis {
        now + u64::from(self.directory.telephony.guard.minutes) * MINUTE_MS
    }
}
