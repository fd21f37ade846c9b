//! The people of the account: what an admin may change of them, and what was changed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::agent::{Actor, AgentProfile, Role};
use crate::id::{AgentId, DepartmentId, RequestId};
use crate::phone::E164;
use crate::pii::Pii;
use crate::time::Millis;

/// Body of `PATCH /core/users/{UUID}`. What is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserChange {
    /// Sign-in name; kept in lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Where text messages go; null takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub mobile: Option<Option<Pii<E164>>>,
    /// What they may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The departments they answer for as a manager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manages: Option<BTreeSet<DepartmentId>>,
}

/// A person as `GET` and `PATCH /core/users/{UUID}` answer to an admin, and to the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserView {
    /// What everybody may see.
    #[serde(flatten)]
    pub profile: AgentProfile,
    /// Where text messages go.
    #[serde(default)]
    pub mobile: Option<Pii<E164>>,
    /// The departments they answer for while they are a manager.
    #[serde(default)]
    pub manages: BTreeSet<DepartmentId>,
}

/// One change of a person's record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserChanged {
    /// Whose record.
    pub agent: AgentId,
    /// When.
    pub at: Millis,
    /// By whom.
    pub actor: Actor,
    /// The request that asked for it.
    #[serde(default)]
    pub request: Option<RequestId>,
    /// Before and after, by the member that changed.
    pub changed: BTreeMap<String, Pii<[Value; 2]>>,
}

/// `GET /core/users/{UUID}/history`, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserHistory {
    /// The changes.
    pub changes: Vec<UserChanged>,
}

/// A member that is there, null or not.
#[expect(clippy::option_option, reason = "left out and null are two things here")]
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_takes_away_and_what_is_left_out_stays() {
        let read = |text| serde_json::from_str::<UserChange>(text).unwrap();
        assert_eq!(read("{}"), UserChange::default());
        assert_eq!(read(r#"{"mobile":null}"#).mobile, Some(None));
        let number = "+447700900100".parse().unwrap();
        assert_eq!(read(r#"{"mobile":"+447700900100"}"#).mobile, Some(Some(Pii(number))));
        assert_eq!(serde_json::to_string(&UserChange::default()).unwrap(), "{}");
    }
}
