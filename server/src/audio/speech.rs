//! Text to speech: the seam for engines, and espeak-ng as a program beside the server.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

/// Longest time for one text.
const PATIENCE: Duration = Duration::from_secs(15);
/// Largest answer: five minutes at 22,050 Hz, and a little.
const MOST_BYTES: u64 = 16 * 1_048_576;
/// Words a minute.
const SPEED: &str = "150";

/// Why nothing was spoken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpeechError {
    /// The engine does not have this language.
    #[error("The speech engine does not speak this language.")]
    Language,
    /// It failed, or took too long.
    #[error("The speech engine failed; try again, or a shorter text.")]
    Failed,
}

/// What speaks. A better engine than espeak-ng takes its place here.
pub trait SpeechEngine: Send + Sync {
    /// Its name for people.
    fn name(&self) -> &str;

    /// Languages it speaks, as in `en`.
    fn languages(&self) -> &[String];

    /// Speaks a text; the answer is a file that [`convert`](super::convert) can read.
    fn speak<'a>(
        &'a self,
        text: &'a str,
        language: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, SpeechError>> + Send + 'a>>;
}

/// The program espeak-ng. It is given the text on its standard input and nothing by a shell.
#[derive(Debug)]
pub struct EspeakNg {
    program: PathBuf,
    languages: Vec<String>,
}

impl EspeakNg {
    /// The program of this machine, if there is one that answers.
    pub async fn find() -> Option<Self> {
        let path = std::env::var_os("PATH")?;
        let program = std::env::split_paths(&path).map(|dir| dir.join("espeak-ng")).find(|file| file.is_file())?;
        let mut found = Self { program, languages: Vec::new() };
        let listed = found.run(["--voices"].map(OsStr::new), "").await.ok()?;
        found.languages = languages(&String::from_utf8_lossy(&listed));
        (!found.languages.is_empty()).then_some(found)
    }

    async fn run<const N: usize>(&self, arguments: [&OsStr; N], input: &str) -> Result<Vec<u8>, SpeechError> {
        let work = async {
            let mut child = Command::new(&self.program)
                .args(arguments)
                .env_clear()
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .ok()?;
            let (mut stdin, stdout) = (child.stdin.take()?, child.stdout.take()?);
            // A program that needs no input may be gone before it has read it.
            let _ = stdin.write_all(input.as_bytes()).await;
            drop(stdin);
            let mut bytes = Vec::new();
            stdout.take(MOST_BYTES + 1).read_to_end(&mut bytes).await.ok()?;
            let done = bytes.len() as u64 <= MOST_BYTES && child.wait().await.ok()?.success();
            done.then_some(bytes)
        };
        tokio::time::timeout(PATIENCE, work).await.ok().flatten().ok_or(SpeechError::Failed)
    }
}

impl SpeechEngine for EspeakNg {
    fn name(&self) -> &'static str {
        "espeak-ng"
    }

    fn languages(&self) -> &[String] {
        &self.languages
    }

    fn speak<'a>(
        &'a self,
        text: &'a str,
        language: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, SpeechError>> + Send + 'a>> {
        Box::pin(async move {
            if !self.languages.iter().any(|it| it == language) {
                return Err(SpeechError::Language);
            }
            // Prompts of the product are spoken in British English.
            let voice = if language == "en" { "en-gb" } else { language };
            let arguments = ["-v", voice, "-s", SPEED, "-b", "1", "--stdin", "--stdout"].map(OsStr::new);
            let mut wav = self.run(arguments, text).await?;
            mend_sizes(&mut wav);
            Ok(wav)
        })
    }
}

/// The second column of its table of voices, without what stands behind a hyphen.
fn languages(table: &str) -> Vec<String> {
    let mut languages: Vec<String> = table
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().nth(1))
        .map(|tag| tag.split('-').next().unwrap_or(tag).to_owned())
        .filter(|tag| (2..=3).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_lowercase()))
        .collect();
    languages.sort();
    languages.dedup();
    languages
}

/// A program that writes to a pipe does not know the length in advance: the sizes in the header become the true ones.
fn mend_sizes(wav: &mut [u8]) {
    let whole = u32::try_from(wav.len()).unwrap_or(u32::MAX);
    if whole >= 44 && wav.starts_with(b"RIFF") && &wav[36..40] == b"data" {
        wav[4..8].copy_from_slice(&(whole - 8).to_le_bytes());
        wav[40..44].copy_from_slice(&(whole - 44).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_read_from_the_table_of_voices() {
        let table = "Pty Language       Age/Gender VoiceName          File                 Other Languages\n \
                     5  en-gb           --/M      English_(Great_Britain) gmw/en               (en 2)\n \
                     5  en-us           --/M      English_(America)  gmw/en-US            (en 3)\n \
                     5  hi              --/M      Hindi              inc/hi\n";
        assert_eq!(languages(table), ["en", "hi"]);
    }

    #[tokio::test]
    async fn espeak_ng_speaks_where_it_is_installed() {
        let Some(engine) = EspeakNg::find().await else { return };
        assert_eq!(engine.speak("hello", "xx").await, Err(SpeechError::Language));
        // What looks like an option or a command of a shell is read out.
        for text in ["Welcome.", "--version; $(reboot) `id`"] {
            let wav = engine.speak(text, "en").await.unwrap();
            let sound = super::super::convert(wav, &|_| {}).unwrap();
            assert!((300..10_000).contains(&sound.ms()), "{text}: {} ms", sound.ms());
            assert!(sound.samples.iter().any(|it| it.unsigned_abs() > 3_000));
        }
    }
}
