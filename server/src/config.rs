//! Settings: command line, environment and `cordboard.toml`, in this order of weight, checked before anything starts.

mod args;
mod file;
mod limits;
mod sip;
mod sms;

use std::fmt;
use std::fs::DirBuilder;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use args::{Cli, Command, Options};
pub use limits::Limits;
pub use sip::SipListen;
pub use sms::SmsGateway;

use file::FileConfig;
use sms::SmsSection;

use crate::clock;
use crate::net::sip::SipConfig;

/// Format of the logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Lines for a person at a terminal.
    #[default]
    Human,
    /// One JSON object per line.
    Json,
}

/// All settings of the server.
#[derive(Clone)]
pub struct Config {
    /// Where panel, API and live socket listen; port 0 takes a free one.
    pub http: SocketAddr,
    /// Where SIP over UDP listens.
    pub sip: SocketAddr,
    /// Where else SIP listens, and its certificates.
    pub sip_listen: SipListen,
    /// The one UDP port of the browsers' media.
    pub webrtc: SocketAddr,
    /// UDP ports of the phones' media.
    pub rtp_ports: RangeInclusive<u16>,
    /// Address the far sides see, when it is not the bound one.
    pub external_ip: Option<IpAddr>,
    /// Database, keys and recordings.
    pub data_dir: PathBuf,
    /// Database URL; without one `cordboard.sqlite` in the data folder.
    pub database: Option<String>,
    /// Where the edge answers.
    pub edge_url: Option<String>,
    /// The edge's Ed25519 public key, base64url.
    pub edge_public_key: Option<String>,
    /// Fill an empty database with the demo company.
    pub demo: bool,
    /// Days of past calls the demo company starts with.
    pub demo_history: u32,
    /// Pages of other origins that may use the cookie, such as a development server.
    pub allowed_origins: Vec<String>,
    /// Where people reach this server from outside, for links in messages; without one the address they were asked at.
    pub public_url: Option<String>,
    /// Limits of the API.
    pub limits: Limits,
    /// Where text messages go; without one they are held.
    pub sms: Option<SmsGateway>,
    /// Format of the logs.
    pub log_format: LogFormat,
}

/// Why the settings are refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the settings file {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is no TOML of ours.
    #[error("the settings file {} is wrong", path.display())]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A value cannot be.
    #[error("{setting}: {reason}")]
    Value {
        /// Name of the setting.
        setting: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// A range of UDP ports, `20000-20999`; `0` takes free ones.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct PortRange(RangeInclusive<u16>);

/// Settings file that is read when it is there and no other is named.
const DEFAULT_FILE: &str = "cordboard.toml";

impl Config {
    /// Merges command line and environment over the settings file over the defaults, and checks the result.
    pub fn load(options: Options) -> Result<Self, ConfigError> {
        let file = match &options.config {
            Some(path) => FileConfig::read(path)?,
            None if Path::new(DEFAULT_FILE).exists() => FileConfig::read(Path::new(DEFAULT_FILE))?,
            None => FileConfig::default(),
        };
        Self::merge(options, file)
    }

    fn merge(options: Options, file: FileConfig) -> Result<Self, ConfigError> {
        let ports = options.rtp_ports.or(file.rtp_ports).unwrap_or(PortRange(20_000..=20_999));
        let mut allowed_origins = file.http.allowed_origins;
        allowed_origins.extend(options.allowed_origins);
        let mut limits = file.limits;
        if options.no_rate_limits || file.rate_limits == Some(false) {
            limits.off = true;
        }
        let sms = SmsSection {
            url: options.sms_url.or(file.sms.url),
            from: options.sms_from.or(file.sms.from),
            token: options.sms_token.or(file.sms.token),
            allow_local: options.sms_allow_local || file.sms.allow_local,
        };
        let config = Self {
            http: options.http.or(file.http.address).unwrap_or(loopback(8080)),
            sip: options.sip.or(file.sip.address).unwrap_or(loopback(5060)),
            sip_listen: sip::merge(options.sip_listen, file.sip)?,
            webrtc: options.webrtc.or(file.webrtc.address).unwrap_or(loopback(8082)),
            rtp_ports: if ports.0 == (0..=0) { any_block() } else { ports.0 },
            external_ip: options.external_ip.or(file.external_ip),
            data_dir: options.data_dir.or(file.data_dir).unwrap_or_else(|| PathBuf::from("data")),
            database: options.database.or(file.database),
            edge_url: options.edge_url.or(file.edge.url),
            edge_public_key: options.edge_public_key.or(file.edge.public_key),
            demo: options.demo || file.demo,
            demo_history: options.demo_history.or(file.demo_history).unwrap_or(0),
            allowed_origins,
            public_url: options.public_url.or(file.http.public_url),
            limits,
            sms: sms.gateway()?,
            log_format: options.log_format.or(file.log_format).unwrap_or_default(),
        };
        config.check()?;
        Ok(config)
    }

    /// The database file.
    pub fn database_path(&self) -> PathBuf {
        match self.database.as_deref().and_then(sqlite_path) {
            Some(path) => path.into(),
            None => self.data_dir.join("cordboard.sqlite"),
        }
    }

    /// The sockets of SIP.
    pub fn sip_sockets(&self) -> SipConfig {
        let listen = &self.sip_listen;
        SipConfig {
            udp: std::iter::once(self.sip).chain(listen.udp_also).collect(),
            tcp: listen.tcp.clone(),
            tls: listen.tls.clone(),
            certificates: listen.certificates.clone(),
            authorities: listen.authorities.clone(),
            external_ip: self.external_ip,
        }
    }

    /// The folder of recordings.
    pub fn recordings_dir(&self) -> PathBuf {
        self.data_dir.join("recordings")
    }

    fn check(&self) -> Result<(), ConfigError> {
        let refuse = |setting, reason: &str| Err(ConfigError::Value { setting, reason: reason.to_owned() });
        if let Some(url) = &self.database {
            if url.starts_with("postgres:") || url.starts_with("postgresql:") {
                return refuse(
                    "database",
                    "PostgreSQL is not built into this version yet; use sqlite:<file> or leave it out",
                );
            }
            if sqlite_path(url).is_none_or(str::is_empty) {
                return refuse("database", "the URL is sqlite:<file>");
            }
        }
        if self.rtp_ports.is_empty() {
            return refuse("rtp-ports", "the range A-B must not be empty");
        }
        if *self.rtp_ports.start() == 0 {
            return refuse("rtp-ports", "a range begins above port 0; 0 alone takes free ports");
        }
        if let Some(url) = &self.edge_url {
            check_origin("edge-url", url)?;
        }
        if self.edge_url.is_some() != self.edge_public_key.is_some() {
            return refuse("edge-url", "edge-url and edge-public-key come together");
        }
        if let Some(url) = &self.public_url {
            check_origin("public-url", url)?;
        }
        for origin in &self.allowed_origins {
            check_origin("http.allowed_origins", origin)?;
        }
        if self.demo_history > 366 {
            return refuse("demo-history", "at most 366 days");
        }
        self.sip_listen.check(self.sip)?;
        self.limits.check()
    }
}

/// Makes the data folder, for the owner only: it holds keys, recordings and personal data.
pub fn create_data_dir(path: &Path) -> Result<(), ConfigError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| ConfigError::Value {
        setting: "data-dir",
        reason: format!("cannot make the folder {}: {error}", path.display()),
    })
}

fn check_origin(setting: &'static str, url: &str) -> Result<(), ConfigError> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    match rest {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => Ok(()),
        Some(_) | None => Err(ConfigError::Value {
            setting,
            reason: format!("{url:?} is no origin such as https://panel.example.com (no path, no slash at its end)"),
        }),
    }
}

fn sqlite_path(url: &str) -> Option<&str> {
    let path = url.strip_prefix("sqlite:")?;
    Some(path.strip_prefix("//").unwrap_or(path))
}

/// A thousand ports somewhere: two servers that ask for any ports seldom meet, and who finds one taken tries the next.
fn any_block() -> RangeInclusive<u16> {
    let [byte] = clock::random::<1>();
    let first = 30_000 + u16::from(byte % 30) * 1_000;
    first..=first + 999
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

impl fmt::Debug for Config {
    // By name, so that a secret added later does not print itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("http", &self.http)
            .field("sip", &self.sip)
            .field("sip_listen", &self.sip_listen)
            .field("webrtc", &self.webrtc)
            .field("rtp_ports", &self.rtp_ports)
            .field("external_ip", &self.external_ip)
            .field("data_dir", &self.data_dir)
            .field("edge_url", &self.edge_url)
            .field("demo", &self.demo)
            .field("allowed_origins", &self.allowed_origins)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let port = |text: &str| text.trim().parse::<u16>().map_err(|_| format!("{text:?} is no port"));
        match text.split_once('-') {
            Some((first, last)) => Ok(Self(port(first)?..=port(last)?)),
            None => port(text).map(|only| Self(only..=only)),
        }
    }
}

impl TryFrom<String> for PortRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn load(arguments: &[&str], file: &str) -> Result<Config, ConfigError> {
        let cli = Cli::try_parse_from([&["cordboard", "serve"], arguments].concat()).unwrap();
        let Command::Serve(options) = cli.command else { panic!("serve") };
        Config::merge(*options, toml::from_str(file).unwrap())
    }

    #[test]
    fn defaults_listen_on_loopback_at_the_known_ports() {
        let config = load(&[], "").unwrap();

        assert_eq!(config.http, loopback(8080));
        assert_eq!(config.sip, loopback(5060));
        assert_eq!(config.webrtc, loopback(8082));
        assert_eq!(config.rtp_ports, 20_000..=20_999);
        assert_eq!(config.database_path(), Path::new("data/cordboard.sqlite"));
        assert!(!config.demo);
    }

    #[test]
    fn the_command_line_weighs_more_than_the_file() {
        let file = "demo_history = 3\nrtp_ports = \"30000-30009\"\n[http]\naddress = \"127.0.0.1:1\"\n[sip]\naddress = \"127.0.0.1:2\"";
        let config = load(&["--http", "127.0.0.1:0", "--demo"], file).unwrap();

        assert_eq!(config.http, loopback(0));
        assert_eq!(config.sip, loopback(2));
        assert_eq!(config.rtp_ports, 30_000..=30_009);
        assert_eq!(config.demo_history, 3);
        assert!(config.demo);
    }

    #[test]
    fn values_that_cannot_be_are_refused_by_name() {
        for (arguments, file, setting) in [
            (&["--database", "postgres://x/y"][..], "", "database"),
            (&["--database", "mysql://x/y"], "", "database"),
            (&["--rtp-ports", "9-3"], "", "rtp-ports"),
            (&["--edge-url", "http://127.0.0.1:8788"], "", "edge-url"),
            (&[], "[http]\nallowed_origins = [\"http://a/\"]", "http.allowed_origins"),
            (&[], "[limits]\nwrites_per_minute = 0", "limits"),
            (&["--sip-tls", "127.0.0.1:0"], "", "sip-tls"),
            (&["--sip-cert", "cert.pem"], "", "sip-cert"),
            (&["--sip-sni", "nonsense"], "", "sip-sni"),
            (&["--sip-udp6", "127.0.0.1:0"], "", "sip-udp6"),
            (&["--public-url", "panel.example.com"], "", "public-url"),
            (&["--sms-url", "https://sms.example.com/send"], "", "sms"),
            (&[], "[sms]\nurl = \"http://sms.example.com\"\nfrom = \"a\"\ntoken = \"b\"", "sms"),
            (&[], "[sms]\nurl = \"ftp://sms.example.com\"\nfrom = \"a\"\ntoken = \"b\"", "sms"),
        ] {
            match load(arguments, file) {
                Err(ConfigError::Value { setting: found, .. }) => assert_eq!(found, setting),
                other => panic!("{setting}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_free_port_can_be_asked_for_everywhere() {
        let config =
            load(&["--http", "127.0.0.1:0", "--sip", "127.0.0.1:0", "--webrtc", "127.0.0.1:0", "--rtp-ports", "0"], "");

        let ports = config.unwrap().rtp_ports;
        assert_eq!((ports.len(), *ports.start() >= 30_000), (1_000, true));
    }

    #[test]
    fn printing_the_settings_prints_no_secret() {
        let config = load(&["--database", "sqlite:/secret/place"], "").unwrap();

        assert!(!format!("{config:?}").contains("secret"));
    }

    #[test]
    fn a_gateway_prints_no_token_and_limits_can_be_off() {
        let file =
            "rate_limits = false\n[sms]\nurl = \"https://sms.example.com/v1\"\nfrom = \"Lantern\"\ntoken = \"hush\"";
        let config = load(&[], file).unwrap();

        assert!(config.limits.off && !load(&[], "").unwrap().limits.off);
        assert!(load(&["--no-rate-limits"], "").unwrap().limits.off);
        let gateway = config.sms.unwrap();
        assert_eq!((gateway.from.as_str(), gateway.allow_local), ("Lantern", false));
        assert!(!format!("{gateway:?}").contains("hush"));
    }

    #[test]
    fn sip_listens_by_more_than_udp_when_it_is_told_to() {
        let file = "[sip]\ntcp = [\"127.0.0.1:0\"]\n[[sip.certificates]]\nname = \"pbx.example.com\"\ncertificate = \"a\"\nkey = \"b\"";
        let arguments = ["--sip-tls", "127.0.0.1:0,[::1]:0", "--sip-cert", "c.pem", "--sip-key", "k.pem"];
        let sockets = load(&arguments, file).unwrap().sip_sockets();

        assert_eq!((sockets.udp.len(), sockets.tcp.len(), sockets.tls.len()), (1, 1, 2));
        let names: Vec<_> = sockets.certificates.iter().map(|files| files.name.as_deref()).collect();
        assert_eq!(names, [None, Some("pbx.example.com")], "the one without a name serves whoever names nobody");
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(toml::from_str::<FileConfig>("[http]\nadress = \"127.0.0.1:1\"").is_err());
    }
}
