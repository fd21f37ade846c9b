//! Away while it rings: the browser stops at once, and the next person rings.

use std::time::Duration;

use cordboard_e2e::journey::journey;
use cordboard_e2e::panel::Availability::Away;
use cordboard_e2e::phone::Baresip;
use cordboard_e2e::stack::SOON;
use cordboard_e2e::{log, panel};

const SUPPORT: &str = "+442079460102";
const CALLER: &str = "+447700900123";
/// How long the ringer may sound after the switch was turned; a person says "at once" to this.
const AT_ONCE: Duration = Duration::from_millis(800);

#[test]
fn the_next_person_rings_when_one_goes_away() {
    journey("away-while-ringing", async |journey| {
        let stack = journey.stack().await?;
        let browser = journey.browser(1_000.0).await?;
        let asha = journey.person(&browser, "Asha Rao").await?;
        let riya = journey.person(&browser, "Riya Sen").await?;
        stack.at_work(&asha, "Asha").await?;
        stack.at_work(&riya, "Riya").await?;

        let phone = Baresip::dial(journey, CALLER, SUPPORT, stack.sip, 440.0)?;
        panel::expect_ringing(&asha, CALLER).await?;
        asha.picture("asha-rings").await?;
        panel::availability(&asha).click().await?;
        panel::expect_quiet(&asha, AT_ONCE).await?;
        panel::expect_ringing(&riya, CALLER).await?;
        panel::expect_availability(&asha, Away, SOON).await?;
        asha.picture("asha-away").await?;
        riya.picture("riya-rings").await?;
        panel::answer(&riya).await?;
        phone.expect_answered(SOON).await?;
        riya.expect_hears(panel::EAR, 440.0, 1_000.0, SOON).await?;
        phone.hang_up().await?;
        panel::current(&riya).expect_gone(SOON).await?;

        let api = stack.api_as("Meera")?;
        let call = &log::ended_calls(&api, 1).await?[0];
        log::expect_reason(&api, call, &stack.person("Asha")?.uuid, "declined_by_status").await?;
        log::expect_reason(&api, call, &stack.person("Riya")?.uuid, "answered").await?;
        asha.expect_no_complaints()?;
        riya.expect_no_complaints()
    });
}
