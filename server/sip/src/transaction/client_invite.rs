//! The INVITE client transaction: RFC 3261 §17.1.1 with the Accepted state of RFC 6026 §7.2.

use std::time::Duration;

use super::timer::{PATIENCE, T1, Timer};
use super::{Action, Gone, ResponseGoes};

#[derive(Debug)]
enum State {
    Calling { interval: Duration },
    Proceeding,
    Accepted,
    Completed { ack: Vec<u8> },
}

#[derive(Debug)]
pub(crate) struct ClientInvite {
    state: State,
    request: Vec<u8>,
    reliable: bool,
}

impl ClientInvite {
    pub(crate) fn start(request: Vec<u8>, reliable: bool, actions: &mut Vec<Action>) -> Self {
        actions.push(Action::Transmit(request.clone()));
        if !reliable {
            actions.push(Action::Arm(Timer::A, T1));
        }
        actions.push(Action::Arm(Timer::B, PATIENCE));
        Self { state: State::Calling { interval: T1 }, request, reliable }
    }

    /// A response; `ack` makes the ACK to a failure (RFC 3261 §17.1.1.3).
    pub(crate) fn response(
        &mut self,
        status: u16,
        ack: impl FnOnce() -> Vec<u8>,
        actions: &mut Vec<Action>,
    ) -> ResponseGoes {
        match &self.state {
            State::Calling { .. } | State::Proceeding => {
                actions.push(Action::Disarm(Timer::A));
                actions.push(Action::Disarm(Timer::B));
                match status {
                    100..=199 => self.state = State::Proceeding,
                    200..=299 => {
                        actions.push(Action::Arm(Timer::M, PATIENCE));
                        self.state = State::Accepted;
                    }
                    _ => {
                        let ack = ack();
                        actions.push(Action::Transmit(ack.clone()));
                        actions.push(Action::Arm(Timer::D, if self.reliable { Duration::ZERO } else { PATIENCE }));
                        self.state = State::Completed { ack };
                    }
                }
                ResponseGoes::ToUser
            }
            State::Completed { ack } => {
                if status >= 300 {
                    actions.push(Action::Transmit(ack.clone()));
                }
                ResponseGoes::Nowhere
            }
            // RFC 6026 §7.2: a 2xx in Accepted is passed to the user, all else is absorbed.
            State::Accepted if (200..300).contains(&status) => ResponseGoes::ToUser,
            State::Accepted => ResponseGoes::Nowhere,
        }
    }

    /// Whether a final response is still awaited.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Calling { .. } | State::Proceeding)
    }

    pub(crate) fn fire(&mut self, timer: Timer, actions: &mut Vec<Action>) {
        match timer {
            Timer::A => {
                if let State::Calling { interval } = &mut self.state {
                    *interval *= 2;
                    actions.push(Action::Transmit(self.request.clone()));
                    actions.push(Action::Arm(Timer::A, *interval));
                }
            }
            Timer::B => actions.push(Action::Leave(Gone::TimedOut)),
            Timer::D | Timer::M => actions.push(Action::Leave(Gone::Done)),
            Timer::E | Timer::F | Timer::G | Timer::H | Timer::I | Timer::J | Timer::K | Timer::L => {}
        }
    }
}
