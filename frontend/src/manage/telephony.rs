//! How the account is connected: ways out, desk phones, mobiles, what may go out, and what calls say.

use cordboard_shared::api::telephony::TelephonyStatus;
use cordboard_shared::telephony::{Encryption, OutboundTrunk, Telephony, TrunkCredentials};
use gloo_timers::callback::Interval;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::audio_field::OptionalAudioField;
use super::document::{Settings, SettingsBar};
use super::form::{CheckField, Findings, Found, NumberField, SelectField, TextField};
use super::guard::GuardFields;
use super::phones::{Mobiles, Phones};
use super::sound::{EncryptionField, SoundFields};
use super::trunks::{self, SignIn, WaysIn};
use crate::api;
use crate::components::icon::{Glyph, Icon};
use crate::components::page_title::PageTitle;
use crate::model::{draft, telephony};
use crate::panel::use_panel;

/// How often the state of trunks and phones is asked for, in milliseconds.
const STATUS_MS: u32 = 5_000;

/// What trunks and phones do now, or why that is not known.
pub(crate) type Status = RwSignal<Option<Result<TelephonyStatus, String>>>;

/// The page.
#[component]
pub(crate) fn TelephonyPage() -> impl IntoView {
    let settings: Settings = expect_context();
    provide_context(Found(settings.findings));
    settings.load();
    let status: Status = RwSignal::new(None);
    let ask = move || {
        spawn_local(async move {
            let said = api::get("/core/telephony/status").await.map_err(|error| error.sentence());
            status.set(Some(said));
        });
    };
    Effect::new(move |_| {
        settings.saves.track();
        ask();
    });
    let timer = StoredValue::new_local(Some(Interval::new(STATUS_MS, ask)));
    on_cleanup(move || timer.set_value(None));
    let part = RwSignal::new("trunks");
    let tab = move |key: &'static str, text: &'static str| {
        view! {
            <button type="button" class="chip" aria-pressed=move || (part.get() == key).to_string() on:click=move |_| part.set(key)>
                {text}
            </button>
        }
    };
    let is_read = Memo::new(move |_| settings.saved.with(Option::is_some));
    let body = move || {
        if !is_read.get() {
            return ().into_any();
        }
        match part.get() {
            "phones" => view! { <Phones status=status/> }.into_any(),
            "mobiles" => view! { <Mobiles/> }.into_any(),
            "guard" => view! { <GuardFields/> }.into_any(),
            "calls" => view! { <CallFields/> }.into_any(),
            "sound" => view! { <SoundFields/> }.into_any(),
            _ => view! { <Trunks status=status/> }.into_any(),
        }
    };
    let changed = move || {
        let panel = use_panel();
        status.with(|status| match status {
            Some(Ok(status)) => {
                let at = status.changed_at?;
                let by = status.changed_by.as_ref().map(|by| format!(" by {}", by.name)).unwrap_or_default();
                Some(format!("Changed last {}{by}.", panel.clock(at)))
            }
            Some(Err(_)) | None => None,
        })
    };
    view! {
        <PageTitle title="Telephony" line=Signal::stored("How calls get in and out. Nothing is in force before it is saved.".to_owned())/>
        <SettingsBar/>
        <div class="tabs" role="group" aria-label="Parts">
            {tab("trunks", "Trunks")}
            {tab("phones", "Desk phones")}
            {tab("mobiles", "Mobiles")}
            {tab("guard", "What may go out")}
            {tab("calls", "During calls")}
            {tab("sound", "Sound")}
        </div>
        {body}
        <p class="muted">{changed}</p>
    }
}

/// Changes one way out.
fn change(settings: Settings, index: usize, change: impl FnOnce(&mut OutboundTrunk)) {
    settings.edit(|all| {
        if let Some(one) = all.outbound.get_mut(index) {
            change(one);
        }
    });
}

fn field<T: Default + PartialEq + Send + Sync + 'static>(
    settings: Settings,
    index: usize,
    look: fn(&OutboundTrunk) -> T,
) -> Signal<T> {
    Memo::new(move |_| settings.draft.with(|all| all.outbound.get(index).map(look).unwrap_or_default())).into()
}

#[component]
fn Trunks(status: Status) -> impl IntoView {
    let settings: Settings = expect_context();
    let order =
        Memo::new(move |_| settings.draft.with(|all| all.outbound.iter().map(|one| one.trunk).collect::<Vec<_>>()));
    // Every trunk calls come by can be a way out, too.
    let free = Signal::derive(move || {
        let taken = order.get();
        settings.draft.with(|all| {
            let free = all.trunks.iter().filter(|one| !taken.contains(&one.id));
            free.map(|one| (one.id.to_string(), trunks::name(settings, one.id))).collect::<Vec<_>>()
        })
    });
    let chosen = RwSignal::new(String::new());
    let add = move |_| {
        let first = free.with_untracked(|free| free.first().map(|(key, _)| key.clone()));
        let wanted = Some(chosen.get_untracked())
            .filter(|wanted| free.with_untracked(|free| free.iter().any(|(key, _)| key == wanted)))
            .or(first);
        let Some(trunk) = wanted.and_then(|id| id.parse().ok()) else { return };
        settings.edit(|all| {
            all.outbound.push(OutboundTrunk {
                trunk,
                targets: vec![String::new()],
                credentials: None,
                registrar: None,
                options_seconds: 30,
                encryption: Encryption::Off,
            });
        });
    };
    let trouble = move || {
        status.with(|status| match status {
            Some(Err(why)) => Some(view! { <p class="tone-bad" role="alert">{format!("What trunks and phones do now is not known: {why}")}</p> }),
            Some(Ok(_)) | None => None,
        })
    };
    view! {
        {trouble}
        <section class="card" aria-labelledby="out-title">
            <h2 id="out-title">"Ways out, in the order they are tried"</h2>
            <p class="muted">"When one answers 503 the next is tried within a second; when it is silent, within four."</p>
            <p class="empty" hidden=move || order.with(|order| !order.is_empty())>"None: nobody can call out."</p>
            <ol class="needs">
                <For each=move || 0..order.with(Vec::len) key=|index| *index let:index>
                    <Trunk index=index status=status/>
                </For>
            </ol>
            <Show when=move || free.with(|free| !free.is_empty()) fallback=|| view! { <p class="muted">"Every trunk of the account is a way out already."</p> }>
                <SelectField label="Trunk to add" options=free value=chosen set=move |id| chosen.set(id)/>
                <button type="button" class="btn btn-sm" on:click=add>"Add this way out"</button>
            </Show>
            <Findings at=Signal::stored("/outbound".to_owned())/>
        </section>
        <WaysIn/>
    }
}

#[component]
fn Trunk(index: usize, status: Status) -> impl IntoView {
    let panel = use_panel();
    let settings: Settings = expect_context();
    let trunk = Memo::new(move |_| settings.draft.with(|all| all.outbound.get(index).map(|one| one.trunk)));
    let title = Memo::new(move |_| trunk.get().map(|trunk| trunks::name(settings, trunk)).unwrap_or_default());
    let now = Memo::new(move |_| {
        status.with(|status| match status {
            Some(Ok(status)) => status.trunks.iter().find(|one| Some(one.trunk) == trunk.get()).cloned(),
            Some(Err(_)) | None => None,
        })
    });
    let lamp = move || {
        let now = now.get();
        let (word, tone) = telephony::health(now.as_ref());
        let since = now.as_ref().and_then(|now| now.since).map(|at| format!(" since {}", panel.clock(at)));
        let detail = now.and_then(|now| now.detail).map(|detail| format!(": {detail}"));
        view! { <p role="status"><span class=format!("state-badge {tone}")>{word}</span><span class="muted">{since}{detail}</span></p> }
    };
    let targets = field(settings, index, |one| one.targets.len());
    let has_password = Memo::new(move |_| {
        settings
            .saved
            .with(|saved| {
                let saved = saved.as_ref()?;
                saved.outbound.iter().find(|one| Some(one.trunk) == trunk.get())?.credentials.as_ref().map(|_| ())
            })
            .is_some()
    });
    let at = move |place: &'static str| Signal::derive(move || format!("/outbound/{index}/{place}"));
    let shift = move |up: bool| {
        settings.edit(|all| {
            draft::shift(&mut all.outbound, index, up);
        });
    };
    let remove = move |_| {
        settings.edit(|all| {
            if index < all.outbound.len() {
                all.outbound.remove(index);
            }
        });
    };
    let sign_in = move |credentials: Option<TrunkCredentials>| {
        change(settings, index, |one| one.credentials = credentials);
    };
    // Of the settings in force, not of the draft.
    let warning = move || {
        let place = format!("/outbound/{index}/encryption");
        status.with(|status| match status {
            Some(Ok(status)) => status
                .findings
                .iter()
                .find(|finding| finding.pointer == place)
                .map(|finding| view! { <p class="tone-warn" role="status">{finding.text.clone()}</p> }),
            Some(Err(_)) | None => None,
        })
    };
    view! {
        <li>
            <div role="group" aria-label=move || format!("Way out {}: {}", index + 1, title.get())>
                <div class="contact-line">
                    <p class="member-name">{move || format!("{}. {}", index + 1, title.get())}</p>
                    <span class="member-buttons">
                        <button type="button" class="btn btn-sm btn-square flip" aria-label=move || format!("Move {} up", title.get()) on:click=move |_| shift(true)><Glyph icon=Icon::Chevron/></button>
                        <button type="button" class="btn btn-sm btn-square" aria-label=move || format!("Move {} down", title.get()) on:click=move |_| shift(false)><Glyph icon=Icon::Chevron/></button>
                        <button type="button" class="btn btn-sm btn-square" aria-label=move || format!("Remove {}", title.get()) on:click=remove><Glyph icon=Icon::Cross/></button>
                    </span>
                </div>
                {lamp}
                <h3 class="part-title">"Targets, in the order they are tried"</h3>
                <ol class="targets">
                    <For each=move || 0..targets.get() key=|place| *place let:place>
                        <Target index=index place=place/>
                    </For>
                </ol>
                <button type="button" class="btn btn-sm" on:click=move |_| change(settings, index, |one| one.targets.push(String::new()))>"Add a target"</button>
                <Findings at=at("targets")/>
                <h3 class="part-title">"Sign-in"</h3>
                <SignIn
                    label="The far side wants a sign-in" saved=has_password
                    value=field(settings, index, |one| one.credentials.clone())
                    set=sign_in
                    at=at("credentials")
                />
                <div class="form-grid">
                    <TextField
                        label="Register at" hint="host:port of the registrar; empty when the far side knows our address."
                        value=field(settings, index, |one| one.registrar.clone().unwrap_or_default())
                        set=move |text: String| change(settings, index, |one| one.registrar = Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
                        at=at("registrar")
                    />
                    <NumberField
                        label="Ask whether it is there every (seconds)" min=0 max=600 hint="By OPTIONS, 10 to 600; 0 is never."
                        value=field(settings, index, |one| one.options_seconds)
                        set=move |seconds| change(settings, index, |one| one.options_seconds = seconds)
                        at=at("options_seconds")
                    />
                </div>
                <EncryptionField
                    label="Calls by it are" off="In the clear"
                    hint="The far side must take RTP/SAVP, or UDP/TLS/RTP/SAVP for DTLS. Keys in SDP stand in SIP, so use ;transport=tls with them."
                    value=field(settings, index, |one| one.encryption)
                    set=move |encryption| change(settings, index, |one| one.encryption = encryption)
                />
                {warning}
            </div>
        </li>
    }
}

#[component]
fn Target(index: usize, place: usize) -> impl IntoView {
    let settings: Settings = expect_context();
    let value = Memo::new(move |_| {
        settings
            .draft
            .with(|all| all.outbound.get(index).and_then(|one| one.targets.get(place)).cloned().unwrap_or_default())
    });
    let wrong = move || value.with(|text| if text.is_empty() { None } else { telephony::target(text) });
    let shift = move |up: bool| {
        change(settings, index, |one| {
            draft::shift(&mut one.targets, place, up);
        });
    };
    let remove = move |_| {
        change(settings, index, |one| {
            if place < one.targets.len() {
                one.targets.remove(place);
            }
        });
    };
    view! {
        <li class="target">
            <div>
                <TextField
                    label="Target"
                    hint="host:port; ;transport=tcp or ;transport=tls at its end."
                    value=value
                    set=move |text: String| change(settings, index, |one| if let Some(target) = one.targets.get_mut(place) { text.trim().clone_into(target) })
                    at=Signal::derive(move || format!("/outbound/{index}/targets/{place}"))
                />
                {move || wrong().map(|why| view! { <p class="tone-bad" role="alert">{why}</p> })}
            </div>
            <span class="member-buttons">
                <button type="button" class="btn btn-sm btn-square flip" aria-label=format!("Move target {} up", place + 1) on:click=move |_| shift(true)><Glyph icon=Icon::Chevron/></button>
                <button type="button" class="btn btn-sm btn-square" aria-label=format!("Move target {} down", place + 1) on:click=move |_| shift(false)><Glyph icon=Icon::Chevron/></button>
                <button type="button" class="btn btn-sm btn-square" aria-label=format!("Remove target {}", place + 1) on:click=remove><Glyph icon=Icon::Cross/></button>
            </span>
        </li>
    }
}

/// Words of a list in one field.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// What concerns calls while they last.
#[component]
fn CallFields() -> impl IntoView {
    let settings: Settings = expect_context();
    let look = move |look: fn(&Telephony) -> String| Signal::derive(move || settings.draft.with(look));
    let direct = Memo::new(move |_| settings.draft.with(|all| all.direct_dialing));
    let announce = move |audio: Option<String>| settings.edit(|all| all.recording_announcement = audio);
    view! {
        <div class="two-columns">
            <section class="card" aria-labelledby="filing-title">
                <h2 id="filing-title">"Filing calls"</h2>
                <TextField
                    label="Dispositions" hint="What a call may be filed under, separated by commas, in the order of the menu."
                    value=look(|all| all.dispositions.join(", "))
                    set=move |text: String| settings.edit(|all| all.dispositions = words(&text))
                    at=Signal::stored("/dispositions".to_owned())
                />
            </section>
            <section class="card" aria-labelledby="direct-title">
                <h2 id="direct-title">"Direct dialing"</h2>
                <CheckField
                    label="Callers may dial number,extension"
                    value=direct
                    set=move |on: bool| settings.edit(|all| all.direct_dialing = on)
                    hint=Signal::derive(move || if direct.get() {
                        "A caller who dials the number, a comma and an extension reaches that person past the menu, under the rules of a dialed extension."
                    } else {
                        "Every caller begins at what the number leads to."
                    }.to_owned())
                />
            </section>
            <section class="card" aria-labelledby="recording-title">
                <h2 id="recording-title">"Recording"</h2>
                <OptionalAudioField
                    label="Announcement before a recording"
                    none="The usual words: this call is recorded"
                    value=Signal::derive(move || settings.draft.with(|all| all.recording_announcement.clone()))
                    set=announce
                    at=Signal::stored("/recording_announcement".to_owned())
                />
                <p class="field-hint">"Both sides hear it. Whether a department’s calls are recorded is set on its Routing page."</p>
            </section>
            <section class="card" aria-labelledby="silence-title">
                <h2 id="silence-title">"Dead connections"</h2>
                <NumberField
                    label="Silence that ends a call (seconds)" min=10 max=600
                    hint="Not a single packet from one side for so long; calls on hold do not count."
                    value=Signal::derive(move || settings.draft.with(|all| all.silence_seconds))
                    set=move |seconds| settings.edit(|all| all.silence_seconds = seconds)
                    at=Signal::stored("/silence_seconds".to_owned())
                />
                <TextField
                    label="Private networks webhooks may be in"
                    hint="Such as 10.1.0.0/16, separated by commas. Webhooks elsewhere are asked over HTTPS at public addresses only."
                    value=look(|all| all.webhook_networks.join(", "))
                    set=move |text: String| settings.edit(|all| all.webhook_networks = words(&text))
                    at=Signal::stored("/webhook_networks".to_owned())
                />
            </section>
        </div>
    }
}
