//! Calls that others take: from the park, out of the line, from a colleague's ringing phone; and calls that move from one
//! device to another. And mobiles, which must press 1.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cordboard_e2e::desk::{Desk, Habit};
use cordboard_e2e::journey::journey;
use cordboard_e2e::office::{ASHA_DIRECT, Office, SUPPORT, line};
use cordboard_e2e::phone::{Line, Manner, Softphone, State};
use cordboard_e2e::stack::SOON;
use cordboard_e2e::telephony::has_step;
use cordboard_e2e::wait::throughout;
use serde_json::{Value, json};

const CALLER_TONE: f64 = 440.0;
const ASHA_TONE: f64 = 1_000.0;
const RIYA_TONE: f64 = 620.0;
const MOBILE_TONE: f64 = 520.0;
const MOBILE: &str = "+447700900801";
/// A mobile has 15 s to press 1.
const NO_KEY: Duration = Duration::from_secs(25);

#[test]
fn parked_and_waiting_calls_are_taken_and_move_between_devices() {
    journey("park", async |journey| {
        let office = Office::open(journey).await?;
        let asha_phone = office.desk_phone("Asha", "1003", ASHA_TONE).await?;
        let riya_phone = office.desk_phone("Riya", "1004", RIYA_TONE).await?;
        let asha = Desk::open(&office.stack, "Asha", Habit::Watches).await?;
        let riya = Desk::open(&office.stack, "Riya", Habit::Watches).await?;
        parked(&office, &asha, &asha_phone, &riya, &riya_phone).await?;
        moved(&office, &asha, &asha_phone).await?;
        office.expect_no_calls().await
    });
}

#[test]
fn waiting_and_ringing_calls_are_taken_by_those_who_may() {
    journey("take", async |journey| {
        let office = Office::open(journey).await?;
        let asha = Desk::open(&office.stack, "Asha", Habit::Rings).await?;
        let riya = Desk::open(&office.stack, "Riya", Habit::Rings).await?;
        let tom = Desk::open(&office.stack, "Tom", Habit::Watches).await?;
        picked_up(&office, &asha, &riya, &tom).await?;
        taken_from_the_line(&office, &asha, &riya).await
    });
}

#[test]
fn a_mobile_takes_a_call_only_by_pressing_1() {
    journey("mobile", async |journey| {
        let office = Office::open(journey).await?;
        let carrier = office.carrier(MOBILE_TONE).await?;
        let asha = office.stack.person("Asha")?.uuid.clone();
        office
            .change_telephony(|telephony| {
                telephony["mobiles"] = json!([{ "agent": asha, "number": MOBILE, "rings": true }]);
            })
            .await?;
        office.expect_devices("Asha", 1).await?;
        pressed(&office, &carrier).await?;
        its_voicemail_takes_no_call(&office, &carrier).await?;
        office.expect_no_calls().await
    });
}

/// Parked by Asha, on the floor for both; taken back by the slot's number on Riya's phone, and sound is there.
async fn parked(
    office: &Office<'_>,
    asha: &Desk,
    asha_phone: &Softphone,
    riya: &Desk,
    riya_phone: &Softphone,
) -> Result<()> {
    let caller = Softphone::open("+447700900811", office.stack.sip, CALLER_TONE)?;
    let talk = office.connect(&caller, SUPPORT, asha_phone).await?;
    let mark = riya.mark();
    let parked = asha.must("call.park", &json!({ "call": talk.uid })).await?;
    let slot = parked["slot"].as_str().context("no slot")?;
    ensure!((701..=720).contains(&slot.parse::<u16>()?), "the slot is {slot}");
    talk.person.expect_over(SOON).await?;
    talk.caller.expect_other_sound(&[ASHA_TONE], SOON).await?;
    riya.expect(mark, "floor.changed", SOON, |floor| {
        floor["calls"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|call| call["call"] == talk.uid.as_str() && call["state"] == "parked" && call["slot"] == slot)
    })
    .await?;
    drop(asha.ask("wrapup.done", &json!({})).await?);

    let taken = riya_phone.dial(slot)?;
    taken.expect_answered(SOON).await?;
    taken.expect_hears(CALLER_TONE, &[], SOON).await?;
    talk.caller.expect_hears(RIYA_TONE, &[ASHA_TONE], SOON).await?;
    taken.hang_up()?;
    talk.caller.expect_over(SOON).await?;
    let call = office.expect_ended(&talk.uid).await?;
    ensure!(has_step(&call, "parked") && has_step(&call, "retrieved"), "no steps: {call:#}");
    ensure!(call["agent"] == riya.agent.as_str(), "{call:#}");
    drop(riya.ask("wrapup.done", &json!({})).await?);
    // An empty place gives nothing.
    let nothing = riya_phone.dial(slot)?;
    let status = nothing.expect_over(SOON).await?;
    ensure!(status >= 400, "an empty place answered {status}");
    Ok(())
}

/// From one desk phone to another while the caller talks on.
async fn moved(office: &Office<'_>, asha: &Desk, first: &Softphone) -> Result<()> {
    let caller = Softphone::open("+447700900812", office.stack.sip, CALLER_TONE)?;
    let talk = office.connect(&caller, ASHA_DIRECT, first).await?;
    let second = office.desk_phone("Asha", "1005", 1_300.0).await?;
    office.expect_devices("Asha", 2).await?;
    let before = second.calls();
    asha.must("call.move", &json!({ "call": talk.uid, "device": "phone:1005" })).await?;
    let there = second.expect_call(before, SOON).await?;
    there.expect_hears(CALLER_TONE, &[], SOON).await?;
    talk.caller.expect_hears(1_300.0, &[ASHA_TONE], SOON).await?;
    talk.person.expect_over(SOON).await?;
    asha.expect_call(&talk.uid, "to be at the other phone", |call| call["device"] == "phone:1005").await?;
    there.hang_up()?;
    talk.caller.expect_over(SOON).await?;
    let call = office.expect_ended(&talk.uid).await?;
    ensure!(has_step(&call, "moved"), "no step: {call:#}");
    drop(asha.ask("wrapup.done", &json!({})).await?);
    Ok(())
}

/// Row 12: it rings at Asha's, and Riya, of the same department, takes it; Tom, of another, may not.
async fn picked_up(office: &Office<'_>, asha: &Desk, riya: &Desk, tom: &Desk) -> Result<()> {
    let from = "+447700900821";
    let (mark, riyas) = (asha.mark(), riya.mark());
    let caller = Softphone::open(from, office.stack.sip, CALLER_TONE)?;
    let outside = caller.dial(SUPPORT)?;
    let ring = asha.expect_ring(mark, from).await?;
    let uid = ring.data["call"].as_str().context("no call")?.to_owned();
    riya.expect(riyas, "floor.changed", SOON, |floor| on_floor(floor, &uid, "ringing")).await?;
    let order = json!({ "call": uid });
    ensure!(tom.ask("call.take", &order).await?.is_err(), "Tom took a call of a department that is not his");
    riya.must("call.take", &order).await?;
    let offer = ring.data["offer"].clone();
    let stop = asha.expect(mark, "ring.stop", SOON, |stop| stop["offer"] == offer).await?;
    ensure!(stop.data["reason"] == "answered_elsewhere", "{:#}", stop.data);
    outside.expect_answered(SOON).await?;
    riya.expect_call(&uid, "to be hers", |call| call["state"] == "connected").await?;
    office.expect_line(&uid, line("Riya", "answered", "12/available")).await?;
    outside.hang_up()?;
    let call = office.expect_ended(&uid).await?;
    ensure!(call["agent"] == riya.agent.as_str() && has_step(&call, "picked_up"), "{call:#}");
    drop(riya.ask("wrapup.done", &json!({})).await?);
    Ok(())
}

/// Row 13: the second caller waits while Asha's phone rings with the first; Riya, who is Away and rings with nothing,
/// takes the one who waits.
async fn taken_from_the_line(office: &Office<'_>, asha: &Desk, riya: &Desk) -> Result<()> {
    let (first, second) = ("+447700900822", "+447700900823");
    office.toggle("Riya", 0).await?;
    office.fact("Riya", "Riya", "dnd", Some(json!({}))).await?;
    let mark = asha.mark();
    let one = Softphone::open(first, office.stack.sip, CALLER_TONE)?;
    let one_line = one.dial(SUPPORT)?;
    asha.expect_ring(mark, first).await?;
    let other = Softphone::open(second, office.stack.sip, CALLER_TONE)?;
    let other_line = other.dial(SUPPORT)?;
    let waiting = office.expect_support_line(&[first, second]).await?;
    let uid = waiting[1]["call"].as_str().context("no call")?.to_owned();

    // Do not disturb: not her hand's to take, either (13/dnd).
    let order = json!({ "call": uid });
    ensure!(riya.ask("call.take", &order).await?.is_err(), "taken while not to be disturbed");
    office.fact("Riya", "Riya", "dnd", None).await?;
    riya.must("call.take", &order).await?;
    riya.expect_call(&uid, "to be hers", |call| call["state"] == "connected").await?;
    let decisions = office.admin.decisions(&uid).await?;
    ensure!(decisions.iter().any(|it| it.to_string().contains("13/away")), "{decisions:#?}");
    for line in [one_line, other_line] {
        line.hang_up()?;
    }
    office.expect_ended(&uid).await.map(drop)
}

fn on_floor(floor: &Value, call: &str, state: &str) -> bool {
    floor["calls"].as_array().into_iter().flatten().any(|it| it["call"] == call && it["state"] == state)
}

async fn at_the_mobile(carrier: &Softphone, before: usize) -> Result<Line> {
    let mobile = carrier.expect_call(before, SOON).await?;
    ensure!(mobile.invite().uri().contains(MOBILE), "another number rings: {}", mobile.invite().uri());
    Ok(mobile)
}

/// The caller rings on until 1 is pressed; then both hear each other.
async fn pressed(office: &Office<'_>, carrier: &Softphone) -> Result<()> {
    let before = carrier.calls();
    let caller = Softphone::open("+447700900831", office.stack.sip, CALLER_TONE)?;
    let outside = caller.dial(ASHA_DIRECT)?;
    let mobile = at_the_mobile(carrier, before).await?;
    mobile.expect_other_sound(&[CALLER_TONE], SOON).await?;
    mobile.press("5");
    throughout("the caller is not answered", Duration::from_secs(1), async || {
        ensure!(outside.state() == State::Ringing, "the caller is {:?}", outside.state());
        Ok(())
    })
    .await?;
    mobile.press("1");
    outside.expect_answered(SOON).await?;
    outside.expect_hears(MOBILE_TONE, &[], SOON).await?;
    mobile.expect_hears(CALLER_TONE, &[], SOON).await?;
    outside.hang_up()?;
    mobile.expect_over(SOON).await?;
    let call = office.expect_logged("the call", |call| call["from"]["number"] == "+447700900831").await?;
    let uid = call["uid"].as_str().context("no uid")?;
    office.expect_line(uid, line("Asha", "answered", "6/available")).await.map(drop)
}

/// What answers and presses nothing is a machine: it gets no call, and the caller comes to Asha's own box here.
async fn its_voicemail_takes_no_call(office: &Office<'_>, carrier: &Softphone) -> Result<()> {
    carrier.set(Manner::Answers);
    let before = carrier.calls();
    let caller = Softphone::open("+447700900832", office.stack.sip, CALLER_TONE)?;
    let outside = caller.dial(ASHA_DIRECT)?;
    let mobile = at_the_mobile(carrier, before).await?;
    mobile.expect_answered(SOON).await?;
    ensure!(mobile.expect_over(NO_KEY).await? == 200, "it was not hung up");
    outside.expect_answered(SOON).await?;
    outside.expect_other_sound(&[MOBILE_TONE], SOON).await?;
    outside.hang_up()?;
    let call = office
        .expect_logged("the call", |call| call["from"]["number"] == "+447700900832" && call["state"] == "ended")
        .await?;
    ensure!(call["result"] != "answered", "the mobile's machine took the call: {call:#}");
    Ok(())
}
