//! Finding an element as assistive technology does, by role and accessible name, and acting on it as a person does:
//! only when it is there once, visible, still, enabled and not covered.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::tab::Tab;
use crate::wait::until;

/// How long an element may take to become ready for an action.
const READY: Duration = Duration::from_secs(10);

/// An accessible name.
#[derive(Debug, Clone)]
pub enum Name {
    /// The whole name.
    Exact(String),
    /// Its beginning.
    Prefix(String),
    /// Any name.
    Any,
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self::Exact(name.to_owned())
    }
}

impl From<String> for Name {
    fn from(name: String) -> Self {
        Self::Exact(name)
    }
}

/// Which of several elements is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pick {
    /// There must be only one.
    Only,
    /// The one at this place, from 0.
    At(usize),
}

/// A way to find an element; nothing is looked for until something is done with it.
#[derive(Debug, Clone)]
pub struct Locator {
    tab: Tab,
    role: String,
    name: Name,
    within: Option<Box<Locator>>,
    pick: Pick,
    other: Option<Box<Locator>>,
}

/// An element found: its number in the browser, and its accessibility node.
#[derive(Debug)]
struct Found {
    backend: Value,
    node: Value,
}

impl Locator {
    pub(super) fn new(tab: Tab, role: &str, name: Name) -> Self {
        Self { tab, role: role.to_owned(), name, within: None, pick: Pick::Only, other: None }
    }

    /// Looks for it only inside of another element.
    #[must_use]
    pub fn within(mut self, outer: Self) -> Self {
        self.within = Some(Box::new(outer));
        self
    }

    /// Takes the one at a place in the page's order, from 0, where several may match.
    #[must_use]
    pub fn nth(mut self, place: usize) -> Self {
        self.pick = Pick::At(place);
        self
    }

    /// Takes another element where this one is not there.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.other = Some(Box::new(other));
        self
    }

    /// Takes the first where several may match.
    #[must_use]
    pub fn first(self) -> Self {
        self.nth(0)
    }

    /// Waits until it is there.
    pub async fn expect(&self, limit: Duration) -> Result<()> {
        until(&self.words(), limit, async || self.find().await.map(drop)).await
    }

    /// Waits until it is not there.
    pub async fn expect_gone(&self, limit: Duration) -> Result<()> {
        until(&format!("the end of {}", self.words()), limit, async || match self.count().await {
            Ok(0) => Ok(()),
            Ok(count) => bail!("{count} of it are there"),
            Err(error) => Err(error),
        })
        .await
    }

    /// Whether it is there now.
    pub async fn is_there(&self) -> Result<bool> {
        Ok(self.count().await? > 0)
    }

    /// How many match now.
    pub async fn count(&self) -> Result<usize> {
        Ok(self.find_all().await?.len())
    }

    /// Clicks its middle with the mouse.
    pub async fn click(&self) -> Result<()> {
        until(&format!("{} to be ready for a click", self.words()), READY, async || self.try_click().await).await
    }

    /// Replaces what stands in a text field.
    pub async fn fill(&self, text: &str) -> Result<()> {
        self.click().await?;
        self.call("function() { this.select?.(); }", &[]).await?;
        self.tab.cdp("Input.insertText", json!({ "text": text })).await?;
        let value = self.call("function() { return this.value; }", &[]).await?;
        ensure!(value == text, "{} holds {value} after typing", self.words());
        Ok(())
    }

    /// Chooses the option of a native select whose text holds some words, blanks apart, as a keyboard user's choice arrives.
    pub async fn choose(&self, words: &str) -> Result<()> {
        self.expect(READY).await?;
        until(&format!("the option {words:?} of {}", self.words()), READY, async || {
            let chosen = self
                .call(
                    "function(words) {
                        const bare = (text) => text.replace(/\\s/g, '');
                        const option = [...this.options].find((option) => bare(option.text).includes(bare(words)));
                        if (!option) return [...this.options].map((option) => option.text).join(' | ');
                        this.value = option.value;
                        this.dispatchEvent(new Event('input', { bubbles: true }));
                        this.dispatchEvent(new Event('change', { bubbles: true }));
                        return null;
                    }",
                    &[words.into()],
                )
                .await?;
            ensure!(chosen.is_null(), "its options are {chosen}");
            Ok(())
        })
        .await
    }

    /// Puts the keyboard's focus on it.
    pub async fn focus(&self) -> Result<()> {
        self.expect(READY).await?;
        self.call("function() { this.focus(); }", &[]).await.map(drop)
    }

    /// The text a person reads in it.
    pub async fn text(&self) -> Result<String> {
        let text = self.call("function() { return this.innerText; }", &[]).await?;
        Ok(text.as_str().unwrap_or_default().trim().to_owned())
    }

    /// An attribute of it, `None` when it has none.
    pub async fn attribute(&self, name: &str) -> Result<Option<String>> {
        let value = self.call("function(name) { return this.getAttribute(name); }", &[name.into()]).await?;
        Ok(value.as_str().map(str::to_owned))
    }

    /// Its accessible name.
    pub async fn name(&self) -> Result<String> {
        Ok(self.find().await?.node["name"]["value"].as_str().unwrap_or_default().to_owned())
    }

    /// Waits until an attribute has a value.
    pub async fn expect_attribute(&self, name: &str, wanted: &str, limit: Duration) -> Result<()> {
        let what = format!("{} to have {name}={wanted:?}", self.words());
        until(&what, limit, async || match self.attribute(name).await? {
            Some(value) if value == wanted => Ok(()),
            other => bail!("it has {other:?}"),
        })
        .await
    }

    /// Waits until its text holds some words.
    pub async fn expect_words(&self, words: &str, limit: Duration) -> Result<()> {
        until(&format!("{} to say {words:?}", self.words()), limit, async || {
            let text = self.text().await?;
            ensure!(text.contains(words), "it says:\n{text}");
            Ok(())
        })
        .await
    }

    /// Calls a function with the element as `this`; a promise is awaited.
    pub async fn call(&self, function: &str, arguments: &[Value]) -> Result<Value> {
        let found = self.find().await?;
        self.call_on(&found, function, arguments).await
    }

    async fn call_on(&self, found: &Found, function: &str, arguments: &[Value]) -> Result<Value> {
        let object = self.tab.cdp("DOM.resolveNode", json!({ "backendNodeId": found.backend })).await?;
        let arguments: Vec<Value> = arguments.iter().map(|value| json!({ "value": value })).collect();
        let params = json!({
            "objectId": object["object"]["objectId"], "functionDeclaration": function, "arguments": arguments,
            "awaitPromise": true, "returnByValue": true, "userGesture": true,
        });
        let mut answer = self.tab.cdp("Runtime.callFunctionOn", params).await?;
        if let Some(details) = answer.get("exceptionDetails") {
            bail!("{}: {}", self.words(), details["exception"]["description"].as_str().unwrap_or("an exception"));
        }
        Ok(answer["result"]["value"].take())
    }

    async fn try_click(&self) -> Result<()> {
        let found = self.find().await?;
        let place = self.call_on(&found, READY_FOR_CLICK, &[]).await?;
        if let Some(why) = place["why"].as_str() {
            bail!("{why}");
        }
        let (x, y) = (&place["x"], &place["y"]);
        for (kind, buttons) in [("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 0)] {
            let button = if kind == "mouseMoved" { "none" } else { "left" };
            let params = json!({ "type": kind, "x": x, "y": y, "button": button, "buttons": buttons, "clickCount": 1 });
            self.tab.cdp("Input.dispatchMouseEvent", params).await?;
        }
        Ok(())
    }

    async fn find(&self) -> Result<Found> {
        let mut found = self.find_all().await?;
        match self.pick {
            Pick::Only => {
                ensure!(found.len() == 1, "{} of it are there", found.len());
                found.pop().context("nothing is there")
            }
            Pick::At(place) if place < found.len() => Ok(found.swap_remove(place)),
            Pick::At(_) => bail!("{} of it are there", found.len()),
        }
    }

    async fn find_all(&self) -> Result<Vec<Found>> {
        let root = match &self.within {
            Some(outer) => Box::pin(outer.find()).await.with_context(|| outer.words())?.backend,
            None => self.tab.cdp("DOM.getDocument", json!({ "depth": 0 })).await?["root"]["backendNodeId"].take(),
        };
        let mut query = json!({ "backendNodeId": root, "role": self.role });
        if let Name::Exact(name) = &self.name {
            query["accessibleName"] = name.as_str().into();
        }
        let mut answer = self.tab.cdp("Accessibility.queryAXTree", query).await?;
        let nodes = match answer["nodes"].take() {
            Value::Array(nodes) => nodes,
            other => bail!("no list of nodes: {other}"),
        };
        let found: Vec<Found> = nodes
            .into_iter()
            .filter(|node| node["ignored"] != true)
            .filter(|node| match &self.name {
                Name::Prefix(prefix) => node["name"]["value"].as_str().is_some_and(|name| name.starts_with(prefix)),
                Name::Exact(_) | Name::Any => true,
            })
            .filter(|node| node["backendDOMNodeId"] != root)
            .map(|node| Found { backend: node["backendDOMNodeId"].clone(), node })
            .collect();
        match &self.other {
            Some(other) if found.is_empty() => Box::pin(other.find_all()).await,
            Some(_) | None => Ok(found),
        }
    }

    fn words(&self) -> String {
        let name = match &self.name {
            Name::Exact(name) => format!("the {} {name:?}", self.role),
            Name::Prefix(name) => format!("the {} {name:?}…", self.role),
            Name::Any => format!("a {}", self.role),
        };
        let place = match &self.within {
            Some(outer) => format!(" in {}", outer.words()),
            None => format!(" for {}", self.tab.name()),
        };
        name + &place
    }
}

/// Where to click an element, or why not yet: gone, invisible, moving, disabled, or covered by something.
const READY_FOR_CLICK: &str = "async function() {
    if (!this.isConnected) return { why: 'it is gone' };
    this.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
    const before = this.getBoundingClientRect();
    await new Promise((done) => setTimeout(done, 40));
    const box = this.getBoundingClientRect();
    if (box.width === 0 || box.height === 0) return { why: 'it has no size' };
    if (getComputedStyle(this).visibility !== 'visible') return { why: 'it is hidden' };
    if (before.x !== box.x || before.y !== box.y) return { why: 'it moves' };
    if (this.matches(':disabled') || this.closest('[aria-disabled=true]')) return { why: 'it is disabled' };
    const x = box.x + box.width / 2, y = box.y + box.height / 2;
    const hit = document.elementFromPoint(x, y);
    const label = hit?.closest('label');
    if (hit !== this && !this.contains(hit) && label?.control !== this) return { why: 'it is covered by ' + hit?.outerHTML.slice(0, 120) };
    return { x, y };
}";
