//! The toggle through the public API, at the server and through the edge: the panel follows within a second, routing
//! at once.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use cordboard_e2e::api::Api;
use cordboard_e2e::browser::Tab;
use cordboard_e2e::edge::EdgePlan;
use cordboard_e2e::journey::journey;
use cordboard_e2e::panel::Availability::{self, Available, Away};
use cordboard_e2e::phone::Baresip;
use cordboard_e2e::stack::{Options, SOON};
use cordboard_e2e::wait::until;
use cordboard_e2e::{log, panel};
use serde_json::json;

const SUPPORT: &str = "+442079460102";
const CALLER: &str = "+447700900123";
/// How long the panel may take to show what the API has confirmed.
const FOLLOW: Duration = Duration::from_secs(1);

#[test]
fn the_panel_follows_and_routing_obeys() {
    journey("toggle-by-api", async |journey| {
        let plan = EdgePlan::new()?;
        let stack = journey.stack_with(Options { arguments: plan.server_arguments() }).await?;
        let edge = plan.start(journey, &stack).await?;
        let browser = journey.browser(1_000.0).await?;
        let asha = journey.person(&browser, "Asha Rao").await?;
        stack.at_work(&asha, "Asha").await?;
        let agent = stack.person("Asha")?.clone();
        let admin = stack.api_as("Meera")?;

        for (place, api) in [("server", stack.api()?), ("edge", edge.api()?)] {
            let api = api.with_token(&agent.api_token);
            toggle(&api, &agent.uuid, &asha, Away).await?;
            asha.picture(&format!("away-by-{place}")).await?;
            let phone = Baresip::dial(journey, CALLER, SUPPORT, stack.sip, 440.0)?;
            phone.expect_answered(SOON).await?;
            ensure!(!panel::incoming(&asha).is_there().await?, "Asha is Away and rings");
            phone.hang_up().await?;
            let call = &log::ended_calls(&admin, if place == "server" { 1 } else { 3 }).await?[0];
            let entry = log::expect_reason(&admin, call, &agent.uuid, "skipped_away").await?;
            log::expect(&entry, &[("/fact/name", json!("toggle")), ("/fact/value", json!(0))])?;

            toggle(&api, &agent.uuid, &asha, Available).await?;
            let phone = Baresip::dial(journey, CALLER, SUPPORT, stack.sip, 440.0)?;
            panel::expect_ringing(&asha, CALLER).await?;
            phone.hang_up().await?;
            panel::expect_quiet(&asha, SOON).await?;
        }
        log::ended_calls(&admin, 4).await?;
        asha.expect_no_complaints()
    });
}

#[test]
fn the_edge_answers_as_the_server_does() {
    journey("edge-presence", async |journey| {
        let plan = EdgePlan::new()?;
        let stack = journey.stack_with(Options { arguments: plan.server_arguments() }).await?;
        let edge = plan.start(journey, &stack).await?;
        let agent = stack.person("Riya")?.clone();
        let path = format!("/core/agents/{}/presence", agent.uuid);

        for api in [stack.api()?, edge.api()?] {
            let signed = api.with_token(&agent.api_token);
            let other = signed.toggle("5f0c0000-0000-4000-8000-00000000ffff", 1).await?;
            other.expect_problem(404)?;
            signed.post(&path, &json!({ "state": 2 })).await?.expect_problem(422)?;
            signed.post(&path, &json!({ "state": "1" })).await?.expect_problem(422)?;
            signed.post(&path, &json!({ "state": true })).await?.expect_problem(422)?;
            signed.post(&path, &json!({})).await?.expect_problem(422)?;
            signed.post_raw(&path, "application/json", "{\"state\": ").await?.expect_problem(400)?;
            signed.post_raw(&path, "text/plain", "{\"state\": 1}").await?.expect_problem(415)?;
            api.toggle(&agent.uuid, 1).await?.expect_problem(401)?;
            api.with_token("ccp1.e30.AAAA").toggle(&agent.uuid, 1).await?.expect_problem(401)?;
            api.with_token(&forged(&agent.api_token)).get(&path).await?.expect_problem(401)?;
        }

        // What the edge's cache says follows the server, and its age is told.
        let (server, cache) = (stack.api()?.with_token(&agent.api_token), edge.api()?.with_token(&agent.api_token));
        ensure!(cache.read(&path).await?["state"] == 1, "the edge starts with what the server has");
        let written = server.toggle(&agent.uuid, 0).await?;
        ensure!(written.status == 200 && written.json()?["applied"] == true, "{}", written.text());
        let version = written.json()?["version"].clone();
        until("the server's change at the edge", Duration::from_secs(2), async || {
            let answer = cache.get(&path).await?;
            ensure!(answer.status == 200, "{}", answer.text());
            let body = answer.json()?;
            ensure!(body["state"] == 0 && body["version"] == version, "{body}");
            for header in ["age", "etag", "x-presence-revision", "x-presence-as-of", "x-presence-source"] {
                ensure!(answer.header(header).is_some(), "no {header} in {:?}", answer.headers);
            }
            anyhow::Ok(())
        })
        .await?;

        // Without the server a write is refused or says what it is, and is never answered as applied.
        stack.kill().await?;
        let refused = cache.toggle(&agent.uuid, 1).await?;
        ensure!(
            !refused.status.is_success() || refused.json()?["applied"] == false,
            "{} {}",
            refused.status,
            refused.text()
        );
        stack.start_again().await?;
        until("a write through the edge after the restart", SOON, async || {
            let answer = cache.toggle(&agent.uuid, 1).await?;
            ensure!(answer.status == 200 && answer.json()?["applied"] == true, "{} {}", answer.status, answer.text());
            anyhow::Ok(())
        })
        .await?;
        ensure!(server.read(&path).await?["state"] == 1, "the server has what the edge answered");
        edge.kill().await
    });
}

/// Sets the toggle by an API, and fails unless the panel shows it within a second of the answer.
async fn toggle(api: &Api, agent: &str, tab: &Tab, to: Availability) -> Result<()> {
    let state = match to {
        Available => 1,
        Away => 0,
    };
    let answer = api.toggle(agent, state).await?;
    let answered = Instant::now();
    ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
    let body = answer.json()?;
    log::expect(
        &body,
        &[("/uuid", json!(agent)), ("/state", json!(state)), ("/applied", json!(true)), ("/changed", json!(true))],
    )?;
    ensure!(body["obeyed_at"].is_string(), "routing has not obeyed: {body}");
    panel::expect_availability(tab, to, FOLLOW.saturating_sub(answered.elapsed())).await
}

/// A token whose payload was changed and whose signature was kept.
fn forged(token: &str) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    if let Some(payload) = parts.get_mut(1) {
        let last = payload.pop();
        payload.push(if last == Some('A') { 'B' } else { 'A' });
    }
    parts.join(".")
}
