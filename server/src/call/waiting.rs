//! A caller in a line: music, the place and the wait in words, and the key for being called back.

use std::sync::Arc;

use cordboard_media::{Clip, Command as Media, Source};
use cordboard_routing::Input as Routing;
use cordboard_shared::Millis;
use cordboard_shared::call::CallState;
use cordboard_shared::id::CallId;

use super::CallCenter;
use super::record::Phase;

/// The key for being called back.
const CALLBACK_KEY: char = '1';
/// Places up to this one are named.
const LAST_PLACE_NAMED: u32 = 20;
/// Waits up to this one are told exactly, longer ones in steps; in minutes.
const LAST_MINUTE_NAMED: u64 = 20;
/// Longer waits, in minutes.
const LONG_WAITS: [u64; 5] = [25, 30, 40, 50, 60];

impl CallCenter {
    pub(super) fn wait_in_line(&mut self, id: CallId) {
        if self.is_to_be_dialed(id) {
            return self.callback_waits(id);
        }
        self.accept(id);
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.view.state = CallState::Waiting;
        call.view.agent = None;
        // Music or an announcement that plays already is not begun anew.
        let plays = std::mem::replace(&mut call.in_line, true);
        if !plays {
            self.music(id);
        }
        self.publish(id);
    }

    pub(super) fn music(&mut self, id: CallId) {
        let Some(leg) = self.calls.get(&id).map(|call| call.caller.leg) else { return };
        let clip = self.music_of(id);
        self.media(Media::Hear { leg, source: Source::Loop { clip } });
    }

    /// Says place and wait over the music; the music goes on afterwards.
    pub(super) fn announce(&mut self, now: Millis, id: CallId, place: u32, estimate_ms: Option<u64>, callback: bool) {
        if self.calls.get(&id).is_none_or(|call| call.phase != Phase::Routing || !call.in_line) {
            return;
        }
        let words = announcement(place, estimate_ms, callback);
        if let Some(clip) = self.speech(id, &words) {
            self.play(now, id, clip);
        }
    }

    /// These prompts as one clip, without gaps; those that cannot be found are passed over.
    pub(super) fn speech(&mut self, id: CallId, words: &[impl AsRef<str>]) -> Option<Arc<Clip>> {
        let mut samples = Vec::new();
        for word in words {
            if let Some(clip) = self.prompt_of(id, word.as_ref()) {
                samples.extend_from_slice(clip.samples());
            }
        }
        (!samples.is_empty()).then(|| Arc::new(Clip::new(samples)))
    }

    /// A key pressed by a caller in a line.
    pub(super) fn waiting_digit(&mut self, now: Millis, id: CallId, digit: char) {
        let Some(call) = self.calls.get(&id) else { return };
        let offered = call.view.department.and_then(|id| self.directory.department(id)).is_some_and(|it| it.callback);
        if digit == CALLBACK_KEY && call.in_line && offered {
            self.route(now, Routing::CallbackAsked(id));
        }
    }

    /// Says these prompts, then ends the call.
    pub(super) fn farewell(&mut self, now: Millis, id: CallId, words: &[&str]) {
        self.accept(id);
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.phase = Phase::Farewell;
        call.view.state = CallState::Flow;
        self.publish(id);
        match self.speech(id, words) {
            Some(clip) => self.play(now, id, clip),
            None => self.play_finished(now, id),
        }
    }
}

/// The prompts that tell a place and a wait.
fn announcement(place: u32, estimate_ms: Option<u64>, callback: bool) -> Vec<String> {
    let mut words = Vec::new();
    if place <= LAST_PLACE_NAMED {
        words.extend(["you-are-number".to_owned(), place.to_string(), "in-line".to_owned()]);
    } else {
        words.push("more-than-twenty".to_owned());
    }
    if let Some(ms) = estimate_ms {
        words.push("wait".to_owned());
        let minutes = (ms + 30_000) / 60_000;
        let named = if minutes <= LAST_MINUTE_NAMED { Some(minutes) } else { None };
        let named = named.or_else(|| LONG_WAITS.into_iter().find(|step| minutes <= *step));
        match named {
            Some(_) if ms < 60_000 => words.push("less-than-a-minute".to_owned()),
            Some(1) => words.extend(["1".to_owned(), "minute".to_owned()]),
            Some(minutes) => words.extend([minutes.to_string(), "minutes".to_owned()]),
            None => words.push("more-than-an-hour".to_owned()),
        }
    }
    if callback {
        words.push("press-one-callback".to_owned());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_and_wait_are_told_in_words_that_exist() {
        let told = |place, minutes: Option<u64>, callback| announcement(place, minutes.map(|it| it * 60_000), callback);
        assert_eq!(told(3, Some(4), false), ["you-are-number", "3", "in-line", "wait", "4", "minutes"]);
        assert_eq!(told(1, None, true), ["you-are-number", "1", "in-line", "press-one-callback"]);
        assert_eq!(told(1, Some(0), false)[3..], ["wait", "less-than-a-minute"]);
        assert_eq!(told(1, Some(1), false)[3..], ["wait", "1", "minute"]);
        assert_eq!(told(1, Some(21), false)[3..], ["wait", "25", "minutes"]);
        assert_eq!(told(21, Some(61), false), ["more-than-twenty", "wait", "more-than-an-hour"]);
        for place in 1..=30 {
            for minutes in 0..=70 {
                for word in told(place, Some(minutes), true) {
                    for language in ["en", "hi"] {
                        assert!(crate::prompts::prompt(language, &word).is_some(), "{word}");
                    }
                }
            }
        }
    }
}
