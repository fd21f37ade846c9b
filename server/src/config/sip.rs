//! Where SIP listens besides UDP, and the certificates of TLS.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;

use super::ConfigError;
use crate::net::sip::CertificateFiles;

/// SIP beyond the one UDP address.
#[derive(Clone, Debug, Default)]
pub struct SipListen {
    /// UDP of the other address family.
    pub udp_also: Option<SocketAddr>,
    /// TCP.
    pub tcp: Vec<SocketAddr>,
    /// TLS.
    pub tls: Vec<SocketAddr>,
    /// Certificates of TLS, the one without a name first.
    pub certificates: Vec<CertificateFiles>,
    /// Certificate authorities to trust besides the system's.
    pub authorities: Option<PathBuf>,
}

/// The same on the command line.
#[derive(Clone, Debug, Default, Args)]
pub struct SipOptions {
    /// Address of SIP over UDP and IPv6, besides the one of --sip
    #[arg(long = "sip-udp6", value_name = "ADDR", env = "CORDBOARD_SIP_UDP6")]
    pub udp6: Option<SocketAddr>,
    /// Address of SIP over TCP; may be given again
    #[arg(long = "sip-tcp", value_name = "ADDR", env = "CORDBOARD_SIP_TCP", value_delimiter = ',')]
    pub tcp: Vec<SocketAddr>,
    /// Address of SIP over TLS; may be given again
    #[arg(long = "sip-tls", value_name = "ADDR", env = "CORDBOARD_SIP_TLS", value_delimiter = ',')]
    pub tls: Vec<SocketAddr>,
    /// Certificate of SIP over TLS, PEM, with those that vouch for it behind it
    #[arg(long = "sip-cert", value_name = "FILE", env = "CORDBOARD_SIP_CERT")]
    pub cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long = "sip-key", value_name = "FILE", env = "CORDBOARD_SIP_KEY")]
    pub key: Option<PathBuf>,
    /// A further certificate, for those who ask for this host; may be given again
    #[arg(long = "sip-sni", value_name = "NAME=CERT,KEY", env = "CORDBOARD_SIP_SNI", value_delimiter = ';')]
    pub sni: Vec<String>,
    /// Certificate authorities to trust when calling trunks by TLS, besides the system's
    #[arg(long = "sip-ca", value_name = "FILE", env = "CORDBOARD_SIP_CA")]
    pub ca: Option<PathBuf>,
}

/// `[sip]` of the settings file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SipSection {
    pub(super) address: Option<SocketAddr>,
    udp6: Option<SocketAddr>,
    tcp: Vec<SocketAddr>,
    tls: Vec<SocketAddr>,
    certificates: Vec<CertificateSection>,
    ca: Option<PathBuf>,
}

/// `[[sip.certificates]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CertificateSection {
    #[serde(default)]
    name: Option<String>,
    certificate: PathBuf,
    key: PathBuf,
}

/// The command line over the file. Certificates of both are used.
pub(super) fn merge(options: SipOptions, file: SipSection) -> Result<SipListen, ConfigError> {
    let mut certificates = Vec::new();
    match (options.cert, options.key) {
        (Some(certificate), Some(key)) => certificates.push(CertificateFiles { name: None, certificate, key }),
        (None, None) => {}
        (Some(_), None) | (None, Some(_)) => return refuse("sip-cert", "sip-cert and sip-key come together"),
    }
    for text in &options.sni {
        certificates.push(parse_sni(text)?);
    }
    certificates.extend(file.certificates.into_iter().map(|section| {
        let CertificateSection { name, certificate, key } = section;
        CertificateFiles { name, certificate, key }
    }));
    certificates.sort_by_key(|files| files.name.is_some());
    let either = |given: Vec<SocketAddr>, written: Vec<SocketAddr>| if given.is_empty() { written } else { given };
    Ok(SipListen {
        udp_also: options.udp6.or(file.udp6),
        tcp: either(options.tcp, file.tcp),
        tls: either(options.tls, file.tls),
        certificates,
        authorities: options.ca.or(file.ca),
    })
}

impl SipListen {
    /// Every address, with the first UDP one.
    pub fn all(&self, udp: SocketAddr) -> impl Iterator<Item = SocketAddr> {
        let Self { udp_also, tcp, tls, .. } = self;
        std::iter::once(udp).chain(*udp_also).chain(tcp.iter().copied()).chain(tls.iter().copied())
    }

    pub(super) fn check(&self, udp: SocketAddr) -> Result<(), ConfigError> {
        if self.udp_also.is_some_and(|also| also.is_ipv4() == udp.is_ipv4()) {
            return refuse("sip-udp6", "the second UDP address is of the other family than that of --sip");
        }
        if !self.tls.is_empty() && self.certificates.is_empty() {
            return refuse("sip-tls", "TLS needs sip-cert and sip-key, or sip-sni");
        }
        Ok(())
    }
}

fn parse_sni(text: &str) -> Result<CertificateFiles, ConfigError> {
    let parts = text.split_once('=').and_then(|(name, files)| Some((name, files.split_once(',')?)));
    match parts {
        Some((name, (certificate, key))) if !name.is_empty() && !certificate.is_empty() && !key.is_empty() => {
            Ok(CertificateFiles { name: Some(name.to_owned()), certificate: certificate.into(), key: key.into() })
        }
        Some(_) | None => refuse("sip-sni", "a certificate for a host is NAME=CERT,KEY"),
    }
}

fn refuse<T>(setting: &'static str, reason: &str) -> Result<T, ConfigError> {
    Err(ConfigError::Value { setting, reason: reason.to_owned() })
}
