//! Callers in a line: they hear their place, press 1, and are called back when their turn comes. A person is rung first,
//! then the number is dialed by the trunk, and both hear each other. Row 10 of the matrix.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cordboard_e2e::desk::{Desk, Habit};
use cordboard_e2e::journey::journey;
use cordboard_e2e::office::{ASHA_DIRECT, Office, SUPPORT, line};
use cordboard_e2e::phone::{Line, Manner, Softphone};
use cordboard_e2e::sound::Sound;
use cordboard_e2e::stack::SOON;
use cordboard_e2e::telephony::{Talk, has_step};
use cordboard_e2e::wait::until;
use serde_json::{Value, json};

const CALLER_TONE: f64 = 440.0;
const ASHA_TONE: f64 = 1_000.0;
const CARRIER_TONE: f64 = 520.0;
/// The number Support shows.
const SHOWN: &str = "+442079460101";
/// The parts in which places are spoken.
const PROMPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../server/assets/prompts/en");
/// A prompt is recognized by this likeness, and another one is far below it.
const SAME: f64 = 0.8;
/// Of a prompt that was not said.
const OTHER: f64 = 0.6;

#[test]
fn a_caller_who_asked_is_called_back_when_their_turn_comes() {
    journey("callbacks", async |journey| {
        let office = Office::open(journey).await?;
        let carrier = office.carrier(CARRIER_TONE).await?;
        carrier.set(Manner::Rings);
        let phone = office.desk_phone("Asha", "1003", ASHA_TONE).await?;
        let asha = Desk::open(&office.stack, "Asha", Habit::Watches).await?;
        office.change_support(|support| support["callback"] = json!(true)).await?;
        phone.set(Manner::Rings);
        reached(&office, &asha, &phone, &carrier).await?;
        not_reached(&office, &asha, &phone, &carrier).await?;
        bound_and_blocked(&office, &asha, &phone, &carrier).await?;
        office.expect_no_calls().await
    });
}

#[test]
fn a_waiting_caller_hears_the_own_place() {
    journey("spoken-places", async |journey| {
        let office = Office::open(journey).await?;
        let phone = office.desk_phone("Asha", "1003", ASHA_TONE).await?;
        office.change_support(|support| support["announce_seconds"] = json!(60)).await?;
        let talker = Softphone::open("+447700900901", office.stack.sip, CALLER_TONE)?;
        let talk = office.connect(&talker, ASHA_DIRECT, &phone).await?;
        let mut lines = Vec::new();
        for (from, place) in [("+447700900902", "1"), ("+447700900903", "2")] {
            let caller = Softphone::open(from, office.stack.sip, CALLER_TONE)?;
            let waiting = caller.dial(SUPPORT)?;
            waiting.expect_answered(SOON).await?;
            let sound = spoken(&waiting, "you-are-number").await?;
            for number in ["1", "2"] {
                let likeness = sound.likeness(&part(number)?);
                let is_said = likeness > SAME;
                ensure!(is_said == (number == place), "{number} is heard at {likeness:.2} in place {place}");
                ensure!(is_said || likeness < OTHER, "{number} can be heard in place {place}: {likeness:.2}");
            }
            lines.push((caller, waiting));
        }
        for (_, waiting) in &lines {
            waiting.hang_up()?;
        }
        talk.caller.hang_up()?;
        office.expect_no_calls().await
    });
}

fn part(name: &str) -> Result<Sound> {
    Sound::read(&Path::new(PROMPTS).join(format!("{name}.wav")))
}

/// Waits until a prompt and what follows it were heard; gives what was.
async fn spoken(line: &Line, prompt: &str) -> Result<Sound> {
    let wanted = part(prompt)?;
    until(&format!("\"{prompt}\" to be said"), SOON, async || {
        let sound = line.heard_since(0);
        let likeness = sound.likeness(&wanted);
        ensure!(likeness > SAME, "it is heard at {likeness:.2} in {:?}", sound.length());
        Ok(())
    })
    .await?;
    let mark = line.mark();
    until("the rest of the sentence", SOON, async || {
        ensure!(line.heard_since(mark).length() >= Duration::from_secs(3), "too little has come");
        Ok(())
    })
    .await?;
    Ok(line.heard_since(0))
}

/// Asha talks; a caller of Support presses 1 and is gone. The talk, and the call that asked.
async fn asks(office: &Office<'_>, phone: &Softphone, from: &str) -> Result<(Talk, String)> {
    let talker = Softphone::open("+447700900911", office.stack.sip, CALLER_TONE)?;
    let talk = office.connect(&talker, ASHA_DIRECT, phone).await?;
    let caller = Softphone::open(from, office.stack.sip, CALLER_TONE)?;
    let waiting = caller.dial(SUPPORT)?;
    waiting.expect_answered(SOON).await?;
    office.expect_support_line(&[from]).await?;
    waiting.press("1");
    waiting.expect_over(SOON).await?;
    let listed = listed(office, from).await?;
    ensure!(listed["due_at"].is_null(), "its turn has not come: {listed:#}");
    let uid = listed["call"].as_str().context("no call")?.to_owned();
    Ok((talk, uid))
}

async fn listed(office: &Office<'_>, number: &str) -> Result<Value> {
    until(&format!("the callback to {number} in the list"), SOON, async || {
        let mut list = office.admin.read("/core/callbacks").await?;
        let Value::Array(callbacks) = list["callbacks"].take() else { anyhow::bail!("no list: {list}") };
        let found = callbacks.iter().find(|it| it["number"] == number).cloned();
        found.with_context(|| format!("{callbacks:#?}"))
    })
    .await
}

/// The record of the call made for a callback.
async fn made(office: &Office<'_>, callback: &str, state: &str) -> Result<Value> {
    office.expect_logged("the call that was made", |call| call["made_for"] == callback && call["state"] == state).await
}

/// Asha's phone rings with the number, and when she has picked it up the number is dialed; both hear each other.
async fn reached(office: &Office<'_>, asha: &Desk, phone: &Softphone, carrier: &Softphone) -> Result<()> {
    let from = "+447700900912";
    let (talk, callback) = asks(office, phone, from).await?;
    let (before, out, mark) = (phone.calls(), carrier.calls(), asha.mark());
    talk.caller.hang_up()?;
    drop(asha.ask("wrapup.done", &json!({})).await?);
    let near = phone.expect_call(before, SOON).await?;
    let shown = near.invite().header("from").unwrap_or_default().to_owned();
    ensure!(shown.contains(from) && shown.contains("Callback"), "the desk phone shows {shown}");
    let ring = asha.expect_ring(mark, from).await?;
    ensure!(ring.data["callback"] == true, "the card cannot say that it is a callback: {:#}", ring.data);
    let uid = ring.data["call"].as_str().context("no call")?.to_owned();
    office.expect_line(&uid, line("Asha", "rung_callback", "1/available")).await?;
    ensure!(carrier.calls() == out, "the number was dialed before anybody had taken it");

    near.answer()?;
    let far = carrier.expect_call(out, SOON).await?;
    ensure!(far.invite().uri().contains(from), "another number was called: {}", far.invite().uri());
    let identity = far.invite().header("p-asserted-identity").unwrap_or_default().to_owned();
    ensure!(identity.contains(SHOWN), "another identity: {identity:?}");
    asha.expect_call(&uid, "to ring", |call| call["state"] == "ringing" && call["direction"] == "outbound").await?;
    far.answer()?;
    far.expect_hears(ASHA_TONE, &[], SOON).await?;
    near.expect_hears(CARRIER_TONE, &[], SOON).await?;
    far.hang_up()?;
    near.expect_over(SOON).await?;
    let call = office.expect_ended(&uid).await?;
    ensure!(call["result"] == "answered" && call["made_for"] == callback.as_str(), "{call:#}");
    ensure!(call["to"]["number"] == from && call["from"]["number"] == SHOWN, "{call:#}");
    ensure!(call["agent"] == asha.agent.as_str() && has_step(&call, "callback"), "{call:#}");
    office.expect_line(&uid, line("Asha", "answered", "1/available")).await?;
    ensure!(office.admin.read("/core/callbacks").await?["callbacks"] == json!([]), "it is still there");
    drop(asha.ask("wrapup.done", &json!({})).await?);
    Ok(())
}

/// They are busy: the log says so, and the callback is tried again later.
async fn not_reached(office: &Office<'_>, asha: &Desk, phone: &Softphone, carrier: &Softphone) -> Result<()> {
    let from = "+447700900913";
    let (talk, callback) = asks(office, phone, from).await?;
    carrier.set(Manner::Refuses(486));
    let before = phone.calls();
    talk.caller.hang_up()?;
    drop(asha.ask("wrapup.done", &json!({})).await?);
    phone.expect_call(before, SOON).await?.answer()?;
    let call = made(office, &callback, "ended").await?;
    ensure!(call["result"] == "missed" && call["cause"] == "busy" && call["sip_status"] == 486, "{call:#}");
    let listed = listed(office, from).await?;
    ensure!(listed["attempts"] == 1 && listed["due_at"].is_null(), "{listed:#}");
    carrier.set(Manner::Rings);
    let done = office.admin.post(&format!("/core/callbacks/{callback}/done"), &json!({})).await?;
    ensure!(done.status.is_success(), "{} {}", done.status, done.text());
    Ok(())
}

/// Row 10: a callback for Asha, who is not to be disturbed, goes onto the follow-up list and rings nobody; the ledger of
/// the call that asked names the cell.
async fn bound_and_blocked(office: &Office<'_>, asha: &Desk, phone: &Softphone, carrier: &Softphone) -> Result<()> {
    let from = "+447700900914";
    let agent = asha.agent.clone();
    office
        .change_policy(|policy| {
            policy["contacts"] = json!([{ "number": from, "name": "A customer", "agent": agent }]);
            let departments = policy["departments"].as_array_mut().into_iter().flatten();
            for support in departments.filter(|it| it["slug"] == "support") {
                support["sticky"] = json!({ "mode": "strict", "hours": 24 });
            }
        })
        .await?;
    let (talk, callback) = asks(office, phone, from).await?;
    let (before, out) = (phone.calls(), carrier.calls());
    office.fact("Asha", "Asha", "dnd", Some(json!({}))).await?;
    talk.caller.hang_up()?;
    office.expect_line(&callback, line("Asha", "skipped_dnd", "10/dnd")).await?;
    until("the callback to be on the follow-up list", SOON, async || {
        let listed = listed(office, from).await?;
        ensure!(listed["due_at"].is_string() && listed["agent"] == asha.agent.as_str(), "{listed:#}");
        Ok(())
    })
    .await?;
    ensure!(phone.calls() == before && carrier.calls() == out, "something rang all the same");
    office.fact("Asha", "Asha", "dnd", None).await.map(drop)
}
