//! The history of a person's facts in words: before and after of each change.

use cordboard_shared::Millis;
use cordboard_shared::agent::{AgentFacts, Apply, Block, Seat, Toggle};
use cordboard_shared::api::availability::FactsChange;
use serde_json::Value;

use super::notice;

/// A fact in words.
type Words = fn(&AgentFacts, &dyn Fn(Millis) -> String) -> String;

/// `Call Availability: Away (Lunch, until 14:30) → Available`, one line per changed fact.
pub fn lines(change: &FactsChange, clock: &dyn Fn(Millis) -> String) -> Vec<String> {
    let before = change.before.as_deref();
    if change.changed.is_empty() {
        return vec!["First entry".to_owned()];
    }
    change
        .changed
        .iter()
        .map(|fact| {
            let (name, of): (&str, Words) = match fact.as_str() {
                "toggle" => ("Call Availability", toggle),
                "pause" => ("Pause", |facts, clock| block(facts.pause.as_ref(), "paused", clock)),
                "dnd" => ("Do Not Disturb", |facts, clock| block(facts.dnd.as_ref(), "on", clock)),
                "opt_out" => ("Opt-out", |facts, clock| block(facts.opt_out.as_ref(), "opted out", clock)),
                "slots" => ("Availability slots", slots),
                "work_anyway" => ("Work anyway", |facts, clock| block(facts.work_anyway.as_ref(), "on", clock)),
                "seat" => ("Seat", |facts, _| seat(facts.seat).to_owned()),
                other => return other.to_owned(),
            };
            let old = before.map_or_else(|| "nothing".to_owned(), |facts| of(facts, clock));
            format!("{name}: {old} → {}", of(&change.after, clock))
        })
        .collect()
}

/// `Role: agent → manager`, one member of a person's record; departments are named where they are known.
pub fn record(member: &str, before: &Value, after: &Value, department: &dyn Fn(&str) -> Option<String>) -> String {
    let name = match member {
        "email" => "E-mail",
        "mobile" => "Mobile",
        "role" => "Role",
        "manages" => "Answers for",
        other => other,
    };
    let word = |value: &Value| match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.is_empty() => "nothing".to_owned(),
        Value::Array(list) => {
            let ids = list.iter().filter_map(Value::as_str);
            ids.map(|id| department(id).unwrap_or_else(|| id.to_owned())).collect::<Vec<_>>().join(", ")
        }
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    };
    format!("{name}: {} → {}", word(before), word(after))
}

fn toggle(facts: &AgentFacts, clock: &dyn Fn(Millis) -> String) -> String {
    let word = match facts.toggle.state {
        Toggle::On => "Available",
        Toggle::Away => "Away",
    };
    let reason = facts.toggle.reason.as_deref().map(notice::reason_words);
    let until = facts.toggle.until.map(|at| format!("until {}", clock(at)));
    let apply = (facts.toggle.apply == Apply::AfterCall).then(|| "after the call".to_owned());
    with_details(word, [reason, until, apply])
}

fn block(block: Option<&Block>, word: &str, clock: &dyn Fn(Millis) -> String) -> String {
    let Some(block) = block else { return "off".to_owned() };
    with_details(word, [block.reason.clone(), block.until.map(|at| format!("until {}", clock(at))), None])
}

fn with_details(word: &str, details: [Option<String>; 3]) -> String {
    let details: Vec<String> = details.into_iter().flatten().collect();
    if details.is_empty() { word.to_owned() } else { format!("{word} ({})", details.join(", ")) }
}

fn slots(facts: &AgentFacts, _: &dyn Fn(Millis) -> String) -> String {
    match &facts.slots {
        Some(slots) if !slots.hours.open.is_empty() => super::duration::count(slots.hours.open.len() as u64, "window"),
        Some(_) | None => "always".to_owned(),
    }
}

fn seat(seat: Seat) -> &'static str {
    match seat {
        Seat::Active => "active",
        Seat::Disabled => "disabled",
        Seat::Deleted => "deleted",
    }
}

#[cfg(test)]
mod tests {
    use cordboard_shared::agent::{Actor, Intent, Source, Stamp, ToggleFact};
    use cordboard_shared::version::Version;

    use super::*;

    fn facts(state: Toggle, reason: Option<&str>) -> AgentFacts {
        let stamp = Stamp { since: Millis(1), by: Actor::system(), source: Source::Panel };
        AgentFacts {
            version: Version::default(),
            seat: Seat::Active,
            pause: None,
            dnd: None,
            opt_out: None,
            toggle: ToggleFact { state, stamp, reason: reason.map(str::to_owned), until: None, apply: Apply::Now },
            slots: None,
            work_anyway: None,
            intent: Intent::default(),
            fence: 0,
        }
    }

    #[test]
    fn a_record_tells_before_and_after_and_names_departments() {
        let department = |id: &str| (id == "d1").then(|| "Support".to_owned());
        let said = |member, before, after| record(member, &before, &after, &department);
        assert_eq!(said("role", "agent".into(), "manager".into()), "Role: agent → manager");
        assert_eq!(said("mobile", Value::Null, "+447700900100".into()), "Mobile: none → +447700900100");
        assert_eq!(
            said("manages", serde_json::json!([]), serde_json::json!(["d1", "d2"])),
            "Answers for: nothing → Support, d2"
        );
    }

    #[test]
    fn a_change_tells_before_and_after() {
        let mut change = FactsChange {
            seq: 1,
            at: Millis(1),
            actor: Actor::system(),
            source: Source::Panel,
            changed: vec!["toggle".to_owned(), "opt_out".to_owned()],
            note: None,
            request: None,
            before: Some(Box::new(facts(Toggle::Away, Some("Lunch")))),
            after: Box::new(facts(Toggle::On, None)),
        };
        let clock = |_| "14:30".to_owned();
        assert_eq!(lines(&change, &clock), ["Call Availability: Away (Lunch) → Available", "Opt-out: off → off"]);
        change.before = None;
        assert_eq!(lines(&change, &clock)[0], "Call Availability: nothing → Available");
    }
}
