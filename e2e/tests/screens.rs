//! Every screen, for each kind of person: reachable by its link, accessible, without complaints, at each width.

use anyhow::{Result, ensure};
use cordboard_e2e::browser::{Look, Tab};
use cordboard_e2e::journey::journey;
use cordboard_e2e::panel;
use cordboard_e2e::stack::{Options, SOON};
use cordboard_e2e::wait::until;

#[test]
fn every_screen_is_reachable_accessible_and_fits() {
    journey("screens", async |journey| {
        let stack = journey.stack_with(Options { arguments: vec!["--demo-history".into(), "3".into()] }).await?;
        let browser = journey.browser(1_000.0).await?;

        let stranger = journey.person(&browser, "Stranger").await?;
        stranger.goto(&stack.url()).await?;
        stranger.button("Sign in").expect(SOON).await?;
        stranger.role("textbox", "Email").fill("asha@lantern.example").await?;
        stranger.role("textbox", "Password").fill("wrong").await?;
        stranger.button("Sign in").click().await?;
        stranger.role("alert", cordboard_e2e::browser::Name::Any).first().expect(SOON).await?;
        screen(&stranger, "refused").await?;

        let meera = journey.person(&browser, "Meera Nair").await?;
        stack.sign_in(&meera, "Meera").await?;
        screen(&meera, "desk").await?;
        // The pages of management are another program; what they are like is asked in `availability.rs`.
        for (page, path) in [("Call log", "/calls"), ("Devices", "/devices"), ("Help", "/help"), ("Desk", "/")] {
            panel::open(&meera, page).await?;
            until(&format!("the page {page}"), SOON, async || {
                ensure!(meera.path().await? == path, "it is {}", meera.path().await?);
                anyhow::Ok(())
            })
            .await?;
            screen(&meera, &page.to_lowercase().replace(' ', "-")).await?;
        }
        meera.goto(&format!("{}/calls", stack.url())).await?;
        meera.role("table", "Call log").expect(SOON).await?;
        meera.button("Account").click().await?;
        meera.role("menuitem", "Sign out").or(meera.button("Sign out")).click().await?;
        meera.button("Sign in").expect(SOON).await?;
        meera.expect_no_complaints()
    });
}

#[test]
fn every_screen_of_telephony_and_media_is_accessible_and_fits() {
    journey("screens-management", async |journey| {
        let stack = journey.stack().await?;
        let browser = journey.browser(1_000.0).await?;
        let meera = journey.person(&browser, "Meera Nair").await?;
        stack.sign_in(&meera, "Meera").await?;
        for name in ["contacts", "numbers", "audio", "flows", "telephony"] {
            meera.goto(&format!("{}/manage/{name}", stack.url())).await?;
            meera.expect_text("#link-state", "Live", SOON).await?;
            screen(&meera, name).await?;
        }
        let parts = meera.role("group", "Parts");
        for (part, heading) in [
            ("Desk phones", "Desk phones"),
            ("Mobiles", "Mobiles"),
            ("What may go out", "Limits"),
            ("During calls", "Filing calls"),
            ("Sound", "Codecs"),
        ] {
            meera.button(part).within(parts.clone()).click().await?;
            meera.role("heading", heading).expect(SOON).await?;
            screen(&meera, &part.to_lowercase().replace(' ', "-")).await?;
        }

        meera.goto(&format!("{}/manage/flows", stack.url())).await?;
        meera.role("textbox", "Name of the new flow").fill("Evenings").await?;
        meera.button("Make the flow").click().await?;
        meera.button("Outline").within(parts.clone()).expect(SOON).await?;
        screen(&meera, "flow-outline").await?;
        for part in ["Hours", "Preview", "Versions"] {
            meera.button(part).within(parts.clone()).click().await?;
            screen(&meera, &format!("flow-{}", part.to_lowercase())).await?;
        }
        meera.expect_no_complaints()
    });
}

#[test]
fn a_trunk_is_added_and_a_mistake_in_it_is_named_at_its_field() {
    journey("trunks", async |journey| {
        let stack = journey.stack().await?;
        let browser = journey.browser(1_000.0).await?;
        let meera = journey.person(&browser, "Meera Nair").await?;
        stack.sign_in(&meera, "Meera").await?;
        meera.goto(&format!("{}/manage/telephony", stack.url())).await?;
        meera.role("group", "Way in: Loopback").expect(SOON).await?;

        meera.button("Add a trunk").click().await?;
        let fresh = meera.role("group", "Way in: New trunk");
        meera.role("textbox", "Addresses").within(fresh.clone()).fill("203.0.113.0/24, 0.0.0.0/0").await?;
        meera.role("textbox", "Name").within(fresh).fill("Carrier").await?;
        let carrier = meera.role("group", "Way in: Carrier");
        meera.button("Save").click().await?;
        carrier.expect_words("could call in as this trunk", SOON).await?;
        screen(&meera, "trunk-wrong").await?;

        meera.role("textbox", "Addresses").within(carrier.clone()).fill("203.0.113.0/24").await?;
        meera.role("checkbox", "It must sign in").within(carrier.clone()).click().await?;
        meera.role("textbox", "User").within(carrier.clone()).fill("carrier").await?;
        meera.role("textbox", "Password").within(carrier.clone()).fill("of the carrier").await?;
        meera.button("Save").click().await?;
        meera.expect_words("Version 2 is in force.", SOON).await?;
        screen(&meera, "trunk").await?;
        let kept = stack.api_as("Meera")?.read("/core/telephony").await?;
        ensure!(kept["trunks"][1]["credentials"]["username"] == "carrier", "{:#}", kept["trunks"]);

        meera.button("Remove Carrier").click().await?;
        meera.button("Save").click().await?;
        meera.expect_words("Version 3 is in force.", SOON).await?;
        // Its numbers come by it.
        meera.button("Remove Loopback").click().await?;
        meera.button("Save").click().await?;
        meera.role("region", "Ways in").expect_words("comes by a trunk that is not in the list any more", SOON).await?;
        meera.expect_no_complaints()
    });
}

/// Pictures of a screen, its accessibility, and that nothing runs over its right edge at 320 pixels.
async fn screen(tab: &Tab, name: &str) -> Result<()> {
    tab.pictures(name).await?;
    tab.expect_accessible().await?;
    tab.look(Look::Narrow).await?;
    let width = tab.evaluate("document.documentElement.scrollWidth").await?;
    tab.look(Look::Light).await?;
    ensure!(width.as_u64() <= Some(320), "{name} is {width} pixels wide at 320");
    tab.expect_no_complaints()
}
