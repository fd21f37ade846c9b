//! A department records: both sides are told, each has a channel of its own, and nothing of a pause is kept.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cordboard_e2e::desk::{Desk, Habit};
use cordboard_e2e::journey::journey;
use cordboard_e2e::office::{Office, SUPPORT};
use cordboard_e2e::phone::{Manner, Softphone};
use cordboard_e2e::sound::Sound;
use cordboard_e2e::stack::SOON;
use cordboard_e2e::telephony::has_step;
use cordboard_e2e::tone;
use serde_json::{Value, json};
use tokio::time::sleep;

const CALLER_TONE: f64 = 440.0;
const ASHA_TONE: f64 = 1_000.0;
/// Asha hangs up and takes the call on another phone, whose tone must not be in the recording: it is paused then.
const SECRET_TONE: f64 = 1_300.0;
const TALK: Duration = Duration::from_secs(3);

#[test]
fn conversations_are_recorded_in_two_channels_without_what_was_paused() {
    journey("recording", async |journey| {
        let office = Office::open(journey).await?;
        let phone = office.desk_phone("Asha", "1003", ASHA_TONE).await?;
        let asha = Desk::open(&office.stack, "Asha", Habit::Watches).await?;
        office.change_support(|support| support["recording"] = json!("on")).await?;

        let caller = Softphone::open("+447700900851", office.stack.sip, CALLER_TONE)?;
        phone.set(Manner::Answers);
        let outside = caller.dial(SUPPORT)?;
        let near = phone.expect_call(0, SOON).await?;
        // The announcement, to both, before anything is kept.
        outside.expect_other_sound(&[], SOON).await?;
        near.expect_other_sound(&[], SOON).await?;
        let state = asha.expect(0, "call.state", SOON, |call| call["recording"] == "on").await?;
        let uid = state.data["uid"].as_str().context("no uid")?.to_owned();
        outside.expect_hears(ASHA_TONE, &[], SOON).await?;
        near.expect_hears(CALLER_TONE, &[], SOON).await?;
        sleep(TALK).await;

        // While paused the sound moves to a phone with another tone, and back.
        let secret = office.desk_phone("Asha", "1005", SECRET_TONE).await?;
        asha.must("call.record", &json!({ "call": uid, "on": false })).await?;
        asha.expect_call(&uid, "to pause", |call| call["recording"] == "paused").await?;
        asha.must("call.move", &json!({ "call": uid, "device": "phone:1005" })).await?;
        outside.expect_hears(SECRET_TONE, &[ASHA_TONE], SOON).await?;
        sleep(TALK).await;
        let before = phone.calls();
        asha.must("call.move", &json!({ "call": uid, "device": "phone:1003" })).await?;
        let near = phone.expect_call(before, SOON).await?;
        outside.expect_hears(ASHA_TONE, &[SECRET_TONE], SOON).await?;
        asha.must("call.record", &json!({ "call": uid, "on": true })).await?;
        asha.expect_call(&uid, "to go on", |call| call["recording"] == "on").await?;
        near.expect_hears(CALLER_TONE, &[], SOON).await?;
        sleep(TALK).await;
        outside.hang_up()?;
        near.expect_over(SOON).await?;
        drop(secret);

        let call = office.expect_ended(&uid).await?;
        ensure!(
            has_step(&call, "recording_paused") && has_step(&call, "recording_resumed"),
            "no steps of the recording: {call:#}"
        );
        kept(&office, &call).await?;
        office.expect_no_calls().await
    });
}

/// Left the caller alone, right Asha alone, and nothing of the pause.
async fn kept(office: &Office<'_>, call: &Value) -> Result<()> {
    let call = cordboard_e2e::wait::until("the recording to be complete", SOON, async || {
        let call = office.call(call["uid"].as_str().unwrap_or_default()).await?;
        ensure!(call["recordings"][0]["sha256"].as_str().is_some_and(|sum| sum.len() == 64), "{call:#}");
        Ok(call)
    })
    .await?;
    let recording = &call["recordings"][0];
    ensure!(recording["kind"] == "call", "no recording of a conversation: {call:#}");
    let id = recording["id"].as_str().context("no id")?;
    let file = office.admin.get(&format!("/core/recordings/{id}")).await?;
    ensure!(file.status == 200, "{}", file.text());
    let sum = format!("{:x}", <sha2::Sha256 as sha2::Digest>::digest(&file.body));
    ensure!(recording["sha256"] == sum.as_str(), "the file is not the one in the log: {recording}");
    let path = office.journey.folder().join("call.wav");
    std::fs::write(&path, &file.body)?;
    for (channel, own, other) in [(0, CALLER_TONE, ASHA_TONE), (1, ASHA_TONE, CALLER_TONE)] {
        let sound = Sound::read_channel(&path, channel)?;
        let seconds = sound.length().as_secs_f64();
        ensure!((5.0..60.0).contains(&seconds), "{seconds:.1} s are kept");
        let window = usize::try_from(sound.rate)? / 5;
        let level = |hertz: f64| {
            let chunks = sound.samples.chunks_exact(window);
            chunks.map(|chunk| tone::amplitude(chunk, sound.rate, hertz)).fold(0.0, f64::max)
        };
        let (mine, theirs, secret) = (level(own), level(other), level(SECRET_TONE));
        ensure!(mine > 0.3, "channel {channel} holds {own} Hz at {mine:.3} only");
        ensure!(theirs < mine / 50.0, "channel {channel} holds {other} Hz of the other side at {theirs:.4}");
        ensure!(secret < mine / 50.0, "channel {channel} holds {secret:.4} of what was said in the pause");
    }
    Ok(())
}
