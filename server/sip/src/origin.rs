//! Who is known: trunks by their addresses or a password, phones by a password.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::endpoint::TrunkId;

/// Who sent an INVITE, as far as it was proven.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A trunk, by its address or its password.
    Trunk(TrunkId),
    /// A phone that knew the password of this user.
    Phone(String),
    /// Nobody known.
    Unknown,
}

/// The far side of a trunk, as seen by what comes in.
#[derive(Debug, Clone, PartialEq)]
pub struct TrunkPeers {
    /// Which trunk.
    pub id: TrunkId,
    /// Where it sends from; empty when it is known by its password alone.
    pub addresses: Vec<Network>,
    /// The password it must prove. With addresses both must fit.
    pub digest: Option<SipUser>,
    /// Requests per second that are taken from it; what is above gets 503. 0 for no bound.
    pub rate_per_second: u32,
}

/// A user name with its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipUser {
    /// The name, as it stands in `Authorization` and in the user part of the address of record.
    pub username: String,
    /// The password.
    pub secret: Secret,
}

/// A password, or what digest authentication makes of it (RFC 7616 §3.4.2, `H(A1)`). Prints nothing.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The password itself.
    Password(String),
    /// `H(username ":" realm ":" password)`; the realm must be the endpoint's.
    Hashed {
        /// By MD5; a phone that knows nothing newer is refused without it.
        md5: Option<[u8; 16]>,
        /// By SHA-256.
        sha256: [u8; 32],
    },
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// An address, or all that share its first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    prefix: u32,
}

/// A text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no address and no address/prefix")]
pub struct NetworkError;

impl Network {
    /// Whether it holds more addresses than anybody has: more than a /8, in IPv6 more than a /16.
    pub fn is_broad(&self) -> bool {
        self.prefix < if self.base.is_ipv4() { 8 } else { 16 }
    }

    /// Whether an address is inside. An IPv4 address in IPv6 clothes is an IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.base.is_ipv4() == address.is_ipv4()
            && (self.prefix == 0 || (bits(self.base) ^ bits(address)) >> (128 - self.prefix) == 0)
    }
}

impl From<IpAddr> for Network {
    fn from(base: IpAddr) -> Self {
        let base = base.to_canonical();
        Self { base, prefix: whole(base) }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (base, prefix) = text.split_once('/').map_or((text, None), |(base, prefix)| (base, Some(prefix)));
        let base = base.trim().parse::<IpAddr>().map_err(|_| NetworkError)?;
        let prefix = match prefix {
            None => whole(base),
            Some(prefix) => prefix.trim().parse().ok().filter(|it| *it <= whole(base)).ok_or(NetworkError)?,
        };
        Ok(Self { base, prefix })
    }
}

fn whole(base: IpAddr) -> u32 {
    if base.is_ipv4() { 32 } else { 128 }
}

/// The address's bits, the first one on top, so that a prefix counts the same in both families.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)) << 96,
        IpAddr::V6(address) => u128::from(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        let holds = |network: &str, address: &str| {
            network.parse::<Network>().is_ok_and(|network| network.contains(address.parse().unwrap()))
        };
        assert!(holds("127.0.0.0/8", "127.9.9.9"));
        assert!(!holds("127.0.0.0/8", "128.0.0.1"));
        assert!(holds("2001:db8::/32", "2001:db8:1::9"));
        assert!(holds("192.0.2.1", "::ffff:192.0.2.1"));
        assert!(holds("0.0.0.0/0", "10.0.0.1"));
        assert!(!holds("0.0.0.0/0", "::1"));
        assert!(!holds("10.0.0.0/33", "10.0.0.1"));
    }

    #[test]
    fn a_secret_prints_nothing() {
        let user = SipUser { username: "ada".to_owned(), secret: Secret::Password("hush".to_owned()) };
        assert!(!format!("{user:?}").contains("hush"));
    }
}
