//! The company that is called: departments of ten, a desk phone for each person, and the real server with it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, ensure};
use cordboard_server::app::sip_user;
use cordboard_server::directory::Directory;
use cordboard_server::store::{CallCursor, CallFilter, NewAccount, NewPerson, Store};
use cordboard_server::{config, password};
use cordboard_shared::agent::{AgentProfile, Role};
use cordboard_shared::call::CallState;
use cordboard_shared::department::{Department, Destination, Member, Number, Strategy};
use cordboard_shared::id::{AccountId, AgentId, DepartmentId, NumberId, TrunkId};
use cordboard_shared::telephony::{Encryption, Phone, Telephony, Trunk};

use crate::process::{Process, free, healthy, page, server};
use crate::table::runtime;

/// Departments, each with a number of its own.
pub(crate) const DEPARTMENTS: u16 = 30;
/// People in each, as many as the engine's own figures have.
const MEMBERS: u16 = 10;
/// Trunks: what one may ask for a second is limited, and the load is above that.
pub(crate) const TRUNKS: u8 = 2;
/// The password of every desk phone, and of every person.
const PASSWORD: &str = "loopback";

/// The server and who works there.
pub(crate) struct Office {
    process: Process,
    http: SocketAddr,
    pub(crate) sip: SocketAddr,
    data: PathBuf,
}

/// A desk phone that is to register: from an address of its own, as rates are by address.
pub(crate) struct Desk {
    pub(crate) ip: IpAddr,
    pub(crate) username: String,
    pub(crate) password: &'static str,
}

impl Office {
    /// Founds the company in an empty folder and starts the server.
    pub(crate) fn open(data: &Path) -> Result<Self> {
        config::create_data_dir(data)?;
        runtime()?.block_on(found(data))?;
        let [http, sip, webrtc] = [free()?, free()?, free()?];
        let mut process = Process::start(&mut server(data, [http, sip, webrtc]))?;
        process.await_ready(|| healthy(http))?;
        Ok(Self { process, http, sip, data: data.to_path_buf() })
    }

    /// Its server.
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// Memory of the server that is in use, in bytes.
    pub(crate) fn resident(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.split_whitespace().next().unwrap_or_default().parse::<u64>()? * 1_024)
    }

    /// Calls that have not ended.
    pub(crate) fn active(&self) -> Result<f64> {
        let page = page(self.http, "/metrics")?;
        let value = page.lines().find_map(|line| line.strip_prefix("cordboard_calls_active "));
        value.and_then(|value| value.trim().parse().ok()).context("no gauge of calls")
    }

    /// Ends the server; how many records of ended calls that somebody has answered are on disk.
    pub(crate) fn close(self) -> Result<usize> {
        self.process.stop()?;
        runtime()?.block_on(async {
            let store = Store::open(&self.data.join("cordboard.sqlite")).await?;
            let mut filter = CallFilter { account: ACCOUNT, limit: 1_000, ..CallFilter::default() };
            let mut whole = 0;
            loop {
                let calls = store.calls(&filter).await?;
                let Some(last) = calls.last() else { break };
                filter.before = Some(CallCursor::from(last));
                whole += calls.iter().filter(|call| call.state == CallState::Ended && call.agent.is_some()).count();
            }
            store.close().await;
            Ok(whole)
        })
    }
}

const ACCOUNT: AccountId = AccountId::demo(1);

/// The desk phones of all people.
pub(crate) fn desks() -> Vec<Desk> {
    let ip = |number: u16| {
        let [high, low] = number.to_be_bytes();
        // 127.1.x.y is loopback like 127.0.0.1.
        IpAddr::V4(Ipv4Addr::new(127, 1, high, low))
    };
    let desk = |number| Desk { ip: ip(number), username: username(number), password: PASSWORD };
    (1..=DEPARTMENTS * MEMBERS).map(desk).collect()
}

/// The address a trunk sends from.
pub(crate) fn trunk_ip(trunk: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 2, 0, trunk + 1))
}

/// The number of a department.
pub(crate) fn number(department: u16) -> String {
    format!("+44207946{department:04}")
}

fn username(number: u16) -> String {
    (1_000 + number).to_string()
}

async fn found(data: &Path) -> Result<()> {
    let store = Store::open(&data.join("cordboard.sqlite")).await?;
    ensure!(store.directory().await?.agents.is_empty(), "the folder is in use");
    let agent = |number: u16| AgentId::demo(0x1000 + number);
    let people: Vec<AgentProfile> = (1..=DEPARTMENTS * MEMBERS)
        .map(|number| AgentProfile {
            id: agent(number),
            name: format!("Person {number}"),
            email: format!("person{number}@office.example"),
            role: Role::Agent,
            extension: None,
        })
        .collect();
    let departments = (0..DEPARTMENTS).map(|department| {
        let members = (1..=MEMBERS).map(|order| Member {
            agent: agent(department * MEMBERS + order),
            order: u32::from(order),
            always_include: false,
            skills: std::collections::BTreeMap::new(),
        });
        let id = DepartmentId::demo(0x2000 + department);
        let (slug, name) = (format!("line-{department}"), format!("Line {department}"));
        Department { members: members.collect(), ..Department::new(id, &slug, &name, Strategy::Balanced) }
    });
    let departments: Vec<Department> = departments.collect();
    let trunk_of = |department: u16| TrunkId::demo(0x4000 + department % u16::from(TRUNKS));
    let numbers = (0..DEPARTMENTS).zip(&departments).map(|(index, department)| {
        Ok(Number {
            id: NumberId::demo(0x3000 + index),
            number: number(index).parse().map_err(|error| anyhow!("{error}"))?,
            label: department.name.clone(),
            trunk: trunk_of(index),
            goes_to: Destination::Department(department.slug.clone()),
        })
    });
    let trunks = (0..TRUNKS).map(|trunk| Trunk {
        id: trunk_of(trunk.into()),
        name: format!("Trunk {trunk}"),
        addresses: vec![format!("{}/32", trunk_ip(trunk))],
        credentials: None,
        max_calls: 10_000,
        requests_per_second: 10_000,
    });
    let phones = (1..).zip(&people).map(|(number, person)| Phone {
        username: username(number),
        agent: person.id,
        rings: true,
        encryption: Encryption::Off,
    });
    let directory = Directory {
        account: ACCOUNT,
        name: "Loopback".to_owned(),
        zone: "UTC".to_owned(),
        language: "en".to_owned(),
        policy_version: 1,
        agents: people.iter().map(|person| (person.id, person.clone())).collect(),
        numbers: numbers.collect::<Result<_>>()?,
        departments,
        telephony: Arc::new(Telephony { trunks: trunks.collect(), phones: phones.collect(), ..Telephony::default() }),
        ..Directory::default()
    };
    let policy = Arc::new(directory.first_policy());
    let hash = password::hash(PASSWORD).map_err(|error| anyhow!("{error}"))?;
    let sip_users = (1..).zip(&people).map(|(number, person)| sip_user(&username(number), person.id, PASSWORD));
    let new = NewAccount {
        directory: directory.under(policy),
        sip_users: sip_users.collect(),
        people: people.into_iter().map(|profile| NewPerson { profile, password: hash.clone() }).collect(),
        tokens: Vec::new(),
    };
    store.create_account(&new).await?;
    store.close().await;
    Ok(())
}
