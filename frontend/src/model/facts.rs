//! A change of a person's facts as the request that makes it.

use cordboard_shared::api::availability::FactChange;
use serde::Serialize;
use serde_json::json;

/// How it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `DELETE`
    Delete,
}

/// Method, place below `/core/agents/{UUID}/`, and body of a change.
pub fn request(change: &FactChange) -> (Method, &'static str, Option<String>) {
    match change {
        FactChange::Toggle(change) => (Method::Post, "presence", Some(text(change))),
        FactChange::Pause { set } => block("pause", set.as_ref()),
        FactChange::Dnd { set } => block("dnd", set.as_ref()),
        FactChange::OptOut { set } => block("opt-out", set.as_ref()),
        FactChange::Slots { set } => (Method::Put, "slots", Some(text(set))),
        FactChange::WorkAnyway { until } => (Method::Put, "work-anyway", Some(json!({ "until": until }).to_string())),
        FactChange::Seat { active } => (Method::Put, "seat", Some(json!({ "active": active }).to_string())),
    }
}

fn block<T: Serialize>(place: &'static str, set: Option<&T>) -> (Method, &'static str, Option<String>) {
    match set {
        Some(block) => (Method::Put, place, Some(text(block))),
        None => (Method::Delete, place, None),
    }
}

fn text<T: Serialize>(value: &T) -> String {
    // Plain data of the shared types has no way to fail.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use cordboard_shared::agent::Toggle;
    use cordboard_shared::api::availability::BlockChange;
    use cordboard_shared::api::presence::PresenceChange;

    use super::*;

    #[test]
    fn each_fact_has_its_own_place() {
        let (method, place, body) = request(&FactChange::Toggle(PresenceChange::to(Toggle::Away)));
        assert_eq!((method, place), (Method::Post, "presence"));
        assert!(body.unwrap().contains(r#""state":0"#));

        let pause = BlockChange { reason: Some("stock take".to_owned()), until: None };
        let (method, place, body) = request(&FactChange::Pause { set: Some(pause) });
        assert_eq!((method, place), (Method::Put, "pause"));
        assert_eq!(body.unwrap(), r#"{"reason":"stock take","until":null}"#);
        assert_eq!(request(&FactChange::OptOut { set: None }), (Method::Delete, "opt-out", None));
    }
}
