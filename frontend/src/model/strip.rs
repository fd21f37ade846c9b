//! A what-if in one line: `Asha Rao → Dev Patel + Riya Sen → voicemail support`, and its rings in words.

use cordboard_shared::api::routing::{SimulateAnswer, SimulatedOutcome};
use cordboard_shared::id::AgentId;

use super::duration;

/// Who would ring, in order, and where the call would end. Those who ring together stand together.
pub fn strip(answer: &SimulateAnswer, name: &dyn Fn(AgentId) -> String) -> Vec<String> {
    let mut stops: Vec<(u64, Vec<String>)> = Vec::new();
    for ring in &answer.rings {
        match stops.last_mut() {
            Some((from, names)) if *from == ring.from_ms => names.push(name(ring.agent)),
            Some(_) | None => stops.push((ring.from_ms, vec![name(ring.agent)])),
        }
    }
    let mut words: Vec<String> = stops.into_iter().map(|(_, names)| names.join(" + ")).collect();
    words.push(outcome(&answer.outcome));
    words
}

/// Where the call would end.
pub fn outcome(outcome: &SimulatedOutcome) -> String {
    let word = match outcome.to.as_str() {
        "voicemail" => "voicemail",
        "message" => "message",
        "callback" => "callback",
        "disconnect" => "the call ends",
        "refused" => "refused",
        "follow_up" => "follow-up list",
        "waiting" => "waits in line",
        other => other,
    };
    match outcome.detail.as_deref().filter(|detail| !detail.is_empty()) {
        Some(detail) => format!("{word} ({detail})"),
        None => word.to_owned(),
    }
}

/// `0:00 to 0:25`, counted from the arrival.
pub fn span(from_ms: u64, until_ms: u64) -> String {
    format!("{} to {}", duration::short(from_ms), duration::short(until_ms))
}

#[cfg(test)]
mod tests {
    use cordboard_shared::Millis;
    use cordboard_shared::api::routing::SimulatedRing;

    use super::*;

    #[test]
    fn those_who_ring_together_stand_together() {
        let ring = |agent: u16, from_ms| SimulatedRing {
            agent: AgentId::demo(agent),
            step: 1,
            from_ms,
            until_ms: from_ms + 25_000,
            why: String::new(),
        };
        let answer = SimulateAnswer {
            at: Millis(0),
            policy_version: "3".to_owned(),
            state_version: "1.0.1".to_owned(),
            decisions: Vec::new(),
            rings: vec![ring(1, 0), ring(2, 0), ring(3, 25_000)],
            outcome: SimulatedOutcome {
                to: "voicemail".to_owned(),
                detail: Some("support".to_owned()),
                after_ms: 50_000,
            },
            assumptions: Vec::new(),
        };
        let name = |id: AgentId| format!("P{}", id.to_string().chars().last().unwrap());
        assert_eq!(strip(&answer, &name), ["P1 + P2", "P3", "voicemail (support)"]);
        assert_eq!(span(25_000, 50_000), "0:25 to 0:50");
    }
}
