//! What tells transactions apart (RFC 3261 §17.1.3 and §17.2.3).

use crate::message::{Envelope, Method};
use crate::token::MAGIC_COOKIE;

/// The key of a server transaction. An ACK finds the transaction of its INVITE.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ServerKey {
    /// The branch is unique.
    Branch { branch: String, sent_by: String, method: Method },
    /// A sender of RFC 2543, whose branch says nothing.
    Legacy { call_id: String, from_tag: String, number: u32, via: String, method: Method },
}

impl ServerKey {
    pub(crate) fn of(envelope: &Envelope, method: &Method) -> Self {
        let method = if *method == Method::Ack { Method::Invite } else { method.clone() };
        let branch = envelope.branch();
        if branch.len() > MAGIC_COOKIE.len() && branch.starts_with(MAGIC_COOKIE) {
            return Self::Branch { branch: branch.to_owned(), sent_by: envelope.via.sent_by(), method };
        }
        Self::Legacy {
            call_id: envelope.call_id.clone(),
            from_tag: envelope.from.tag().unwrap_or_default().to_owned(),
            number: envelope.cseq.number,
            via: format!("{};{branch}", envelope.via.sent_by()),
            method,
        }
    }
}

/// The key of a client transaction: our branch, and the method of `CSeq`, since CANCEL shares the branch of its INVITE.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClientKey {
    pub(crate) branch: String,
    pub(crate) method: Method,
}

/// What two copies of one request have in common that came by different ways (RFC 3261 §8.2.2.2).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MergeKey {
    call_id: String,
    from_tag: String,
    number: u32,
    method: Method,
}

impl MergeKey {
    /// `None` for a request inside a dialog: only those without a To tag are merged.
    pub(crate) fn of(envelope: &Envelope) -> Option<Self> {
        envelope.to.tag().is_none().then(|| Self {
            call_id: envelope.call_id.clone(),
            from_tag: envelope.from.tag().unwrap_or_default().to_owned(),
            number: envelope.cseq.number,
            method: envelope.cseq.method.clone(),
        })
    }
}
