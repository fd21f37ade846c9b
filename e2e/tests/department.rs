//! A department's number: who is Away is skipped and the log says why, the next in order rings, and with nobody left
//! the voicemail records what the panel then plays.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cordboard_e2e::browser::Tab;
use cordboard_e2e::journey::journey;
use cordboard_e2e::panel::Availability::Away;
use cordboard_e2e::phone::Baresip;
use cordboard_e2e::sound::Sound;
use cordboard_e2e::stack::{SOON, Stack};
use cordboard_e2e::{Journey, api::Api, log, panel, tone};
use serde_json::{Value, json};
use tokio::time::sleep;

const SUPPORT: &str = "+442079460102";
const CALLER: &str = "+447700900123";
const CALLER_TONE: f64 = 440.0;
const AGENT_TONE: f64 = 1_000.0;
/// Long enough for the greeting, the beep and some seconds of message.
const MESSAGE: Duration = Duration::from_secs(14);

#[test]
fn away_is_skipped_and_with_nobody_left_voicemail_records() {
    journey("department", async |journey| {
        let stack = journey.stack().await?;
        let browser = journey.browser(AGENT_TONE).await?;
        let asha = journey.person(&browser, "Asha Rao").await?;
        let riya = journey.person(&browser, "Riya Sen").await?;
        stack.at_work(&asha, "Asha").await?;
        stack.at_work(&riya, "Riya").await?;
        let api = stack.api_as("Meera")?;

        panel::switch(&asha, Away).await?;
        asha.pictures("away").await?;
        riya_answers(journey, &stack, &asha, &riya).await?;
        let calls = log::ended_calls(&api, 1).await?;
        let asha_id = &stack.person("Asha")?.uuid;
        let skipped = log::expect_reason(&api, &calls[0], asha_id, "skipped_away").await?;
        log::expect(
            &skipped,
            &[("/fact/name", json!("toggle")), ("/fact/value", json!(0)), ("/fact/source", json!("panel"))],
        )?;
        log::expect_reason(&api, &calls[0], &stack.person("Riya")?.uuid, "answered").await?;
        // Each member stands in the ledger, also those whose turn did not come.
        log::ledger_entry(&api, &calls[0], &stack.person("Ken")?.uuid).await?;

        panel::switch(&riya, Away).await?;
        let phone = Baresip::dial(journey, CALLER, SUPPORT, stack.sip, CALLER_TONE)?;
        phone.expect_answered(SOON).await?;
        panel::expect_never_rings(&asha, Duration::from_secs(1)).await?;
        sleep(MESSAGE).await;
        phone.hang_up().await?;
        let calls = log::ended_calls(&api, 2).await?;
        let call = &calls[0];
        log::expect(
            call,
            &[("/result", json!("voicemail")), ("/ended_by", json!("caller")), ("/sip_status", json!(200))],
        )?;
        for (name, reason) in [
            ("Asha", "skipped_away"),
            ("Riya", "skipped_away"),
            ("Dev", "skipped_no_device"),
            ("Ken", "skipped_no_device"),
        ] {
            log::expect_reason(&api, call, &stack.person(name)?.uuid, reason).await?;
        }
        expect_recording(journey, &api, call).await?;
        the_log_tells_and_plays(journey, &stack, &browser).await?;
        asha.expect_no_complaints()?;
        riya.expect_no_complaints()
    });
}

/// A call to the department passes Asha over and rings Riya, who takes it.
async fn riya_answers(journey: &Journey, stack: &Stack, asha: &Tab, riya: &Tab) -> Result<()> {
    let phone = Baresip::dial(journey, CALLER, SUPPORT, stack.sip, CALLER_TONE)?;
    panel::expect_ringing(riya, CALLER).await?;
    panel::expect_never_rings(asha, Duration::from_secs(1)).await?;
    riya.pictures("riya-rings").await?;
    panel::answer(riya).await?;
    phone.expect_answered(SOON).await?;
    riya.expect_hears(panel::EAR, CALLER_TONE, AGENT_TONE, SOON).await?;
    panel::hang_up(riya).await?;
    phone.expect_over(SOON).await
}

/// The recording is what the log says it is, and holds the caller's tone after the beep.
async fn expect_recording(journey: &Journey, api: &Api, call: &Value) -> Result<()> {
    let recording = &call["recordings"][0];
    ensure!(recording["kind"] == "voicemail", "no voicemail in {call:#}");
    let id = recording["id"].as_str().context("the recording has no id")?;
    let answer = api.get(&format!("/core/recordings/{id}")).await?;
    ensure!(answer.status == 200, "the recording: {}", answer.text());
    ensure!(
        recording["sha256"] == sha256(&answer.body).as_str(),
        "the recording is not the one in the log: {recording}"
    );
    let path = journey.folder().join("voicemail.wav");
    std::fs::write(&path, &answer.body)?;
    let sound = Sound::read(&path)?;
    let length = u64::try_from(sound.length().as_millis())?;
    let logged = recording["ms"].as_u64().context("the recording has no length")?;
    ensure!(length.abs_diff(logged) <= 100, "{length} ms are recorded, {logged} ms are logged");
    ensure!(length >= 2_000, "only {length} ms are recorded");
    let level = tone::amplitude(&sound.samples[sound.samples.len() / 2..], sound.rate, CALLER_TONE);
    ensure!((0.35..0.7).contains(&level), "the caller's tone has an amplitude of {level}");
    let part =
        api.send(reqwest::Method::GET, &format!("/core/recordings/{id}"), &[("range", "bytes=0-43")], None).await?;
    ensure!(part.status == 206 && part.body == answer.body[..44], "a part of it: {}", part.status);
    Ok(())
}

/// The admin reads the reasons in words and plays the message.
async fn the_log_tells_and_plays(
    journey: &Journey,
    stack: &Stack,
    browser: &cordboard_e2e::browser::Browser,
) -> Result<()> {
    let meera = journey.person(browser, "Meera Nair").await?;
    stack.sign_in(&meera, "Meera").await?;
    let why = panel::open_why(&meera, 0).await?;
    why.expect_words("Asha Rao: skipped, Away since", SOON).await?;
    why.expect_words("set by Asha Rao in the panel", SOON).await?;
    meera.pictures("why").await?;
    meera.button("Play voicemail").first().click().await?;
    cordboard_e2e::wait::until("the voicemail to play", SOON, async || {
        let playing = meera
            .evaluate(
                "[...document.querySelectorAll('audio[controls]')].some((audio) => audio.ariaLabel?.startsWith('Voicemail from')
                    && audio.currentTime > 0.3 && !audio.error)",
            )
            .await?;
        ensure!(playing == true, "no audio labelled as a voicemail plays");
        anyhow::Ok(())
    })
    .await?;
    meera.picture("voicemail-plays").await?;
    meera.expect_accessible().await?;
    meera.expect_no_complaints()
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    format!("{:x}", sha2::Sha256::digest(bytes))
}
