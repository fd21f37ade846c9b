//! Call flows as an admin makes them and a caller hears them: own sounds, language, questions to a webhook, wrong keys,
//! closed hours, own greetings, publishing and going back, and an extension dialed with the number.
//!
//! Every prompt is a tone of its own, so that what is heard says which node speaks.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cordboard_e2e::journey::journey;
use cordboard_e2e::office::Office;
use cordboard_e2e::phone::{Line, Softphone};
use cordboard_e2e::sound::Sound;
use cordboard_e2e::stack::SOON;
use cordboard_e2e::wait::until;
use cordboard_e2e::webhook::Webhook;
use reqwest::Method;
use serde_json::{Value, json};

/// The number of the flow.
const MAIN: &str = "+442079460101";
const CALLER_TONE: f64 = 440.0;
const ASHA_TONE: f64 = 1_000.0;
/// The tones of the prompts.
const LANGUAGE: f64 = 850.0;
/// This one comes from an Ogg file.
const QUESTION: f64 = 1_150.0;
const GOLD: f64 = 1_450.0;
const SORRY: f64 = 1_750.0;
const MENU: f64 = 650.0;
/// How long a prompt plays.
const PROMPT: Duration = Duration::from_secs(4);
const OGG: &[u8] = include_bytes!("../assets/tone-1150hz.ogg");

#[test]
fn callers_hear_what_was_published() {
    journey("flows", async |journey| {
        let office = Office::open(journey).await?;
        let webhook = Webhook::start(json!({ "next": "gold" })).await?;
        office.change_telephony(|telephony| telephony["webhook_networks"] = json!(["127.0.0.1"])).await?;
        let phone = office.desk_phone("Asha", "1003", ASHA_TONE).await?;
        let flow = made(&office, &webhook).await?;
        // A draft is heard by nobody.
        let before = office.admin.read("/core/flows/main").await?;
        ensure!(before["start"] == "menu", "the draft is live: {before:#}");
        let first = office.publish("main", |draft| take_over(draft, &flow)).await?;

        languages_and_questions(&office, &webhook).await?;
        wrong_keys_and_extensions(&office, &phone).await?;
        own_greeting(&office, &webhook).await?;
        closed_and_back(&office, &flow, first).await?;
        dialed_with_the_number(&office, &phone).await?;
        missed_call(&office).await?;
        what_cannot_be_published(&office).await?;
        office.expect_no_calls().await
    });
}

/// Uploads the sounds and draws the flow.
async fn made(office: &Office<'_>, webhook: &Webhook) -> Result<Value> {
    let mut sounds = Vec::new();
    for (name, hertz) in [("language", LANGUAGE), ("gold", GOLD), ("sorry", SORRY), ("menu", MENU)] {
        let path = office.journey.folder().join(format!("{name}.wav"));
        Sound::tone(44_100, hertz, 0.5, PROMPT).write(&path)?;
        sounds.push(upload(office, name, std::fs::read(&path)?).await?);
    }
    let question = upload(office, "question", OGG.to_vec()).await?;
    let refused = office.admin.post_raw("/core/audio?name=nothing", "application/octet-stream", b"no sound".to_vec());
    let refused = refused.await?;
    if refused.status.is_success() {
        let job = finished(office, &refused.json()?).await?;
        ensure!(job["state"] == "failed", "words were taken for sound: {job:#}");
    }
    let [language, gold, sorry, menu] = &sounds[..] else { anyhow::bail!("four sounds") };
    Ok(json!({
        "language": { "type": "language", "audio": language, "keys": { "1": "en", "2": "hi" }, "next": "ask" },
        "ask": {
            "type": "input", "audio": question, "digits_max": 4, "no_input_seconds": 3, "webhook": webhook.url(),
            "timeout_ms": 1_000, "answers": { "gold": "gold", "menu": "menu" }, "next": "menu", "failed": "sorry",
        },
        "gold": { "type": "message", "audio": gold, "next": null },
        "sorry": { "type": "voicemail", "box": "support", "audio": sorry, "seconds": 6 },
        "menu": {
            "type": "menu", "audio": menu, "keys": { "1": "gold", "7": "language" }, "repeat": 0,
            "no_input_seconds": 5, "no_input": "gold", "wrong_key": "gold", "dial_extensions": true,
        },
    }))
}

fn take_over(draft: &mut Value, nodes: &Value) {
    draft["nodes"] = nodes.clone();
    draft["start"] = json!("language");
}

/// Uploads a file and waits until it is converted; gives what nodes call it.
async fn upload(office: &Office<'_>, name: &str, bytes: Vec<u8>) -> Result<String> {
    let path = format!("/core/audio?name={name}");
    let answer = office.admin.post_raw(&path, "application/octet-stream", bytes).await?;
    ensure!(answer.status == 202, "the upload of {name}: {} {}", answer.status, answer.text());
    let job = finished(office, &answer.json()?).await?;
    ensure!(job["state"] == "ready", "{name} was not converted: {job:#}");
    ensure!(job["audio"]["ms"].as_u64().is_some_and(|ms| ms.abs_diff(4_000) < 150), "another length: {job:#}");
    Ok(format!("audio:{}", job["audio"]["id"].as_str().context("no id")?))
}

async fn finished(office: &Office<'_>, job: &Value) -> Result<Value> {
    let path = format!("/core/audio/jobs/{}", job["id"].as_str().context("no job")?);
    until("the end of a conversion", SOON, async || {
        let job = office.admin.read(&path).await?;
        ensure!(job["state"] != "running", "{job:#}");
        Ok(job)
    })
    .await
}

async fn calls(office: &Office<'_>, from: &str) -> Result<Line> {
    let caller = Softphone::open(from, office.stack.sip, CALLER_TONE)?;
    let line = caller.dial(MAIN)?;
    office.journey.keep(caller);
    line.expect_answered(SOON).await?;
    Ok(line)
}

/// Chooses Hindi, gives digits; the webhook hears of both and says what follows.
async fn languages_and_questions(office: &Office<'_>, webhook: &Webhook) -> Result<()> {
    let line = calls(office, "+447700900901").await?;
    line.expect_hears(LANGUAGE, &[], SOON).await?;
    line.press("2");
    line.expect_hears(QUESTION, &[LANGUAGE], SOON).await?;
    line.press("4711");
    line.expect_hears(GOLD, &[QUESTION], SOON).await?;
    line.expect_over(SOON).await?;
    let asked = webhook.asked();
    ensure!(asked.len() == 1, "it was asked {} times: {asked:#?}", asked.len());
    ensure!(asked[0]["digits"] == "4711" && asked[0]["language"] == "hi", "{:#}", asked[0]);
    ensure!(asked[0]["from"] == "+447700900901" && asked[0]["node"] == "ask", "{:#}", asked[0]);

    // The hash ends digits early, and what the webhook says decides.
    webhook.set(json!({ "next": "menu" }), Duration::ZERO);
    let line = calls(office, "+447700900901").await?;
    line.expect_hears(LANGUAGE, &[], SOON).await?;
    line.press("1");
    line.expect_hears(QUESTION, &[], SOON).await?;
    line.press("5#");
    line.expect_hears(MENU, &[QUESTION], SOON).await?;
    line.hang_up()?;
    let asked = webhook.asked();
    ensure!(asked.len() == 2 && asked[1]["digits"] == "5" && asked[1]["language"] == "en", "{asked:#?}");
    webhook.set(json!({ "next": "gold" }), Duration::ZERO);
    Ok(())
}

/// A key that leads nowhere has a node of its own here; extensions may be dialed.
async fn wrong_keys_and_extensions(office: &Office<'_>, phone: &Softphone) -> Result<()> {
    office.publish("main", |draft| draft["start"] = json!("menu")).await?;
    let line = calls(office, "+447700900902").await?;
    line.expect_hears(MENU, &[], SOON).await?;
    line.press("9");
    line.expect_hears(GOLD, &[MENU], SOON).await?;
    line.hang_up()?;

    let line = calls(office, "+447700900903").await?;
    line.expect_hears(MENU, &[], SOON).await?;
    let before = phone.calls();
    line.press("21");
    let rung = phone.expect_call(before, SOON).await?;
    rung.expect_hears(CALLER_TONE, &[], SOON).await?;
    line.expect_hears(ASHA_TONE, &[MENU], SOON).await?;
    rung.hang_up()?;
    line.expect_over(SOON).await?;
    office.publish("main", |draft| draft["start"] = json!("language")).await.map(drop)
}

/// A webhook that is late fails; the voicemail behind it has a greeting of its own and takes six seconds.
async fn own_greeting(office: &Office<'_>, webhook: &Webhook) -> Result<()> {
    webhook.set(json!({ "next": "gold" }), Duration::from_secs(4));
    let line = calls(office, "+447700900904").await?;
    line.expect_hears(LANGUAGE, &[], SOON).await?;
    line.press("1");
    line.expect_hears(QUESTION, &[], SOON).await?;
    line.press("1234");
    line.expect_hears(SORRY, &[], SOON).await?;
    // Four seconds of greeting, the beep, six of message.
    line.expect_over(Duration::from_secs(20)).await?;
    webhook.set(json!({ "next": "gold" }), Duration::ZERO);
    let call = office
        .expect_logged("the message", |call| {
            call["from"]["number"] == "+447700900904" && call["recordings"][0]["sha256"].is_string()
        })
        .await?;
    let length = call["recordings"][0]["ms"].as_u64().context("no length")?;
    ensure!((5_000..=6_500).contains(&length), "{length} ms were taken: {call:#}");
    ensure!(call["result"] == "voicemail", "{call:#}");
    Ok(())
}

/// Closed: another node speaks. Then back to the version before.
async fn closed_and_back(office: &Office<'_>, flow: &Value, first: u64) -> Result<()> {
    let days = cordboard_e2e::desk::micros() / 86_400_000_000 + 2;
    // 1970-01-01 was a Thursday.
    let day = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"][usize::try_from(days % 7)?];
    let closed = office
        .publish("main", |draft| {
            take_over(draft, flow);
            draft["hours"] = json!({ "zone": "UTC", "open": [{ "days": [day], "from": "00:00", "to": "00:01" }] });
            draft["closed"] = json!("sorry");
        })
        .await?;
    let line = calls(office, "+447700900905").await?;
    line.expect_hears(SORRY, &[LANGUAGE], SOON).await?;
    line.hang_up()?;

    let versions = office.admin.read("/core/flows/main/versions").await?;
    ensure!(versions["versions"][0]["version"] == closed && versions["versions"][0]["live"] == true, "{versions:#}");
    let restore = format!("/core/flows/main/versions/{first}/restore");
    let restored = office.admin.post(&restore, &json!({})).await?;
    ensure!(restored.status.is_success(), "{} {}", restored.status, restored.text());
    let live = office.admin.read("/core/flows/main").await?;
    ensure!(live["version"].as_u64() > Some(closed) && live["start"] == "language", "{live:#}");
    let line = calls(office, "+447700900906").await?;
    line.expect_hears(LANGUAGE, &[SORRY], SOON).await?;
    line.hang_up()
}

/// `number,extension` goes past the flow when the account allows it.
async fn dialed_with_the_number(office: &Office<'_>, phone: &Softphone) -> Result<()> {
    let caller = Softphone::open("+447700900907", office.stack.sip, CALLER_TONE)?;
    for to in ["442079460101,21", "+442079460101;ext=21"] {
        office.change_telephony(|telephony| telephony["direct_dialing"] = json!(false)).await?;
        let line = caller.dial(to)?;
        line.expect_hears(LANGUAGE, &[], SOON).await?;
        line.hang_up()?;
        office.change_telephony(|telephony| telephony["direct_dialing"] = json!(true)).await?;
        let before = phone.calls();
        let line = caller.dial(to)?;
        let rung = phone.expect_call(before, SOON).await?;
        rung.expect_hears(CALLER_TONE, &[], SOON).await?;
        line.expect_hears(ASHA_TONE, &[LANGUAGE], SOON).await?;
        line.hang_up()?;
        rung.expect_over(SOON).await?;
    }
    Ok(())
}

/// It rings and is never answered; the log has it as missed.
async fn missed_call(office: &Office<'_>) -> Result<()> {
    office.publish("main", |draft| draft["missed_call_rings"] = json!(1)).await?;
    let caller = Softphone::open("+447700900908", office.stack.sip, CALLER_TONE)?;
    let line = caller.dial(MAIN)?;
    line.expect_ringing(SOON).await?;
    let status = line.expect_over(Duration::from_secs(20)).await?;
    ensure!(status >= 400, "it was answered: {status}");
    let call = office
        .expect_logged("the missed call", |call| call["from"]["number"] == "+447700900908" && call["state"] == "ended")
        .await?;
    ensure!(call["result"] == "missed" && call["answered_at"].is_null(), "{call:#}");
    office.publish("main", |draft| draft["missed_call_rings"] = Value::Null).await.map(drop)
}

/// A flow with a node nobody reaches, or that leads nowhere, is not published.
async fn what_cannot_be_published(office: &Office<'_>) -> Result<()> {
    let mut draft = office.admin.read("/core/flows/main/draft").await?["flow"].take();
    draft["nodes"]["language"]["next"] = json!("nowhere");
    let saved = office.send(Method::PUT, "/core/flows/main/draft", &draft).await?;
    let refused = if saved.status.is_success() {
        office.admin.post("/core/flows/main/publish", &json!({})).await?
    } else {
        saved
    };
    ensure!(refused.status.as_u16() == 422 || refused.status.as_u16() == 409, "{} {}", refused.status, refused.text());
    let line = calls(office, "+447700900909").await?;
    line.expect_hears(LANGUAGE, &[], SOON).await?;
    line.hang_up()
}
