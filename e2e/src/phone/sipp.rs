//! SIPp: many calls by a script. Its exit code is 0 only when every call went as written.

use std::fs;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::process::Command;

use crate::journey::Journey;
use crate::process::{Program, last_lines};
use crate::sound::Sound;
use crate::{port, tools};

/// How many calls, and how.
#[derive(Debug, Clone, Copy)]
pub struct Load<'a> {
    /// The number dialed.
    pub number: &'a str,
    /// The server's SIP port.
    pub server: u16,
    /// How many calls in all.
    pub calls: u32,
    /// How many of them at a time.
    pub at_once: u32,
    /// How long a call lasts after its answer.
    pub talk: Duration,
    /// How many calls to begin each second.
    pub per_second: u32,
}

/// Places the calls, waits for the last, and fails unless each was answered and ended as written.
pub async fn place(journey: &Journey, load: Load<'_>) -> Result<()> {
    let (sip, media) = (port::free()?, port::block(200)?);
    let folder = journey.scratch(&format!("sipp-{sip}"))?;
    Sound::tone(8_000, 440.0, 0.5, Duration::from_secs(5)).write_ulaw(&folder.join("tone.ul"))?;
    fs::write(folder.join("scenario.xml"), scenario(load.talk))?;
    let log = folder.join(format!("sipp-{sip}.log"));
    journey.watch_log(&log);
    journey.watch_log(&folder.join("errors.log"));

    let mut command = Command::new(tools::sipp()?);
    command.current_dir(&folder).args(["-sf", "scenario.xml", "-nostdin", "-i", "127.0.0.1", "-mi", "127.0.0.1"]);
    command.args(["-trace_err", "-error_file", "errors.log", "-recv_timeout", "20000"]);
    command.args(["-p", &sip.to_string(), "-mp", &media.start().to_string(), "-s", load.number]);
    command.args(["-m", &load.calls.to_string(), "-l", &load.at_once.to_string(), "-r", &load.per_second.to_string()]);
    command.arg(format!("127.0.0.1:{}", load.server));
    let program = Program::start("SIPp", command, &log)?;

    let rounds = load.calls.div_ceil(load.at_once);
    let limit = (load.talk + Duration::from_secs(3)) * rounds + Duration::from_secs(30);
    let status = program.wait(limit).await?;
    if !status.success() {
        let errors = fs::read_to_string(folder.join("errors.log")).unwrap_or_default();
        bail!("SIPp ended with {status}:\n{}\n{}", last_lines(&errors, 20), last_lines(&program.output(), 60));
    }
    Ok(())
}

/// A caller: INVITE, answer, sound for a while, BYE.
fn scenario(talk: Duration) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<scenario name="caller">
  <send retrans="500" start_rtd="answer"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:+4477009[call_number]@[local_ip]:[local_port]>;tag=[pid]caller[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:caller@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=caller 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [rtpstream_audio_port] RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=sendrecv
  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="183" optional="true"/>
  <recv response="200" rtd="answer" rrs="true"/>
  <send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:+4477009[call_number]@[local_ip]:[local_port]>;tag=[pid]caller[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Contact: <sip:caller@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Length: 0

  ]]></send>
  <nop><action><exec rtp_stream="tone.ul,-1,0"/></action></nop>
  <pause milliseconds="{}"/>
  <send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:+4477009[call_number]@[local_ip]:[local_port]>;tag=[pid]caller[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 2 BYE
Contact: <sip:caller@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Length: 0

  ]]></send>
  <recv response="200"/>
</scenario>
"#,
        talk.as_millis()
    )
}
