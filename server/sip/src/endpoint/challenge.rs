//! Challenges to requests of ours (RFC 3261 §22): answered with the credentials of the call or of its trunk, once for
//! each realm.

use super::Endpoint;
use super::api::{Credentials, DialogId};
use super::call::{CallState, Extras};
use crate::message::Response;
use crate::transaction::TxId;

impl Endpoint {
    /// The header field that answers a challenge: realm, name, value. Nothing can be answered yet.
    pub(super) fn authorize(
        _tx: TxId,
        _response: &Response,
        _credentials: &Credentials,
    ) -> Option<(String, String, String)> {
        None
    }

    /// What an INVITE must say after a challenge; `None` if it has been answered before, or cannot be.
    pub(super) fn authorize_invite(
        &mut self,
        id: DialogId,
        tx: TxId,
        mut extras: Extras,
        response: &Response,
    ) -> Option<Extras> {
        let CallState::Calling(calling) = &self.calls.get(&id)?.state else { return None };
        let of_trunk = calling.trunk.and_then(|(key, _)| self.trunks.get(key)?.config.credentials.clone());
        let credentials = calling.invitation.credentials.clone().or(of_trunk)?;
        let (realm, name, value) = Self::authorize(tx, response, &credentials)?;
        if extras.realms.contains(&realm) {
            return None;
        }
        extras.realms.push(realm);
        extras.authorization.push((name, value));
        Some(extras)
    }
}
