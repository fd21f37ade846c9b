//! The command line. Each option is also an environment variable.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::sip::SipOptions;
use super::{LogFormat, PortRange};

/// Cordboard: an open-source cloud call center in one program.
#[derive(Debug, Parser)]
#[command(name = "cordboard", version, about, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the panel, the API and the telephone.
    Serve(Box<Options>),
    /// Fill an empty data folder with the demo company and stop.
    Demo(Box<Options>),
    /// Print the version.
    Version,
}

/// Options of `serve` and `demo`.
#[derive(Clone, Debug, Default, Args)]
pub struct Options {
    /// Settings file (TOML) [default: cordboard.toml, when it is there]
    #[arg(long, value_name = "FILE", env = "CORDBOARD_CONFIG")]
    pub config: Option<PathBuf>,
    /// Address of panel, API and live socket; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", env = "CORDBOARD_HTTP")]
    pub http: Option<SocketAddr>,
    /// Address of SIP over UDP [default: 127.0.0.1:5060]
    #[arg(long, value_name = "ADDR", env = "CORDBOARD_SIP")]
    pub sip: Option<SocketAddr>,
    /// SIP by other transports.
    #[command(flatten)]
    pub sip_listen: SipOptions,
    /// Folder of database, keys and recordings [default: data]
    #[arg(long, value_name = "DIR", env = "CORDBOARD_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Database, `sqlite:FILE` [default: cordboard.sqlite in the data folder]
    #[arg(long, value_name = "URL", env = "CORDBOARD_DATABASE", hide_env_values = true)]
    pub database: Option<String>,
    /// UDP ports of the phones' media [default: 20000-20999]
    #[arg(long, value_name = "A-B", env = "CORDBOARD_RTP_PORTS")]
    pub rtp_ports: Option<PortRange>,
    /// The one UDP address of the browsers' media [default: 127.0.0.1:8082]
    #[arg(long, value_name = "ADDR", env = "CORDBOARD_WEBRTC")]
    pub webrtc: Option<SocketAddr>,
    /// Address the far sides see, when it is not the bound one
    #[arg(long, value_name = "IP", env = "CORDBOARD_EXTERNAL_IP")]
    pub external_ip: Option<IpAddr>,
    /// Where the edge answers
    #[arg(long, value_name = "URL", env = "CORDBOARD_EDGE_URL")]
    pub edge_url: Option<String>,
    /// The edge's Ed25519 public key, base64url
    #[arg(long, value_name = "KEY", env = "CORDBOARD_EDGE_PUBLIC_KEY")]
    pub edge_public_key: Option<String>,
    /// Fill an empty database with the demo company
    #[arg(long, env = "CORDBOARD_DEMO")]
    pub demo: bool,
    /// Days of past calls the demo company starts with [default: 0]
    #[arg(long, value_name = "DAYS", env = "CORDBOARD_DEMO_HISTORY")]
    pub demo_history: Option<u32>,
    /// An origin besides the own one whose pages may use the sign-in; may be given again
    #[arg(long = "allowed-origin", value_name = "ORIGIN", env = "CORDBOARD_ALLOWED_ORIGINS", value_delimiter = ',')]
    pub allowed_origins: Vec<String>,
    /// Where people reach this server from outside, for links in messages [default: where they asked]
    #[arg(long, value_name = "URL", env = "CORDBOARD_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// No limits on reads and writes of the API, for load tests
    #[arg(long, env = "CORDBOARD_NO_RATE_LIMITS")]
    pub no_rate_limits: bool,
    /// Where text messages are posted; without a gateway they are held in the outbox
    #[arg(long, value_name = "URL", env = "CORDBOARD_SMS_URL")]
    pub sms_url: Option<String>,
    /// Sender of text messages
    #[arg(long, value_name = "NAME", env = "CORDBOARD_SMS_FROM")]
    pub sms_from: Option<String>,
    /// Bearer token of the gateway for text messages
    #[arg(long, value_name = "TOKEN", env = "CORDBOARD_SMS_TOKEN", hide_env_values = true)]
    pub sms_token: Option<String>,
    /// The gateway for text messages may be on this machine or in a private network
    #[arg(long, env = "CORDBOARD_SMS_ALLOW_LOCAL")]
    pub sms_allow_local: bool,
    /// Format of the logs [default: human]
    #[arg(long, value_name = "FORMAT", env = "CORDBOARD_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
}
