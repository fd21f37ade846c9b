//! `demo.json`: what a person or a tool needs to sign in and call.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use cordboard_shared::agent::{AgentProfile, Role};
use cordboard_shared::department::Strategy;
use cordboard_shared::id::{AgentId, DepartmentId};
use cordboard_shared::phone::{E164, Extension};
use serde::{Deserialize, Serialize};

use crate::app::Directory;

/// Name of the file in the data folder.
const NAME: &str = "demo.json";

/// The whole file.
#[derive(Clone, Serialize, Deserialize)]
pub struct DemoFile {
    /// Base URL of panel and API.
    pub http: String,
    /// Address of SIP.
    pub sip: String,
    /// The people.
    pub users: Vec<DemoUser>,
    /// The numbers and where they lead.
    pub numbers: Vec<DemoNumber>,
    /// The departments.
    pub departments: Vec<DemoDepartment>,
    /// The desk phones.
    pub sip_users: Vec<DemoPhone>,
}

/// A person with their secrets.
#[derive(Clone, Serialize, Deserialize)]
pub struct DemoUser {
    /// Full name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Sign-in name.
    pub email: String,
    /// Password of the panel.
    pub password: String,
    /// Their id.
    pub uuid: AgentId,
    /// Where they are dialed directly.
    pub extension: Option<Extension>,
    /// Token of the API.
    pub api_token: String,
}

/// A number.
#[derive(Clone, Serialize, Deserialize)]
pub struct DemoNumber {
    /// The number.
    pub number: E164,
    /// `flow:…`, `department:…`, `extension:…`.
    pub goes_to: String,
}

/// A department.
#[derive(Clone, Serialize, Deserialize)]
pub struct DemoDepartment {
    /// Its name.
    pub name: String,
    /// Its short name.
    pub slug: String,
    /// Its id.
    pub uuid: DepartmentId,
    /// How it rings.
    pub strategy: Strategy,
    /// Its members, in order.
    pub members: Vec<AgentId>,
}

/// A desk phone.
#[derive(Clone, Serialize, Deserialize)]
pub struct DemoPhone {
    /// User part of its address.
    pub username: String,
    /// Its digest password.
    pub password: String,
}

impl DemoUser {
    pub(super) fn new(profile: &AgentProfile, password: String, api_token: String) -> Self {
        Self {
            name: profile.name.clone(),
            role: profile.role,
            email: profile.email.clone(),
            password,
            uuid: profile.id,
            extension: profile.extension.clone(),
            api_token,
        }
    }
}

impl DemoFile {
    pub(super) fn new(directory: &Directory, users: Vec<DemoUser>, phones: Vec<(String, String)>) -> Self {
        let numbers = directory.numbers.iter();
        let departments = directory.departments.iter();
        Self {
            http: String::new(),
            sip: String::new(),
            users,
            numbers: numbers
                .map(|number| DemoNumber { number: number.number.clone(), goes_to: number.goes_to.to_string() })
                .collect(),
            departments: departments
                .map(|department| DemoDepartment {
                    name: department.name.clone(),
                    slug: department.slug.clone(),
                    uuid: department.id,
                    strategy: department.strategy,
                    members: department.members.iter().map(|member| member.agent).collect(),
                })
                .collect(),
            sip_users: phones.into_iter().map(|(username, password)| DemoPhone { username, password }).collect(),
        }
    }

    /// Reads the file of a data folder.
    pub fn read(data_dir: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(data_dir.join(NAME))?)?)
    }

    /// Names the addresses the server is bound to.
    pub(super) fn bound_to(&mut self, http: SocketAddr, sip: SocketAddr) {
        self.http = format!("http://{}", reachable(http));
        self.sip = reachable(sip).to_string();
    }

    /// Writes it whole or not at all, for the owner only.
    pub(super) fn write(&self, data_dir: &Path) -> io::Result<()> {
        let draft = data_dir.join("demo.json.new");
        // A draft of an earlier crash may have another mode.
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        writeln!(file)?;
        file.sync_all()?;
        fs::rename(&draft, data_dir.join(NAME))
    }
}

/// Writes the addresses the server is bound to into `demo.json`; passwords and tokens stay as they are.
pub fn write_demo_json(data_dir: &Path, http: SocketAddr, sip: SocketAddr) -> io::Result<()> {
    let mut file = DemoFile::read(data_dir)?;
    file.bound_to(http, sip);
    file.write(data_dir)
}

/// An address one can connect to: a server bound to every address is reached over loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}
