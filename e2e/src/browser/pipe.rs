//! The browser's protocol: JSON messages ended by a zero byte, commands with ids and their answers, events between.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::timeout;

/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How many messages are kept for the trace of a failed journey.
const HISTORY: usize = 200;
/// How much of a message is kept, in characters.
const EXCERPT: usize = 600;

/// Something the browser told without being asked.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// The tab it is about.
    pub(crate) session: String,
    /// Its name, `Page.loadEventFired` for one.
    pub(crate) method: String,
}

/// What a page complained about.
#[derive(Debug, Clone)]
pub struct Complaint {
    pub(crate) session: String,
    /// What kind it is.
    pub kind: ComplaintKind,
    /// Its text.
    pub text: String,
}

/// Who complained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComplaintKind {
    /// The page wrote an error to the console.
    Console,
    /// An exception that nobody caught.
    Exception,
    /// A request that was answered with an error; some are meant to be.
    Network,
    /// Anything else the browser holds against the page, a breach of the content security policy for one.
    Browser,
}

type Waiting = HashMap<u64, oneshot::Sender<Value>>;

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    history: Mutex<VecDeque<String>>,
    complaints: Mutex<Vec<Complaint>>,
}

/// The connection to one browser.
#[derive(Debug)]
pub(crate) struct Pipe {
    next: AtomicU64,
    out: mpsc::UnboundedSender<Vec<u8>>,
    events: broadcast::Sender<Event>,
    shared: Arc<Shared>,
}

impl Pipe {
    /// Starts the reader and the writer.
    pub(crate) fn open(mut input: ChildStdin, output: ChildStdout) -> Self {
        let (out, mut messages) = mpsc::unbounded_channel::<Vec<u8>>();
        let (events, _) = broadcast::channel(4_096);
        let shared = Arc::new(Shared::default());
        tokio::spawn(async move {
            while let Some(message) = messages.recv().await {
                if input.write_all(&message).await.is_err() {
                    return;
                }
            }
        });
        let (reader, sender) = (Arc::clone(&shared), events.clone());
        tokio::spawn(async move {
            let mut output = BufReader::new(output);
            let mut message = Vec::new();
            while let Ok(1..) = output.read_until(0, &mut message).await {
                message.pop();
                if let Ok(json) = serde_json::from_slice::<Value>(&message) {
                    reader.take(json, &sender);
                }
                message.clear();
            }
            // The browser is gone: those who wait learn it by their dropped channel.
            lock(&reader.waiting).clear();
        });
        Self { next: AtomicU64::new(1), out, events, shared }
    }

    /// Sends a command and waits for its answer.
    pub(crate) async fn call(&self, session: Option<&str>, method: &str, params: Value) -> Result<Value> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        lock(&self.shared.waiting).insert(id, sender);
        self.send(id, session, method, &params)?;
        let mut answer = timeout(LIMIT, receiver)
            .await
            .with_context(|| format!("{method} was not answered within {} s", LIMIT.as_secs()))?
            .with_context(|| format!("the browser ended during {method}"))?;
        if let Some(error) = answer.get("error") {
            bail!("{method}: {}", error["message"].as_str().unwrap_or("failed"));
        }
        Ok(answer["result"].take())
    }

    /// Sends a command that is never answered.
    pub(crate) fn tell(&self, session: Option<&str>, method: &str, params: &Value) -> Result<()> {
        self.send(self.next.fetch_add(1, Ordering::Relaxed), session, method, params)
    }

    /// The events from now on. Ask before the command that causes them.
    pub(crate) fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// What the page of a tab complained about so far.
    pub(crate) fn complaints(&self, session: &str) -> Vec<Complaint> {
        lock(&self.shared.complaints).iter().filter(|complaint| complaint.session == session).cloned().collect()
    }

    /// The last messages, oldest first.
    pub(crate) fn history(&self) -> Vec<String> {
        lock(&self.shared.history).iter().cloned().collect()
    }

    fn send(&self, id: u64, session: Option<&str>, method: &str, params: &Value) -> Result<()> {
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut bytes = serde_json::to_vec(&message)?;
        self.shared.remember("->", &message);
        bytes.push(0);
        self.out.send(bytes).context("the browser is gone")
    }
}

impl Shared {
    fn take(&self, mut message: Value, events: &broadcast::Sender<Event>) {
        self.remember("<-", &message);
        if let Some(id) = message["id"].as_u64() {
            if let Some(waiting) = lock(&self.waiting).remove(&id) {
                let _ = waiting.send(message);
            }
            return;
        }
        let session = message["sessionId"].as_str().unwrap_or_default().to_owned();
        let method = message["method"].as_str().unwrap_or_default().to_owned();
        if let Some((kind, text)) = complaint(&method, &message["params"].take()) {
            lock(&self.complaints).push(Complaint { session: session.clone(), kind, text });
        }
        let _ = events.send(Event { session, method });
    }

    fn remember(&self, direction: &str, message: &Value) {
        let text: String = message.to_string().chars().take(EXCERPT).collect();
        let mut history = lock(&self.history);
        if history.len() == HISTORY {
            history.pop_front();
        }
        history.push_back(format!("{direction} {text}"));
    }
}

/// What an event complains about, if it does.
fn complaint(method: &str, params: &Value) -> Option<(ComplaintKind, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match method {
        "Runtime.consoleAPICalled" if matches!(params["type"].as_str(), Some("error" | "assert")) => {
            let words: Vec<String> = params["args"]
                .as_array()?
                .iter()
                .map(|arg| arg["value"].as_str().or(arg["description"].as_str()).unwrap_or("…").to_owned())
                .collect();
            Some((ComplaintKind::Console, words.join(" ")))
        }
        "Runtime.exceptionThrown" => {
            let details = &params["exceptionDetails"];
            let shown = details["exception"]["description"].as_str().or(details["text"].as_str());
            Some((ComplaintKind::Exception, shown.unwrap_or("exception").to_owned()))
        }
        "Log.entryAdded" if params["entry"]["level"] == "error" => {
            let kind =
                if params["entry"]["source"] == "network" { ComplaintKind::Network } else { ComplaintKind::Browser };
            Some((kind, format!("{} {}", text(&params["entry"]["text"]), text(&params["entry"]["url"]))))
        }
        _ => None,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
