//! Writes recordings, on a thread of its own: a slow disk never holds up the media thread.
//!
//! The way there is a bounded queue. What does not fit is counted and made up for with silence, so that the length stays.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use cordboard_shared::id::RecordingId;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tokio::sync::mpsc::UnboundedSender;

use super::wav::{HEADER, header};
use super::{FromMedia, MediaCounters};
use crate::hex::hex;

/// Pieces of 100 ms that may wait for the disk: one second of a hundred recordings.
const QUEUE: usize = 1_024;

/// What goes to the writer.
enum Job {
    /// Samples and how many channels take turns in them.
    Frames(RecordingId, u8, Vec<i16>),
    Finish(RecordingId, u32),
}

/// The media thread's end of the queue.
pub(super) struct RecordingWriter {
    queue: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// Samples that did not fit, by recording, and their channels.
    owed: BTreeMap<RecordingId, (u8, usize)>,
    /// Ends that did not fit: they must not be lost.
    ends: VecDeque<(RecordingId, u32)>,
    counters: Arc<MediaCounters>,
}

impl RecordingWriter {
    pub(super) fn start(
        dir: PathBuf,
        events: UnboundedSender<FromMedia>,
        counters: Arc<MediaCounters>,
    ) -> io::Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new().name("recordings".into()).spawn(move || run(&jobs, &dir, &events))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), owed: BTreeMap::new(), ends: VecDeque::new(), counters })
    }

    pub(super) fn frames(&mut self, recording: RecordingId, channels: u8, mut samples: Vec<i16>) {
        if let Some((_, owed)) = self.owed.remove(&recording) {
            samples.splice(..0, std::iter::repeat_n(0, owed));
        }
        let count = samples.len();
        if self.push(Job::Frames(recording, channels, samples)).is_err() {
            self.owed.insert(recording, (channels, count));
            self.counters.recording_overflows.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn finish(&mut self, recording: RecordingId, ms: u32) {
        self.ends.push_back((recording, ms));
        self.retry();
    }

    /// Passes on the ends that did not fit before. `true` when there is nothing left to try again.
    pub(super) fn retry(&mut self) -> bool {
        while let Some((recording, ms)) = self.ends.front().copied() {
            if let Some((channels, owed)) = self.owed.get(&recording).copied() {
                if self.push(Job::Frames(recording, channels, vec![0; owed])).is_err() {
                    return false;
                }
                self.owed.remove(&recording);
            }
            if self.push(Job::Finish(recording, ms)).is_err() {
                return false;
            }
            self.ends.pop_front();
        }
        true
    }

    /// Waits until everything is on disk.
    pub(super) fn shut_down(mut self) {
        // Now the disk may take its time.
        if let Some(queue) = self.queue.take() {
            for (recording, ms) in std::mem::take(&mut self.ends) {
                let (channels, owed) = self.owed.remove(&recording).unwrap_or((1, 0));
                let told = queue.send(Job::Frames(recording, channels, vec![0; owed]));
                if told.and_then(|()| queue.send(Job::Finish(recording, ms))).is_err() {
                    break;
                }
            }
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the recordings thread panicked");
        }
    }

    /// `Err` when the queue is full. A writer that is gone takes everything, since nobody waits for it.
    fn push(&self, job: Job) -> Result<(), ()> {
        match self.queue.as_ref().map(|queue| queue.try_send(job)) {
            Some(Err(TrySendError::Full(_))) => Err(()),
            Some(Ok(()) | Err(TrySendError::Disconnected(_))) | None => Ok(()),
        }
    }
}

/// A recording on its way to the disk.
enum Tape {
    Open(OpenTape),
    /// It failed; this was told, and what still comes is dropped.
    Failed,
}

struct OpenTape {
    file: File,
    /// Below the folder of the recordings.
    path: PathBuf,
    channels: u8,
    data: u64,
}

fn run(jobs: &Receiver<Job>, dir: &Path, events: &UnboundedSender<FromMedia>) {
    let mut tapes: BTreeMap<RecordingId, Tape> = BTreeMap::new();
    // The receiver may be gone during the shutdown; the files are written all the same.
    let tell = |event| drop(events.send(event));
    for job in jobs {
        match job {
            Job::Frames(recording, channels, samples) => {
                let tape = match tapes.remove(&recording) {
                    Some(tape) => Ok(tape),
                    None => OpenTape::create(dir, recording, channels).map(Tape::Open),
                };
                let written = tape.and_then(|mut tape| {
                    if let Tape::Open(tape) = &mut tape {
                        tape.write(&samples)?;
                    }
                    Ok(tape)
                });
                let tape = written.unwrap_or_else(|error| {
                    tracing::error!(%error, recording.id = %recording, "a recording cannot be written");
                    tell(FromMedia::RecordingFailed { recording, error: error.to_string() });
                    Tape::Failed
                });
                tapes.insert(recording, tape);
            }
            Job::Finish(recording, ms) => match tapes.remove(&recording) {
                Some(Tape::Open(tape)) => tell(match tape.finish(dir) {
                    Ok((path, bytes, sha256)) => FromMedia::Recorded { recording, path, ms, bytes, sha256 },
                    Err(error) => {
                        tracing::error!(%error, recording.id = %recording, "a recording cannot be completed");
                        FromMedia::RecordingFailed { recording, error: error.to_string() }
                    }
                }),
                Some(Tape::Failed) => {}
                None => tell(FromMedia::RecordingFailed { recording, error: "nothing was recorded".into() }),
            },
        }
    }
}

impl OpenTape {
    /// Creates the file with a header that says zero samples: a crash leaves what `repair_wav` mends.
    fn create(dir: &Path, recording: RecordingId, channels: u8) -> io::Result<Self> {
        let today = OffsetDateTime::now_utc();
        let day = format!("{:04}/{:02}/{:02}", today.year(), u8::from(today.month()), today.day());
        let folder = dir.join(&day);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let name = format!("{recording}.wav");
        let mut file =
            OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(folder.join(&name))?;
        file.write_all(&header(channels, 0))?;
        Ok(Self { file, path: Path::new(&day).join(name), channels, data: 0 })
    }

    /// Each piece goes to the system at once, so that the death of the process loses none.
    fn write(&mut self, samples: &[i16]) -> io::Result<()> {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        self.file.write_all(&bytes)?;
        self.data += bytes.len() as u64;
        Ok(())
    }

    /// Completes the header, brings file and folder to disk; gives path, size and hash.
    fn finish(mut self, dir: &Path) -> io::Result<(PathBuf, u64, String)> {
        let data = u32::try_from(self.data).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header(self.channels, data))?;
        self.file.sync_all()?;
        if let Some(folder) = self.path.parent() {
            File::open(dir.join(folder))?.sync_all()?;
        }
        self.file.seek(SeekFrom::Start(0))?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = self.file.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            hash.update(&buffer[..count]);
        }
        Ok((self.path, HEADER + self.data, hex(&hash.finalize())))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;

    const RECORDING: RecordingId = RecordingId::demo(1);

    fn writer(dir: &Path) -> (RecordingWriter, UnboundedReceiver<FromMedia>) {
        let (events, receiver) = unbounded_channel();
        (RecordingWriter::start(dir.to_owned(), events, Arc::default()).unwrap(), receiver)
    }

    #[test]
    fn a_recording_is_a_private_wav_under_its_day() {
        let dir = tempfile::tempdir().unwrap();
        let (mut writer, mut events) = writer(dir.path());
        for piece in 0..20_i16 {
            writer.frames(RECORDING, 1, vec![piece; 800]);
        }
        writer.finish(RECORDING, 2_000);
        writer.shut_down();

        let Some(FromMedia::Recorded { path, ms: 2_000, bytes: 32_044, sha256, .. }) = events.blocking_recv() else {
            panic!("not recorded");
        };
        let whole = dir.path().join(&path);
        assert!(path.to_str().unwrap().ends_with(&format!("/{RECORDING}.wav")), "{path:?}");
        assert_eq!(path.components().count(), 4);
        assert_eq!(std::fs::metadata(&whole).unwrap().permissions().mode() & 0o777, 0o600);
        let bytes = std::fs::read(&whole).unwrap();
        assert_eq!(sha256, hex(&Sha256::digest(&bytes)));
        assert_eq!(hex(&[0x0f, 0xa0]), "0fa0");
        let samples: Vec<i16> = hound::WavReader::open(&whole).unwrap().samples().map(Result::unwrap).collect();
        assert_eq!(samples.len(), 16_000);
        assert!(samples.iter().enumerate().all(|(index, sample)| i16::try_from(index / 800).unwrap() == *sample));
    }

    #[test]
    fn what_a_killed_process_leaves_can_be_repaired() {
        let dir = tempfile::tempdir().unwrap();
        let mut tape = OpenTape::create(dir.path(), RECORDING, 1).unwrap();
        tape.write(&[5; 4_000]).unwrap();
        let path = dir.path().join(&tape.path);
        drop(tape);

        assert_eq!(super::super::repair_wav(&path).unwrap(), Some(500));
        assert_eq!(hound::WavReader::open(&path).unwrap().duration(), 4_000);
    }

    #[test]
    fn a_disk_that_refuses_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let (mut writer, mut events) = writer(&file);
        writer.frames(RECORDING, 1, vec![0; 800]);
        writer.frames(RECORDING, 1, vec![0; 800]);
        writer.finish(RECORDING, 200);
        writer.shut_down();

        assert!(matches!(events.blocking_recv(), Some(FromMedia::RecordingFailed { recording: RECORDING, .. })));
        assert_eq!(events.blocking_recv(), None);
    }

    #[test]
    fn a_full_queue_loses_no_time_and_no_end() {
        let (queue, jobs) = sync_channel(2);
        let mut writer = RecordingWriter {
            queue: Some(queue),
            thread: None,
            owed: BTreeMap::new(),
            ends: VecDeque::new(),
            counters: Arc::default(),
        };
        for _ in 0..5 {
            writer.frames(RECORDING, 1, vec![1; 800]);
        }
        writer.finish(RECORDING, 500);
        assert!(!writer.retry());
        assert_eq!(writer.counters.recording_overflows.load(Ordering::Relaxed), 3);

        let mut samples = Vec::new();
        let mut finished = 0;
        while finished == 0 {
            match jobs.recv().unwrap() {
                Job::Frames(_, _, more) => samples.extend(more),
                Job::Finish(..) => finished += 1,
            }
            writer.retry();
        }
        assert_eq!(samples.len(), 4_000);
        assert_eq!(samples.iter().filter(|sample| **sample == 0).count(), 2_400);
        assert!(writer.retry());
    }
}
