//! What may go out: prefixes opened one by one, each with what that means, and the caps.

use cordboard_shared::telephony::Guard;
use leptos::prelude::*;

use super::document::Settings;
use super::form::{Findings, NumberField, TextField};
use crate::components::icon::{Glyph, Icon};
use crate::model::{contacts, telephony};

/// The guard.
#[component]
pub(crate) fn GuardFields() -> impl IntoView {
    let settings: Settings = expect_context();
    let number = move |look: fn(&Guard) -> u32| Signal::derive(move || settings.draft.with(|all| look(&all.guard)));
    let set = move |set: fn(&mut Guard, u32)| move |number: u32| settings.edit(|all| set(&mut all.guard, number));
    let tried = RwSignal::new(String::new());
    let verdict = move || {
        let text = tried.get();
        if text.trim().is_empty() {
            return None;
        }
        let words = match contacts::number(&text) {
            Ok(number) => settings.draft.with(|all| telephony::would_go(&all.guard, &number)),
            Err(why) => why,
        };
        Some(view! { <p role="status">{words}</p> })
    };
    view! {
        <div class="two-columns">
            <section class="card" aria-labelledby="open-title">
                <h2 id="open-title">"Open"</h2>
                <p class="muted">"Numbers that may be called begin with one of these. Everything else is closed."</p>
                <Prefixes
                    word="open" label="Country or prefix to open" verb="Open" warns=true
                    look=|guard| &guard.prefixes change=|guard| &mut guard.prefixes pointer="/guard/prefixes"
                />
            </section>
            <section class="card" aria-labelledby="closed-title">
                <h2 id="closed-title">"Closed all the same"</h2>
                <p class="muted">"Such as premium numbers of a country that is open."</p>
                <Prefixes
                    word="closed" label="Prefix to close" verb="Close" warns=false
                    look=|guard| &guard.closed change=|guard| &mut guard.closed pointer="/guard/closed"
                />
            </section>
            <section class="card" aria-labelledby="caps-title">
                <h2 id="caps-title">"Limits"</h2>
                <NumberField label="Outgoing calls at once" min=1 max=1000 value=number(|guard| guard.calls) set=set(|guard, number| guard.calls = number) at=Signal::stored("/guard/calls".to_owned())/>
                <NumberField label="Outgoing calls a minute" min=1 max=1000 value=number(|guard| guard.per_minute) set=set(|guard, number| guard.per_minute = number) at=Signal::stored("/guard/per_minute".to_owned())/>
                <NumberField label="Longest outgoing call (minutes)" min=1 max=1440 value=number(|guard| guard.minutes) set=set(|guard, number| guard.minutes = number) at=Signal::stored("/guard/minutes".to_owned())/>
            </section>
            <section class="card" aria-labelledby="try-title">
                <h2 id="try-title">"Would it go out?"</h2>
                <TextField label="Number to try" kind="tel" hint="Judged by what stands on this page, saved or not. Nothing is called." value=tried set=move |text| tried.set(text)/>
                {verdict}
            </section>
        </div>
    }
}

/// One list of prefixes.
#[component]
fn Prefixes(
    word: &'static str,
    label: &'static str,
    verb: &'static str,
    /// Whether a prefix is asked about before it is put in.
    warns: bool,
    look: fn(&Guard) -> &Vec<String>,
    change: fn(&mut Guard) -> &mut Vec<String>,
    pointer: &'static str,
) -> impl IntoView {
    let settings: Settings = expect_context();
    let list = Memo::new(move |_| settings.draft.with(|all| look(&all.guard).clone()));
    let text = RwSignal::new(String::new());
    let wrong = RwSignal::new(None::<String>);
    let asked = RwSignal::new(None::<String>);
    let put = move |prefix: String| {
        asked.set(None);
        text.set(String::new());
        settings.edit(|all| {
            let list = change(&mut all.guard);
            if !list.contains(&prefix) {
                list.push(prefix);
            }
        });
    };
    let press = move |_| {
        wrong.set(None);
        match telephony::prefix(&text.get_untracked()) {
            Err(why) => wrong.set(Some(why)),
            Ok(prefix) if warns => asked.set(Some(prefix)),
            Ok(prefix) => put(prefix),
        }
    };
    let rows = move || {
        list.get()
            .into_iter()
            .map(|prefix| {
                let place = telephony::country(&prefix).unwrap_or("a country this page has no name for");
                let gone = prefix.clone();
                view! {
                    <li class="contact-line">
                        <p><strong class="figures">{prefix.clone()}</strong>" "<span class="muted">{place}</span></p>
                        <button
                            type="button" class="btn btn-sm btn-square" aria-label=format!("No longer {word}: {prefix}")
                            on:click=move |_| settings.edit(|all| change(&mut all.guard).retain(|known| *known != gone))
                        >
                            <Glyph icon=Icon::Cross/>
                        </button>
                    </li>
                }
            })
            .collect_view()
    };
    let question = move || {
        asked.get().map(|prefix| {
            let words = telephony::warning(&prefix);
            let name = format!("Open {prefix}");
            let label = format!("Before {prefix} is opened");
            view! {
                <section class="conflict" role="alert" aria-label=label>
                    <p>{words}</p>
                    <div class="ask-buttons">
                        <button type="button" class="btn btn-sm btn-primary" on:click=move |_| put(prefix.clone())>{name}</button>
                        <button type="button" class="btn btn-sm" on:click=move |_| asked.set(None)>"Leave it closed"</button>
                    </div>
                </section>
            }
        })
    };
    view! {
        <p class="empty" hidden=move || list.with(|list| !list.is_empty())>"None."</p>
        <ul class="prefixes" aria-label=format!("Prefixes: {word}")>{rows}</ul>
        <TextField label=label hint="Such as +44 or +442079." value=text set=move |typed| text.set(typed)/>
        {move || wrong.get().map(|why| view! { <p class="tone-bad" role="alert">{why}</p> })}
        <button type="button" class="btn btn-sm" on:click=press>{verb}</button>
        {question}
        <Findings at=Signal::stored(pointer.to_owned()) below=true/>
    }
}
