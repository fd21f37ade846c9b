//! The audio library: `GET` and `POST /core/audio`, `POST /core/audio/speech`, `GET /core/audio/jobs/{id}`,
//! `GET` and `DELETE /core/audio/{id}`. For owners and admins.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_LENGTH, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use cordboard_shared::ProblemCode;
use cordboard_shared::api::audio::{
    AudioJob, AudioList, AudioUse, AudioUser, BuiltInPrompt, MOST_BYTES, MOST_CHARACTERS, NewSpeech, SpeechView,
};
use cordboard_shared::id::AudioId;
use serde::Deserialize;
use serde_json::json;

use super::recordings;
use crate::app::Directory;
use crate::audio::{self, AudioError};
use crate::http::limit::Left;
use crate::http::{ApiError, Caller, HttpState, body, permit};
use crate::store::AudioRow;
use crate::{prompts, rights};

/// Longest name, in characters.
const LONGEST_NAME: usize = 64;
/// How long an upload may take to arrive.
const UPLOAD_TIME: Duration = Duration::from_mins(2);
/// Languages of the product's prompts.
const LANGUAGES: [&str; 2] = ["en", "hi"];

/// Query of an upload.
#[derive(Debug, Deserialize)]
pub(in crate::http) struct Named {
    /// The file's name for people.
    #[serde(default)]
    name: String,
}

/// `GET /core/audio`: own files with their uses, the product's prompts, what can speak.
pub(in crate::http) async fn list(State(state): State<HttpState>, caller: Caller) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_READ)?;
    let left = caller.count_list(&state)?;
    let directory = state.app.directory();
    let uses = uses(&state, &directory).await?;
    let rows = state.store.audio_files(directory.account).await?;
    let engine = state.app.library().engine();
    let list = AudioList {
        audio: rows.into_iter().map(|row| used(row, &uses)).collect(),
        prompts: prompts::names()
            .map(|name| BuiltInPrompt {
                name: name.to_owned(),
                languages: LANGUAGES.map(str::to_owned).to_vec(),
                ms: prompts::prompt(LANGUAGES[0], name)
                    .and_then(|clip| u32::try_from(clip.ms()).ok())
                    .unwrap_or_default(),
            })
            .collect(),
        speech: SpeechView {
            engine: engine.map(|engine| engine.name().to_owned()),
            languages: engine.map(|engine| engine.languages().to_vec()).unwrap_or_default(),
        },
    };
    Ok(counted(Json(list).into_response(), left))
}

/// `POST /core/audio?name=…`: the body is the file.
pub(in crate::http) async fn upload(
    State(state): State<HttpState>,
    caller: Caller,
    Query(Named { name }): Query<Named>,
    headers: HeaderMap,
    content: Body,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_WRITE)?;
    let left = caller.count_write(&state)?;
    body::check_text(&name, "/name", LONGEST_NAME)?;
    let told = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if told.is_some_and(|length| length > MOST_BYTES) {
        return Err(too_large());
    }
    let most = usize::try_from(MOST_BYTES).unwrap_or(usize::MAX);
    let bytes = tokio::time::timeout(UPLOAD_TIME, axum::body::to_bytes(content, most))
        .await
        .map_err(|_| ApiError::new(ProblemCode::InvalidRequest, "The file took too long to arrive."))?
        .map_err(|_| too_large())?;
    let account = state.app.directory().account;
    let job = state.app.library().upload(account, name, bytes.into(), caller.actor(), state.clock.now());
    begun(job, left)
}

/// `POST /core/audio/speech`: a text becomes a file.
pub(in crate::http) async fn speak(
    State(state): State<HttpState>,
    caller: Caller,
    body::Json(asked): body::Json<NewSpeech>,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_WRITE)?;
    let left = caller.count_write(&state)?;
    body::check_text(&asked.name, "/name", LONGEST_NAME)?;
    body::check_text(&asked.text, "/text", MOST_CHARACTERS)?;
    let directory = state.app.directory();
    let language = asked.language.unwrap_or_else(|| directory.language.clone());
    let Some(engine) = state.app.library().engine() else {
        let sentence = "There is no speech engine on this server; install espeak-ng and start it again.";
        return Err(ApiError::new(ProblemCode::NotAllowed, sentence));
    };
    if !engine.languages().contains(&language) {
        let sentence = format!("{} does not speak {language:?}.", engine.name());
        return Err(ApiError::new(ProblemCode::InvalidField, sentence).with("pointer", "/language"));
    }
    let (said, now) = ((asked.text, language), state.clock.now());
    begun(state.app.library().speak(directory.account, asked.name, said, caller.actor(), now), left)
}

/// `GET /core/audio/jobs/{id}`: how far a conversion is.
pub(in crate::http) async fn job(
    State(state): State<HttpState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_READ)?;
    let left = caller.count_read(&state)?;
    let gone = || ApiError::new(ProblemCode::NotFound, "There is no such conversion, or it is long over.");
    let id = id.parse().map_err(|_| gone())?;
    let job = state.app.library().job(id).ok_or_else(gone)?;
    Ok(counted(Json(job).into_response(), left))
}

/// `GET /core/audio/{id}`: the sound as callers hear it, whole or in part.
pub(in crate::http) async fn play(
    State(state): State<HttpState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_READ)?;
    caller.count_read(&state)?;
    let row = find(&state, &id).await?;
    recordings::serve(&state.app.library().path(row.id), &row.sha256, &headers).await
}

/// `DELETE /core/audio/{id}`: not while something uses it.
pub(in crate::http) async fn delete(
    State(state): State<HttpState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_WRITE)?;
    let left = caller.count_write(&state)?;
    let row = find(&state, &id).await?;
    let directory = state.app.directory();
    let used_by = used(row.clone(), &uses(&state, &directory).await?).used_by;
    if !used_by.is_empty() {
        let names: Vec<_> = used_by.iter().map(|it| it.name.as_str()).collect();
        let sentence = format!("\"{}\" is still used by {}. Nothing was deleted.", row.name, names.join(", "));
        return Err(ApiError::new(ProblemCode::InUse, sentence).with("used_by", json!(used_by)));
    }
    state.app.library().delete(directory.account, &row, caller.actor(), state.clock.now()).await.map_err(failed)?;
    Ok(counted(StatusCode::NO_CONTENT.into_response(), left))
}

async fn find(state: &HttpState, id: &str) -> Result<AudioRow, ApiError> {
    let not_found = || ApiError::new(ProblemCode::NotFound, "There is no such sound in the library.");
    let id: AudioId = id.parse().map_err(|_| not_found())?;
    state.store.audio_file(state.app.directory().account, id).await?.ok_or_else(not_found)
}

/// Every sound that is named somewhere, drafts included.
async fn uses(state: &HttpState, directory: &Directory) -> Result<Vec<(AudioUse, String)>, ApiError> {
    let live = audio::sounds_of(directory).into_iter().map(|(user, sound, _)| (user, sound));
    let drafts = state.store.flow_drafts(directory.account).await?;
    let drafts = drafts.iter().flat_map(|row| {
        let user = AudioUse {
            kind: AudioUser::Draft,
            id: row.flow.id.to_string(),
            name: format!("draft of {}", row.flow.slug),
        };
        audio::of_flow(&row.flow).into_iter().map(move |sound| (user.clone(), sound))
    });
    Ok(live.chain(drafts).collect())
}

fn used(row: AudioRow, uses: &[(AudioUse, String)]) -> cordboard_shared::api::audio::AudioFile {
    let id = row.id.to_string();
    let mut used_by: Vec<AudioUse> = Vec::new();
    for (user, sound) in uses {
        if audio::is_named(sound, &id) && !used_by.contains(user) {
            used_by.push(user.clone());
        }
    }
    audio::shown(row, used_by)
}

fn begun(job: Result<AudioJob, AudioError>, left: Left) -> Result<Response, ApiError> {
    let job = job.map_err(failed)?;
    let place = HeaderValue::from_str(&format!("/core/audio/jobs/{}", job.id));
    let mut response = (StatusCode::ACCEPTED, Json(job)).into_response();
    if let Ok(place) = place {
        response.headers_mut().insert(LOCATION, place);
    }
    Ok(counted(response, left))
}

fn failed(error: AudioError) -> ApiError {
    match error {
        AudioError::Store(error) => error.into(),
        AudioError::Busy => {
            ApiError::new(ProblemCode::RateLimited, "Other sounds are being converted; try again in a moment.")
                .with("retry_after", 5)
        }
        AudioError::File(error) => {
            tracing::error!(%error, "a file of the audio library failed a request");
            ApiError::new(ProblemCode::StoreUnavailable, "The disk does not take the file. Try again.")
                .with("retry_after", 5)
        }
    }
}

fn too_large() -> ApiError {
    ApiError::new(ProblemCode::TooLarge, "A sound file has at most 10 MB.")
}

fn counted(mut response: Response, left: Left) -> Response {
    response.headers_mut().extend(left.headers());
    response
}

/// Names of everything that can be played: ids of own files, and names of the product's prompts.
pub(super) async fn known(state: &HttpState, directory: &Directory) -> Result<BTreeSet<String>, ApiError> {
    let own = state.store.audio_files(directory.account).await?.into_iter().map(|row| row.id.to_string());
    Ok(own.chain(prompts::names().map(str::to_owned)).collect())
}
