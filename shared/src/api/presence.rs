//! `POST /core/agents/{UUID}/presence` (`availability-and-panel.md` section 6.1).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::agent::{Apply, Presence, Toggle};
use crate::error::{Problem, ProblemCode};
use crate::time::Millis;

/// Header that carries the caller's intent number: `<n>;<device>`.
pub const INTENT_HEADER: &str = "x-presence-intent";
/// Longest `reason`, in characters.
pub const MAX_REASON: usize = 64;
/// Longest `note`, in characters.
pub const MAX_NOTE: usize = 200;

/// What a toggle asks for, checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceChange {
    /// 1 or 0.
    pub state: Toggle,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// Until when.
    #[serde(default)]
    pub until: Option<Millis>,
    /// At once or after the present call.
    #[serde(default)]
    pub apply: Apply,
    /// Free text for the record.
    #[serde(default)]
    pub note: Option<String>,
}

impl PresenceChange {
    /// A plain toggle.
    pub fn to(state: Toggle) -> Self {
        Self { state, reason: None, until: None, apply: Apply::Now, note: None }
    }

    /// Reads a body. `state` must be the JSON integer 0 or 1 (not `"1"`, not `true`, not `1.0`); unknown members are ignored.
    pub fn from_json(body: &[u8], now: Millis) -> Result<Self, Problem> {
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| Problem::new(ProblemCode::MalformedJson, format!("The body is not JSON: {error}.")))?;
        let Value::Object(members) = value else {
            return Err(invalid_state("The body is a JSON object such as {\"state\": 1}."));
        };
        let state = members
            .get("state")
            .and_then(Value::as_u64)
            .and_then(|number| u8::try_from(number).ok())
            .and_then(|number| Toggle::try_from(number).ok())
            .ok_or_else(|| invalid_state("state is the integer 1 (Available) or 0 (Away)."))?;
        let until = match members.get("until") {
            None | Some(Value::Null) => None,
            Some(value) => Some(
                value.as_str().and_then(|text| text.parse::<Millis>().ok()).filter(|until| *until > now).ok_or_else(
                    || {
                        Problem::new(ProblemCode::InvalidUntil, "until is a future RFC 3339 date and time.")
                            .with("pointer", "/until")
                    },
                )?,
            ),
        };
        let apply = match members.get("apply").map(Value::as_str) {
            None | Some(Some("now")) => Apply::Now,
            Some(Some("after_call")) => Apply::AfterCall,
            Some(_) => return Err(invalid_field("/apply", "apply is \"now\" or \"after_call\".")),
        };
        Ok(Self {
            state,
            reason: text(members.get("reason"), "/reason", MAX_REASON)?,
            until,
            apply,
            note: text(members.get("note"), "/note", MAX_NOTE)?,
        })
    }
}

fn text(value: Option<&Value>, pointer: &str, longest: usize) -> Result<Option<String>, Problem> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.chars().count() <= longest => Ok(Some(text.clone())),
        Some(_) => Err(invalid_field(pointer, &format!("{} is text of at most {longest} characters.", &pointer[1..]))),
    }
}

fn invalid_state(detail: &str) -> Problem {
    Problem::new(ProblemCode::InvalidState, detail).with("pointer", "/state")
}

fn invalid_field(pointer: &str, detail: &str) -> Problem {
    Problem::new(ProblemCode::InvalidField, detail).with("pointer", pointer)
}

/// Answer to a toggle: the presence body and what the toggle did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceWritten {
    /// The presence now.
    #[serde(flatten)]
    pub presence: Presence,
    /// Committed, and obeyed by routing.
    pub applied: bool,
    /// Whether anything is different from before.
    pub changed: bool,
    /// Which facts: `toggle`, `opt_out`.
    pub changed_facts: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_000);

    #[test]
    fn state_is_the_integer_one_or_zero_and_nothing_else() {
        assert_eq!(PresenceChange::from_json(br#"{"state":1,"x":2}"#, NOW).unwrap().state, Toggle::On);
        assert_eq!(PresenceChange::from_json(br#"{"state": 0}"#, NOW).unwrap().state, Toggle::Away);
        for body in [
            r#"{"state":"1"}"#,
            r#"{"state":true}"#,
            r#"{"state":1.0}"#,
            r#"{"state":2}"#,
            r#"{"state":-1}"#,
            "{}",
            "[]",
            "1",
        ] {
            let problem = PresenceChange::from_json(body.as_bytes(), NOW).unwrap_err();
            assert_eq!(problem.code(), Some(ProblemCode::InvalidState), "{body}");
        }
        let problem = PresenceChange::from_json(b"{state:1}", NOW).unwrap_err();
        assert_eq!(problem.code(), Some(ProblemCode::MalformedJson));
    }

    #[test]
    fn until_lies_in_the_future() {
        let past = br#"{"state":0,"until":"1970-01-01T00:00:00Z"}"#;
        assert_eq!(PresenceChange::from_json(past, NOW).unwrap_err().code(), Some(ProblemCode::InvalidUntil));
        let future = br#"{"state":0,"until":"1970-01-01T00:00:02Z"}"#;
        assert_eq!(PresenceChange::from_json(future, NOW).unwrap().until, Some(Millis(2_000)));
    }
}
