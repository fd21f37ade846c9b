//! A newcomer's first call, without a telephone: the panel places it, the desk rings, a greeting is heard.

use std::time::Duration;

use anyhow::ensure;
use cordboard_e2e::journey::journey;
use cordboard_e2e::office::{ASHA_DIRECT, Office};
use cordboard_e2e::stack::SOON;
use cordboard_e2e::wait::until;
use cordboard_e2e::{log, panel};
use serde_json::json;

#[test]
fn the_panel_places_a_test_call() {
    journey("test-call", async |journey| {
        let office = Office::open(journey).await?;
        let stack = &office.stack;
        // A company whose carrier is elsewhere: no trunk has an address of this machine.
        let away = json!(["203.0.113.0/24"]);
        office.change_telephony(|telephony| telephony["trunks"][0]["addresses"] = away).await?;
        let browser = journey.browser(1_000.0).await?;
        let asha = journey.person(&browser, "Asha Rao").await?;
        stack.at_work(&asha, "Asha").await?;

        let place = asha.role("region", "Place a test call");
        asha.role("combobox", "Number to call").within(place.clone()).choose(ASHA_DIRECT).await?;
        asha.button("Place a test call").within(place).click().await?;
        panel::incoming(&asha).expect(SOON).await?;
        asha.picture("incoming").await?;
        panel::answer(&asha).await?;
        until("the greeting in the ear", Duration::from_secs(8), async || {
            let heard = asha.listen(panel::EAR, 440.0, 1_000.0).await?;
            ensure!(heard.peak_db > -45.0, "it is silent: {heard:?}");
            anyhow::Ok(())
        })
        .await?;
        asha.picture("greeting").await?;
        panel::hang_up(&asha).await?;

        let api = stack.api_as("Meera")?;
        let calls = log::ended_calls(&api, 1).await?;
        log::expect(&calls[0], &[("/result", json!("answered")), ("/to/number", json!(ASHA_DIRECT))])?;
        log::expect_reason(&api, &calls[0], &stack.person("Asha")?.uuid, "answered").await?;
        ensure!(api.metric("cordboard_calls_active").await? == 0.0, "a call is left");
        asha.expect_no_complaints()
    });
}
