//! What the demo company is: fixed, so that tests, pictures and documents can name it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cordboard_shared::agent::{AgentProfile, Role};
use cordboard_shared::department::{Department, Destination, Fallback, Mailbox, Member, Number, Strategy};
use cordboard_shared::flow::{Flow, FlowState, Node};
use cordboard_shared::id::{AccountId, AgentId, DepartmentId, FlowId, NumberId, TrunkId};
use cordboard_shared::phone::{E164, Extension};
use cordboard_shared::schedule::WeeklyHours;
use cordboard_shared::telephony::{Encryption, Guard, Phone, REQUESTS_PER_SECOND, Telephony, Trunk};

use crate::app::Directory;

/// The account.
pub(super) const ACCOUNT: AccountId = AccountId::demo(0x0001);
/// The department Support.
pub(super) const SUPPORT: DepartmentId = DepartmentId::demo(0x1001);
/// The department Sales.
pub(super) const SALES: DepartmentId = DepartmentId::demo(0x1002);
/// The flow `main`.
pub(super) const FLOW: FlowId = FlowId::demo(0x3001);
/// Luis Ortega, who manages both departments.
const LUIS: AgentId = AgentId::demo(0x0013);
/// Asha Rao, whom a number reaches directly.
pub(super) const ASHA: AgentId = AgentId::demo(0x0021);
/// The number that leads to the flow.
pub(super) const MAIN_NUMBER: &str = "+442079460101";
/// The number that leads to Support.
pub(super) const SUPPORT_NUMBER: &str = "+442079460102";
/// The number that leads to Asha Rao.
pub(super) const DIRECT_NUMBER: &str = "+442079460103";
/// Desk phones and whose they are: Dev's and Tom's.
pub(super) const DESK_PHONES: [(&str, AgentId); 2] = [("1001", AgentId::demo(0x0023)), ("1002", AgentId::demo(0x0024))];

const TRUNK: TrunkId = TrunkId::demo(0x4001);
/// Longest voicemail message, in seconds.
const VOICEMAIL_SECONDS: u32 = 60;

const PEOPLE: [(u16, &str, Role, &str); 9] = [
    (0x0011, "Farah Khan", Role::Owner, "11"),
    (0x0012, "Meera Nair", Role::Admin, "12"),
    (0x0013, "Luis Ortega", Role::Manager, "13"),
    (0x0021, "Asha Rao", Role::Agent, "21"),
    (0x0022, "Riya Sen", Role::Agent, "22"),
    (0x0023, "Dev Patel", Role::Agent, "23"),
    (0x0024, "Tom Reed", Role::Agent, "24"),
    (0x0025, "Nadia Haddad", Role::Agent, "25"),
    (0x0026, "Ken Mori", Role::Agent, "26"),
];

/// The policy of Lantern Travel.
pub fn directory() -> Directory {
    let agents: BTreeMap<AgentId, AgentProfile> =
        PEOPLE.iter().map(profile).map(|person| (person.id, person)).collect();
    let departments = vec![
        department(
            SUPPORT,
            "support",
            "Support",
            Strategy::Serial,
            25,
            &[0x21, 0x22, 0x23, 0x26],
            vec![voicemail("support")],
        ),
        department(
            SALES,
            "sales",
            "Sales",
            Strategy::Balanced,
            20,
            &[0x24, 0x25, 0x26],
            vec![Fallback::Department { department: "support".to_owned() }, voicemail("sales")],
        ),
    ];
    let mailboxes = departments
        .iter()
        .map(|department| department.slug.clone())
        .chain(agents.keys().map(ToString::to_string))
        .map(|name| Mailbox { name, greeting: "audio:voicemail".to_owned(), seconds: VOICEMAIL_SECONDS })
        .collect();
    let directory = Directory {
        account: ACCOUNT,
        name: "Lantern Travel".to_owned(),
        zone: "Asia/Kolkata".to_owned(),
        language: "en".to_owned(),
        policy_version: 1,
        agents,
        departments,
        numbers: vec![
            number(0x2001, MAIN_NUMBER, "Main line", Destination::Flow("main".to_owned())),
            number(0x2002, SUPPORT_NUMBER, "Support, direct", Destination::Department("support".to_owned())),
            number(0x2003, DIRECT_NUMBER, "Asha Rao, direct", Destination::Extension(extension("21"))),
        ],
        flows: vec![Arc::new(main_flow())],
        mailboxes,
        managers: BTreeMap::from([(LUIS, BTreeSet::from([SUPPORT, SALES]))]),
        policy: Arc::default(),
        telephony: Arc::new(telephony()),
        phone_users: Arc::default(),
    };
    let policy = Arc::new(directory.first_policy());
    directory.under(policy)
}

/// The telephony settings of Lantern Travel: two desk phones, one open prefix, its own, and no
/// trunk to go out by.
pub(super) fn telephony() -> Telephony {
    Telephony {
        phones: DESK_PHONES
            .iter()
            .map(|(username, agent)| Phone {
                username: (*username).to_owned(),
                agent: *agent,
                rings: true,
                encryption: Encryption::Off,
            })
            .collect(),
        trunks: vec![Trunk {
            id: TRUNK,
            name: "Loopback".to_owned(),
            addresses: vec!["127.0.0.0/8".to_owned(), "::1/128".to_owned()],
            credentials: None,
            max_calls: 50,
            requests_per_second: REQUESTS_PER_SECOND,
        }],
        guard: Guard { prefixes: vec!["+4420794601".to_owned()], ..Guard::default() },
        dispositions: ["Resolved", "Follow up", "Wrong number", "Spam"].map(str::to_owned).to_vec(),
        ..Telephony::default()
    }
}

fn profile(&(last, name, role, digits): &(u16, &str, Role, &str)) -> AgentProfile {
    let first = name.split(' ').next().unwrap_or(name).to_lowercase();
    AgentProfile {
        id: AgentId::demo(last),
        name: name.to_owned(),
        email: format!("{first}@lantern.example"),
        role,
        extension: Some(extension(digits)),
    }
}

fn department(
    id: DepartmentId,
    slug: &str,
    name: &str,
    strategy: Strategy,
    ring_seconds: u32,
    members: &[u16],
    fallback: Vec<Fallback>,
) -> Department {
    let members = (1..).zip(members).map(|(order, &last)| Member {
        agent: AgentId::demo(last),
        order,
        always_include: false,
        skills: BTreeMap::new(),
    });
    Department {
        ring_seconds,
        members: members.collect(),
        fallback,
        caller_id: Some(e164(MAIN_NUMBER)),
        ..Department::new(id, slug, name, strategy)
    }
}

fn voicemail(mailbox: &str) -> Fallback {
    Fallback::Voicemail { mailbox: mailbox.to_owned() }
}

fn number(last: u16, number: &str, label: &str, goes_to: Destination) -> Number {
    Number { id: NumberId::demo(last), number: e164(number), label: label.to_owned(), trunk: TRUNK, goes_to }
}

/// Open at all hours: 1 is Support, 2 is Sales, extensions may be dialed; nothing pressed twice is Support.
fn main_flow() -> Flow {
    let department = |slug: &str| Node::Department { department: slug.to_owned(), next: None };
    let menu = Node::Menu {
        audio: "audio:menu-main".to_owned(),
        keys: BTreeMap::from([('1', "support".to_owned()), ('2', "sales".to_owned())]),
        repeat: 1,
        no_input_seconds: 5,
        no_input: Some("support".to_owned()),
        wrong_key: None,
        dial_extensions: true,
    };
    Flow {
        id: FLOW,
        slug: "main".to_owned(),
        version: 1,
        state: FlowState::Published,
        name: "Main".to_owned(),
        language: None,
        hours: WeeklyHours::default(),
        closed: None,
        missed_call_rings: None,
        start: "menu".to_owned(),
        nodes: BTreeMap::from([
            ("menu".to_owned(), menu),
            ("support".to_owned(), department("support")),
            ("sales".to_owned(), department("sales")),
        ]),
    }
}

fn e164(number: &str) -> E164 {
    number.parse().expect("the demo's numbers are written in this file")
}

fn extension(digits: &str) -> Extension {
    digits.parse().expect("the demo's extensions are written in this file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_named_in_the_policy_exists() {
        let directory = directory();

        assert_eq!(directory.agents.len(), 9);
        for department in &directory.departments {
            for member in &department.members {
                assert!(directory.agents.contains_key(&member.agent));
            }
            for fallback in &department.fallback {
                match fallback {
                    Fallback::Voicemail { mailbox } => assert!(directory.mailbox(mailbox).is_some()),
                    Fallback::Department { department } => assert!(directory.department_by_slug(department).is_some()),
                    Fallback::Agent { .. } | Fallback::Message { .. } | Fallback::Callback | Fallback::Disconnect => {}
                }
            }
        }
        for number in &directory.numbers {
            match &number.goes_to {
                Destination::Flow(slug) => assert!(directory.flow(slug).is_some()),
                Destination::Department(slug) => assert!(directory.department_by_slug(slug).is_some()),
                Destination::Extension(extension) => assert!(directory.agent_by_extension(extension).is_some()),
            }
        }
        let flow = directory.flow("main").unwrap();
        assert!(flow.nodes.contains_key(&flow.start));
    }

    #[test]
    fn people_stand_in_the_order_they_ring() {
        let directory = directory();
        let names = |slug: &str| -> Vec<String> {
            let department = directory.department_by_slug(slug).unwrap();
            department.members.iter().map(|member| directory.agent_name(member.agent).to_owned()).collect()
        };

        assert_eq!(names("support"), ["Asha Rao", "Riya Sen", "Dev Patel", "Ken Mori"]);
        assert_eq!(names("sales"), ["Tom Reed", "Nadia Haddad", "Ken Mori"]);
        assert_eq!(directory.agents[&ASHA].email, "asha@lantern.example");
    }
}
