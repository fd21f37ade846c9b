//! The Why of a call in words: every decision a step, every member a line.

use cordboard_shared::Millis;
use cordboard_shared::agent::Source;
use cordboard_shared::decision::{DecidingFact, Decision, MemberDecision, Reason, Then};
use cordboard_shared::id::{AgentId, DepartmentId};

/// What one line is about, for its icon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Answered.
    Answered,
    /// Rang without an answer.
    Rang,
    /// Was not rung.
    Skipped,
}

/// One person in one decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is about.
    pub kind: Kind,
    /// `Asha Rao: skipped, Away since 14:02 (set by Asha Rao in the panel)`.
    pub text: String,
}

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub at: Millis,
    /// `Support, serial order`.
    pub title: String,
    /// Every member, in order.
    pub lines: Vec<Line>,
    /// `Then: voicemail.`
    pub then: &'static str,
}

/// What is needed to put ids and instants into words.
pub struct Words<'a> {
    /// A person's name.
    pub name: &'a dyn Fn(AgentId) -> String,
    /// A department's name.
    pub department: &'a dyn Fn(DepartmentId) -> Option<String>,
    /// A time of day, with the date when it is another day.
    pub clock: &'a dyn Fn(Millis) -> String,
}

/// The steps of a call.
pub fn steps(decisions: &[Decision], words: &Words<'_>) -> Vec<Step> {
    decisions
        .iter()
        .map(|decision| Step {
            at: decision.at,
            title: title(decision, words),
            lines: decision.members.iter().map(|member| line(member, words)).collect(),
            then: then(decision.then),
        })
        .collect()
}

fn title(decision: &Decision, words: &Words<'_>) -> String {
    let order = match decision.strategy.as_ref() {
        "serial" => "one after the other",
        "simultaneous" => "several at once",
        "balanced" => "longest idle first",
        "" | "direct" => "direct number",
        other => other,
    };
    match decision.department.and_then(|id| (words.department)(id)) {
        Some(department) => format!("{department}, {order}"),
        None if decision.members.len() == 1 => "Direct number".to_owned(),
        None => order.to_owned(),
    }
}

fn line(member: &MemberDecision, words: &Words<'_>) -> Line {
    let name = member.name.clone().unwrap_or_else(|| (words.name)(member.agent));
    let mut text = member.reason.words().to_owned();
    if let (Some(rang), Some(rest)) = (member.rang_ms.filter(|ms| *ms >= 500), text.strip_prefix("rang")) {
        text = format!("rang {} s{rest}", (rang + 500) / 1_000);
    }
    if let Some(fact) = &member.fact {
        text.push_str(&because(fact, member.reason, words));
    }
    Line { kind: kind(member.reason), text: format!("{name}: {text}") }
}

/// Since when, by whom and where the deciding fact was set. Load and devices are set by nobody.
fn because(fact: &DecidingFact, reason: Reason, words: &Words<'_>) -> String {
    let mut text = String::new();
    if let Some(since) = fact.since
        && kind(reason) == Kind::Skipped
    {
        text.push_str(" since ");
        text.push_str(&(words.clock)(since));
    }
    let set = matches!(fact.name.as_ref(), "seat" | "pause" | "dnd" | "opt_out" | "toggle");
    if set && kind(reason) != Kind::Answered {
        let by = fact.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        let place = fact.source.map(place).unwrap_or_default();
        if !by.is_empty() || !place.is_empty() {
            text = format!("{text} (set{by}{place})");
        }
    }
    text
}

/// By which surface, in words.
pub fn place(source: Source) -> &'static str {
    match source {
        Source::Panel => " in the panel",
        Source::Api => " by the API",
        Source::Edge => " by the API at the edge",
        Source::Sms => " by the SMS link",
        Source::Admin => " in an admin's panel",
        Source::System => " by the system",
    }
}

fn kind(reason: Reason) -> Kind {
    match reason {
        Reason::Answered => Kind::Answered,
        Reason::Rung
        | Reason::RungAlwaysInclude
        | Reason::RungExtensionRule
        | Reason::RungTransfer
        | Reason::RungCallback
        | Reason::RungEmergency
        | Reason::MissedNoAnswer
        | Reason::Declined
        | Reason::DeclinedByStatus
        | Reason::AnsweredElsewhere
        | Reason::CallerHungUp
        | Reason::NotReachable
        | Reason::CarrierBusy
        | Reason::DeviceDidNotConfirm => Kind::Rang,
        Reason::SkippedAway
        | Reason::SkippedOptedOut
        | Reason::SkippedDnd
        | Reason::SkippedPaused
        | Reason::SkippedOffSchedule
        | Reason::SkippedNoDevice
        | Reason::SkippedOnCall
        | Reason::SkippedAfterCallWork
        | Reason::SkippedRingingOtherCall
        | Reason::SkippedWaveLimit
        | Reason::SkippedNotMember
        | Reason::SkippedStickyBoundElsewhere
        | Reason::SkippedSkill
        | Reason::SkippedSeatDisabled
        | Reason::NotReached
        | Reason::BlockedCaller
        | Reason::NoFlowNow
        | Reason::NoLineFree
        | Reason::AccountSuspended => Kind::Skipped,
    }
}

fn then(then: Then) -> &'static str {
    match then {
        Then::NextMember => "Then the next person was tried.",
        Then::NextWave => "Then the next group was rung.",
        Then::Wait => "Then the caller waited for somebody to become free.",
        Then::Department => "Then the call went on to another department.",
        Then::Agent => "Then the call went on to one person.",
        Then::Voicemail => "Then the caller was sent to voicemail.",
        Then::Message => "Then a message was played.",
        Then::Callback => "Then a callback was offered.",
        Then::FollowUp => "Then the call was put on the follow-up list.",
        Then::Refused => "It was refused, and the person who transferred was told why.",
        Then::Disconnect => "Then the call was ended.",
        Then::Answered => "The call was answered.",
        Then::CallerGone => "The caller hung up.",
    }
}

#[cfg(test)]
mod tests {
    use cordboard_shared::version::Version;

    use super::*;

    fn member(reason: Reason, rang_ms: Option<u64>, fact: Option<DecidingFact>) -> MemberDecision {
        MemberDecision {
            agent: AgentId::demo(0x21),
            name: None,
            reason,
            order: 1,
            cell: "1/away".into(),
            rang_ms,
            fact,
        }
    }

    fn toggle(by: &str, source: Source) -> DecidingFact {
        fact("toggle", Some(by), Some(source))
    }

    fn fact(name: &str, by: Option<&str>, source: Option<Source>) -> DecidingFact {
        DecidingFact {
            name: name.to_owned().into(),
            value: 0.into(),
            version: Version { epoch: 1, rev: 2 },
            since: Some(Millis(1)),
            by: by.map(str::to_owned),
            source,
        }
    }

    fn lines(members: Vec<MemberDecision>) -> Vec<String> {
        let words = Words {
            name: &|_| "Asha Rao".to_owned(),
            department: &|_| Some("Support".to_owned()),
            clock: &|_| "14:02".to_owned(),
        };
        let decision = Decision {
            step: 1,
            at: Millis(0),
            row: 1,
            department: Some(DepartmentId::demo(1)),
            strategy: "serial".into(),
            policy_version: String::new(),
            state_version: String::new(),
            refused: None,
            slots: 0,
            members,
            then: Then::Voicemail,
        };
        let steps = steps(&[decision], &words);
        assert_eq!(steps[0].title, "Support, one after the other");
        steps[0].lines.iter().map(|line| line.text.clone()).collect()
    }

    #[test]
    fn each_member_has_a_line_with_the_fact_that_decided() {
        let lines = lines(vec![
            member(Reason::SkippedAway, None, Some(toggle("Asha Rao", Source::Panel))),
            member(Reason::SkippedAway, None, Some(toggle("HRMS", Source::Api))),
            member(Reason::MissedNoAnswer, Some(25_010), None),
            member(Reason::SkippedOnCall, None, Some(fact("load", None, None))),
            member(Reason::Answered, Some(4_000), Some(toggle("Asha Rao", Source::Panel))),
            member(Reason::DeclinedByStatus, Some(4_000), None),
        ]);

        assert_eq!(
            lines,
            [
                "Asha Rao: skipped, Away since 14:02 (set by Asha Rao in the panel)",
                "Asha Rao: skipped, Away since 14:02 (set by HRMS by the API)",
                "Asha Rao: rang 25 s, not answered",
                "Asha Rao: skipped, on a call since 14:02",
                "Asha Rao: answered",
                "Asha Rao: stopped ringing, went Away while ringing",
            ]
        );
    }
}
