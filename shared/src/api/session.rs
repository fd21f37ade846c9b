//! `/core/session`: signing in, out, and who is signed in.

use serde::{Deserialize, Serialize};

use crate::agent::AgentProfile;
use crate::time::Millis;

/// `POST /core/session`.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignIn {
    /// Sign-in name.
    pub email: String,
    /// In the clear, over TLS or loopback.
    pub password: String,
}

/// Answer to `POST` and `GET /core/session`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// Who is signed in.
    pub user: AgentProfile,
    /// Name of the company.
    pub account: String,
    /// What they may do, as scope words.
    pub rights: Vec<String>,
    /// The account's time zone (IANA name).
    pub zone: String,
    /// When the sign-in ends without activity.
    pub expires_at: Millis,
}

/// `POST /core/session/token`: a 10-minute token for the edge.
#[derive(Clone, Serialize, Deserialize)]
pub struct SessionToken {
    /// `ccp1.…`.
    pub token: String,
    /// When it ends.
    pub expires_at: Millis,
    /// Where the edge answers, when there is one.
    pub edge_url: Option<String>,
}
