//! Pictures of what a person sees, accessibility checks, and the trace of a failed journey.

use std::fs;
use std::path::Path;
use std::sync::PoisonError;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::tab::Tab;
use crate::tools;

/// How a page is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// On a desk, light.
    Light,
    /// On a desk, dark.
    Dark,
    /// 320 pixels wide, light.
    Narrow,
}

impl Look {
    const ALL: [Self; 3] = [Self::Light, Self::Dark, Self::Narrow];

    fn word(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
            Self::Narrow => "narrow",
        }
    }

    fn scheme(self) -> &'static str {
        match self {
            Self::Light | Self::Narrow => "light",
            Self::Dark => "dark",
        }
    }

    fn size(self) -> (u32, u32) {
        match self {
            Self::Light | Self::Dark => (1_280, 800),
            Self::Narrow => (320, 800),
        }
    }
}

/// What an accessibility check found.
#[derive(Debug, Deserialize)]
pub struct Violation {
    /// The rule.
    pub id: String,
    /// How bad it is.
    pub impact: Option<String>,
    /// The rule in words.
    pub help: String,
    /// The elements that break it.
    pub nodes: Vec<String>,
}

impl Tab {
    /// Takes pictures of the page in each look: `NN-name-light.png` and its siblings.
    pub async fn pictures(&self, name: &str) -> Result<()> {
        self.take(name, &Look::ALL).await
    }

    /// Takes one picture, of a moment that would pass while more are taken.
    pub async fn picture(&self, name: &str) -> Result<()> {
        self.take(name, &[Look::Light]).await
    }

    /// Sets how the page is looked at from now on.
    pub async fn look(&self, look: Look) -> Result<()> {
        let (width, height) = look.size();
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": look.scheme() }] });
        self.cdp("Emulation.setEmulatedMedia", media).await?;
        // The panel reads the system's wish when it starts, and then keeps a theme of its own: turn that too.
        let theme = json!(look.scheme());
        let turn =
            format!("if (document.documentElement.dataset.theme) document.documentElement.dataset.theme = {theme}");
        self.evaluate(&turn).await?;
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.cdp("Emulation.setDeviceMetricsOverride", metrics).await?;
        self.evaluate(SETTLED).await.map(drop)
    }

    /// Fails when the page breaks a rule of WCAG 2.2 A or AA that axe-core knows, in light or in dark.
    pub async fn expect_accessible(&self) -> Result<()> {
        for look in [Look::Light, Look::Dark] {
            self.look(look).await?;
            let violations = self.violations().await?;
            ensure!(violations.is_empty(), "{} breaks rules in {}: {violations:#?}", self.path().await?, look.word());
        }
        self.look(Look::Light).await
    }

    /// The rules of WCAG 2.2 A and AA the page breaks, as far as axe-core finds them.
    pub async fn violations(&self) -> Result<Vec<Violation>> {
        let script = fs::read_to_string(tools::axe()?)?;
        self.evaluate(&format!("if (!window.axe) {{ {script} }}")).await?;
        let found = self
            .evaluate(
                "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then((result) =>
                    result.violations.map(({ id, impact, help, nodes }) =>
                        ({ id, impact, help, nodes: nodes.map((node) => node.html + ' ' + node.failureSummary) })))",
            )
            .await?;
        serde_json::from_value(found).context("axe-core's answer is not as expected")
    }

    /// Writes what can be learned about the page after a failure: picture, document, complaints, last messages.
    pub async fn trace(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        let name = self.name().replace(' ', "-").to_lowercase();
        let file = |suffix: &str| folder.join(format!("failed-{name}{suffix}"));
        let complaints: Vec<String> =
            self.all_complaints().iter().map(|complaint| format!("{:?}: {}", complaint.kind, complaint.text)).collect();
        fs::write(file("-console.txt"), complaints.join("\n"))?;
        fs::write(file("-messages.txt"), self.history().join("\n"))?;
        let document = self.evaluate("location.href + '\\n' + document.documentElement.outerHTML").await?;
        fs::write(file(".html"), document.as_str().unwrap_or_default())?;
        fs::write(file(".png"), self.screenshot().await?)?;
        Ok(())
    }

    async fn take(&self, name: &str, looks: &[Look]) -> Result<()> {
        let folder = self.0.folder.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let folder = folder.context("no folder for pictures")?;
        fs::create_dir_all(&folder)?;
        let number = next_number(&folder)?;
        for look in looks {
            self.look(*look).await?;
            let path = folder.join(format!("{number:02}-{name}-{}.png", look.word()));
            fs::write(&path, self.screenshot().await?)?;
        }
        self.look(Look::Light).await
    }

    async fn screenshot(&self) -> Result<Vec<u8>> {
        let answer: Value = self.cdp("Page.captureScreenshot", json!({ "format": "png" })).await?;
        let data = answer["data"].as_str().context("no picture")?;
        BASE64_STANDARD.decode(data).context("the picture is not base64")
    }
}

/// The number after the last picture in a folder, whoever took that.
fn next_number(folder: &Path) -> Result<u32> {
    let mut last = 0;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.split('-').next()?.parse().ok());
        last = last.max(number.unwrap_or(0));
    }
    Ok(last + 1)
}

/// Two frames for the new size and colors, then the ends of the transitions they begin; what moves for ever is not
/// waited for.
const SETTLED: &str = "(async () => {
    const pause = (time) => new Promise((done) => setTimeout(done, time));
    await pause(60);
    const ending = document.getAnimations().filter((motion) => motion.effect?.getComputedTiming().iterations !== Infinity);
    await Promise.race([Promise.allSettled(ending.map((motion) => motion.finished)), pause(1500)]);
    await pause(60);
})()";
