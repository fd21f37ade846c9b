//! The icons, drawn for this panel on a grid of 24. They accompany words and are hidden from screen readers.

use leptos::prelude::*;

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Icon {
    Tick,
    HalfMoon,
    Handset,
    HangUp,
    Microphone,
    MicrophoneOff,
    Pause,
    Play,
    Keypad,
    List,
    Headset,
    Speaker,
    People,
    Question,
    Sun,
    Chevron,
    Warning,
    Clock,
    Lock,
    Barred,
    Voicemail,
    Cross,
    Missed,
    Dash,
    Bell,
    Forward,
    Park,
    Dot,
}

impl Icon {
    fn path(self) -> &'static str {
        match self {
            Self::Tick => "M5 12.8l4.6 4.7L19 7.5",
            Self::HalfMoon => "M19.5 14.8A8.2 8.2 0 0 1 9.2 4.5a8.2 8.2 0 1 0 10.3 10.3z",
            Self::Handset => {
                "M6.4 3.8h2.9l1.6 4.4-2 1.7a12.5 12.5 0 0 0 5.2 5.2l1.7-2 4.4 1.6v2.9a2 2 0 0 1-2.2 2A16.6 16.6 0 0 1 4.4 6a2 2 0 0 1 2-2.2z"
            }
            Self::HangUp => {
                "M2.9 14.6c5-5.2 13.2-5.2 18.2 0l-1.7 3.2-4.2-1.3-.4-2.8a10 10 0 0 0-5.6 0l-.4 2.8-4.2 1.3z"
            }
            Self::Microphone => {
                "M12 3.5a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0v-5a3 3 0 0 0-3-3zM5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3"
            }
            Self::MicrophoneOff => {
                "M9 9v2.5a3 3 0 0 0 4.6 2.5M15 11V6.5a3 3 0 0 0-5.6-1.5M5.5 11.5a6.5 6.5 0 0 0 10.4 5.2M18.3 13a6.4 6.4 0 0 0 .2-1.5M12 18v3M4 4l16 16"
            }
            Self::Pause => "M8.5 5.5v13M15.5 5.5v13",
            Self::Play => "M8 5.2l10.5 6.8L8 18.8z",
            Self::Keypad => "M6 6h.01M12 6h.01M18 6h.01M6 12h.01M12 12h.01M18 12h.01M6 18h.01M12 18h.01M18 18h.01",
            Self::List => "M9 6h11M9 12h11M9 18h11M4.5 6h.01M4.5 12h.01M4.5 18h.01",
            Self::Headset => {
                "M4 15v-3a8 8 0 0 1 16 0v3M4 14h2.5a1 1 0 0 1 1 1v3.5a1 1 0 0 1-1 1H6a2 2 0 0 1-2-2zM20 14h-2.5a1 1 0 0 0-1 1v3.5a1 1 0 0 0 1 1h.5a2 2 0 0 0 2-2z"
            }
            Self::Speaker => "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9.2a4 4 0 0 1 0 5.6M18.2 6.5a8 8 0 0 1 0 11",
            Self::People => {
                "M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 19.5a6.5 6.5 0 0 1 13 0M16 4.8a3.5 3.5 0 0 1 0 6.4M18 13.8a6.5 6.5 0 0 1 3.5 5.7"
            }
            Self::Question => {
                "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM9.5 9.6a2.5 2.5 0 1 1 3.5 2.3c-.7.3-1 .8-1 1.7M12 16.8h.01"
            }
            Self::Sun => {
                "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M18.7 5.3l-1.4 1.4M6.7 17.3l-1.4 1.4"
            }
            Self::Chevron => "M6.5 9.5l5.5 5.5 5.5-5.5",
            Self::Warning => "M12 4.2L2.8 19.8h18.4zM12 10v4.3M12 17h.01",
            Self::Clock => "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5.2l3.4 2",
            Self::Lock => "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
            Self::Barred => "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM5.7 5.7l12.6 12.6",
            Self::Voicemail => {
                "M6.5 15.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM17.5 15.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM6.5 15.5h11"
            }
            Self::Cross => "M6.5 6.5l11 11M17.5 6.5l-11 11",
            Self::Missed => "M17.5 6.5l-11 11M6.5 9.5v8h8",
            Self::Dash => "M6 12h12",
            Self::Forward => "M4 12h14M13 6.5l5.5 5.5-5.5 5.5",
            Self::Park => "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM10 16.5v-9h2.6a2.6 2.6 0 0 1 0 5.2H10",
            Self::Dot => "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8z",
            Self::Bell => "M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 1.5h-15zM10 20.5a2.2 2.2 0 0 0 4 0",
        }
    }
}

/// Draws an icon in the color of the text around it.
#[component]
pub(crate) fn Glyph(
    /// What is drawn.
    #[prop(into)]
    icon: Signal<Icon>,
) -> impl IntoView {
    view! {
        <svg class="glyph" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <path d=move || icon.get().path()/>
        </svg>
    }
}

/// The mark of the product: two jacks and the cord between them.
#[component]
pub(crate) fn Mark() -> impl IntoView {
    view! {
        <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <rect width="32" height="32" rx="8"/>
            <circle class="jack" cx="10" cy="10" r="3.2"/>
            <path class="cord" d="M10 13.2c0 9 12 1 12 5.6"/>
            <circle class="plug" cx="22" cy="22" r="3.2"/>
        </svg>
    }
}
