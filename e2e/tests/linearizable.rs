//! Toggles against offers: several writers turn four people On and Away while callers come and go, and the server is
//! killed again and again. Seen from outside, each person's toggle must still be one register: no phone rings after an
//! acknowledged Away, nothing acknowledged is lost, versions only rise.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cordboard_e2e::api::Api;
use cordboard_e2e::desk::{Desk, Habit, micros};
use cordboard_e2e::journey::journey;
use cordboard_e2e::linear::{self, Act, Operation};
use cordboard_e2e::phone::Caller;
use cordboard_e2e::stack::{Options, Stack};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

const SUPPORT: &str = "+442079460102";
const PEOPLE: [&str; 4] = ["Asha", "Riya", "Dev", "Ken"];
/// How long the server lives between two power cuts.
const LIVES: [Duration; 4] =
    [Duration::from_secs(6), Duration::from_secs(5), Duration::from_secs(4), Duration::from_secs(6)];
/// Callers a second.
const CALLERS: u32 = 8;
/// The server carries its wall clock on by a monotonic one, so the two may be apart by so much, in microseconds.
const CLOCKS_APART: u64 = 20_000;
/// A ring is on the wire this soon after its decision, in microseconds.
const ON_THE_WIRE: u64 = 1_000_000;

/// What was seen of each person.
type Histories = Arc<Mutex<BTreeMap<String, Vec<Operation>>>>;

#[test]
fn no_phone_rings_after_an_acknowledged_away_and_nothing_acknowledged_is_lost() {
    journey("linearizable", async |journey| {
        let seed = std::env::var("CORDBOARD_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(micros);
        println!("seed {seed}; CORDBOARD_SEED sets it");
        let stack = journey.stack_with(Options { arguments: vec!["--no-rate-limits".to_owned()] }).await?;
        let histories = Histories::default();
        let mut desks = Vec::new();
        let mut begin = Vec::new();
        for name in PEOPLE {
            desks.push(Desk::open(&stack, name, Habit::Rings).await?);
            let presence = stack.api_as(name)?.read(&path(&stack.person(name)?.uuid)).await?;
            begin.push((presence["state"] == 1, rev(&presence)?));
        }

        let running = Arc::new(AtomicBool::new(true));
        let mut writers = Vec::new();
        for (number, name) in PEOPLE.iter().enumerate() {
            let agent = stack.person(name)?.uuid.clone();
            for (hand, api) in [stack.api_as(name)?, stack.api_as("Meera")?].into_iter().enumerate() {
                let writer = Writer {
                    api,
                    agent: agent.clone(),
                    device: format!("hand-{hand}"),
                    random: Random(seed ^ ((number as u64) << 8) ^ (hand as u64)),
                    intent: 0,
                    histories: Arc::clone(&histories),
                };
                writers.push(tokio::spawn(writer.work(Arc::clone(&running))));
            }
        }
        for (life, span) in LIVES.iter().enumerate() {
            if life > 0 {
                stack.kill().await?;
                stack.start_again().await?;
            }
            let callers = Caller::stream(journey, SUPPORT, stack.sip, CALLERS)?;
            sleep(*span).await;
            if life + 1 < LIVES.len() {
                // The power goes while callers call and writers write.
                stack.kill().await?;
            }
            callers.stop().await?;
        }
        running.store(false, Ordering::Relaxed);
        for writer in writers {
            writer.await?;
        }
        judge(&stack, &desks, &begin, &histories).await.with_context(|| format!("with seed {seed}"))
    });
}

/// Brings the rings into the histories and looks whether each could be that of one register.
async fn judge(stack: &Stack, desks: &[Desk], begin: &[(bool, u64)], histories: &Histories) -> Result<()> {
    let admin = stack.api_as("Meera")?;
    // Of one call each person rings once at most; later decisions of the call repeat what came of it.
    let mut decided: BTreeMap<(String, String), u64> = BTreeMap::new();
    for call in admin.all_calls().await? {
        let uid = call["uid"].as_str().context("a call without uid")?;
        for decision in admin.decisions(uid).await? {
            let at = millis(&decision["at"])?;
            for member in decision["members"].as_array().into_iter().flatten().filter(|member| is_rung(member)) {
                let agent = member["agent"].as_str().context("a member without id")?;
                let first = decided.entry((uid.to_owned(), agent.to_owned())).or_insert(at);
                *first = at.min(*first);
            }
        }
    }
    let mut written = 0;
    for (desk, (on, version)) in desks.iter().zip(begin) {
        let mut history = lock(histories).remove(&desk.agent).unwrap_or_default();
        written += history.iter().filter(|operation| matches!(operation.act, Act::Wrote { changed: true, .. })).count();
        // The choice was made between the instant its cause came in, which the decision carries, and the ring at the desk.
        let heard: BTreeMap<String, u64> = desk
            .heard("ring")
            .iter()
            .map(|ring| (ring.data["call"].as_str().unwrap_or_default().to_owned(), ring.at))
            .collect();
        let mine: BTreeMap<&String, u64> = decided
            .iter()
            .filter(|((_, agent), _)| *agent == desk.agent)
            .map(|((call, _), at)| (call, at * 1_000))
            .collect();
        for (call, at) in &mine {
            let end = heard.get(*call).copied().unwrap_or(at + ON_THE_WIRE);
            ensure!(end + CLOCKS_APART >= *at, "{} heard call {call} ring before it was decided", desk.name);
            let begin = at - CLOCKS_APART;
            history.push(Operation { begin, end: end.max(begin), act: Act::Rang });
        }
        // A ring whose decision did not reach the disk before the power went counts by what the desk heard.
        for (_, at) in heard.iter().filter(|(call, _)| !mine.contains_key(call)) {
            history.push(Operation { begin: at - ON_THE_WIRE, end: *at, act: Act::Rang });
        }
        let rings = mine.len();
        let presence = admin.read(&path(&desk.agent)).await?;
        let now = micros();
        let act = Act::Read { on: presence["state"] == 1, version: rev(&presence)? };
        history.push(Operation { begin: now, end: now, act });
        ensure!(rings > 0, "nobody ever rang {}: this says nothing", desk.name);
        linear::check(*on, *version, &history).with_context(|| format!("the toggle of {}", desk.name))?;
    }
    ensure!(written > 200, "only {written} changes were acknowledged: this says little");
    Ok(())
}

/// One of those who turn a person's toggle.
struct Writer {
    api: Api,
    agent: String,
    device: String,
    random: Random,
    intent: u64,
    histories: Histories,
}

impl Writer {
    async fn work(mut self, running: Arc<AtomicBool>) {
        while running.load(Ordering::Relaxed) {
            let begin = micros();
            let outcome = if self.random.below(4) == 0 { self.read().await } else { self.write().await };
            if let Some(act) = outcome {
                let operation = Operation { begin, end: micros(), act };
                lock(&self.histories).entry(self.agent.clone()).or_default().push(operation);
            }
            sleep(Duration::from_millis(self.random.below(90))).await;
        }
    }

    async fn read(&mut self) -> Option<Act> {
        let body = self.api.read(&path(&self.agent)).await.ok()?;
        self.intent = body["intent"].as_u64().unwrap_or(0);
        Some(Act::Read { on: body["state"] == 1, version: rev(&body).ok()? })
    }

    async fn write(&mut self) -> Option<Act> {
        let on = self.random.below(2) == 0;
        let body = json!({ "state": u8::from(on) }).to_string().into_bytes();
        // Half of them carry an intent number, of which some are old: those must change nothing.
        let intent = format!("{};{}", self.intent + 2 - self.random.below(3), self.device);
        let mut headers = vec![("content-type", "application/json")];
        if self.random.below(2) == 0 {
            headers.push(("x-presence-intent", intent.as_str()));
        }
        let answer = match self.api.send(Method::POST, &path(&self.agent), &headers, Some(body)).await {
            Ok(answer) => answer,
            // Where nobody listens nothing was written; an answer that does not come is another matter.
            Err(error) if error.downcast_ref().is_some_and(reqwest::Error::is_connect) => return None,
            Err(_) => return Some(Act::Maybe { on }),
        };
        match answer.status.as_u16() {
            200 => {
                let body = answer.json().ok()?;
                self.intent = body["intent"].as_u64().unwrap_or(self.intent);
                Some(Act::Wrote { on: body["state"] == 1, version: rev(&body).ok()?, changed: body["changed"] == true })
            }
            500.. => Some(Act::Maybe { on }),
            _ => None,
        }
    }
}

fn path(agent: &str) -> String {
    format!("/core/agents/{agent}/presence")
}

/// The second part of `epoch.rev`; there is one epoch here.
fn rev(presence: &Value) -> Result<u64> {
    let version = presence["version"].as_str().context("no version")?;
    Ok(version.split_once('.').context("not epoch.rev")?.1.parse()?)
}

/// Whether the phone of a member rang, whatever came of it.
fn is_rung(member: &Value) -> bool {
    let reason = member["reason"].as_str().unwrap_or_default();
    reason.starts_with("rung")
        || [
            "answered",
            "missed_no_answer",
            "declined",
            "declined_by_status",
            "answered_elsewhere",
            "caller_hung_up",
            "device_did_not_confirm",
        ]
        .contains(&reason)
}

/// Milliseconds since 1970 of an instant as the API writes it.
fn millis(value: &Value) -> Result<u64> {
    let text = value.as_str().context("no instant")?;
    let at: cordboard_shared::Millis = text.parse().map_err(|error| anyhow::anyhow!("{text}: {error}"))?;
    Ok(u64::try_from(at.0)?)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Chance from a seed: splitmix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % most
    }
}
