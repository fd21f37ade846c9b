//! Reliable provisional responses (RFC 3262), both sides, as plain data.

use std::collections::VecDeque;
use std::time::Duration;

use crate::message::{HeaderId, Headers, Method};
use crate::transaction::timer::T1;

/// The option tag.
pub(crate) const RELIABLE: &str = "100rel";
/// Provisional responses that may wait for the PRACK of the one before.
const MAX_WAITING: usize = 8;

/// What a PRACK acknowledges.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RAck {
    pub(crate) response: u32,
    pub(crate) number: u32,
    pub(crate) method: Method,
}

impl RAck {
    /// Reads the header field (RFC 3262 §7.2).
    pub(crate) fn read(headers: &Headers) -> Option<Self> {
        let text = headers.first(HeaderId::RAck)?.text();
        let mut words = text.split_ascii_whitespace();
        let (response, number, method) = (words.next()?, words.next()?, words.next()?);
        let one = words.next().is_none();
        one.then_some(Self {
            response: response.parse().ok()?,
            number: number.parse().ok()?,
            method: Method::from_token(method),
        })
    }
}

/// The number of a reliable provisional response; `None` if it is not one.
pub(crate) fn rseq(headers: &Headers) -> Option<u32> {
    let reliable = headers.list(HeaderId::Require).iter().any(|option| option.eq_ignore_ascii_case(RELIABLE));
    let number = headers.first(HeaderId::RSeq)?.text().trim().parse().ok();
    number.filter(|_| reliable)
}

/// What a response's number means to its receiver (RFC 3262 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// To be acknowledged and worked with.
    Next,
    /// Seen before: its PRACK is on its way.
    Repeat,
    /// One before it is missing: "the UAC MUST NOT acknowledge" it, it will be repeated.
    Early,
}

/// Judges a number by the last one of the same early dialog.
pub(crate) fn arrival(last: Option<u32>, number: u32) -> Arrival {
    match last {
        None => Arrival::Next,
        Some(last) if last.checked_add(1) == Some(number) => Arrival::Next,
        Some(last) if number <= last => Arrival::Repeat,
        Some(_) => Arrival::Early,
    }
}

/// One provisional response as the application wants it.
pub(crate) type Progress = (u16, Option<Vec<u8>>);

/// The callee's side: one response at a time, repeated until its PRACK.
#[derive(Debug)]
pub(crate) struct ReliableSender {
    next: u32,
    unacked: Option<Unacked>,
    waiting: VecDeque<Progress>,
    /// Whether a session description of ours has been acknowledged.
    pub(crate) described: bool,
}

#[derive(Debug)]
struct Unacked {
    number: u32,
    bytes: Vec<u8>,
    described: bool,
    interval: Duration,
}

impl ReliableSender {
    /// RFC 3262 §3: the first number "SHOULD be chosen uniformly between 1 and 2**31 - 1".
    pub(crate) fn new(first: u32) -> Self {
        Self { next: (first & 0x7fff_ffff).max(1), unacked: None, waiting: VecDeque::new(), described: false }
    }

    /// Whether the one before waits for its PRACK.
    pub(crate) fn is_waiting(&self) -> bool {
        self.unacked.is_some()
    }

    /// Whether a session description waits for its PRACK: the 2xx must wait, too (RFC 3262 §3).
    pub(crate) fn holds_answer(&self) -> bool {
        self.unacked.as_ref().is_some_and(|unacked| unacked.described)
    }

    /// Keeps a response until the one before is acknowledged.
    pub(crate) fn queue(&mut self, progress: Progress) {
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push_back(progress);
        }
    }

    /// The number the next response gets.
    pub(crate) fn number(&self) -> u32 {
        self.next
    }

    /// Notes what was sent with [`Self::number`].
    pub(crate) fn sent(&mut self, bytes: Vec<u8>, described: bool) {
        self.unacked = Some(Unacked { number: self.next, bytes, described, interval: T1 });
        self.next = self.next.wrapping_add(1).max(1);
    }

    /// The bytes to repeat, and the pause until the next time: it doubles without a bound (RFC 3262 §3).
    pub(crate) fn repeat(&mut self) -> Option<(Vec<u8>, Duration)> {
        let unacked = self.unacked.as_mut()?;
        unacked.interval *= 2;
        Some((unacked.bytes.clone(), unacked.interval))
    }

    /// A PRACK came. Whether it fits; [`Self::pop`] then gives what may go out next.
    pub(crate) fn acknowledge(&mut self, number: u32) -> bool {
        let Some(acked) = self.unacked.take_if(|unacked| unacked.number == number) else { return false };
        self.described |= acked.described;
        true
    }

    /// The next response that may go out.
    pub(crate) fn pop(&mut self) -> Option<Progress> {
        if self.unacked.is_some() { None } else { self.waiting.pop_front() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Header;

    #[test]
    fn numbers_are_taken_in_order_and_once() {
        assert_eq!(arrival(None, 77), Arrival::Next);
        assert_eq!(arrival(Some(77), 78), Arrival::Next);
        assert_eq!(arrival(Some(77), 77), Arrival::Repeat);
        assert_eq!(arrival(Some(77), 79), Arrival::Early);
        assert_eq!(arrival(Some(u32::MAX), 0), Arrival::Repeat);
    }

    #[test]
    fn a_rack_has_three_words() {
        let read = |value: &str| {
            let mut headers = Headers::default();
            headers.push_header(Header::new("RAck", value));
            RAck::read(&headers)
        };
        assert_eq!(read("77 1 INVITE"), Some(RAck { response: 77, number: 1, method: Method::Invite }));
        assert_eq!(read("77 1"), None);
        assert_eq!(read("77 1 INVITE x"), None);
        assert_eq!(read("x 1 INVITE"), None);
    }

    #[test]
    fn one_response_goes_out_at_a_time() {
        let mut sender = ReliableSender::new(u32::MAX);
        let first = sender.number();
        assert!((1..=0x7fff_ffff).contains(&first));
        sender.sent(b"183".to_vec(), true);
        sender.queue((180, None));
        assert_eq!(sender.pop(), None);
        assert!(!sender.acknowledge(first + 1));
        assert!(sender.holds_answer() && sender.acknowledge(first));
        assert!(sender.described);
        assert_eq!(sender.pop(), Some((180, None)));
    }
}
