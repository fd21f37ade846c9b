//! `kill -9` of the server right after a toggle was acknowledged: the toggle holds, the earlier calls are in the log,
//! and the next call obeys.

use std::time::Duration;

use anyhow::ensure;
use cordboard_e2e::journey::journey;
use cordboard_e2e::panel::Availability::Away;
use cordboard_e2e::phone::Baresip;
use cordboard_e2e::stack::SOON;
use cordboard_e2e::{log, panel};
use serde_json::json;
use tokio::time::sleep;

const SUPPORT: &str = "+442079460102";
const ASHA_DIRECT: &str = "+442079460103";
const CALLER: &str = "+447700900123";
/// The panel comes back by itself within this, with its first tries spread.
const RECONNECT: Duration = Duration::from_secs(20);

#[test]
fn an_acknowledged_toggle_and_all_calls_survive_a_power_cut() {
    journey("power-cut", async |journey| {
        let stack = journey.stack().await?;
        let browser = journey.browser(1_000.0).await?;
        let asha = journey.person(&browser, "Asha Rao").await?;
        stack.at_work(&asha, "Asha").await?;
        let (api, admin) = (stack.api_as("Asha")?, stack.api_as("Meera")?);
        let agent = stack.person("Asha")?.uuid.clone();

        for _ in 0..2 {
            let phone = Baresip::dial(journey, CALLER, ASHA_DIRECT, stack.sip, 440.0)?;
            panel::answer(&asha).await?;
            phone.expect_answered(SOON).await?;
            phone.hang_up().await?;
            panel::current(&asha).expect_gone(SOON).await?;
        }
        let before = log::ended_calls(&admin, 2).await?;

        let answer = api.toggle(&agent, 0).await?;
        stack.kill().await?;
        ensure!(answer.status == 200 && answer.json()?["applied"] == true, "{}", answer.text());
        let version = answer.json()?["version"].clone();
        sleep(Duration::from_secs(1)).await;
        asha.picture("reconnecting").await?;
        stack.start_again().await?;

        let presence = admin.read(&format!("/core/agents/{agent}/presence")).await?;
        log::expect(&presence, &[("/state", json!(0)), ("/version", version), ("/effective/verdict", json!("away"))])?;
        ensure!(log::ended_calls(&admin, 2).await? == before, "the earlier calls have changed");
        asha.expect_text("#link-state", "Live", RECONNECT).await?;
        panel::expect_availability(&asha, Away, SOON).await?;
        asha.picture("live-again").await?;

        let phone = Baresip::dial(journey, CALLER, SUPPORT, stack.sip, 440.0)?;
        phone.expect_answered(SOON).await?;
        ensure!(!panel::incoming(&asha).is_there().await?, "Asha is Away and rings");

        // A call that is open when the power goes ends with it, and the log says so.
        stack.kill().await?;
        stack.start_again().await?;
        phone.hang_up().await?;
        let calls = log::ended_calls(&admin, 3).await?;
        log::expect(&calls[0], &[("/ended_by", json!("restart"))])?;
        log::expect_reason(&admin, &calls[0], &agent, "skipped_away").await?;
        ensure!(admin.metric("cordboard_calls_active").await? == 0.0, "a call is left");
        asha.expect_text("#link-state", "Live", RECONNECT).await
    });
}

#[test]
fn a_server_that_is_asked_to_end_does() {
    journey("shutdown", async |journey| {
        let stack = journey.stack().await?;
        let browser = journey.browser(1_000.0).await?;
        let asha = journey.person(&browser, "Asha Rao").await?;
        stack.at_work(&asha, "Asha").await?;

        stack.stop().await?;
        asha.expect_text("#link-state", "Reconnecting…", SOON).await?;
        asha.pictures("reconnecting").await?;
        stack.start_again().await?;
        asha.expect_text("#link-state", "Live", RECONNECT).await
    });
}
