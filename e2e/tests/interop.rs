//! Other people's telephones and proxies: calls through them, in which both sides hear each other and not themselves.

use std::time::Duration;

use anyhow::ensure;
use cordboard_e2e::journey::journey;
use cordboard_e2e::office::{ASHA_DIRECT, Office};
use cordboard_e2e::phone::{Baresip, Direction, Linphone, Manner, Rsip, Softphone, TONE_AMPLITUDE};
use cordboard_e2e::proxy::Proxy;
use cordboard_e2e::stack::SOON;
use cordboard_e2e::tone::{self, Expected};
use cordboard_e2e::wait::{throughout, until};

const CALLER_TONE: f64 = 440.0;
const ASHA_TONE: f64 = 1_000.0;
const DEV_TONE: f64 = 1_700.0;
/// A pause that no jitter makes.
const QUIET: Duration = Duration::from_millis(500);
/// A recording has to be long enough to be judged.
const TALK: Duration = Duration::from_secs(4);
/// A refused phone tries no more within this.
const REFUSED: Duration = Duration::from_secs(2);

#[test]
fn a_proxy_in_front_stays_on_the_path() {
    journey("kamailio", async |journey| {
        let office = Office::open(journey).await?;
        let phone = office.desk_phone("Asha", "1003", ASHA_TONE).await?;
        let proxy = Proxy::start(journey, office.stack.sip).await?;
        // Either side hangs up once: the BYE of each must find the way through the proxy.
        for by_caller in [true, false] {
            let caller = Softphone::open("+447700900972", proxy.port, CALLER_TONE)?;
            let before = phone.calls();
            let far = caller.dial(ASHA_DIRECT)?;
            let near = phone.expect_call(before, SOON).await?;
            far.expect_hears(ASHA_TONE, &[], SOON).await?;
            near.expect_hears(CALLER_TONE, &[], SOON).await?;
            if by_caller {
                far.hang_up()?;
                near.expect_over(SOON).await?;
            } else {
                near.hang_up()?;
                far.expect_over(SOON).await?;
                let bye = caller.requests("BYE");
                ensure!(bye.len() == 1, "{} BYEs came", bye.len());
                // Kamailio's own Via on top of ours.
                ensure!(bye[0].all("via").count() == 2, "it did not come by the proxy: {:?}", bye[0].headers);
            }
            office.expect_no_calls().await?;
        }
        Ok(())
    });
}

#[test]
fn a_baresip_registers_is_called_holds_and_calls() {
    journey("baresip-registers", async |journey| {
        let office = Office::open(journey).await?;
        let password = office.give_phone("Dev", "1001").await?;
        let asha = office.desk_phone("Asha", "1003", ASHA_TONE).await?;

        let wrong = Baresip::registering(journey, "1001", "not the password", office.stack.sip, DEV_TONE)?;
        throughout("a wrong password registers nothing", REFUSED, async || {
            let devices = office.devices("Dev").await?;
            ensure!(devices == 0, "{devices} devices");
            anyhow::Ok(())
        })
        .await?;
        wrong.hang_up().await?;

        let baresip = Baresip::registering(journey, "1001", &password, office.stack.sip, DEV_TONE)?;
        office.expect_devices("Dev", 1).await?;
        let near = asha.dial("23")?;
        near.expect_answered(SOON).await?;
        near.expect_hears(DEV_TONE, &[], SOON).await?;
        baresip.expect_more(TALK).await?;
        // Its own hold, and back: music while it lasts.
        baresip.command("hold", "").await?;
        near.expect_other_sound(&[DEV_TONE], SOON).await?;
        baresip.command("resume", "").await?;
        near.expect_hears(DEV_TONE, &[], SOON).await?;
        near.hang_up()?;
        office.expect_no_calls().await?;

        // It calls, too: its INVITE is challenged.
        let before = asha.calls();
        baresip.command("dial", &format!("sip:21@127.0.0.1:{}", office.stack.sip)).await?;
        let rung = asha.expect_call(before, SOON).await?;
        rung.expect_hears(DEV_TONE, &[], SOON).await?;
        rung.hang_up()?;
        office.expect_no_calls().await?;
        baresip.hang_up().await?;
        let heard = Expected { hears: ASHA_TONE, not: DEV_TONE, amplitude: TONE_AMPLITUDE };
        tone::judge(&baresip.heard()?, heard)?;
        Ok(())
    });
}

#[test]
fn a_phone_speaks_opus_where_the_settings_allow_it() {
    journey("opus-phone", async |journey| {
        let office = Office::open(journey).await?;
        let phone = office.desk_phone("Asha", "1003", ASHA_TONE).await?;
        // It knows nothing else, and at first nobody allows it.
        let refused = Baresip::dial_in_opus(journey, "+447700900974", ASHA_DIRECT, office.stack.sip, CALLER_TONE)?;
        refused.expect_over(SOON).await?;
        refused.hang_up().await?;
        ensure!(phone.calls() == 0, "it rang");

        office.change_telephony(|telephony| telephony["phone_codec"] = serde_json::json!("opus")).await?;
        let opus = Baresip::dial_in_opus(journey, "+447700900975", ASHA_DIRECT, office.stack.sip, CALLER_TONE)?;
        let near = phone.expect_call(0, SOON).await?;
        near.expect_hears(CALLER_TONE, &[], SOON).await?;
        opus.expect_more(TALK).await?;
        near.offer(Direction::SendOnly, SOON).await?;
        near.offer(Direction::SendRecv, SOON).await?;
        near.expect_hears(CALLER_TONE, &[], SOON).await?;
        opus.expect_more(TALK).await?;
        near.hang_up()?;
        opus.expect_over(SOON).await?;
        opus.hang_up().await?;
        let heard = opus.heard()?.last(TALK);
        tone::judge(&heard, Expected { hears: ASHA_TONE, not: CALLER_TONE, amplitude: TONE_AMPLITUDE })?;
        office.expect_no_calls().await
    });
}

#[test]
fn a_trunk_that_must_sign_in_calls_with_its_password_and_not_without() {
    journey("trunk-password", async |journey| {
        let office = Office::open(journey).await?;
        let phone = office.desk_phone("Asha", "1003", ASHA_TONE).await?;
        let credentials = serde_json::json!({ "username": "carrier", "password": "of-the-carrier" });
        office.change_telephony(|telephony| telephony["trunks"][0]["credentials"] = credentials).await?;

        let stranger = Softphone::open("+447700900976", office.stack.sip, CALLER_TONE)?;
        let status = stranger.dial(ASHA_DIRECT)?.expect_over(SOON).await?;
        ensure!(status == 401, "without a password it was answered by {status}");
        for (password, is_right) in [("guessed", false), ("of-the-carrier", true)] {
            let account = format!(";auth_user=carrier;auth_pass={password}");
            let number = "+447700900977";
            let sip = office.stack.sip;
            let carrier = Baresip::dial_with(journey, number, ASHA_DIRECT, sip, CALLER_TONE, &account)?;
            if is_right {
                let near = phone.expect_call(0, SOON).await?;
                near.expect_hears(CALLER_TONE, &[], SOON).await?;
                carrier.expect_more(TALK).await?;
                near.hang_up()?;
            }
            carrier.expect_over(SOON).await?;
            carrier.hang_up().await?;
            ensure!(is_right || phone.calls() == 0, "it rang for a wrong password");
            if is_right {
                let heard = Expected { hears: ASHA_TONE, not: CALLER_TONE, amplitude: TONE_AMPLITUDE };
                tone::judge(&carrier.heard()?, heard)?;
            }
        }
        office.expect_no_calls().await
    });
}

#[test]
fn a_linphone_calls() {
    journey("linphone", async |journey| {
        let office = Office::open(journey).await?;
        let phone = office.desk_phone("Asha", "1003", ASHA_TONE).await?;
        let linphone = Linphone::start(journey, "+447700900971", CALLER_TONE).await?;
        linphone.call(&format!("sip:{ASHA_DIRECT}@127.0.0.1:{}", office.stack.sip)).await?;
        let near = phone.expect_call(0, SOON).await?;
        near.expect_hears(CALLER_TONE, &[], SOON).await?;
        linphone.expect_more(TALK).await?;
        linphone.hang_up().await?;
        near.expect_over(SOON).await?;
        tone::judge(&linphone.heard()?, Expected { hears: ASHA_TONE, not: CALLER_TONE, amplitude: TONE_AMPLITUDE })?;
        office.expect_no_calls().await
    });
}

#[test]
fn another_sip_stack_calls_holds_and_hangs_up() {
    journey("rsipstack", async |journey| {
        let office = Office::open(journey).await?;
        let asha = office.desk_phone("Asha", "1003", ASHA_TONE).await?;
        asha.set(Manner::Answers);
        let phone = Rsip::open("+447700900973", office.stack.sip, CALLER_TONE).await?;
        let call = phone.call(ASHA_DIRECT).await?;
        let near = asha.expect_call(0, SOON).await?;
        near.expect_hears(CALLER_TONE, &[], SOON).await?;
        call.expect_more(TALK).await?;
        let expected = Expected { hears: ASHA_TONE, not: CALLER_TONE, amplitude: TONE_AMPLITUDE };
        tone::judge(&call.heard(), expected)?;

        let answered = call.offer(phone.offer("sendonly", 2)?).await?;
        ensure!(answered == "recvonly", "its hold is answered with {answered}");
        // It still sends, and is sent nothing.
        let mut before = call.heard().length();
        until("silence at the phone that holds", SOON, async || {
            let quiet = throughout("no sound", QUIET, async || {
                let now = call.heard().length();
                ensure!(std::mem::replace(&mut before, now) == now, "there is {now:?} of it");
                anyhow::Ok(())
            });
            quiet.await
        })
        .await?;
        near.expect_hears(CALLER_TONE, &[], SOON).await?;
        let answered = call.offer(phone.offer("sendrecv", 3)?).await?;
        ensure!(answered == "sendrecv", "its resume is answered with {answered}");
        near.expect_hears(CALLER_TONE, &[], SOON).await?;
        call.hang_up().await?;
        near.expect_over(SOON).await?;
        office.expect_no_calls().await
    });
}
