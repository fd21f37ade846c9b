//! The server ends: asked to, it lets calls that run end by themselves and leaves complete records; killed, it has an
//! ended record of each call afterwards, and the far side's BYE finds nothing.

use std::time::Duration;

use anyhow::{Context, ensure};
use cordboard_e2e::desk::{Desk, Habit};
use cordboard_e2e::journey::journey;
use cordboard_e2e::office::{ASHA_DIRECT, Office};
use cordboard_e2e::phone::{Softphone, State};
use cordboard_e2e::stack::SOON;
use cordboard_e2e::wait::until;
use rustix::process::Signal;
use serde_json::{Value, json};

const CALLER_TONE: f64 = 440.0;
const ASHA_TONE: f64 = 1_000.0;
const CALLER: &str = "+447700900951";

#[test]
fn a_server_that_is_asked_to_end_lets_calls_end() {
    journey("drain", async |journey| {
        let office = Office::open(journey).await?;
        let phone = office.desk_phone("Asha", "1003", ASHA_TONE).await?;
        let asha = Desk::open(&office.stack, "Asha", Habit::Watches).await?;
        office.change_support(|support| support["recording"] = json!("on")).await?;
        let caller = Softphone::open(CALLER, office.stack.sip, CALLER_TONE)?;
        let talk = office.connect(&caller, cordboard_e2e::office::SUPPORT, &phone).await?;
        asha.expect_call(&talk.uid, "to be recorded", |call| call["recording"] == "on").await?;

        let mark = asha.mark();
        let program = office.stack.program();
        program.signal(Signal::TERM)?;
        asha.expect(mark, "draining", SOON, |_| true).await?;
        // No new calls, and the one there is goes on.
        let stranger = Softphone::open("+447700900952", office.stack.sip, 620.0)?;
        let late = stranger.dial(ASHA_DIRECT)?;
        let status = late.expect_over(SOON).await?;
        ensure!(status == 503, "a new call was answered by {status}");
        talk.expect_both_hear(CALLER_TONE, ASHA_TONE, &[]).await?;
        program.check()?;
        talk.caller.hang_up()?;
        talk.person.expect_over(SOON).await?;
        let ended = program.wait(Duration::from_secs(20)).await?;
        ensure!(ended.success(), "the server ended with {ended}");

        office.stack.start_again().await?;
        let call = office.expect_ended(&talk.uid).await?;
        ensure!(call["result"] == "answered" && call["ended_by"] == "caller", "{call:#}");
        ensure!(call["recordings"][0]["sha256"].as_str().is_some_and(|sum| sum.len() == 64), "{call:#}");
        Ok(())
    });
}

#[test]
fn a_killed_server_leaves_no_call_open() {
    journey("killed", async |journey| {
        let office = Office::open(journey).await?;
        let phone = office.desk_phone("Asha", "1003", ASHA_TONE).await?;
        let carrier = office.carrier(520.0).await?;
        let asha = Desk::open(&office.stack, "Asha", Habit::Watches).await?;
        let riya = office.desk_phone("Riya", "1004", 620.0).await?;
        let caller = Softphone::open(CALLER, office.stack.sip, CALLER_TONE)?;
        let talk = office.connect(&caller, ASHA_DIRECT, &phone).await?;
        // One that goes out, and one that only rings.
        let near = riya.dial("+447700900953")?;
        near.expect_answered(SOON).await?;
        near.expect_hears(carrier.tone, &[], SOON).await?;
        let ringing = Softphone::open("+447700900954", office.stack.sip, 700.0)?;
        let rings = ringing.dial("+442079460101")?;
        until("three calls", SOON, async || {
            let calls = office.admin.calls(10).await?;
            ensure!(calls.len() == 3, "{} calls", calls.len());
            Ok(())
        })
        .await?;

        office.stack.kill().await?;
        office.stack.start_again().await?;
        until("three ended records", SOON, async || {
            let calls = office.admin.calls(10).await?;
            ensure!(calls.len() == 3 && calls.iter().all(ended_by_the_restart), "{calls:#?}");
            Ok(())
        })
        .await?;
        // The far sides hang up what is no more.
        for line in [&talk.caller, &near] {
            line.hang_up()?;
            ensure!(line.expect_bye_answered(SOON).await? == 481, "the BYE of a lost call found one");
        }
        ensure!(matches!(rings.state(), State::Calling | State::Ringing | State::Up), "{:?}", rings.state());
        // And new calls go as before; the phone's registration is renewed by the phone, or kept.
        asha.expect(0, "snapshot", SOON, |_| true).await?;
        let again = Softphone::open("+447700900955", office.stack.sip, CALLER_TONE)?;
        let line = again.dial(ASHA_DIRECT)?;
        line.expect_ringing(SOON).await.or_else(|error| match line.state() {
            State::Up => Ok(()),
            State::Calling | State::Ringing | State::Over(_) => Err(error),
        })?;
        line.hang_up().context("the new call")
    });
}

fn ended_by_the_restart(call: &Value) -> bool {
    call["state"] == "ended" && call["ended_by"] == "restart" && call["ended_at"].is_string()
}
