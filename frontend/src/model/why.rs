//! The Why of a call in words: every decision a step, every member a line.

use cordboard_shared::Millis;
use cordboard_shared::agent::Source;
use cordboard_shared::decision::{DecidingFact, Decision, MemberDecision, Reason, Then};
use cordboard_shared::id::{AgentId, DepartmentId};

use super::{matrix, notice};

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
    /// The cell of the matrix that decided, in words: `Direct extension × Away`.
    pub cell: Option<String>,
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
    /// `Rules 12, state 1.0.88`: what the decision was taken on.
    pub basis: String,
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
            lines: decision.members.iter().map(|member| line(decision.row, member, words)).collect(),
            then: then(decision.then),
            basis: basis(decision),
        })
        .collect()
}

/// What the decision was taken on. Records from before the rules were numbered have neither.
fn basis(decision: &Decision) -> String {
    let part = |name: &str, value: &str| (!value.is_empty()).then(|| format!("{name} {value}"));
    let parts = [part("rules", &decision.policy_version), part("state", &decision.state_version)];
    let mut text = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

fn title(decision: &Decision, words: &Words<'_>) -> String {
    if let Some(refused) = decision.refused {
        return format!("Not routed: {}", refused.words());
    }
    let order = match decision.strategy.as_ref() {
        "serial" => "one after the other",
        "simultaneous" => "several at once",
        "balanced" => "longest idle first",
        "" | "direct" => "direct number",
        other => other,
    };
    match decision.department.and_then(|id| (words.department)(id)) {
        Some(department) if decision.slots > 1 => format!("{department}, {order}, up to {} ring", decision.slots),
        Some(department) => format!("{department}, {order}"),
        None if decision.row > 0 && decision.members.len() == 1 && decision.row != 6 => {
            matrix::row(decision.row).to_owned()
        }
        None if decision.members.len() == 1 => "Direct number".to_owned(),
        None => order.to_owned(),
    }
}

fn line(row: u8, member: &MemberDecision, words: &Words<'_>) -> Line {
    let name = member.name.clone().unwrap_or_else(|| (words.name)(member.agent));
    let mut text = member.reason.words().to_owned();
    // In a call of one's own the letter says that it is allowed.
    if matches!((row, member.reason), (14 | 15, Reason::Rung)) {
        "allowed".clone_into(&mut text);
    }
    if let (Some(rang), Some(rest)) = (member.rang_ms.filter(|ms| *ms >= 500), text.strip_prefix("rang")) {
        text = format!("rang {} s{rest}", (rang + 500) / 1_000);
    }
    if let Some(fact) = &member.fact {
        text.push_str(&because(fact, member.reason, words));
    }
    Line { kind: kind(member.reason), text: format!("{name}: {text}"), cell: matrix::cell(&member.cell) }
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
    // The reason a person gave for a block; routing writes it as the fact's value.
    if let Some(why) = fact.value.as_str().filter(|why| set && !why.is_empty()) {
        text.push_str(": ");
        text.push_str(&notice::reason_words(why));
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
        Then::Dialed => "Then the other side was called.",
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

    fn decision(members: Vec<MemberDecision>) -> Decision {
        Decision {
            step: 1,
            at: Millis(0),
            row: 1,
            department: Some(DepartmentId::demo(1)),
            strategy: "serial".into(),
            policy_version: "12".to_owned(),
            state_version: "1.0.88".to_owned(),
            refused: None,
            slots: 0,
            members,
            then: Then::Voicemail,
        }
    }

    const WORDS: Words<'static> = Words { name: &|_| String::new(), department: &|_| None, clock: &|_| String::new() };

    #[test]
    fn waves_refusals_and_the_basis_have_words() {
        let mut waves = decision(vec![member(Reason::Rung, None, None), member(Reason::Rung, None, None)]);
        waves.strategy = "simultaneous".into();
        waves.slots = 5;
        let support = Words { department: &|_| Some("Support".to_owned()), ..WORDS };
        let step = &steps(&[waves], &support)[0];
        assert_eq!(step.title, "Support, several at once, up to 5 ring");
        assert_eq!(step.basis, "Rules 12, state 1.0.88");
        assert_eq!(step.lines[0].cell.as_deref(), Some("Department calls × Away"));

        let mut blocked = decision(Vec::new());
        blocked.refused = Some(Reason::BlockedCaller);
        blocked.department = None;
        assert_eq!(steps(&[blocked], &WORDS)[0].title, "Not routed: the caller is blocked");
    }

    fn lines(members: Vec<MemberDecision>) -> Vec<String> {
        let words = Words {
            name: &|_| "Asha Rao".to_owned(),
            department: &|_| Some("Support".to_owned()),
            clock: &|_| "14:02".to_owned(),
        };
        let decision = decision(members);
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
