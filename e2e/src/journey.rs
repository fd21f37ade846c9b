//! The frame of a journey: one at a time, with a limit, a folder for its pictures, and a trace when it fails.

use std::any::Any;
use std::fs;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use futures_util::FutureExt as _;
use tempfile::TempDir;

use crate::browser::{Browser, Tab};
use crate::stack::{Options, Stack};
use crate::{log, tools};

/// How long a journey may take.
const LIMIT: Duration = Duration::from_mins(5);

/// Journeys of one test program wait for each other here: they share two ears, one machine's time and its ports.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What a journey has at hand. What it starts lives until its end, also when it fails, so that a trace can be taken.
#[derive(Debug)]
pub struct Journey {
    folder: PathBuf,
    scratch: TempDir,
    tabs: Mutex<Vec<Tab>>,
    stacks: Mutex<Vec<Arc<Stack>>>,
    logs: Mutex<Vec<PathBuf>>,
    kept: Mutex<Vec<Box<dyn Any + Send + Sync>>>,
}

/// Runs a journey. A failure leaves its trace in `target/e2e/<name>/` and panics with all its reasons.
pub fn journey(name: &str, steps: impl AsyncFnOnce(&Journey) -> Result<()>) {
    journey_within(LIMIT, name, steps);
}

/// Runs a journey that needs another limit of time.
pub fn journey_within(limit: Duration, name: &str, steps: impl AsyncFnOnce(&Journey) -> Result<()>) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can start");
    let outcome = runtime.block_on(async {
        let journey = Journey::begin(name)?;
        let begun = Instant::now();
        let steps = AssertUnwindSafe(tokio::time::timeout(limit, steps(&journey))).catch_unwind().await;
        let outcome = match steps {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(anyhow!("the journey took longer than {} s", limit.as_secs())),
            Err(panic) => Err(anyhow!("panicked: {}", words(panic.as_ref()))),
        };
        let Err(reason) = outcome else { return Ok(()) };
        let seconds = begun.elapsed().as_secs_f64();
        journey.trace().await;
        let calls = journey.newest_calls().await;
        let place = journey.folder.display();
        Err(reason.context(format!("journey {name} failed after {seconds:.1} s; its trace is in {place}{calls}")))
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    if let Err(error) = outcome {
        let reasons: Vec<String> = error.chain().map(ToString::to_string).collect();
        panic!("{}", reasons.join("\n  because: "));
    }
}

impl Journey {
    fn begin(name: &str) -> Result<Self> {
        let folder = tools::root().join("target/e2e").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(Self {
            folder,
            scratch: tempfile::tempdir()?,
            tabs: Mutex::default(),
            stacks: Mutex::default(),
            logs: Mutex::default(),
            kept: Mutex::default(),
        })
    }

    /// Where its pictures and its trace go.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A new folder for files that go with the journey.
    pub fn scratch(&self, name: &str) -> Result<PathBuf> {
        let folder = self.scratch.path().join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// A log that belongs to the trace.
    pub fn watch_log(&self, log: &Path) {
        lock(&self.logs).push(log.to_path_buf());
    }

    /// Starts a server with the demo company.
    pub async fn stack(&self) -> Result<Arc<Stack>> {
        self.stack_with(Options::default()).await
    }

    /// Starts a server with the demo company and more options.
    pub async fn stack_with(&self, options: Options) -> Result<Arc<Stack>> {
        let stack = Arc::new(Stack::start(self, options).await?);
        lock(&self.stacks).push(Arc::clone(&stack));
        Ok(stack)
    }

    /// Starts a browser whose microphone plays a tone of `microphone` hertz.
    pub async fn browser(&self, microphone: f64) -> Result<Arc<Browser>> {
        let browser = Arc::new(Browser::launch(microphone).await?);
        self.keep(Arc::clone(&browser));
        Ok(browser)
    }

    /// Opens a window for a person in a browser; its pictures are kept with the journey.
    pub async fn person(&self, browser: &Browser, name: &str) -> Result<Tab> {
        let tab = browser.person(name).await?;
        tab.keep_pictures_in(&self.folder);
        lock(&self.tabs).push(tab.clone());
        Ok(tab)
    }

    /// Keeps a value until the journey's end.
    pub fn keep(&self, value: impl Any + Send + Sync) {
        lock(&self.kept).push(Box::new(value));
    }

    /// What the servers tell of their newest calls, for the message of a failure; nothing of those that do not answer.
    async fn newest_calls(&self) -> String {
        let stacks = lock(&self.stacks).clone();
        let mut told = String::new();
        for stack in stacks {
            if let Ok(text) = log::newest_in_words(&stack, 2).await {
                told.push_str(&text);
            }
        }
        told
    }

    async fn trace(&self) {
        let tabs = lock(&self.tabs).clone();
        for tab in tabs {
            if let Err(error) = tab.trace(&self.folder).await {
                let _ = fs::write(self.folder.join("failed-trace.txt"), format!("{}: {error:?}", tab.name()));
            }
        }
        for log in lock(&self.logs).iter() {
            if let Some(name) = log.file_name() {
                let _ = fs::copy(log, self.folder.join(name));
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "no words".to_owned())
}
