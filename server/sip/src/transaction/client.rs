//! The non-INVITE client transaction: RFC 3261 §17.1.2.

use std::time::Duration;

use super::timer::{PATIENCE, T1, T2, T4, Timer};
use super::{Action, Gone, ResponseGoes};

#[derive(Debug)]
enum State {
    Trying { interval: Duration },
    Proceeding,
    Completed,
}

#[derive(Debug)]
pub(crate) struct Client {
    state: State,
    request: Vec<u8>,
    reliable: bool,
}

impl Client {
    pub(crate) fn start(request: Vec<u8>, reliable: bool, actions: &mut Vec<Action>) -> Self {
        actions.push(Action::Transmit(request.clone()));
        if !reliable {
            actions.push(Action::Arm(Timer::E, T1));
        }
        actions.push(Action::Arm(Timer::F, PATIENCE));
        Self { state: State::Trying { interval: T1 }, request, reliable }
    }

    pub(crate) fn response(&mut self, status: u16, actions: &mut Vec<Action>) -> ResponseGoes {
        if matches!(self.state, State::Completed) {
            return ResponseGoes::Nowhere;
        }
        if status < 200 {
            self.state = State::Proceeding;
        } else {
            actions.push(Action::Disarm(Timer::E));
            actions.push(Action::Disarm(Timer::F));
            actions.push(Action::Arm(Timer::K, if self.reliable { Duration::ZERO } else { T4 }));
            self.state = State::Completed;
        }
        ResponseGoes::ToUser
    }

    /// Whether a final response is still awaited.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.state, State::Completed)
    }

    pub(crate) fn fire(&mut self, timer: Timer, actions: &mut Vec<Action>) {
        match timer {
            Timer::E => {
                let interval = match &mut self.state {
                    State::Trying { interval } => {
                        *interval = (*interval * 2).min(T2);
                        *interval
                    }
                    State::Proceeding => T2,
                    State::Completed => return,
                };
                actions.push(Action::Transmit(self.request.clone()));
                actions.push(Action::Arm(Timer::E, interval));
            }
            Timer::F => actions.push(Action::Leave(Gone::TimedOut)),
            Timer::K => actions.push(Action::Leave(Gone::Done)),
            Timer::A | Timer::B | Timer::D | Timer::G | Timer::H | Timer::I | Timer::J | Timer::L | Timer::M => {}
        }
    }
}
