//! `[sms]`: the gateway that text messages go through. Without one they are held and shown in the outbox.

use std::fmt;

use serde::Deserialize;

use super::ConfigError;

/// A gateway that takes `{"to","from","text","id"}` by POST.
#[derive(Clone, PartialEq, Eq)]
pub struct SmsGateway {
    /// Where it answers.
    pub url: String,
    /// The sender's number or name.
    pub from: String,
    /// Its bearer token.
    pub token: String,
    /// Whether it may be on this machine or in a private network.
    pub allow_local: bool,
}

/// The section as written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SmsSection {
    pub(super) url: Option<String>,
    pub(super) from: Option<String>,
    pub(super) token: Option<String>,
    pub(super) allow_local: bool,
}

impl SmsSection {
    /// The gateway, when all of it is given; part of it is an error.
    pub(super) fn gateway(self) -> Result<Option<SmsGateway>, ConfigError> {
        let refuse = |reason: &str| ConfigError::Value { setting: "sms", reason: reason.to_owned() };
        match (self.url, self.from, self.token) {
            (None, None, None) => Ok(None),
            (Some(url), Some(from), Some(token)) => {
                let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
                let named = host.is_some_and(|host| !host.is_empty() && !host.starts_with('/') && !host.contains('@'));
                if !named {
                    return Err(refuse("url is an http or https address without a user name"));
                }
                if !(self.allow_local || url.starts_with("https://")) {
                    return Err(refuse("url is https, unless allow_local is set"));
                }
                Ok(Some(SmsGateway { url, from, token, allow_local: self.allow_local }))
            }
            _ => Err(refuse("url, from and token come together")),
        }
    }
}

impl fmt::Debug for SmsGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmsGateway").field("from", &self.from).finish_non_exhaustive()
    }
}
