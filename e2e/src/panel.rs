//! What an agent does on the desk, by the names the panel gives to its parts.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::browser::{Locator, Name, Tab};
use crate::stack::SOON;
use crate::wait::{throughout, until};

/// The element that plays the far side.
pub const EAR: &str = "#call-audio";
/// A call rings this soon, with a browser's proof that it can.
const RING: Duration = Duration::from_secs(5);

/// The card of a call that rings here.
pub fn incoming(tab: &Tab) -> Locator {
    tab.role("region", "Incoming call")
}

/// The card of the call that is connected here.
pub fn current(tab: &Tab) -> Locator {
    tab.role("region", "Current call")
}

/// The switch in the top bar.
pub fn availability(tab: &Tab) -> Locator {
    tab.role("switch", "Call availability")
}

/// Whether the ringer sounds.
pub async fn rings(tab: &Tab) -> Result<bool> {
    Ok(tab.evaluate("document.documentElement.dataset.ringing").await? == "true")
}

/// Waits until a call from a number rings, with its card and its sound.
pub async fn expect_ringing(tab: &Tab, from: &str) -> Result<()> {
    incoming(tab).expect(RING).await?;
    expect_number(&incoming(tab), from).await?;
    until(&format!("the ringer of {}", tab.name()), RING, async || {
        ensure!(rings(tab).await?, "it does not sound");
        anyhow::Ok(())
    })
    .await
}

/// Waits until nothing rings any more.
pub async fn expect_quiet(tab: &Tab, limit: Duration) -> Result<()> {
    until(&format!("quiet at the desk of {}", tab.name()), limit, async || {
        ensure!(!rings(tab).await?, "the ringer sounds");
        ensure!(!incoming(tab).is_there().await?, "the card is there");
        Ok(())
    })
    .await
}

/// Fails when anything rings within a span of time.
pub async fn expect_never_rings(tab: &Tab, span: Duration) -> Result<()> {
    throughout(&format!("nothing rings for {}", tab.name()), span, async || {
        ensure!(!rings(tab).await?, "the ringer sounds");
        ensure!(!incoming(tab).is_there().await?, "the card is there");
        anyhow::Ok(())
    })
    .await
}

/// Answers the call that rings and waits until it is connected.
pub async fn answer(tab: &Tab) -> Result<()> {
    incoming(tab).expect(RING).await?;
    tab.button("Answer").within(incoming(tab)).click().await?;
    current(tab).expect(SOON).await?;
    tab.expect_text("#call-state", "Connected", SOON).await
}

/// Hangs up and waits until the card is gone.
pub async fn hang_up(tab: &Tab) -> Result<()> {
    tab.button("Hang up").within(current(tab)).click().await?;
    current(tab).expect_gone(SOON).await
}

/// Turns the switch and waits until the server has confirmed it.
pub async fn switch(tab: &Tab, to: Availability) -> Result<()> {
    availability(tab).click().await?;
    expect_availability(tab, to, SOON).await
}

/// Waits until the switch and the word beside it show a state.
pub async fn expect_availability(tab: &Tab, wanted: Availability, limit: Duration) -> Result<()> {
    let (checked, word) = match wanted {
        Availability::Available => ("true", "Available"),
        Availability::Away => ("false", "Away"),
    };
    tab.expect_text("#availability-word", word, limit).await?;
    availability(tab).expect_attribute("aria-checked", checked, limit).await
}

/// Goes to a page by the navigation.
pub async fn open(tab: &Tab, page: &str) -> Result<()> {
    tab.role("link", page).within(tab.role("navigation", "Main")).click().await
}

/// Opens the call log and the reasons of the call in one of its rows, counted from 0 for the newest.
pub async fn open_why(tab: &Tab, row: usize) -> Result<Locator> {
    open(tab, "Call log").await?;
    let table = tab.role("table", "Call log");
    table.expect(SOON).await?;
    tab.button(Name::Prefix("Why".to_owned())).within(table).nth(row).click().await?;
    let why = tab.role("region", "Why this call went where it went");
    why.expect(SOON).await?;
    Ok(why)
}

/// Waits until an element shows a number, however it is spaced.
pub async fn expect_number(place: &Locator, number: &str) -> Result<()> {
    until(&format!("the number {number}"), SOON, async || {
        let text = place.text().await?;
        let bare: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
        ensure!(bare.contains(number), "it says:\n{text}");
        Ok(())
    })
    .await
}

/// A person's own switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// On.
    Available,
    /// Off.
    Away,
}
