//! A real browser, driven over Chromium's own protocol through a pair of pipes: no port, no driver program, and the
//! browser ends with the test.
//!
//! One browser per journey, with a microphone that plays a file; one [`Tab`] with its own cookies per person in it.

mod ear;
mod locator;
mod picture;
mod pipe;
mod tab;

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};

pub use self::ear::Heard;
pub use self::locator::{Locator, Name};
pub use self::picture::{Look, Violation};
use self::pipe::Pipe;
pub use self::pipe::{Complaint, ComplaintKind};
pub use self::tab::{Freeze, Modifier, Network, Tab};
use crate::sound::Sound;
use crate::{tools, wait};

/// How long the browser may take to start.
const START: Duration = Duration::from_secs(20);
/// The rate of the microphone's file; Chromium takes it as it is.
const MICROPHONE_RATE: u32 = 48_000;
/// The amplitude of the microphone's tone, of full scale.
pub const MICROPHONE_AMPLITUDE: f64 = 0.5;
/// The length of the microphone's file; it is played in a loop.
const MICROPHONE_LENGTH: Duration = Duration::from_secs(20);

/// Switches that make a browser quiet, awake in the background, and provided with a microphone.
const SWITCHES: [&str; 17] = [
    "--headless",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--window-size=1280,800",
    "--lang=en-GB",
];

/// A started browser. It ends when this value goes.
#[derive(Debug)]
pub struct Browser {
    pipe: Arc<Pipe>,
    /// Ends the browser when dropped.
    _child: Child,
    /// Its profile, fresh for each browser.
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser whose microphone plays a tone of `microphone` hertz.
    pub async fn launch(microphone: f64) -> Result<Self> {
        let profile = tempfile::tempdir()?;
        let tone = profile.path().join("microphone.wav");
        Sound::tone(MICROPHONE_RATE, microphone, MICROPHONE_AMPLITUDE, MICROPHONE_LENGTH).write(&tone)?;

        // The browser reads commands from descriptor 3 and answers on 4; a shell puts the pipes there.
        let mut command = Command::new("sh");
        command.args(["-c", r#"exec "$@" 3<&0 4>&1 0</dev/null 1>&2"#, "sh"]).arg(tools::chromium()?).args(SWITCHES);
        if rustix::process::geteuid().is_root() {
            command.arg("--no-sandbox");
        }
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        command.arg(format!("--use-file-for-fake-audio-capture={}", tone.display()));
        command
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let mut child = command.spawn().context("cannot start the browser")?;
        let input = child.stdin.take().context("no pipe to the browser")?;
        let output = child.stdout.take().context("no pipe from the browser")?;
        let pipe = Arc::new(Pipe::open(input, output));
        wait::until("the browser's first answer", START, async || {
            pipe.call(None, "Browser.getVersion", json!({})).await
        })
        .await?;
        Ok(Self { pipe, _child: child, _profile: profile })
    }

    /// Opens a window with cookies of its own: another person's browser, as far as the server can tell.
    pub async fn person(&self, name: &str) -> Result<Tab> {
        let context = self.pipe.call(None, "Target.createBrowserContext", json!({})).await?;
        Tab::open(&self.pipe, name, &context["browserContextId"]).await
    }

    /// Opens a second window that shares the cookies of `tab`.
    pub async fn beside(&self, tab: &Tab, name: &str) -> Result<Tab> {
        Tab::open(&self.pipe, name, tab.context()).await
    }
}
