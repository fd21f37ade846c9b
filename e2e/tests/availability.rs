//! What people and admins see of the rules: waves in three browsers, missed calls, after-call work, the opt-out link,
//! bulk changes, what-if, and the new screens as assistive technology finds them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cordboard_e2e::browser::Tab;
use cordboard_e2e::journey::journey;
use cordboard_e2e::office::{Office, SUPPORT, line};
use cordboard_e2e::panel::Availability::Away;
use cordboard_e2e::phone::Plan;
use cordboard_e2e::stack::SOON;
use cordboard_e2e::wait::until;
use cordboard_e2e::{Journey, panel};
use reqwest::Method;
use serde_json::json;

const RING_SECONDS: u64 = 10;

#[test]
fn three_browsers_ring_one_answers_and_nobody_has_missed_anything() {
    journey("wave", async |journey| {
        let office = Office::open(journey).await?;
        let browser = journey.browser(1_000.0).await?;
        let mut tabs = Vec::new();
        for name in ["Asha", "Riya", "Dev"] {
            let tab = journey.person(&browser, name).await?;
            office.stack.at_work(&tab, name).await?;
            tabs.push(tab);
        }
        office
            .change_support(|support| {
                support["strategy"] = json!("simultaneous");
                support["wave"] = json!(3);
                support["wrap_up_seconds"] = json!(60);
                support["ring_seconds"] = json!(RING_SECONDS);
            })
            .await?;

        let from = "+447700900401";
        let caller = office.dial(from, SUPPORT, Plan::Stays)?;
        for tab in &tabs {
            panel::expect_ringing(tab, from).await?;
        }
        panel::answer(&tabs[1]).await?;
        panel::expect_quiet(&tabs[0], Duration::from_secs(2)).await?;
        panel::expect_quiet(&tabs[2], Duration::from_secs(2)).await?;
        panel::hang_up(&tabs[1]).await?;
        caller.over(SOON).await?;
        let call = office.ended_call(from).await?;
        let uid = call["uid"].as_str().context("no uid")?;
        for (who, reason) in [("Asha", "answered_elsewhere"), ("Riya", "answered"), ("Dev", "answered_elsewhere")] {
            office.expect_line(uid, line(who, reason, "1/available")).await?;
        }

        // After-call work keeps Riya busy until she says Done.
        let work = tabs[1].role("region", "After-call work");
        work.expect(SOON).await?;
        tabs[1].pictures("after-call-work").await?;
        tabs[1].expect_text("#availability-word", "After-call work", SOON).await?;
        tabs[1].button("Done").within(work.clone()).click().await?;
        work.expect_gone(SOON).await?;
        tabs[1].expect_text("#availability-word", "Available", SOON).await?;

        missed_calls(&office, &tabs).await?;
        for tab in &tabs {
            tab.expect_no_complaints()?;
        }
        Ok(())
    });
}

/// Two calls missed in a row set Asha Away, with a notice and one press to return.
async fn missed_calls(office: &Office<'_>, tabs: &[Tab]) -> Result<()> {
    for name in ["Riya", "Dev"] {
        office.toggle(name, 0).await?;
    }
    for from in ["+447700900402", "+447700900403"] {
        let patience = Duration::from_secs(RING_SECONDS + 20);
        office.dial(from, SUPPORT, Plan::Talks(Duration::from_millis(300)))?.over(patience).await?;
    }
    let notice = tabs[0].role("region", "Set Away");
    notice.expect(SOON).await?;
    panel::expect_availability(&tabs[0], Away, SOON).await?;
    tabs[0].pictures("set-away").await?;
    let presence = office.admin.read(&office.of("Asha", "presence")?).await?;
    ensure!(presence["state"] == 0 && presence["reason"] == "missed_2", "{presence:#}");
    tabs[0].button("Go available").within(notice).click().await?;
    tabs[0].expect_text("#availability-word", "Available", SOON).await
}

#[test]
fn the_opt_out_link_needs_no_session_and_acts_by_its_button_alone() {
    journey("opt-out-link", async |journey| {
        let office = Office::open(journey).await?;
        let made = office.send(Method::POST, &office.of("Asha", "opt-out-link")?, &json!({})).await?;
        ensure!(made.status.is_success(), "{} {}", made.status, made.text());
        let url = made.json()?["url"].as_str().context("no link")?.to_owned();
        let browser = journey.browser(1_000.0).await?;
        let phone = journey.person(&browser, "a telephone").await?;
        phone.goto(&url).await?;
        phone.expect_words("Asha Rao", SOON).await?;
        phone.pictures("link").await?;
        phone.expect_accessible().await?;
        let presence = office.of("Asha", "presence")?;
        ensure!(
            office.admin.read(&presence).await?["facts"]["opt_out"].is_null(),
            "opening the link changed something"
        );

        let button = phone.role("button", cordboard_e2e::browser::Name::Any);
        button.first().click().await?;
        until("Asha to be opted out", SOON, async || {
            let presence = office.admin.read(&presence).await?;
            ensure!(presence["effective"]["verdict"] == "opted_out", "{}", presence["effective"]);
            ensure!(presence["facts"]["opt_out"]["source"] == "sms", "{}", presence["facts"]);
            anyhow::Ok(())
        })
        .await?;
        phone.picture("opted-out").await?;
        phone.expect_no_complaints()
    });
}

#[test]
fn an_admin_asks_before_changing_and_every_screen_is_accessible() {
    journey("management", async |journey| {
        let office = Office::open(journey).await?;
        let browser = journey.browser(1_000.0).await?;
        let asha = journey.person(&browser, "Asha Rao").await?;
        office.stack.at_work(&asha, "Asha").await?;
        asha.expect_accessible().await?;
        let meera = journey.person(&browser, "Meera Nair").await?;
        office.stack.sign_in(&meera, "Meera").await?;
        every_screen(journey, &office, &meera).await?;

        let page = |name: &str| format!("{}/manage/{name}", office.stack.url());
        meera.goto(&page("what-if")).await?;
        meera.role("combobox", "Number called").choose(SUPPORT).await?;
        meera.button("Who would ring?").click().await?;
        let answer = meera.role("region", "Answer");
        answer.expect(SOON).await?;
        answer.expect_words("Asha Rao", SOON).await?;
        meera.pictures("what-if").await?;

        meera.goto(&page("bulk")).await?;
        meera.button("Select all shown").click().await?;
        meera.role("combobox", "Change").choose("Set Away").await?;
        meera.button("Preview").click().await?;
        let result = meera.role("region", "Result");
        result.expect_words("nothing is changed yet", SOON).await?;
        meera.pictures("bulk-preview").await?;
        let presence = office.of("Asha", "presence")?;
        ensure!(office.admin.read(&presence).await?["state"] == 1, "the preview changed something");
        meera.button("Apply").click().await?;
        until("everybody to be Away", SOON, async || {
            ensure!(office.admin.read(&presence).await?["state"] == 0, "Asha is not");
            anyhow::Ok(())
        })
        .await?;
        panel::expect_availability(&asha, Away, SOON).await?;
        asha.expect_no_complaints()?;
        meera.expect_no_complaints()
    });
}

async fn every_screen(_journey: &Journey, office: &Office<'_>, meera: &Tab) -> Result<()> {
    for name in ["team", "bulk", "routing", "what-if", "reachability", "emergency", "blocked", "outbox", "replay"] {
        meera.goto(&format!("{}/manage/{name}", office.stack.url())).await?;
        meera.expect_text("#link-state", "Live", SOON).await?;
        meera.pictures(name).await?;
        meera.expect_accessible().await.with_context(|| format!("the page {name}"))?;
    }
    Ok(())
}
