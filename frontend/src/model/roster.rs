//! The people, departments and numbers one may see, and how each person is now.

use std::collections::BTreeMap;

use cordboard_shared::Millis;
use cordboard_shared::agent::{AgentProfile, Presence, Verdict};
use cordboard_shared::department::Number;
use cordboard_shared::event::{LiveCall, Ring};
use cordboard_shared::id::{AgentId, DepartmentId};
use cordboard_shared::policy::EmergencyRoute;
use serde::Deserialize;

use crate::model::floor::Floor;

/// A department, as far as those who work in it need it; the rest of its settings is for the routing page.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Group {
    /// Its id.
    pub id: DepartmentId,
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Who is in it, in order.
    pub members: Vec<GroupMember>,
}

/// A member of a [`Group`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct GroupMember {
    /// The person.
    pub agent: AgentId,
}

/// What the panel takes from a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// The person signed in.
    pub me: AgentProfile,
    /// Own presence.
    pub presence: Presence,
    /// People one may see.
    pub agents: Vec<AgentProfile>,
    /// Their presence.
    pub presences: Vec<Presence>,
    /// Departments one may see.
    pub groups: Vec<Group>,
    /// Numbers of the account.
    pub numbers: Vec<Number>,
    /// Offers ringing now.
    pub offers: Vec<Ring>,
    /// Own calls now.
    pub calls: Vec<LiveCall>,
    /// What is live besides them.
    pub floor: Floor,
    /// Account time zone.
    pub zone: String,
    /// The words an Away may give as its reason.
    pub away_reasons: Vec<String>,
    /// Emergency routes one may know of.
    pub emergencies: Vec<EmergencyRoute>,
    /// When this was true.
    pub as_of: Millis,
}

/// A person with their presence, as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// Who.
    pub profile: AgentProfile,
    /// How they are.
    pub presence: Option<Presence>,
    /// Since when the verdict is what it is, where that is known.
    pub since: Option<Millis>,
}

/// Callers waiting in a department.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// How many.
    pub callers: u32,
    /// Since when the first of them has waited.
    pub first_since: Option<Millis>,
}

/// Whether a presence came by the live socket, whose order is the truth, or as an answer that may have been overtaken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The live socket.
    Live,
    /// An answer to a request.
    Answer,
}

/// Everybody and everything one may see.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Roster {
    /// Who is signed in.
    pub me: Option<AgentId>,
    /// The people.
    pub people: BTreeMap<AgentId, Person>,
    /// The departments, in the server's order.
    pub groups: Vec<Group>,
    /// The account's numbers.
    pub numbers: Vec<Number>,
    /// Callers waiting.
    pub waiting: BTreeMap<DepartmentId, Waiting>,
    /// The words an Away may give as its reason.
    pub away_reasons: Vec<String>,
}

impl Roster {
    /// Takes over all of a snapshot.
    pub fn snapshot(&mut self, snapshot: Picture) {
        let me = snapshot.me.id;
        let mut people = BTreeMap::new();
        for profile in snapshot.agents.into_iter().chain([snapshot.me]) {
            people.insert(profile.id, Person { profile, presence: None, since: None });
        }
        for presence in snapshot.presences.into_iter().chain([snapshot.presence]) {
            let id = presence.uuid;
            let before = self.people.get(&id);
            let unchanged = before
                .filter(|person| verdict(person) == Some(presence.effective.verdict))
                .and_then(|person| person.since);
            if let Some(person) = people.get_mut(&id) {
                person.since = unchanged.or_else(|| since_facts(&presence));
                person.presence = Some(presence);
            }
        }
        *self = Self {
            me: Some(me),
            people,
            groups: snapshot.groups,
            numbers: snapshot.numbers,
            waiting: BTreeMap::new(),
            away_reasons: snapshot.away_reasons,
        };
    }

    /// Takes over somebody's presence unless a newer one is known; true when it is what is shown now.
    pub fn presence_changed(&mut self, now: Millis, presence: Presence, origin: Origin) -> bool {
        let Some(person) = self.people.get_mut(&presence.uuid) else { return false };
        let newer = person.presence.as_ref().is_none_or(|known| match origin {
            Origin::Live => presence.version >= known.version,
            Origin::Answer => presence.version > known.version,
        });
        if newer {
            if verdict(person) != Some(presence.effective.verdict) {
                person.since = Some(now);
            }
            person.presence = Some(presence);
        }
        newer
    }

    /// Takes over the departments as a new policy has them. Who sees only some of them learns of no others here.
    pub fn groups_changed(&mut self, groups: Vec<Group>) {
        self.groups = groups;
    }

    /// Takes over how many wait in a department.
    pub fn queue_changed(&mut self, now: Millis, department: DepartmentId, callers: u32, longest_ms: u64) {
        let first_since = (callers > 0).then(|| now - longest_ms);
        self.waiting.insert(department, Waiting { callers, first_since });
    }

    /// The person signed in.
    pub fn myself(&self) -> Option<&Person> {
        self.people.get(&self.me?)
    }

    /// A person's name; their id where it is not known.
    pub fn name(&self, id: AgentId) -> String {
        self.people.get(&id).map_or_else(|| format!("Agent {id}"), |person| person.profile.name.clone())
    }

    /// A department's name.
    pub fn department(&self, id: DepartmentId) -> Option<&str> {
        self.groups.iter().find(|department| department.id == id).map(|department| department.name.as_str())
    }

    /// The departments the person signed in is a member of.
    pub fn my_departments(&self) -> Vec<&Group> {
        self.groups
            .iter()
            .filter(|department| department.members.iter().any(|member| Some(member.agent) == self.me))
            .collect()
    }

    /// How many members of a department a queue call could ring now, and how many members it has.
    pub fn reachable(&self, department: &Group) -> (usize, usize) {
        let reachable = department
            .members
            .iter()
            .filter_map(|member| self.people.get(&member.agent)?.presence.as_ref())
            .filter(|presence| presence.effective.reachable_by_queue)
            .count();
        (reachable, department.members.len())
    }

    /// Everybody, by name.
    pub fn by_name(&self) -> Vec<&Person> {
        let mut people: Vec<&Person> = Vec::with_capacity(self.people.len());
        for person in self.people.values() {
            // The library's sorts are some kilobytes of code for each type; a team is small.
            let place = people.partition_point(|known| known.profile.name <= person.profile.name);
            people.insert(place, person);
        }
        people
    }
}

fn verdict(person: &Person) -> Option<Verdict> {
    person.presence.as_ref().map(|presence| presence.effective.verdict)
}

/// Since when a verdict that follows from stored facts holds; load and devices have no stored time.
fn since_facts(presence: &Presence) -> Option<Millis> {
    match presence.effective.verdict {
        Verdict::Available | Verdict::Away => Some(presence.since),
        Verdict::Paused => presence.facts.pause.as_ref().map(|block| block.stamp.since),
        Verdict::Dnd => presence.facts.dnd.as_ref().map(|block| block.stamp.since),
        Verdict::OptedOut => presence.facts.opt_out.as_ref().map(|block| block.stamp.since),
        Verdict::Ringing
        | Verdict::OnCall
        | Verdict::AfterCallWork
        | Verdict::OffSchedule
        | Verdict::NoDevice
        | Verdict::Disabled => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use cordboard_shared::agent::{Actor, Apply, Effective, FactsView, Role, ScheduleView, Seat, Source, Toggle};
    use cordboard_shared::version::Version;

    use super::*;

    pub(crate) const ASHA: AgentId = AgentId::demo(0x21);

    pub(crate) fn profile(id: AgentId, name: &str) -> AgentProfile {
        AgentProfile { id, name: name.to_owned(), email: String::new(), role: Role::Agent, extension: None }
    }

    pub(crate) fn presence(uuid: AgentId, rev: u64, verdict: Verdict) -> Presence {
        Presence {
            uuid,
            state: if verdict == Verdict::Away { Toggle::Away } else { Toggle::On },
            version: Version { epoch: 1, rev },
            since: Millis(5_000),
            source: Source::Panel,
            actor: Actor::user(uuid, "Asha Rao"),
            reason: None,
            until: None,
            apply: Apply::Now,
            facts: FactsView {
                seat: Seat::Active,
                pause: None,
                dnd: None,
                opt_out: None,
                schedule: ScheduleView { inside: true, changes_at: None, work_anyway: None },
            },
            effective: Effective {
                verdict,
                blocked_by: Vec::new(),
                reachable_by_queue: verdict == Verdict::Available,
                devices_ready: 1,
                next_change_at: None,
            },
            obeyed_at: Millis(5_000),
            intent: 0,
            matrix: None,
        }
    }

    pub(crate) fn snapshot() -> Picture {
        Picture {
            me: profile(ASHA, "Asha Rao"),
            presence: presence(ASHA, 3, Verdict::Available),
            agents: vec![profile(AgentId::demo(0x22), "Riya Sen")],
            presences: vec![presence(AgentId::demo(0x22), 1, Verdict::Away)],
            groups: Vec::new(),
            numbers: Vec::new(),
            offers: Vec::new(),
            calls: Vec::new(),
            floor: Floor::default(),
            zone: "Asia/Kolkata".to_owned(),
            away_reasons: vec!["Lunch".to_owned()],
            emergencies: Vec::new(),
            as_of: Millis(9_000),
        }
    }

    #[test]
    fn an_answer_that_was_overtaken_does_not_undo_what_the_socket_said() {
        let mut roster = Roster::default();
        roster.snapshot(snapshot());

        assert!(roster.presence_changed(Millis(10_000), presence(ASHA, 4, Verdict::Ringing), Origin::Live));
        assert!(!roster.presence_changed(Millis(10_001), presence(ASHA, 4, Verdict::Available), Origin::Answer));
        assert!(!roster.presence_changed(Millis(10_002), presence(ASHA, 3, Verdict::Away), Origin::Live));

        let me = roster.myself().unwrap();
        assert_eq!(verdict(me), Some(Verdict::Ringing));
        assert_eq!(me.since, Some(Millis(10_000)));
    }

    #[test]
    fn devices_and_load_change_without_a_new_version() {
        let mut roster = Roster::default();
        roster.snapshot(snapshot());

        assert!(roster.presence_changed(Millis(10_000), presence(ASHA, 3, Verdict::NoDevice), Origin::Live));
        assert_eq!(verdict(roster.myself().unwrap()), Some(Verdict::NoDevice));
    }

    #[test]
    fn a_new_snapshot_keeps_the_time_in_state() {
        let mut roster = Roster::default();
        roster.snapshot(snapshot());
        roster.presence_changed(Millis(10_000), presence(ASHA, 3, Verdict::OnCall), Origin::Live);
        let mut again = snapshot();
        again.presence = presence(ASHA, 3, Verdict::OnCall);

        roster.snapshot(again);

        assert_eq!(roster.myself().unwrap().since, Some(Millis(10_000)));
        assert_eq!(roster.people[&AgentId::demo(0x22)].since, Some(Millis(5_000)));
    }
}
