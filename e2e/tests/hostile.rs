//! Datagrams that no honest peer sends: the right answer or silence, and the next call is fine.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Result, ensure};
use cordboard_e2e::journey::journey;
use cordboard_e2e::phone::sipp::{self, Load};
use cordboard_e2e::stack::Stack;
use cordboard_e2e::wait::until;
use tokio::net::UdpSocket;
use tokio::time::timeout;

const SUPPORT: &str = "+442079460102";
/// How long an answer is waited for; a provisional or final one comes within milliseconds.
const ANSWER: Duration = Duration::from_millis(700);

#[test]
fn hostile_datagrams_do_no_harm() {
    journey("hostile", async |journey| {
        let stack = journey.stack().await?;
        let peer = Peer::connect(&stack).await?;

        for seed in 1..=50 {
            let answer = peer.ask(&noise(seed)).await?;
            ensure!(answer.is_none(), "random bytes are answered: {answer:?}");
        }
        for cut in [1, 7, 20, 60, 120, 200, 300] {
            let message = peer.invite("cut", "", SDP);
            let answer = peer.ask(&message.as_bytes()[..cut.min(message.len())]).await?;
            ensure!(answer.as_deref().is_none_or(is_refusal), "an INVITE cut at {cut} is answered: {answer:?}");
        }
        let mut headers = String::new();
        for number in 0..1_000 {
            write!(headers, "X-{number}: {number}\r\n")?;
        }
        let answer = peer.ask(peer.invite("thousand", &headers, SDP).as_bytes()).await?;
        ensure!(answer.as_deref().is_none_or(is_refusal), "a thousand headers are answered: {answer:?}");

        // RFC 3261 §18.3: what follows the length told is discarded; a body cut short is a bad request.
        let longer = peer.invite("longer", "", SDP) + &"a=trailing bytes\r\n".repeat(20);
        let answer = peer.ask(longer.as_bytes()).await?;
        ensure!(answer.as_deref().is_none_or(is_response), "a longer body is answered: {answer:?}");
        peer.give_up("longer").await?;
        let shorter = peer.invite("shorter", "", SDP);
        let answer = peer.ask(&shorter.as_bytes()[..shorter.len() - 40]).await?;
        let answer = answer.filter(|answer| answer.contains("shorter@"));
        ensure!(answer.as_deref().is_none_or(|answer| answer.starts_with("SIP/2.0 400")), "a shorter body: {answer:?}");

        for message in [
            "INVITE sip:x SIP/2.0\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "INVITE sip:x SIP/2.0\r\nCSeq: 4294967296 INVITE\r\n\r\n",
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\r\n\r\n",
            "\r\n\r\n\r\n",
            "INVITE \u{0} SIP/2.0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        ] {
            let answer = peer.ask(message.as_bytes()).await?;
            ensure!(answer.as_deref().is_none_or(is_response), "{message:?} is answered: {answer:?}");
        }

        stack.program().check()?;
        ensure!(!stack.program().output().contains("panicked"), "the server panicked");
        let load = Load {
            number: SUPPORT,
            server: stack.sip,
            calls: 3,
            at_once: 3,
            talk: Duration::from_secs(1),
            per_second: 3,
        };
        sipp::place(journey, load).await?;
        let api = stack.api_as("Meera")?;
        until("no call to be left", Duration::from_secs(45), async || {
            let active = api.metric("cordboard_calls_active").await?;
            ensure!(active == 0.0, "{active} are");
            anyhow::Ok(())
        })
        .await
    });
}

const SDP: &str = "v=0\r\no=x 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

/// A socket that says what it likes.
struct Peer {
    socket: UdpSocket,
    server: u16,
    port: u16,
}

impl Peer {
    async fn connect(stack: &Stack) -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        socket.connect(("127.0.0.1", stack.sip)).await?;
        let port = socket.local_addr()?.port();
        Ok(Self { socket, server: stack.sip, port })
    }

    /// Sends a datagram and gives the first answer to it, if there is one. What comes late to an earlier one is dropped first.
    async fn ask(&self, datagram: &[u8]) -> Result<Option<String>> {
        let mut buffer = vec![0; 65_536];
        while self.socket.try_recv(&mut buffer).is_ok() {}
        self.socket.send(datagram).await?;
        match timeout(ANSWER, self.socket.recv(&mut buffer)).await {
            Ok(length) => Ok(Some(String::from_utf8_lossy(&buffer[..length?]).into_owned())),
            Err(_) => Ok(None),
        }
    }

    fn invite(&self, call: &str, headers: &str, body: &str) -> String {
        self.request("INVITE", call, &format!("{headers}Content-Type: application/sdp\r\n"), body)
    }

    /// Cancels a call and acknowledges its end, so that the server does not repeat it (RFC 3261 §9.1, §17.1.1.3).
    async fn give_up(&self, call: &str) -> Result<()> {
        self.ask(self.request("CANCEL", call, "", "").as_bytes()).await?;
        // An early answer may be on its way; the second acknowledgement is for the 487 that follows it.
        for _ in 0..2 {
            let acknowledgement = self.request("ACK", call, "", "");
            self.ask(acknowledgement.as_bytes()).await?;
        }
        Ok(())
    }

    fn request(&self, method: &str, call: &str, headers: &str, body: &str) -> String {
        let (server, port) = (self.server, self.port);
        format!(
            "{method} sip:{SUPPORT}@127.0.0.1:{server} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{call}\r\n\
             From: <sip:stranger@127.0.0.1>;tag={call}\r\nTo: <sip:{SUPPORT}@127.0.0.1:{server}>\r\nCall-ID: {call}@127.0.0.1\r\n\
             CSeq: 1 {method}\r\nContact: <sip:stranger@127.0.0.1:{port}>\r\nMax-Forwards: 70\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

fn is_response(answer: &str) -> bool {
    answer.starts_with("SIP/2.0 ")
}

fn is_refusal(answer: &str) -> bool {
    answer.starts_with("SIP/2.0 4") || answer.starts_with("SIP/2.0 5")
}

/// Bytes that look random and are the same in every run.
fn noise(seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let length = usize::try_from(seed * 29 % 1_400).unwrap_or(1) + 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[1]
        })
        .collect()
}
