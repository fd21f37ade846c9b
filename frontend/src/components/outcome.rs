//! How a call came out, and the message the caller left.

use crate::model::{duration, log};
use cordboard_shared::call::{CallResult, CallView, RecordingView};
use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use crate::browser::page;

/// The result of a call as a badge, with the cause beside it.
pub(crate) fn outcome(call: &CallView) -> impl IntoView + use<> {
    let (icon, tone) = match call.result {
        Some(CallResult::Answered) => (Icon::Tick, "tone-on"),
        Some(CallResult::Missed) => (Icon::Missed, "tone-bad"),
        Some(CallResult::Voicemail) => (Icon::Voicemail, "tone-warn"),
        Some(CallResult::Lost | CallResult::Rejected) => (Icon::Barred, "tone-bad"),
        None => (Icon::Clock, "tone-busy"),
    };
    let detail = match call.cause {
        Some(cause) => Some(log::cause_words(cause).to_owned()),
        None => (call.talk_ms > 0).then(|| duration::short(call.talk_ms)),
    };
    view! {
        <span class="outcome-line">
            <span class=format!("state-badge {tone}")><Glyph icon=icon/>{log::result_word(call)}</span>
            {detail.map(|detail| view! { <span class="outcome-detail">{detail}</span> })}
        </span>
    }
}

/// The player of a message, with who left it.
pub(crate) fn voicemail(caller: &str, recording: &RecordingView) -> impl IntoView + use<> {
    let id = format!("voicemail-{}", recording.id);
    let player = id.clone();
    view! {
        <div class="voicemail">
            <button type="button" class="btn btn-sm" on:click=move |_| page::play(&player)>
                <Glyph icon=Icon::Play/>
                "Play voicemail"
            </button>
            <audio
                id=id
                controls
                preload="none"
                aria-label=format!("Voicemail from {caller}")
                src=format!("/core/recordings/{}", recording.id)
            ></audio>
        </div>
    }
}
