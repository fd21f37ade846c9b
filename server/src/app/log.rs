//! Entries of the durable log: how they are written, and how those of earlier versions are read.

use std::sync::Arc;

use anyhow::Context as _;
use cordboard_routing::Event;
use cordboard_shared::Millis;
use cordboard_shared::agent::AgentFacts;
use cordboard_shared::id::{AccountId, AgentId};
use serde::Deserialize;

use crate::store::{EVENT_FORMAT, EventRow};

/// The row of an entry. Its number is given by the journal.
pub(super) fn row(account: AccountId, at: Millis, event: &Event) -> serde_json::Result<EventRow> {
    let agent = match event {
        Event::FactsSet { agent, .. } => Some(*agent),
        Event::PolicySet { .. }
        | Event::Bound { .. }
        | Event::PlaceTaken { .. }
        | Event::PlaceLeft { .. }
        | Event::PlaceKept { .. }
        | Event::CallbackAsked { .. }
        | Event::CallbackTried { .. }
        | Event::CallbackDue { .. }
        | Event::CallbackDone { .. } => None,
    };
    let body = serde_json::to_string(event)?;
    Ok(EventRow { account, seq: 0, at, agent, format: EVENT_FORMAT, body })
}

/// What a row says, brought up from the format it was written in.
pub fn read_event(row: &EventRow) -> anyhow::Result<Event> {
    let read = || match row.format {
        1 => upgrade_1(row.agent, &row.body),
        EVENT_FORMAT => Ok(serde_json::from_str(&row.body)?),
        other => anyhow::bail!("it has format {other}, and this version reads {EVENT_FORMAT} at most"),
    };
    read().with_context(|| format!("cannot read entry {} of the log", row.seq))
}

/// What a stretch of the log says, in order.
pub(super) fn read_stretch(rows: &[EventRow]) -> anyhow::Result<Vec<(u64, Event)>> {
    rows.iter().map(|row| Ok((row.seq, read_event(row)?))).collect()
}

/// Format 1 knew facts only and named their person in the column.
fn upgrade_1(agent: Option<AgentId>, body: &str) -> anyhow::Result<Event> {
    #[derive(Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    enum Old {
        FactsSet {
            facts: Arc<AgentFacts>,
            changed: Vec<String>,
            #[serde(default)]
            note: Option<String>,
        },
    }
    let agent = agent.context("it names no person")?;
    let Old::FactsSet { facts, changed, note } = serde_json::from_str(body)?;
    Ok(Event::FactsSet { agent, facts, changed, note, request: None, by: None })
}

#[cfg(test)]
mod tests {
    use cordboard_shared::agent::{Source, Toggle};

    use super::*;

    /// As a server of the version before wrote it.
    const OLD: &str = r#"{"kind":"facts_set","facts":{"version":"1.2","seat":"active","pause":null,"dnd":null,
        "opt_out":null,"toggle":{"state":0,"since":"2026-11-21T10:31:27.411Z","by":{"type":"user",
        "id":"5f0c0000-0000-4000-8000-000000000021","name":"Asha Rao"},"source":"panel","reason":"Lunch","until":null,
        "apply":"now"},"intent":{"n":7,"device":"9d1e"},"fence":0},"changed":["toggle"],"note":"back soon"}"#;

    #[test]
    fn an_entry_of_the_first_format_is_brought_up() {
        let row = EventRow {
            account: AccountId::demo(1),
            seq: 10,
            at: Millis(5),
            agent: Some(AgentId::demo(0x21)),
            format: 1,
            body: OLD.to_owned(),
        };

        let Event::FactsSet { agent, facts, changed, note, request, by } = read_event(&row).unwrap() else {
            panic!("not what it was");
        };

        assert_eq!((agent, facts.toggle.state), (AgentId::demo(0x21), Toggle::Away));
        assert_eq!((facts.toggle.stamp.source, facts.toggle.reason.as_deref()), (Source::Panel, Some("Lunch")));
        assert_eq!((facts.version.rev, facts.intent.n, facts.slots.as_ref()), (2, 7, None));
        assert_eq!((changed, note.as_deref(), request), (vec!["toggle".to_owned()], Some("back soon"), None));
        assert_eq!(by, None);
    }

    #[test]
    fn an_entry_of_a_later_version_is_refused_by_its_number() {
        let row = EventRow {
            account: AccountId::demo(1),
            seq: 10,
            at: Millis(5),
            agent: None,
            format: EVENT_FORMAT + 1,
            body: "{}".to_owned(),
        };
        assert!(format!("{:#}", read_event(&row).unwrap_err()).contains("entry 10"));
    }
}
