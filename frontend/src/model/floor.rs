//! Calls one may take, own devices, and to whom a call can go: what stands in the lists of the desk.

use cordboard_shared::agent::Verdict;
use cordboard_shared::event::{DeviceView, DeviceViewKind, FloorCall, FloorState};
use cordboard_shared::id::AgentId;

use crate::model::roster::{Person, Roster};

/// What is live besides the own calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Floor {
    /// Calls that wait, ring at colleagues or are parked, the longest first.
    pub calls: Vec<FloorCall>,
    /// Own devices.
    pub devices: Vec<DeviceView>,
    /// The words a call may be filed under.
    pub dispositions: Vec<String>,
}

impl Floor {
    /// The person's own phones a call can move to now, but the one it is on.
    pub fn own_phones(&self, on: Option<&str>) -> impl Iterator<Item = &DeviceView> {
        let reachable = |device: &&DeviceView| match device.kind {
            DeviceViewKind::Browser => false,
            DeviceViewKind::Phone | DeviceViewKind::Mobile => device.ready,
        };
        self.devices.iter().filter(reachable).filter(move |device| Some(device.id.as_str()) != on)
    }
}

/// To whom a call can go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// As the server names it: `agent:<uuid>`, `department:<slug>`, or a number.
    pub to: String,
    /// For people.
    pub name: String,
    /// Whether it can be taken now, and why not, in words.
    pub note: String,
    /// Whether it can be taken now, as far as this panel knows.
    pub free: bool,
    /// The state of a person.
    pub verdict: Option<Verdict>,
}

/// Those a call can go to whose name, extension or number has `wanted` in it: people who can take it first, then
/// departments, then others. What is typed as a number is one itself.
pub fn targets(roster: &Roster, wanted: &str) -> Vec<Target> {
    let wanted = wanted.trim().to_lowercase();
    let (mut found, mut others) = (Vec::new(), Vec::new());
    if is_number(&wanted) {
        let note = "A number outside, or an extension".to_owned();
        found.push(Target { to: wanted.clone(), name: wanted.clone(), note, free: true, verdict: None });
    }
    for person in roster.by_name() {
        if Some(person.profile.id) == roster.me || !person_fits(person, &wanted) {
            continue;
        }
        let target = of_person(person);
        if target.free { found.push(target) } else { others.push(target) }
    }
    for group in &roster.groups {
        if !group.name.to_lowercase().contains(&wanted) {
            continue;
        }
        let (reachable, members) = roster.reachable(group);
        let target = Target {
            to: format!("department:{}", group.slug),
            name: group.name.clone(),
            note: format!("{reachable} of {members} can take calls"),
            free: reachable > 0,
            verdict: None,
        };
        if target.free { found.push(target) } else { others.push(target) }
    }
    found.extend(others);
    found
}

fn of_person(person: &Person) -> Target {
    let verdict = person.presence.as_ref().map(|presence| presence.effective.verdict);
    let extension = person.profile.extension.as_ref().map(|extension| format!("{}, ", extension.as_str()));
    Target {
        to: format!("agent:{}", person.profile.id),
        name: person.profile.name.clone(),
        note: format!("{}{}", extension.unwrap_or_default(), verdict.map_or("state not shown to you", why)),
        free: verdict == Some(Verdict::Available),
        verdict,
    }
}

/// Whether a person can take a call, and why not.
fn why(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Available => "can take it",
        Verdict::Ringing => "is being rung",
        Verdict::OnCall => "is on a call",
        Verdict::AfterCallWork => "finishes a call",
        Verdict::Away => "is Away",
        Verdict::NoDevice => "has no device that can ring",
        Verdict::Paused => "is paused",
        Verdict::Dnd => "takes no calls: Do Not Disturb",
        Verdict::OptedOut => "has opted out of business calls",
        Verdict::OffSchedule => "is outside their hours",
        Verdict::Disabled => "has no seat",
    }
}

fn person_fits(person: &Person, wanted: &str) -> bool {
    let extension = person.profile.extension.as_ref();
    person.profile.name.to_lowercase().contains(wanted)
        || extension.is_some_and(|extension| !wanted.is_empty() && extension.as_str().starts_with(wanted))
}

/// Whether a text is meant as a number: digits with what people write between them.
pub fn is_number(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    digits >= 2 && text.chars().all(|c| c.is_ascii_digit() || " +-()./#*,".contains(c))
}

/// What is dialed for what was typed: a colleague's extension for their name, else the text itself. An error is a
/// sentence.
pub fn dialed(roster: &Roster, typed: &str) -> Result<String, String> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Err("Enter a number, or the name of a colleague.".to_owned());
    }
    // A choice of the list reads `Riya Sen, 102`.
    let name = typed.split(',').next().unwrap_or(typed).trim();
    let person = roster.people.values().find(|person| person.profile.name.eq_ignore_ascii_case(name));
    match person {
        Some(person) => match &person.profile.extension {
            Some(extension) => Ok(extension.as_str().to_owned()),
            None => Err(format!("{} has no extension.", person.profile.name)),
        },
        None if is_number(typed) => Ok(typed.to_owned()),
        None => Err(format!("“{typed}” is no number, and nobody here has that name.")),
    }
}

/// What taking a call of the floor is called, and what is said about it.
pub fn floor_words(call: &FloorCall, name: &dyn Fn(AgentId) -> String) -> (String, String) {
    let who = match (&call.name, call.number.0.as_str()) {
        (Some(name), _) => name.0.clone(),
        (None, "" | "anonymous") => "number withheld".to_owned(),
        (None, number) => number.to_owned(),
    };
    let people = call.agents.iter().map(|agent| name(*agent)).collect::<Vec<_>>().join(", ");
    match call.state {
        FloorState::Parked => {
            let slot = call.slot.as_deref().unwrap_or("the park");
            let by = if people.is_empty() { String::new() } else { format!(" by {people}") };
            (format!("Pick up {slot}: {who}"), format!("Parked at {slot}{by}"))
        }
        FloorState::Ringing => (format!("Pick up: {who}"), format!("Rings at {people}")),
        FloorState::Waiting => (format!("Take: {who}"), "Waits in line".to_owned()),
    }
}

/// What an own device is, and whether calls ring it, in words.
pub fn device_words(device: &DeviceView) -> (&'static str, &'static str) {
    let kind = match device.kind {
        DeviceViewKind::Browser => "Browser tab",
        DeviceViewKind::Phone => "Desk phone",
        DeviceViewKind::Mobile => "Mobile, press 1 to accept",
    };
    let state = match (device.ready, device.rings) {
        (true, true) => "Rings",
        (true, false) => "Ready, switched off for calls",
        (false, true) => match device.kind {
            DeviceViewKind::Browser => "Cannot ring: not checked yet, or not the tab that rings",
            DeviceViewKind::Phone => "Cannot ring: not registered",
            DeviceViewKind::Mobile => "Cannot ring now",
        },
        (false, false) => "Does not ring",
    };
    (kind, state)
}

#[cfg(test)]
mod tests {
    use cordboard_shared::id::{CallId, DepartmentId};
    use cordboard_shared::{Millis, Pii};

    use super::*;
    use crate::model::roster::tests::{ASHA, presence, profile, snapshot};
    use crate::model::roster::{Group, GroupMember};

    const RIYA: AgentId = AgentId::demo(0x22);
    const DEV: AgentId = AgentId::demo(0x23);

    fn roster() -> Roster {
        let mut picture = snapshot();
        let mut riya = profile(RIYA, "Riya Sen");
        riya.extension = "102".parse().ok();
        picture.agents = vec![riya, profile(DEV, "Dev Patel")];
        picture.presences = vec![presence(RIYA, 1, Verdict::Away), presence(DEV, 1, Verdict::Available)];
        picture.groups = vec![Group {
            id: DepartmentId::demo(1),
            slug: "support".to_owned(),
            name: "Support".to_owned(),
            members: vec![GroupMember { agent: DEV }, GroupMember { agent: RIYA }],
        }];
        let mut roster = Roster::default();
        roster.snapshot(picture);
        roster
    }

    #[test]
    fn a_call_moves_to_phones_that_are_there_and_not_to_the_one_it_is_on() {
        let device =
            |id: &str, kind, ready| DeviceView { id: id.to_owned(), kind, name: id.to_owned(), ready, rings: false };
        let floor = Floor {
            devices: vec![
                device("tab:1", DeviceViewKind::Browser, true),
                device("phone:1", DeviceViewKind::Phone, true),
                device("phone:2", DeviceViewKind::Phone, false),
                device("mobile", DeviceViewKind::Mobile, true),
            ],
            ..Floor::default()
        };
        let found = |on| floor.own_phones(on).map(|device| device.id.as_str()).collect::<Vec<_>>();

        assert_eq!(found(Some("tab:1")), ["phone:1", "mobile"]);
        assert_eq!(found(Some("phone:1")), ["mobile"]);
    }

    fn names(found: &[Target]) -> Vec<&str> {
        found.iter().map(|target| target.name.as_str()).collect()
    }

    #[test]
    fn who_can_take_it_comes_first_and_the_rest_says_why_not() {
        let found = targets(&roster(), "");

        assert_eq!(names(&found), ["Dev Patel", "Support", "Riya Sen"]);
        assert_eq!(found[0].to, format!("agent:{DEV}"));
        assert_eq!(found[1].note, "1 of 2 can take calls");
        assert_eq!(found[2].note, "102, is Away");
        assert!(!found[2].free);
        assert!(!names(&found).contains(&"Asha Rao"), "nobody transfers to themselves: {ASHA}");
    }

    #[test]
    fn people_are_found_by_name_and_extension_and_a_number_stands_for_itself() {
        assert_eq!(names(&targets(&roster(), " riya ")), ["Riya Sen"]);
        assert_eq!(names(&targets(&roster(), "102")), ["102", "Riya Sen"]);
        assert_eq!(names(&targets(&roster(), "+44 20 7946 0199")), ["+44 20 7946 0199"]);
    }

    #[test]
    fn a_name_is_dialed_by_its_extension_and_nonsense_is_refused_in_words() {
        let roster = roster();
        assert_eq!(dialed(&roster, "Riya Sen, 102"), Ok("102".to_owned()));
        assert_eq!(dialed(&roster, "+44 20 7946 0199"), Ok("+44 20 7946 0199".to_owned()));
        assert_eq!(dialed(&roster, "dev patel"), Err("Dev Patel has no extension.".to_owned()));
        assert!(dialed(&roster, "somebody").is_err());
        assert!(dialed(&roster, " ").is_err());
    }

    #[test]
    fn a_call_of_the_floor_says_what_taking_it_means() {
        let mut call = FloorCall {
            call: CallId::new(Millis(1), [0; 10]),
            number: Pii("+442079460199".to_owned()),
            name: None,
            state: FloorState::Parked,
            department: None,
            agents: vec![RIYA],
            slot: Some("701".to_owned()),
            since: Millis(1),
        };
        let name = |_| "Riya Sen".to_owned();

        let (action, words) = floor_words(&call, &name);
        assert_eq!((action.as_str(), words.as_str()), ("Pick up 701: +442079460199", "Parked at 701 by Riya Sen"));
        call.state = FloorState::Ringing;
        assert_eq!(floor_words(&call, &name).1, "Rings at Riya Sen");
    }
}
