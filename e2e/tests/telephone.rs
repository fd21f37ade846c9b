//! What an agent does with calls on the desk, in a real browser: calling out, handing over at once and after asking, the
//! park, a reload in the middle of a call, a second tab, and an emergency route that concerns them.

use std::time::Duration;

use anyhow::{Result, ensure};
use cordboard_e2e::browser::{Browser, Tab};
use cordboard_e2e::journey::journey;
use cordboard_e2e::office::{ASHA_DIRECT, Office};
use cordboard_e2e::panel;
use cordboard_e2e::phone::{Line, Manner, Softphone};
use cordboard_e2e::stack::SOON;
use cordboard_e2e::telephony::has_step;
use serde_json::json;

const MICROPHONE: f64 = 1_000.0;
const CALLER_TONE: f64 = 440.0;
const RIYA_TONE: f64 = 620.0;
const PHONE_TONE: f64 = 1_300.0;
const CARRIER_TONE: f64 = 520.0;
const RIYA_EXTENSION: &str = "22";
const CUSTOMER: &str = "+447700900601";
/// The desk reads emergency routes this often at least.
const ROUTES_READ: Duration = Duration::from_secs(45);

#[test]
fn the_desk_calls_hands_over_parks_and_comes_back() {
    journey("telephone", async |journey| {
        let office = Office::open(journey).await?;
        let riya = office.desk_phone("Riya", "1004", RIYA_TONE).await?;
        let browser = journey.browser(MICROPHONE).await?;
        let asha = journey.person(&browser, "Asha Rao").await?;
        office.stack.at_work(&asha, "Asha").await?;
        let desk = Desk { office: &office, asha: &asha, riya: &riya };
        desk.calls_out().await?;
        desk.hands_over().await?;
        desk.asks_first().await?;
        desk.parks().await?;
        desk.reloads().await?;
        desk.moves(&browser).await?;
        desk.calls_inside_and_moves(&browser).await?;
        desk.moves_to_her_phone().await?;
        desk.is_told_of_an_emergency().await?;
        asha.expect_no_complaints()
    });
}

struct Desk<'a> {
    office: &'a Office<'a>,
    asha: &'a Tab,
    riya: &'a Softphone,
}

impl Desk<'_> {
    async fn calls_out(&self) -> Result<()> {
        let carrier = Softphone::open("carrier", self.office.stack.sip, CARRIER_TONE)?;
        let place = self.asha.role("region", "Call out");
        let to = self.asha.role("combobox", "Number or colleague").within(place.clone());
        to.fill(CUSTOMER).await?;
        self.asha.button("Call").within(place.clone()).click().await?;
        self.asha.role("alert", "").within(place.clone()).expect(SOON).await?;
        ensure!(carrier.calls() == 0, "it went out although nothing is open");
        self.asha.picture("refused").await?;

        self.office.send_out_by(&[carrier.port]).await?;
        carrier.set(Manner::Rings);
        to.fill(CUSTOMER).await?;
        self.asha.button("Call").within(place).click().await?;
        let far = carrier.expect_call(0, SOON).await?;
        self.asha.expect_text("#call-state", "Calling", SOON).await?;
        self.asha.picture("calling").await?;
        far.answer()?;
        self.asha.expect_text("#call-state", "Connected", SOON).await?;
        self.asha.expect_hears(panel::EAR, CARRIER_TONE, MICROPHONE, SOON).await?;
        far.expect_hears(MICROPHONE, &[], SOON).await?;
        panel::hang_up(self.asha).await?;
        far.expect_over(SOON).await?;
        self.done().await
    }

    /// A caller whom Asha talks with.
    async fn talk(&self, from: &str) -> Result<Line> {
        let caller = Softphone::open(from, self.office.stack.sip, CALLER_TONE)?;
        let line = caller.dial(ASHA_DIRECT)?;
        self.office.journey.keep(caller);
        panel::expect_ringing(self.asha, from).await?;
        panel::answer(self.asha).await?;
        self.asha.expect_hears(panel::EAR, CALLER_TONE, MICROPHONE, SOON).await?;
        line.expect_hears(MICROPHONE, &[], SOON).await?;
        Ok(line)
    }

    /// The after-call work, where there is any, is over.
    async fn done(&self) -> Result<()> {
        self.finishes_paperwork().await?;
        self.office.expect_no_calls().await
    }

    async fn finishes_paperwork(&self) -> Result<()> {
        let work = self.asha.role("region", "After-call work");
        if work.is_there().await? {
            self.asha.button("Done").within(work).click().await?;
        }
        Ok(())
    }

    async fn hands_over(&self) -> Result<()> {
        let caller = self.talk("+447700900961").await?;
        self.riya.set(Manner::Answers);
        let before = self.riya.calls();
        self.asha.button("Transfer").within(panel::current(self.asha)).click().await?;
        let place = self.asha.role("region", "Transfer the call");
        self.asha.role("searchbox", "Person, department or number").within(place.clone()).fill("Riya").await?;
        self.asha.picture("transfer").await?;
        self.asha.button("Transfer to Riya Sen").within(place).click().await?;
        let riya = self.riya.expect_call(before, SOON).await?;
        riya.expect_hears(CALLER_TONE, &[MICROPHONE], SOON).await?;
        caller.expect_hears(RIYA_TONE, &[MICROPHONE], SOON).await?;
        panel::current(self.asha).expect_gone(SOON).await?;
        caller.hang_up()?;
        riya.expect_over(SOON).await?;
        self.done().await
    }

    async fn asks_first(&self) -> Result<()> {
        let caller = self.talk("+447700900962").await?;
        let before = self.riya.calls();
        self.asha.button("Transfer").within(panel::current(self.asha)).click().await?;
        let place = self.asha.role("region", "Transfer the call");
        self.asha.role("searchbox", "Person, department or number").within(place.clone()).fill("Riya").await?;
        self.asha.button("Ask first: Riya Sen").within(place).click().await?;
        let riya = self.riya.expect_call(before, SOON).await?;
        self.asha.expect_hears(panel::EAR, RIYA_TONE, MICROPHONE, SOON).await?;
        riya.expect_hears(MICROPHONE, &[CALLER_TONE], SOON).await?;
        caller.expect_other_sound(&[MICROPHONE, RIYA_TONE], SOON).await?;
        let under_way = self.asha.role("region", "Transfer under way");
        under_way.expect(SOON).await?;
        self.asha.picture("asking").await?;

        self.asha.button("Swap").within(under_way.clone()).click().await?;
        self.asha.expect_hears(panel::EAR, CALLER_TONE, MICROPHONE, SOON).await?;
        caller.expect_hears(MICROPHONE, &[RIYA_TONE], SOON).await?;
        riya.expect_other_sound(&[MICROPHONE, CALLER_TONE], SOON).await?;
        self.asha.button("Complete").within(under_way).click().await?;
        riya.expect_hears(CALLER_TONE, &[MICROPHONE], SOON).await?;
        caller.expect_hears(RIYA_TONE, &[MICROPHONE], SOON).await?;
        panel::current(self.asha).expect_gone(SOON).await?;
        caller.hang_up()?;
        riya.expect_over(SOON).await?;
        self.done().await
    }

    async fn parks(&self) -> Result<()> {
        let caller = self.talk("+447700900963").await?;
        self.asha.button("Park").within(panel::current(self.asha)).click().await?;
        panel::current(self.asha).expect_gone(SOON).await?;
        caller.expect_other_sound(&[MICROPHONE], SOON).await?;
        let place = self.asha.role("region", "Calls you may take");
        place.expect(SOON).await?;
        self.finishes_paperwork().await?;
        self.asha.picture("parked").await?;
        let take = self.asha.button(cordboard_e2e::browser::Name::Prefix("Pick up".to_owned()));
        take.within(place).first().click().await?;
        self.asha.expect_text("#call-state", "Connected", SOON).await?;
        self.asha.expect_hears(panel::EAR, CALLER_TONE, MICROPHONE, SOON).await?;
        caller.expect_hears(MICROPHONE, &[], SOON).await?;
        panel::hang_up(self.asha).await?;
        caller.expect_over(SOON).await?;
        self.done().await
    }

    /// The page is loaded again in the middle of a call: the caller hears music, and then her.
    async fn reloads(&self) -> Result<()> {
        let caller = self.talk("+447700900964").await?;
        self.asha.reload_although_asked().await?;
        caller.expect_other_sound(&[MICROPHONE], SOON).await?;
        let ready = self.asha.button("Check this device");
        if ready.is_there().await? {
            ready.click().await?;
        }
        self.asha.expect_text("#call-state", "Connected", Duration::from_secs(25)).await?;
        self.asha.expect_hears(panel::EAR, CALLER_TONE, MICROPHONE, SOON).await?;
        caller.expect_hears(MICROPHONE, &[], SOON).await?;
        panel::hang_up(self.asha).await?;
        caller.expect_over(SOON).await?;
        self.done().await
    }

    /// The sound goes to a second tab of hers.
    async fn moves(&self, browser: &Browser) -> Result<()> {
        let caller = self.talk("+447700900965").await?;
        let second = self.moves_to_second_tab(browser, CALLER_TONE).await?;
        caller.expect_hears(MICROPHONE, &[], SOON).await?;
        self.asha.expect_silence(panel::EAR, SOON).await?;
        caller.hang_up()?;
        panel::current(&second).expect_gone(SOON).await?;
        let call = self
            .office
            .expect_logged("the moved call", |call| {
                call["from"]["number"] == "+447700900965" && call["state"] == "ended"
            })
            .await?;
        ensure!(has_step(&call, "moved"), "no step: {call:#}");
        second.close().await?;
        self.done().await
    }

    async fn moves_to_second_tab(&self, browser: &Browser, hears: f64) -> Result<Tab> {
        let second = browser.beside(self.asha, "Asha Rao, a second tab").await?;
        second.goto(&self.office.stack.url()).await?;
        second.button("Move here").click().await?;
        second.expect_hears(panel::EAR, hears, MICROPHONE, SOON).await?;
        Ok(second)
    }

    /// The sound goes to her desk phone and comes back.
    async fn moves_to_her_phone(&self) -> Result<()> {
        let phone = self.office.desk_phone("Asha", "1003", PHONE_TONE).await?;
        self.office.expect_devices("Asha", 2).await?;
        phone.set(Manner::Rings);
        let caller = self.talk("+447700900966").await?;
        self.asha.button("Transfer").within(panel::current(self.asha)).click().await?;
        let place = self.asha.role("region", "Transfer the call");
        self.asha.button("Move to Desk phone 1003").within(place.clone()).expect(SOON).await?;
        self.asha.pictures("own-phones").await?;
        phone.set(Manner::Answers);
        let before = phone.calls();
        self.asha.button("Move to Desk phone 1003").within(place).click().await?;
        let there = phone.expect_call(before, SOON).await?;
        there.expect_hears(CALLER_TONE, &[MICROPHONE], SOON).await?;
        caller.expect_hears(PHONE_TONE, &[MICROPHONE], SOON).await?;
        self.asha.button("Move here").click().await?;
        self.asha.expect_hears(panel::EAR, CALLER_TONE, MICROPHONE, SOON).await?;
        caller.expect_hears(MICROPHONE, &[PHONE_TONE], SOON).await?;
        there.expect_over(SOON).await?;
        panel::hang_up(self.asha).await?;
        caller.expect_over(SOON).await?;
        phone.set(Manner::Rings);
        self.done().await
    }

    /// She calls a colleague, and goes on talking in another tab.
    async fn calls_inside_and_moves(&self, browser: &Browser) -> Result<()> {
        self.riya.set(Manner::Answers);
        let before = self.riya.calls();
        let place = self.asha.role("region", "Call out");
        self.asha.role("combobox", "Number or colleague").within(place.clone()).fill(RIYA_EXTENSION).await?;
        self.asha.button("Call").within(place).click().await?;
        let riya = self.riya.expect_call(before, SOON).await?;
        self.asha.expect_hears(panel::EAR, RIYA_TONE, MICROPHONE, SOON).await?;
        let second = self.moves_to_second_tab(browser, RIYA_TONE).await?;
        riya.expect_hears(MICROPHONE, &[], SOON).await?;
        self.asha.expect_silence(panel::EAR, SOON).await?;
        panel::hang_up(&second).await?;
        riya.expect_over(SOON).await?;
        second.close().await?;
        self.done().await
    }

    async fn is_told_of_an_emergency(&self) -> Result<()> {
        let route = json!({ "name": "Flood", "reason": "the main office is closed", "departments": [] });
        let answer = self.office.admin.post("/core/emergencies", &route).await?;
        ensure!(answer.status.is_success(), "{} {}", answer.status, answer.text());
        let notice = self.asha.role("region", "Emergency route");
        notice.expect(ROUTES_READ).await?;
        notice.expect_words("Flood", SOON).await?;
        notice.expect_words("the main office is closed", SOON).await?;
        self.asha.picture("emergency").await
    }
}
