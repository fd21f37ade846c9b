//! The policy made ready for use: members in order, matrices worked out, names looked up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cordboard_shared::department::{Department, Fallback, Member, SkillNeed, Strategy};
use cordboard_shared::id::{AgentId, DepartmentId};
use cordboard_shared::policy::{Contact, Policy, WAVE_MOST};

use crate::matrix::{Matrix, narrowed};

/// A department with its matrix and its members in order.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    pub(crate) department: Arc<Department>,
    pub(crate) matrix: Matrix,
}

/// The policy, ready for use. Made anew with each change; nothing in it is state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Compiled {
    pub(crate) account: Matrix,
    pub(crate) departments: BTreeMap<DepartmentId, Ready>,
    slugs: BTreeMap<String, DepartmentId>,
    people: BTreeMap<AgentId, Matrix>,
    contacts: BTreeMap<String, Contact>,
    blocked: BTreeSet<String>,
    member_of: BTreeMap<AgentId, Vec<DepartmentId>>,
    pub(crate) version: String,
}

impl Compiled {
    pub(crate) fn new(policy: &Policy) -> Self {
        let reach = &policy.settings.reach;
        let mut member_of: BTreeMap<AgentId, Vec<DepartmentId>> = BTreeMap::new();
        let mut departments = BTreeMap::new();
        for department in &policy.departments {
            let mut department = department.clone();
            department.members.sort_by_key(|member| (member.order, member.agent));
            let mut seen = BTreeSet::new();
            department.members.retain(|member| seen.insert(member.agent));
            for member in &department.members {
                member_of.entry(member.agent).or_default().push(department.id);
            }
            let matrix = Matrix::new(&narrowed(reach, &department.reach));
            departments.insert(department.id, Ready { department: Arc::new(department), matrix });
        }
        Self {
            account: Matrix::new(reach),
            slugs: policy.departments.iter().map(|it| (it.slug.clone(), it.id)).collect(),
            departments,
            people: policy.people.iter().map(|(agent, patch)| (*agent, Matrix::new(&narrowed(reach, patch)))).collect(),
            contacts: policy.contacts.iter().map(|it| (it.number.as_str().to_owned(), it.clone())).collect(),
            blocked: policy.blocked.iter().map(|it| it.number.as_str().to_owned()).collect(),
            member_of,
            version: policy.version.to_string(),
        }
    }

    pub(crate) fn department(&self, id: DepartmentId) -> Option<&Arc<Department>> {
        self.departments.get(&id).map(|ready| &ready.department)
    }

    pub(crate) fn by_slug(&self, slug: &str) -> Option<DepartmentId> {
        self.slugs.get(slug).copied()
    }

    pub(crate) fn contact(&self, caller: &str) -> Option<&Contact> {
        self.contacts.get(caller)
    }

    pub(crate) fn is_blocked(&self, caller: &str) -> bool {
        self.blocked.contains(caller)
    }

    pub(crate) fn member_of(&self, agent: AgentId) -> &[DepartmentId] {
        self.member_of.get(&agent).map_or(&[], Vec::as_slice)
    }

    /// The person's own matrix, where the policy narrows it.
    pub(crate) fn person(&self, agent: AgentId) -> Option<&Matrix> {
        self.people.get(&agent)
    }
}

/// How many members ring at once.
pub(crate) fn slots(department: &Department) -> u32 {
    match department.strategy {
        Strategy::Serial | Strategy::Balanced => 1,
        Strategy::Simultaneous => department.wave.clamp(1, WAVE_MOST),
    }
}

/// The level a need asks for after a wait, in milliseconds.
pub(crate) fn level_after(need: &SkillNeed, waited_ms: u64) -> u8 {
    let passed = need.relax.iter().filter(|step| u64::from(step.after_seconds) * 1_000 <= waited_ms);
    passed.map(|step| step.level).next_back().unwrap_or(need.level).min(need.level)
}

/// Whether a member meets every need after a wait, in milliseconds.
pub(crate) fn is_skilled(department: &Department, member: &Member, waited_ms: u64) -> bool {
    department
        .needs
        .iter()
        .all(|need| member.skills.get(&need.skill).copied().unwrap_or(0) >= level_after(need, waited_ms))
}

/// Whether a member will meet every need once all have relaxed.
pub(crate) fn will_be_skilled(department: &Department, member: &Member) -> bool {
    is_skilled(department, member, u64::MAX)
}

/// When the next need relaxes after a wait, in milliseconds of waiting.
pub(crate) fn next_relax(department: &Department, waited_ms: u64) -> Option<u64> {
    let steps = department.needs.iter().flat_map(|need| &need.relax).map(|step| u64::from(step.after_seconds) * 1_000);
    steps.filter(|after| *after > waited_ms).min()
}

/// What a strict binding falls back to.
pub(crate) fn strict_fallback(department: &Department) -> Fallback {
    let own = department.sticky.as_ref().and_then(|sticky| sticky.fallback.clone());
    own.unwrap_or_else(|| Fallback::Voicemail { mailbox: department.slug.clone() })
}

#[cfg(test)]
mod tests {
    use cordboard_shared::department::{Relax, Sticky, StickyMode};

    use super::*;

    fn support() -> Department {
        let mut support = Department::new(DepartmentId::demo(1), "support", "Support", Strategy::Simultaneous);
        let relax = vec![Relax { after_seconds: 15, level: 4 }, Relax { after_seconds: 30, level: 0 }];
        support.needs = vec![SkillNeed { skill: "english".to_owned(), level: 7, relax }];
        support
    }

    fn member(order: u32, agent: u16, level: u8) -> Member {
        let skills = [("english".to_owned(), level)].into();
        Member { agent: AgentId::demo(agent), order, always_include: false, skills }
    }

    #[test]
    fn a_need_relaxes_step_by_step_and_never_rises() {
        let need = &support().needs[0];
        let levels = [0, 14_999, 15_000, 29_999, 30_000, u64::MAX].map(|waited| level_after(need, waited));
        assert_eq!(levels, [7, 7, 4, 4, 0, 0]);
        let odd = SkillNeed { relax: vec![Relax { after_seconds: 5, level: 9 }], ..need.clone() };
        assert_eq!(level_after(&odd, 5_000), 7);
        assert_eq!(next_relax(&support(), 0), Some(15_000));
        assert_eq!(next_relax(&support(), 15_000), Some(30_000));
        assert_eq!(next_relax(&support(), 30_000), None);
        assert!(!is_skilled(&support(), &member(1, 1, 5), 0));
        assert!(is_skilled(&support(), &member(1, 1, 5), 15_000));
    }

    #[test]
    fn members_stand_in_their_order_once_and_waves_have_their_bounds() {
        let mut support = support();
        support.members = vec![member(3, 1, 0), member(1, 2, 0), member(2, 1, 0), member(1, 3, 0)];
        let policy = Policy { departments: vec![support.clone()], ..Policy::default() };
        let compiled = Compiled::new(&policy);
        let order: Vec<_> = compiled.departments[&support.id].department.members.iter().map(|it| it.agent).collect();
        assert_eq!(order, [2, 3, 1].map(AgentId::demo));
        assert_eq!(compiled.member_of(AgentId::demo(1)), [support.id]);
        for (wave, rings) in [(0, 1), (5, 5), (25, 25), (26, 25)] {
            support.wave = wave;
            assert_eq!(slots(&support), rings);
        }
        support.strategy = Strategy::Balanced;
        assert_eq!(slots(&support), 1);
    }

    #[test]
    fn a_strict_binding_without_a_fallback_of_its_own_has_the_departments_box() {
        let mut support = support();
        assert_eq!(strict_fallback(&support), Fallback::Voicemail { mailbox: "support".to_owned() });
        let fallback = Some(Fallback::Disconnect);
        support.sticky = Some(Sticky { mode: StickyMode::Strict, hours: 1, fallback });
        assert_eq!(strict_fallback(&support), Fallback::Disconnect);
    }
}
