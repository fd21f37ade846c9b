//! Starting an account: facts are folded from the log, calls a crash cut short are closed, and the task begins.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use cordboard_shared::call::{CallResult, CallState, CallView, EndedBy};
use cordboard_shared::id::AgentId;
use cordboard_shared::{FeedPosition, Millis};
use sha2::{Digest as _, Sha256};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;

use super::account::{Account, FactLog, Sources, SteadyClock};
use super::facts::{self, LogEntry};
use super::handle::{AppHandle, Counts, PresenceEvent};
use super::journal;
use crate::call::{CallCenter, Input, Sounds};
use crate::clock::{Clock, SystemClock};
use crate::directory::Directory;
use crate::hex::hex;
use crate::net::media::{FromMedia, MediaHandle};
use crate::net::sip::SipHandle;
use crate::store::{Batch, EventRow, RecordingRow, Store};

/// Requests that may wait; more are refused at once.
const REQUESTS: usize = 8_192;
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
pub async fn start(store: Store, telephony: Telephony, recordings: &Path) -> anyhow::Result<RunningApp> {
    let now = SystemClock.now();
    let directory = store.directory().await.context("cannot load the account")?;
    let policy = Arc::new(directory.first_policy());
    let directory = Arc::new(directory.under(policy));
    close_cut_calls(&store, &directory, recordings, now).await.context("cannot close the calls of the last run")?;
    repair_recordings(&store, recordings).await.context("cannot look through the recordings")?;
    let log = fold(&store, &directory, now).await.context("cannot fold the account's log")?;

    let seed = u64::from_le_bytes(crate::clock::random());
    let mut engine = cordboard_routing::Engine::start(now, seed, cordboard_routing::Durable::default());
    let policy = cordboard_shared::policy::Policy {
        version: directory.policy_version,
        departments: directory.departments.clone(),
        ..Default::default()
    };
    let event = Box::new(cordboard_routing::Event::PolicySet { policy: Box::new(policy) });
    // An engine without calls has nothing to refuse, and nothing to say yet.
    let _ = engine.handle_input(now, cordboard_routing::Input::Obey { event, at: FeedPosition::default() });
    let mut center = CallCenter::new(directory.clone(), sounds(), telephony.sip.loopback_addr(), engine, now, seed);
    for (agent, facts) in &log.committed {
        let at = FeedPosition { epoch: log.epoch, bucket: 0, seq: log.last_seq };
        center.handle_input(now, Input::Facts { agent: *agent, facts: Box::new(facts.clone()), at });
        while !matches!(center.poll_effect(), crate::call::Effect::Timeout(_)) {}
    }

    let (requests, request_queue) = mpsc::channel(REQUESTS);
    let (entries, written, journal) = journal::open(store.clone(), directory.account);
    let (_directories, directory_reader) = watch::channel(directory.clone());
    let (presences, _) = broadcast::channel::<PresenceEvent>(PRESENCES);
    let (counts, counts_reader) = watch::channel(Counts::default());
    let (draining, draining_reader) = watch::channel(false);
    let (stop, stop_reader) = watch::channel(false);
    let handle = AppHandle {
        requests,
        store,
        presences: presences.clone(),
        directory: directory_reader,
        counts: counts_reader,
        draining: draining_reader,
    };
    let account = Account {
        directory,
        center,
        sip: telephony.sip,
        media: telephony.media,
        journal: entries,
        presences,
        counts,
        draining,
        clock: SteadyClock::starting_at(now),
        log,
        sockets: BTreeMap::new(),
        replies: BTreeMap::new(),
        last_id: 0,
        alive_at: now,
        deadline: None,
    };
    let sources = Sources {
        requests: request_queue,
        written,
        sip: telephony.sip_events,
        media: telephony.media_events,
        stop: stop_reader,
    };
    let account = tokio::spawn(account.run(sources));
    Ok(RunningApp { handle, stop, account, journal })
}

fn sounds() -> Sounds {
    Sounds::new(crate::prompts::prompt)
}

/// The facts as the log says; people it does not name yet are entered, so that each stands in it.
async fn fold(store: &Store, directory: &Directory, now: Millis) -> anyhow::Result<FactLog> {
    let epoch = store.epoch().await?;
    let mut committed: BTreeMap<AgentId, _> = BTreeMap::new();
    let mut last_seq = 0;
    for row in store.events(directory.account, 0).await? {
        last_seq = row.seq;
        let Some(agent) = row.agent else { continue };
        let entry = serde_json::from_value(row.body).with_context(|| format!("cannot read event {last_seq}"))?;
        match entry {
            LogEntry::FactsSet { facts, .. } => committed.insert(agent, *facts),
        };
    }
    let mut events = Vec::new();
    for agent in directory.agents.keys().filter(|agent| !committed.contains_key(agent)).copied().collect::<Vec<_>>() {
        let facts = facts::initial(now, epoch);
        last_seq += 1;
        let entry = LogEntry::FactsSet { facts: Box::new(facts.clone()), changed: Vec::new(), note: None };
        let body = serde_json::to_value(entry)?;
        events.push(EventRow { account: directory.account, seq: last_seq, at: now, agent: Some(agent), body });
        committed.insert(agent, facts);
    }
    if !events.is_empty() {
        store.commit(&Batch { account: directory.account, events, ..Batch::default() }).await?;
    }
    let head = committed.clone();
    Ok(FactLog { epoch, committed, head, last_seq, generation: 0, pending: VecDeque::new() })
}

/// Legs die with the process: each call it left open is over since the last sign of life.
async fn close_cut_calls(store: &Store, directory: &Directory, folder: &Path, now: Millis) -> anyhow::Result<()> {
    let open = store.open_calls().await?;
    if open.is_empty() {
        return Ok(());
    }
    let alive_at = store.alive_at().await?;
    tracing::warn!(calls = open.len(), "calls were cut short by the end of the last run");
    let folder = folder.to_owned();
    let (calls, recordings) = tokio::task::spawn_blocking(move || {
        let files = wav_files(&folder);
        let mut recordings = Vec::new();
        let rescue = |call| rescue(call, &files, now, &mut recordings);
        let calls = open.into_iter().map(rescue).map(|call| cut(call, alive_at, now)).collect();
        (calls, recordings)
    })
    .await?;
    store.commit(&Batch { account: directory.account, calls, recordings, ..Batch::default() }).await?;
    Ok(())
}

/// Completes the messages that were being spoken: the file's header is repaired and its row made.
fn rescue(mut call: CallView, files: &[(String, PathBuf)], now: Millis, rows: &mut Vec<RecordingRow>) -> CallView {
    let uid = call.uid;
    for recording in call.recordings.iter_mut().filter(|recording| recording.sha256.is_empty()) {
        let name = format!("{}.wav", recording.id);
        let Some((relative, path)) = files.iter().find(|(relative, _)| relative.ends_with(&name)) else { continue };
        let Ok(Some(ms)) = crate::net::media::repair_wav(path) else { continue };
        let Ok(content) = std::fs::read(path) else { continue };
        recording.ms = ms;
        recording.sha256 = hex(&Sha256::digest(&content));
        rows.push(RecordingRow {
            id: recording.id,
            call: uid,
            kind: recording.kind,
            mailbox: None,
            path: relative.clone(),
            ms,
            bytes: content.len() as u64,
            sha256: recording.sha256.clone(),
            at: now,
        });
    }
    call.recordings.retain(|recording| !recording.sha256.is_empty());
    if call.recordings.is_empty() && call.result == Some(CallResult::Voicemail) {
        call.result = Some(CallResult::Missed);
    }
    call
}

fn cut(mut call: CallView, alive_at: Option<Millis>, now: Millis) -> CallView {
    let ended = alive_at.unwrap_or(call.started_at).max(call.started_at).min(now);
    call.state = CallState::Ended;
    call.ended_by = Some(EndedBy::Restart);
    call.ended_at = Some(ended);
    if let Some(answered_at) = call.answered_at {
        call.result = Some(CallResult::Answered);
        call.talk_ms = ended.since(answered_at);
    } else {
        call.agent = None;
        call.result = call.result.or(Some(CallResult::Missed));
        call.waited_ms = ended.since(call.started_at);
    }
    // Higher than any version the last run can have written.
    let rev = call.version.rsplit('.').next().and_then(|rev| rev.parse::<u64>().ok()).unwrap_or(0);
    call.version = format!("1.{}", rev + 1_000);
    call
}

/// A file without a row was being written when the last run ended: its header is repaired and its name logged.
async fn repair_recordings(store: &Store, folder: &Path) -> anyhow::Result<()> {
    let known: std::collections::BTreeSet<_> = store.recording_paths().await?.into_iter().collect();
    let folder = folder.to_owned();
    let files = tokio::task::spawn_blocking(move || wav_files(&folder)).await?;
    for (relative, path) in files {
        if known.contains(&relative) {
            continue;
        }
        match crate::net::media::repair_wav(&path) {
            Ok(ms) => tracing::warn!(file = relative, ?ms, "repaired a recording that the last run did not close"),
            Err(error) => tracing::warn!(file = relative, %error, "cannot repair a recording"),
        }
    }
    Ok(())
}

fn wav_files(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&next) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "wav")
                && let Ok(relative) = path.strip_prefix(folder)
            {
                found.push((relative.to_string_lossy().into_owned(), path));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use cordboard_shared::call::{Direction, Party, RecordingKind, RecordingView};
    use cordboard_shared::id::{CallId, RecordingId};

    use super::*;

    #[test]
    fn a_message_cut_by_a_crash_is_kept_with_its_call() {
        let folder = tempfile::tempdir().unwrap();
        let id = RecordingId::demo(7);
        let path = folder.path().join(format!("{id}.wav"));
        // A header as it stands before the file is closed, and a second of sound.
        let mut file = hound::WavWriter::create(&path, spec()).unwrap();
        (0..8_000).for_each(|_| file.write_sample(1_000_i16).unwrap());
        file.finalize().unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[4..8].fill(0);
        bytes[40..44].fill(0);
        std::fs::write(&path, bytes).unwrap();
        let files = vec![(format!("2026/11/21/{id}.wav"), path)];

        let mut rows = Vec::new();
        let call = rescue(call_with(id), &files, Millis(9), &mut rows);

        assert_eq!((call.recordings[0].ms, rows[0].ms, rows[0].call), (1_000, 1_000, call.uid));
        assert_eq!(call.recordings[0].sha256.len(), 64);
        assert_eq!(cut(call, Some(Millis(8)), Millis(9)).result, Some(CallResult::Voicemail));
    }

    #[test]
    fn without_its_file_it_was_no_message() {
        let mut rows = Vec::new();
        let call = rescue(call_with(RecordingId::demo(7)), &[], Millis(9), &mut rows);
        assert!(call.recordings.is_empty() && rows.is_empty());
        assert_eq!(call.result, Some(CallResult::Missed));
    }

    fn spec() -> hound::WavSpec {
        hound::WavSpec { channels: 1, sample_rate: 8_000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int }
    }

    fn call_with(id: RecordingId) -> CallView {
        CallView {
            uid: CallId::new(Millis(5), [1; 10]),
            direction: Direction::Inbound,
            state: CallState::Flow,
            result: Some(CallResult::Voicemail),
            cause: None,
            ended_by: None,
            from: Party { number: "+442079460100".to_owned().into(), name: None },
            to: Party { number: "+442079460102".to_owned().into(), name: None },
            department: None,
            agent: None,
            flow: None,
            started_at: Millis(5),
            answered_at: None,
            ended_at: None,
            waited_ms: 0,
            talk_ms: 0,
            sip_status: Some(200),
            recordings: vec![RecordingView { id, kind: RecordingKind::Voicemail, ms: 0, sha256: String::new() }],
            notes: Vec::new(),
            version: "1.3".to_owned(),
        }
    }
}
