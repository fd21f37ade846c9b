//! A caller dials a person's number: the browser rings, both hear each other and not themselves, either side ends it.

use std::time::Duration;

use anyhow::ensure;
use cordboard_e2e::browser::MICROPHONE_AMPLITUDE;
use cordboard_e2e::journey::journey;
use cordboard_e2e::phone::Baresip;
use cordboard_e2e::stack::SOON;
use cordboard_e2e::tone::{self, Expected};
use cordboard_e2e::{log, panel};
use serde_json::json;

const ASHA_DIRECT: &str = "+442079460103";
const CALLER: &str = "+447700900123";
/// The caller's tone and the agent's.
const CALLER_TONE: f64 = 440.0;
const AGENT_TONE: f64 = 1_000.0;
/// A recording has to be long enough to be judged.
const TALK: Duration = Duration::from_secs(5);
/// Enough of a tone to stand in a recording.
const RECORDED: Duration = Duration::from_secs(1);

#[test]
fn a_caller_and_an_agent_hear_each_other() {
    journey("direct-call", async |journey| {
        let stack = journey.stack().await?;
        let browser = journey.browser(AGENT_TONE).await?;
        let asha = journey.person(&browser, "Asha Rao").await?;
        asha.goto(&format!("{}/sign-in", stack.url())).await?;
        asha.button("Sign in").expect(SOON).await?;
        asha.pictures("sign-in").await?;
        stack.at_work(&asha, "Asha").await?;
        asha.pictures("desk").await?;

        let phone = Baresip::dial(journey, CALLER, ASHA_DIRECT, stack.sip, CALLER_TONE)?;
        panel::expect_ringing(&asha, CALLER).await?;
        asha.pictures("incoming").await?;
        ensure!(!phone.is_answered(), "the caller hears ringing until somebody answers");
        panel::answer(&asha).await?;
        phone.expect_answered(SOON).await?;
        panel::expect_quiet(&asha, SOON).await?;
        asha.expect_hears(panel::EAR, CALLER_TONE, AGENT_TONE, SOON).await?;
        asha.pictures("call").await?;
        phone.expect_more(TALK).await?;
        panel::hang_up(&asha).await?;
        phone.expect_over(SOON).await?;
        phone.hang_up().await?;
        let wanted = Expected { hears: AGENT_TONE, not: CALLER_TONE, amplitude: MICROPHONE_AMPLITUDE };
        tone::judge(&phone.heard()?, wanted)?;

        let second = Baresip::dial(journey, CALLER, ASHA_DIRECT, stack.sip, CALLER_TONE)?;
        panel::expect_ringing(&asha, CALLER).await?;
        panel::answer(&asha).await?;
        asha.expect_hears(panel::EAR, CALLER_TONE, AGENT_TONE, SOON).await?;
        second.hang_up().await?;
        panel::current(&asha).expect_gone(SOON).await?;

        let asha_id = &stack.person("Asha")?.uuid;
        let api = stack.api_as("Meera")?;
        let calls = log::ended_calls(&api, 2).await?;
        for (call, ended_by) in calls.iter().zip(["caller", "agent"]) {
            log::expect(
                call,
                &[
                    ("/direction", json!("inbound")),
                    ("/result", json!("answered")),
                    ("/ended_by", json!(ended_by)),
                    ("/agent", json!(asha_id)),
                    ("/from/number", json!(CALLER)),
                    ("/to/number", json!(ASHA_DIRECT)),
                    ("/sip_status", json!(200)),
                ],
            )?;
            log::expect_reason(&api, call, asha_id, "answered").await?;
        }
        ensure!(calls[1]["talk_ms"].as_u64() >= Some(5_000), "the talk was longer: {:#}", calls[1]);

        let why = panel::open_why(&asha, 0).await?;
        why.expect_words("Asha Rao: answered", SOON).await?;
        asha.pictures("call-log").await?;
        ensure!(api.metric("cordboard_calls_active").await? == 0.0, "no call is left");
        asha.expect_no_complaints()
    });
}

#[test]
fn the_controls_of_a_call_do_what_they_say() {
    journey("call-controls", async |journey| {
        let stack = journey.stack().await?;
        let browser = journey.browser(AGENT_TONE).await?;
        let asha = journey.person(&browser, "Asha Rao").await?;
        stack.at_work(&asha, "Asha").await?;
        let phone = Baresip::dial(journey, CALLER, ASHA_DIRECT, stack.sip, CALLER_TONE)?;
        panel::answer(&asha).await?;
        asha.expect_hears(panel::EAR, CALLER_TONE, AGENT_TONE, SOON).await?;
        let control = |name: &str| asha.button(name).within(panel::current(&asha));

        control("Keypad").click().await?;
        let keypad = asha.role("group", "Keypad");
        for key in ["4", "2", "#"] {
            asha.button(key).within(keypad.clone()).click().await?;
        }
        asha.pictures("keypad").await?;
        phone.expect_digits("42#", SOON).await?;

        control("Mute").click().await?;
        control("Unmute").expect(SOON).await?;
        asha.pictures("muted").await?;
        phone.expect_more(TALK).await?;
        control("Unmute").click().await?;
        control("Mute").expect(SOON).await?;
        // To be recorded: this phone records nothing more once it was on hold.
        phone.expect_more(RECORDED).await?;

        control("Hold").click().await?;
        asha.expect_text("#call-state", "On hold", SOON).await?;
        asha.pictures("hold").await?;
        asha.expect_silence(panel::EAR, SOON).await?;
        control("Resume").click().await?;
        asha.expect_text("#call-state", "Connected", SOON).await?;
        asha.expect_hears(panel::EAR, CALLER_TONE, AGENT_TONE, SOON).await?;

        panel::hang_up(&asha).await?;
        phone.expect_over(SOON).await?;
        phone.hang_up().await?;
        // The measure that passes a good call must fail on this one: muted for five seconds, then held.
        let heard = phone.heard()?;
        let gap = tone::longest_gap(&heard, AGENT_TONE);
        ensure!(gap + Duration::from_millis(500) >= TALK, "the mute is not in the recording, only a gap of {gap:?}");
        let wanted = Expected { hears: AGENT_TONE, not: CALLER_TONE, amplitude: MICROPHONE_AMPLITUDE };
        ensure!(tone::judge(&heard, wanted).is_err(), "a muted call passes for a good one");
        asha.expect_no_complaints()
    });
}

#[test]
fn a_declined_call_goes_on_and_the_keyboard_is_enough() {
    journey("keyboard", async |journey| {
        use cordboard_e2e::browser::Modifier::{Alt, Shift};
        let stack = journey.stack().await?;
        let browser = journey.browser(AGENT_TONE).await?;
        let asha = journey.person(&browser, "Asha Rao").await?;
        stack.at_work(&asha, "Asha").await?;
        let keys = [Alt, Shift];

        asha.press("V", "KeyV", &keys).await?;
        panel::expect_availability(&asha, panel::Availability::Away, SOON).await?;
        asha.press("V", "KeyV", &keys).await?;
        panel::expect_availability(&asha, panel::Availability::Available, SOON).await?;

        let phone = Baresip::dial(journey, CALLER, ASHA_DIRECT, stack.sip, CALLER_TONE)?;
        panel::expect_ringing(&asha, CALLER).await?;
        asha.press("D", "KeyD", &keys).await?;
        panel::expect_quiet(&asha, SOON).await?;
        // Nobody else answers a direct number: its voicemail does.
        phone.expect_answered(SOON).await?;
        phone.hang_up().await?;
        let api = stack.api_as("Meera")?;
        let calls = log::ended_calls(&api, 1).await?;
        log::expect_reason(&api, &calls[0], &stack.person("Asha")?.uuid, "declined").await?;

        let phone = Baresip::dial(journey, CALLER, ASHA_DIRECT, stack.sip, CALLER_TONE)?;
        panel::expect_ringing(&asha, CALLER).await?;
        asha.press("A", "KeyA", &keys).await?;
        asha.expect_text("#call-state", "Connected", SOON).await?;
        phone.expect_answered(SOON).await?;
        asha.press("E", "KeyE", &keys).await?;
        panel::current(&asha).expect_gone(SOON).await?;
        phone.expect_over(SOON).await?;
        asha.expect_no_complaints()
    });
}
