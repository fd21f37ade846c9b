//! Tells the datagrams on the one `WebRTC` socket apart: by their source, or by the user name of an ICE check.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;

use cordboard_shared::id::LegId;

/// A browser is reached at one address; while it moves between networks, at a few.
const MAX_ADDRESSES: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct Demux {
    /// Senders choose these keys: they are hashed by a secret. Nothing goes by their order.
    by_address: HashMap<SocketAddr, LegId>,
    by_ufrag: BTreeMap<String, LegId>,
    of_leg: BTreeMap<LegId, Names>,
}

/// What leads to one leg.
#[derive(Debug, Default)]
struct Names {
    ufrag: Option<String>,
    addresses: VecDeque<SocketAddr>,
}

impl Demux {
    /// The leg a datagram is for.
    pub(crate) fn leg_of(&self, from: SocketAddr, bytes: &[u8]) -> Option<LegId> {
        // The name comes first: two connections of one browser may share an address.
        if let Some(ufrag) = stun_ufrag(bytes) {
            return self.by_ufrag.get(ufrag).copied();
        }
        self.by_address.get(&from).copied()
    }

    /// The leg answers to this user name from now on, and to no other.
    pub(crate) fn name(&mut self, leg: LegId, ufrag: String) {
        let names = self.of_leg.entry(leg).or_default();
        if let Some(before) = names.ufrag.replace(ufrag.clone())
            && before != ufrag
        {
            self.by_ufrag.remove(&before);
        }
        self.by_ufrag.insert(ufrag, leg);
    }

    /// The leg proved that it is reached at this address.
    pub(crate) fn learn(&mut self, leg: LegId, from: SocketAddr) {
        if self.by_address.get(&from) == Some(&leg) {
            return;
        }
        if let Some(before) = self.by_address.insert(from, leg)
            && let Some(names) = self.of_leg.get_mut(&before)
        {
            names.addresses.retain(|address| *address != from);
        }
        let names = self.of_leg.entry(leg).or_default();
        names.addresses.push_back(from);
        if names.addresses.len() > MAX_ADDRESSES
            && let Some(oldest) = names.addresses.pop_front()
        {
            self.by_address.remove(&oldest);
        }
    }

    pub(crate) fn forget(&mut self, leg: LegId) {
        let Some(names) = self.of_leg.remove(&leg) else { return };
        if let Some(ufrag) = names.ufrag {
            self.by_ufrag.remove(&ufrag);
        }
        for address in names.addresses {
            self.by_address.remove(&address);
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.by_address.is_empty() && self.by_ufrag.is_empty() && self.of_leg.is_empty()
    }
}

/// Our part of the `USERNAME` of a STUN message (RFC 8489 §14.3, RFC 8445 §7.2.2): what stands before the colon.
fn stun_ufrag(bytes: &[u8]) -> Option<&str> {
    const MAGIC: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
    const USERNAME: u16 = 0x0006;
    let (header, mut rest) = bytes.split_at_checked(20)?;
    if header[0] > 3 || header[4..8] != MAGIC {
        return None;
    }
    while let Some((head, body)) = rest.split_first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = body.get(..length)?;
        if u16::from_be_bytes([head[0], head[1]]) == USERNAME {
            return std::str::from_utf8(value).ok()?.split_once(':').map(|(ours, _)| ours);
        }
        rest = body.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: LegId = LegId::demo(1);
    const BO: LegId = LegId::demo(2);

    fn check(username: &str) -> Vec<u8> {
        let mut bytes = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        bytes.extend([7; 12]);
        bytes.extend([0x80, 0x22, 0, 3, b'a', b'b', b'c', 0]); // SOFTWARE, padded
        bytes.extend([0, 6, 0, u8::try_from(username.len()).unwrap()]);
        bytes.extend(username.as_bytes());
        bytes
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn the_user_name_leads_to_the_leg_and_after_that_the_address() {
        let mut demux = Demux::default();
        demux.name(ADA, "ada1".into());
        demux.name(BO, "bo01".into());

        assert_eq!(demux.leg_of(address(1), &check("ada1:their")), Some(ADA));
        assert_eq!(demux.leg_of(address(1), &[0x80; 40]), None);
        demux.learn(ADA, address(1));
        assert_eq!(demux.leg_of(address(1), &[0x80; 40]), Some(ADA));
        assert_eq!(demux.leg_of(address(1), &check("bo01:their")), Some(BO), "a name counts more than an address");
        assert_eq!(demux.leg_of(address(1), &check("who:their")), None);
        demux.learn(BO, address(1));
        assert_eq!(demux.leg_of(address(1), &[0x80; 40]), Some(BO));
        demux.name(ADA, "ada2".into());
        assert_eq!(demux.leg_of(address(1), &check("ada1:their")), None);
        demux.forget(ADA);
        demux.forget(BO);
        assert!(demux.is_empty());
    }

    #[test]
    fn a_leg_keeps_few_addresses() {
        let mut demux = Demux::default();
        for port in 0..100 {
            demux.learn(ADA, address(port));
        }

        assert_eq!(demux.leg_of(address(0), &[0x80; 40]), None);
        assert_eq!(demux.leg_of(address(99), &[0x80; 40]), Some(ADA));
        assert_eq!(demux.by_address.len(), MAX_ADDRESSES);
    }

    #[test]
    fn torn_checks_name_nobody() {
        let whole = check("ada1:their");
        for length in 0..whole.len() {
            assert_eq!(stun_ufrag(&whole[..length]), None);
        }
        assert_eq!(stun_ufrag(&whole), Some("ada1"));
    }
}
