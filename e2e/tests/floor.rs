//! The floor at work: waves, refusals at the door, places in line that outlive a power cut, callbacks, a pause during a
//! ring, and the questions one may ask the engine.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cordboard_e2e::desk::{Desk, Habit, micros};
use cordboard_e2e::journey::journey;
use cordboard_e2e::office::{Office, SUPPORT, line};
use cordboard_e2e::phone::{Baresip, Plan};
use cordboard_e2e::stack::SOON;
use cordboard_e2e::wait::until;
use reqwest::Method;
use serde_json::{Value, json};

/// A lost race or a ring is over at the other desks within this, in microseconds.
const SILENT_WITHIN: u64 = 500_000;
/// The shortest ring time there is, and the time after it.
const RING_SECONDS: u64 = 10;

#[test]
fn rings_stop_where_they_must_and_the_door_refuses_whom_it_must() {
    journey("floor", async |journey| {
        let office = Office::open(journey).await?;
        let asha = Desk::open(&office.stack, "Asha", Habit::Rings).await?;
        let riya = Desk::open(&office.stack, "Riya", Habit::Rings).await?;
        let dev = Desk::open(&office.stack, "Dev", Habit::Rings).await?;
        a_wave_has_one_winner(&office, [&asha, &riya, &dev]).await?;
        a_pause_stops_a_ring(&office, &asha, &riya).await?;
        the_door(&office, &asha).await?;
        a_question_is_answered_as_a_call_is(&office, &asha).await
    });
}

#[test]
fn a_place_in_line_outlives_a_power_cut_and_can_be_kept_for_a_callback() {
    journey("places", async |journey| {
        let office = Office::open(journey).await?;
        let asha = Desk::open(&office.stack, "Asha", Habit::Rings).await?;
        office
            .change_support(|support| {
                support["callback"] = json!(true);
                support["announce_seconds"] = json!(15);
            })
            .await?;

        // Asha rings with the first call for the whole of this part, so the others wait.
        let first = office.dial("+447700900201", SUPPORT, Plan::Stays)?;
        asha.expect_ring(0, "+447700900201").await?;
        let second = office.dial("+447700900202", SUPPORT, Plan::Stays)?;
        office.expect_support_line(&["+447700900201", "+447700900202"]).await?;
        let third = office.dial("+447700900203", SUPPORT, Plan::Stays)?;
        let callers = office.expect_support_line(&["+447700900201", "+447700900202", "+447700900203"]).await?;
        ensure!(callers[2]["position"] == 3 && callers[2]["estimate_ms"].is_u64(), "{:#}", callers[2]);

        office.stack.kill().await?;
        for caller in [first, second, third] {
            caller.stop().await?;
        }
        office.stack.start_again().await?;
        asha.expect_ready(&office.stack.api_as("Asha")?).await?;
        let mark = asha.mark();
        let stranger = office.dial("+447700900204", SUPPORT, Plan::Stays)?;
        asha.expect_ring(mark, "+447700900204").await?;
        let third = office.dial("+447700900203", SUPPORT, Plan::Stays)?;
        office.expect_support_line(&["+447700900203", "+447700900204"]).await?;
        let second = office.dial("+447700900202", SUPPORT, Plan::Stays)?;
        office.expect_support_line(&["+447700900202", "+447700900203", "+447700900204"]).await?;

        // Who presses 1 hangs up and keeps the place.
        let fourth = Baresip::dial(journey, "+447700900205", SUPPORT, office.stack.sip, 440.0)?;
        fourth.expect_answered(SOON).await?;
        office.expect_support_line(&["+447700900202", "+447700900203", "+447700900204", "+447700900205"]).await?;
        fourth.press('1').await?;
        fourth.expect_over(Duration::from_secs(30)).await?;
        fourth.hang_up().await?;
        let callbacks = until("the callback in the list", SOON, async || {
            let mut list = office.admin.read("/core/callbacks").await?;
            let callbacks = list["callbacks"].take();
            ensure!(callbacks[0]["number"] == "+447700900205", "{callbacks:#}");
            Ok(callbacks)
        })
        .await?;
        let line = office.support_line().await?;
        let place =
            line.iter().find(|caller| caller["from"] == "+447700900205").context("the callback has no place")?;
        ensure!(place["callback"] == true && place["position"] == 4, "{line:#?}");
        let uid = callbacks[0]["call"].as_str().context("no uid")?;
        let done = office.send(Method::POST, &format!("/core/callbacks/{uid}/done"), &json!({})).await?;
        ensure!(done.status.is_success(), "{} {}", done.status, done.text());
        ensure!(office.admin.read("/core/callbacks").await?["callbacks"] == json!([]), "it is still there");
        for caller in [stranger, second, third] {
            caller.stop().await?;
        }
        Ok(())
    });
}

/// Three ring at once, one answers, and the others neither ring on nor have missed anything.
async fn a_wave_has_one_winner(office: &Office<'_>, desks: [&Desk; 3]) -> Result<()> {
    let from = "+447700900211";
    office
        .change_support(|support| {
            support["strategy"] = json!("simultaneous");
            support["wave"] = json!(3);
        })
        .await?;
    let marks = desks.map(Desk::mark);
    let caller = office.dial(from, SUPPORT, Plan::Talks(Duration::from_millis(600)))?;
    let mut rings = Vec::new();
    for (desk, mark) in desks.iter().zip(marks) {
        rings.push(desk.expect_ring(mark, from).await?);
    }
    let call = rings[0].data["call"].as_str().context("no call")?.to_owned();
    let answered = micros();
    desks[1].answer(&rings[1])?;
    for place in [0, 2] {
        let offer = rings[place].data["offer"].clone();
        let stop = desks[place].expect(marks[place], "ring.stop", SOON, |stop| stop["offer"] == offer).await?;
        ensure!(stop.data["reason"] == "answered_elsewhere", "{:#}", stop.data);
        ensure!(stop.at < answered + SILENT_WITHIN, "it rang for {} µs more", stop.at - answered);
    }
    caller.over(SOON).await?;
    for (who, reason) in [("Asha", "answered_elsewhere"), ("Riya", "answered"), ("Dev", "answered_elsewhere")] {
        office.expect_line(&call, line(who, reason, "1/available")).await?;
    }
    let decisions = office.admin.decisions(&call).await?;
    ensure!(!decisions.iter().any(|it| it.to_string().contains("missed")), "somebody missed it: {decisions:#?}");
    office.change_support(|support| support["strategy"] = json!("serial")).await
}

/// An admin's pause ends a ring before it is answered, and the next person rings.
async fn a_pause_stops_a_ring(office: &Office<'_>, asha: &Desk, riya: &Desk) -> Result<()> {
    let from = "+447700900212";
    let (mark, riyas) = (asha.mark(), riya.mark());
    let caller = office.dial(from, SUPPORT, Plan::GivesUp(Duration::from_millis(2_500)))?;
    let ring = asha.expect_ring(mark, from).await?;
    office.fact("Meera", "Asha", "pause", Some(Office::block("stock take"))).await?;
    // The answer is there, so the decision was taken before.
    let call = ring.data["call"].as_str().context("no call")?;
    office.expect_line(call, line("Asha", "declined_by_status", "1/available")).await?;
    let stop = asha.expect(mark, "ring.stop", SOON, |stop| stop["offer"] == ring.data["offer"]).await?;
    ensure!(stop.data["reason"] == "declined_by_status", "{:#}", stop.data);
    riya.expect_ring(riyas, from).await?;
    caller.over(SOON).await?;
    office.fact("Meera", "Asha", "pause", None).await.map(drop)
}

/// A blocked caller gets 603, one too many 486; both stand in the log.
async fn the_door(office: &Office<'_>, asha: &Desk) -> Result<()> {
    let from = "+447700900213";
    let body = json!({ "number": from, "reason": "nuisance" });
    let blocked = office.send(Method::POST, "/core/blocked", &body).await?;
    ensure!(blocked.status.is_success(), "{} {}", blocked.status, blocked.text());
    office.dial(from, SUPPORT, Plan::IsRefused(603))?.over(SOON).await?;
    let call = office.ended_call(from).await?;
    ensure!(call["result"] == "rejected" && call["sip_status"] == 603, "{call:#}");
    expect_refused(office, &call, "blocked_caller").await?;
    let freed = office.admin.send(Method::DELETE, &format!("/core/blocked/{from}"), &[], None).await?;
    ensure!(freed.status.is_success(), "{} {}", freed.status, freed.text());
    office.expect_rings(asha, from, SUPPORT, line("Asha", "rung", "1/available")).await?;

    let lines = |most: Value, share: Value| {
        move |policy: &mut Value| {
            policy["settings"]["lines"] = most;
            policy["settings"]["inbound_percent"] = share;
        }
    };
    office.change_policy(lines(json!(1), json!(100))).await?;
    let mark = asha.mark();
    let first = office.dial("+447700900214", SUPPORT, Plan::GivesUp(Duration::from_secs(2)))?;
    asha.expect_ring(mark, "+447700900214").await?;
    office.dial("+447700900215", SUPPORT, Plan::IsRefused(486))?.over(SOON).await?;
    first.over(SOON).await?;
    let lost = office.ended_call("+447700900215").await?;
    ensure!(lost["result"] == "lost" && lost["cause"] == "no_line_free", "{lost:#}");
    expect_refused(office, &lost, "no_line_free").await?;
    office.change_policy(lines(Value::Null, Value::Null)).await
}

async fn expect_refused(office: &Office<'_>, call: &Value, reason: &str) -> Result<()> {
    let decisions = office.admin.decisions(call["uid"].as_str().context("no uid")?).await?;
    ensure!(decisions.len() == 1 && decisions[0]["refused"] == reason, "not {reason}: {decisions:#?}");
    Ok(())
}

/// What the engine says would happen is what then happens.
async fn a_question_is_answered_as_a_call_is(office: &Office<'_>, asha: &Desk) -> Result<()> {
    let from = "+447700900216";
    office.change_support(|support| support["ring_seconds"] = json!(RING_SECONDS)).await?;
    for who in ["Riya", "Dev"] {
        office.toggle(who, 0).await?;
    }
    let question = json!({ "to": SUPPORT, "from": from });
    let answer = office.send(Method::POST, "/core/route/simulate", &question).await?;
    ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
    let said = answer.json()?;
    ensure!(said["outcome"]["to"] == "voicemail" && said["rings"][0]["agent"] == asha.agent.as_str(), "{said:#}");

    let patience = Duration::from_secs(RING_SECONDS + 20);
    office.dial(from, SUPPORT, Plan::Talks(Duration::from_millis(300)))?.over(patience).await?;
    let call = office.ended_call(from).await?;
    let done = office.admin.decisions(call["uid"].as_str().context("no uid")?).await?;
    let essence = |decisions: &[Value]| -> Vec<Value> { decisions.iter().map(essence_of).collect() };
    let said = said["decisions"].as_array().context("no decisions")?.clone();
    ensure!(
        essence(&said) == essence(&done),
        "the answer was\n{:#?}\nand then came\n{:#?}",
        essence(&said),
        essence(&done)
    );
    Ok(())
}

/// A decision without its instants and versions.
fn essence_of(decision: &Value) -> Value {
    let members = decision["members"].as_array().into_iter().flatten().map(|member| {
        json!([member["agent"], member["order"], member["reason"], member["cell"], member["fact"]["name"]])
    });
    json!({
        "step": decision["step"], "row": decision["row"], "department": decision["department"],
        "strategy": decision["strategy"], "policy": decision["policy_version"], "then": decision["then"],
        "members": members.collect::<Vec<_>>(),
    })
}
