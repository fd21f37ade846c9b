//! What calls sound like: codecs, encryption of what comes in, and header fields that go with a call.

use cordboard_shared::id::TrunkId;
use cordboard_shared::telephony::{Encryption, InboundTrunk, SoundCodec, Telephony};
use leptos::prelude::*;

use super::document::Settings;
use super::form::{Findings, SelectField, TextField};
use super::telephony::{Status, name, words};
use crate::panel::use_panel;

/// Sound and encryption.
#[component]
pub(crate) fn SoundFields(status: Status) -> impl IntoView {
    let settings: Settings = expect_context();
    let look = move |look: fn(&Telephony) -> SoundCodec| {
        Signal::derive(move || settings.draft.with(|all| key(look(all)).to_owned()))
    };
    view! {
        <div class="two-columns">
            <section class="card" aria-labelledby="codecs-title">
                <h2 id="codecs-title">"Codecs"</h2>
                <SelectField
                    label="Browsers speak" hint="Opus bears bad networks at home and costs the server a hundred times as much where the other side has G.711."
                    options=options("G.711, passed through", "Opus") value=look(|all| all.browser_codec)
                    set=move |text: String| settings.edit(|all| all.browser_codec = codec(&text))
                />
                <SelectField
                    label="Trunks and desk phones may speak" hint="Opus is taken from those who like it best, and offered after G.711."
                    options=options("G.711 alone", "G.711 and Opus") value=look(|all| all.phone_codec)
                    set=move |text: String| settings.edit(|all| all.phone_codec = codec(&text))
                />
            </section>
            <Inbound status=status/>
            <section class="card" aria-labelledby="relay-title">
                <h2 id="relay-title">"Header fields that go with a call"</h2>
                <TextField
                    label="Of your own, besides the usual ones" hint="Such as X-Customer-Id, separated by commas. They go from the caller’s INVITE to the phone that rings and to the trunk a call leaves by."
                    value=Signal::derive(move || settings.draft.with(|all| all.relay_headers.join(", ")))
                    set=move |text: String| settings.edit(|all| all.relay_headers = words(&text))
                    at=Signal::stored("/relay_headers".to_owned())
                />
            </section>
        </div>
    }
}

/// Whether calls that come in must be encrypted, trunk by trunk.
#[component]
fn Inbound(status: Status) -> impl IntoView {
    let panel = use_panel();
    let trunks = Memo::new(move |_| {
        let mut trunks: Vec<TrunkId> = panel.roster.with(|roster| roster.numbers.iter().map(|one| one.trunk).collect());
        trunks.sort_unstable();
        trunks.dedup();
        trunks
    });
    let row = move |trunk: TrunkId| {
        let settings: Settings = expect_context();
        let value = Signal::derive(move || settings.draft.with(|all| all.inbound_encryption(trunk)));
        let set = move |encryption: Encryption| {
            settings.edit(|all| {
                all.inbound.retain(|one| one.trunk != trunk);
                if encryption != Encryption::Off {
                    all.inbound.push(InboundTrunk { trunk, encryption });
                }
            });
        };
        view! { <EncryptionField label=name(panel, status, trunk) off="As they come, in the clear or not" value=value set=set/> }
    };
    view! {
        <section class="card" aria-labelledby="inbound-title">
            <h2 id="inbound-title">"Calls in must be encrypted"</h2>
            <p class="field-hint">"Encrypted calls are taken in any case; here those in the clear are refused. Keys in SDP can be read by whoever reads SIP, so they are worth something over TLS alone."</p>
            {move || trunks.get().into_iter().map(row).collect_view()}
            <Findings at=Signal::stored("/inbound".to_owned())/>
        </section>
    }
}

/// Whether sound is encrypted, and where the keys come from.
#[component]
pub(crate) fn EncryptionField(
    #[prop(into)] label: String,
    off: &'static str,
    #[prop(into)] value: Signal<Encryption>,
    #[prop(into)] set: Callback<Encryption>,
    #[prop(optional)] hint: &'static str,
) -> impl IntoView {
    let options = [
        (Encryption::Off, off),
        (Encryption::Required, "Encrypted, keys in SDP"),
        (Encryption::Dtls, "Encrypted by DTLS"),
    ];
    let shown = options.map(|(one, name)| (encryption_key(one).to_owned(), name.to_owned())).to_vec();
    let chosen = move |text: String| {
        if let Some((one, _)) = options.iter().find(|(one, _)| encryption_key(*one) == text) {
            set.run(*one);
        }
    };
    view! {
        <SelectField
            label=label hint=hint options=Signal::stored(shown)
            value=Signal::derive(move || encryption_key(value.get()).to_owned())
            set=chosen
        />
    }
}

fn encryption_key(encryption: Encryption) -> &'static str {
    match encryption {
        Encryption::Off => "off",
        Encryption::Required => "required",
        Encryption::Dtls => "dtls",
    }
}

fn key(codec: SoundCodec) -> &'static str {
    match codec {
        SoundCodec::G711 => "g711",
        SoundCodec::Opus => "opus",
    }
}

fn codec(key: &str) -> SoundCodec {
    if key == "opus" { SoundCodec::Opus } else { SoundCodec::G711 }
}

fn options(g711: &str, opus: &str) -> Signal<Vec<(String, String)>> {
    Signal::stored(vec![("g711".to_owned(), g711.to_owned()), ("opus".to_owned(), opus.to_owned())])
}
