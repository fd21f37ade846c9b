//! The audio library: files, how long they are and who uses them; uploads and spoken words.

use cordboard_shared::Millis;
use cordboard_shared::api::audio::{AudioFile, AudioJob, AudioJobState, AudioList, MOST_CHARACTERS, NewSpeech};
use cordboard_shared::id::AudioId;
use gloo_net::http::Method;
use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::audio_field::Library;
use super::form::{SelectField, TextField, id};
use super::person::{Outcome, said};
use crate::api::{self, ApiError};
use crate::browser::upload;
use crate::components::page_title::PageTitle;
use crate::model::{audio, duration};
use crate::panel::use_panel;

/// How often a conversion is asked after, in milliseconds.
const JOB_MS: u32 = 400;
/// How often it is asked before this page gives up: five minutes.
const JOB_ASKS: u32 = 750;

/// The page.
#[component]
pub(crate) fn AudioPage() -> impl IntoView {
    let library: Library = expect_context();
    library.load();
    let outcome: Outcome = RwSignal::new(None);
    let body = move || match library.0.get() {
        None => view! { <p class="empty" role="status">"Reading the library…"</p> }.into_any(),
        Some(Err(why)) => view! {
            <p class="tone-bad" role="alert">{why}</p>
            <button type="button" class="btn btn-sm" on:click=move |_| library.load()>"Read again"</button>
        }
        .into_any(),
        Some(Ok(list)) => shown(list, outcome).into_any(),
    };
    view! {
        <PageTitle title="Audio" line=Signal::stored("What callers hear: recordings, spoken words, and music on hold.".to_owned())/>
        <div class="two-columns">
            <section class="card" aria-label="Library">
                <h2>"Library"</h2>
                {move || outcome.get().map(said)}
                {body}
            </section>
            <div class="stack">
                <Upload/>
                <Speech/>
            </div>
        </div>
    }
}

fn shown(list: AudioList, outcome: Outcome) -> impl IntoView {
    let empty = list.audio.is_empty();
    let files = list.audio.into_iter().map(|file| view! { <File file=file outcome=outcome/> }).collect_view();
    let prompts = list
        .prompts
        .into_iter()
        .map(|prompt| {
            let line = format!("{} · {}", duration::short(prompt.ms.into()), prompt.languages.join(", "));
            view! { <li><p class="member-name">{prompt.name}</p><p class="muted figures">{line}</p></li> }
        })
        .collect_view();
    view! {
        <p class="empty" hidden=!empty>"Nothing of your own yet. Upload a file, or let the server speak."</p>
        <ul class="contacts" aria-label="Own files">{files}</ul>
        <details class="reach-more">
            <summary>"Prompts that come with Cordboard"</summary>
            <ul class="contacts">{prompts}</ul>
        </details>
    }
}

#[component]
fn File(file: AudioFile, outcome: Outcome) -> impl IntoView {
    let panel = use_panel();
    let library: Library = expect_context();
    let id = file.id;
    let name = file.name.clone();
    let line = format!(
        "{} · {} · {} · {}, {}",
        duration::short(file.ms.into()),
        audio::megabytes(file.bytes),
        audio::source(&file),
        file.by.name,
        untrack(|| panel.clock(Millis(file.at.0))),
    );
    let used = audio::uses(&file.used_by);
    let is_used = !used.is_empty();
    let asking = RwSignal::new(false);
    let gone = name.clone();
    let delete = move |_| {
        asking.set(false);
        let gone = gone.clone();
        spawn_local(async move {
            outcome.set(Some(match remove(id).await {
                Ok(()) => Ok(format!("“{gone}” is deleted.")),
                Err(error) => Err(error.sentence()),
            }));
            library.load();
        });
    };
    let label = format!("Delete {name}");
    view! {
        <li><div role="group" aria-label=format!("File {name}")>
            <div class="contact-line">
                <div>
                    <p class="member-name">{name.clone()}</p>
                    <p class="muted figures">{line}</p>
                </div>
                <button type="button" class="btn btn-sm" aria-label=label disabled=is_used on:click=move |_| asking.set(true)>"Delete"</button>
            </div>
            <audio class="player" controls preload="none" src=format!("/core/audio/{id}") aria-label=format!("Listen to {name}")></audio>
            {is_used.then(|| view! { <p class="field-hint">{format!("Used by {used}. It can be deleted when nothing uses it.")}</p> })}
            <Show when=move || asking.get()>
                <div class="ask" role="group" aria-label="Delete it?">
                    <p>"It is gone for good."</p>
                    <div class="ask-buttons">
                        <button type="button" class="btn btn-sm btn-primary" on:click=delete.clone()>"Delete it"</button>
                        <button type="button" class="btn btn-sm" on:click=move |_| asking.set(false)>"Keep it"</button>
                    </div>
                </div>
            </Show>
        </div></li>
    }
}

async fn remove(id: AudioId) -> Result<(), ApiError> {
    let key = [("idempotency-key", crate::browser::uuid())];
    api::ask(Method::DELETE, &format!("/core/audio/{id}"), &key, None).await.map(|_| ())
}

/// Asks after a conversion until it is over, telling how far it is.
async fn follow(mut job: AudioJob, progress: impl Fn(u8)) -> Result<AudioFile, String> {
    for _ in 0..JOB_ASKS {
        match job.state {
            AudioJobState::Ready { audio } => return Ok(*audio),
            AudioJobState::Failed { detail } => return Err(detail),
            AudioJobState::Running { percent } => progress(percent),
        }
        TimeoutFuture::new(JOB_MS).await;
        let asked: Result<AudioJob, ApiError> = api::get(&format!("/core/audio/jobs/{}", job.id)).await;
        job = asked.map_err(|error| error.sentence())?;
    }
    Err("The server has not finished within five minutes. Read the library again later.".to_owned())
}

#[component]
fn Upload() -> impl IntoView {
    let library: Library = expect_context();
    let name = RwSignal::new(String::new());
    let outcome: Outcome = RwSignal::new(None);
    let step = RwSignal::new(None::<(&'static str, u8)>);
    let field = id();
    let field_id = field.clone();
    let send = move |_| {
        if step.with_untracked(Option::is_some) {
            return;
        }
        outcome.set(None);
        let Some(file) = upload::chosen(&field) else {
            return outcome.set(Some(Err("Choose a file first.".to_owned())));
        };
        if let Some(why) = audio::refused(&file.name(), upload::size(&file)) {
            return outcome.set(Some(Err(why)));
        }
        let wanted = name.get_untracked().trim().to_owned();
        let wanted = if wanted.is_empty() {
            file.name().rsplit_once('.').map(|(stem, _)| stem.to_owned()).unwrap_or_default()
        } else {
            wanted
        };
        step.set(Some(("Sending", 0)));
        spawn_local(async move {
            let path = format!("/core/audio?name={}", String::from(js_sys::encode_uri_component(&wanted)));
            let sent = upload::send(&path, &file, move |percent| step.set(Some(("Sending", percent)))).await;
            let done = match sent.and_then(|answer| answer.read::<AudioJob>()) {
                Ok(job) => follow(job, move |percent| step.set(Some(("Converting", percent)))).await,
                Err(error) => Err(error.sentence()),
            };
            step.set(None);
            if done.is_ok() {
                name.set(String::new());
                library.load();
            }
            outcome.set(Some(
                done.map(|file| format!("“{}” is in the library: {}.", file.name, duration::short(file.ms.into()))),
            ));
        });
    };
    view! {
        <section class="card" aria-label="Upload a file">
            <h2>"Upload a file"</h2>
            <div class="form-field">
                <label class="field">
                    <span>"File"</span>
                    <input class="file" id=field_id type="file" accept=".mp3,.wav,.ogg,audio/mpeg,audio/wav,audio/ogg" aria-describedby="upload-hint"/>
                </label>
                <p class="field-hint" id="upload-hint">"mp3, wav or ogg; at most 10 MB and 5 minutes. It is kept as telephones hear it."</p>
            </div>
            <TextField label="Name of the file" hint="Empty is the file’s own." value=name set=move |text| name.set(text)/>
            <button type="button" class="btn" aria-busy=move || step.with(Option::is_some).then_some("true") on:click=send>"Upload"</button>
            {move || step.get().map(|(word, percent)| view! {
                <div class="progress-line" role="status">
                    <span>{format!("{word}: {percent} %")}</span>
                    <progress max="100" value=percent.to_string() aria-label=word></progress>
                </div>
            })}
            {move || outcome.get().map(said)}
        </section>
    }
}

#[component]
fn Speech() -> impl IntoView {
    let library: Library = expect_context();
    let name = RwSignal::new(String::new());
    let text = RwSignal::new(String::new());
    let language = RwSignal::new(String::new());
    let outcome: Outcome = RwSignal::new(None);
    let busy = RwSignal::new(false);
    let made = RwSignal::new(None::<AudioFile>);
    let speech = Memo::new(move |_| {
        library.0.with(|list| match list {
            Some(Ok(list)) => Some(list.speech.clone()),
            Some(Err(_)) | None => None,
        })
    });
    let languages = Signal::derive(move || {
        let mut options = vec![(String::new(), "The account’s".to_owned())];
        if let Some(speech) = speech.get() {
            options.extend(speech.languages.into_iter().map(|word| (word.clone(), word)));
        }
        options
    });
    let letters = Memo::new(move |_| text.with(|text| text.chars().count()));
    let speak = move |_| {
        if busy.get_untracked() {
            return;
        }
        let words = text.get_untracked().trim().to_owned();
        if words.is_empty() {
            return outcome.set(Some(Err("Write what is to be said.".to_owned())));
        }
        let title = Some(name.get_untracked().trim().to_owned())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| words.chars().take(40).collect());
        let language = Some(language.get_untracked()).filter(|word| !word.is_empty());
        busy.set(true);
        outcome.set(None);
        spawn_local(async move {
            let asked = api::post("/core/audio/speech", &NewSpeech { name: title, text: words, language }).await;
            let done = match asked {
                Ok(job) => follow(job, |_| {}).await,
                Err(error) => Err(error.sentence()),
            };
            busy.set(false);
            match done {
                Ok(file) => {
                    made.set(Some(file));
                    library.load();
                }
                Err(why) => outcome.set(Some(Err(why))),
            }
        });
    };
    let preview = move || {
        made.get().map(|file| {
            let id = file.id;
            let discard = move |_| {
                made.set(None);
                spawn_local(async move {
                    if let Err(error) = remove(id).await {
                        outcome.set(Some(Err(error.sentence())));
                    }
                    library.load();
                });
            };
            let keep = move |_| {
                made.set(None);
                name.set(String::new());
                text.set(String::new());
                outcome.set(Some(Ok("It is in the library.".to_owned())));
            };
            view! {
                <section class="conflict" role="status" aria-label="Listen to it">
                    <p><strong>{format!("“{}” is spoken: {}.", file.name, duration::short(file.ms.into()))}</strong></p>
                    <audio class="player" controls preload="auto" src=format!("/core/audio/{id}") aria-label="Listen to the words"></audio>
                    <div class="ask-buttons">
                        <button type="button" class="btn btn-sm btn-primary" on:click=keep>"Keep it"</button>
                        <button type="button" class="btn btn-sm" on:click=discard>"Throw it away"</button>
                    </div>
                </section>
            }
        })
    };
    let none = move || speech.with(|speech| speech.as_ref().is_some_and(|speech| speech.engine.is_none()));
    view! {
        <section class="card" aria-label="Let the server speak">
            <h2>"Let the server speak"</h2>
            <Show
                when=move || !none()
                fallback=|| view! { <p class="muted">"Nothing on this server can speak. Install espeak-ng there, or upload a recording."</p> }
            >
                <div class="form-field">
                    <label class="field">
                        <span>"Words"</span>
                        <textarea
                            class="input textarea" rows="4" maxlength=MOST_CHARACTERS.to_string() aria-describedby="speech-hint"
                            prop:value=move || text.get()
                            on:input=move |event| text.set(event_target_value(&event))
                        ></textarea>
                    </label>
                    <p class="field-hint" id="speech-hint">{move || format!("{} of {MOST_CHARACTERS} characters.", letters.get())}</p>
                </div>
                <div class="form-grid">
                    <TextField label="Name of the words" value=name set=move |text| name.set(text)/>
                    <SelectField label="Language of the words" options=languages value=language set=move |word| language.set(word)/>
                </div>
                <button type="button" class="btn" aria-busy=move || busy.get().then_some("true") on:click=speak>"Speak it"</button>
                <Show when=move || busy.get()><p class="muted" role="status">"Speaking…"</p></Show>
                {preview}
            </Show>
            {move || outcome.get().map(said)}
        </section>
    }
}
