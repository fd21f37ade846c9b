//! What-if: from a number, a department or an extension to the engine's question, and its answer.

use cordboard_routing::{Engine, EngineError, Question, Row, Target};
use cordboard_shared::api::flows::PreviewInput;
use cordboard_shared::api::routing::{SimulateAnswer, SimulateRequest, SimulatedOutcome};
use cordboard_shared::department::Destination;
use cordboard_shared::flow::{Flow, Node};
use cordboard_shared::phone::{E164, Extension};
use cordboard_shared::{Millis, Problem, ProblemCode};

use crate::call::flow::walk::{End, Wants, walk};
use crate::directory::Directory;

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
    let (target, row) = match way(&request.to, directory, request.at.unwrap_or(now), &mut assumptions)? {
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

fn way(to: &str, directory: &Directory, now: Millis, assumptions: &mut Vec<String>) -> Result<Way, Problem> {
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
            through(flow, directory, now, assumptions)
        }
    }
}

/// Through a flow as a caller who presses nothing, by the steps a call takes.
fn through(flow: &Flow, directory: &Directory, now: Millis, assumptions: &mut Vec<String>) -> Result<Way, Problem> {
    let mut silent = false;
    let walk = walk(flow, directory, now, |wants| {
        silent |= wants == Wants::Key;
        (wants == Wants::Key).then_some(PreviewInput::Nothing)
    });
    if silent {
        let nothing = "the caller presses nothing in the call flow; times count from its end";
        assumptions.push(nothing.to_owned());
    }
    if let Some(why) = &walk.closed {
        assumptions.push(format!("the call flow is closed then ({why})"));
    }
    let last = walk.way.last().and_then(|walked| flow.nodes.get(&walked.node));
    match (walk.end, last) {
        (End::Waits(Wants::Answer), Some(Node::Department { department: slug, .. })) => department(slug, directory),
        (End::Waits(Wants::Answer), Some(Node::Extension { extension: digits, .. })) => {
            extension(Some(digits), Row::FlowExtension, directory)
        }
        (End::Voicemail(mailbox), _) => Ok(ends("voicemail", Some(mailbox))),
        (End::Dialed(digits) | End::OwnVoicemail(digits), _) => {
            extension(Some(&digits), Row::DirectExtension, directory)
        }
        (End::Closed, _) => Ok(ends("message", Some("closed".to_owned()))),
        (End::MissedCall(_), _) => {
            Ok(ends("disconnect", Some("missed-call service: rings, is never answered".to_owned())))
        }
        (End::Waits(_) | End::HungUp | End::Circle | End::Unfitting(_), _) => Ok(ends("disconnect", None)),
    }
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
            way(to, &directory, Millis(1_795_262_400_000), &mut assumptions)
                .map(|way| (way, assumptions.len()))
                .map_err(|problem| problem.status)
        };

        assert_eq!(lead("+442079460101"), Ok((support, 1)), "through the menu");
        assert_eq!(lead("+442079460103"), Ok((asha, 0)));
        assert!(lead("department:sales").is_ok() && lead("extension:21").is_ok());
        for nonsense in ["+442079460199", "department:moon", "extension:99", "extension:x", "", "21"] {
            assert_eq!(lead(nonsense), Err(422), "{nonsense}");
        }
    }
}
