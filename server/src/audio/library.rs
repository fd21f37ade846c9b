//! Files of the library on disk and in the store, the clips that calls may play, and conversions that run.

use std::collections::{BTreeMap, VecDeque};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use cordboard_media::Clip;
use cordboard_shared::Millis;
use cordboard_shared::agent::Actor;
use cordboard_shared::api::audio::{AudioFile, AudioJob, AudioJobState, AudioSource};
use cordboard_shared::id::{AccountId, AudioId, AudioJobId};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::convert::{Converted, RATE, convert};
use super::speech::{EspeakNg, SpeechEngine};
use super::uses::sounds_of;
use crate::clock;
use crate::directory::Directory;
use crate::hex::hex;
use crate::prompts;
use crate::store::{AudioRow, SettingChange, Store, StoreError};

/// Conversions at once; more wait.
const AT_ONCE: usize = 1;
/// Conversions that may wait or run; more are refused.
const MOST_WAITING: usize = 8;
/// Conversions that are remembered.
const MOST_JOBS: usize = 100;
/// Sound held in memory, in samples: 128 MB.
const MOST_SAMPLES: usize = 64 * 1_048_576;

/// Why the library could not do something.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The disk failed.
    #[error("a file of the audio library could not be written or read")]
    File(#[from] std::io::Error),
    /// Too many conversions wait already.
    #[error("too many conversions wait already")]
    Busy,
}

/// What is to become a file.
enum Raw {
    Upload(Vec<u8>),
    Speech { text: String, language: String },
}

/// The audio library. One for the server, shared by all.
pub struct Library {
    dir: PathBuf,
    store: Store,
    engine: Option<Arc<dyn SpeechEngine>>,
    /// By file id, or by [`speech_key`].
    clips: RwLock<BTreeMap<String, Arc<Clip>>>,
    jobs: Mutex<VecDeque<(AudioJobId, Progress)>>,
    turn: Semaphore,
}

enum Progress {
    Running(Arc<AtomicU8>),
    Done(AudioJobState),
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Library").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Library {
    /// The library in this folder, with the speech engine of this machine if there is one.
    pub async fn open(dir: PathBuf, store: Store) -> std::io::Result<Self> {
        let engine = EspeakNg::find().await.map(|engine| Arc::new(engine) as Arc<dyn SpeechEngine>);
        Self::with_engine(dir, store, engine)
    }

    /// The library with this engine.
    pub fn with_engine(dir: PathBuf, store: Store, engine: Option<Arc<dyn SpeechEngine>>) -> std::io::Result<Self> {
        std::fs::create_dir_all(dir.join("speech"))?;
        let (clips, jobs, turn) = (RwLock::default(), Mutex::default(), Semaphore::new(AT_ONCE));
        Ok(Self { dir, store, engine, clips, jobs, turn })
    }

    /// What speaks, if anything does.
    pub fn engine(&self) -> Option<&dyn SpeechEngine> {
        self.engine.as_deref()
    }

    /// A clip for a call: a file by its id, `tts:<text>`, or a prompt of the product. Reads no disk.
    pub fn prompt(&self, language: &str, name: &str) -> Option<Arc<Clip>> {
        let held = |key: &str| self.clips.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        match name.strip_prefix("tts:") {
            Some(text) => held(&speech_key(language, text)),
            None => prompts::prompt(language, name).or_else(|| held(name)),
        }
    }

    /// Where the sound of a file is.
    pub fn path(&self, id: AudioId) -> PathBuf {
        self.dir.join(format!("{id}.wav"))
    }

    /// Begins to convert an upload.
    pub fn upload(
        self: &Arc<Self>,
        account: AccountId,
        name: String,
        bytes: Vec<u8>,
        by: Actor,
        now: Millis,
    ) -> Result<AudioJob, AudioError> {
        self.begin(account, name, Raw::Upload(bytes), by, now)
    }

    /// Begins to speak a text.
    pub fn speak(
        self: &Arc<Self>,
        account: AccountId,
        name: String,
        (text, language): (String, String),
        by: Actor,
        now: Millis,
    ) -> Result<AudioJob, AudioError> {
        self.begin(account, name, Raw::Speech { text, language }, by, now)
    }

    /// How far a conversion is; none for one that is not remembered.
    pub fn job(&self, id: AudioJobId) -> Option<AudioJob> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, progress) = jobs.iter().find(|(job, _)| *job == id)?;
        let state = match progress {
            Progress::Running(percent) => AudioJobState::Running { percent: percent.load(Ordering::Relaxed) },
            Progress::Done(state) => state.clone(),
        };
        Some(AudioJob { id, state })
    }

    fn begin(
        self: &Arc<Self>,
        account: AccountId,
        name: String,
        raw: Raw,
        by: Actor,
        now: Millis,
    ) -> Result<AudioJob, AudioError> {
        let id = AudioJobId::new(now, clock::random());
        let percent = Arc::new(AtomicU8::new(0));
        {
            let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            let running = jobs.iter().filter(|(_, progress)| matches!(progress, Progress::Running(_))).count();
            if running >= MOST_WAITING {
                return Err(AudioError::Busy);
            }
            if jobs.len() >= MOST_JOBS {
                jobs.pop_front();
            }
            jobs.push_back((id, Progress::Running(percent.clone())));
        }
        let library = self.clone();
        tokio::spawn(async move {
            let state = match library.carry_out(account, name, raw, by, now, percent).await {
                Ok(Ok(row)) => AudioJobState::Ready { audio: Box::new(shown(row, Vec::new())) },
                Ok(Err(detail)) => AudioJobState::Failed { detail },
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "a sound could not be kept");
                    AudioJobState::Failed { detail: "The server could not keep the sound; try again.".to_owned() }
                }
            };
            let mut jobs = library.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, progress)) = jobs.iter_mut().find(|(job, _)| *job == id) {
                *progress = Progress::Done(state);
            }
        });
        Ok(AudioJob { id, state: AudioJobState::Running { percent: 0 } })
    }

    /// Converts and keeps; the inner error is a sentence for who sent it.
    async fn carry_out(
        &self,
        account: AccountId,
        name: String,
        raw: Raw,
        by: Actor,
        now: Millis,
        percent: Arc<AtomicU8>,
    ) -> Result<Result<AudioRow, String>, AudioError> {
        let _turn = self.turn.acquire().await;
        let (bytes, spoken) = match raw {
            Raw::Upload(bytes) => (bytes, None),
            Raw::Speech { text, language } => match self.spoken(&text, &language).await {
                Ok(bytes) => (bytes, Some(AudioSource::Speech { text, language })),
                Err(sentence) => return Ok(Err(sentence)),
            },
        };
        let tell = percent.clone();
        let converted = blocking(move || convert(bytes, &|done| tell.store(done, Ordering::Relaxed))).await?;
        let sound = match converted {
            Ok(sound) => sound,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let id = AudioId::new(now, clock::random());
        let (ms, format) = (sound.ms(), sound.format.to_owned());
        let path = self.path(id);
        let (bytes, sha256) = blocking(move || write(&path, &sound)).await??;
        let source = spoken.unwrap_or(AudioSource::Upload { format });
        let row = AudioRow { id, name, ms, bytes, sha256, source, at: now, actor: by.clone() };
        let body = json!({ "name": row.name, "sha256": row.sha256 });
        let change = SettingChange { at: now, kind: "audio", subject: id.to_string(), what: "added", actor: by, body };
        self.store.insert_audio(account, &row, &change).await?;
        Ok(Ok(row))
    }

    async fn spoken(&self, text: &str, language: &str) -> Result<Vec<u8>, String> {
        let Some(engine) = &self.engine else {
            return Err("There is no speech engine on this server; install espeak-ng.".to_owned());
        };
        engine.speak(text, language).await.map_err(|error| error.to_string())
    }

    /// Takes a file out of store, disk and memory. Whether something uses it was settled before.
    pub async fn delete(&self, account: AccountId, row: &AudioRow, by: Actor, now: Millis) -> Result<(), AudioError> {
        let subject = row.id.to_string();
        let body = json!({ "name": row.name });
        let change =
            SettingChange { at: now, kind: "audio", subject: subject.clone(), what: "deleted", actor: by, body };
        self.store.delete_audio(account, row.id, &change).await?;
        self.clips.write().unwrap_or_else(PoisonError::into_inner).remove(&subject);
        match tokio::fs::remove_file(self.path(row.id)).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Brings into memory whatever the company names and is not there yet. What cannot be had is noted and passed over:
    /// the call goes on without it.
    pub async fn load(&self, directory: &Directory) {
        let mut wanted = BTreeMap::new();
        for (_, sound, languages) in sounds_of(directory) {
            match sound.strip_prefix("tts:") {
                Some(text) => {
                    let speech = languages
                        .into_iter()
                        .map(|language| (speech_key(&language, text), Some((text.to_owned(), language))));
                    wanted.extend(speech);
                }
                None => drop(wanted.insert(sound.strip_prefix("audio:").unwrap_or(&sound).to_owned(), None)),
            }
        }
        {
            let mut clips = self.clips.write().unwrap_or_else(PoisonError::into_inner);
            let held: usize = clips.values().map(|clip| clip.samples().len()).sum();
            // Calls that run an earlier version of a flow may still want what nothing names any more.
            if held > MOST_SAMPLES / 2 {
                clips.retain(|key, _| wanted.contains_key(key));
            }
            wanted.retain(|key, _| !clips.contains_key(key));
        }
        for (key, speech) in wanted {
            let clip = match speech {
                Some((text, language)) => self.speech_clip(&key, &text, &language).await,
                None => match AudioId::from_str(&key) {
                    Ok(id) => read(self.path(id)).await,
                    // A prompt of the product.
                    Err(_) => continue,
                },
            };
            match clip {
                Ok(clip) => self.hold(key, clip),
                Err(why) => tracing::warn!(sound = key, "a sound that is used cannot be played: {why}"),
            }
        }
    }

    fn hold(&self, key: String, clip: Clip) {
        let mut clips = self.clips.write().unwrap_or_else(PoisonError::into_inner);
        let held: usize = clips.values().map(|clip| clip.samples().len()).sum();
        if held + clip.samples().len() > MOST_SAMPLES {
            return tracing::error!(sound = key, "a sound is not held: all of them would be longer than 2 hours");
        }
        clips.insert(key, Arc::new(clip));
    }

    /// A text as it was spoken once, or is spoken now.
    async fn speech_clip(&self, key: &str, text: &str, language: &str) -> Result<Clip, String> {
        let path = self.dir.join("speech").join(format!("{key}.wav"));
        if let Ok(clip) = read(path.clone()).await {
            return Ok(clip);
        }
        let wav = self.spoken(text, language).await?;
        let sound = blocking(move || convert(wav, &|_| {})).await.map_err(|error| error.to_string())?;
        let sound = sound.map_err(|error| error.to_string())?;
        let clip = Clip::new(sound.samples.clone());
        let kept = blocking(move || write(&path, &sound)).await.and_then(|it| it);
        if let Err(error) = kept {
            tracing::warn!(%error, "a spoken text could not be kept; it is spoken again at the next start");
        }
        Ok(clip)
    }
}

/// A row as the API shows it.
pub fn shown(row: AudioRow, used_by: Vec<cordboard_shared::api::audio::AudioUse>) -> AudioFile {
    let AudioRow { id, name, ms, bytes, sha256, source, at, actor } = row;
    AudioFile { id, name, ms, bytes, sha256, source, at, by: actor, used_by }
}

/// Names a spoken text by what it says in which language.
fn speech_key(language: &str, text: &str) -> String {
    hex(&Sha256::digest(format!("{language}\n{text}").as_bytes()))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other)
}

async fn read(path: PathBuf) -> Result<Clip, String> {
    let bytes = tokio::fs::read(path).await.map_err(|error| error.to_string())?;
    Clip::from_wav(&bytes).map_err(|error| error.to_string())
}

/// Writes a WAV file whole or not at all, for the owner only: its size and SHA-256.
fn write(path: &Path, sound: &Converted) -> std::io::Result<(u64, String)> {
    let spec =
        hound::WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut bytes = std::io::Cursor::new(Vec::with_capacity(2 * sound.samples.len() + 44));
    let mut writer = hound::WavWriter::new(&mut bytes, spec).map_err(std::io::Error::other)?;
    for sample in &sound.samples {
        writer.write_sample(*sample).map_err(std::io::Error::other)?;
    }
    writer.finalize().map_err(std::io::Error::other)?;
    let bytes = bytes.into_inner();
    let draft = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
    std::io::Write::write_all(&mut file, &bytes)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    Ok((bytes.len() as u64, hex(&Sha256::digest(&bytes))))
}
