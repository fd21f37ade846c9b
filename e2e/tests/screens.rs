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
