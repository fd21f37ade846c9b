//! One window of the browser: a person at work.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::locator::{Locator, Name};
use super::pipe::{Complaint, ComplaintKind, Event, Pipe};
use crate::wait::until;

/// How long a page may take to load.
const LOAD: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) pipe: Arc<Pipe>,
    pub(super) session: String,
    pub(super) folder: Mutex<Option<PathBuf>>,
    target: String,
    context: Value,
    name: String,
}

/// One window. Clones are the same window.
#[derive(Debug, Clone)]
pub struct Tab(pub(super) Arc<Inner>);

impl Tab {
    pub(super) async fn open(pipe: &Arc<Pipe>, name: &str, context: &Value) -> Result<Self> {
        let target = pipe
            .call(
                None,
                "Target.createTarget",
                json!({ "url": "about:blank", "browserContextId": context, "newWindow": true }),
            )
            .await?;
        let target = target["targetId"].as_str().context("no target id")?.to_owned();
        let attached = pipe.call(None, "Target.attachToTarget", json!({ "targetId": target, "flatten": true })).await?;
        let session = attached["sessionId"].as_str().context("no session id")?.to_owned();
        let tab = Self(Arc::new(Inner {
            pipe: Arc::clone(pipe),
            session,
            folder: Mutex::new(None),
            target,
            context: context.clone(),
            name: name.to_owned(),
        }));
        for domain in ["Page", "Runtime", "Log", "Inspector", "DOM", "Accessibility"] {
            tab.cdp(&format!("{domain}.enable"), json!({})).await?;
        }
        Ok(tab)
    }

    /// Whose window it is.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub(super) fn context(&self) -> &Value {
        &self.0.context
    }

    /// Sets the folder pictures are written to.
    pub fn keep_pictures_in(&self, folder: &Path) {
        *self.0.folder.lock().unwrap_or_else(PoisonError::into_inner) = Some(folder.to_path_buf());
    }

    /// Sends a command of the browser's protocol.
    pub async fn cdp(&self, method: &str, params: Value) -> Result<Value> {
        self.0
            .pipe
            .call(Some(&self.0.session), method, params)
            .await
            .with_context(|| format!("in the window of {}", self.0.name))
    }

    /// Opens an address and waits until the page has loaded.
    pub async fn goto(&self, url: &str) -> Result<()> {
        let answer = self.during("Page.loadEventFired", "Page.navigate", json!({ "url": url })).await?;
        if let Some(error) = answer["errorText"].as_str() {
            bail!("cannot open {url}: {error}");
        }
        Ok(())
    }

    /// Loads the page again.
    pub async fn reload(&self) -> Result<()> {
        self.during("Page.loadEventFired", "Page.reload", json!({})).await.map(drop)
    }

    /// Loads a page again that must ask whether it may go, as somebody who means it does.
    pub async fn reload_although_asked(&self) -> Result<()> {
        let (asked, loaded) = (self.0.pipe.events(), self.0.pipe.events());
        self.0.pipe.tell(Some(&self.0.session), "Page.reload", &json!({}))?;
        self.event(asked, "Page.javascriptDialogOpening").await?;
        self.cdp("Page.handleJavaScriptDialog", json!({ "accept": true })).await?;
        self.event(loaded, "Page.loadEventFired").await
    }

    /// Crashes the page's process, as a browser out of memory does; [`Tab::reload`] brings it back.
    pub async fn crash(&self) -> Result<()> {
        let events = self.0.pipe.events();
        self.0.pipe.tell(Some(&self.0.session), "Page.crash", &json!({}))?;
        self.event(events, "Inspector.targetCrashed").await
    }

    /// Freezes the page as a browser does with hidden tabs, or thaws it.
    pub async fn freeze(&self, state: Freeze) -> Result<()> {
        let state = match state {
            Freeze::Frozen => "frozen",
            Freeze::Active => "active",
        };
        self.cdp("Page.setWebLifecycleState", json!({ "state": state })).await.map(drop)
    }

    /// Cuts the page off the network, or joins it again.
    pub async fn network(&self, state: Network) -> Result<()> {
        self.cdp("Network.enable", json!({})).await?;
        let offline = matches!(state, Network::Offline);
        let conditions = json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        self.cdp("Network.emulateNetworkConditions", conditions).await.map(drop)
    }

    /// Closes the window.
    pub async fn close(&self) -> Result<()> {
        self.0.pipe.call(None, "Target.closeTarget", json!({ "targetId": self.0.target })).await.map(drop)
    }

    /// Evaluates an expression in the page, with the rights of a user's gesture; a promise is awaited.
    pub async fn evaluate(&self, expression: &str) -> Result<Value> {
        let params =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true });
        let mut answer = self.cdp("Runtime.evaluate", params).await?;
        if let Some(details) = answer.get("exceptionDetails") {
            let text =
                details["exception"]["description"].as_str().or(details["text"].as_str()).unwrap_or("an exception");
            bail!("the page answered {text} to: {}", expression.chars().take(200).collect::<String>());
        }
        Ok(answer["result"]["value"].take())
    }

    /// The element of a role and an accessible name, as assistive technology finds it.
    pub fn role(&self, role: &str, name: impl Into<Name>) -> Locator {
        Locator::new(self.clone(), role, name.into())
    }

    /// The button of a name.
    pub fn button(&self, name: impl Into<Name>) -> Locator {
        self.role("button", name)
    }

    /// The text of the one element a CSS selector names, `None` when it is not there.
    pub async fn text(&self, selector: &str) -> Result<Option<String>> {
        let selector = Value::from(selector);
        let text = self.evaluate(&format!("document.querySelector({selector})?.innerText.trim()")).await?;
        Ok(text.as_str().map(str::to_owned))
    }

    /// Waits until the element a CSS selector names has a text.
    pub async fn expect_text(&self, selector: &str, wanted: &str, limit: Duration) -> Result<()> {
        let what = format!("{selector} to read {wanted:?} for {}", self.0.name);
        until(&what, limit, async || match self.text(selector).await? {
            Some(text) if text == wanted => Ok(()),
            Some(text) => bail!("it reads {text:?}"),
            None => bail!("it is not there"),
        })
        .await
    }

    /// Waits until the page's text holds some words.
    pub async fn expect_words(&self, words: &str, limit: Duration) -> Result<()> {
        until(&format!("the words {words:?} for {}", self.0.name), limit, async || {
            let text = self.evaluate("document.body.innerText").await?;
            let text = text.as_str().unwrap_or_default();
            ensure!(text.contains(words), "the page reads:\n{text}");
            Ok(())
        })
        .await
    }

    /// The path the page is at.
    pub async fn path(&self) -> Result<String> {
        Ok(self.evaluate("location.pathname").await?.as_str().unwrap_or_default().to_owned())
    }

    /// Presses a key with modifiers: `key` as the browser names it (`"KeyV"` is `code`).
    pub async fn press(&self, key: &str, code: &str, modifiers: &[Modifier]) -> Result<()> {
        self.cdp("Page.bringToFront", json!({})).await?;
        let bits: u32 = modifiers.iter().map(|modifier| *modifier as u32).sum();
        let virtual_key =
            key.chars().next().filter(|_| key.len() == 1).map_or(13, |letter| u32::from(letter.to_ascii_uppercase()));
        for kind in ["rawKeyDown", "keyUp"] {
            let params = json!({ "type": kind, "key": key, "code": code, "modifiers": bits, "windowsVirtualKeyCode": virtual_key });
            self.cdp("Input.dispatchKeyEvent", params).await?;
        }
        Ok(())
    }

    /// What the page complained about, without the answers to requests.
    pub fn complaints(&self) -> Vec<Complaint> {
        let mut all = self.all_complaints();
        all.retain(|complaint| complaint.kind != ComplaintKind::Network);
        all
    }

    /// Fails when the page complained about anything.
    pub fn expect_no_complaints(&self) -> Result<()> {
        let complaints = self.complaints();
        ensure!(complaints.is_empty(), "the page of {} complained: {complaints:#?}", self.0.name);
        Ok(())
    }

    pub(super) fn all_complaints(&self) -> Vec<Complaint> {
        self.0.pipe.complaints(&self.0.session)
    }

    pub(super) fn history(&self) -> Vec<String> {
        self.0.pipe.history()
    }

    /// Sends a command and waits for the event it causes.
    async fn during(&self, event: &str, method: &str, params: Value) -> Result<Value> {
        let events = self.0.pipe.events();
        let answer = self.cdp(method, params).await?;
        if answer["errorText"].is_null() {
            self.event(events, event).await?;
        }
        Ok(answer)
    }

    async fn event(&self, mut events: tokio::sync::broadcast::Receiver<Event>, wanted: &str) -> Result<()> {
        timeout(LOAD, async {
            loop {
                let event = events.recv().await.context("events were lost")?;
                if event.session == self.0.session && event.method == wanted {
                    return Ok(());
                }
            }
        })
        .await
        .with_context(|| format!("no {wanted} within {} s in the window of {}", LOAD.as_secs(), self.0.name))?
    }
}

/// Whether a page runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freeze {
    /// Its timers stand still.
    Frozen,
    /// It runs.
    Active,
}

/// Whether a page has a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// It has none.
    Offline,
    /// It has one.
    Online,
}

/// A key held while another is pressed; the numbers are the protocol's bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modifier {
    /// Alt.
    Alt = 1,
    /// Control.
    Control = 2,
    /// Shift.
    Shift = 8,
}
