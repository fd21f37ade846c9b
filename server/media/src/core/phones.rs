//! Phone legs that are encrypted by DTLS: their handshakes.

use std::net::SocketAddr;
use std::time::Instant;

use cordboard_shared::id::LegId;

use super::{MediaCore, Wake};
use crate::leg::{Component, GuardOutput, Line, RtpLine};
use crate::{Event, Output};

impl MediaCore {
    pub(super) fn receive_dtls(
        &mut self,
        now: Instant,
        leg: LegId,
        component: Component,
        from: SocketAddr,
        bytes: &[u8],
    ) {
        let mut taken = false;
        self.with_phone(now, leg, |line, out| taken = line.take_dtls(now, component, from, bytes, out));
        if !taken && let Some(found) = self.legs.get_mut(&leg) {
            found.refused += 1;
        }
    }

    /// Does something with the line of a phone, and what follows from it.
    pub(super) fn with_phone(
        &mut self,
        now: Instant,
        leg: LegId,
        act: impl FnOnce(&mut RtpLine, &mut Vec<GuardOutput>),
    ) {
        let Some(Line::Rtp(line)) = self.legs.get_mut(&leg).map(|leg| &mut leg.line) else { return };
        act(line, &mut self.guard_outputs);
        self.after_guard(now, leg);
    }

    pub(super) fn after_guard(&mut self, now: Instant, leg: LegId) {
        for output in self.guard_outputs.drain(..) {
            match output {
                GuardOutput::Send(Component::Rtp, to, bytes) => self.outputs.push_back(Output::Rtp { leg, to, bytes }),
                GuardOutput::Send(Component::Rtcp, to, bytes) => {
                    self.outputs.push_back(Output::Rtcp { leg, to, bytes });
                }
                GuardOutput::Open => {
                    if let Some(found) = self.legs.get_mut(&leg) {
                        found.start_frames(now);
                        self.timers.set(Wake::Frame(leg), found.next_frame());
                    }
                }
                GuardOutput::Failed(why) => {
                    self.outputs.push_back(Output::Event(Event::SecureFailed { leg, why }));
                }
            }
        }
        if let Some(Line::Rtp(line)) = self.legs.get_mut(&leg).map(|leg| &mut leg.line) {
            self.timers.set(Wake::Dtls(leg), line.dtls_deadline());
        }
    }
}
