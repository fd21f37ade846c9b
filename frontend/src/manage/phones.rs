//! Desk phones, and mobiles that calls are forwarded to.

use cordboard_shared::api::telephony::{PhonePassword, PhoneStatus};
use cordboard_shared::id::AgentId;
use cordboard_shared::telephony::{Encryption, Mobile, Phone};
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::document::Settings;
use super::form::{CheckField, Findings, SelectField, TextField};
use super::person::{Outcome, said};
use super::sound::EncryptionField;
use super::telephony::Status;
use crate::api;
use crate::components::icon::{Glyph, Icon};
use crate::model::contacts;
use crate::panel::{Panel, use_panel};

/// Everybody, as options.
fn people(panel: Panel) -> Signal<Vec<(String, String)>> {
    Signal::derive(move || {
        panel.roster.with(|roster| {
            let people = roster.by_name();
            people.into_iter().map(|one| (one.profile.id.to_string(), one.profile.name.clone())).collect()
        })
    })
}

fn first(panel: Panel) -> Option<AgentId> {
    panel.roster.with_untracked(|roster| roster.by_name().first().map(|one| one.profile.id))
}

/// The desk phones.
#[component]
pub(crate) fn Phones(status: Status) -> impl IntoView {
    let panel = use_panel();
    let settings: Settings = expect_context();
    let count = Memo::new(move |_| settings.draft.with(|all| all.phones.len()));
    let made = RwSignal::new(None::<PhonePassword>);
    let outcome: Outcome = RwSignal::new(None);
    let add = move |_| {
        let Some(agent) = first(panel) else { return };
        settings.edit(|all| {
            let number =
                (1_001..=9_999).find(|number| !all.phones.iter().any(|one| one.username == number.to_string()));
            all.phones.push(Phone {
                username: number.unwrap_or(1_001).to_string(),
                agent,
                rings: true,
                encryption: Encryption::Off,
            });
        });
    };
    view! {
        <section class="card" aria-labelledby="phones-title">
            <h2 id="phones-title">"Desk phones"</h2>
            <p class="muted">"A desk phone rings beside the browser of its person; the first to answer has the call."</p>
            {move || made.get().map(|password| view! { <Shown password=password made=made/> })}
            {move || outcome.get().map(said)}
            <p class="empty" hidden=move || { count.get() > 0 }>"None yet."</p>
            <ul class="needs">
                <For each=move || 0..count.get() key=|index| *index let:index>
                    <PhoneRow index=index status=status made=made outcome=outcome/>
                </For>
            </ul>
            <button type="button" class="btn btn-sm" on:click=add>"Add a desk phone"</button>
            <Findings at=Signal::stored("/phones".to_owned())/>
        </section>
    }
}

/// A password, this once, with what to type into the phone.
#[component]
fn Shown(password: PhonePassword, made: RwSignal<Option<PhonePassword>>) -> impl IntoView {
    let host = crate::browser::page::host();
    let rows = [
        ("Server, registrar or domain", host),
        ("Realm", password.realm.clone()),
        ("User and authentication name", password.username.clone()),
        ("Password", password.password.clone()),
    ];
    let rows = rows
        .into_iter()
        .map(|(name, value)| view! { <div><dt>{name}</dt><dd><code>{value}</code></dd></div> })
        .collect_view();
    view! {
        <section class="conflict shown-once" role="status" aria-label=format!("Password of {}", password.username)>
            <p><strong>{format!("Type this into phone {} now. It is shown this once.", password.username)}</strong></p>
            <dl class="pairs">{rows}</dl>
            <p class="muted">"The server is the address of this panel unless your network uses another for phones; SIP’s usual port is 5060, 5061 for TLS."</p>
            <button type="button" class="btn btn-sm" on:click=move |_| made.set(None)>"I have typed it in"</button>
        </section>
    }
}

#[component]
fn PhoneRow(index: usize, status: Status, made: RwSignal<Option<PhonePassword>>, outcome: Outcome) -> impl IntoView {
    let panel = use_panel();
    let settings: Settings = expect_context();
    let phone = Memo::new(move |_| settings.draft.with(|all| all.phones.get(index).cloned()));
    let user =
        Memo::new(move |_| phone.with(|phone| phone.as_ref().map(|phone| phone.username.clone()).unwrap_or_default()));
    let is_saved = Memo::new(move |_| {
        let user = user.get();
        settings
            .saved
            .with(|saved| saved.as_ref().is_some_and(|saved| saved.phones.iter().any(|one| one.username == user)))
    });
    let now = Memo::new(move |_| {
        let user = user.get();
        status.with(|status| match status {
            Some(Ok(status)) => status.phones.iter().find(|one| one.username == user).cloned(),
            Some(Err(_)) | None => None,
        })
    });
    let change = move |change: &dyn Fn(&mut Phone)| {
        settings.edit(|all| {
            if let Some(phone) = all.phones.get_mut(index) {
                change(phone);
            }
        });
    };
    let lamp = move || {
        let (word, tone) = match now.get() {
            _ if !is_saved.get() => ("Not saved yet", "tone-away"),
            None => ("Not known yet", "tone-away"),
            Some(PhoneStatus { registered: true, .. }) => ("Registered", "tone-on"),
            Some(PhoneStatus { has_password: false, .. }) => ("No password yet", "tone-warn"),
            Some(_) => ("Not registered", "tone-warn"),
        };
        view! { <span class=format!("state-badge {tone}")>{word}</span> }
    };
    let asking = RwSignal::new(false);
    let make = move || {
        asking.set(false);
        outcome.set(None);
        let user = user.get_untracked();
        spawn_local(async move {
            let path = format!("/core/phones/{}/password", String::from(js_sys::encode_uri_component(&user)));
            match api::post(&path, &serde_json::json!({})).await {
                Ok(password) => made.set(Some(password)),
                Err(error) => outcome.set(Some(Err(error.sentence()))),
            }
        });
    };
    let press = move |_| {
        if now.with_untracked(|now| now.as_ref().is_some_and(|now| now.has_password)) {
            asking.set(true);
        } else {
            make();
        }
    };
    view! {
        <li>
            <div role="group" aria-label=move || format!("Desk phone {}", user.get())>
                <div class="contact-line">
                    <p class="member-name">{move || user.get()}" "{lamp}</p>
                    <button
                        type="button" class="btn btn-sm btn-square" aria-label=move || format!("Remove desk phone {}", user.get())
                        on:click=move |_| settings.edit(|all| if index < all.phones.len() { all.phones.remove(index); })
                    >
                        <Glyph icon=Icon::Cross/>
                    </button>
                </div>
                <div class="form-grid">
                    <TextField
                        label="User" hint="What it registers with."
                        value=user set=move |text: String| change(&|phone| text.trim().clone_into(&mut phone.username))
                        at=Signal::derive(move || format!("/phones/{index}/username"))
                    />
                    <SelectField
                        label="Person" options=people(panel)
                        value=Signal::derive(move || phone.with(|phone| phone.as_ref().map(|phone| phone.agent.to_string()).unwrap_or_default()))
                        set=move |id: String| if let Ok(id) = id.parse() { change(&|phone| phone.agent = id) }
                        at=Signal::derive(move || format!("/phones/{index}/agent"))
                    />
                </div>
                <CheckField
                    label="Calls ring it"
                    value=Signal::derive(move || phone.with(|phone| phone.as_ref().is_some_and(|phone| phone.rings)))
                    set=move |on: bool| change(&|phone| phone.rings = on)
                />
                <EncryptionField
                    label="Its calls are" off="In the clear, unless it asks for more"
                    hint="The phone must be set to the same. With keys in SDP it should register over TLS, since they stand in SIP."
                    value=Signal::derive(move || phone.with(|phone| phone.as_ref().map(|phone| phone.encryption).unwrap_or_default()))
                    set=move |encryption| change(&|phone| phone.encryption = encryption)
                />
                <Show
                    when=move || asking.get()
                    fallback=move || view! {
                        <button type="button" class="btn btn-sm" disabled=move || !is_saved.get() on:click=press>
                            {move || format!("Make a password for {}", user.get())}
                        </button>
                        <Show when=move || !is_saved.get()><p class="field-hint">"Save first; then make its password."</p></Show>
                    }
                >
                    <div class="ask" role="group" aria-label="A new password">
                        <p>"The password it has now is no longer taken from then on: the phone is gone until the new one is typed in."</p>
                        <div class="ask-buttons">
                            <button type="button" class="btn btn-sm btn-primary" on:click=move |_| make()>"Make a new password"</button>
                            <button type="button" class="btn btn-sm" on:click=move |_| asking.set(false)>"Keep the one it has"</button>
                        </div>
                    </div>
                </Show>
            </div>
        </li>
    }
}

/// The mobiles.
#[component]
pub(crate) fn Mobiles() -> impl IntoView {
    let panel = use_panel();
    let settings: Settings = expect_context();
    let count = Memo::new(move |_| settings.draft.with(|all| all.mobiles.len()));
    let agent = RwSignal::new(String::new());
    let number = RwSignal::new(String::new());
    let outcome: Outcome = RwSignal::new(None);
    let add = move |_| {
        let made = match contacts::number(&number.get_untracked()) {
            Ok(number) => number,
            Err(why) => return outcome.set(Some(Err(why))),
        };
        let Some(agent) = agent.get_untracked().parse().ok().or_else(|| first(panel)) else { return };
        settings.edit(|all| all.mobiles.push(Mobile { agent, number: made.clone(), rings: true }));
        let open = settings.draft.with_untracked(|all| all.guard.allows(&made));
        let note = if open { "" } else { " It cannot be called yet: no open prefix fits (What may go out)." };
        outcome.set(Some(Ok(format!("{made} is in the draft; save it above.{note}"))));
        number.set(String::new());
    };
    let row = move |index: usize| {
        let mobile = Memo::new(move |_| settings.draft.with(|all| all.mobiles.get(index).cloned()));
        let label = Memo::new(move |_| {
            mobile.with(|mobile| mobile.as_ref().map(|one| one.number.as_str().to_owned()).unwrap_or_default())
        });
        let name =
            move || mobile.with(|mobile| mobile.as_ref().map(|one| panel.roster.with(|roster| roster.name(one.agent))));
        let shut = move || {
            let mobile = mobile.get()?;
            let open = settings.draft.with(|all| all.guard.allows(&mobile.number));
            (!open).then(
                || view! { <p class="tone-warn">"It cannot be called: no open prefix fits (What may go out)."</p> },
            )
        };
        view! {
            <li><div role="group" aria-label=move || format!("Mobile {}", label.get())>
                <div class="contact-line">
                    <div><p class="member-name">{name}</p><p class="muted figures">{move || label.get()}</p></div>
                    <button
                        type="button" class="btn btn-sm btn-square" aria-label=move || format!("Remove mobile {}", label.get())
                        on:click=move |_| settings.edit(|all| if index < all.mobiles.len() { all.mobiles.remove(index); })
                    >
                        <Glyph icon=Icon::Cross/>
                    </button>
                </div>
                <CheckField
                    label="Calls ring it"
                    value=Signal::derive(move || mobile.with(|mobile| mobile.as_ref().is_some_and(|one| one.rings)))
                    set=move |on: bool| settings.edit(|all| if let Some(one) = all.mobiles.get_mut(index) { one.rings = on })
                />
                {shut}
                <Findings at=Signal::derive(move || format!("/mobiles/{index}")) below=true/>
            </div></li>
        }
    };
    view! {
        <section class="card" aria-labelledby="mobiles-title">
            <h2 id="mobiles-title">"Mobiles"</h2>
            <p class="muted">"Calls ring a mobile as a device of its person. Whoever answers hears “press 1 to accept”: only 1 takes the call, so a mobile’s own voicemail never does. The limits of outgoing calls count."</p>
            <p class="empty" hidden=move || { count.get() > 0 }>"None yet."</p>
            <ul class="needs"><For each=move || 0..count.get() key=|index| *index let:index>{row(index)}</For></ul>
            <div class="form-grid">
                <SelectField label="Person of the mobile" options=people(panel) value=agent set=move |id| agent.set(id)/>
                <TextField label="Number of the mobile" kind="tel" hint="With its country." value=number set=move |text| number.set(text)/>
            </div>
            <button type="button" class="btn btn-sm" on:click=add>"Add the mobile"</button>
            {move || outcome.get().map(said)}
            <Findings at=Signal::stored("/mobiles".to_owned())/>
        </section>
    }
}
