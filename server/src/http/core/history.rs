//! `GET /core/agents/{UUID}/presence/history`: every change of a person's facts, newest first, with what it was before.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cordboard_routing::Event;
use cordboard_shared::agent::{Actor, AgentFacts, Block, Source, Stamp};
use cordboard_shared::api::availability::{FactsChange, PresenceHistory};
use cordboard_shared::id::{AgentId, RequestId};
use cordboard_shared::{Millis, ProblemCode};
use serde::Deserialize;

use super::person;
use crate::app::read_event;
use crate::http::permit::{self, Act};
use crate::http::{ApiError, Caller, HttpState};
use crate::store::{EventRow, Historic};

/// Changes on a page unless the caller says otherwise.
const DEFAULT_LIMIT: usize = 50;
/// Most changes on a page.
const MAX_LIMIT: usize = 200;
/// Entries read at once.
const CHUNK: u32 = 256;
/// Most entries read for one page; a longer stretch of nothing to tell goes on with the next.
const MOST_READ: usize = 4_096;

/// The query string. Unknown members are ignored.
#[derive(Debug, Deserialize)]
pub(in crate::http) struct Asked {
    from: Option<String>,
    to: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

/// An entry of the log about the facts of one person.
#[derive(Clone, Debug)]
struct Entry {
    seq: u64,
    at: Millis,
    facts: Box<AgentFacts>,
    changed: Vec<String>,
    note: Option<String>,
    request: Option<RequestId>,
    by: Option<Box<Stamp>>,
}

/// `GET …/presence/history?from=&to=&limit=&cursor=`, for the person and for who answers for them.
pub(in crate::http) async fn list(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uuid): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let left = caller.count_list(&state)?;
    let agent = person::agent(&state, &uuid)?;
    permit::check(&state, &caller, agent, Act::SeeFacts)?;
    let Query(asked) = asked.map_err(|_| invalid("The query string cannot be read."))?;
    let from = instant(asked.from.as_deref(), "from")?;
    let to = instant(asked.to.as_deref(), "to")?;
    let limit = match asked.limit.as_deref().filter(|text| !text.is_empty()) {
        None => DEFAULT_LIMIT,
        Some(text) => {
            let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
            limit.ok_or_else(|| invalid("limit is a number from 1 to 200."))?
        }
    };
    let before = match asked.cursor.as_deref().filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => Some(seq_of(text).ok_or_else(|| invalid("cursor is the value of next in the page before."))?),
    };

    let mut page = Page::new(from, limit);
    let mut which = Historic { agent, from: None, to, before, limit: CHUNK };
    while !page.is_full() {
        let rows = state.store.history(caller.account, which).await?;
        which.before = rows.last().map(|row| row.seq);
        let ended = rows.len() < CHUNK as usize;
        for row in rows {
            page.add(entry(&row)?);
        }
        if ended {
            page.end();
        }
    }
    let (changes, next) = page.finish();
    let history = PresenceHistory { changes, next: next.map(cursor_of) };
    let mut response = Json(history).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

/// The facts of a person as the log has them last.
pub(super) async fn facts(state: &HttpState, agent: AgentId) -> Result<Option<AgentFacts>, ApiError> {
    let which = Historic { agent, from: None, to: None, before: None, limit: 1 };
    let rows = state.store.history(state.app.directory().account, which).await?;
    match rows.first() {
        Some(row) => Ok(entry(row)?.map(|entry| *entry.facts)),
        None => Ok(None),
    }
}

/// A page on its way: each change waits for the entry before it, which says what was changed.
struct Page {
    from: Option<Millis>,
    limit: usize,
    read: usize,
    waiting: Option<Entry>,
    changes: Vec<FactsChange>,
    next: Option<u64>,
    full: bool,
}

impl Page {
    fn new(from: Option<Millis>, limit: usize) -> Self {
        Self { from, limit, read: 0, waiting: None, changes: Vec::new(), next: None, full: false }
    }

    fn is_full(&self) -> bool {
        self.full
    }

    /// The next older entry.
    fn add(&mut self, entry: Option<Entry>) {
        let Some(entry) = entry.filter(|_| !self.full) else { return };
        self.read += 1;
        let seq = entry.seq;
        if let Some(waiting) = self.waiting.take() {
            self.tell(waiting, Some(entry.facts.clone()));
        }
        if self.from.is_some_and(|from| entry.at < from) {
            self.full = true;
        } else if self.changes.len() >= self.limit || self.read > MOST_READ {
            // This one begins the next page.
            self.next = Some(seq + 1);
            self.full = true;
        } else {
            self.waiting = Some(entry);
        }
    }

    /// There is no older one.
    fn end(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            self.tell(waiting, None);
        }
        self.full = true;
    }

    fn finish(self) -> (Vec<FactsChange>, Option<u64>) {
        (self.changes, self.next)
    }

    fn tell(&mut self, entry: Entry, before: Option<Box<AgentFacts>>) {
        // An entry that only remembers an order of toggles is no change.
        if entry.changed.is_empty() && before.is_some() {
            return;
        }
        let stamp = entry.by.as_deref().cloned().or_else(|| stamp_of(&entry, before.as_deref()));
        let stamp = stamp.or_else(|| ended_by_time(&entry, before.as_deref()));
        let (actor, source) = stamp.map_or_else(
            || (Actor { name: "Not recorded".to_owned(), ..Actor::system() }, Source::System),
            |stamp| (stamp.by, stamp.source),
        );
        self.changes.push(FactsChange {
            seq: entry.seq,
            at: entry.at,
            actor,
            source,
            changed: entry.changed,
            note: entry.note,
            request: entry.request,
            before,
            after: entry.facts,
        });
    }
}

/// Who made a change that the log does not name: the stamp of a fact that changed. Entries of earlier versions that took a
/// fact away name nobody.
fn stamp_of(entry: &Entry, before: Option<&AgentFacts>) -> Option<Stamp> {
    let held = before.map(stamps);
    let was = |name: &str| held.as_ref()?.iter().find(|(other, _)| *other == name)?.1.clone();
    let mut after = stamps(&entry.facts).into_iter();
    let fresh = after.find(|(name, stamp)| {
        let named = entry.changed.is_empty() || entry.changed.iter().any(|changed| changed == name);
        named && stamp.is_some() && *stamp != was(name)
    });
    fresh.and_then(|(_, stamp)| stamp)
}

/// Entries of earlier versions name nobody when a fact was taken away. That its time was over can be known; who took one
/// away before its time, or one without an end, cannot.
fn ended_by_time(entry: &Entry, before: Option<&AgentFacts>) -> Option<Stamp> {
    let before = before?;
    let is_over = |was: &Option<Block>, is: &Option<Block>| {
        let until = was.as_ref().filter(|_| is.is_none()).and_then(|block| block.until);
        until.is_some_and(|until| until <= entry.at)
    };
    let after = &entry.facts;
    let all = entry.changed.iter().all(|name| match name.as_str() {
        "pause" => is_over(&before.pause, &after.pause),
        "dnd" => is_over(&before.dnd, &after.dnd),
        "work_anyway" => is_over(&before.work_anyway, &after.work_anyway),
        // Only the clock reads the slots.
        "schedule" => true,
        _ => false,
    });
    let stamp = Stamp { since: entry.at, by: Actor::system(), source: Source::System };
    (all && !entry.changed.is_empty()).then_some(stamp)
}

/// Each fact that says who set it.
fn stamps(facts: &AgentFacts) -> [(&'static str, Option<Stamp>); 6] {
    let of = |block: &Option<Block>| block.as_ref().map(|block| block.stamp.clone());
    [
        ("toggle", Some(facts.toggle.stamp.clone())),
        ("pause", of(&facts.pause)),
        ("dnd", of(&facts.dnd)),
        ("opt_out", of(&facts.opt_out)),
        ("slots", facts.slots.as_ref().map(|slots| slots.stamp.clone())),
        ("work_anyway", of(&facts.work_anyway)),
    ]
}

fn entry(row: &EventRow) -> Result<Option<Entry>, ApiError> {
    let event = read_event(row).map_err(|error| {
        tracing::error!(error = &*error as &dyn std::error::Error, "an entry of the log cannot be read");
        ApiError::new(ProblemCode::Internal, "An entry of the history cannot be read. The request id helps to find it.")
    })?;
    let (seq, at) = (row.seq, row.at);
    Ok(match event {
        Event::FactsSet { agent: _, facts, changed, note, request, by } => {
            let facts = Box::new(Arc::unwrap_or_clone(facts));
            Some(Entry { seq, at, facts, changed, note, request, by })
        }
        Event::PolicySet { .. }
        | Event::Bound { .. }
        | Event::PlaceTaken { .. }
        | Event::PlaceLeft { .. }
        | Event::PlaceKept { .. }
        | Event::CallbackAsked { .. }
        | Event::CallbackTried { .. }
        | Event::CallbackDue { .. }
        | Event::CallbackDone { .. } => None,
    })
}

fn instant(text: Option<&str>, name: &str) -> Result<Option<Millis>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| invalid(&format!("{name} is an RFC 3339 date and time.")))
}

fn cursor_of(seq: u64) -> String {
    URL_SAFE_NO_PAD.encode(seq.to_string())
}

fn seq_of(cursor: &str) -> Option<u64> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?.parse().ok()
}

fn invalid(detail: &str) -> ApiError {
    ApiError::new(ProblemCode::InvalidRequest, detail)
}

#[cfg(test)]
mod tests {
    use cordboard_shared::Version;
    use cordboard_shared::agent::{Apply, Intent, Seat, Toggle, ToggleFact};

    use super::*;

    const NOW: Millis = Millis(1_795_249_931_204);

    fn facts() -> AgentFacts {
        let stamp = Stamp { since: NOW, by: Actor::system(), source: Source::Panel };
        AgentFacts {
            version: Version { epoch: 1, rev: 1 },
            seat: Seat::Active,
            pause: None,
            dnd: None,
            opt_out: None,
            toggle: ToggleFact { state: Toggle::On, stamp, reason: None, until: None, apply: Apply::Now },
            slots: None,
            work_anyway: None,
            intent: Intent::default(),
            fence: 0,
        }
    }

    /// An entry of an earlier version, in which a pause was taken away.
    fn removed(until: Option<Millis>, at: Millis) -> (Entry, AgentFacts) {
        let after = facts();
        let stamp = after.toggle.stamp.clone();
        let before = AgentFacts { pause: Some(Block { stamp, reason: None, until }), ..after.clone() };
        let changed = vec!["pause".to_owned()];
        let entry = Entry { seq: 9, at, facts: Box::new(after), changed, note: None, request: None, by: None };
        (entry, before)
    }

    #[test]
    fn what_its_own_time_has_ended_was_ended_by_the_system_and_of_anything_else_nothing_is_known() {
        let (entry, before) = removed(Some(NOW), NOW + 5);
        let stamp = ended_by_time(&entry, Some(&before)).unwrap();
        assert_eq!((stamp.since, stamp.source), (NOW + 5, Source::System));
        for (until, at) in [(None, NOW + 5), (Some(NOW + 9), NOW + 5)] {
            let (entry, before) = removed(until, at);
            assert_eq!(ended_by_time(&entry, Some(&before)), None);
        }
        let (entry, before) = removed(Some(NOW), NOW + 5);
        let opted = Entry { changed: vec!["pause".to_owned(), "opt_out".to_owned()], ..entry };
        assert_eq!(ended_by_time(&opted, Some(&before)), None);
    }
}
