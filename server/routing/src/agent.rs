//! One person as the engine knows them: facts (set), devices and load (live), and the verdict computed from them.

use std::collections::BTreeSet;

use cordboard_shared::Millis;
use cordboard_shared::agent::{AgentFacts, Effective, FactsView, Presence, ScheduleView, Seat, Toggle, Verdict};
use cordboard_shared::decision::{DecidingFact, Reason};
use cordboard_shared::id::{AgentId, CallId, OfferId};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::matrix::{Letter, Matrix, Row};

/// Something of a person's that can ring: one browser tab, one phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeviceId(pub u64);

/// What kind of thing it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// A browser tab.
    Browser,
    /// A desk phone or a mobile.
    Phone,
}

/// What a person is busy with. Never stored: it follows from live legs, offers and timers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Load {
    /// Nothing.
    #[default]
    Idle,
    /// Being offered a call.
    Ringing(OfferId),
    /// In a call.
    OnCall(CallId),
    /// Finishing the last call's paperwork until then.
    AfterCallWork(Millis),
}

/// One person.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Who.
    pub id: AgentId,
    /// What is stored.
    pub facts: AgentFacts,
    /// What can ring now.
    pub devices: BTreeSet<DeviceId>,
    /// What they are busy with.
    pub load: Load,
    /// When the load last changed.
    pub load_since: Millis,
    /// When routing began to obey the facts.
    pub obeyed_at: Millis,
}

impl Agent {
    /// A person without devices or load.
    pub fn new(id: AgentId, facts: AgentFacts, now: Millis) -> Self {
        Self { id, facts, devices: BTreeSet::new(), load: Load::Idle, load_since: now, obeyed_at: now }
    }

    /// Whether this person may ring: the first layer that blocks, in the order of precedence.
    pub fn verdict(&self) -> Verdict {
        self.blocked_by().first().copied().unwrap_or(Verdict::Available)
    }

    /// The verdict as it would be without load.
    pub fn verdict_when_idle(&self) -> Verdict {
        self.blocked_by().into_iter().find(|layer| !layer.is_load()).unwrap_or(Verdict::Available)
    }

    /// Every layer that blocks, the deciding one first.
    pub fn blocked_by(&self) -> Vec<Verdict> {
        let facts = &self.facts;
        let load = match self.load {
            Load::Idle => None,
            Load::Ringing(_) => Some(Verdict::Ringing),
            Load::OnCall(_) => Some(Verdict::OnCall),
            Load::AfterCallWork(_) => Some(Verdict::AfterCallWork),
        };
        [
            (facts.seat != Seat::Active).then_some(Verdict::Disabled),
            facts.pause.is_some().then_some(Verdict::Paused),
            facts.dnd.is_some().then_some(Verdict::Dnd),
            facts.opt_out.is_some().then_some(Verdict::OptedOut),
            (facts.toggle.state == Toggle::Away).then_some(Verdict::Away),
            self.devices.is_empty().then_some(Verdict::NoDevice),
            load,
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The presence body (`wire.md` section 3), without the matrix.
    pub fn presence(&self, matrix: &Matrix) -> Presence {
        let facts = &self.facts;
        let verdict = self.verdict();
        Presence {
            uuid: self.id,
            state: facts.toggle.state,
            version: facts.version,
            since: facts.toggle.stamp.since,
            source: facts.toggle.stamp.source,
            actor: facts.toggle.stamp.by.clone(),
            reason: facts.toggle.reason.clone(),
            until: facts.toggle.until,
            apply: facts.toggle.apply,
            facts: FactsView {
                seat: facts.seat,
                pause: facts.pause.clone(),
                dnd: facts.dnd.clone(),
                opt_out: facts.opt_out.clone(),
                schedule: ScheduleView { inside: true, changes_at: None, work_anyway: None },
            },
            effective: Effective {
                verdict,
                blocked_by: self.blocked_by(),
                reachable_by_queue: matrix.letter(Row::Queue, verdict) == Letter::Rings,
                devices_ready: u32::try_from(self.devices.len()).unwrap_or(u32::MAX),
                next_change_at: match self.load {
                    Load::AfterCallWork(until) => Some(until),
                    Load::Idle | Load::Ringing(_) | Load::OnCall(_) => None,
                },
            },
            obeyed_at: self.obeyed_at,
            intent: facts.intent.n,
            matrix: None,
        }
    }

    /// Why a path passed this person over, and the fact that decided.
    pub(crate) fn exclusion(&self) -> (Reason, Option<DecidingFact>) {
        let facts = &self.facts;
        let verdict = self.verdict();
        let block = |name: &str, block: Option<&cordboard_shared::agent::Block>| {
            block.map(|block| DecidingFact {
                name: name.to_owned().into(),
                value: json!(block.reason.clone().unwrap_or_else(|| "on".to_owned())),
                version: facts.version,
                since: Some(block.stamp.since),
                by: Some(block.stamp.by.name.clone()),
                source: Some(block.stamp.source),
            })
        };
        let live = |name: &str, value: serde_json::Value, since: Option<Millis>| {
            Some(DecidingFact {
                name: name.to_owned().into(),
                value,
                version: facts.version,
                since,
                by: None,
                source: None,
            })
        };
        match verdict {
            Verdict::Available => (Reason::NotReached, None),
            Verdict::Ringing => {
                (Reason::SkippedRingingOtherCall, live("load", json!("ringing"), Some(self.load_since)))
            }
            Verdict::OnCall => (Reason::SkippedOnCall, live("load", json!("on_call"), Some(self.load_since))),
            Verdict::AfterCallWork => {
                (Reason::SkippedAfterCallWork, live("load", json!("after_call_work"), Some(self.load_since)))
            }
            Verdict::Away => {
                let toggle = &facts.toggle;
                let fact = DecidingFact {
                    name: "toggle".into(),
                    value: json!(u8::from(toggle.state)),
                    version: facts.version,
                    since: Some(toggle.stamp.since),
                    by: Some(toggle.stamp.by.name.clone()),
                    source: Some(toggle.stamp.source),
                };
                (Reason::SkippedAway, Some(fact))
            }
            Verdict::Dnd => (Reason::SkippedDnd, block("dnd", facts.dnd.as_ref())),
            Verdict::OptedOut => (Reason::SkippedOptedOut, block("opt_out", facts.opt_out.as_ref())),
            Verdict::Paused => (Reason::SkippedPaused, block("pause", facts.pause.as_ref())),
            Verdict::OffSchedule => (Reason::SkippedOffSchedule, live("schedule", json!("outside"), None)),
            Verdict::NoDevice => (Reason::SkippedNoDevice, live("devices", json!(0), None)),
            Verdict::Disabled => (Reason::SkippedSeatDisabled, live("seat", json!(facts.seat), None)),
        }
    }
}
