//! Looking through a policy before it is used: what cannot be, and what is doubtful.

use std::collections::{BTreeMap, BTreeSet};

use cordboard_shared::api::policy::PolicyFinding;
use cordboard_shared::department::{Department, Fallback};
use cordboard_shared::id::AgentId;
use cordboard_shared::policy::{EMERGENCY_LONGEST_MS, Policy, WAVE_MOST};
use cordboard_shared::schedule::WeeklyHours;

use crate::schedule::check_zone;

/// Most windows of one set of hours.
pub const MOST_WINDOWS: usize = 50;
/// Most departments, contacts and the like of a policy.
const MOST_ENTRIES: usize = 10_000;
/// Most links of a fallback chain.
const MOST_LINKS: usize = 10;

/// Finds what is wrong with a policy, and what is doubtful. Without errors it can be obeyed.
pub fn check_policy(policy: &Policy, people: &BTreeSet<AgentId>) -> Vec<PolicyFinding> {
    let mut found = Findings::default();
    if !policy.zone.is_empty() && !check_zone(&policy.zone) {
        found.error("/zone", format!("{:?} is no time zone, such as Asia/Kolkata.", policy.zone));
    }
    settings(policy, &mut found);
    if policy.departments.len() > MOST_ENTRIES || policy.contacts.len() > MOST_ENTRIES {
        found.error("/departments", "There are too many departments or contacts.".to_owned());
        return found.list;
    }
    let mut slugs = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for (index, department) in policy.departments.iter().enumerate() {
        let at = format!("/departments/{index}");
        if slugs.insert(department.slug.as_str(), department).is_some() {
            found.error(
                &format!("{at}/slug"),
                format!("{:?} is the short name of another department.", department.slug),
            );
        }
        if !ids.insert(department.id) {
            found.error(&format!("{at}/id"), "Another department has this id.".to_owned());
        }
    }
    for (index, department) in policy.departments.iter().enumerate() {
        self::department(&format!("/departments/{index}"), department, policy, people, &mut found);
    }
    for (index, contact) in policy.contacts.iter().enumerate() {
        if contact.agent.is_some_and(|agent| !people.contains(&agent)) {
            found.error(&format!("/contacts/{index}/agent"), "There is no such person.".to_owned());
        }
        if contact.priority > 9 {
            found.error(&format!("/contacts/{index}/priority"), "A priority is 0 to 9.".to_owned());
        }
    }
    for (index, route) in policy.emergencies.iter().enumerate() {
        let at = format!("/emergencies/{index}");
        if route.name.trim().is_empty() || route.reason.trim().is_empty() {
            found.error(&at, "An emergency route has a name and a written reason.".to_owned());
        }
        if route.ends < route.starts || route.ends.since(route.starts) > EMERGENCY_LONGEST_MS {
            found.error(&format!("{at}/ends"), "An emergency route lasts at most 24 hours.".to_owned());
        }
    }
    found.list
}

fn settings(policy: &Policy, found: &mut Findings) {
    let settings = &policy.settings;
    if settings.missed_limit > 10 {
        found.error("/settings/missed_limit", "Missed offers in a row are 1 to 10, or 0 for off.".to_owned());
    }
    if settings.inactivity_minutes != 0 && !(15..=1_440).contains(&settings.inactivity_minutes) {
        found.error("/settings/inactivity_minutes", "Inactivity is 15 to 1,440 minutes, or 0 for off.".to_owned());
    }
    if settings.reach.strict_wait_seconds > 300 {
        found.error(
            "/settings/reach/strict_wait_seconds",
            "The wait for a bound person is 0 to 300 seconds.".to_owned(),
        );
    }
    if settings.inbound_percent.is_some_and(|percent| percent > 100) {
        found.error("/settings/inbound_percent", "A share is 0 to 100 percent.".to_owned());
    }
    if settings.keep_place_minutes > 1_440 {
        found.error("/settings/keep_place_minutes", "A place is kept for at most 1,440 minutes.".to_owned());
    }
    if settings.suspended {
        found.warning("/settings/suspended", "Every call is refused.".to_owned());
    }
}

fn department(at: &str, department: &Department, policy: &Policy, people: &BTreeSet<AgentId>, found: &mut Findings) {
    let mut range = |field: &str, value: u32, low: u32, high: u32, what: &str| {
        if !(low..=high).contains(&value) {
            found.error(&format!("{at}/{field}"), format!("{what} is {low} to {high}."));
        }
    };
    range("ring_seconds", department.ring_seconds, 10, 60, "Ring time in seconds");
    range("wave", department.wave, 1, WAVE_MOST, "The number that ring at once");
    range("wrap_up_seconds", department.wrap_up_seconds, 0, 300, "After-call work in seconds");
    range("weight", department.weight, 1, 10, "Weight");
    range("max_wait_seconds", department.max_wait_seconds, 0, 7_200, "The longest wait in seconds");
    if department.announce_seconds != 0 {
        range("announce_seconds", department.announce_seconds, 15, 300, "Time between announcements in seconds");
    }
    if department.slug.is_empty() || department.name.trim().is_empty() {
        found.error(at, "A department has a name and a short name.".to_owned());
    }
    let mut seen = BTreeSet::new();
    for (index, member) in department.members.iter().enumerate() {
        let pointer = format!("{at}/members/{index}");
        if !people.contains(&member.agent) {
            found.error(&pointer, "There is no such person.".to_owned());
        }
        if !seen.insert(member.agent) {
            found.error(&pointer, "This person is a member already.".to_owned());
        }
    }
    if department.members.is_empty() {
        found.warning(&format!("{at}/members"), format!("{} has nobody: calls go to the fallback.", department.name));
    }
    hours(&format!("{at}/hours"), &department.hours, found);
    if department.fallback.len() > MOST_LINKS {
        found.error(&format!("{at}/fallback"), format!("A chain has at most {MOST_LINKS} links."));
    }
    if department.fallback.is_empty() {
        found.warning(&format!("{at}/fallback"), "Without a fallback the call ends when nobody answers.".to_owned());
    }
    for (index, link) in department.fallback.iter().enumerate() {
        self::link(&format!("{at}/fallback/{index}"), link, department, policy, people, found);
        let ends = matches!(link, Fallback::Voicemail { .. } | Fallback::Message { .. } | Fallback::Disconnect);
        if ends && index + 1 < department.fallback.len() {
            found.warning(&format!("{at}/fallback/{}", index + 1), "This is never reached.".to_owned());
        }
    }
    if let Some(closed) = &department.closed {
        self::link(&format!("{at}/closed"), closed, department, policy, people, found);
    }
    for (index, condition) in department.conditions.iter().enumerate() {
        let pointer = format!("{at}/conditions/{index}");
        self::link(&format!("{pointer}/then"), &condition.then, department, policy, people, found);
        if let Some(within) = &condition.hours {
            hours(&format!("{pointer}/hours"), within, found);
        }
    }
    for (index, need) in department.needs.iter().enumerate() {
        let pointer = format!("{at}/needs/{index}");
        let rising = need.relax.windows(2).all(|pair| pair[0].after_seconds < pair[1].after_seconds);
        if !(1..=10).contains(&need.level) || !rising {
            found.error(&pointer, "A level is 1 to 10, and its steps come in rising order of the wait.".to_owned());
        }
        let last = need.relax.last().map_or(need.level, |step| step.level);
        let met =
            |level: u8| department.members.iter().any(|it| it.skills.get(&need.skill).copied().unwrap_or(0) >= level);
        if !met(last) {
            found.warning(&pointer, format!("Nobody has the skill {:?} at the level it relaxes to.", need.skill));
        }
    }
}

fn link(
    at: &str,
    link: &Fallback,
    from: &Department,
    policy: &Policy,
    people: &BTreeSet<AgentId>,
    found: &mut Findings,
) {
    match link {
        Fallback::Department { department } if *department == from.slug => {
            found.error(at, "A department cannot fall back to itself.".to_owned());
        }
        Fallback::Department { department } => {
            if !policy.departments.iter().any(|it| it.slug == *department) {
                found.error(at, format!("There is no department {department:?}."));
            }
        }
        Fallback::Agent { agent } if !people.contains(agent) => {
            found.error(at, "There is no such person.".to_owned());
        }
        Fallback::Voicemail { mailbox } if mailbox.is_empty() => {
            found.error(at, "A voicemail box has a name.".to_owned());
        }
        Fallback::Message { audio } if !audio.starts_with("audio:") => {
            found.error(at, "A message is written as audio:<name>.".to_owned());
        }
        Fallback::Agent { .. }
        | Fallback::Voicemail { .. }
        | Fallback::Message { .. }
        | Fallback::Callback
        | Fallback::Disconnect => {}
    }
}

/// Finds what is wrong with weekly hours, as of a person's slots.
pub fn check_hours(hours: &WeeklyHours) -> Vec<PolicyFinding> {
    let mut found = Findings::default();
    self::hours("", hours, &mut found);
    found.list
}

fn hours(at: &str, hours: &WeeklyHours, found: &mut Findings) {
    if let Some(zone) = hours.zone.as_ref().filter(|zone| !check_zone(zone)) {
        found.error(&format!("{at}/zone"), format!("{zone:?} is no time zone, such as Asia/Kolkata."));
    }
    if hours.open.len() > MOST_WINDOWS || hours.holidays.len() > 366 {
        found.error(&format!("{at}/open"), format!("There are at most {MOST_WINDOWS} windows and 366 holidays."));
        return;
    }
    for (index, slot) in hours.open.iter().enumerate() {
        if slot.days.is_empty() || slot.from == cordboard_shared::schedule::TimeOfDay::END {
            found.error(&format!("{at}/open/{index}"), "A window has a day, and begins before 24:00.".to_owned());
        }
    }
    for (index, holiday) in hours.holidays.iter().enumerate() {
        if holiday.date.parse::<jiff::civil::Date>().is_err() {
            found.error(&format!("{at}/holidays/{index}/date"), "A date is YYYY-MM-DD.".to_owned());
        }
    }
}

#[derive(Default)]
struct Findings {
    list: Vec<PolicyFinding>,
}

impl Findings {
    fn error(&mut self, pointer: &str, text: String) {
        self.list.push(PolicyFinding { pointer: pointer.to_owned(), text, error: true });
    }

    fn warning(&mut self, pointer: &str, text: String) {
        self.list.push(PolicyFinding { pointer: pointer.to_owned(), text, error: false });
    }
}

#[cfg(test)]
mod tests {
    use cordboard_shared::agent::Actor;
    use cordboard_shared::department::{Member, Strategy};
    use cordboard_shared::id::{DepartmentId, EmergencyId};
    use cordboard_shared::policy::EmergencyRoute;
    use cordboard_shared::{FeedPosition, Millis};

    use super::*;

    const ASHA: AgentId = AgentId::demo(0x21);

    fn sound() -> Policy {
        let mut support = Department::new(DepartmentId::demo(1), "support", "Support", Strategy::Serial);
        support.members = vec![Member { agent: ASHA, order: 1, always_include: false, skills: BTreeMap::new() }];
        support.fallback = vec![Fallback::Voicemail { mailbox: "support".to_owned() }];
        Policy { zone: "Asia/Kolkata".to_owned(), departments: vec![support], ..Policy::default() }
    }

    /// Errors and warnings after a change, by their pointers.
    fn found(change: impl FnOnce(&mut Policy)) -> Vec<(String, bool)> {
        let mut policy = sound();
        change(&mut policy);
        let found = check_policy(&policy, &[ASHA].into());
        found.into_iter().map(|it| (it.pointer, it.error)).collect()
    }

    fn errs(pointer: &str) -> Vec<(String, bool)> {
        vec![(pointer.to_owned(), true)]
    }

    #[test]
    fn a_sound_policy_has_no_findings() {
        assert_eq!(found(|_| {}), []);
    }

    #[test]
    fn what_cannot_be_is_an_error_at_its_place() {
        assert_eq!(found(|it| it.zone = "Mars/Olympus".to_owned()), errs("/zone"));
        assert_eq!(found(|it| it.settings.missed_limit = 11), errs("/settings/missed_limit"));
        assert_eq!(found(|it| it.settings.inactivity_minutes = 14), errs("/settings/inactivity_minutes"));
        assert_eq!(
            found(|it| it.settings.reach.strict_wait_seconds = 301),
            errs("/settings/reach/strict_wait_seconds")
        );
        for ring in [9, 61] {
            assert_eq!(found(|it| it.departments[0].ring_seconds = ring), errs("/departments/0/ring_seconds"));
        }
        assert_eq!(found(|it| it.departments[0].wave = 26), errs("/departments/0/wave"));
        assert_eq!(found(|it| it.departments[0].wrap_up_seconds = 301), errs("/departments/0/wrap_up_seconds"));
        let stranger = AgentId::demo(0x99);
        assert_eq!(found(|it| it.departments[0].members[0].agent = stranger), errs("/departments/0/members/0"));
        let to_itself = Fallback::Department { department: "support".to_owned() };
        assert_eq!(found(|it| it.departments[0].fallback[0] = to_itself), errs("/departments/0/fallback/0"));
    }

    #[test]
    fn an_emergency_route_is_named_reasoned_and_ends_within_a_day() {
        let route = |reason: &str, length: u64| EmergencyRoute {
            id: EmergencyId::default(),
            name: "Flood".to_owned(),
            reason: reason.to_owned(),
            departments: Vec::new(),
            starts: Millis(0),
            ends: Millis(0) + length,
            by: Actor::system(),
        };
        assert_eq!(found(|it| it.emergencies = vec![route("the river", EMERGENCY_LONGEST_MS)]), []);
        let long = route("the river", EMERGENCY_LONGEST_MS + 1);
        assert_eq!(found(|it| it.emergencies = vec![long]), errs("/emergencies/0/ends"));
        assert_eq!(found(|it| it.emergencies = vec![route(" ", 1)]), errs("/emergencies/0"));
    }

    #[test]
    fn what_is_doubtful_is_a_warning() {
        assert_eq!(found(|it| it.settings.suspended = true), [("/settings/suspended".to_owned(), false)]);
        let warned = found(|it| it.departments[0].fallback.insert(0, Fallback::Disconnect));
        assert_eq!(warned, [("/departments/0/fallback/1".to_owned(), false)]);
    }

    #[test]
    fn what_is_found_without_errors_is_obeyed_by_the_engine() {
        let mut engine = crate::Engine::start(Millis(0), 1, crate::Durable::default());
        let event = crate::Event::PolicySet { policy: Box::new(sound()) };
        let at = FeedPosition { epoch: 1, bucket: 0, seq: 1 };
        engine.handle_input(Millis(0), crate::Input::Obey { event: Box::new(event), at }).unwrap();
        assert_eq!(engine.policy(), &sound());
    }
}
