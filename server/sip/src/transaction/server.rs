//! The non-INVITE server transaction: RFC 3261 §17.2.2.

use std::time::Duration;

use super::timer::{PATIENCE, Timer};
use super::{Action, Gone};

#[derive(Debug)]
enum State {
    Trying,
    Proceeding { last: Vec<u8> },
    Completed { last: Vec<u8> },
}

#[derive(Debug)]
pub(crate) struct Server {
    state: State,
    reliable: bool,
}

impl Server {
    pub(crate) fn new(reliable: bool) -> Self {
        Self { state: State::Trying, reliable }
    }

    /// A response of the user; after the final one, others are dropped.
    pub(crate) fn respond(&mut self, status: u16, bytes: Vec<u8>, actions: &mut Vec<Action>) {
        if matches!(self.state, State::Completed { .. }) {
            return;
        }
        actions.push(Action::Transmit(bytes.clone()));
        self.state = if status < 200 {
            State::Proceeding { last: bytes }
        } else {
            actions.push(Action::Arm(Timer::J, if self.reliable { Duration::ZERO } else { PATIENCE }));
            State::Completed { last: bytes }
        };
    }

    /// The request came again.
    pub(crate) fn repeat(&self, actions: &mut Vec<Action>) {
        match &self.state {
            State::Proceeding { last } | State::Completed { last } => actions.push(Action::Transmit(last.clone())),
            State::Trying => {}
        }
    }

    pub(crate) fn fire(timer: Timer, actions: &mut Vec<Action>) {
        if timer == Timer::J {
            actions.push(Action::Leave(Gone::Done));
        }
    }
}
