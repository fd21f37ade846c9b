//! Was the history of one person's toggle one that a single register could have had?
//!
//! Writers, readers and callers see a person's toggle from outside: a request was sent, an answer came, a phone rang.
//! The history is *linearizable* when every operation can be given one instant between its begin and its end so that, in
//! the order of these instants, the register behaves: a write sets it and raises the version, a read sees what stands
//! there, and a phone rings only while it says On. The search is that of Wing and Gong (1993), with the states already
//! tried remembered.

use std::collections::HashSet;
use std::fmt;

/// What one operation did, as far as its answer told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// A write that was acknowledged.
    Wrote {
        /// Whether it set On.
        on: bool,
        /// The version in its answer.
        version: u64,
        /// Whether it changed anything.
        changed: bool,
    },
    /// A write without an answer, or with one that leaves open what became of it: it took effect once, or never.
    Maybe {
        /// Whether it would set On.
        on: bool,
    },
    /// A read.
    Read {
        /// Whether it saw On.
        on: bool,
        /// The version it saw.
        version: u64,
    },
    /// A phone began to ring: that needs On.
    Rang,
}

/// One operation, with the instants between which it happened, on any clock shared by all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// When it was sent.
    pub begin: u64,
    /// When its answer was there.
    pub end: u64,
    /// What it did.
    pub act: Act,
}

/// The register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Register {
    on: bool,
    /// The highest version known; a write without an answer has raised it by an unknown amount.
    version: u64,
    /// Whether such a write is the latest.
    blurred: bool,
}

/// Why a history is not that of a register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotLinear {
    /// The operations that fit, in the longest order found.
    pub fitting: usize,
    /// What was to come next, none of which fits.
    pub stuck: Vec<Operation>,
    /// The last operations before.
    pub before: Vec<Operation>,
}

impl fmt::Display for NotLinear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "after {} operations nothing fits any more.", self.fitting)?;
        for operation in &self.before {
            writeln!(f, "    before: {operation:?}")?;
        }
        for operation in &self.stuck {
            writeln!(f, "    stuck:  {operation:?}")?;
        }
        Ok(())
    }
}

impl std::error::Error for NotLinear {}

/// Looks for an order in which a register that first says `on` at `version` could have done all this.
pub fn check(on: bool, version: u64, history: &[Operation]) -> Result<(), NotLinear> {
    let mut operations = history.to_vec();
    operations.sort_by_key(|operation| (operation.begin, operation.end));
    let start = Register { on, version, blurred: false };
    let mut search = Search {
        tried: HashSet::new(),
        done: vec![false; operations.len()],
        order: Vec::new(),
        longest: Vec::new(),
        operations,
    };
    if search.run(start) { Ok(()) } else { Err(search.failure()) }
}

struct Search {
    operations: Vec<Operation>,
    done: Vec<bool>,
    order: Vec<usize>,
    longest: Vec<usize>,
    tried: HashSet<(Vec<usize>, Register)>,
}

impl Search {
    /// Depth first, without recursion: a history may have thousands of operations.
    fn run(&mut self, start: Register) -> bool {
        let mut stack = vec![(start, self.candidates(), 0)];
        while let Some((register, candidates, next)) = stack.last_mut() {
            if !self.required_left() {
                return true;
            }
            let Some(chosen) = candidates.get(*next).copied() else {
                stack.pop();
                if let Some(last) = self.order.pop() {
                    self.done[last] = false;
                }
                continue;
            };
            *next += 1;
            let Some(after) = step(*register, self.operations[chosen].act) else { continue };
            self.done[chosen] = true;
            self.order.push(chosen);
            if self.tried.insert((self.frontier(), after)) {
                if self.order.len() > self.longest.len() {
                    self.longest.clone_from(&self.order);
                }
                let candidates = self.candidates();
                stack.push((after, candidates, 0));
            } else {
                self.order.pop();
                self.done[chosen] = false;
            }
        }
        false
    }

    fn required_left(&self) -> bool {
        self.open().any(|index| !self.is_optional(index))
    }

    fn is_optional(&self, index: usize) -> bool {
        matches!(self.operations[index].act, Act::Maybe { .. })
    }

    fn open(&self) -> impl Iterator<Item = usize> {
        (0..self.operations.len()).filter(|index| !self.done[*index])
    }

    /// What may come next: nothing that must be done is over before it begins. What must be done comes first.
    fn candidates(&self) -> Vec<usize> {
        let deadline =
            self.open().filter(|index| !self.is_optional(*index)).map(|index| self.operations[index].end).min();
        let Some(deadline) = deadline else { return Vec::new() };
        let latest = self.latest();
        let mut candidates: Vec<usize> = self
            .open()
            .take_while(|index| self.operations[*index].begin <= deadline)
            .filter(|index| self.operations[*index].end >= latest)
            .collect();
        candidates.sort_by_key(|index| (self.is_optional(*index), self.operations[*index].end));
        candidates
    }

    /// An operation without an answer may happen as long as nothing has been done that begins after its end.
    fn latest(&self) -> u64 {
        self.order.iter().map(|index| self.operations[*index].begin).max().unwrap_or(0)
    }

    /// What identifies the set of operations that are behind: the first that is not, and those behind beyond it. Whether
    /// an operation whose time is over has happened makes no difference to what can follow.
    fn frontier(&self) -> Vec<usize> {
        let latest = self.latest();
        let behind =
            |index: &usize| self.done[*index] || (self.is_optional(*index) && self.operations[*index].end < latest);
        let first = (0..self.done.len()).find(|index| !behind(index)).unwrap_or(self.done.len());
        let near = first..self.done.len();
        std::iter::once(first).chain(near.filter(behind)).collect()
    }

    fn failure(&self) -> NotLinear {
        let mut done = vec![false; self.operations.len()];
        for index in &self.longest {
            done[*index] = true;
        }
        let open = (0..self.operations.len()).filter(|index| !done[*index]);
        let stuck = open.take(6).map(|index| self.operations[index]).collect();
        let before = self.longest.iter().rev().take(8).rev().map(|index| self.operations[*index]).collect();
        NotLinear { fitting: self.longest.len(), stuck, before }
    }
}

/// The register after an act; none when it could not have done that.
fn step(register: Register, act: Act) -> Option<Register> {
    // After a write without an answer the version is only known to be no lower.
    let matches =
        |version: u64| if register.blurred { version > register.version } else { version == register.version };
    match act {
        Act::Wrote { on, version, changed: true } => {
            (register.on != on && version > register.version).then_some(Register { on, version, blurred: false })
        }
        Act::Wrote { on, version, changed: false } | Act::Read { on, version } => {
            (register.on == on && matches(version)).then_some(Register { on, version, blurred: false })
        }
        Act::Maybe { on } if on == register.on => Some(register),
        Act::Maybe { on } => Some(Register { on, blurred: true, ..register }),
        Act::Rang => register.on.then_some(register),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrote(begin: u64, end: u64, on: bool, version: u64) -> Operation {
        Operation { begin, end, act: Act::Wrote { on, version, changed: true } }
    }

    fn again(begin: u64, end: u64, on: bool, version: u64) -> Operation {
        Operation { begin, end, act: Act::Wrote { on, version, changed: false } }
    }

    fn maybe(begin: u64, end: u64, on: bool) -> Operation {
        Operation { begin, end, act: Act::Maybe { on } }
    }

    fn read(begin: u64, end: u64, on: bool, version: u64) -> Operation {
        Operation { begin, end, act: Act::Read { on, version } }
    }

    fn rang(begin: u64, end: u64) -> Operation {
        Operation { begin, end, act: Act::Rang }
    }

    #[test]
    fn a_phone_that_rings_after_an_acknowledged_away_is_found() {
        let away = wrote(10, 20, false, 2);

        assert!(check(true, 1, &[away, rang(15, 16)]).is_ok(), "it may have rung before");
        assert!(check(true, 1, &[away, rang(21, 22)]).is_err());
        assert!(check(true, 1, &[away, wrote(30, 40, true, 3), rang(35, 36)]).is_ok(), "On was on its way");
        assert!(check(true, 1, &[away, rang(29, 29), wrote(30, 40, true, 3)]).is_err(), "On was not sent yet");
    }

    #[test]
    fn an_acknowledged_write_that_a_crash_loses_is_found() {
        let history = [wrote(10, 20, false, 2), read(50, 60, true, 1)];

        let error = check(true, 1, &history).unwrap_err();

        assert_eq!(error.fitting, 1);
        assert_eq!(error.stuck, [history[1]]);
    }

    #[test]
    fn a_write_without_an_answer_took_effect_or_did_not() {
        for (on, version) in [(true, 1), (false, 2)] {
            assert!(check(true, 1, &[maybe(10, 20, false), read(30, 40, on, version)]).is_ok(), "{on}");
        }
        // It does not take effect long after the server was gone, nor twice.
        let late = [maybe(10, 20, false), read(30, 40, true, 1), read(50, 60, false, 2)];
        assert!(check(true, 1, &late).is_err());
        let twice = [maybe(10, 90, false), read(20, 30, false, 2), wrote(31, 32, true, 3), read(40, 50, false, 4)];
        assert!(check(true, 1, &twice).is_err());
    }

    #[test]
    fn versions_rise_with_each_change_and_with_nothing_else() {
        assert!(check(true, 1, &[wrote(10, 20, false, 2), wrote(30, 40, true, 2)]).is_err());
        assert!(check(true, 1, &[wrote(10, 20, false, 3), wrote(30, 40, true, 2)]).is_err());
        assert!(check(true, 1, &[wrote(10, 20, false, 2), again(30, 40, false, 2)]).is_ok());
        assert!(check(true, 1, &[wrote(10, 20, false, 2), again(30, 40, false, 3)]).is_err());
        assert!(check(true, 1, &[wrote(10, 20, false, 2), again(30, 40, true, 2)]).is_err());
    }

    #[test]
    fn what_happened_at_once_may_have_any_order() {
        let history =
            [wrote(10, 50, false, 3), wrote(10, 50, true, 4), wrote(10, 50, false, 2), wrote(10, 50, true, 5)];
        assert!(check(true, 1, &history[..2]).is_ok());
        // Two changes to Away need one to On between them.
        assert!(check(true, 1, &[history[0], history[2]]).is_err());
        let three = [wrote(10, 50, false, 2), wrote(10, 50, true, 3), wrote(10, 50, false, 4)];
        assert!(check(true, 1, &three).is_ok());
    }

    #[test]
    fn histories_of_a_real_register_pass_and_altered_ones_do_not() {
        for seed in 0..20 {
            let mut random = Random(seed);
            let history = random.history(200);
            check(true, 1, &history).unwrap_or_else(|error| panic!("seed {seed}: {error}"));

            let wrong = alter(&history, &mut random);
            assert!(check(true, 1, &wrong).is_err(), "seed {seed}");
        }
    }

    /// A phone rings in the middle of a stretch in which the person was certainly Away.
    fn alter(history: &[Operation], random: &mut Random) -> Vec<Operation> {
        let mut wrong = history.to_vec();
        let last = history.iter().map(|operation| operation.end).max().unwrap_or(0);
        let version = 1_000_000;
        wrong.push(wrote(last + 10, last + 20, false, version));
        wrong.push(wrote(last + 5, last + 6, true, version - 1));
        wrong.retain(|operation| operation.act != Act::Wrote { on: true, version: version - 1, changed: true });
        // Reading On, or ringing, after it: no write to On is there.
        let late = last + 21 + random.below(50);
        wrong.push(if random.below(2) == 0 { rang(late, late + 1) } else { read(late, late + 1, true, version) });
        wrong
    }

    struct Random(u64);

    impl Random {
        fn below(&mut self, most: u64) -> u64 {
            // splitmix64 (Steele, Lea and Flood, 2014).
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            (z ^ (z >> 31)) % most
        }

        /// Operations of several clients, each at one instant of a real register, seen from outside with delays.
        fn history(&mut self, length: u64) -> Vec<Operation> {
            let (mut on, mut version) = (true, 1);
            let mut history = Vec::new();
            for instant in (1..=length).map(|number| number * 10) {
                let (begin, end) = (instant - self.below(25).min(instant), instant + self.below(25));
                let wanted = self.below(2) == 0;
                let act = match self.below(8) {
                    0..=3 => {
                        let changed = wanted != on;
                        on = wanted;
                        version += u64::from(changed);
                        Act::Wrote { on, version, changed }
                    }
                    4 => {
                        if self.below(2) == 0 && wanted != on {
                            on = wanted;
                            version += 1;
                        }
                        Act::Maybe { on: wanted }
                    }
                    5 | 6 => Act::Read { on, version },
                    _ if on => Act::Rang,
                    _ => Act::Read { on, version },
                };
                history.push(Operation { begin, end, act });
            }
            history
        }
    }
}
