//! The panel's parts that come when they are wanted: one that cannot be had says so, and a call goes on meanwhile.

use anyhow::{Result, ensure};
use cordboard_e2e::browser::{Look, Name, Tab};
use cordboard_e2e::journey::journey;
use cordboard_e2e::panel;
use cordboard_e2e::stack::SOON;
use serde_json::json;

const ASHA_DIRECT: &str = "+442079460103";

#[test]
fn a_part_that_does_not_come_leaves_the_call_alone_and_comes_at_retry() {
    journey("parts", async |journey| {
        let stack = journey.stack().await?;
        let browser = journey.browser(1_000.0).await?;
        let asha = journey.person(&browser, "Asha Rao").await?;
        stack.at_work(&asha, "Asha").await?;
        asha.role("region", "Call out").expect(SOON).await?;
        block(&asha, &["*/part-pages-*"]).await?;

        let place = asha.role("region", "Place a test call");
        asha.role("combobox", "Number to call").within(place.clone()).choose(ASHA_DIRECT).await?;
        asha.button("Place a test call").within(place).click().await?;
        panel::answer(&asha).await?;
        panel::open(&asha, "Call log").await?;
        asha.expect_words("This part of the panel could not be loaded.", SOON).await?;
        asha.role("alert", Name::Any).first().expect(SOON).await?;
        ensure!(!asha.button("Reload the panel").is_there().await?, "loading anew would take the sound away");
        asha.expect_text("#call-state", "Connected", SOON).await?;
        look(&asha, "part-missing").await?;

        block(&asha, &[]).await?;
        asha.button("Retry").click().await?;
        asha.role("table", "Call log").expect(SOON).await?;
        asha.expect_text("#call-state", "Connected", SOON).await?;

        asha.button("Transfer").within(panel::current(&asha)).click().await?;
        let transfer = asha.role("region", "Transfer the call");
        asha.button("Ask first: Riya Sen").within(transfer.clone()).expect(SOON).await?;
        look(&asha, "transfer").await?;
        asha.role("searchbox", "Person, department or number").within(transfer.clone()).fill("nobody at all").await?;
        asha.button("Ask first: Riya Sen").expect_gone(SOON).await?;
        asha.button("Notes").within(panel::current(&asha)).click().await?;
        transfer.expect_gone(SOON).await?;
        let notes = asha.role("region", "Notes");
        asha.role("textbox", "Note").within(notes.clone()).fill("Wants the invoice again").await?;
        asha.button("Save note").within(notes.clone()).click().await?;
        notes.expect_words("Wants the invoice again", SOON).await?;
        look(&asha, "notes").await?;
        panel::hang_up(&asha).await
    });
}

/// Files the browser cannot fetch from now on.
async fn block(tab: &Tab, urls: &[&str]) -> Result<()> {
    tab.cdp("Network.enable", json!({})).await?;
    tab.cdp("Network.setBlockedURLs", json!({ "urls": urls })).await.map(drop)
}

/// Pictures, accessibility, and that nothing runs over the right edge at 320 pixels.
async fn look(tab: &Tab, name: &str) -> Result<()> {
    tab.pictures(name).await?;
    tab.expect_accessible().await?;
    tab.look(Look::Narrow).await?;
    let width = tab.evaluate("document.documentElement.scrollWidth").await?;
    tab.look(Look::Light).await?;
    ensure!(width.as_u64() <= Some(320), "{name} is {width} pixels wide at 320");
    Ok(())
}
