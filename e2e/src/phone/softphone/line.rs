//! The sound of one call of a telephone: a tone goes out every 20 ms as G.711, what comes in is kept, and both can be
//! looked at while the call goes on.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::srtp::{Key, Stream};
use crate::sound::{Sound, from_ulaw, ulaw};

/// G.711's sampling rate.
const RATE: u32 = 8_000;
/// Samples of one packet.
const PACKET: usize = 160;
/// RTP's header without extensions (RFC 3550 section 5.1).
const HEADER: usize = 12;
/// The payload type of digits (RFC 4733).
const DIGITS: u8 = 101;

/// The sound of one call.
#[derive(Debug)]
pub(super) struct Sounding {
    pub(super) port: u16,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

/// Keys of both ways, and what is counted with them.
#[derive(Debug)]
struct Secret {
    keys: (Key, Key),
    out: Stream,
    back: Stream,
}

#[derive(Debug)]
struct State {
    to: Option<SocketAddr>,
    sends: bool,
    sequence: u16,
    timestamp: u32,
    tone: Vec<u8>,
    /// Keys to be sent.
    keys: Vec<char>,
    heard: Vec<f32>,
    last: Option<Instant>,
    digits: String,
    digit_at: Option<u32>,
    secret: Option<Secret>,
    sequences: Vec<u16>,
    /// When the newest packet was sent by its timestamp, and the jitter so far, in seconds (RFC 3550 section 6.4.1).
    stamp: Option<u32>,
    jitter: f64,
}

impl Sounding {
    /// Opens a port; `first` is the first sequence number.
    pub(super) fn open(tone: f64, amplitude: f64, first: u16) -> Result<Self> {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
        socket.set_nonblocking(true)?;
        let port = socket.local_addr()?.port();
        let socket = UdpSocket::from_std(socket)?;
        // One second is a whole number of packets and of waves of every tone in use.
        let sound = Sound::tone(RATE, tone, amplitude, Duration::from_secs(1));
        let state = State {
            to: None,
            sends: false,
            sequence: first,
            timestamp: u32::from(first) << 8,
            tone: sound.samples.iter().map(|sample| ulaw(*sample)).collect(),
            keys: Vec::new(),
            heard: Vec::new(),
            last: None,
            digits: String::new(),
            digit_at: None,
            secret: None,
            sequences: Vec::new(),
            stamp: None,
            jitter: 0.0,
        };
        let state = Arc::new(Mutex::new(state));
        let task = tokio::spawn(sound_on(socket, Arc::clone(&state)));
        Ok(Self { port, state, task })
    }

    /// Where the far side wants its sound, and whether it wants any.
    pub(super) fn aim(&self, to: SocketAddr, sends: bool) {
        let mut state = lock(&self.state);
        (state.to, state.sends) = (Some(to), sends);
    }

    /// Encrypts with the first key and decrypts with the second from now on, or neither. A key that stays counts on.
    pub(super) fn secure(&self, keys: Option<(Key, Key)>) -> Result<()> {
        let mut state = lock(&self.state);
        let Some((ours, theirs)) = keys else {
            state.secret = None;
            return Ok(());
        };
        let before = state.secret.take();
        let (out, back) = match before {
            Some(before) if before.keys == (ours, theirs) => (before.out, before.back),
            Some(before) if before.keys.0 == ours => (before.out, Stream::new(&theirs)?),
            Some(_) | None => (Stream::new(&ours)?, Stream::new(&theirs)?),
        };
        state.secret = Some(Secret { keys: (ours, theirs), out, back });
        Ok(())
    }

    pub(super) fn press(&self, keys: &str) {
        lock(&self.state).keys.extend(keys.chars());
    }

    pub(super) fn digits(&self) -> String {
        lock(&self.state).digits.clone()
    }

    /// How many samples have come.
    pub(super) fn mark(&self) -> usize {
        lock(&self.state).heard.len()
    }

    /// What has come after a mark.
    pub(super) fn since(&self, mark: usize) -> Sound {
        let heard = lock(&self.state).heard.get(mark..).unwrap_or_default().to_vec();
        Sound { rate: RATE, samples: heard }
    }

    /// When the last packet came.
    pub(super) fn last(&self) -> Option<Instant> {
        lock(&self.state).last
    }

    /// When the newest packet came, and its timestamp.
    pub(super) fn clock(&self) -> Option<(Instant, u32)> {
        let state = lock(&self.state);
        state.last.zip(state.stamp)
    }

    /// How unevenly packets come, and how many sequence numbers were left out.
    pub(super) fn jitter_and_loss(&self) -> (Duration, usize) {
        let state = lock(&self.state);
        let missed = |pair: &[u16]| usize::from(pair[1].wrapping_sub(pair[0])).saturating_sub(1);
        // Half of the numbers away is one that came late, or another stream.
        let lost = state.sequences.windows(2).map(missed).filter(|missed| *missed < 0x8000).sum();
        (Duration::from_secs_f64(state.jitter), lost)
    }

    /// The sequence number of the next packet.
    pub(super) fn next_sequence(&self) -> u16 {
        lock(&self.state).sequence
    }
}

impl Drop for Sounding {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn sound_on(socket: UdpSocket, state: Arc<Mutex<State>>) {
    let mut tick = interval(Duration::from_millis(20));
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut position = 0;
    let mut buffer = [0; 2_048];
    let mut digit = None;
    loop {
        tokio::select! {
            _ = tick.tick() => {
                let packet = {
                    let mut state = lock(&state);
                    let packet = next_packet(&mut state, &mut position, &mut digit);
                    packet.and_then(|(to, packet)| Some((to, sealed(&mut state, packet)?)))
                };
                if let Some((to, packet)) = packet {
                    // A far side that is gone is seen by its silence.
                    let _ = socket.send_to(&packet, to).await;
                }
            }
            Ok((length, _)) = socket.recv_from(&mut buffer) => take(&mut lock(&state), &buffer[..length]),
        }
    }
}

fn sealed(state: &mut State, mut packet: Vec<u8>) -> Option<Vec<u8>> {
    if let Some(secret) = &mut state.secret {
        secret.out.seal(&mut packet).ok()?;
    }
    Some(packet)
}

/// A digit on its way: key, its timestamp, packets sent.
type Digit = (char, u32, u16);

fn next_packet(state: &mut State, position: &mut usize, digit: &mut Option<Digit>) -> Option<(SocketAddr, Vec<u8>)> {
    let to = state.to.filter(|to| state.sends && !to.ip().is_unspecified())?;
    state.sequence = state.sequence.wrapping_add(1);
    state.timestamp = state.timestamp.wrapping_add(160);
    if digit.is_none() && !state.keys.is_empty() {
        *digit = Some((state.keys.remove(0), state.timestamp, 0));
    }
    let Some((key, at, sent)) = digit else {
        let sound: Vec<u8> = state.tone.iter().cycle().skip(*position).take(PACKET).copied().collect();
        *position = (*position + PACKET) % state.tone.len();
        return Some((to, packet(0, false, state.sequence, state.timestamp, &sound)));
    };
    // RFC 4733 section 2.5.1.2: 100 ms of event, its end three times, and then a pause of as long.
    let (first, ends) = (*sent == 0, *sent >= 5);
    let event = "0123456789*#".find(*key).and_then(|event| u8::try_from(event).ok()).unwrap_or(0);
    let [high, low] = ((sent.saturating_add(1)).min(6) * 160).to_be_bytes();
    let body = [event, if ends { 0x8a } else { 0x0a }, high, low];
    let made = (*sent < 8).then(|| packet(DIGITS, first, state.sequence, *at, &body));
    *sent += 1;
    if *sent > 14 {
        *digit = None;
    }
    if made.is_none() {
        state.sequence = state.sequence.wrapping_sub(1);
    }
    made.map(|made| (to, made))
}

fn packet(kind: u8, marker: bool, sequence: u16, timestamp: u32, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, kind | if marker { 0x80 } else { 0 }];
    packet.extend(sequence.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend(0x4a6f_7572_u32.to_be_bytes());
    packet.extend(body);
    packet
}

fn take(state: &mut State, packet: &[u8]) {
    let opened = match &mut state.secret {
        Some(secret) => secret.back.open(packet).ok(),
        None => Some(packet.to_vec()),
    };
    let Some(packet) = opened else { return };
    let (Some(kind), Some(body)) = (packet.get(1).map(|it| it & 0x7f), packet.get(HEADER..)) else { return };
    let (Some(sequence), Some(timestamp)) = (packet.get(2..4), packet.get(4..8)) else { return };
    match kind {
        0 => {
            state.sequences.push(u16::from_be_bytes([sequence[0], sequence[1]]));
            state.heard.extend(body.iter().map(|byte| from_ulaw(*byte)));
            let now = Instant::now();
            let stamp = u32::from_be_bytes([timestamp[0], timestamp[1], timestamp[2], timestamp[3]]);
            if let (Some(last), Some(before)) = (state.last, state.stamp) {
                let sent = f64::from(stamp.wrapping_sub(before).cast_signed()) / f64::from(RATE);
                let apart = ((now - last).as_secs_f64() - sent).abs();
                // A pause that no timestamp counts is no jitter.
                if apart < 1.0 {
                    state.jitter += (apart - state.jitter) / 16.0;
                }
            }
            (state.last, state.stamp) = (Some(now), Some(stamp));
        }
        DIGITS => {
            let at = u32::from_be_bytes([timestamp[0], timestamp[1], timestamp[2], timestamp[3]]);
            let key = body.first().and_then(|event| "0123456789*#".chars().nth(usize::from(*event)));
            if let Some(key) = key.filter(|_| state.digit_at != Some(at)) {
                state.digits.push(key);
                state.digit_at = Some(at);
            }
        }
        _ => {}
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
