//! Encrypted sound (SRTP with keys in SDP), Opus at the browser, and header fields that go with a call: real phones on
//! every side, and both hear each other and not themselves.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cordboard_e2e::browser::{MICROPHONE_AMPLITUDE, Tab};
use cordboard_e2e::desk::{Desk, Habit};
use cordboard_e2e::journey::journey;
use cordboard_e2e::office::{ASHA_DIRECT, Office};
use cordboard_e2e::panel;
use cordboard_e2e::phone::{Baresip, Direction, Softphone, TONE_AMPLITUDE};
use cordboard_e2e::port;
use cordboard_e2e::stack::SOON;
use cordboard_e2e::telephony::Talk;
use cordboard_e2e::tone::{self, Expected};
use cordboard_e2e::wait::until;
use serde_json::json;

const CALLER: &str = "+447700900711";
const CALLER_TONE: f64 = 440.0;
const ASHA_TONE: f64 = 1_000.0;
const RIYA_TONE: f64 = 620.0;
const CARRIER_TONE: f64 = 520.0;
const MICROPHONE: f64 = 1_000.0;
/// A recording has to be long enough to be judged.
const TALK: Duration = Duration::from_secs(5);
/// So many packets before the largest number, the caller's sequence numbers begin.
const BEFORE_ROLLOVER: u16 = 75;

#[test]
fn encrypted_phones_talk_hold_and_are_handed_over() {
    journey("encrypted-phones", async |journey| {
        let office = Office::open(journey).await?;
        let phone = office.desk_phone("Asha", "1003", ASHA_TONE).await?;
        let riya = office.desk_phone("Riya", "1004", RIYA_TONE).await?;
        office
            .change_telephony(|telephony| {
                for phone in telephony["phones"].as_array_mut().into_iter().flatten() {
                    if phone["username"] == "1003" {
                        phone["encryption"] = json!("required");
                    }
                }
                telephony["relay_headers"] = json!(["X-Order"]);
            })
            .await?;
        let asha = Desk::open(&office.stack, "Asha", Habit::Watches).await?;
        let caller = Softphone::open(CALLER, office.stack.sip, CALLER_TONE)?;
        caller.encrypt();
        caller.keep_sending_while_held();
        caller.begin_sequences_at(u16::MAX - BEFORE_ROLLOVER);
        caller.send_headers(&[
            ("User-to-User", "00c9;encoding=hex"),
            ("X-Order", "4711"),
            ("X-Secret", "stays"),
            ("Alert-Info", "<http://127.0.0.1/x>;info=alert-autoanswer"),
        ]);
        let talk = office.connect(&caller, ASHA_DIRECT, &phone).await?;
        let keys = (talk.caller.far_key(), talk.person.far_key());
        ensure!(
            keys.0.is_some() && keys.1.is_some() && keys.0 != keys.1,
            "both legs are encrypted, each by its own key"
        );
        let invite = talk.person.invite();
        ensure!(invite.header("user-to-user") == Some("00c9;encoding=hex"), "{invite:?}");
        ensure!(invite.header("x-order") == Some("4711"), "{invite:?}");
        ensure!(invite.header("x-secret").is_none() && invite.header("alert-info").is_none(), "{invite:?}");

        held_by_both(&asha, &talk).await?;
        ensure!((talk.caller.far_key(), talk.person.far_key()) == keys, "the keys have stayed over hold and resume");
        handed_over(&asha, &talk, &riya).await?;
        talk.caller.hang_up()?;
        office.expect_no_calls().await?;

        must_be_encrypted(&office, &phone).await?;
        goes_out_encrypted(&office, &phone).await
    });
}

/// By us while the sequence numbers roll over, and by them.
async fn held_by_both(asha: &Desk, talk: &Talk) -> Result<()> {
    let call = json!({ "call": talk.uid });
    asha.must("call.hold", &call).await?;
    talk.caller.expect_held(true, SOON).await?;
    talk.caller.expect_other_sound(&[ASHA_TONE], SOON).await?;
    talk.person.expect_silence(SOON).await?;
    until("the sequence numbers to roll over", SOON, async || {
        let next = talk.caller.next_sequence();
        ensure!(next < u16::MAX / 2, "the next is {next}");
        Ok(())
    })
    .await?;
    asha.must("call.resume", &call).await?;
    talk.caller.expect_held(false, SOON).await?;
    talk.expect_both_hear(CALLER_TONE, ASHA_TONE, &[]).await?;
    for way in [Direction::SendOnly, Direction::Inactive] {
        talk.caller.offer(way, SOON).await?;
        asha.expect_call(&talk.uid, "to be held by the other side", |call| call["held_by_peer"] == true).await?;
        talk.caller.offer(Direction::SendRecv, SOON).await?;
        talk.expect_both_hear(CALLER_TONE, ASHA_TONE, &[]).await?;
    }
    Ok(())
}

/// From an encrypted desk phone to one in the clear: the caller's leg stays encrypted.
async fn handed_over(asha: &Desk, talk: &Talk, riya: &Softphone) -> Result<()> {
    let before = riya.calls();
    let to = json!({ "call": talk.uid, "to": "22", "mode": "blind" });
    asha.must("call.transfer", &to).await?;
    let line = riya.expect_call(before, SOON).await?;
    line.expect_answered(SOON).await?;
    line.expect_hears(CALLER_TONE, &[ASHA_TONE], SOON).await?;
    talk.caller.expect_hears(RIYA_TONE, &[ASHA_TONE], SOON).await?;
    ensure!(line.far_key().is_none() && talk.caller.far_key().is_some());
    ensure!(line.invite().header("x-order") == Some("4711"), "{:?}", line.invite());
    Ok(())
}

/// A trunk, or a phone, of which encryption is asked is refused in the clear.
async fn must_be_encrypted(office: &Office<'_>, phone: &Softphone) -> Result<()> {
    let trunk = office.trunk().await?;
    office
        .change_telephony(|telephony| telephony["inbound"] = json!([{ "trunk": trunk, "encryption": "required" }]))
        .await?;
    let plain = Softphone::open("+447700900712", office.stack.sip, CALLER_TONE)?;
    let status = plain.dial(ASHA_DIRECT)?.expect_over(SOON).await?;
    ensure!(status == 488, "a call in the clear was answered by {status}");
    // The phone itself offers sound in the clear so far.
    let status = phone.dial("22")?.expect_over(SOON).await?;
    ensure!(status == 488, "the phone's own call in the clear was answered by {status}");
    office.change_telephony(|telephony| telephony["inbound"] = json!([])).await
}

/// An encrypted desk phone calls out by a trunk that is encrypted, too.
async fn goes_out_encrypted(office: &Office<'_>, phone: &Softphone) -> Result<()> {
    let carrier = office.carrier(CARRIER_TONE).await?;
    office.change_telephony(|telephony| telephony["outbound"][0]["encryption"] = json!("required")).await?;
    let status = office.admin.read("/core/telephony/status").await?;
    let findings = status["findings"].as_array().context("no findings")?;
    let warned = findings.iter().any(|it| it["pointer"] == "/outbound/0/encryption" && it["error"] == false);
    ensure!(warned, "keys in SIP over UDP are not warned of: {findings:?}");

    phone.encrypt();
    let near = phone.dial("+447700900713")?;
    let far = carrier.expect_call(0, SOON).await?;
    far.expect_hears(ASHA_TONE, &[], SOON).await?;
    near.expect_hears(CARRIER_TONE, &[], SOON).await?;
    ensure!(far.invite().body.contains(" RTP/SAVP ") && far.far_key().is_some(), "{}", far.invite().body);
    ensure!(near.far_key().is_some() && near.far_key() != far.far_key());
    near.hang_up()?;
    far.expect_over(SOON).await?;
    office.expect_no_calls().await
}

#[test]
fn an_encrypted_caller_and_a_browser_hear_each_other_and_opus_meets_g711() {
    journey("encrypted-browser", async |journey| {
        let office = Office::open(journey).await?;
        let browser = journey.browser(MICROPHONE).await?;
        let asha = journey.person(&browser, "Asha Rao").await?;
        // What a connection speaks is seen in the connection.
        asha.cdp("Page.addScriptToEvaluateOnNewDocument", json!({ "source": KEEP_CONNECTIONS })).await?;
        office.stack.at_work(&asha, "Asha").await?;

        let foreign =
            Baresip::dial_with(journey, CALLER, ASHA_DIRECT, office.stack.sip, CALLER_TONE, ";mediaenc=srtp-mand")?;
        panel::expect_ringing(&asha, CALLER).await?;
        panel::answer(&asha).await?;
        foreign.expect_answered(SOON).await?;
        asha.expect_hears(panel::EAR, CALLER_TONE, MICROPHONE, SOON).await?;
        expect_codec(&asha, "audio/PCMU").await?;
        foreign.expect_more(TALK).await?;
        panel::hang_up(&asha).await?;
        foreign.expect_over(SOON).await?;
        foreign.hang_up().await?;
        ensure!(foreign.output().contains("srtp"), "it said nothing of encryption:\n{}", foreign.output());
        tone::judge(
            &foreign.heard()?,
            Expected { hears: MICROPHONE, not: CALLER_TONE, amplitude: MICROPHONE_AMPLITUDE },
        )?;
        finished(&asha, &office).await?;

        office.change_telephony(|telephony| telephony["browser_codec"] = json!("opus")).await?;
        for encrypted in [false, true] {
            let caller = Softphone::open("+447700900714", office.stack.sip, CALLER_TONE)?;
            if encrypted {
                caller.encrypt();
            }
            let line = caller.dial(ASHA_DIRECT)?;
            panel::expect_ringing(&asha, &caller.number).await?;
            panel::answer(&asha).await?;
            asha.expect_hears(panel::EAR, CALLER_TONE, MICROPHONE, SOON).await?;
            line.expect_hears(MICROPHONE, &[], SOON).await?;
            expect_codec(&asha, "audio/opus").await?;
            ensure!(line.far_key().is_some() == encrypted);
            asha.button("Hold").within(panel::current(&asha)).click().await?;
            line.expect_held(true, SOON).await?;
            line.expect_other_sound(&[MICROPHONE], SOON).await?;
            asha.button("Resume").within(panel::current(&asha)).click().await?;
            line.expect_held(false, SOON).await?;
            line.expect_hears(MICROPHONE, &[], SOON).await?;
            asha.expect_hears(panel::EAR, CALLER_TONE, MICROPHONE, SOON).await?;
            line.hang_up()?;
            panel::current(&asha).expect_gone(SOON).await?;
            finished(&asha, &office).await?;
        }
        asha.expect_no_complaints()
    });
}

/// Sets one field of a desk phone's settings.
async fn set_phone(office: &Office<'_>, user: &str, field: &str, value: &str) -> Result<()> {
    office
        .change_telephony(|telephony| {
            let phones = telephony["phones"].as_array_mut().into_iter().flatten();
            phones.filter(|phone| phone["username"] == user).for_each(|phone| phone[field] = json!(value));
        })
        .await
}

#[test]
fn a_phone_encrypted_by_dtls_and_a_browser_hear_each_other_before_and_after_a_hold() {
    journey("dtls-browser", async |journey| {
        let office = Office::open(journey).await?;
        let trunk = office.trunk().await?;
        office
            .change_telephony(|telephony| telephony["inbound"] = json!([{ "trunk": trunk, "encryption": "dtls" }]))
            .await?;
        // Keys in SDP are not what was asked for.
        let keyed = Softphone::open("+447700900715", office.stack.sip, CALLER_TONE)?;
        keyed.encrypt();
        let status = keyed.dial(ASHA_DIRECT)?.expect_over(SOON).await?;
        ensure!(status == 488, "keys in SDP were answered by {status}");

        let browser = journey.browser(MICROPHONE).await?;
        let asha = journey.person(&browser, "Asha Rao").await?;
        office.stack.at_work(&asha, "Asha").await?;
        let sip = office.stack.sip;
        let foreign = Baresip::dial_with(journey, CALLER, ASHA_DIRECT, sip, CALLER_TONE, ";mediaenc=dtls_srtp")?;
        panel::expect_ringing(&asha, CALLER).await?;
        panel::answer(&asha).await?;
        foreign.expect_answered(SOON).await?;
        asha.expect_hears(panel::EAR, CALLER_TONE, MICROPHONE, SOON).await?;
        foreign.expect_more(TALK).await?;
        asha.button("Hold").within(panel::current(&asha)).click().await?;
        asha.expect_text("#call-state", "On hold", SOON).await?;
        asha.button("Resume").within(panel::current(&asha)).click().await?;
        asha.expect_hears(panel::EAR, CALLER_TONE, MICROPHONE, SOON).await?;
        panel::hang_up(&asha).await?;
        foreign.expect_over(SOON).await?;
        foreign.hang_up().await?;
        expect_decrypted(&foreign, "DTLS-SRTP complete", 1)?;
        let wanted = Expected { hears: MICROPHONE, not: CALLER_TONE, amplitude: MICROPHONE_AMPLITUDE };
        tone::judge(&foreign.heard()?.last(TALK), wanted)?;
        finished(&asha, &office).await?;
        asha.expect_no_complaints()
    });
}

#[test]
fn a_desk_phone_is_offered_dtls_and_holds() {
    journey("dtls-desk-phone", async |journey| {
        let office = Office::open(journey).await?;
        let password = office.give_phone("Dev", "1001").await?;
        set_phone(&office, "1001", "encryption", "dtls").await?;
        let asha = office.desk_phone("Asha", "1003", ASHA_TONE).await?;
        let sip = office.stack.sip;
        let dev = Baresip::registering_with(journey, "1001", &password, sip, CALLER_TONE, ";mediaenc=dtls_srtp")?;
        office.expect_devices("Dev", 1).await?;
        let near = asha.dial("23")?;
        near.expect_answered(SOON).await?;
        near.expect_hears(CALLER_TONE, &[], SOON).await?;
        dev.expect_more(TALK).await?;
        dev.command("hold", "").await?;
        near.expect_other_sound(&[CALLER_TONE], SOON).await?;
        dev.command("resume", "").await?;
        near.expect_hears(CALLER_TONE, &[], SOON).await?;
        for way in [Direction::SendOnly, Direction::SendRecv] {
            near.offer(way, SOON).await?;
        }
        near.expect_hears(CALLER_TONE, &[], SOON).await?;
        near.hang_up()?;
        office.expect_no_calls().await?;

        // It calls, too, and is answered in DTLS.
        let before = asha.calls();
        dev.command("dial", &format!("sip:21@127.0.0.1:{sip}")).await?;
        let rung = asha.expect_call(before, SOON).await?;
        rung.expect_hears(CALLER_TONE, &[], SOON).await?;
        rung.hang_up()?;
        office.expect_no_calls().await?;
        dev.hang_up().await?;
        expect_decrypted(&dev, "DTLS-SRTP complete", 2)?;
        tone::judge(
            &dev.heard()?.last(TALK),
            Expected { hears: ASHA_TONE, not: CALLER_TONE, amplitude: TONE_AMPLITUDE },
        )?;
        Ok(())
    });
}

#[test]
fn a_desk_phone_speaks_sip_by_tls_and_its_sound_is_encrypted() {
    journey("tls-desk-phone", async |journey| {
        let folder = journey.scratch("certificate")?;
        let (certificate, key) = (folder.join("server.pem"), folder.join("server.key"));
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
        fs::write(&certificate, made.cert.pem())?;
        fs::write(&key, made.signing_key.serialize_pem())?;
        let tls = port::free()?;
        let (address, paths) =
            (format!("127.0.0.1:{tls}"), [&certificate, &key].map(|path| path.display().to_string()));
        let arguments = ["--sip-tls", &address, "--sip-cert", &paths[0], "--sip-key", &paths[1]];
        let office = Office::open_with(journey, &arguments).await?;
        let password = office.give_phone("Dev", "1001").await?;
        set_phone(&office, "1001", "encryption", "required").await?;
        let asha = office.desk_phone("Asha", "1003", ASHA_TONE).await?;
        let dev = Baresip::registering_by_tls(journey, "1001", &password, (tls, &certificate), CALLER_TONE)?;
        office.expect_devices("Dev", 1).await?;
        let near = asha.dial("23")?;
        near.expect_answered(SOON).await?;
        near.expect_hears(CALLER_TONE, &[], SOON).await?;
        dev.expect_more(TALK).await?;
        dev.command("hold", "").await?;
        near.expect_other_sound(&[CALLER_TONE], SOON).await?;
        dev.command("resume", "").await?;
        near.expect_hears(CALLER_TONE, &[], SOON).await?;
        near.hang_up()?;
        office.expect_no_calls().await?;

        let before = asha.calls();
        dev.command("dial", &format!("sip:21@127.0.0.1:{tls};transport=tls")).await?;
        let rung = asha.expect_call(before, SOON).await?;
        rung.expect_hears(CALLER_TONE, &[], SOON).await?;
        rung.hang_up()?;
        office.expect_no_calls().await?;
        dev.hang_up().await?;
        expect_decrypted(&dev, "SRTP is Enabled", 2)?;
        tone::judge(
            &dev.heard()?.last(TALK),
            Expected { hears: ASHA_TONE, not: CALLER_TONE, amplitude: TONE_AMPLITUDE },
        )?;
        Ok(())
    });
}

/// Whether a phone said so often that its sound is encrypted, and could read all of what it was sent: its recording ends
/// with the first hold.
fn expect_decrypted(phone: &Baresip, words: &str, times: usize) -> Result<()> {
    let said = phone.output();
    ensure!(said.matches(words).count() >= times, "it said too little of encryption:\n{said}");
    ensure!(!said.contains("failed to decrypt"), "it could not read what it was sent:\n{said}");
    Ok(())
}

/// Waits until the newest connection of a tab gets and sends this codec.
async fn expect_codec(tab: &Tab, wanted: &str) -> Result<()> {
    until(&format!("{wanted} at {}", tab.name()), SOON, async || {
        let codecs = tab.evaluate(CODECS).await?;
        let all = codecs.as_array().context("no connection")?;
        ensure!(!all.is_empty() && all.iter().all(|codec| codec == wanted), "it is {codecs}");
        Ok(())
    })
    .await
}

/// The after-call work, where there is any, is over.
async fn finished(asha: &Tab, office: &Office<'_>) -> Result<()> {
    let work = asha.role("region", "After-call work");
    if work.is_there().await? {
        asha.button("Done").within(work).click().await?;
    }
    office.expect_no_calls().await
}

const KEEP_CONNECTIONS: &str = "
window.connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...options) { super(...options); window.connections.push(this); }
};";

const CODECS: &str = "(async () => {
    const stats = await window.connections.at(-1).getStats();
    const all = [...stats.values()];
    const streams = all.filter(one => ['inbound-rtp', 'outbound-rtp'].includes(one.type) && one.codecId);
    return streams.map(one => stats.get(one.codecId).mimeType);
})()";
