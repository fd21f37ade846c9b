//! What a caller hears, chosen: a file of the library, a prompt that comes with the product, or spoken words.

use cordboard_shared::api::audio::AudioList;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::form::{Findings, SelectField, id};
use crate::api;
use crate::model::audio;

/// The audio library, read once it is needed; shared by all pages.
#[derive(Clone, Copy)]
pub(crate) struct Library(pub(crate) RwSignal<Option<Result<AudioList, String>>>);

impl Library {
    pub(crate) fn new() -> Self {
        Self(RwSignal::new(None))
    }

    /// Reads it anew.
    pub(crate) fn load(self) {
        spawn_local(async move {
            self.0.set(Some(api::get("/core/audio").await.map_err(|error| error.sentence())));
        });
    }

    /// Reads it unless it is there.
    pub(crate) fn ensure(self) {
        if self.0.with_untracked(|list| !matches!(list, Some(Ok(_)))) {
            self.load();
        }
    }

    /// Its entries as options; tracked.
    pub(crate) fn options(self) -> Vec<(String, String)> {
        self.0.with(|list| match list {
            Some(Ok(list)) => audio::options(list),
            Some(Err(_)) | None => Vec::new(),
        })
    }

    /// What a prompt says, in words; tracked.
    pub(crate) fn heard(self, prompt: &str) -> String {
        self.0.with(|list| audio::heard(prompt, list.as_ref().and_then(|list| list.as_ref().ok())))
    }

    /// The address a prompt of the library can be played from; tracked.
    pub(crate) fn address(self, prompt: &str) -> Option<String> {
        let wanted = prompt.strip_prefix("audio:")?;
        self.0.with(|list| match list {
            Some(Ok(list)) => list
                .audio
                .iter()
                .find(|file| file.id.to_string() == wanted)
                .map(|file| format!("/core/audio/{}", file.id)),
            Some(Err(_)) | None => None,
        })
    }
}

/// Plays a prompt where that is possible.
#[component]
pub(crate) fn Player(#[prop(into)] prompt: Signal<String>, label: &'static str) -> impl IntoView {
    let library: Library = expect_context();
    let address = Memo::new(move |_| library.address(&prompt.get()));
    move || {
        address.get().map(
            |address| view! { <audio class="player" controls preload="none" src=address aria-label=label></audio> },
        )
    }
}

/// A prompt.
#[component]
pub(crate) fn AudioField(
    #[prop(into)] label: String,
    #[prop(into)] value: Signal<String>,
    #[prop(into)] set: Callback<String>,
    #[prop(optional, into)] at: Option<Signal<String>>,
) -> impl IntoView {
    let library: Library = expect_context();
    library.ensure();
    let spoken = Memo::new(move |_| value.with(|value| value.strip_prefix("tts:").map(str::to_owned)));
    let options = Signal::derive(move || {
        let mut options = vec![("tts".to_owned(), "Spoken words…".to_owned())];
        options.extend(library.options());
        // What stands there stays choosable when the library does not know it, or is not read yet.
        let now = value.get();
        if spoken.with(Option::is_none) && !options.iter().any(|(key, _)| *key == now) {
            options.push((now.clone(), now.trim_start_matches("audio:").to_owned()));
        }
        options
    });
    let chosen = Signal::derive(move || if spoken.with(Option::is_some) { "tts".to_owned() } else { value.get() });
    let choose = move |key: String| set.run(if key == "tts" { "tts:".to_owned() } else { key });
    let hint = id();
    let described = hint.clone();
    let words_label = format!("{label}: words");
    view! {
        <div class="audio-field">
            <SelectField label=label options=options value=chosen set=choose/>
            <Show when=move || spoken.with(Option::is_some)>
                <label class="field">
                    <span>{words_label.clone()}</span>
                    <textarea
                        class="input textarea" rows="2" maxlength="500" aria-describedby=described.clone()
                        prop:value=move || spoken.get().unwrap_or_default()
                        on:change=move |event| set.run(format!("tts:{}", event_target_value(&event)))
                    ></textarea>
                </label>
                <p class="field-hint" id=hint.clone()>"Spoken by the server in the language of the call; at most 500 characters."</p>
            </Show>
            <Player prompt=value label="Listen to the recording"/>
            {at.map(|at| view! { <Findings at=at/> })}
        </div>
    }
}

/// A prompt, or what is usual.
#[component]
pub(crate) fn OptionalAudioField(
    label: &'static str,
    none: &'static str,
    #[prop(into)] value: Signal<Option<String>>,
    #[prop(into)] set: Callback<Option<String>>,
    #[prop(optional, into)] at: Option<Signal<String>>,
) -> impl IntoView {
    let own = Memo::new(move |_| value.with(Option::is_some));
    view! {
        <SelectField
            label=label
            options=Signal::stored(vec![(String::new(), none.to_owned()), ("own".to_owned(), "Something of its own".to_owned())])
            value=Signal::derive(move || if own.get() { "own" } else { "" }.to_owned())
            set=move |word: String| set.run((word == "own").then(|| "tts:".to_owned()))
        />
        <Show when=move || own.get()>
            <AudioField
                label=format!("{label}: what is heard")
                value=Signal::derive(move || value.get().unwrap_or_default())
                set=move |prompt: String| set.run(Some(prompt))
            />
        </Show>
        {at.map(|at| view! { <Findings at=at/> })}
    }
}
