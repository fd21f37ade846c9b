//! Outbound trunks as plain data: which target may be tried, whether it lives, and how a registration goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::endpoint::{OutboundTrunk, TrunkHealth, TrunkId};
use crate::flow::Target;
use crate::transaction::TxId;

/// Missed answers in a row that mark a target down.
const MISSES: u8 = 3;
/// Answers in a row that mark it up again.
const ANSWERS: u8 = 2;
/// How long a target that was silent to an INVITE is passed over, if nobody asks it whether it lives.
const SILENT_FOR: Duration = Duration::from_secs(30);
/// The longest a Retry-After is obeyed: a wrong one must not take a trunk out for a day.
const LONGEST_BLOCK: Duration = Duration::from_mins(5);
/// The first pause after a registration failed; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// A trunk's number inside the endpoint; a changed trunk gets a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TrunkKey(u32);

/// Deadlines of a trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TrunkTimer {
    /// Register, again or for the first time.
    Register,
    /// Ask this target whether it lives.
    Ping(usize),
}

/// All outbound trunks.
#[derive(Debug, Default)]
pub(crate) struct Trunks {
    by_key: BTreeMap<TrunkKey, Trunk>,
    by_id: BTreeMap<TrunkId, TrunkKey>,
    /// Where they are: their answers must never be taken for a stranger's flood.
    places: BTreeSet<IpAddr>,
    made: u32,
}

/// What a new list of trunks changes.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) gone: Vec<TrunkKey>,
    pub(crate) new: Vec<TrunkKey>,
}

impl Trunks {
    /// Takes a new list over. A trunk that has not changed keeps its state.
    pub(crate) fn replace(&mut self, list: Vec<OutboundTrunk>) -> Changes {
        let mut changes = Changes::default();
        let mut kept = BTreeMap::new();
        for trunk in list {
            let same = self
                .by_id
                .get(&trunk.id)
                .copied()
                .filter(|key| self.by_key.get(key).is_some_and(|known| known.config == trunk));
            let key = same.unwrap_or_else(|| {
                self.made += 1;
                let key = TrunkKey(self.made);
                changes.new.push(key);
                self.by_key.insert(key, Trunk::new(trunk.clone()));
                key
            });
            kept.insert(trunk.id, key);
        }
        let stays: Vec<_> = kept.values().copied().collect();
        // Of two trunks with one id the last counts.
        changes.new.retain(|key| stays.contains(key));
        let gone = self.by_key.iter_mut().filter(|(key, trunk)| !stays.contains(key) && !trunk.leaving);
        changes.gone = gone
            .map(|(key, trunk)| {
                trunk.leaving = true;
                *key
            })
            .collect();
        self.by_id = kept;
        let registrars = self.by_key.values().filter_map(|trunk| Some(&trunk.config.registration.as_ref()?.registrar));
        let targets = self.by_key.values().flat_map(|trunk| &trunk.config.targets).chain(registrars);
        self.places = targets.filter_map(Target::address).map(|address| address.ip()).collect();
        changes
    }

    /// Whether a trunk of ours is at this address.
    pub(crate) fn is_at(&self, address: IpAddr) -> bool {
        self.places.contains(&address.to_canonical())
    }

    pub(crate) fn key_of(&self, id: &TrunkId) -> Option<TrunkKey> {
        self.by_id.get(id).copied()
    }

    /// Forgets a trunk.
    pub(crate) fn remove(&mut self, key: TrunkKey) {
        self.by_key.remove(&key);
    }

    /// Takes a trunk out for a moment; see [`Self::put_back`].
    pub(crate) fn take(&mut self, key: TrunkKey) -> Option<Trunk> {
        self.by_key.remove(&key)
    }

    pub(crate) fn put_back(&mut self, key: TrunkKey, trunk: Trunk) {
        self.by_key.insert(key, trunk);
    }

    pub(crate) fn get(&self, key: TrunkKey) -> Option<&Trunk> {
        self.by_key.get(&key)
    }

    pub(crate) fn get_mut(&mut self, key: TrunkKey) -> Option<&mut Trunk> {
        self.by_key.get_mut(&key)
    }
}

/// One trunk.
#[derive(Debug)]
pub(crate) struct Trunk {
    pub(crate) config: OutboundTrunk,
    targets: Vec<TargetState>,
    pub(crate) binding: Binding,
    /// It is wanted no more; only its registration is still to be ended.
    pub(crate) leaving: bool,
    told: Option<TrunkHealth>,
}

#[derive(Debug)]
struct TargetState {
    up: bool,
    misses: u8,
    answers: u8,
    blocked_until: Option<Instant>,
    asked: Option<TxId>,
}

/// Where a registration stands.
#[derive(Debug, Default)]
pub(crate) struct Binding {
    /// Call-ID and From tag: the same for all REGISTERs of one trunk (RFC 3261 §10.2.4).
    pub(crate) identity: Option<(String, String)>,
    pub(crate) number: u32,
    /// What a 423 asked for, in seconds.
    pub(crate) at_least: u32,
    pub(crate) asked: Option<TxId>,
    /// Whether the challenge of this round has been answered.
    pub(crate) challenged: bool,
    registered: bool,
    failures: u32,
    refused: Option<u16>,
}

impl Trunk {
    fn new(config: OutboundTrunk) -> Self {
        let fresh = || TargetState { up: true, misses: 0, answers: 0, blocked_until: None, asked: None };
        let targets = config.targets.iter().map(|_| fresh()).collect();
        Self { config, targets, binding: Binding::default(), leaving: false, told: None }
    }

    /// The targets an INVITE may go to, in order.
    pub(crate) fn usable(&self, now: Instant) -> Vec<usize> {
        let free = |target: &TargetState| target.up && target.blocked_until.is_none_or(|until| until <= now);
        (0..self.targets.len()).filter(|&index| self.targets.get(index).is_some_and(free)).collect()
    }

    /// An INVITE drew 503: the target is left alone for as long as it asks (RFC 3261 §21.5.4).
    pub(crate) fn refused(&mut self, now: Instant, index: usize, retry_after: Option<Duration>) {
        if let (Some(target), Some(pause)) = (self.targets.get_mut(index), retry_after) {
            target.blocked_until = Some(now + pause.min(LONGEST_BLOCK));
        }
    }

    /// An INVITE drew nothing at all.
    pub(crate) fn silent(&mut self, now: Instant, index: usize) {
        if let Some(target) = self.targets.get_mut(index) {
            target.blocked_until = Some(now + SILENT_FOR);
        }
    }

    /// Time to ask a target again: what was asked before and has no answer is a miss. Gives the transaction to be given
    /// up.
    pub(crate) fn ask(&mut self, index: usize) -> Option<TxId> {
        let asked = self.targets.get_mut(index)?.asked.take()?;
        self.missed(index);
        Some(asked)
    }

    /// Notes what asks.
    pub(crate) fn asked(&mut self, index: usize, tx: TxId) {
        if let Some(target) = self.targets.get_mut(index) {
            target.asked = Some(tx);
        }
    }

    /// A target lives.
    pub(crate) fn answered(&mut self, index: usize) {
        let Some(target) = self.targets.get_mut(index) else { return };
        target.asked = None;
        target.misses = 0;
        target.answers = target.answers.saturating_add(1);
        if !target.up && target.answers >= ANSWERS {
            target.up = true;
        }
        if target.up {
            target.blocked_until = None;
        }
    }

    /// A target did not answer, or says that it cannot work.
    pub(crate) fn missed(&mut self, index: usize) {
        let Some(target) = self.targets.get_mut(index) else { return };
        target.asked = None;
        target.answers = 0;
        target.misses = target.misses.saturating_add(1);
        if target.misses >= MISSES {
            target.up = false;
        }
    }

    /// What asks its targets and its registrar, to be given up.
    pub(crate) fn take_asked(&mut self) -> Vec<TxId> {
        self.targets.iter_mut().filter_map(|target| target.asked.take()).chain(self.binding.asked.take()).collect()
    }

    /// The registration stands for this long; gives the pause until the next REGISTER.
    pub(crate) fn registered(&mut self, lasts: Duration) -> Duration {
        let binding = &mut self.binding;
        (binding.registered, binding.failures, binding.refused, binding.asked) = (true, 0, None, None);
        // Early enough for two more tries before it ends.
        (lasts * 3 / 4).max(Duration::from_secs(1))
    }

    /// The registration failed; gives the pause until the next REGISTER. `spread` is any number, so that a thousand
    /// trunks do not come back at once.
    pub(crate) fn not_registered(&mut self, status: u16, spread: u32) -> Duration {
        let binding = &mut self.binding;
        (binding.registered, binding.refused, binding.asked) = (false, Some(status), None);
        let pause = (FIRST_PAUSE * 2_u32.pow(binding.failures.min(8))).min(LONGEST_PAUSE);
        binding.failures = binding.failures.saturating_add(1);
        pause + pause * (spread % 256) / 1_024
    }

    /// What is to be told, if it has changed.
    pub(crate) fn news(&mut self) -> Option<TrunkHealth> {
        let health = TrunkHealth {
            registered: self.config.registration.as_ref().map(|_| self.binding.registered),
            reachable: self.targets.iter().any(|target| target.up),
            refused: self.binding.refused,
        };
        (self.told.replace(health) != Some(health)).then_some(health)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trunk(targets: usize) -> OutboundTrunk {
        let address: std::net::SocketAddr = "192.0.2.9:5060".parse().unwrap();
        OutboundTrunk::new(TrunkId("main".to_owned()), vec![address.into(); targets])
    }

    #[test]
    fn three_misses_are_down_and_two_answers_up() {
        let now = Instant::now();
        let mut trunk = Trunk::new(trunk(2));
        for _ in 0..2 {
            trunk.missed(0);
        }
        assert_eq!(trunk.usable(now), [0, 1]);
        trunk.missed(0);
        assert_eq!(trunk.usable(now), [1]);
        trunk.answered(0);
        assert_eq!(trunk.usable(now), [1]);
        trunk.missed(0);
        trunk.answered(0);
        assert_eq!(trunk.usable(now), [1], "in a row");
        trunk.answered(0);
        assert_eq!(trunk.usable(now), [0, 1]);
    }

    #[test]
    fn a_target_that_asks_for_a_pause_gets_it_within_reason() {
        let now = Instant::now();
        let mut trunk = Trunk::new(trunk(1));
        trunk.refused(now, 0, Some(Duration::from_hours(24)));
        assert!(trunk.usable(now + Duration::from_secs(299)).is_empty());
        assert_eq!(trunk.usable(now + Duration::from_mins(5)), [0]);
    }

    #[test]
    fn pauses_after_a_failed_registration_double_up_to_a_bound() {
        let mut trunk = Trunk::new(trunk(1));
        let pauses: Vec<_> = (0..8).map(|_| trunk.not_registered(403, 0).as_secs()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(trunk.registered(Duration::from_hours(1)), Duration::from_mins(45));
        assert_eq!(trunk.not_registered(403, 0).as_secs(), 5);
    }

    #[test]
    fn an_unchanged_trunk_keeps_its_state() {
        let mut trunks = Trunks::default();
        let first = trunks.replace(vec![trunk(1)]).new[0];
        assert!(trunks.replace(vec![trunk(1)]).new.is_empty());
        let changes = trunks.replace(vec![trunk(2)]);
        assert_eq!((changes.gone[0], changes.new.len()), (first, 1));
        assert!(trunks.get(first).is_some_and(|trunk| trunk.leaving), "until its registration is ended");
        trunks.remove(first);
        assert_eq!(trunks.replace(Vec::new()).gone.len(), 1);
        assert_eq!(trunks.key_of(&TrunkId("main".to_owned())), None);
    }
}
