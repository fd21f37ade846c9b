//! What-if: from a number, a department or an extension to the engine's question, and its answer.

use cordboard_routing::{Engine, EngineError, Question, Row, Target};
use cordboard_shared::api::routing::{SimulateAnswer, SimulateRequest, SimulatedOutcome};
use cordboard_shared::department::Destination;
use cordboard_shared::flow::{Flow, Node};
use cordboard_shared::phone::{E164, Extension};
use cordboard_shared::{Millis, Problem, ProblemCode};

use crate::directory::Directory;

/// Nodes a call may enter before its flow is taken for a circle.
const MOST_HOPS: usize = 100;

/// Where a call goes before the engine has it.
#[derive(Debug, PartialEq)]
enum Way {
    /// To the engine, by this path.
    Routed(Target, Row),
    /// To an end that no person stands at.
    Ends(SimulatedOutcome),
}

/// The live engine's own answer.
pub(super) fn answer(
    engine: &Engine,
    directory: &Directory,
    now: Millis,
    request: SimulateRequest,
) -> Result<SimulateAnswer, Problem> {
    if let Some(policy) = &request.policy {
        super::policy::check(policy, directory)?;
    }
    if let Some(from) = &request.from
        && from.chars().count() > 64
    {
        return Err(invalid("/from", "from is a caller's number."));
    }
    let mut assumptions = Vec::new();
    let (target, row) = match way(&request.to, directory, &mut assumptions)? {
        Way::Routed(target, row) => (target, row),
        Way::Ends(outcome) => {
            return Ok(SimulateAnswer {
                at: request.at.unwrap_or(now),
                policy_version: engine.policy().version.to_string(),
                state_version: engine.position().to_string(),
                decisions: Vec::new(),
                rings: Vec::new(),
                outcome,
                assumptions,
            });
        }
    };
    let question = Question {
        target,
        row,
        caller: request.from,
        at: request.at,
        overrides: request.overrides,
        policy: request.policy.map(|policy| *policy),
    };
    let mut answer = engine.what_if(now, &question).map_err(|error| match error {
        EngineError::UnknownAgent => invalid("/overrides", "There is no such person in this account."),
        EngineError::UnknownDepartment => invalid("/to", "There is no such department."),
        EngineError::UnknownCall
        | EngineError::OfferEnded
        | EngineError::AnsweredElsewhere
        | EngineError::NotMember
        | EngineError::NotAllowed(_) => Problem::new(ProblemCode::Internal, format!("The engine refused: {error}.")),
    })?;
    answer.assumptions.splice(0..0, assumptions);
    Ok(answer)
}

fn way(to: &str, directory: &Directory, assumptions: &mut Vec<String>) -> Result<Way, Problem> {
    if let Some(slug) = to.strip_prefix("department:") {
        return department(slug, directory);
    }
    if let Some(digits) = to.strip_prefix("extension:") {
        return extension(digits.parse().ok().as_ref(), Row::DirectExtension, directory);
    }
    let number: E164 =
        to.parse().map_err(|_| invalid("/to", "to is a number, department:<slug> or extension:<digits>."))?;
    let Some(number) = directory.number(&number) else {
        return Err(invalid("/to", "This account has no such number."));
    };
    match &number.goes_to {
        Destination::Department(slug) => department(slug, directory),
        Destination::Extension(digits) => extension(Some(digits), Row::DirectExtension, directory),
        Destination::Flow(slug) => {
            let flow = directory.flow(slug).ok_or_else(|| invalid("/to", "The number's call flow is gone."))?;
            through(flow, directory, assumptions)
        }
    }
}

/// Through a flow as a caller who presses nothing.
fn through(flow: &Flow, directory: &Directory, assumptions: &mut Vec<String>) -> Result<Way, Problem> {
    let mut name = Some(flow.start.clone());
    for _ in 0..MOST_HOPS {
        let Some(node) = name.as_ref().and_then(|name| flow.nodes.get(name)) else { break };
        name = match node {
            Node::Menu { no_input, .. } => {
                let nothing = "the caller presses nothing in the menu; times count from the end of the call flow";
                if !assumptions.iter().any(|it| it == nothing) {
                    assumptions.push(nothing.to_owned());
                }
                no_input.clone()
            }
            Node::Message { next, .. } | Node::Input { next, .. } | Node::Language { next, .. } => next.clone(),
            Node::Department { department: slug, .. } => return department(slug, directory),
            Node::Extension { extension: digits, .. } => {
                return extension(Some(digits), Row::FlowExtension, directory);
            }
            Node::Voicemail { mailbox, .. } => return Ok(ends("voicemail", Some(mailbox.clone()))),
        };
    }
    Ok(ends("disconnect", None))
}

fn department(slug: &str, directory: &Directory) -> Result<Way, Problem> {
    let found = directory.department_by_slug(slug).ok_or_else(|| invalid("/to", "There is no such department."))?;
    Ok(Way::Routed(Target::Department(found.id), Row::Queue))
}

fn extension(digits: Option<&Extension>, row: Row, directory: &Directory) -> Result<Way, Problem> {
    let found = digits.and_then(|digits| directory.agent_by_extension(digits));
    let found = found.ok_or_else(|| invalid("/to", "There is no such extension."))?;
    Ok(Way::Routed(Target::Agent(found.id), row))
}

fn ends(to: &str, detail: Option<String>) -> Way {
    Way::Ends(SimulatedOutcome { to: to.to_owned(), detail, after_ms: 0 })
}

fn invalid(pointer: &str, sentence: &str) -> Problem {
    Problem::new(ProblemCode::InvalidField, sentence).with("pointer", pointer)
}

#[cfg(test)]
mod tests {
    use cordboard_shared::id::{AgentId, DepartmentId};

    use super::*;

    #[test]
    fn numbers_lead_where_a_caller_who_presses_nothing_ends_up() {
        let directory = crate::demo::directory();
        let support = Way::Routed(Target::Department(DepartmentId::demo(0x1001)), Row::Queue);
        let asha = Way::Routed(Target::Agent(AgentId::demo(0x21)), Row::DirectExtension);
        let lead = |to: &str| {
            let mut assumptions = Vec::new();
            way(to, &directory, &mut assumptions).map(|way| (way, assumptions.len())).map_err(|problem| problem.status)
        };

        assert_eq!(lead("+442079460101"), Ok((support, 1)), "through the menu");
        assert_eq!(lead("+442079460103"), Ok((asha, 0)));
        assert!(lead("department:sales").is_ok() && lead("extension:21").is_ok());
        for nonsense in ["+442079460199", "department:moon", "extension:99", "extension:x", "", "21"] {
            assert_eq!(lead(nonsense), Err(422), "{nonsense}");
        }
    }
}
