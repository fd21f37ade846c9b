//! The own calls: one in hand, others held.

use cordboard_shared::call::CallState;
use cordboard_shared::event::LiveCall;
use cordboard_shared::id::CallId;

/// The own calls, the oldest first; never more than a few.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Calls {
    list: Vec<LiveCall>,
    /// The one on the card.
    hand: Option<CallId>,
    /// Calls this person has placed or taken, although their record names another person.
    expected: Vec<CallId>,
}

impl Calls {
    /// The call on the card.
    pub(super) fn in_hand(&self) -> Option<&LiveCall> {
        self.get(self.hand?)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &LiveCall> {
        self.list.iter()
    }

    /// All but the one in hand.
    pub(super) fn others(&self) -> impl Iterator<Item = &LiveCall> {
        self.list.iter().filter(|call| Some(call.call.uid) != self.hand)
    }

    pub(super) fn ids(&self) -> Vec<CallId> {
        self.list.iter().map(|call| call.call.uid).collect()
    }

    pub(super) fn get(&self, uid: CallId) -> Option<&LiveCall> {
        self.list.iter().find(|call| call.call.uid == uid)
    }

    pub(super) fn get_mut(&mut self, uid: CallId) -> Option<&mut LiveCall> {
        self.list.iter_mut().find(|call| call.call.uid == uid)
    }

    /// This call is the person's own, whomever its record names.
    pub(super) fn expect(&mut self, uid: CallId) {
        if !self.is_expected(uid) {
            self.expected.push(uid);
        }
    }

    pub(super) fn is_expected(&self, uid: CallId) -> bool {
        self.expected.contains(&uid)
    }

    /// Takes over how a call is now. One that is newly talked on comes into the hand; one that is held makes room for
    /// one that is not.
    pub(super) fn put(&mut self, call: LiveCall) {
        let (uid, talks) = (call.call.uid, talks(&call));
        let known = self.get_mut(uid);
        let talked = known.as_deref().is_some_and(self::talks);
        match known {
            Some(known) => *known = call,
            None => self.list.push(call),
        }
        if talks && !talked {
            self.hand = Some(uid);
        } else {
            self.choose();
        }
    }

    /// The server has put a call on hold.
    pub(super) fn hold(&mut self, uid: CallId) {
        if let Some(call) = self.get_mut(uid) {
            call.call.state = CallState::Held;
        }
        self.choose();
    }

    /// The server has taken a call back.
    pub(super) fn resume(&mut self, uid: CallId) {
        if let Some(call) = self.get_mut(uid) {
            call.call.state = CallState::Connected;
            self.hand = Some(uid);
        }
    }

    /// The call, if it was there.
    pub(super) fn remove(&mut self, uid: CallId) -> Option<LiveCall> {
        self.expected.retain(|known| *known != uid);
        let place = self.list.iter().position(|call| call.call.uid == uid)?;
        let call = self.list.remove(place);
        self.choose();
        Some(call)
    }

    /// Keeps what is in the hand, unless it is gone, or held while another is talked on.
    fn choose(&mut self) {
        if self.in_hand().is_some_and(talks) {
            return;
        }
        let talked_on = self.list.iter().find(|call| talks(call));
        let kept = talked_on.or_else(|| self.in_hand()).or_else(|| self.list.last());
        self.hand = kept.map(|call| call.call.uid);
    }
}

fn talks(call: &LiveCall) -> bool {
    call.call.state != CallState::Held
}
