//! Ledger entries as the database keeps them: arrays instead of objects, ids without dashes. A department of hundreds
//! stands in each of them, so every byte of a member counts.

use cordboard_shared::decision::{DecidingFact, Decision, MemberDecision};
use cordboard_shared::id::{AccountId, AgentId, CallId, DepartmentId};
use cordboard_shared::{Millis, Version};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sqlx::Row as _;
use uuid::Uuid;

use super::{Store, StoreError, hex};

impl Store {
    /// Why each phone rang or did not, in order.
    pub async fn decisions(&self, account: AccountId, call: CallId) -> Result<Vec<Decision>, StoreError> {
        let bodies: Vec<String> =
            sqlx::query_scalar("SELECT body FROM decision WHERE account = $1 AND call = $2 ORDER BY step")
                .bind(account.0)
                .bind(call.0)
                .fetch_all(&self.read)
                .await?;
        bodies.iter().map(|body| read(body)).collect()
    }

    /// The decisions of every call that began in a stretch of time, in the order of the calls.
    #[tracing::instrument(name = "db.decision.list", level = "debug", skip_all)]
    pub async fn decisions_between(
        &self,
        account: AccountId,
        from: Millis,
        to: Millis,
    ) -> Result<Vec<(CallId, Decision)>, StoreError> {
        let rows = sqlx::query(
            "SELECT d.call, d.body FROM call c JOIN decision d ON d.call = c.uid
             WHERE c.account = $1 AND c.started_at >= $2 AND c.started_at < $3 ORDER BY d.call, d.step",
        )
        .bind(account.0)
        .bind(from.0)
        .bind(to.0)
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| {
                let body: &str = row.try_get("body")?;
                Ok((CallId(row.try_get("call")?), read(body)?))
            })
            .collect()
    }
}

/// A row of this version, or of the one that kept the API's object.
fn read(body: &str) -> Result<Decision, StoreError> {
    let decision = if body.starts_with('{') { serde_json::from_str(body) } else { unpack(body) };
    decision.map_err(StoreError::corrupt("decision"))
}

/// The compact form. Names of people are not kept: they are the reader's to add.
pub(super) fn pack(decision: &Decision) -> Value {
    let members: Vec<Value> = decision.members.iter().map(pack_member).collect();
    json!([
        decision.step,
        decision.at.0,
        decision.row,
        decision.department.map(|department| hex(department.0)),
        decision.strategy,
        decision.policy_version,
        decision.state_version,
        decision.refused,
        decision.slots,
        decision.then,
        members
    ])
}

fn pack_member(member: &MemberDecision) -> Value {
    let mut packed = vec![hex(member.agent.0).into(), json!(member.reason), member.order.into(), json!(member.cell)];
    if member.rang_ms.is_some() || member.fact.is_some() {
        packed.push(json!(member.rang_ms));
    }
    if let Some(fact) = &member.fact {
        let since = fact.since.map(|since| since.0);
        packed.push(json!([fact.name, fact.value, fact.version, since, fact.by, fact.source]));
    }
    Value::Array(packed)
}

/// The ledger entry of a compact form.
pub(super) fn unpack(text: &str) -> serde_json::Result<Decision> {
    let values: Vec<Value> = serde_json::from_str(text)?;
    let part = Parts(&values);
    let members: Vec<Vec<Value>> = part.get(10)?;
    Ok(Decision {
        step: part.get(0)?,
        at: Millis(part.get(1)?),
        row: part.get(2)?,
        department: part.get::<Option<Uuid>>(3)?.map(DepartmentId),
        strategy: part.get(4)?,
        policy_version: part.get(5)?,
        state_version: part.get(6)?,
        refused: part.get(7)?,
        slots: part.get(8)?,
        then: part.get(9)?,
        members: members.iter().map(|member| unpack_member(member)).collect::<Result<_, _>>()?,
    })
}

fn unpack_member(values: &[Value]) -> serde_json::Result<MemberDecision> {
    let part = Parts(values);
    let fact: Option<Vec<Value>> = part.get(5)?;
    Ok(MemberDecision {
        agent: AgentId(part.get(0)?),
        name: None,
        reason: part.get(1)?,
        order: part.get(2)?,
        cell: part.get(3)?,
        rang_ms: part.get(4)?,
        fact: fact.map(|fact| unpack_fact(&fact)).transpose()?,
    })
}

fn unpack_fact(values: &[Value]) -> serde_json::Result<DecidingFact> {
    let part = Parts(values);
    let version: Version = part.get(2)?;
    Ok(DecidingFact {
        name: part.get(0)?,
        value: part.get(1)?,
        version,
        since: part.get::<Option<i64>>(3)?.map(Millis),
        by: part.get(4)?,
        source: part.get(5)?,
    })
}

/// The values of an array by place; one that is not there is null.
struct Parts<'a>(&'a [Value]);

impl Parts<'_> {
    fn get<T: DeserializeOwned>(&self, place: usize) -> serde_json::Result<T> {
        T::deserialize(self.0.get(place).unwrap_or(&Value::Null))
    }
}

#[cfg(test)]
mod tests {
    use cordboard_shared::agent::Source;
    use cordboard_shared::decision::{Reason, Then};

    use super::*;

    #[test]
    fn an_entry_comes_back_as_it_was_and_takes_little_more_than_half_the_room() {
        for decision in
            [full(), Decision { department: None, refused: Some(Reason::BlockedCaller), members: vec![], ..full() }]
        {
            let packed = pack(&decision).to_string();

            assert_eq!(read(&packed).unwrap(), decision);
            let plain = serde_json::to_string(&decision).unwrap();
            assert_eq!(read(&plain).unwrap(), decision, "rows of the version before are read as they are");
            assert!(
                packed.len() * 5 < plain.len() * 3 || decision.members.is_empty(),
                "{} of {}",
                packed.len(),
                plain.len()
            );
        }
    }

    #[test]
    fn nonsense_is_no_entry() {
        for text in ["[]", "[1]", "{}", "", "[1,2,3,\"x\",5,6,7,8,9,10,11]"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    fn full() -> Decision {
        let fact = DecidingFact {
            name: "toggle".into(),
            value: json!(0),
            version: Version { epoch: 1, rev: 42 },
            since: Some(Millis(1_795_249_931_204)),
            by: Some("Riya Sen".to_owned()),
            source: Some(Source::Panel),
        };
        let member = |last: u16, reason: Reason, rang_ms, fact| MemberDecision {
            agent: AgentId::demo(last),
            name: None,
            reason,
            order: u32::from(last),
            cell: "1/available".into(),
            rang_ms,
            fact,
        };
        Decision {
            step: 3,
            at: Millis(1_795_249_931_204),
            row: 1,
            department: Some(DepartmentId::demo(0x1001)),
            strategy: "balanced".into(),
            policy_version: "7".to_owned(),
            state_version: "1.0.77".to_owned(),
            refused: None,
            slots: 5,
            members: vec![
                member(0x21, Reason::MissedNoAnswer, Some(25_000), None),
                member(0x22, Reason::SkippedAway, None, Some(fact)),
                member(0x23, Reason::NotReached, None, None),
                member(0x24, Reason::NotReached, None, None),
            ],
            then: Then::NextMember,
        }
    }
}
