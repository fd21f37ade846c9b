//! The audio library in words: what a prompt is called, what is refused before it is sent, who uses a file.

use cordboard_shared::api::audio::{AudioFile, AudioList, AudioSource, AudioUse, AudioUser, MOST_BYTES};

use super::duration;

/// The library's entries as options: what stands in a flow, and its name for people.
pub fn options(list: &AudioList) -> Vec<(String, String)> {
    let own = list
        .audio
        .iter()
        .map(|file| (format!("audio:{}", file.id), format!("{} ({})", file.name, duration::short(file.ms.into()))));
    let prompts = list
        .prompts
        .iter()
        .map(|prompt| (format!("audio:{}", prompt.name), format!("{} (comes with Cordboard)", prompt.name)));
    own.chain(prompts).collect()
}

/// What a caller hears, in words: `“Welcome” from the library`, or the spoken text.
pub fn heard(audio: &str, list: Option<&AudioList>) -> String {
    if let Some(text) = audio.strip_prefix("tts:") {
        return if text.trim().is_empty() { "nothing".to_owned() } else { format!("“{text}”") };
    }
    let name = audio.trim_start_matches("audio:");
    match name {
        "" => "nothing".to_owned(),
        name => {
            let file = list.and_then(|list| list.audio.iter().find(|file| file.id.to_string() == name));
            format!("the recording “{}”", file.map_or(name, |file| file.name.as_str()))
        }
    }
}

/// Why a file is not sent at all.
pub fn refused(name: &str, bytes: u64) -> Option<String> {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_lowercase()).unwrap_or_default();
    if !["mp3", "wav", "ogg"].contains(&ending.as_str()) {
        return Some(format!("“{name}” is not taken: only mp3, wav and ogg files are."));
    }
    if bytes == 0 {
        return Some(format!("“{name}” is empty."));
    }
    (bytes > MOST_BYTES).then(|| format!("“{name}” has {}; the most is {}.", megabytes(bytes), megabytes(MOST_BYTES)))
}

/// `2.4 MB`
pub fn megabytes(bytes: u64) -> String {
    let tenths = (bytes * 10).div_ceil(1_048_576);
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

/// Where a file came from.
pub fn source(file: &AudioFile) -> String {
    match &file.source {
        AudioSource::Upload { format } => format!("uploaded as {format}"),
        AudioSource::Speech { text, language } => format!("spoken ({language}): “{text}”"),
    }
}

/// What uses a file: `the flow Main, the music of Support`.
pub fn uses(all: &[AudioUse]) -> String {
    let word = |one: &AudioUse| match one.kind {
        AudioUser::Flow => format!("the flow {}", one.name),
        AudioUser::Draft => format!("the {}", one.name),
        AudioUser::Department => format!("the department {}", one.name),
        AudioUser::Mailbox => format!("the voicemail of {}", one.name),
        AudioUser::Telephony => "the announcement of recordings".to_owned(),
    };
    all.iter().map(word).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_cannot_be_taken_are_refused_with_the_reason() {
        assert_eq!(refused("Welcome.MP3", 2_400_000), None);
        assert!(refused("welcome.flac", 10).unwrap().contains("mp3, wav and ogg"));
        assert!(refused("welcome.wav", 0).unwrap().contains("empty"));
        assert_eq!(refused("long.wav", MOST_BYTES + 1).unwrap(), "“long.wav” has 10.1 MB; the most is 10.0 MB.");
    }

    #[test]
    fn what_is_heard_reads_as_words() {
        assert_eq!(heard("tts:Hello", None), "“Hello”");
        assert_eq!(heard("audio:welcome", None), "the recording “welcome”");
        assert_eq!(heard("audio:", None), "nothing");
    }

    #[test]
    fn uses_are_named() {
        let one = |kind, name: &str| AudioUse { kind, id: String::new(), name: name.to_owned() };
        let all = [one(AudioUser::Flow, "Main"), one(AudioUser::Department, "Support")];
        assert_eq!(uses(&all), "the flow Main, the department Support");
    }
}
