//! `[limits]`: how much one caller may ask for (`availability-and-panel.md` section 6.6).

use serde::Deserialize;

use super::ConfigError;

/// Limits of the API. Load tests raise them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Writes a minute by one token or sign-in.
    pub writes_per_minute: u32,
    /// Writes at once by one token or sign-in.
    pub writes_burst: u32,
    /// Reads of single things a minute.
    pub reads_per_minute: u32,
    /// Reads of lists a minute.
    pub lists_per_minute: u32,
    /// Changes a minute of one person's presence (the flap guard).
    pub changes_per_minute: u32,
    /// Changes at once of one person's presence.
    pub changes_burst: u32,
    /// Wrong passwords a minute by one address, and for one email.
    pub wrong_passwords_per_minute: u32,
    /// Live sockets of one person.
    pub sockets_per_agent: u32,
    /// A sign-in ends after so many minutes without activity.
    pub session_idle_minutes: u32,
    /// No limits on reads, writes and changes, for load tests (`rate_limits = false`). Passwords stay limited.
    #[serde(skip)]
    pub off: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            writes_per_minute: 120,
            writes_burst: 20,
            reads_per_minute: 600,
            lists_per_minute: 60,
            changes_per_minute: 60,
            changes_burst: 10,
            wrong_passwords_per_minute: 10,
            sockets_per_agent: 32,
            session_idle_minutes: 8 * 60,
            off: false,
        }
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let all = [
            self.writes_per_minute,
            self.writes_burst,
            self.reads_per_minute,
            self.lists_per_minute,
            self.changes_per_minute,
            self.changes_burst,
            self.wrong_passwords_per_minute,
            self.sockets_per_agent,
            self.session_idle_minutes,
        ];
        if all.contains(&0) {
            return Err(ConfigError::Value { setting: "limits", reason: "every limit is at least 1".to_owned() });
        }
        Ok(())
    }
}
