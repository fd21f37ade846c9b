//! Hold by us and by them, in all three ways: who holds is shown, who is held hears music, nobody hears whom they should
//! not, and the sound is there again afterwards, also when sequence numbers have rolled over meanwhile.

use anyhow::{Result, ensure};
use cordboard_e2e::desk::{Desk, Habit};
use cordboard_e2e::journey::journey;
use cordboard_e2e::office::{ASHA_DIRECT, Office};
use cordboard_e2e::phone::{Direction, Softphone};
use cordboard_e2e::stack::SOON;
use cordboard_e2e::telephony::{Talk, has_step};
use cordboard_e2e::wait::until;
use serde_json::json;

const CALLER: &str = "+447700900501";
const CALLER_TONE: f64 = 440.0;
const ASHA_TONE: f64 = 1_000.0;
/// So many packets before the largest number, the caller's sequence numbers begin; a second and a half of sound.
const BEFORE_ROLLOVER: u16 = 75;

#[test]
fn held_calls_hear_music_and_the_sound_comes_back() {
    journey("hold", async |journey| {
        let office = Office::open(journey).await?;
        let phone = office.desk_phone("Asha", "1003", ASHA_TONE).await?;
        let asha = Desk::open(&office.stack, "Asha", Habit::Watches).await?;
        let caller = Softphone::open(CALLER, office.stack.sip, CALLER_TONE)?;
        caller.keep_sending_while_held();
        let talk = office.connect(&caller, ASHA_DIRECT, &phone).await?;
        by_us(&asha, &talk).await?;
        by_them(&asha, &talk).await?;
        by_the_desk_phone(&asha, &talk).await?;
        talk.caller.hang_up()?;
        talk.person.expect_over(SOON).await?;
        let call = office.expect_ended(&talk.uid).await?;
        ensure!(has_step(&call, "held") && has_step(&call, "resumed"), "no steps: {call:#}");
        ensure!(call["ended_by"] == "caller", "{call:#}");

        rolls_over_while_held(&office, &asha, &phone).await?;
        office.expect_no_calls().await
    });
}

/// Asha holds the caller from her panel.
async fn by_us(asha: &Desk, talk: &Talk) -> Result<()> {
    let call = json!({ "call": talk.uid });
    asha.must("call.hold", &call).await?;
    asha.expect_call(&talk.uid, "to be held", |call| call["state"] == "held").await?;
    talk.caller.expect_held(true, SOON).await?;
    talk.caller.expect_other_sound(&[ASHA_TONE], SOON).await?;
    talk.person.expect_silence(SOON).await?;
    asha.must("call.resume", &call).await?;
    talk.caller.expect_held(false, SOON).await?;
    asha.expect_call(&talk.uid, "to be back", |call| call["state"] == "connected").await?;
    talk.expect_both_hear(CALLER_TONE, ASHA_TONE, &[]).await
}

/// The caller holds her, in each of the three ways, and once offers nothing new.
async fn by_them(asha: &Desk, talk: &Talk) -> Result<()> {
    for way in [Direction::SendOnly, Direction::Inactive, Direction::Nowhere] {
        talk.caller.offer(way, SOON).await?;
        asha.expect_call(&talk.uid, "to be held by the other side", |call| call["held_by_peer"] == true).await?;
        // Nothing may be sent to who does not want to hear.
        talk.caller.expect_silence(SOON).await?;
        talk.caller.offer(Direction::SendRecv, SOON).await?;
        asha.expect_call(&talk.uid, "not to be held", |call| call["held_by_peer"] != true).await?;
        talk.expect_both_hear(CALLER_TONE, ASHA_TONE, &[]).await?;
    }
    talk.caller.offer(Direction::SendRecv, SOON).await?;
    talk.expect_both_hear(CALLER_TONE, ASHA_TONE, &[]).await
}

/// Asha presses Hold on her desk phone: the caller hears music, not silence.
async fn by_the_desk_phone(asha: &Desk, talk: &Talk) -> Result<()> {
    talk.person.offer(Direction::SendOnly, SOON).await?;
    talk.caller.expect_other_sound(&[ASHA_TONE], SOON).await?;
    talk.person.offer(Direction::SendRecv, SOON).await?;
    asha.expect_call(&talk.uid, "to be back", |call| call["state"] == "connected").await?;
    talk.expect_both_hear(CALLER_TONE, ASHA_TONE, &[]).await
}

/// RFC 3550 section 5.1: 16 bits, which begin again at 0, here in the middle of a hold.
async fn rolls_over_while_held(office: &Office<'_>, asha: &Desk, phone: &Softphone) -> Result<()> {
    let caller = Softphone::open("+447700900502", office.stack.sip, CALLER_TONE)?;
    caller.keep_sending_while_held();
    caller.begin_sequences_at(u16::MAX - BEFORE_ROLLOVER);
    let talk = office.connect(&caller, ASHA_DIRECT, phone).await?;
    asha.must("call.hold", &json!({ "call": talk.uid })).await?;
    talk.caller.expect_held(true, SOON).await?;
    until("the sequence numbers to roll over", SOON, async || {
        let next = talk.caller.next_sequence();
        ensure!(next < u16::MAX / 2, "the next is {next}");
        Ok(())
    })
    .await?;
    asha.must("call.resume", &json!({ "call": talk.uid })).await?;
    talk.caller.expect_held(false, SOON).await?;
    talk.expect_both_hear(CALLER_TONE, ASHA_TONE, &[]).await?;
    asha.must("call.hangup", &json!({ "call": talk.uid })).await?;
    talk.caller.expect_over(SOON).await?;
    Ok(())
}
