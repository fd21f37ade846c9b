//! Calls are handed over: blind and after asking, to a person, a department and a number, by the panel, by keys and by a
//! desk phone's own REFER. Who hears whom is proven in each phase.

use anyhow::{Context, Result, ensure};
use cordboard_e2e::desk::{Desk, Habit};
use cordboard_e2e::journey::journey;
use cordboard_e2e::office::{ASHA_DIRECT, Office, SUPPORT, line};
use cordboard_e2e::phone::{Line, Manner, Softphone};
use cordboard_e2e::stack::SOON;
use cordboard_e2e::telephony::{Talk, has_step};
use cordboard_e2e::wait::until;
use serde_json::{Value, json};
use std::time::Duration;

const CALLER_TONE: f64 = 440.0;
const ASHA_TONE: f64 = 1_000.0;
const RIYA_TONE: f64 = 620.0;
const CARRIER_TONE: f64 = 520.0;
const OUTSIDE: &str = "+447700900701";
/// The shortest ring time, and the time after it.
const RINGS_OUT: Duration = Duration::from_secs(35);

/// Who is there.
struct Floor<'a> {
    office: Office<'a>,
    asha: Desk,
    riya: Desk,
    asha_phone: Softphone,
    riya_phone: Softphone,
    carrier: Softphone,
    callers: std::cell::Cell<u32>,
}

#[test]
fn calls_are_handed_over_at_once() {
    journey("transfer-blind", async |journey| {
        let floor = Floor::open(Office::open(journey).await?).await?;
        floor.to_a_person().await?;
        floor.refused().await?;
        floor.to_a_department().await?;
        floor.to_a_number().await?;
        floor.by_keys().await?;
        floor.by_refer().await?;
        floor.nobody_takes_it().await?;
        floor.office.expect_no_calls().await
    });
}

#[test]
fn calls_are_handed_over_after_asking() {
    journey("transfer-warm", async |journey| {
        let floor = Floor::open(Office::open(journey).await?).await?;
        floor.asked_and_completed().await?;
        floor.asked_and_taken_back().await?;
        floor.asked_a_number_and_hung_up().await?;
        floor.refused_warm().await?;
        floor.office.expect_no_calls().await
    });
}

impl<'a> Floor<'a> {
    async fn open(office: Office<'a>) -> Result<Self> {
        let asha_phone = office.desk_phone("Asha", "1003", ASHA_TONE).await?;
        let riya_phone = office.desk_phone("Riya", "1004", RIYA_TONE).await?;
        let asha = Desk::open(&office.stack, "Asha", Habit::Watches).await?;
        let riya = Desk::open(&office.stack, "Riya", Habit::Watches).await?;
        let carrier = office.carrier(CARRIER_TONE).await?;
        let callers = std::cell::Cell::new(700);
        Ok(Self { office, asha, riya, asha_phone, riya_phone, carrier, callers })
    }

    /// A new caller talks with Asha.
    async fn talk(&self) -> Result<Talk> {
        self.office.expect_no_calls().await?;
        for desk in [&self.asha, &self.riya] {
            drop(desk.ask("wrapup.done", &json!({})).await?);
        }
        self.asha_phone.set(Manner::Answers);
        let number = format!("+447700910{}", self.callers.replace(self.callers.get() + 1));
        let caller = Softphone::open(&number, self.office.stack.sip, CALLER_TONE)?;
        let talk = self.office.connect(&caller, ASHA_DIRECT, &self.asha_phone).await;
        self.office.journey.keep(caller);
        talk
    }

    async fn hand_over(&self, talk: &Talk, to: &str, mode: &str) -> Result<Value> {
        self.asha.must("call.transfer", &json!({ "call": talk.uid, "to": to, "mode": mode })).await
    }

    fn person(&self, who: &str) -> Result<String> {
        Ok(format!("agent:{}", self.office.stack.person(who)?.uuid))
    }

    /// Riya's line of a call that comes now and is not answered by itself.
    async fn riya_rings(&self, before: usize) -> Result<Line> {
        let line = self.riya_phone.expect_call(before, SOON).await?;
        line.expect_ringing(SOON).await?;
        Ok(line)
    }

    /// Row 8.
    async fn to_a_person(&self) -> Result<()> {
        let talk = self.talk().await?;
        self.riya_phone.set(Manner::Rings);
        let before = self.riya_phone.calls();
        self.hand_over(&talk, &self.person("Riya")?, "blind").await?;
        let riya = self.riya_rings(before).await?;
        talk.person.expect_over(SOON).await?;
        talk.caller.expect_other_sound(&[ASHA_TONE, RIYA_TONE], SOON).await?;
        riya.answer()?;
        riya.expect_hears(CALLER_TONE, &[], SOON).await?;
        talk.caller.expect_hears(RIYA_TONE, &[ASHA_TONE], SOON).await?;
        self.office.expect_line(&talk.uid, line("Riya", "answered", "8/available")).await?;
        talk.caller.hang_up()?;
        riya.expect_over(SOON).await?;
        let call = self.office.expect_ended(&talk.uid).await?;
        ensure!(has_step(&call, "transfer"), "no step: {call:#}");
        ensure!(call["agent"] == self.riya.agent.as_str() && call["result"] == "answered", "{call:#}");
        Ok(())
    }

    /// X: said beforehand, with the reason, and the call stays where it is.
    async fn refused(&self) -> Result<()> {
        let talk = self.talk().await?;
        self.office.fact("Riya", "Riya", "dnd", Some(json!({}))).await?;
        let before = self.riya_phone.calls();
        let order = json!({ "call": talk.uid, "to": self.person("Riya")?, "mode": "blind" });
        let why = self.asha.must_not("call.transfer", &order, "cannot-transfer").await?;
        ensure!(why.contains("Riya"), "the sentence does not say who: {why}");
        let closed = json!({ "call": talk.uid, "to": "+12025550100", "mode": "blind" });
        self.asha.must_not("call.transfer", &closed, "cannot-transfer").await?;
        talk.expect_both_hear(CALLER_TONE, ASHA_TONE, &[]).await?;
        ensure!(self.riya_phone.calls() == before, "it rang at Riya's, who is not to be disturbed");
        self.office.fact("Riya", "Riya", "dnd", None).await?;
        self.end(&talk).await
    }

    async fn to_a_department(&self) -> Result<()> {
        let talk = self.talk().await?;
        self.office.toggle("Asha", 0).await?;
        self.riya_phone.set(Manner::Answers);
        let before = self.riya_phone.calls();
        self.hand_over(&talk, "department:support", "blind").await?;
        let riya = self.riya_phone.expect_call(before, SOON).await?;
        talk.caller.expect_hears(RIYA_TONE, &[ASHA_TONE], SOON).await?;
        riya.expect_hears(CALLER_TONE, &[], SOON).await?;
        self.office.expect_line(&talk.uid, line("Riya", "answered", "1/available")).await?;
        riya.hang_up()?;
        talk.caller.expect_over(SOON).await?;
        self.office.expect_ended(&talk.uid).await?;
        self.office.toggle("Asha", 1).await.map(drop)
    }

    async fn to_a_number(&self) -> Result<()> {
        let talk = self.talk().await?;
        let before = self.carrier.calls();
        self.hand_over(&talk, OUTSIDE, "blind").await?;
        let far = self.carrier.expect_call(before, SOON).await?;
        talk.person.expect_over(SOON).await?;
        far.expect_hears(CALLER_TONE, &[], SOON).await?;
        talk.caller.expect_hears(CARRIER_TONE, &[ASHA_TONE], SOON).await?;
        far.hang_up()?;
        talk.caller.expect_over(SOON).await?;
        self.office.expect_ended(&talk.uid).await.map(drop)
    }

    /// `*2` and Riya's extension, on Asha's desk phone; other keys are the caller's.
    async fn by_keys(&self) -> Result<()> {
        let talk = self.talk().await?;
        self.riya_phone.set(Manner::Answers);
        let before = self.riya_phone.calls();
        talk.person.press("5");
        talk.caller.expect_digits("5", SOON).await?;
        talk.person.press("*222#");
        let riya = self.riya_phone.expect_call(before, SOON).await?;
        riya.expect_hears(CALLER_TONE, &[], SOON).await?;
        talk.caller.expect_hears(RIYA_TONE, &[ASHA_TONE], SOON).await?;
        let digits = talk.caller.digits();
        ensure!(digits == "5", "the code for us reached the caller: {digits}");
        self.end(&talk).await
    }

    /// Asha's desk phone transfers by itself (RFC 3515).
    async fn by_refer(&self) -> Result<()> {
        let talk = self.talk().await?;
        self.riya_phone.set(Manner::Answers);
        let before = self.riya_phone.calls();
        talk.person.refer(&format!("sip:22@127.0.0.1:{}", self.office.stack.sip), None)?;
        let riya = self.riya_phone.expect_call(before, SOON).await?;
        riya.expect_hears(CALLER_TONE, &[], SOON).await?;
        talk.caller.expect_hears(RIYA_TONE, &[ASHA_TONE], SOON).await?;
        talk.caller.hang_up()?;
        riya.expect_over(SOON).await?;
        self.office.expect_ended(&talk.uid).await.map(drop)
    }

    /// Riya lets it ring, so it comes back to Asha.
    async fn nobody_takes_it(&self) -> Result<()> {
        let talk = self.talk().await?;
        self.riya_phone.set(Manner::Rings);
        self.asha_phone.set(Manner::Rings);
        let (before, mine) = (self.riya_phone.calls(), self.asha_phone.calls());
        self.hand_over(&talk, &self.person("Riya")?, "blind").await?;
        self.riya_rings(before).await?;
        let again = self.asha_phone.expect_call(mine, RINGS_OUT).await?;
        talk.caller.expect_other_sound(&[ASHA_TONE, RIYA_TONE], SOON).await?;
        again.answer()?;
        again.expect_hears(CALLER_TONE, &[], SOON).await?;
        talk.caller.expect_hears(ASHA_TONE, &[RIYA_TONE], SOON).await?;
        let call = self.office.call(&talk.uid).await?;
        ensure!(has_step(&call, "transfer_back"), "no step: {call:#}");
        self.end(&talk).await
    }

    /// Row 9. Asha asks Riya while the caller hears music; a swap; then the two are joined and Asha leaves.
    async fn asked_and_completed(&self) -> Result<()> {
        let talk = self.talk().await?;
        let (consult, asking, riya) = self.ask_riya(&talk).await?;
        self.office.expect_line(&consult, line("Riya", "answered", "9/available")).await?;
        // The caller is still held, and Asha talks with Riya.
        talk.caller.expect_other_sound(&[ASHA_TONE, RIYA_TONE], SOON).await?;

        self.asha.must("call.swap", &json!({ "call": talk.uid })).await?;
        talk.caller.expect_hears(ASHA_TONE, &[RIYA_TONE], SOON).await?;
        riya.expect_other_sound(&[ASHA_TONE, CALLER_TONE], SOON).await?;
        self.asha.must("call.swap", &json!({ "call": talk.uid })).await?;
        riya.expect_hears(ASHA_TONE, &[CALLER_TONE], SOON).await?;
        talk.caller.expect_other_sound(&[ASHA_TONE, RIYA_TONE], SOON).await?;

        self.asha.must("call.transfer.complete", &json!({ "call": talk.uid })).await?;
        riya.expect_hears(CALLER_TONE, &[ASHA_TONE], SOON).await?;
        talk.caller.expect_hears(RIYA_TONE, &[ASHA_TONE], SOON).await?;
        talk.person.expect_over(SOON).await?;
        if let Some(asking) = asking {
            asking.expect_over(SOON).await?;
        }
        talk.caller.hang_up()?;
        riya.expect_over(SOON).await?;
        let call = self.office.expect_ended(&talk.uid).await?;
        ensure!(has_step(&call, "consult") && has_step(&call, "transfer_done"), "no steps: {call:#}");
        ensure!(call["agent"] == self.riya.agent.as_str(), "{call:#}");
        let consultation = self.office.expect_ended(&consult).await?;
        ensure!(consultation["made_for"] == talk.uid.as_str(), "{consultation:#}");
        Ok(())
    }

    /// Asha thinks better of it.
    async fn asked_and_taken_back(&self) -> Result<()> {
        let talk = self.talk().await?;
        let (_, asking, riya) = self.ask_riya(&talk).await?;
        self.asha.must("call.transfer.cancel", &json!({ "call": talk.uid })).await?;
        riya.expect_over(SOON).await?;
        if let Some(asking) = asking {
            asking.expect_over(SOON).await?;
        }
        talk.expect_both_hear(CALLER_TONE, ASHA_TONE, &[RIYA_TONE]).await?;
        self.end(&talk).await
    }

    /// Hanging up while asking hands the call over, here to a number outside.
    async fn asked_a_number_and_hung_up(&self) -> Result<()> {
        let talk = self.talk().await?;
        let (before, mine) = (self.carrier.calls(), self.asha_phone.calls());
        self.hand_over(&talk, OUTSIDE, "warm").await?;
        let asking = self.asking(mine, &talk).await?;
        let far = self.carrier.expect_call(before, SOON).await?;
        far.expect_hears(ASHA_TONE, &[CALLER_TONE], SOON).await?;
        talk.caller.expect_other_sound(&[ASHA_TONE, CARRIER_TONE], SOON).await?;
        self.asha.must("call.hangup", &json!({ "call": talk.uid })).await?;
        far.expect_hears(CALLER_TONE, &[ASHA_TONE], SOON).await?;
        talk.caller.expect_hears(CARRIER_TONE, &[ASHA_TONE], SOON).await?;
        drop(asking);
        far.hang_up()?;
        talk.caller.expect_over(SOON).await?;
        self.office.expect_ended(&talk.uid).await.map(drop)
    }

    /// Row 9, X.
    async fn refused_warm(&self) -> Result<()> {
        let talk = self.talk().await?;
        self.office.fact("Riya", "Riya", "dnd", Some(json!({}))).await?;
        let order = json!({ "call": talk.uid, "to": self.person("Riya")?, "mode": "warm" });
        self.asha.must_not("call.transfer", &order, "cannot-transfer").await?;
        talk.expect_both_hear(CALLER_TONE, ASHA_TONE, &[]).await?;
        self.office.fact("Riya", "Riya", "dnd", None).await?;
        self.end(&talk).await
    }

    /// Asks Riya: the consultation, Asha's line of it when her phone has a second one, Riya's line.
    async fn ask_riya(&self, talk: &Talk) -> Result<(String, Option<Line>, Line)> {
        self.riya_phone.set(Manner::Rings);
        let (before, mine) = (self.riya_phone.calls(), self.asha_phone.calls());
        let answer = self.hand_over(talk, &self.person("Riya")?, "warm").await?;
        let consult = answer["call"].as_str().context("no consultation")?.to_owned();
        let asking = self.asking(mine, talk).await?;
        let riya = self.riya_rings(before).await?;
        talk.caller.expect_other_sound(&[ASHA_TONE, RIYA_TONE], SOON).await?;
        riya.answer()?;
        riya.expect_hears(ASHA_TONE, &[CALLER_TONE], SOON).await?;
        asking.as_ref().unwrap_or(&talk.person).expect_hears(RIYA_TONE, &[CALLER_TONE], SOON).await?;
        self.asha.expect_call(&talk.uid, "to be asked about", |call| call["transfer"]["answered"] == true).await?;
        Ok((consult, asking, riya))
    }

    /// Asha's line of a consultation: her phone is rung for it, as her device for the call is that phone.
    async fn asking(&self, before: usize, talk: &Talk) -> Result<Option<Line>> {
        until("Asha's side of the consultation", SOON, async || {
            ensure!(talk.person.state() == cordboard_e2e::phone::State::Up, "the call itself is gone");
            ensure!(self.asha_phone.calls() > before, "her phone does not ring");
            Ok(())
        })
        .await?;
        let line = self.asha_phone.expect_call(before, SOON).await?;
        line.expect_answered(SOON).await?;
        Ok(Some(line))
    }

    async fn end(&self, talk: &Talk) -> Result<()> {
        talk.caller.hang_up()?;
        self.office.expect_ended(&talk.uid).await.map(drop)
    }
}

#[test]
fn a_department_that_nobody_answers_takes_a_transferred_call_as_any_other() {
    journey("transfer-voicemail", async |journey| {
        let floor = Floor::open(Office::open(journey).await?).await?;
        let talk = floor.talk().await?;
        for who in ["Asha", "Riya"] {
            floor.office.toggle(who, 0).await?;
        }
        floor.hand_over(&talk, "department:support", "blind").await?;
        talk.person.expect_over(SOON).await?;
        // The greeting of the box.
        talk.caller.expect_other_sound(&[ASHA_TONE, RIYA_TONE], SOON).await?;
        until("the box", SOON, async || {
            let call = floor.office.call(&talk.uid).await?;
            ensure!(call["state"] == "flow" || call["recordings"][0]["kind"] == "voicemail", "{call:#}");
            Ok(())
        })
        .await?;
        floor.end(&talk).await?;
        // The department's own number works as ever.
        floor.office.toggle("Asha", 1).await?;
        drop(floor.asha.ask("wrapup.done", &json!({})).await?);
        let caller = Softphone::open("+447700900799", floor.office.stack.sip, CALLER_TONE)?;
        floor.asha_phone.set(Manner::Answers);
        let talk = floor.office.connect(&caller, SUPPORT, &floor.asha_phone).await?;
        floor.end(&talk).await
    });
}
