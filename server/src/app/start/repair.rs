//! What the end of the last run has left: calls cut short, recordings that were not closed.

use std::path::{Path, PathBuf};

use cordboard_shared::Millis;
use cordboard_shared::call::{CallResult, CallState, CallView, EndedBy};
use sha2::{Digest as _, Sha256};

use crate::directory::Directory;
use crate::hex::hex;
use crate::store::{Batch, RecordingRow, Store};

/// Legs die with the process: each call it left open is over since the last sign of life.
pub(super) async fn close_cut_calls(
    store: &Store,
    directory: &Directory,
    folder: &Path,
    now: Millis,
) -> anyhow::Result<()> {
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
pub(super) async fn repair_recordings(store: &Store, folder: &Path) -> anyhow::Result<()> {
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
            steps: Vec::new(),
            disposition: None,
            made_for: None,
            version: "1.3".to_owned(),
        }
    }
}
