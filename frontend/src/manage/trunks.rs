//! Ways in: the trunks of the account, and whom they are known by.

use cordboard_shared::id::TrunkId;
use cordboard_shared::telephony::{Encryption, InboundTrunk, REQUESTS_PER_SECOND, Trunk, TrunkCredentials};
use leptos::prelude::*;

use super::document::Settings;
use super::form::{CheckField, Findings, NumberField, TextField};
use super::sound::EncryptionField;
use super::telephony::words;
use crate::browser;
use crate::components::icon::{Glyph, Icon};
use crate::panel::use_panel;

/// Calls at once that a new trunk may bring.
const MAX_CALLS: u32 = 50;

/// The trunks calls are taken from.
#[component]
pub(crate) fn WaysIn() -> impl IntoView {
    let settings: Settings = expect_context();
    let count = Memo::new(move |_| settings.draft.with(|all| all.trunks.len()));
    let add = move |_| {
        let Ok(id) = browser::uuid().parse() else { return };
        settings.edit(|all| {
            all.trunks.push(Trunk {
                id,
                name: String::new(),
                addresses: Vec::new(),
                credentials: None,
                max_calls: MAX_CALLS,
                requests_per_second: REQUESTS_PER_SECOND,
            });
        });
    };
    view! {
        <section class="card after" aria-labelledby="in-title">
            <h2 id="in-title">"Ways in"</h2>
            <p class="muted">"Calls are taken from these trunks and from nobody else."</p>
            <ul class="needs">
                <For each=move || 0..count.get() key=|index| *index let:index>
                    <Row index=index/>
                </For>
            </ul>
            <button type="button" class="btn btn-sm" on:click=add>"Add a trunk"</button>
            <Findings at=Signal::stored("/trunks".to_owned())/>
            <Findings at=Signal::stored("/inbound".to_owned())/>
        </section>
    }
}

#[component]
fn Row(index: usize) -> impl IntoView {
    let panel = use_panel();
    let settings: Settings = expect_context();
    let trunk = Memo::new(move |_| settings.draft.with(|all| all.trunks.get(index).cloned()));
    let id = move || trunk.with(|trunk| trunk.as_ref().map(|trunk| trunk.id));
    let text = move |look: fn(&Trunk) -> String| {
        Signal::derive(move || trunk.with(|trunk| trunk.as_ref().map(look).unwrap_or_default()))
    };
    let number = move |look: fn(&Trunk) -> u32| {
        Signal::derive(move || trunk.with(|trunk| trunk.as_ref().map(look).unwrap_or_default()))
    };
    let change = move |change: &dyn Fn(&mut Trunk)| {
        settings.edit(|all| {
            if let Some(trunk) = all.trunks.get_mut(index) {
                change(trunk);
            }
        });
    };
    let at = move |place: &str| Signal::stored(format!("/trunks/{index}/{place}"));
    let title = move || {
        trunk.with(|trunk| {
            trunk
                .as_ref()
                .map(|trunk| trunk.name.clone())
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| "New trunk".to_owned())
        })
    };
    let numbers = move || {
        let id = id();
        let words = panel.roster.with(|roster| {
            let own = roster.numbers.iter().filter(|number| Some(number.trunk) == id);
            own.map(|number| format!("{} ({})", number.number, number.label)).collect::<Vec<_>>().join(", ")
        });
        if words.is_empty() { "No number comes by it.".to_owned() } else { words }
    };
    let remove = move |_| {
        settings.edit(|all| {
            if index < all.trunks.len() {
                let gone = all.trunks.remove(index).id;
                all.inbound.retain(|one| one.trunk != gone);
            }
        });
    };
    let encryption = Signal::derive(move || {
        id().map(|id| settings.draft.with(|all| all.inbound_encryption(id))).unwrap_or_default()
    });
    let encrypt = move |encryption: Encryption| {
        let Some(trunk) = id() else { return };
        settings.edit(|all| {
            all.inbound.retain(|one| one.trunk != trunk);
            if encryption != Encryption::Off {
                all.inbound.push(InboundTrunk { trunk, encryption });
            }
        });
    };
    let sign_in = move |credentials: Option<TrunkCredentials>| {
        change(&|one| one.credentials.clone_from(&credentials));
    };
    let has_password = move || {
        let id = id();
        settings.saved.with(|saved| {
            let saved = saved.as_ref().and_then(|saved| saved.trunks.iter().find(|one| Some(one.id) == id));
            saved.is_some_and(|one| one.credentials.is_some())
        })
    };
    view! {
        <li>
            <div role="group" aria-label=move || format!("Way in: {}", title())>
                <div class="contact-line">
                    <p class="member-name">{title}</p>
                    <button type="button" class="btn btn-sm btn-square" aria-label=move || format!("Remove {}", title()) on:click=remove><Glyph icon=Icon::Cross/></button>
                </div>
                <p class="muted">{numbers}</p>
                <div class="form-grid">
                    <TextField
                        label="Name" value=text(|one| one.name.clone())
                        set=move |text: String| change(&|one| text.trim().clone_into(&mut one.name))
                        at=at("name")
                    />
                    <TextField
                        label="Addresses" hint="Addresses and networks such as 198.51.100.0/24, separated by commas. Empty when it signs in from anywhere."
                        value=text(|one| one.addresses.join(", "))
                        set=move |text: String| change(&|one| one.addresses = words(&text))
                        at=at("addresses")
                    />
                    <NumberField
                        label="Calls at once" min=1 max=10_000 value=number(|one| one.max_calls)
                        set=move |calls| change(&|one| one.max_calls = calls)
                        at=at("max_calls")
                    />
                    <NumberField
                        label="Requests a second" min=1 max=10_000 hint="More are answered by 503; the trunk is never banned."
                        value=number(|one| one.requests_per_second)
                        set=move |requests| change(&|one| one.requests_per_second = requests)
                        at=at("requests_per_second")
                    />
                </div>
                <SignIn
                    label="It must sign in" saved=Signal::derive(has_password)
                    value=Signal::derive(move || trunk.with(|trunk| trunk.as_ref().and_then(|one| one.credentials.clone())))
                    set=sign_in
                    at=at("credentials")
                />
                <EncryptionField
                    label="Its calls are" off="As they come, in the clear or not"
                    hint="Encrypted calls are taken in any case; here those in the clear are refused. Keys in SDP are worth something over TLS alone."
                    value=encryption set=encrypt
                />
            </div>
        </li>
    }
}

/// A user and a password, if one is wanted.
#[component]
pub(crate) fn SignIn(
    label: &'static str,
    /// Whether a password is kept already.
    #[prop(into)]
    saved: Signal<bool>,
    #[prop(into)] value: Signal<Option<TrunkCredentials>>,
    #[prop(into)] set: Callback<Option<TrunkCredentials>>,
    at: Signal<String>,
) -> impl IntoView {
    let wanted = Memo::new(move |_| value.with(Option::is_some));
    let now =
        move || value.get_untracked().unwrap_or(TrunkCredentials { username: String::new(), password: String::new() });
    let turn = move |on: bool| set.run(on.then(now));
    let hint = move || {
        if saved.get() { "Empty keeps the one that is saved. It is never shown." } else { "It is never shown again." }
    };
    let hint_id = super::form::id();
    let described = hint_id.clone();
    view! {
        <CheckField label=label value=wanted set=turn/>
        <Show when=move || wanted.get()>
            <div class="form-grid">
                <TextField
                    label="User"
                    value=Signal::derive(move || value.get().map(|one| one.username).unwrap_or_default())
                    set=move |text: String| set.run(Some(TrunkCredentials { username: text.trim().to_owned(), ..now() }))
                    at=at
                />
                <div class="form-field">
                    <label class="field">
                        <span>"Password"</span>
                        <input
                            class="input" type="password" autocomplete="new-password" aria-describedby=described.clone()
                            prop:value=move || value.get().map(|one| one.password).unwrap_or_default()
                            on:change=move |event| set.run(Some(TrunkCredentials { password: event_target_value(&event), ..now() }))
                        />
                    </label>
                    <p class="field-hint" id=hint_id.clone()>{hint}</p>
                </div>
            </div>
        </Show>
    }
}

/// What a trunk is called.
pub(super) fn name(settings: Settings, trunk: TrunkId) -> String {
    let found = settings.draft.with(|all| all.trunks.iter().find(|one| one.id == trunk).map(|one| one.name.clone()));
    found.filter(|name| !name.is_empty()).unwrap_or_else(|| "New trunk".to_owned())
}
