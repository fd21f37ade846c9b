//! The prompts of the product, embedded in the program and decoded once.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use cordboard_media::Clip;

/// The language every prompt exists in.
const FALLBACK: &str = "en";

/// A language's prompts by name.
type Prompts = &'static [(&'static str, &'static [u8])];

macro_rules! prompts {
    ($language:literal: $($name:literal)+) => {
        &[$(($name, include_bytes!(concat!("../assets/prompts/", $language, "/", $name, ".wav")).as_slice())),+]
    };
}

const ENGLISH: Prompts = prompts!("en":
    "welcome" "menu-main" "voicemail" "all-busy" "please-hold" "goodbye" "test-call"
    "place" "wait" "minute" "minutes" "less-than-a-minute" "more-than-an-hour" "you-are-number" "in-line"
    "more-than-twenty" "press-one-callback" "callback-kept" "0" "1" "2" "3" "4" "5" "6" "7" "8" "9" "10" "11" "12" "13"
    "14" "15" "16" "17" "18" "19" "20" "25" "30" "40" "50" "60" "recorded" "closed" "press-one-accept" "one-moment"
    "not-allowed" "not-reachable");

const HINDI: Prompts = prompts!("hi":
    "welcome" "menu-main" "voicemail" "all-busy" "please-hold" "goodbye" "test-call"
    "place" "wait" "minute" "minutes" "less-than-a-minute" "more-than-an-hour" "you-are-number" "in-line"
    "more-than-twenty" "press-one-callback" "callback-kept" "0" "1" "2" "3" "4" "5" "6" "7" "8" "9" "10" "11" "12" "13"
    "14" "15" "16" "17" "18" "19" "20" "25" "30" "40" "50" "60" "recorded" "closed" "press-one-accept" "one-moment"
    "not-allowed" "not-reachable");

static CLIPS: LazyLock<BTreeMap<(&str, &str), Arc<Clip>>> = LazyLock::new(|| {
    let mut clips = BTreeMap::new();
    for (language, prompts) in [("en", ENGLISH), ("hi", HINDI)] {
        for (name, wav) in prompts {
            match Clip::from_wav(wav) {
                Ok(clip) => drop(clips.insert((language, *name), Arc::new(clip))),
                Err(error) => tracing::error!(%error, language, name, "an embedded prompt cannot be read"),
            }
        }
    }
    clips
});

/// A prompt by language (`en`, `hi`) and name (`welcome`, `7`); in English when the language does not have it.
pub fn prompt(language: &str, name: &str) -> Option<Arc<Clip>> {
    CLIPS.get(&(language, name)).or_else(|| CLIPS.get(&(FALLBACK, name))).cloned()
}

/// Names of all prompts.
pub fn names() -> impl Iterator<Item = &'static str> {
    ENGLISH.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prompt_is_there_in_every_language() {
        assert_eq!(CLIPS.len(), ENGLISH.len() + HINDI.len());
        for (name, _) in ENGLISH {
            for language in ["en", "hi"] {
                let clip = prompt(language, name).unwrap();
                assert!((200..30_000).contains(&clip.ms()), "{language}/{name}: {} ms", clip.ms());
                let loudest = clip.samples().iter().map(|sample| sample.unsigned_abs()).max();
                assert!(loudest > Some(4_000), "{language}/{name} is hardly heard");
            }
        }
        assert_ne!(prompt("en", "welcome"), prompt("hi", "welcome"));
    }

    #[test]
    fn another_language_falls_back_and_another_name_is_none() {
        assert_eq!(prompt("fr", "welcome"), prompt("en", "welcome"));
        assert_eq!(prompt("en", "nonsense"), None);
    }
}
