//! What calls sound like: codecs, and header fields that go with a call.

use cordboard_shared::telephony::{Encryption, SoundCodec, Telephony};
use leptos::prelude::*;

use super::document::Settings;
use super::form::{SelectField, TextField};
use super::telephony::words;

/// Codecs and header fields.
#[component]
pub(crate) fn SoundFields() -> impl IntoView {
    let settings: Settings = expect_context();
    let look = move |look: fn(&Telephony) -> SoundCodec| {
        Signal::derive(move || settings.draft.with(|all| key(look(all)).to_owned()))
    };
    view! {
        <div class="two-columns">
            <section class="card" aria-labelledby="codecs-title">
                <h2 id="codecs-title">"Codecs"</h2>
                <SelectField
                    label="Browsers speak" hint="Opus bears bad networks at home and costs the server several times as much where the other side has G.711."
                    options=options("G.711, passed through", "Opus") value=look(|all| all.browser_codec)
                    set=move |text: String| settings.edit(|all| all.browser_codec = codec(&text))
                />
                <SelectField
                    label="Trunks and desk phones may speak" hint="Opus is taken from those who like it best, and offered after G.711."
                    options=options("G.711 alone", "G.711 and Opus") value=look(|all| all.phone_codec)
                    set=move |text: String| settings.edit(|all| all.phone_codec = codec(&text))
                />
            </section>
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
