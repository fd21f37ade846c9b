//! Starting an account: its lasting state is folded from the log, calls a crash cut short are closed, and the task
//! begins.

mod load;
mod passed;
mod repair;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use cordboard_shared::FeedPosition;
use tokio::sync::{Mutex, Semaphore, broadcast, mpsc, watch};
use tokio::task::JoinHandle;

use super::account::{Account, Changes, Sources, SteadyClock, Tracer};
use super::handle::{AppHandle, Counts, PresenceEvent};
use super::journal;
use super::seen::Seen;
use crate::audio::Library;
use crate::call::{CallCenter, Sounds};
use crate::clock::{Clock, SystemClock};
use crate::directory::Directory;
use crate::net::media::{FromMedia, MediaHandle};
use crate::net::sip::SipHandle;
use crate::store::{Batch, Store};

/// Requests that may wait; more are refused at once.
const REQUESTS: usize = 8_192;
/// Where the count of a person's live changes begins in each run, so that tags of an earlier run never match by accident.
const RUN_SHIFT: u32 = 20;
/// Presence changes a slow edge push may be behind.
const PRESENCES: usize = 4_096;

/// A running account.
pub struct RunningApp {
    /// The door for the shells.
    pub handle: AppHandle,
    stop: watch::Sender<bool>,
    account: JoinHandle<()>,
    journal: JoinHandle<()>,
}

/// The two sides an account speaks to.
pub struct Telephony {
    /// The SIP loop.
    pub sip: SipHandle,
    /// What it says.
    pub sip_events: mpsc::UnboundedReceiver<cordboard_sip::Event>,
    /// The media thread.
    pub media: MediaHandle,
    /// What it says.
    pub media_events: mpsc::UnboundedReceiver<FromMedia>,
}

impl RunningApp {
    /// Ends running calls, writes what is to be written and stops.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if self.account.await.is_err() {
            tracing::error!("the account's task had failed");
        }
        if self.journal.await.is_err() {
            tracing::error!("the journal had failed");
        }
    }
}

/// Loads the account and starts its task.
pub async fn start(
    store: Store,
    telephony: Telephony,
    recordings: &Path,
    library: Arc<Library>,
) -> anyhow::Result<RunningApp> {
    let now = SystemClock.now();
    let directory = store.directory().await.context("cannot load the account")?;
    repair::close_cut_calls(&store, &directory, recordings, now)
        .await
        .context("cannot close the calls of the last run")?;
    repair::repair_recordings(&store, recordings).await.context("cannot look through the recordings")?;
    let seed = u64::from_le_bytes(crate::clock::random());
    let loaded = load::load(&store, &directory, now, seed).await.context("cannot fold the account's log")?;
    let mut directory = directory.under(Arc::new(loaded.engine.policy().clone()));
    let phones = store.sip_users(directory.account).await.context("cannot read the desk phones")?;
    directory.phone_users = Arc::new(super::company::phone_users(&phones));
    let directory = Arc::new(directory);
    library.load(&directory).await;
    let run = store.last_run(directory.account).await.context("cannot read the trace")? + 1;
    let checkpoint = Some(load::checkpoint(&loaded.engine, run, now)?);
    let begin = Batch { account: directory.account, checkpoint, ..Batch::default() };
    store.commit(&begin).await.context("cannot begin the trace")?;
    let live = loaded.engine.agents().map(|agent| (agent.id, run << RUN_SHIFT)).collect();
    let position = FeedPosition { epoch: loaded.epoch, bucket: 0, seq: loaded.last };
    let sip_address = telephony.sip.loopback_addr();
    let mut center =
        CallCenter::new(directory.clone(), sounds(&library), sip_address, loaded.engine, now, crate::clock::random());
    center.set_fingerprint(telephony.media.fingerprint());

    let (requests, request_queue) = mpsc::channel(REQUESTS);
    let (entries, written, journal) = journal::open(store.clone(), directory.account, loaded.last);
    let (presences, _) = broadcast::channel::<PresenceEvent>(PRESENCES);
    let (counts, counts_reader) = watch::channel(Counts::default());
    let (draining, draining_reader) = watch::channel(false);
    let (seen, seen_reader) = watch::channel(Seen::default());
    let (stop, stop_reader) = watch::channel(false);
    let (directories, directory_reader) = watch::channel(directory.clone());
    let handle = AppHandle {
        requests: requests.clone(),
        sip: telephony.sip.stats_reader(),
        media: Arc::clone(telephony.media.counters()),
        store: store.clone(),
        replays: Arc::new(Semaphore::new(1)),
        people: Arc::new(Mutex::new(())),
        company: Arc::default(),
        library: library.clone(),
        presences: presences.clone(),
        directory: directory_reader,
        counts: counts_reader,
        draining: draining_reader,
        seen: seen_reader,
    };
    let account = Account {
        directory,
        directories,
        center,
        sip: telephony.sip,
        requests: requests.downgrade(),
        media: telephony.media,
        store,
        journal: entries,
        presences,
        counts,
        draining,
        seen,
        clock: SteadyClock::starting_at(now),
        changes: Changes::after(position, loaded.snapshot),
        tracer: Tracer { run, checkpoint_at: now, ..Tracer::default() },
        traced: Vec::new(),
        sockets: BTreeMap::new(),
        replies: BTreeMap::new(),
        live,
        last_id: 0,
        alive_at: now,
        look_at: None,
        stuck: 0,
        deadline: None,
    };
    let sources = Sources {
        requests: request_queue,
        written,
        sip: telephony.sip_events,
        media: telephony.media_events,
        stop: stop_reader,
    };
    account.tell_phones();
    tokio::spawn(keep_sounds(library, handle.directory.clone()));
    let account = tokio::spawn(account.run(sources));
    Ok(RunningApp { handle, stop, account, journal })
}

fn sounds(library: &Arc<Library>) -> Sounds {
    let library = library.clone();
    Sounds::new(move |language, name| library.prompt(language, name))
}

/// Loads what a change of the company names, as long as there is a company.
async fn keep_sounds(library: Arc<Library>, mut directories: watch::Receiver<Arc<Directory>>) {
    while directories.changed().await.is_ok() {
        let directory = directories.borrow_and_update().clone();
        library.load(&directory).await;
    }
}
