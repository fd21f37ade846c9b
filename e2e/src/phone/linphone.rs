//! Linphone's console telephone: another make of SIP and RTP than baresip, and than our own.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::journey::Journey;
use crate::process::Program;
use crate::sound::Sound;
use crate::wait::until;
use crate::{port, tone, tools};

/// G.711's sampling rate.
const RATE: u32 = 8_000;
/// Bytes before the samples of a file it writes.
const WAV_HEAD: usize = 44;

/// A telephone that is told by words on its standard input.
#[derive(Debug)]
pub struct Linphone {
    program: Program,
    heard: PathBuf,
}

impl Linphone {
    /// Starts it, with a tone of `hertz` for a microphone.
    pub async fn start(journey: &Journey, number: &str, hertz: f64) -> Result<Self> {
        let (sip, rtp) = (port::free()?, port::block(20)?);
        let folder = journey.scratch(&format!("linphone-{sip}"))?;
        let (tone, heard) = (folder.join("tone.wav"), folder.join("heard.wav"));
        Sound::tone(RATE, hertz, super::TONE_AMPLITUDE, tone::LONG).write(&tone)?;
        let settings = format!(
            "[sip]\nsip_port={sip}\nsip_tcp_port=0\nsip_tls_port=0\nuse_ipv6=0\n\
             contact=sip:{number}@127.0.0.1\n[rtp]\naudio_rtp_port={}\n[sound]\nechocancellation=0\n\
             [audio_codec_0]\nmime=PCMU\nrate=8000\nchannels=1\nenabled=1\n",
            rtp.start()
        );
        fs::write(folder.join("linphonerc"), settings)?;
        // It makes its database there, and nothing works without.
        fs::create_dir_all(folder.join("linphone"))?;
        let log = folder.join(format!("linphone-{sip}.log"));
        journey.watch_log(&log);
        let mut command = Command::new(tools::linphone()?);
        command.arg("-c").arg(folder.join("linphonerc")).args(["-d", "0"]);
        // Its own folders, so that nothing of this machine's user is read or written.
        command.env("HOME", &folder).env("XDG_CONFIG_HOME", &folder).env("XDG_DATA_HOME", &folder);
        command.current_dir(&folder);
        let phone = Self { program: Program::start_listening("linphone", command, &log)?, heard };
        phone.program.say("ipv6 disable").await?;
        phone.program.say("soundcard use files").await?;
        phone.program.say(&format!("play {}", tone.display())).await?;
        phone.program.say(&format!("record {}", phone.heard.display())).await?;
        Ok(phone)
    }

    /// Calls an address.
    pub async fn call(&self, address: &str) -> Result<()> {
        self.program.say(&format!("call {address}")).await
    }

    /// Waits until it says this.
    pub async fn expect_words(&self, words: &str, limit: Duration) -> Result<()> {
        until(&format!("linphone to say {words:?}"), limit, async || {
            let output = self.program.output();
            anyhow::ensure!(output.contains(words), "it said:\n{}", crate::process::last_lines(&output, 20));
            Ok(())
        })
        .await
    }

    /// Waits until its recording is so much longer.
    pub async fn expect_more(&self, more: Duration) -> Result<()> {
        // Its file gets a head at the end.
        super::expect_more(more, || {
            let bytes = fs::metadata(&self.heard)?.len().saturating_sub(WAV_HEAD as u64);
            Ok(Duration::from_millis(bytes * 1_000 / (2 * u64::from(RATE))))
        })
        .await
    }

    /// Hangs up and ends, so that its recording is complete.
    pub async fn hang_up(&self) -> Result<()> {
        self.program.say("terminate").await?;
        self.expect_words("ended", Duration::from_secs(10)).await?;
        self.program.say("quit").await?;
        self.program.wait(Duration::from_secs(10)).await.map(drop)
    }

    /// What it heard, to be asked for after [`Linphone::hang_up`].
    pub fn heard(&self) -> Result<Sound> {
        // Its head counts a last block that was never written.
        let file = fs::read(&self.heard)?;
        let samples = file.get(WAV_HEAD..).context("an empty recording")?.chunks_exact(2);
        let samples = samples.map(|bytes| f32::from(i16::from_le_bytes([bytes[0], bytes[1]])) / 32_768.0);
        Ok(Sound { rate: RATE, samples: samples.collect() })
    }
}
