//! Changes of the routing policy: pure, each a new version of the whole document or a refusal with its findings.

use std::collections::BTreeSet;

use cordboard_routing::check_policy;
use cordboard_shared::api::policy::PolicyFinding;
use cordboard_shared::department::Destination;
use cordboard_shared::flow::Node;
use cordboard_shared::id::AgentId;
use cordboard_shared::policy::{EMERGENCY_LONGEST_MS, EmergencyRoute, Policy};
use cordboard_shared::{Millis, Problem, ProblemCode};
use serde_json::json;

use super::handle::PolicyEdit;
use crate::directory::Directory;

/// The policy after an edit; none when it changes nothing.
pub(super) fn edit(
    policy: &Policy,
    edit: PolicyEdit,
    expected: Option<u64>,
    now: Millis,
    directory: &Directory,
) -> Result<Option<Policy>, Problem> {
    if let Some(expected) = expected
        && expected != policy.version
    {
        let sentence =
            format!("The policy is at version {}, not {expected}. Nothing was changed; read it again.", policy.version);
        return Err(Problem::new(ProblemCode::VersionMismatch, sentence).with("current", policy.version));
    }
    let mut next = policy.clone();
    match edit {
        PolicyEdit::Replace(replacement) => {
            next = Policy { version: policy.version, ..*replacement };
            if next.zone.is_empty() {
                next.zone.clone_from(&policy.zone);
            }
        }
        PolicyEdit::Block(blocked) => {
            if !next.blocked.iter().any(|held| held.number == blocked.number) {
                next.blocked.push(blocked);
            }
        }
        PolicyEdit::Unblock(number) => {
            next.blocked.retain(|held| held.number != number);
            if next.blocked.len() == policy.blocked.len() {
                return Err(Problem::new(ProblemCode::NotFound, "This number is not blocked."));
            }
        }
        PolicyEdit::StartEmergency(route) => {
            check_emergency(&route, now)?;
            // It holds from now on, also where the clock of whoever asked is a little ahead of this one.
            next.emergencies.push(EmergencyRoute { starts: route.starts.min(now), ..route });
        }
        PolicyEdit::StopEmergency(id, at) => {
            let running = next.emergencies.iter_mut().find(|route| route.id == id);
            let Some(route) = running else {
                return Err(Problem::new(ProblemCode::NotFound, "There is no such emergency route."));
            };
            route.ends = route.ends.min(at.max(route.starts));
        }
    }
    if next == *policy {
        return Ok(None);
    }
    // What has ended is shown until the next change, and no longer. One that this change ends is still to be shown.
    next.emergencies.retain(|route| route.ends > now || !policy.emergencies.contains(route));
    next.version = policy.version + 1;
    check(&next, directory)?;
    Ok(Some(next))
}

/// What is wrong or doubtful, by the engine's rules and by what the company's numbers and flows lead to.
pub fn findings(policy: &Policy, directory: &Directory) -> Vec<PolicyFinding> {
    let people: BTreeSet<AgentId> = directory.agents.keys().copied().collect();
    let mut findings = check_policy(policy, &people);
    let known = |slug: &str| policy.departments.iter().any(|department| department.slug == slug);
    let mut missing = |what: String, slug: &str| {
        let text = format!("{what} leads to the department \"{slug}\", which would be gone.");
        findings.push(PolicyFinding { pointer: "/departments".to_owned(), text, error: true });
    };
    for number in &directory.numbers {
        if let Destination::Department(slug) = &number.goes_to
            && !known(slug)
        {
            missing(format!("The number {}", number.number), slug);
        }
    }
    for flow in &directory.flows {
        for (name, node) in &flow.nodes {
            if let Node::Department { department, .. } = node
                && !known(department)
            {
                missing(format!("The step \"{name}\" of the flow \"{}\"", flow.slug), department);
            }
        }
    }
    findings
}

fn check_emergency(route: &EmergencyRoute, now: Millis) -> Result<(), Problem> {
    let invalid = |pointer: &str, sentence: &str| {
        Err(Problem::new(ProblemCode::InvalidField, format!("{sentence} Nothing was changed."))
            .with("pointer", pointer))
    };
    if route.reason.trim().is_empty() {
        return invalid("/reason", "An emergency route needs a reason; everybody it can reach sees it.");
    }
    if route.ends <= now || route.ends <= route.starts {
        return invalid("/until", "until lies in the future.");
    }
    if route.ends.since(route.starts) > EMERGENCY_LONGEST_MS {
        return invalid("/until", "An emergency route lasts at most 24 hours.");
    }
    Ok(())
}

/// Refuses a policy that cannot be obeyed, with everything that was found.
pub(super) fn check(policy: &Policy, directory: &Directory) -> Result<(), Problem> {
    let findings = findings(policy, directory);
    let Some(first) = findings.iter().find(|finding| finding.error) else { return Ok(()) };
    let sentence = format!("{} Nothing was changed.", first.text);
    let pointer = first.pointer.clone();
    Err(Problem::new(ProblemCode::InvalidField, sentence).with("pointer", pointer).with("findings", json!(findings)))
}
