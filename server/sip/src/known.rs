//! Who is known to an endpoint: its users and its trunks.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::endpoint::TrunkId;
use crate::origin::{Origin, Secret, SipUser, TrunkPeers};
use crate::registrar::Registrar;

/// Users and trunks as the application gave them.
#[derive(Debug, Default)]
pub(crate) struct Known {
    users: BTreeMap<String, Secret>,
    /// `None` until the application has said which there are.
    trunks: Option<Vec<TrunkPeers>>,
}

impl Known {
    /// Replaces the users; gives those whose contacts had to go.
    pub(crate) fn set_users(&mut self, users: Vec<SipUser>, registrar: &mut Registrar) -> Vec<String> {
        let users: BTreeMap<_, _> = users.into_iter().map(|user| (user.username, user.secret)).collect();
        let gone = registrar.retain(|name| users.contains_key(name) && users.get(name) == self.users.get(name));
        self.users = users;
        gone
    }

    pub(crate) fn set_trunks(&mut self, trunks: Vec<TrunkPeers>) {
        self.trunks = Some(trunks);
    }

    pub(crate) fn has_users(&self) -> bool {
        !self.users.is_empty()
    }

    pub(crate) fn is_user(&self, name: &str) -> bool {
        self.users.contains_key(name)
    }

    pub(crate) fn knows_trunks(&self) -> bool {
        self.trunks.is_some()
    }

    /// Whether anybody could prove anything: else a challenge would be for nothing.
    pub(crate) fn asks_for_proof(&self) -> bool {
        self.has_users() || self.trunks().iter().any(|trunk| trunk.digest.is_some())
    }

    /// The password of a user or a trunk.
    pub(crate) fn secret(&self, name: &str) -> Option<&Secret> {
        let trunk =
            || self.trunks().iter().filter_map(|trunk| trunk.digest.as_ref()).find(|user| user.username == name);
        self.users.get(name).or_else(|| trunk().map(|user| &user.secret))
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
        self.trunks().iter().find(|trunk| trunk.addresses.iter().any(|network| network.contains(address)))
    }

    /// The trunk that proved this name, if it may do so from this address. A user's name is never a trunk's.
    pub(crate) fn trunk_named(&self, name: &str, address: IpAddr) -> Option<TrunkId> {
        if self.is_user(name) {
            return None;
        }
        let fits = |trunk: &&TrunkPeers| {
            let anywhere = trunk.addresses.is_empty();
            trunk.digest.as_ref().is_some_and(|user| user.username == name)
                && (anywhere || trunk.addresses.iter().any(|network| network.contains(address)))
        };
        self.trunks().iter().find(fits).map(|trunk| trunk.id.clone())
    }

    fn trunks(&self) -> &[TrunkPeers] {
        self.trunks.as_deref().unwrap_or_default()
    }
}
