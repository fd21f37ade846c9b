//! People call: out by a trunk under the guards, and each other; with their own desk phone first. What the log and the
//! ledger say of it.

use anyhow::{Context, Result, ensure};
use cordboard_e2e::desk::{Desk, Habit, micros};
use cordboard_e2e::journey::journey;
use cordboard_e2e::office::{ASHA_DIRECT, Office, line};
use cordboard_e2e::phone::{Manner, Softphone};
use cordboard_e2e::stack::SOON;
use cordboard_e2e::wait::until;
use cordboard_shared::Millis;
use reqwest::Method;
use serde_json::{Value, json};

/// In milliseconds.
const HOUR: u64 = 3_600_000;
const ASHA_TONE: f64 = 1_000.0;
const DEV_TONE: f64 = 1_700.0;
const CARRIER_TONE: f64 = 520.0;
const CALLER_TONE: f64 = 440.0;
const CUSTOMER: &str = "+447700900601";
/// The number Support shows.
const SHOWN: &str = "+442079460101";

#[test]
fn calls_go_out_only_where_they_may_and_say_how_they_ended() {
    journey("calling-out", async |journey| {
        let office = Office::open(journey).await?;
        let phone = office.desk_phone("Asha", "1003", ASHA_TONE).await?;
        let asha = Desk::open(&office.stack, "Asha", Habit::Watches).await?;
        let carrier = Softphone::open("carrier", office.stack.sip, CARRIER_TONE)?;
        guarded(&office, &asha, &carrier, &phone).await?;
        with_the_own_phone_first(&office, &asha, &carrier, &phone).await?;
        by_the_api(&office, &carrier, &phone).await?;
        refused_by_them(&office, &asha, &carrier).await?;
        the_next_way_out(&office, &asha, &carrier).await?;
        blocked_by_state(&office, &asha, &carrier).await?;
        office.expect_no_calls().await
    });
}

#[test]
fn a_desk_phone_registers_rings_beside_the_browser_and_calls_colleagues() {
    journey("desk-phones", async |journey| {
        let office = Office::open(journey).await?;
        let password = office.give_phone("Dev", "1001").await?;
        let stranger = Softphone::open("1001", office.stack.sip, DEV_TONE)?;
        let refused = stranger.register("1001", "not the password").await?;
        ensure!(matches!(refused, 401 | 403), "a wrong password was answered by {refused}");
        let dev_phone = Softphone::open("1001", office.stack.sip, DEV_TONE)?;
        dev_phone.set(Manner::Rings);
        dev_phone.register_well("1001", &password).await?;
        office.expect_devices("Dev", 1).await?;
        let dev = Desk::open(&office.stack, "Dev", Habit::Rings).await?;
        office.expect_devices("Dev", 2).await?;
        let asha_phone = office.desk_phone("Asha", "1003", ASHA_TONE).await?;

        rings_beside_the_browser(&office, &dev, &dev_phone).await?;
        internal(&office, &asha_phone, &dev_phone).await?;
        replay_gives_the_same(&office).await?;
        office.expect_no_calls().await
    });
}

fn dial(to: &str) -> Value {
    json!({ "to": to, "device": "phone:1003" })
}

/// Nothing goes out without a trunk, nor to a prefix that is not open; and nothing rings anywhere.
async fn guarded(office: &Office<'_>, asha: &Desk, carrier: &Softphone, phone: &Softphone) -> Result<()> {
    asha.must_not("call.dial", &dial(CUSTOMER), "not-allowed").await?;
    office.send_out_by(&[carrier.port]).await?;
    office.change_telephony(|telephony| telephony["guard"]["prefixes"] = json!([])).await?;
    let closed = asha.must_not("call.dial", &dial(CUSTOMER), "not-allowed").await?;
    ensure!(closed.to_lowercase().contains("open"), "the sentence does not say why: {closed}");
    office
        .change_telephony(|telephony| {
            telephony["guard"]["prefixes"] = json!(["+44"]);
            telephony["guard"]["closed"] = json!(["+447700"]);
        })
        .await?;
    asha.must_not("call.dial", &dial(CUSTOMER), "not-allowed").await?;
    asha.must_not("call.dial", &dial("nobody at all"), "invalid-field").await?;
    ensure!(carrier.calls() == 0 && phone.calls() == 0, "something rang all the same");
    office.change_telephony(|telephony| telephony["guard"]["closed"] = json!([])).await
}

/// Click-to-call: the own phone rings, then the customer; both hear each other, and the customer sees Support's number.
async fn with_the_own_phone_first(
    office: &Office<'_>,
    asha: &Desk,
    carrier: &Softphone,
    phone: &Softphone,
) -> Result<()> {
    carrier.set(Manner::Rings);
    phone.set(Manner::Rings);
    let answer = asha.must("call.dial", &dial(CUSTOMER)).await?;
    let uid = answer["call"].as_str().context("no call")?.to_owned();
    let own = phone.expect_call(0, SOON).await?;
    ensure!(carrier.calls() == 0, "the customer rings before the own phone was picked up");
    own.answer()?;
    let far = carrier.expect_call(0, SOON).await?;
    let invite = far.invite();
    ensure!(invite.uri().contains(CUSTOMER), "another number was called: {}", invite.uri());
    let from = invite.header("from").unwrap_or_default();
    ensure!(from.contains(SHOWN), "another number is shown: {from}");
    let identity = invite.header("p-asserted-identity").unwrap_or_default();
    ensure!(identity.contains(SHOWN), "another identity: {identity:?}");
    asha.expect_call(&uid, "to ring", |call| call["state"] == "ringing" && call["direction"] == "outbound").await?;
    far.answer()?;
    asha.expect_call(&uid, "to be connected", |call| call["state"] == "connected").await?;
    far.expect_hears(ASHA_TONE, &[], SOON).await?;
    own.expect_hears(CARRIER_TONE, &[], SOON).await?;
    asha.must("call.digits", &json!({ "call": uid, "digits": "71#" })).await?;
    far.expect_digits("71#", SOON).await?;
    far.hang_up()?;
    own.expect_over(SOON).await?;
    let call = office.expect_ended(&uid).await?;
    ensure!(call["result"] == "answered" && call["direction"] == "outbound", "{call:#}");
    ensure!(call["to"]["number"] == CUSTOMER && call["from"]["number"] == SHOWN, "{call:#}");
    ensure!(call["agent"] == asha.agent.as_str() && call["sip_status"] == 200, "{call:#}");
    // What was allowed is written down as well: the leg to the own phone, and the call out.
    office.expect_line(&uid, line("Asha", "rung", "14/available")).await?;
    office.expect_line(&uid, line("Asha", "rung", "15/available")).await?;
    phone.set(Manner::Answers);
    Ok(())
}

/// The same by HTTP, by a person whose right it is.
async fn by_the_api(office: &Office<'_>, carrier: &Softphone, phone: &Softphone) -> Result<()> {
    carrier.set(Manner::Answers);
    let (before, outside) = (phone.calls(), carrier.calls());
    let person = office.stack.person("Asha")?;
    let (api, origin) = (office.stack.api()?, office.stack.url());
    let body = json!({ "email": person.email, "password": person.password });
    let kind = ("content-type", "application/json");
    let asked = [kind, ("origin", origin.as_str())];
    let session = api.send(Method::POST, "/core/session", &asked, Some(body.to_string().into())).await?;
    let cookie = session.header("set-cookie").context("no cookie")?;
    let cookie = cookie.split(';').next().unwrap_or_default();
    let asked = [kind, ("origin", origin.as_str()), ("cookie", cookie)];
    let answer = api.send(Method::POST, "/core/calls", &asked, Some(dial(CUSTOMER).to_string().into())).await?;
    ensure!(answer.status == 201, "{} {}", answer.status, answer.text());
    let uid = answer.json()?["uid"].as_str().context("no uid")?.to_owned();
    let own = phone.expect_call(before, SOON).await?;
    let far = carrier.expect_call(outside, SOON).await?;
    far.expect_hears(ASHA_TONE, &[], SOON).await?;
    own.expect_hears(CARRIER_TONE, &[], SOON).await?;
    own.hang_up()?;
    far.expect_over(SOON).await?;
    let call = office.expect_ended(&uid).await?;
    ensure!(call["result"] == "answered" && call["direction"] == "outbound", "{call:#}");
    Ok(())
}

/// Busy, declined, not there, no answer: each stands in the log with its cause.
async fn refused_by_them(office: &Office<'_>, asha: &Desk, carrier: &Softphone) -> Result<()> {
    for (status, result, cause) in [
        (486, "missed", "busy"),
        (603, "rejected", "declined"),
        (404, "rejected", "unreachable"),
        (480, "missed", "no_answer"),
    ] {
        carrier.set(Manner::Refuses(status));
        let answer = asha.must("call.dial", &dial(CUSTOMER)).await?;
        let uid = answer["call"].as_str().context("no call")?.to_owned();
        let call = office.expect_ended(&uid).await?;
        ensure!(
            call["result"] == result && call["cause"] == cause && call["sip_status"] == status,
            "{status} should be {result} by {cause}: {call:#}"
        );
    }
    carrier.set(Manner::Answers);
    Ok(())
}

/// 503 leads to the next target, and so does silence; what the first says otherwise is final.
async fn the_next_way_out(office: &Office<'_>, asha: &Desk, carrier: &Softphone) -> Result<()> {
    let first = Softphone::open("first", office.stack.sip, 640.0)?;
    office.send_out_by(&[first.port, carrier.port]).await?;
    for manner in [Manner::Refuses(503), Manner::Silent] {
        first.set(manner);
        let (before, asked) = (carrier.calls(), first.requests("INVITE").len());
        let answer = asha.must("call.dial", &dial(CUSTOMER)).await?;
        let far = carrier.expect_call(before, SOON).await?;
        far.expect_hears(ASHA_TONE, &[], SOON).await?;
        if manner != Manner::Silent {
            ensure!(first.requests("INVITE").len() > asked, "the first way out was not tried first");
        }
        asha.must("call.hangup", &answer).await?;
        far.expect_over(SOON).await?;
    }
    office.send_out_by(&[carrier.port]).await
}

/// Row 15: a pause by an admin stops calls out when the policy says so.
async fn blocked_by_state(office: &Office<'_>, asha: &Desk, carrier: &Softphone) -> Result<()> {
    let before = carrier.calls();
    office.change_policy(|policy| policy["settings"]["reach"]["pause_stops_outbound"] = json!(true)).await?;
    office.fact("Meera", "Asha", "pause", Some(Office::block("stock take"))).await?;
    let why = asha.must_not("call.dial", &dial(CUSTOMER), "not-allowed").await?;
    ensure!(carrier.calls() == before, "it went out all the same, after {why}");
    office.fact("Meera", "Asha", "pause", None).await?;
    office.change_policy(|policy| policy["settings"]["reach"]["pause_stops_outbound"] = json!(false)).await
}

/// An outside call rings at Dev's browser and desk phone at once; the phone answers and the browser falls silent.
async fn rings_beside_the_browser(office: &Office<'_>, dev: &Desk, phone: &Softphone) -> Result<()> {
    let from = "+447700900611";
    for who in ["Asha", "Riya"] {
        office.toggle(who, 0).await?;
    }
    let caller = Softphone::open(from, office.stack.sip, CALLER_TONE)?;
    let (mark, before) = (dev.mark(), phone.calls());
    let outside = caller.dial(cordboard_e2e::office::SUPPORT)?;
    let ring = dev.expect_ring(mark, from).await?;
    let desk = phone.expect_call(before, SOON).await?;
    let shown = desk.invite();
    let from_header = shown.header("from").unwrap_or_default();
    ensure!(from_header.contains(from), "the desk phone shows {from_header}");
    desk.answer()?;
    outside.expect_answered(SOON).await?;
    let offer = ring.data["offer"].clone();
    dev.expect(mark, "ring.stop", SOON, |stop| stop["offer"] == offer).await?;
    outside.expect_hears(DEV_TONE, &[], SOON).await?;
    desk.expect_hears(CALLER_TONE, &[], SOON).await?;
    let uid = ring.data["call"].as_str().context("no call")?.to_owned();
    office.expect_line(&uid, line("Dev", "answered", "1/available")).await?;
    desk.hang_up()?;
    outside.expect_over(SOON).await?;
    let call = office.expect_ended(&uid).await?;
    ensure!(call["ended_by"] == "agent" && call["result"] == "answered", "{call:#}");
    // Whether there is after-call work is the department's choice; either way it is over now.
    drop(dev.ask("wrapup.done", &json!({})).await?);
    office.toggle("Asha", 1).await?;
    office.toggle("Riya", 1).await.map(drop)
}

/// Row 7: Asha dials Dev's extension on her desk phone.
async fn internal(office: &Office<'_>, asha: &Softphone, dev: &Softphone) -> Result<()> {
    let before = dev.calls();
    let near = asha.dial("23")?;
    let far = dev.expect_call(before, SOON).await?;
    near.expect_ringing(SOON).await?;
    far.answer()?;
    near.expect_answered(SOON).await?;
    near.expect_hears(DEV_TONE, &[], SOON).await?;
    far.expect_hears(ASHA_TONE, &[], SOON).await?;
    near.hang_up()?;
    far.expect_over(SOON).await?;
    let call = office
        .expect_logged("the internal call", |call| call["direction"] == "internal" && call["state"] == "ended")
        .await?;
    let uid = call["uid"].as_str().context("no uid")?;
    ensure!(call["result"] == "answered" && call["from"]["number"] == "21", "{call:#}");
    ensure!(call["to"]["number"] == "23", "{call:#}");
    office.expect_line(uid, line("Asha", "rung", "14/available")).await?;
    office.expect_line(uid, line("Dev", "answered", "7/available")).await?;

    // Away: a colleague reaches the voicemail box.
    office.toggle("Dev", 0).await?;
    let before = dev.calls();
    let near = asha.dial("23")?;
    near.expect_answered(SOON).await?;
    near.expect_other_sound(&[DEV_TONE], SOON).await?;
    ensure!(dev.calls() == before, "it rang for Dev, who is Away");
    near.hang_up()?;
    office.toggle("Dev", 1).await?;
    // A number nobody has is refused, and so is calling out past the guard.
    let nobody = asha.dial("99")?;
    let status = nobody.expect_over(SOON).await?;
    ensure!(status >= 400, "99 was answered by {status}");
    let outside = asha.dial("+12025550100")?;
    let status = outside.expect_over(SOON).await?;
    ensure!(status == 403 || status == 603, "a closed number was answered by {status}");
    // An outside caller reaches the one who dialed before as before.
    let caller = Softphone::open("+447700900612", office.stack.sip, CALLER_TONE)?;
    let talk = office.connect(&caller, ASHA_DIRECT, asha).await?;
    talk.caller.hang_up()?;
    office.expect_ended(&talk.uid).await.map(drop)
}

/// The recorded decisions, run again, are the same.
async fn replay_gives_the_same(office: &Office<'_>) -> Result<()> {
    let now = Millis(i64::try_from(micros() / 1_000)?);
    let body = json!({ "from": now - HOUR, "to": now + HOUR });
    until("the trace on the disk", SOON, async || {
        let answer = office.send(reqwest::Method::POST, "/core/route/replay", &body).await?;
        ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
        let answer = answer.json()?;
        ensure!(answer["decisions"].as_u64() >= Some(3), "{answer:#}");
        ensure!(answer["same"] == answer["decisions"] && answer["changed"] == json!([]), "not the same: {answer:#}");
        Ok(())
    })
    .await
}
