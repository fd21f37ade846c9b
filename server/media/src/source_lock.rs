//! Decides whose datagrams a phone leg takes (symmetric RTP, RFC 4961).
//!
//! The address from the SDP is right unless a NAT stands between. Then the phone's packets come from elsewhere: the first
//! few in a row, of the same address family, teach us where. From then on nobody else is heard.

use std::net::SocketAddr;

use crate::packet::RtpPacket;

/// So many packets of one stream in a row from one address are believed.
const PROBATION: u8 = 3;

#[derive(Debug)]
pub(crate) struct SourceLock {
    signalled: SocketAddr,
    locked: Option<SocketAddr>,
    applicant: Option<Applicant>,
}

/// A stranger who may be our phone behind a NAT.
#[derive(Debug)]
struct Applicant {
    from: SocketAddr,
    ssrc: u32,
    next_sequence: u16,
    packets: u8,
}

impl SourceLock {
    pub(crate) fn new(signalled: SocketAddr) -> Self {
        Self { signalled, locked: None, applicant: None }
    }

    /// A new answer or offer. Another address starts over; the same one changes nothing.
    pub(crate) fn signal(&mut self, signalled: SocketAddr) {
        if signalled != self.signalled {
            *self = Self::new(signalled);
        }
    }

    /// Whether this packet is taken.
    pub(crate) fn accept(&mut self, from: SocketAddr, packet: &RtpPacket<'_>) -> bool {
        if self.locked == Some(from) {
            return true;
        }
        // The signalled address always counts, also after a stranger was faster.
        if from == self.signalled {
            self.locked = Some(from);
            self.applicant = None;
            return true;
        }
        if self.locked.is_some() || from.is_ipv4() != self.signalled.is_ipv4() {
            return false;
        }
        let packets = match &self.applicant {
            Some(applicant)
                if applicant.from == from
                    && applicant.ssrc == packet.ssrc
                    && applicant.next_sequence == packet.sequence =>
            {
                applicant.packets + 1
            }
            Some(_) | None => 1,
        };
        if packets >= PROBATION {
            self.locked = Some(from);
            self.applicant = None;
            return true;
        }
        self.applicant =
            Some(Applicant { from, ssrc: packet.ssrc, next_sequence: packet.sequence.wrapping_add(1), packets });
        false
    }

    /// Where to send: to whom we listen, or else where the SDP says. `None` for an SDP that says nowhere (RFC 2543 hold).
    pub(crate) fn destination(&self) -> Option<SocketAddr> {
        let to = self.locked.unwrap_or(self.signalled);
        (!to.ip().is_unspecified() && to.port() != 0).then_some(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn packet(ssrc: u32, sequence: u16) -> RtpPacket<'static> {
        RtpPacket { marker: false, payload_type: 0, sequence, timestamp: 0, ssrc, payload: &[0xff; 160] }
    }

    #[test]
    fn the_signalled_address_is_taken_at_once_and_locks_strangers_out() {
        let mut lock = SourceLock::new(address("192.0.2.1:4000"));

        assert!(lock.accept(address("192.0.2.1:4000"), &packet(1, 0)));
        for sequence in 0..10 {
            assert!(!lock.accept(address("198.51.100.9:666"), &packet(2, sequence)));
        }
        assert_eq!(lock.destination(), Some(address("192.0.2.1:4000")));
    }

    #[test]
    fn a_phone_behind_a_nat_is_learned_from_three_packets_in_a_row() {
        let mut lock = SourceLock::new(address("10.0.0.5:4000"));
        let nat = address("198.51.100.9:31000");

        let taken: Vec<bool> = [5, 6, 8, 9, 10, 11].map(|sequence| lock.accept(nat, &packet(1, sequence))).to_vec();

        assert_eq!(taken, [false, false, false, false, true, true]);
        assert_eq!(lock.destination(), Some(nat));
        assert!(!lock.accept(address("203.0.113.3:1"), &packet(1, 12)));
    }

    #[test]
    fn another_address_family_is_never_learned_and_the_signalled_address_overrules() {
        let mut lock = SourceLock::new(address("192.0.2.1:4000"));
        for sequence in 0..10 {
            assert!(!lock.accept(address("[2001:db8::1]:4000"), &packet(1, sequence)));
        }
        let stranger = address("198.51.100.9:31000");
        for sequence in 0..3 {
            lock.accept(stranger, &packet(2, sequence));
        }
        assert_eq!(lock.destination(), Some(stranger));

        assert!(lock.accept(address("192.0.2.1:4000"), &packet(3, 0)));
        assert!(!lock.accept(stranger, &packet(2, 3)));
    }

    #[test]
    fn a_new_remote_starts_over_and_nowhere_is_not_sent_to() {
        let mut lock = SourceLock::new(address("192.0.2.1:4000"));
        lock.accept(address("192.0.2.1:4000"), &packet(1, 0));

        lock.signal(address("192.0.2.1:4000"));
        assert!(!lock.accept(address("192.0.2.7:5000"), &packet(1, 0)));
        lock.signal(address("192.0.2.7:5000"));
        assert!(lock.accept(address("192.0.2.7:5000"), &packet(1, 0)));
        assert_eq!(SourceLock::new(address("0.0.0.0:4000")).destination(), None);
    }
}
