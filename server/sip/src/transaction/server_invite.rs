//! The INVITE server transaction: RFC 3261 §17.2.1 with the Accepted state of RFC 6026 §7.1.

use std::time::Duration;

use super::timer::{PATIENCE, T1, T2, T4, Timer};
use super::{AckGoes, Action, Gone};

#[derive(Debug)]
enum State {
    Proceeding { last: Option<Vec<u8>> },
    Accepted,
    Completed { last: Vec<u8>, interval: Duration },
    Confirmed,
}

#[derive(Debug)]
pub(crate) struct ServerInvite {
    state: State,
    reliable: bool,
}

impl ServerInvite {
    pub(crate) fn new(reliable: bool) -> Self {
        Self { state: State::Proceeding { last: None }, reliable }
    }

    /// A response of the user. One that does not fit the state is dropped.
    pub(crate) fn respond(&mut self, status: u16, bytes: Vec<u8>, actions: &mut Vec<Action>) {
        let State::Proceeding { last } = &mut self.state else { return };
        actions.push(Action::Transmit(bytes.clone()));
        match status {
            100..=199 => *last = Some(bytes),
            200..=299 => {
                // RFC 6026 §7.1: timer L is 64*T1 on every transport, as long as the TU may repeat the 2xx.
                actions.push(Action::Arm(Timer::L, PATIENCE));
                self.state = State::Accepted;
            }
            _ => {
                if !self.reliable {
                    actions.push(Action::Arm(Timer::G, T1));
                }
                actions.push(Action::Arm(Timer::H, PATIENCE));
                self.state = State::Completed { last: bytes, interval: T1 };
            }
        }
    }

    /// The INVITE came again.
    pub(crate) fn repeat(&self, actions: &mut Vec<Action>) {
        match &self.state {
            State::Proceeding { last: Some(last) } | State::Completed { last, .. } => {
                actions.push(Action::Transmit(last.clone()));
            }
            State::Proceeding { last: None } | State::Accepted | State::Confirmed => {}
        }
    }

    pub(crate) fn ack(&mut self, actions: &mut Vec<Action>) -> AckGoes {
        match self.state {
            State::Completed { .. } => {
                actions.push(Action::Disarm(Timer::G));
                actions.push(Action::Disarm(Timer::H));
                actions.push(Action::Arm(Timer::I, if self.reliable { Duration::ZERO } else { T4 }));
                self.state = State::Confirmed;
                AckGoes::Nowhere
            }
            State::Accepted => AckGoes::ToUser,
            State::Proceeding { .. } | State::Confirmed => AckGoes::Nowhere,
        }
    }

    pub(crate) fn fire(&mut self, timer: Timer, actions: &mut Vec<Action>) {
        match timer {
            Timer::G => {
                if let State::Completed { last, interval } = &mut self.state {
                    *interval = (*interval * 2).min(T2);
                    actions.push(Action::Transmit(last.clone()));
                    actions.push(Action::Arm(Timer::G, *interval));
                }
            }
            Timer::H => actions.push(Action::Leave(Gone::TimedOut)),
            Timer::I | Timer::L => actions.push(Action::Leave(Gone::Done)),
            Timer::A | Timer::B | Timer::D | Timer::E | Timer::F | Timer::J | Timer::K | Timer::M => {}
        }
    }

    /// Whether no final response has been sent.
    pub(crate) fn is_pending(&self) -> bool {
        matches!(self.state, State::Proceeding { .. })
    }
}
