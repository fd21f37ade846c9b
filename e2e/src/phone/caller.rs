//! One caller on the wire, without sound of interest: SIPp with a script made for what the caller means to do.

use std::fs;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::process::Command;

use crate::journey::Journey;
use crate::process::{Program, last_lines};
use crate::sound::Sound;
use crate::{port, tools};

/// What the caller does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Hears it ring for so long, then hangs up before anybody answered.
    GivesUp(Duration),
    /// Waits for an answer, stays for so long, and hangs up.
    Talks(Duration),
    /// Waits for an answer, and then for the other side to hang up.
    Stays,
    /// Must be refused with this status.
    IsRefused(u16),
}

/// A call on its way. It ends with this value.
#[derive(Debug)]
pub struct Caller {
    program: Program,
    errors: std::path::PathBuf,
}

/// How long a caller waits for an answer.
const PATIENCE: Duration = Duration::from_secs(90);

impl Caller {
    /// Calls `number` as `from`.
    pub fn dial(journey: &Journey, from: &str, number: &str, server: u16, plan: Plan) -> Result<Self> {
        let script = match plan {
            Plan::GivesUp(after) => format!("{OFFER}{PROVISIONAL}{}", give_up(after)),
            Plan::Talks(span) => format!("{OFFER}{ANSWERED}{}{}", pause(span), BYE),
            Plan::Stays => format!("{OFFER}{ANSWERED}{HUNG_UP}"),
            Plan::IsRefused(status) => format!("{OFFER}{}", refused(status)),
        };
        let program = Sipp { journey, from, number, server, script: &script, more: &["-m", "1"] }.start()?;
        Ok(program)
    }

    /// Many calls that hang up again soon, whatever becomes of them, until [`Caller::stop`]: callers who come and go.
    pub fn stream(journey: &Journey, number: &str, server: u16, per_second: u32) -> Result<Self> {
        let script = format!("{OFFER}{COMES_AND_GOES}");
        let rate = per_second.to_string();
        let more = ["-m", "100000", "-l", "12", "-r", &rate, "-recv_timeout", "4000"];
        Sipp { journey, from: "+447700900[call_number]", number, server, script: &script, more: &more }.start()
    }

    /// Waits until the call is over, and fails unless it went as planned.
    pub async fn over(&self, limit: Duration) -> Result<()> {
        let status = self.program.wait(limit).await?;
        if !status.success() {
            let errors = fs::read_to_string(&self.errors).unwrap_or_default();
            bail!(
                "the caller's SIPp ended with {status}:\n{}\n{}",
                last_lines(&errors, 20),
                last_lines(&self.program.output(), 40)
            );
        }
        Ok(())
    }

    /// Ends it at once, as a phone without power.
    pub async fn stop(&self) -> Result<()> {
        self.program.kill().await
    }
}

struct Sipp<'a> {
    journey: &'a Journey,
    from: &'a str,
    number: &'a str,
    server: u16,
    script: &'a str,
    more: &'a [&'a str],
}

impl Sipp<'_> {
    fn start(&self) -> Result<Caller> {
        let (sip, media) = (port::free()?, port::block(40)?);
        let folder = self.journey.scratch(&format!("caller-{sip}"))?;
        Sound::tone(8_000, 440.0, 0.5, Duration::from_secs(5)).write_ulaw(&folder.join("tone.ul"))?;
        let script = self.script.replace("CALLER", self.from);
        let scenario =
            format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"caller\">{script}</scenario>\n");
        fs::write(folder.join("scenario.xml"), scenario)?;
        let (log, errors) = (folder.join(format!("caller-{sip}.log")), folder.join(format!("caller-{sip}-errors.log")));
        self.journey.watch_log(&log);
        self.journey.watch_log(&errors);
        let mut command = Command::new(tools::sipp()?);
        command.current_dir(&folder).args(["-sf", "scenario.xml", "-nostdin", "-i", "127.0.0.1", "-mi", "127.0.0.1"]);
        command.arg("-trace_err").arg("-error_file").arg(&errors);
        command.args(["-p", &sip.to_string(), "-mp", &media.start().to_string(), "-s", self.number]);
        if !self.more.contains(&"-recv_timeout") {
            command.args(["-recv_timeout", &PATIENCE.as_millis().to_string()]);
        }
        command.args(self.more).arg(format!("127.0.0.1:{}", self.server));
        let program = Program::start("the caller's SIPp", command, &log)?;
        Ok(Caller { program, errors })
    }
}

const OFFER: &str = r#"
  <send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:CALLER@[local_ip]:[local_port]>;tag=[pid]caller[call_number]
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
"#;

const PROVISIONAL: &str = r#"
  <recv response="180"/>
"#;

const ANSWERED: &str = r#"
  <recv response="180" optional="true"/>
  <recv response="183" optional="true"/>
  <recv response="200" rrs="true"/>
  <send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:CALLER@[local_ip]:[local_port]>;tag=[pid]caller[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Contact: <sip:caller@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Length: 0

  ]]></send>
  <nop><action><exec rtp_stream="tone.ul,-1,0"/></action></nop>
"#;

const BYE: &str = r#"
  <send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:CALLER@[local_ip]:[local_port]>;tag=[pid]caller[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 2 BYE
Contact: <sip:caller@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Length: 0

  ]]></send>
  <recv response="200"/>
"#;

const HUNG_UP: &str = r#"
  <recv request="BYE"/>
  <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

  ]]></send>
"#;

/// Rings a moment and gives up, or, when a machine answers, hangs up at once.
const COMES_AND_GOES: &str = r#"
  <recv response="180" optional="true" next="rings"/>
  <recv response="503" optional="true" next="refused"/>
  <recv response="480" optional="true" next="refused"/>
  <recv response="200" rrs="true"/>
  <send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:CALLER@[local_ip]:[local_port]>;tag=[pid]caller[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Contact: <sip:caller@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Length: 0

  ]]></send>
  <send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:CALLER@[local_ip]:[local_port]>;tag=[pid]caller[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 2 BYE
Contact: <sip:caller@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Length: 0

  ]]></send>
  <recv response="200" next="end"/>
  <label id="rings"/>
  <pause distribution="uniform" min="100" max="900"/>
  <send retrans="500"><![CDATA[
CANCEL sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-10]
From: <sip:CALLER@[local_ip]:[local_port]>;tag=[pid]caller[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 CANCEL
Max-Forwards: 70
Content-Length: 0

  ]]></send>
  <recv response="200"/>
  <recv response="487"/>
  <label id="refused"/>
  <send><![CDATA[
ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-13]
From: <sip:CALLER@[local_ip]:[local_port]>;tag=[pid]caller[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

  ]]></send>
  <label id="end"/>
"#;

fn pause(span: Duration) -> String {
    format!("  <pause milliseconds=\"{}\"/>\n", span.as_millis())
}

fn give_up(after: Duration) -> String {
    format!(
        r#"{}  <send retrans="500"><![CDATA[
CANCEL sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-4]
From: <sip:CALLER@[local_ip]:[local_port]>;tag=[pid]caller[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 CANCEL
Max-Forwards: 70
Content-Length: 0

  ]]></send>
  <recv response="200"/>
{}"#,
        pause(after),
        refused_after(487, 7)
    )
}

fn refused(status: u16) -> String {
    format!("  <recv response=\"180\" optional=\"true\"/>\n{}", refused_after(status, 4))
}

/// A final response and its ACK, which goes in the transaction of the INVITE so many messages back.
fn refused_after(status: u16, back: u32) -> String {
    format!(
        r#"  <recv response="{status}"/>
  <send><![CDATA[
ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-{back}]
From: <sip:CALLER@[local_ip]:[local_port]>;tag=[pid]caller[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

  ]]></send>
"#
    )
}
