//! One person as the engine knows them: facts (set), devices and load (live), and the verdict computed from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use cordboard_shared::Millis;
use cordboard_shared::agent::{
    AgentFacts, Apply, Block, Effective, FactsView, Presence, ScheduleView, Seat, Stamp, Toggle, Verdict,
};
use cordboard_shared::decision::{DecidingFact, Reason};
use cordboard_shared::id::{AgentId, CallId, DepartmentId, OfferId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::command::Elapsed;
use crate::schedule;

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

impl Load {
    fn verdict(self) -> Option<Verdict> {
        match self {
            Self::Idle => None,
            Self::Ringing(_) => Some(Verdict::Ringing),
            Self::OnCall(_) => Some(Verdict::OnCall),
            Self::AfterCallWork(_) => Some(Verdict::AfterCallWork),
        }
    }
}

/// The facts at one instant: what their ends and windows make of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is one fact, read by the clock")]
pub(crate) struct Clocked {
    pub(crate) paused: bool,
    pub(crate) dnd: bool,
    pub(crate) off_schedule: bool,
    /// When the windows change next, for the badge.
    pub(crate) schedule_changes_at: Option<Millis>,
    /// An Away with an end is past it.
    pub(crate) away_over: bool,
    pub(crate) away: bool,
    /// When to look again.
    pub(crate) until: Option<Millis>,
}

/// One person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Agent {
    /// Who.
    pub id: AgentId,
    /// What is stored.
    pub facts: Arc<AgentFacts>,
    /// What can ring now.
    pub devices: BTreeMap<DeviceId, DeviceKind>,
    /// What they are busy with.
    pub load: Load,
    /// When the load last changed.
    pub load_since: Millis,
    /// Since when they have had no call.
    pub idle_since: Millis,
    /// When routing began to obey the facts.
    pub obeyed_at: Millis,
    /// Departments they are a member of.
    pub(crate) member_of: Vec<DepartmentId>,
    pub(crate) clocked: Clocked,
    /// Offers missed in a row.
    pub(crate) missed: u32,
    /// Set Away by the engine itself; the fact is on its way to the disk.
    pub(crate) held_away: Option<Elapsed>,
    /// The half minute more of after-call work has been taken.
    pub(crate) extended: bool,
    /// Panels that are connected.
    pub(crate) panels: u32,
    /// When the person last did something.
    pub(crate) active_at: Millis,
    pub(crate) warned: bool,
}

/// What the settings say about how facts end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) zone: &'a str,
    pub(crate) auto_return: bool,
    pub(crate) work_outside: bool,
}

impl Agent {
    /// A person without devices or load.
    pub(crate) fn new(id: AgentId, facts: Arc<AgentFacts>, now: Millis) -> Self {
        Self {
            id,
            facts,
            devices: BTreeMap::new(),
            load: Load::Idle,
            load_since: now,
            idle_since: now,
            obeyed_at: now,
            member_of: Vec::new(),
            clocked: Clocked::default(),
            missed: 0,
            held_away: None,
            extended: false,
            panels: 0,
            active_at: now,
            warned: false,
        }
    }

    /// Reads the facts at this instant. What time alone has changed since the last reading is reported.
    pub(crate) fn read_clock(&mut self, now: Millis, rules: Rules<'_>) -> Vec<Elapsed> {
        let facts = &self.facts;
        let holds = |block: Option<&Block>| block.is_some_and(|block| block.until.is_none_or(|until| now < until));
        let ahead = |until: Option<Millis>| until.filter(|until| now < *until);
        let always = schedule::Clocked { inside: true, changes_at: None, recheck_at: None };
        let hours = facts.slots.as_ref().map_or(always, |slots| schedule::clocked(&slots.hours, rules.zone, now));
        let work_anyway = rules.work_outside && holds(facts.work_anyway.as_ref());
        let toggle = &facts.toggle;
        let away_over = toggle.state == Toggle::Away && toggle.until.is_some_and(|until| until <= now);
        let block_end = |block: Option<&Block>| ahead(block.and_then(|block| block.until));
        let next = Clocked {
            paused: holds(facts.pause.as_ref()),
            dnd: holds(facts.dnd.as_ref()),
            off_schedule: !hours.inside && !work_anyway,
            schedule_changes_at: hours.changes_at,
            away_over,
            away: toggle.state == Toggle::Away && !(away_over && rules.auto_return),
            until: [
                block_end(facts.pause.as_ref()),
                block_end(facts.dnd.as_ref()),
                block_end(facts.work_anyway.as_ref()),
                ahead(toggle.until),
                hours.recheck_at,
            ]
            .into_iter()
            .flatten()
            .min(),
        };
        let before = std::mem::replace(&mut self.clocked, next);
        [
            (before.paused && !next.paused, Elapsed::Pause),
            (before.dnd && !next.dnd, Elapsed::Dnd),
            (before.off_schedule != next.off_schedule, Elapsed::Schedule),
            (before.away && next.away_over && !next.away, Elapsed::AwayReturned),
        ]
        .into_iter()
        .filter_map(|(is, elapsed)| is.then_some(elapsed))
        .collect()
    }

    /// Whether this person may ring: the first layer that blocks, in the order of precedence.
    pub fn verdict(&self) -> Verdict {
        self.blocked_by().first().copied().unwrap_or(Verdict::Available)
    }

    /// Every layer that blocks, the deciding one first.
    pub fn blocked_by(&self) -> Layers {
        let mut layers = self.blocked_when_idle();
        if let Some(load) = self.load.verdict() {
            layers.push(load);
        }
        layers
    }

    /// The layers without load.
    pub(crate) fn blocked_when_idle(&self) -> Layers {
        let facts = &self.facts;
        let mut layers = Layers::default();
        let mut add = |blocks: bool, layer: Verdict| {
            if blocks {
                layers.push(layer);
            }
        };
        add(facts.seat != Seat::Active, Verdict::Disabled);
        add(self.clocked.paused, Verdict::Paused);
        add(self.clocked.dnd, Verdict::Dnd);
        add(facts.opt_out.is_some(), Verdict::OptedOut);
        add(self.clocked.off_schedule, Verdict::OffSchedule);
        add(self.is_away(), Verdict::Away);
        add(self.devices.is_empty(), Verdict::NoDevice);
        layers
    }

    fn is_away(&self) -> bool {
        // Away after this call does not hold before the call is over.
        let later = self.facts.toggle.apply == Apply::AfterCall && matches!(self.load, Load::OnCall(_));
        self.held_away.is_some() || (self.clocked.away && !later)
    }

    /// The presence body (`wire.md` section 3), without the matrix.
    pub(crate) fn presence(&self, reachable_by_queue: bool) -> Presence {
        let facts = &self.facts;
        let load_end = match self.load {
            Load::AfterCallWork(until) => Some(until),
            Load::Idle | Load::Ringing(_) | Load::OnCall(_) => None,
        };
        let clock_end = self.clocked.until.filter(|_| self.time_matters());
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
                pause: facts.pause.clone().filter(|_| self.clocked.paused),
                dnd: facts.dnd.clone().filter(|_| self.clocked.dnd),
                opt_out: facts.opt_out.clone(),
                schedule: ScheduleView {
                    inside: !self.clocked.off_schedule,
                    changes_at: self.clocked.schedule_changes_at,
                    work_anyway: facts.work_anyway.as_ref().and_then(|block| block.until),
                },
            },
            effective: Effective {
                verdict: self.verdict(),
                blocked_by: self.blocked_by().to_vec(),
                reachable_by_queue,
                devices_ready: u32::try_from(self.devices.len()).unwrap_or(u32::MAX),
                next_change_at: load_end.into_iter().chain(clock_end).min(),
            },
            obeyed_at: self.obeyed_at,
            intent: facts.intent.n,
            matrix: None,
        }
    }

    /// Whether the next reading of the clock can change the verdict, and is no mere look ahead.
    fn time_matters(&self) -> bool {
        let slots = self.clocked.schedule_changes_at.is_some();
        slots || self.clocked.paused || self.clocked.dnd || self.facts.toggle.until.is_some()
    }

    /// Why a path passed this person over at this layer, and the fact that decided.
    pub(crate) fn exclusion(&self, layer: Verdict) -> (Reason, Option<DecidingFact>) {
        let facts = &self.facts;
        let set = |name: &'static str, value: Value, stamp: &Stamp| {
            Some(DecidingFact {
                name: name.into(),
                value,
                version: facts.version,
                since: Some(stamp.since),
                by: Some(stamp.by.name.clone()),
                source: Some(stamp.source),
            })
        };
        let block = |name: &'static str, block: Option<&Block>| {
            block.and_then(|block| set(name, json!(block.reason.as_deref().unwrap_or("on")), &block.stamp))
        };
        let live = |name: &'static str, value: Value, since: Option<Millis>| {
            let version = facts.version;
            Some(DecidingFact { name: name.into(), value, version, since, by: None, source: None })
        };
        match layer {
            Verdict::Available => (Reason::NotReached, None),
            Verdict::Ringing => {
                (Reason::SkippedRingingOtherCall, live("load", json!("ringing"), Some(self.load_since)))
            }
            Verdict::OnCall => (Reason::SkippedOnCall, live("load", json!("on_call"), Some(self.load_since))),
            Verdict::AfterCallWork => {
                (Reason::SkippedAfterCallWork, live("load", json!("after_call_work"), Some(self.load_since)))
            }
            Verdict::Away => match self.held_away {
                Some(_) => (Reason::SkippedAway, live("toggle", json!(0), None)),
                None => (Reason::SkippedAway, set("toggle", json!(u8::from(facts.toggle.state)), &facts.toggle.stamp)),
            },
            Verdict::Dnd => (Reason::SkippedDnd, block("dnd", facts.dnd.as_ref())),
            Verdict::OptedOut => (Reason::SkippedOptedOut, block("opt_out", facts.opt_out.as_ref())),
            Verdict::Paused => (Reason::SkippedPaused, block("pause", facts.pause.as_ref())),
            Verdict::OffSchedule => {
                let fact = facts.slots.as_ref().and_then(|slots| set("schedule", json!("outside"), &slots.stamp));
                (Reason::SkippedOffSchedule, fact)
            }
            Verdict::NoDevice => (Reason::SkippedNoDevice, live("devices", json!(0), None)),
            Verdict::Disabled => (Reason::SkippedSeatDisabled, live("seat", json!(facts.seat), None)),
        }
    }
}

/// The layers that block a person, the deciding one first: at most one of each kind, so that no memory is needed for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layers {
    layers: [Verdict; 8],
    len: usize,
}

impl Default for Layers {
    fn default() -> Self {
        Self { layers: [Verdict::Available; 8], len: 0 }
    }
}

impl Layers {
    fn push(&mut self, layer: Verdict) {
        if let Some(next) = self.layers.get_mut(self.len) {
            *next = layer;
            self.len += 1;
        }
    }
}

impl std::ops::Deref for Layers {
    type Target = [Verdict];

    fn deref(&self) -> &[Verdict] {
        &self.layers[..self.len]
    }
}
