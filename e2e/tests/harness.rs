//! The tools of the journeys, tried on each other before the product is tried with them.

use std::time::Duration;

use anyhow::{Result, ensure};
use cordboard_e2e::journey::journey;
use cordboard_e2e::phone::{Baresip, TONE_AMPLITUDE};
use cordboard_e2e::tone::{self, Expected};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const SOON: Duration = Duration::from_secs(10);

const PAGE: &str = r#"<!doctype html><html lang="en"><head><title>Harness</title><style>button, input, select { min-height: 28px; margin: 8px } @media (prefers-color-scheme: dark) { body { background: #111; color: #eee } }</style></head><body>
<main><h1>Harness</h1>
<label>Email <input id="email"></label>
<button id="go" disabled>Go</button>
<button role="switch" aria-checked="false" aria-label="Call availability">x</button>
<section aria-label="One"><button>Same</button></section><section aria-label="Two"><button>Same</button></section>
<label>Number <select><option value="">none</option><option value="7">seven</option></select></label>
<p id="word">waiting</p><audio id="call-audio" autoplay></audio>
<script>
const word = document.querySelector('#word');
setTimeout(() => { document.querySelector('#go').disabled = false; }, 400);
document.querySelector('#go').onclick = () => { word.innerText = 'hello ' + document.querySelector('#email').value; };
document.querySelector('[role=switch]').onclick = (event) => event.target.setAttribute('aria-checked', 'true');
document.querySelectorAll('section button').forEach((button, index) => { button.onclick = async () => {
  word.innerText = 'pressed ' + index;
  document.querySelector('audio').srcObject = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
}; });
document.querySelector('select').onchange = (event) => { word.innerText = 'chose ' + event.target.value; };
addEventListener('keydown', (event) => { if (event.altKey && event.shiftKey && event.code === 'KeyV') word.innerText = 'shortcut'; });
</script></main></body></html>"#;

/// A browser finds, fills, clicks, chooses, types, hears its microphone and is checked for accessibility.
#[test]
fn a_browser_is_driven_as_a_person_drives_it() {
    journey("harness-browser", async |journey| {
        let address = serve(PAGE).await?;
        let browser = journey.browser(1_000.0).await?;
        let tab = journey.person(&browser, "Asha Rao").await?;
        tab.goto(&address).await?;

        tab.role("textbox", "Email").fill("asha@lantern.example").await?;
        tab.button("Go").click().await?;
        tab.expect_text("#word", "hello asha@lantern.example", SOON).await?;
        let switch = tab.role("switch", "Call availability");
        switch.click().await?;
        switch.expect_attribute("aria-checked", "true", SOON).await?;
        tab.role("combobox", "Number").choose("seven").await?;
        tab.expect_text("#word", "chose 7", SOON).await?;
        tab.press("V", "KeyV", &[cordboard_e2e::browser::Modifier::Alt, cordboard_e2e::browser::Modifier::Shift])
            .await?;
        tab.expect_text("#word", "shortcut", SOON).await?;

        ensure!(tab.button("Same").count().await? == 2, "both are found");
        ensure!(tab.button("Same").text().await.is_err(), "one of two is not guessed");
        tab.button("Same").within(tab.role("region", "Two")).click().await?;
        tab.expect_text("#word", "pressed 1", SOON).await?;
        tab.expect_hears("#call-audio", 1_000.0, 440.0, SOON).await?;
        ensure!(
            tab.expect_hears("#call-audio", 440.0, 1_000.0, Duration::from_secs(1)).await.is_err(),
            "a wrong tone is noticed"
        );

        tab.pictures("page").await?;
        tab.expect_accessible().await?;
        tab.expect_no_complaints()?;
        tab.evaluate("document.querySelector('main').append(document.createElement('img')); console.error('planted')")
            .await?;
        let violations = tab.violations().await?;
        ensure!(
            violations.iter().any(|violation| violation.id == "image-alt"),
            "the planted fault is not in {violations:#?}"
        );
        ensure!(tab.expect_no_complaints().is_err(), "the planted complaint is noticed");

        let other = journey.person(&browser, "Riya Sen").await?;
        other.goto(&address).await?;
        tab.evaluate("document.cookie = 'who=asha'").await?;
        ensure!(other.evaluate("document.cookie").await? == "", "each person has cookies of their own");
        tab.crash().await?;
        tab.reload().await?;
        tab.expect_text("#word", "waiting", SOON).await
    });
}

/// Two telephones hear each other's tone; a muted one is noticed.
#[test]
fn two_telephones_hear_each_other_and_silence_is_noticed() {
    journey("harness-phones", async |journey| {
        let callee = Baresip::answering(journey, "+442079460999", 1_000.0)?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let caller = Baresip::dial(journey, "+447700900123", "+442079460999", callee.sip, 440.0)?;
        caller.expect_answered(SOON).await?;
        tokio::time::sleep(Duration::from_secs(5)).await;
        caller.hang_up().await?;
        callee.expect_over(SOON).await?;
        callee.hang_up().await?;

        tone::judge(&caller.heard()?, Expected { hears: 1_000.0, not: 440.0, amplitude: TONE_AMPLITUDE })?;
        tone::judge(&callee.heard()?, Expected { hears: 440.0, not: 1_000.0, amplitude: TONE_AMPLITUDE })?;
        let crossed = tone::judge(&caller.heard()?, Expected { hears: 440.0, not: 1_000.0, amplitude: TONE_AMPLITUDE });
        ensure!(crossed.is_err(), "a call that only hears itself passes");
        Ok(())
    });
}

/// Serves one page, and gives its address.
async fn serve(page: &'static str) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4_096];
                let _ = stream.read(&mut request).await;
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    page.len()
                );
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.write_all(page.as_bytes()).await;
            });
        }
    });
    Ok(address)
}
