//! A telephone of the journeys' own, for what no other does on command: it registers, calls, is called, holds in all
//! three ways, transfers, refuses, and tells at any moment what it hears.
//!
//! One UDP socket for SIP, one for the sound of each call. It follows RFC 3261 as far as a caller on loopback must:
//! requests are sent again until they are answered, a 2xx until its ACK.

mod core;
mod line;
mod message;
mod srtp;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::interval;

use self::core::{Core, Datagram};
pub use self::core::{Direction, Manner, State};
pub use self::message::Message;
use crate::sound::Sound;
use crate::tone;
use crate::wait::until;

/// The amplitude of its tone, of full scale.
const AMPLITUDE: f64 = 0.5;
/// How much of what is heard is looked at, in samples of 8 kHz: 400 ms.
const LOOK: usize = 3_200;
/// Weaker than this amplitude is no tone.
const AUDIBLE: f64 = 0.02;
/// The own tone, and every other that must not be there, is so many times weaker: 40 dB.
const BELOW: f64 = 100.0;
/// Without a packet for so long nothing is heard.
const STALE: Duration = Duration::from_millis(300);

/// A telephone. Its calls end with it.
#[derive(Debug)]
pub struct Softphone {
    /// Its number, or the user it registers as.
    pub number: String,
    /// Its SIP port.
    pub port: u16,
    /// Its tone, in hertz.
    pub tone: f64,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    core: Mutex<Core>,
    socket: UdpSocket,
}

/// One call of a telephone.
#[derive(Debug, Clone)]
pub struct Line {
    shared: Arc<Shared>,
    index: usize,
    name: String,
    tone: f64,
}

impl Softphone {
    /// A telephone with this number that speaks with a server on loopback.
    pub fn open(number: &str, server: u16, tone: f64) -> Result<Self> {
        let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        let port = socket.local_addr()?.port();
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, server));
        let core = Mutex::new(Core::new(number, port, server, tone, AMPLITUDE));
        let shared = Arc::new(Shared { core, socket: UdpSocket::from_std(socket)? });
        let task = tokio::spawn(live(Arc::clone(&shared)));
        Ok(Self { number: number.to_owned(), port, tone, shared, task })
    }

    /// What it does with calls that come.
    pub fn set(&self, manner: Manner) {
        self.shared.lock().manner = manner;
    }

    /// The first sequence number of the sound of calls from now on.
    pub fn begin_sequences_at(&self, first: u16) {
        self.shared.lock().first_sequence = first;
    }

    /// Its calls are encrypted from now on (RFC 4568). What is offered to it encrypted, it takes in any case.
    pub fn encrypt(&self) {
        self.shared.lock().encrypts = true;
    }

    /// Header fields of its INVITEs from now on.
    pub fn send_headers(&self, fields: &[(&str, &str)]) {
        let lines = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        self.shared.lock().more_headers = lines.collect();
    }

    /// From now on it goes on sending its sound while it is held, as many do.
    pub fn keep_sending_while_held(&self) {
        self.shared.lock().sends_while_held = true;
    }

    /// Registers, and gives the final status.
    pub async fn register(&self, user: &str, password: &str) -> Result<u16> {
        self.shared.act(|core| {
            core.register(user, password);
            Ok(())
        })?;
        until(&format!("an answer to the REGISTER of {user}"), Duration::from_secs(10), async || {
            self.shared.lock().registered.context("none yet")
        })
        .await
    }

    /// Registers, which must succeed.
    pub async fn register_well(&self, user: &str, password: &str) -> Result<()> {
        let status = self.register(user, password).await?;
        ensure!(status == 200, "the registration of {user} was answered by {status}");
        Ok(())
    }

    /// Calls a number, or whatever the user part of an address may be.
    pub fn dial(&self, number: &str) -> Result<Line> {
        let index = self.shared.act(|core| core.dial(number))?;
        Ok(self.line(index))
    }

    /// How many calls it has had.
    pub fn calls(&self) -> usize {
        self.shared.lock().calls.len()
    }

    /// Waits for the call of this index, counted from 0 over its whole life.
    pub async fn expect_call(&self, index: usize, limit: Duration) -> Result<Line> {
        until(&format!("call {index} at the phone {}", self.number), limit, async || {
            let calls = self.calls();
            ensure!(calls > index, "it had {calls}");
            Ok(self.line(index))
        })
        .await
    }

    /// The requests it was sent, by method, in order.
    pub fn requests(&self, method: &str) -> Vec<Message> {
        let core = self.shared.lock();
        core.requests.iter().filter(|it| it.start.starts_with(&format!("{method} "))).cloned().collect()
    }

    fn line(&self, index: usize) -> Line {
        let name = format!("call {index} of the phone {}", self.number);
        Line { shared: Arc::clone(&self.shared), index, name, tone: self.tone }
    }
}

impl Drop for Softphone {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Line {
    /// Where the call is.
    pub fn state(&self) -> State {
        self.shared.lock().calls[self.index].state
    }

    /// The INVITE that brought it, or made it.
    pub fn invite(&self) -> Message {
        self.shared.lock().calls[self.index].invite.clone()
    }

    /// The key of the far side's sound, as written in its description; none in the clear.
    pub fn far_key(&self) -> Option<String> {
        let core = self.shared.lock();
        let call = &core.calls[self.index];
        call.far_key.as_ref().filter(|_| call.encrypted).map(|(_, key)| srtp::line("", key))
    }

    /// Waits until it rings: a 180 or 183 has come, or it has come here.
    pub async fn expect_ringing(&self, limit: Duration) -> Result<()> {
        self.expect_state("to ring", limit, |state| matches!(state, State::Ringing | State::Up)).await
    }

    /// Waits until it is answered.
    pub async fn expect_answered(&self, limit: Duration) -> Result<()> {
        self.expect_state("to be answered", limit, |state| state == State::Up).await
    }

    /// Waits until it is over, and gives the status: 200 after a conversation.
    pub async fn expect_over(&self, limit: Duration) -> Result<u16> {
        self.expect_state("to be over", limit, |state| matches!(state, State::Over(_))).await?;
        match self.state() {
            State::Over(status) => Ok(status),
            state => bail!("{} is {state:?}", self.name),
        }
    }

    async fn expect_state(&self, what: &str, limit: Duration, fits: impl Fn(State) -> bool) -> Result<()> {
        until(&format!("{} {what}", self.name), limit, async || {
            let state = self.state();
            ensure!(fits(state), "it is {state:?}; {}", self.shared.lock().story());
            Ok(())
        })
        .await
    }

    /// Answers a call that rings here.
    pub fn answer(&self) -> Result<()> {
        self.shared.act(|core| core.answer(self.index))
    }

    /// Refuses a call that rings here.
    pub fn refuse(&self, status: u16) -> Result<()> {
        self.shared.act(|core| core.refuse(self.index, status))
    }

    /// Hangs up, or gives up while it rings there.
    pub fn hang_up(&self) -> Result<()> {
        self.shared.act(|core| core.hang_up(self.index))
    }

    /// Waits for the answer to its BYE, and gives its status.
    pub async fn expect_bye_answered(&self, limit: Duration) -> Result<u16> {
        until(&format!("an answer to the BYE of {}", self.name), limit, async || {
            let core = self.shared.lock();
            core.calls[self.index].bye_status.with_context(|| core.story())
        })
        .await
    }

    /// Offers new sound in a re-INVITE: hold in one of its three ways, or both ways again.
    pub async fn offer(&self, direction: Direction, limit: Duration) -> Result<()> {
        let before = self.shared.lock().calls[self.index].accepted_offers;
        self.shared.act(|core| core.reinvite(self.index, direction))?;
        until(&format!("the answer to a re-INVITE of {}", self.name), limit, async || {
            let core = self.shared.lock();
            ensure!(core.calls[self.index].accepted_offers > before, "{}", core.story());
            Ok(())
        })
        .await
    }

    /// Waits until the far side has put this call on hold, or taken it back, by its own offers.
    pub async fn expect_held(&self, held: bool, limit: Duration) -> Result<()> {
        let what = if held { "to be held" } else { "to be taken back" };
        until(&format!("{} {what}", self.name), limit, async || {
            let core = self.shared.lock();
            let theirs = core.calls[self.index].theirs;
            ensure!(held != matches!(theirs, Direction::SendRecv), "the far side is {theirs:?}; {}", core.story());
            Ok(())
        })
        .await
    }

    /// Sends a REFER to a target, such as `sip:22@127.0.0.1:5060`; with the line that is to be replaced by it.
    pub fn refer(&self, target: &str, replaces: Option<&Self>) -> Result<()> {
        let replaced = replaces.map(|line| line.index);
        self.shared.act(|core| {
            core.refer(self.index, target, replaced);
            Ok(())
        })
    }

    /// Presses keys (RFC 4733).
    pub fn press(&self, keys: &str) {
        if let Some(sound) = &self.shared.lock().calls[self.index].sound {
            sound.press(keys);
        }
    }

    /// Waits until these digits have come, one after the other.
    pub async fn expect_digits(&self, wanted: &str, limit: Duration) -> Result<()> {
        until(&format!("the digits {wanted} at {}", self.name), limit, async || {
            let digits = self.digits();
            ensure!(digits == wanted, "it has {digits:?}");
            Ok(())
        })
        .await
    }

    /// The digits that have come.
    pub fn digits(&self) -> String {
        self.sound(line::Sounding::digits).unwrap_or_default()
    }

    /// The sequence number of its next packet.
    pub fn next_sequence(&self) -> u16 {
        self.sound(line::Sounding::next_sequence).unwrap_or_default()
    }

    /// When the newest packet came to it, and the timestamp of that: the far side's clock.
    pub fn clock(&self) -> Result<(Instant, u32)> {
        self.sound(line::Sounding::clock).flatten().context("no packet has come")
    }

    /// How unevenly packets come to it, and how many sequence numbers were left out so far.
    pub fn jitter_and_loss(&self) -> (Duration, usize) {
        self.sound(line::Sounding::jitter_and_loss).unwrap_or_default()
    }

    /// A place in what is heard, to look from later.
    pub fn mark(&self) -> usize {
        self.sound(line::Sounding::mark).unwrap_or_default()
    }

    /// What was heard after a mark.
    pub fn heard_since(&self, mark: usize) -> Sound {
        self.sound(|sound| sound.since(mark)).unwrap_or(Sound { rate: 8_000, samples: Vec::new() })
    }

    /// Waits until this tone is heard, and neither the own nor any of `not`.
    pub async fn expect_hears(&self, wanted: f64, not: &[f64], limit: Duration) -> Result<()> {
        until(&format!("{wanted} Hz at {}", self.name), limit, async || {
            let sound = self.just_now()?;
            let level = tone::amplitude(&sound.samples, sound.rate, wanted);
            ensure!(level > AUDIBLE, "{wanted} Hz has an amplitude of {level:.4}; {}", spectrum(&sound));
            for other in not.iter().chain([&self.tone]) {
                let level_of_other = tone::amplitude(&sound.samples, sound.rate, *other);
                ensure!(
                    level_of_other < level / BELOW,
                    "{other} Hz is heard as well, at {level_of_other:.4} beside {level:.4}"
                );
            }
            Ok(())
        })
        .await
    }

    /// Waits until something is heard, music or words, in which none of these tones is.
    pub async fn expect_other_sound(&self, not: &[f64], limit: Duration) -> Result<()> {
        until(&format!("music or words at {}", self.name), limit, async || {
            let sound = self.just_now()?;
            let energy = energy(&sound);
            ensure!(energy > AUDIBLE / 4.0, "it is silent: {energy:.4}");
            for other in not.iter().chain([&self.tone]) {
                let level = tone::amplitude(&sound.samples, sound.rate, *other);
                // Words and music have a little of every frequency; a tone of a party has all of it at one.
                ensure!(level < energy, "{other} Hz is what is heard, at {level:.4} of {energy:.4}");
            }
            Ok(())
        })
        .await
    }

    /// Waits until nothing is heard: no packets, or silent ones.
    pub async fn expect_silence(&self, limit: Duration) -> Result<()> {
        until(&format!("silence at {}", self.name), limit, async || match self.just_now() {
            Err(_) => Ok(()),
            Ok(sound) => {
                let energy = energy(&sound);
                ensure!(energy < AUDIBLE / 8.0, "it hears {energy:.4}; {}", spectrum(&sound));
                Ok(())
            }
        })
        .await
    }

    fn just_now(&self) -> Result<Sound> {
        self.sound(|sound| {
            let last = sound.last().context("no packet has come")?;
            ensure!(last.elapsed() < STALE, "the last packet came {} ms ago", last.elapsed().as_millis());
            let mark = sound.mark();
            ensure!(mark >= LOOK, "only {mark} samples have come");
            Ok(sound.since(mark - LOOK))
        })
        .context("the call has no sound")?
    }

    fn sound<T>(&self, look: impl FnOnce(&line::Sounding) -> T) -> Option<T> {
        self.shared.lock().calls[self.index].sound.as_ref().map(look)
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn act<T>(&self, act: impl FnOnce(&mut Core) -> Result<T>) -> Result<T> {
        let mut core = self.lock();
        let outcome = act(&mut core);
        let out = core.out.drain(..).collect();
        drop(core);
        self.send(out);
        outcome
    }

    fn send(&self, out: Vec<Datagram>) {
        for (to, text) in out {
            // What is lost is sent again, as on any network.
            let _ = self.socket.try_send_to(text.as_bytes(), to);
        }
    }
}

async fn live(shared: Arc<Shared>) {
    let mut tick = interval(Duration::from_millis(100));
    let mut buffer = vec![0; 65_536];
    loop {
        let done = tokio::select! {
            _ = tick.tick() => shared.act(|core| { core.tick(Instant::now()); Ok(()) }),
            Ok((length, from)) = shared.socket.recv_from(&mut buffer) => {
                shared.act(|core| core.take(from, &buffer[..length]))
            }
        };
        if let Err(error) = done {
            shared.lock().note(&format!("! {error:#}"));
        }
    }
}

/// The root of the mean square.
#[expect(clippy::cast_precision_loss, reason = "a few thousand samples")]
fn energy(sound: &Sound) -> f64 {
    let sum: f64 = sound.samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (sum / sound.samples.len().max(1) as f64).sqrt()
}

/// The strongest frequency, for the words of a failure.
fn spectrum(sound: &Sound) -> String {
    let level = |hertz: f64| tone::amplitude(&sound.samples, sound.rate, hertz);
    let strongest =
        (10..340).map(|step| f64::from(step) * 10.0).max_by(|one, other| level(*one).total_cmp(&level(*other)));
    strongest.map_or_else(String::new, |hertz| format!("the strongest is {hertz} Hz at {:.4}", level(hertz)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn two_phones_talk_hold_and_hang_up() {
        let called = Softphone::open("1001", 9, 1_000.0).unwrap();
        called.set(Manner::Rings);
        let caller = Softphone::open("1002", called.port, 440.0).unwrap();
        caller.begin_sequences_at(u16::MAX - 10);
        let far = caller.dial("1001").unwrap();
        let near = called.expect_call(0, SOON).await.unwrap();
        far.expect_ringing(SOON).await.unwrap();
        assert!(far.expect_hears(1_000.0, &[], Duration::from_millis(100)).await.is_err(), "nobody has answered");

        near.answer().unwrap();
        far.expect_answered(SOON).await.unwrap();
        far.expect_hears(1_000.0, &[], SOON).await.unwrap();
        near.expect_hears(440.0, &[1_700.0], SOON).await.unwrap();
        assert!(near.expect_hears(1_700.0, &[], Duration::from_millis(100)).await.is_err(), "another tone");
        assert!(near.expect_other_sound(&[440.0], Duration::from_millis(100)).await.is_err(), "a tone is no music");
        assert!(far.next_sequence() < 1_000, "the sequence numbers have rolled over");

        near.offer(Direction::SendOnly, SOON).await.unwrap();
        far.expect_held(true, SOON).await.unwrap();
        near.expect_silence(SOON).await.unwrap();
        near.offer(Direction::SendRecv, SOON).await.unwrap();
        far.expect_held(false, SOON).await.unwrap();
        near.expect_hears(440.0, &[], SOON).await.unwrap();

        far.press("42#");
        near.expect_digits("42#", SOON).await.unwrap();
        assert_eq!((far.far_key(), near.far_key()), (None, None));
        far.hang_up().unwrap();
        assert_eq!(near.expect_over(SOON).await.unwrap(), 200);
        assert_eq!(far.expect_bye_answered(SOON).await.unwrap(), 200);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_encrypted_call_is_heard_after_a_rollover_and_a_hold() {
        let called = Softphone::open("1001", 9, 1_000.0).unwrap();
        let caller = Softphone::open("1002", called.port, 440.0).unwrap();
        caller.encrypt();
        caller.begin_sequences_at(u16::MAX - 10);
        let far = caller.dial("1001").unwrap();
        let near = called.expect_call(0, SOON).await.unwrap();
        far.expect_hears(1_000.0, &[], SOON).await.unwrap();
        near.expect_hears(440.0, &[], SOON).await.unwrap();
        let key = near.far_key();
        assert!(key.is_some() && far.far_key().is_some() && key != far.far_key());

        far.offer(Direction::SendOnly, SOON).await.unwrap();
        far.expect_silence(SOON).await.unwrap();
        far.offer(Direction::SendRecv, SOON).await.unwrap();
        far.expect_hears(1_000.0, &[], SOON).await.unwrap();
        assert_eq!(near.far_key(), key, "the key has stayed");
        far.press("7");
        near.expect_digits("7", SOON).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_refusal_and_a_change_of_mind_end_a_call() {
        let called = Softphone::open("1001", 9, 1_000.0).unwrap();
        called.set(Manner::Refuses(486));
        let caller = Softphone::open("1002", called.port, 440.0).unwrap();
        assert_eq!(caller.dial("1001").unwrap().expect_over(SOON).await.unwrap(), 486);

        called.set(Manner::Rings);
        let far = caller.dial("1001").unwrap();
        far.expect_ringing(SOON).await.unwrap();
        far.hang_up().unwrap();
        assert_eq!(far.expect_over(SOON).await.unwrap(), 487);
        assert_eq!(called.expect_call(1, SOON).await.unwrap().expect_over(SOON).await.unwrap(), 487);
    }
}
