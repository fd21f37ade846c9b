//! Pushes presence to the edge: follows the account's changes and posts signed frames, one at a time.
//!
//! What goes when is decided by `cordboard_shared::presence::sender`. Memory is bounded by the account's people,
//! whatever the edge does.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use cordboard_shared::agent::Presence;
use cordboard_shared::edge::signature::sign_frame;
use cordboard_shared::edge::{FEED_PATH, FeedAnswer, FeedFrame, FeedItem, GENERATION};
use cordboard_shared::id::AgentId;
use cordboard_shared::presence::log::{FeedLog, FeedPart, Gone};
use cordboard_shared::presence::sender::{FeedSender, Sent};
use cordboard_shared::{FeedPosition, Millis};
use serde_json::value::to_raw_value;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::task::JoinHandle;

use crate::app::{AppHandle, PresenceEvent};
use crate::clock::{self, Clock};
use crate::keys::Keys;

/// How long the edge may take for a frame.
const PATIENCE: Duration = Duration::from_secs(5);

/// The feed as pulls and pushes read it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct EdgeFeed {
    log: Arc<Mutex<FeedLog>>,
    clock: Arc<dyn Clock>,
}

impl EdgeFeed {
    /// Everybody's presence.
    pub fn snapshot(&self) -> FeedPart {
        self.log().snapshot(self.clock.now())
    }

    /// What a mirror at `after`, complete at `since`, lacks.
    pub fn changes(&self, after: FeedPosition, since: Millis, limit: usize) -> Result<FeedPart, Gone> {
        self.log().changes(self.clock.now(), after, since, limit)
    }

    fn log(&self) -> MutexGuard<'_, FeedLog> {
        // The log is whole between any two of its methods, so a panic elsewhere does not spoil it.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Post = Pin<Box<dyn Future<Output = anyhow::Result<FeedAnswer>> + Send>>;

struct Push {
    app: AppHandle,
    keys: Arc<Keys>,
    client: reqwest::Client,
    url: String,
    events: Receiver<PresenceEvent>,
    feed: EdgeFeed,
    sender: FeedSender,
    /// Whether it ever took a frame.
    heard: bool,
    /// A clock that nobody sets.
    started: Instant,
}

/// Starts pushing to the edge at this address. Give the feed to the HTTP shell; the task ends with the account.
pub async fn start(
    app: AppHandle,
    keys: Arc<Keys>,
    clock: Arc<dyn Clock>,
    edge_url: &str,
) -> anyhow::Result<(EdgeFeed, JoinHandle<()>)> {
    // Subscribed before anything is read: no change falls between.
    let events = app.subscribe();
    let feed = EdgeFeed { log: Arc::new(Mutex::new(FeedLog::new(FeedPosition::default()))), clock };
    let push = Push {
        keys,
        client: client(edge_url)?,
        url: format!("{}{FEED_PATH}", edge_url.trim_end_matches('/')),
        events,
        feed: feed.clone(),
        sender: FeedSender::default(),
        heard: false,
        started: Instant::now(),
        app,
    };
    push.load().await?;
    Ok((feed, tokio::spawn(push.run())))
}

fn client(edge_url: &str) -> anyhow::Result<reqwest::Client> {
    let mut builder =
        reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).tcp_nodelay(true);
    if edge_url.starts_with("http://") {
        // No certificates are needed, and a machine without any must not keep the feed from starting.
        builder = builder.tls_certs_only([]);
    }
    builder.build().context("cannot make the client for the edge")
}

impl Push {
    /// Enters everybody as they are now.
    async fn load(&self) -> anyhow::Result<()> {
        let (position, everybody) = self.app.presences().await.context("cannot read everybody's presence")?;
        for presence in everybody {
            self.record(presence.uuid, position, Some(presence)).await;
        }
        Ok(())
    }

    async fn run(mut self) {
        let mut posting: Option<(Sent, Post)> = None;
        // A frame of a stopped account would vouch for a state that nobody watches.
        while !self.app.is_stopped() {
            let now = self.now();
            let pause = Duration::from_millis(self.sender.due(&self.feed.log()).since(now));
            tokio::select! {
                event = self.events.recv() => {
                    if !self.follow(event).await {
                        return;
                    }
                }
                result = answer_of(&mut posting), if posting.is_some() => {
                    if let Some((sent, _)) = posting.take() {
                        self.answered(sent, result);
                    }
                }
                () = tokio::time::sleep(pause), if posting.is_none() => match self.post() {
                    Ok(started) => posting = Some(started),
                    Err(error) => {
                        tracing::error!(error = format!("{error:#}"), "cannot make a frame for the edge");
                        self.sender.failed(self.now(), u8::MAX);
                    }
                },
            }
        }
    }

    /// Enters changes; false when the account has stopped.
    async fn follow(&mut self, event: Result<PresenceEvent, RecvError>) -> bool {
        let mut changed = BTreeMap::new();
        let mut next = event;
        loop {
            match next {
                Ok(event) => {
                    let PresenceEvent { pos, presence } = event;
                    changed.insert(presence.uuid, (pos, presence));
                }
                Err(RecvError::Closed) => return false,
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "too many changes at once; everybody's presence is read again");
                    if let Err(error) = self.load().await {
                        tracing::error!(
                            error = format!("{error:#}"),
                            "the edge lacks some changes until the next ones"
                        );
                    }
                }
            }
            next = match self.events.try_recv() {
                Ok(event) => Ok(event),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Closed) => Err(RecvError::Closed),
                Err(TryRecvError::Lagged(missed)) => Err(RecvError::Lagged(missed)),
            };
        }
        for (agent, (pos, presence)) in changed {
            self.record(agent, pos, Some((*presence).clone())).await;
        }
        true
    }

    /// Enters one person's newest state, with the matrix that readers get; `known` is what to enter without the account.
    async fn record(&self, agent: AgentId, at: FeedPosition, known: Option<Presence>) {
        let current = self.app.presence(agent).await.ok().flatten().map(|(presence, _)| presence);
        let Some(presence) = current.or(known) else { return };
        let body = match to_raw_value(&presence) {
            Ok(body) => body,
            Err(error) => return tracing::error!(%error, agent.id = %agent, "a presence cannot be written as JSON"),
        };
        let now = self.feed.clock.now();
        let item = FeedItem { agent, version: presence.version, seq: at.seq, as_of: now, presence: body };
        self.feed.log().record(now, at, item);
    }

    fn post(&mut self) -> anyhow::Result<(Sent, Post)> {
        let wall = self.feed.clock.now();
        let (part, sent) = self.sender.next_part(self.now(), wall, &mut self.feed.log());
        let items = to_raw_value(&part.items)?;
        let account = self.app.directory().account;
        let frame = sign_frame(&self.keys.feed.signing, account, GENERATION, part.range, items);
        Ok((sent, Box::pin(exchange(self.client.clone(), self.url.clone(), frame))))
    }

    fn answered(&mut self, sent: Sent, result: anyhow::Result<FeedAnswer>) {
        let failures = self.sender.failures();
        match result {
            Ok(answer) => {
                self.sender.answered(sent, answer);
                self.heard = true;
                if failures > 0 {
                    tracing::info!(failures, "the edge takes the feed");
                }
            }
            Err(error) => {
                let [chance] = clock::random();
                self.sender.failed(self.now(), chance);
                // Once, not with each of the tries that follow.
                if failures == 0 && self.heard {
                    tracing::warn!(error = format!("{error:#}"), "the edge does not take the feed; it is tried again");
                } else if failures == 0 {
                    tracing::info!(error = format!("{error:#}"), "the edge does not answer yet; it is tried again");
                }
            }
        }
    }

    fn now(&self) -> Millis {
        Millis(i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}

async fn answer_of(posting: &mut Option<(Sent, Post)>) -> anyhow::Result<FeedAnswer> {
    match posting {
        Some((_, post)) => post.as_mut().await,
        None => std::future::pending().await,
    }
}

async fn exchange(client: reqwest::Client, url: String, frame: FeedFrame) -> anyhow::Result<FeedAnswer> {
    let response = client.post(url).json(&frame).send().await.context("cannot reach the edge")?;
    let status = response.status();
    anyhow::ensure!(status.is_success(), "the edge answered {status}");
    response.json().await.context("the edge's answer cannot be read")
}
