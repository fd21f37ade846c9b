//! The top bar: availability, device, link, theme and account, on every page.

use crate::model::device::{self, Check};
use crate::model::link::LinkState;
use crate::model::route::Route;
use cordboard_shared::agent::Role;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::icon::{Glyph, Icon, Mark};
use super::switch::{AvailabilityNote, AvailabilitySwitch};
use crate::browser::page::{self, Theme};
use crate::panel::{Popover, Session, use_panel};
use crate::{api, availability};

/// The top bar.
#[component]
pub(crate) fn TopBar() -> impl IntoView {
    let panel = use_panel();
    let company = Memo::new(move |_| {
        panel.session.with(|session| match session {
            Session::SignedIn(view) => view.account.clone(),
            Session::Unknown | Session::SignedOut(_) => String::new(),
        })
    });
    view! {
        <header class="top-bar">
            <div class="brand">
                <Mark/>
                <div class="brand-text">
                    <span class="brand-name">"Cordboard"</span>
                    <span class="brand-company">{move || company.get()}</span>
                </div>
            </div>
            <AvailabilitySwitch/>
            <div class="top-tools">
                <LinkLamp/>
                <DeviceLamp/>
                <ThemeButton/>
                <AccountMenu/>
            </div>
        </header>
        <AvailabilityNote/>
    }
}

#[component]
pub(crate) fn LinkLamp() -> impl IntoView {
    let panel = use_panel();
    let live = Memo::new(move |_| panel.link.with(|link| link.state() == LinkState::Live));
    view! {
        <span class="lamp" class:lamp-on=move || live.get() class:lamp-warn=move || !live.get()>
            <span class="lamp-dot" aria-hidden="true"></span>
            <span id="link-state">{move || if live.get() { "Live" } else { "Reconnecting…" }}</span>
        </span>
    }
}

#[component]
fn DeviceLamp() -> impl IntoView {
    let panel = use_panel();
    let check = Memo::new(move |_| panel.device.with(|known| device::overall(&known.state)));
    view! {
        <span
            class="lamp lamp-device"
            class:lamp-on=move || check.get() == Check::Ready
            class:lamp-warn=move || check.get() != Check::Ready
        >
            <button
                type="button"
                aria-label="Devices"
                aria-describedby="device-state"
                title="Devices"
                on:click=move |_| panel.go(Route::Devices)
            >
                <Glyph icon=Icon::Microphone/>
            </button>
            <span id="device-state">{move || check.get().word()}</span>
        </span>
    }
}

#[component]
pub(crate) fn ThemeButton() -> impl IntoView {
    let theme = RwSignal::new(Theme::load());
    let other = move || match theme.get() {
        Theme::Light => Theme::Dark,
        Theme::Dark => Theme::Light,
    };
    let name = move || match other() {
        Theme::Light => "Light theme",
        Theme::Dark => "Dark theme",
    };
    let icon = Signal::derive(move || match other() {
        Theme::Light => Icon::Sun,
        Theme::Dark => Icon::HalfMoon,
    });
    let change = move |_| {
        let next = untrack(other);
        next.choose();
        theme.set(next);
    };
    view! {
        <button type="button" class="btn btn-ghost btn-sm btn-square" aria-label=name title=name on:click=change>
            <Glyph icon=icon/>
        </button>
    }
}

#[component]
pub(crate) fn AccountMenu() -> impl IntoView {
    let panel = use_panel();
    let open = move || panel.popover.get() == Popover::Account;
    let user = Memo::new(move |_| panel.user());
    let close = move || {
        panel.popover.set(Popover::Closed);
        page::focus("account-button");
    };
    let press = move |_| {
        panel.popover.update(|open| {
            *open = if *open == Popover::Account { Popover::Closed } else { Popover::Account };
        });
    };
    let sign_out = move |_| {
        spawn_local(async move {
            match api::sign_out().await {
                Ok(()) => panel.signed_out(None),
                Err(error) if error.is_signed_out() => panel.signed_out(None),
                Err(error) => panel.alert(error.sentence()),
            }
        });
    };
    view! {
        <div class="account-menu">
            <button
                id="account-button"
                type="button"
                class="avatar"
                aria-label="Account"
                title="Account"
                aria-expanded=move || open().to_string()
                aria-controls="account-menu"
                on:click=press
            ></button>
            <span class="avatar-initials" aria-hidden="true">{move || user.get().map(|user| initials(&user.name))}</span>
            <div id="account-menu" class="popover popover-right" hidden=move || !open()>
                {move || user.get().map(|user| view! {
                    <div class="popover-who">
                        <strong>{user.name.clone()}</strong>
                        <span>{user.email.clone()}</span>
                        <span>{role(user.role)}{user.extension.as_ref().map(|ext| format!(", extension {}", ext.as_str()))}</span>
                    </div>
                })}
                <ul class="popover-list">
                    <li>
                        <button type="button" on:click=move |_| { availability::toggle(panel); close(); }>
                            "Call Availability"
                        </button>
                    </li>
                    <li><button type="button" on:click=sign_out>"Sign out"</button></li>
                </ul>
            </div>
        </div>
    }
}

fn initials(name: &str) -> String {
    name.split_whitespace().filter_map(|part| part.chars().next()).take(2).collect()
}

/// A role, in a word.
pub(crate) fn role(role: Role) -> &'static str {
    match role {
        Role::Owner => "Owner",
        Role::Admin => "Admin",
        Role::Manager => "Manager",
        Role::Agent => "Agent",
    }
}
