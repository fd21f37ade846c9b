//! Who is known to an endpoint: its users and its trunks.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::origin::{Origin, Secret, SipUser, TrunkPeers};

/// Users and trunks as the application gave them.
#[derive(Debug, Default)]
pub(crate) struct Known {
    users: BTreeMap<String, Secret>,
    trunks: Vec<TrunkPeers>,
}

impl Known {
    pub(crate) fn set_users(&mut self, users: Vec<SipUser>) {
        self.users = users.into_iter().map(|user| (user.username, user.secret)).collect();
    }

    pub(crate) fn set_trunks(&mut self, trunks: Vec<TrunkPeers>) {
        self.trunks = trunks;
    }

    /// Who sends from this address, by the address alone.
    pub(crate) fn origin(&self, address: IpAddr) -> Origin {
        match self.trunk_at(address).filter(|trunk| trunk.digest.is_none()) {
            Some(trunk) => Origin::Trunk(trunk.id.clone()),
            None => Origin::Unknown,
        }
    }

    /// The trunk whose networks hold this address.
    pub(crate) fn trunk_at(&self, address: IpAddr) -> Option<&TrunkPeers> {
        self.trunks.iter().find(|trunk| trunk.addresses.iter().any(|network| network.contains(address)))
    }
}
