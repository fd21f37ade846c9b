//! The trunks of the account, in the words of the SIP side: who may send calls here, and where calls go out.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use cordboard_shared::telephony::{OutboundTrunk, TrunkCredentials};
use cordboard_sip::endpoint::{self as sip, Credentials, Registration, TrunkId};
use cordboard_sip::message::SipUri;
use cordboard_sip::{Command, Secret, SipUser, Target, TrunkPeers};

use super::Account;

/// How long a registration at a trunk is asked to last.
const REGISTER_FOR: Duration = Duration::from_mins(10);

impl Account {
    /// Tells the SIP side of the trunks, at the start and after each change.
    pub(super) fn tell_trunks(&self) {
        let peers = self.directory.telephony.trunks.iter().map(|trunk| TrunkPeers {
            id: TrunkId(trunk.id.to_string()),
            addresses: trunk.addresses.iter().filter_map(|network| network.parse().ok()).collect(),
            digest: trunk.credentials.as_ref().map(sip_user),
            rate_per_second: trunk.requests_per_second,
        });
        self.sip.send(Command::SetTrunks(peers.chain([self.center.own_trunk()]).collect()));
        let outbound = self.directory.telephony.outbound.iter().map(way_out).collect();
        self.sip.send(Command::SetOutboundTrunks(outbound));
    }
}

fn way_out(trunk: &OutboundTrunk) -> sip::OutboundTrunk {
    let targets: Vec<_> = trunk.targets.iter().filter_map(|text| target(text)).collect();
    let credentials = trunk.credentials.as_ref().map(credentials);
    let registration = trunk.registrar.as_ref().zip(credentials.clone()).and_then(|(registrar, credentials)| {
        let registrar = target(registrar)?;
        let user = credentials.user.clone();
        let address_of_record = SipUri::new(Some(&user), address_of(&registrar)?);
        Some(Registration { registrar, address_of_record, credentials, expires: REGISTER_FOR })
    });
    let every = trunk.options_seconds;
    sip::OutboundTrunk {
        credentials,
        registration,
        options_every: (every > 0).then(|| Duration::from_secs(u64::from(every.clamp(10, 600)))),
        ..sip::OutboundTrunk::new(TrunkId(trunk.trunk.to_string()), targets)
    }
}

fn sip_user(of: &TrunkCredentials) -> SipUser {
    SipUser { username: of.username.clone(), secret: Secret::Password(of.password.clone()) }
}

fn credentials(of: &TrunkCredentials) -> Credentials {
    Credentials { user: of.username.clone(), password: of.password.clone() }
}

fn address_of(target: &Target) -> Option<SocketAddr> {
    match target {
        Target::Udp(address) | Target::Tcp(address) | Target::Tls { address, .. } => Some(*address),
        Target::Flow(_) => None,
    }
}

/// `host:port`, with `;transport=tcp` or `;transport=tls`. A name is looked up once, when the settings come into force.
fn target(text: &str) -> Option<Target> {
    let (host, transport) = match text.split_once(';') {
        Some((host, parameter)) => (host, parameter.trim().strip_prefix("transport=")?),
        None => (text, "udp"),
    };
    let host = host.trim();
    let address = host.parse().ok().or_else(|| host.to_socket_addrs().ok()?.next());
    let Some(address) = address else {
        tracing::error!(target = text, "the address of a trunk is not known");
        return None;
    };
    let name = host.rsplit_once(':').map(|(name, _)| name.trim_matches(['[', ']']).to_owned());
    match transport {
        "udp" => Some(Target::Udp(address)),
        "tcp" => Some(Target::Tcp(address)),
        "tls" => {
            let server_name = name.filter(|name| name.parse::<std::net::IpAddr>().is_err());
            Some(Target::Tls { address, server_name })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_have_a_host_a_port_and_a_transport() {
        let address: SocketAddr = "192.0.2.1:5080".parse().unwrap();
        assert_eq!(target("192.0.2.1:5080"), Some(Target::Udp(address)));
        assert_eq!(target("192.0.2.1:5080;transport=tcp"), Some(Target::Tcp(address)));
        assert_eq!(target("192.0.2.1:5080;transport=tls"), Some(Target::Tls { address, server_name: None }));
        assert_eq!(target("192.0.2.1:5080;transport=sctp"), None);
        assert_eq!(target("192.0.2.1"), None);
    }
}
