//! The settings file `cordboard.toml`. A key that is not known is refused: a typing error must not pass for a setting.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::sip::SipSection;
use super::sms::SmsSection;
use super::{ConfigError, Limits, LogFormat, PortRange};

/// The file as written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FileConfig {
    pub(super) data_dir: Option<PathBuf>,
    pub(super) database: Option<String>,
    pub(super) rtp_ports: Option<PortRange>,
    pub(super) external_ip: Option<IpAddr>,
    pub(super) demo: bool,
    pub(super) demo_history: Option<u32>,
    pub(super) log_format: Option<LogFormat>,
    pub(super) http: HttpSection,
    pub(super) sip: SipSection,
    pub(super) webrtc: AddressSection,
    pub(super) edge: EdgeSection,
    pub(super) limits: Limits,
    pub(super) rate_limits: Option<bool>,
    pub(super) sms: SmsSection,
}

/// `[http]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HttpSection {
    pub(super) address: Option<SocketAddr>,
    pub(super) allowed_origins: Vec<String>,
    pub(super) public_url: Option<String>,
}

/// `[webrtc]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AddressSection {
    pub(super) address: Option<SocketAddr>,
}

/// `[edge]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct EdgeSection {
    pub(super) url: Option<String>,
    pub(super) public_key: Option<String>,
}

impl FileConfig {
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text).map_err(|source| ConfigError::Parse { path: path.to_owned(), source: Box::new(source) })
    }
}
