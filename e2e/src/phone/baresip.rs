//! One baresip per call, with a configuration and ports of its own.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::journey::Journey;
use crate::process::{Program, last_lines};
use crate::sound::{self, Sound};
use crate::wait::until;
use crate::{port, tone, tools};

/// G.711's sampling rate.
const RATE: u32 = 8_000;
/// The amplitude of its tone, of full scale.
pub const TONE_AMPLITUDE: f64 = 0.5;
/// UDP ports for its RTP.
const RTP_PORTS: u16 = 20;

/// A telephone in a call.
#[derive(Debug)]
pub struct Baresip {
    program: Program,
    folder: PathBuf,
    /// Its SIP port.
    pub sip: u16,
    /// Where it takes commands, by TCP.
    control: u16,
}

/// How a telephone is set up, besides its number and its tone.
#[derive(Debug, Clone, Copy, Default)]
struct Setup<'a> {
    /// Answers every call at once.
    answers: bool,
    /// What it dials as soon as it is there.
    dials: Option<&'a str>,
    /// The account, when it is not one of its own address.
    account: Option<&'a str>,
    /// Speaks Opus and nothing else, in place of G.711.
    opus: bool,
    /// Whom its TLS trusts.
    authority: Option<&'a Path>,
}

impl Baresip {
    /// Dials a number at a server on loopback, as a caller with the given number, playing a tone of `hertz`.
    pub fn dial(journey: &Journey, caller: &str, number: &str, server: u16, hertz: f64) -> Result<Self> {
        let target = format!("sip:{number}@127.0.0.1:{server}");
        Self::start(journey, caller, hertz, Setup { dials: Some(&target), ..Setup::default() })
    }

    /// Dials as [`Baresip::dial`] does, by an account with more parameters: `;mediaenc=dtls_srtp` to offer its sound
    /// encrypted alone, `;auth_user=carrier;auth_pass=secret` to answer a challenge.
    pub fn dial_with(
        journey: &Journey,
        caller: &str,
        number: &str,
        server: u16,
        hertz: f64,
        more: &str,
    ) -> Result<Self> {
        let target = format!("sip:{number}@127.0.0.1:{server}");
        let account = format!("<sip:{caller}@127.0.0.1;transport=udp>;regint=0{more}");
        Self::start(journey, caller, hertz, Setup { dials: Some(&target), account: Some(&account), ..Setup::default() })
    }

    /// Dials as [`Baresip::dial`] does, and speaks Opus alone.
    pub fn dial_in_opus(journey: &Journey, caller: &str, number: &str, server: u16, hertz: f64) -> Result<Self> {
        let target = format!("sip:{number}@127.0.0.1:{server}");
        Self::start(journey, caller, hertz, Setup { dials: Some(&target), opus: true, ..Setup::default() })
    }

    /// A telephone that answers every call at once.
    pub fn answering(journey: &Journey, number: &str, hertz: f64) -> Result<Self> {
        Self::start(journey, number, hertz, Setup { answers: true, ..Setup::default() })
    }

    /// A desk phone that registers with a server on loopback (digest by MD5), and answers every call at once.
    pub fn registering(journey: &Journey, user: &str, password: &str, server: u16, hertz: f64) -> Result<Self> {
        Self::registering_with(journey, user, password, server, hertz, "")
    }

    /// The same with more parameters of its account, as in `;mediaenc=dtls_srtp`.
    pub fn registering_with(
        journey: &Journey,
        user: &str,
        password: &str,
        server: u16,
        hertz: f64,
        more: &str,
    ) -> Result<Self> {
        let account = format!("<sip:{user}@127.0.0.1:{server};transport=udp>;auth_pass={password};regint=60{more}");
        Self::start(journey, user, hertz, Setup { answers: true, account: Some(&account), ..Setup::default() })
    }

    /// A desk phone that registers by TLS, trusting this certificate alone, and whose sound is encrypted (RFC 4568).
    pub fn registering_by_tls(
        journey: &Journey,
        user: &str,
        password: &str,
        (server, authority): (u16, &Path),
        hertz: f64,
    ) -> Result<Self> {
        let account =
            format!("<sip:{user}@127.0.0.1:{server};transport=tls>;auth_pass={password};regint=60;mediaenc=srtp-mand");
        let (account, authority) = (Some(account.as_str()), Some(authority));
        Self::start(journey, user, hertz, Setup { answers: true, account, authority, ..Setup::default() })
    }

    fn start(journey: &Journey, number: &str, hertz: f64, setup: Setup<'_>) -> Result<Self> {
        let (sip, control) = (port::free()?, port::free()?);
        let rtp = port::block(RTP_PORTS)?;
        let folder = journey.scratch(&format!("phone-{sip}"))?;
        let tone = folder.join("tone.wav");
        // What it plays must have the rate and the channels of its codec.
        let (rate, channels, codec) = if setup.opus { (48_000, 2, "opus/48000/2") } else { (RATE, 1, "pcmu/8000/1") };
        Sound::tone(rate, hertz, TONE_AMPLITUDE, tone::LONG).write_channels(&tone, channels)?;
        let module = if setup.opus { "opus.so" } else { "g711.so" };
        let mut config = format!(
            "sip_listen 127.0.0.1:{sip}\nnet_interface 127.0.0.1\nrtp_ports {}-{}\n\
             module_path {}\nmodule {module}\nmodule aufile.so\nmodule sndfile.so\nmodule stun.so\nmodule srtp.so\n\
             module dtls_srtp.so\nmodule_app account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n\
             ctrl_tcp_listen 127.0.0.1:{control}\naudio_source aufile,{}\nsnd_path {}\naudio_buffer 20-160\n",
            rtp.start(),
            rtp.end(),
            modules()?.display(),
            tone.display(),
            folder.display(),
        );
        if let Some(authority) = setup.authority {
            config.extend(["sip_cafile ", &authority.display().to_string(), "\n"]);
        }
        fs::write(folder.join("config"), config)?;
        let own = format!("<sip:{number}@127.0.0.1:{sip};transport=udp>;regint=0");
        let account = setup.account.unwrap_or(&own);
        let answer = if setup.answers { "auto" } else { "manual" };
        fs::write(folder.join("accounts"), format!("{account};answermode={answer};audio_codecs={codec}\n"))?;
        let log = folder.join(format!("phone-{sip}.log"));
        journey.watch_log(&log);
        let mut command = Command::new(tools::baresip()?);
        command.arg("-f").arg(&folder).current_dir(&folder);
        if let Some(target) = setup.dials {
            command.arg("-e").arg(format!("/dial {target}"));
        }
        let program = Program::start(&format!("the phone of {number}"), command, &log)?;
        Ok(Self { program, folder, sip, control })
    }

    /// Waits until its call is answered.
    pub async fn expect_answered(&self, limit: Duration) -> Result<()> {
        self.expect_log("an answer to the phone", &["Call established", "call established"], limit).await
    }

    /// Waits until its call is over.
    pub async fn expect_over(&self, limit: Duration) -> Result<()> {
        self.expect_log("the end of the phone's call", &["session closed", "terminated", "Call with"], limit).await
    }

    /// Waits until it has received digits (RFC 4733), one after the other.
    pub async fn expect_digits(&self, digits: &str, limit: Duration) -> Result<()> {
        until(&format!("the digits {digits} at the phone"), limit, async || {
            let output = self.program.output();
            let mut heard = String::new();
            // It writes `received event: '4' (end=0)` once a digit begins.
            for part in output.split("received event: '").skip(1).filter(|part| part.contains("(end=0)")) {
                heard.extend(part.chars().next());
            }
            ensure!(heard == digits, "it heard {heard:?} and said:\n{}", last_lines(&output, 20));
            Ok(())
        })
        .await
    }

    /// Presses a key during its call (RFC 4733).
    pub async fn press(&self, key: char) -> Result<()> {
        self.command("sndcode", &key.to_string()).await
    }

    /// Gives it a command: `dial`, `hold`, `resume`, `hangup`.
    pub async fn command(&self, command: &str, parameters: &str) -> Result<()> {
        let command = format!(r#"{{"command":"{command}","params":"{parameters}"}}"#);
        // Commands come as netstrings: length, colon, text, comma.
        let netstring = format!("{}:{command},", command.len());
        let mut control = TcpStream::connect((Ipv4Addr::LOCALHOST, self.control)).await?;
        control.write_all(netstring.as_bytes()).await?;
        control.flush().await?;
        Ok(())
    }

    /// Whether its call has been answered.
    pub fn is_answered(&self) -> bool {
        self.program.output().to_lowercase().contains("call established")
    }

    /// Hangs up and waits until its recordings are complete.
    pub async fn hang_up(&self) -> Result<()> {
        if self.program.ended()?.is_none() {
            self.program.signal(Signal::INT)?;
            self.program.wait(Duration::from_secs(10)).await?;
        }
        Ok(())
    }

    /// Waits until its recording is so much longer. It grows no more once the call was on hold.
    pub async fn expect_more(&self, more: Duration) -> Result<()> {
        super::expect_more(more, || sound::written(&self.recording("-dec.wav")?)).await
    }

    /// What it heard, to be asked for after [`Baresip::hang_up`].
    pub fn heard(&self) -> Result<Sound> {
        Sound::read(&self.recording("-dec.wav")?)
    }

    /// What it wrote so far.
    pub fn output(&self) -> String {
        self.program.output()
    }

    /// The recording of its first call: their names begin with the time.
    fn recording(&self, suffix: &str) -> Result<PathBuf> {
        let files = fs::read_dir(&self.folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        let first = files.into_iter().filter(|path| path.to_string_lossy().ends_with(suffix)).min();
        first.with_context(|| format!("the phone left no recording; it said:\n{}", last_lines(&self.output(), 30)))
    }

    async fn expect_log(&self, what: &str, words: &[&str], limit: Duration) -> Result<()> {
        until(what, limit, async || {
            let output = self.program.output();
            ensure!(words.iter().any(|words| output.contains(words)), "it said:\n{}", last_lines(&output, 20));
            Ok(())
        })
        .await
    }
}

/// Where Debian and others put baresip's modules.
fn modules() -> Result<&'static Path> {
    [
        "/usr/lib/baresip/modules",
        "/usr/local/lib/baresip/modules",
        "/usr/lib64/baresip/modules",
        "/opt/homebrew/lib/baresip/modules",
    ]
    .map(Path::new)
    .into_iter()
    .find(|folder| folder.is_dir())
    .context("baresip's modules are missing; install them with `sudo apt-get install -y baresip-core`")
}
