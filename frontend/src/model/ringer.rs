//! The ringer's lease: it sounds for one offer, and only as long as the server keeps saying so.
//!
//! A tab that slept, or lost its socket, falls silent by itself; nothing rings for a call that is gone.

use cordboard_shared::Millis;
use cordboard_shared::id::OfferId;

/// What the ringer is bound to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ringer {
    lease: Option<(OfferId, Millis)>,
}

impl Ringer {
    /// Binds the ringer to an offer for so many milliseconds.
    pub fn start(&mut self, now: Millis, offer: OfferId, lease_ms: u64) {
        self.lease = Some((offer, now + lease_ms));
    }

    /// Prolongs the lease; false when the ringer is not bound to this offer, or the lease has run out already.
    pub fn renew(&mut self, now: Millis, offer: OfferId, lease_ms: u64) -> bool {
        let bound = self.sounds_for(now) == Some(offer);
        if bound {
            self.start(now, offer, lease_ms);
        }
        bound
    }

    /// Lets go of the offer; true when the ringer was bound to it.
    pub fn stop(&mut self, offer: OfferId) -> bool {
        let bound = self.lease.is_some_and(|(held, _)| held == offer);
        if bound {
            self.lease = None;
        }
        bound
    }

    /// The offer it sounds for now.
    pub fn sounds_for(&self, now: Millis) -> Option<OfferId> {
        self.lease.filter(|(_, until)| now < *until).map(|(offer, _)| offer)
    }

    /// When the lease runs out.
    pub fn deadline(&self) -> Option<Millis> {
        self.lease.map(|(_, until)| until)
    }

    /// Lets go of a lease that has run out; true when it did.
    pub fn expire(&mut self, now: Millis) -> bool {
        let over = self.lease.is_some_and(|(_, until)| now >= until);
        if over {
            self.lease = None;
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: OfferId = OfferId::demo(1);
    const OTHER: OfferId = OfferId::demo(2);

    #[test]
    fn it_falls_silent_without_a_fresh_lease() {
        let mut ringer = Ringer::default();
        ringer.start(Millis(0), OFFER, 3_000);

        assert!(ringer.renew(Millis(1_000), OFFER, 3_000));
        assert_eq!(ringer.sounds_for(Millis(3_999)), Some(OFFER));
        assert_eq!(ringer.sounds_for(Millis(4_000)), None);
        assert!(!ringer.renew(Millis(4_000), OFFER, 3_000), "a lease that ran out is not renewed");
        assert!(ringer.expire(Millis(4_000)));
        assert_eq!(ringer.deadline(), None);
    }

    #[test]
    fn another_offer_neither_prolongs_nor_stops_it() {
        let mut ringer = Ringer::default();
        ringer.start(Millis(0), OFFER, 3_000);

        assert!(!ringer.renew(Millis(100), OTHER, 3_000));
        assert!(!ringer.stop(OTHER));
        assert!(ringer.stop(OFFER));
        assert_eq!(ringer.sounds_for(Millis(100)), None);
    }
}
