//! The peer: rtpengine in userspace, where it is installed, spoken to by its control protocol: a cookie and a bencoded
//! dictionary in a datagram.

#![expect(clippy::format_push_string, reason = "a few lines are not worth a second way of writing")]

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::proc::Program;
use super::{Answer, LIMIT, Offer};

/// Where Debian puts it.
const PROGRAM: &str = "/usr/bin/rtpengine";

/// How long it is given to answer before it is asked again.
const PATIENCE: Duration = Duration::from_millis(500);

/// A started one.
pub(crate) struct Rtpengine {
    pub(super) program: Program,
    control: UdpSocket,
    cookie: u32,
}

/// Whether it can be measured here.
pub(super) fn is_installed() -> bool {
    Path::new(PROGRAM).is_file()
}

impl Rtpengine {
    /// Starts one with two workers and without the kernel's module.
    pub(super) fn start() -> Result<Self> {
        let listen = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = Command::new(PROGRAM);
        command.args(["--config-file=none", "--foreground", "--table=-1", "--interface=127.0.0.1", "--num-threads=2"]);
        command.args(["--port-min=30000", "--port-max=39999", "--log-level=3", "--log-stderr"]);
        let mut program = Program::start(command.arg(format!("--listen-ng={listen}")))?;
        let control = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        control.connect(listen)?;
        control.set_read_timeout(Some(PATIENCE))?;
        let begun = Instant::now();
        while control.send(b"0 d7:command4:pinge").is_err() || control.recv(&mut [0; 256]).is_err() {
            ensure!(program.0.try_wait()?.is_none(), "rtpengine has ended");
            ensure!(begun.elapsed() < LIMIT, "rtpengine does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self { program, control, cookie: 0 })
    }

    pub(super) fn call(&mut self, number: usize, offers: [Offer; 2]) -> Result<[Answer; 2]> {
        let [one, Offer::Phone(at, payload_type)] = offers else { bail!("the called end is a phone") };
        let id = number.to_string();
        let (from, sdp) = match one {
            Offer::Phone(at, payload_type) => (None, phone(at, payload_type)),
            Offer::Browser(sdp) => (Some(sdp.clone()), sdp),
        };
        let offer = [("command", "offer"), ("call-id", &id), ("from-tag", "a"), ("sdp", &sdp)];
        let plain = [("transport-protocol", "RTP/AVP"), ("ICE", "remove"), ("DTLS", "off")];
        let to_phone = self.ask(&[&offer[..], &plain[..]].concat(), &["rtcp-mux", "demux"])?;
        let sdp = phone(at, payload_type);
        let answer = [("command", "answer"), ("call-id", &id), ("from-tag", "a"), ("to-tag", "b"), ("sdp", &sdp)];
        let ice = if from.is_some() { &[("ICE", "force")][..] } else { &[("ICE", "remove")][..] };
        let to_caller = self.ask(&[&answer[..], ice].concat(), &["rtcp-mux", "accept"])?;
        let caller = match from {
            None => Answer::Phone(address(&to_caller)?),
            Some(offer) => Answer::Browser { to: address(&to_caller)?, sdp: for_browser(&to_caller, &offer) },
        };
        Ok([caller, Answer::Phone(address(&to_phone)?)])
    }

    /// Sends a command; the SDP that comes back.
    fn ask(&mut self, words: &[(&str, &str)], flags: &[&str]) -> Result<String> {
        self.cookie += 1;
        let mut text = format!("{} d", self.cookie);
        let mut put = |word: &str| text.push_str(&format!("{}:{word}", word.len()));
        for (key, value) in words {
            put(key);
            put(value);
        }
        // The one list among them.
        put(flags.first().copied().unwrap_or_default());
        text.push('l');
        for flag in flags.iter().skip(1) {
            text.push_str(&format!("{}:{flag}", flag.len()));
        }
        text.push_str("ee");
        let begun = Instant::now();
        let mut room = vec![0; 65_536];
        while begun.elapsed() < LIMIT {
            self.control.send(text.as_bytes())?;
            // It remembers cookies: asked again, it answers the same.
            while let Ok(length) = self.control.recv(&mut room) {
                let answer = String::from_utf8_lossy(&room[..length]).into_owned();
                if let Some(answer) = answer.strip_prefix(&format!("{} ", self.cookie)) {
                    return string(answer, "sdp").with_context(|| format!("rtpengine refused: {answer}"));
                }
            }
        }
        bail!("rtpengine does not answer")
    }
}

/// What a bencoded dictionary has of strings under this key. Keys of that name deeper inside do not come with strings.
fn string(text: &str, key: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("{}:{key}", key.len()))?;
    let (length, rest) = rest.split_once(':')?;
    rest.get(..length.parse().ok()?).map(str::to_owned)
}

/// What a phone says of itself.
fn phone(at: SocketAddr, payload_type: u8) -> String {
    let (ip, port) = (at.ip(), at.port());
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP {payload_type}\r\n\
         a=sendrecv\r\na=ptime:20\r\n"
    )
}

/// The address in an SDP.
fn address(sdp: &str) -> Result<SocketAddr> {
    let ip = sdp.lines().find_map(|line| line.strip_prefix("c=IN IP4 ")).context("no address")?;
    let media = sdp.lines().find_map(|line| line.strip_prefix("m=audio ")).context("no sound")?;
    let port = media.split(' ').next().unwrap_or_default();
    Ok(SocketAddr::new(ip.trim().parse()?, port.parse()?))
}

/// Its answer with what the browser's library insists on: a bundle, the name of the medium, and an announced stream.
fn for_browser(answer: &str, offer: &str) -> String {
    let mid = offer.lines().find_map(|line| line.strip_prefix("a=mid:")).unwrap_or("0").trim();
    let mut text = String::new();
    for line in answer.lines().map(str::trim_end) {
        if ["a=mid:", "a=ssrc:", "a=group:"].iter().any(|known| line.starts_with(known)) {
            continue;
        }
        if line.starts_with("m=") {
            text.push_str(&format!("a=group:BUNDLE {mid}\r\n"));
        }
        text.push_str(line);
        text.push_str("\r\n");
    }
    text.push_str(&format!("a=mid:{mid}\r\na=ssrc:7 cname:phone\r\n"));
    text
}
