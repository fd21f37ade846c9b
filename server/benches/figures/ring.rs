//! From a person who becomes free to the ring message of the next call on the wire.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::server::Server;
use crate::{Section, Times, runtime};

/// How many times the person becomes free.
const SAMPLES: usize = 300;
/// Callers who wait at once.
const WAITING: usize = 5;
const SUPPORT: &str = "+442079460102";

pub(crate) fn measure() -> Result<Section> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(&folder.path().join("data"))?;
    let times = runtime()?.block_on(hang_up_and_ring(&server))?;
    let figure = times.figure("hang-up received to next ring received, 5 callers waiting", None);
    server.stop()?;
    Ok(Section {
        name: "Freed person to the next ring, real server".to_owned(),
        figures: vec![figure.goal("p99 ≤ 10 ms", |it| it.p99_within(10_000.0))],
        notes: vec![
            "seen from the panel's side of the socket on loopback: from sending call.hangup to reading ring".to_owned(),
            "callers are real SIP calls over UDP on loopback; sound is not part of it".to_owned(),
        ],
    })
}

async fn hang_up_and_ring(server: &Server) -> Result<Times> {
    let calling = Arc::new(AtomicBool::new(true));
    let callers = {
        let (sip, calling) = (server.sip, Arc::clone(&calling));
        std::thread::spawn(move || call_again_and_again(sip, &calling))
    };
    let user = server.demo.users.iter().find(|user| user.name == "Asha Rao").context("no Asha")?;
    let mut desk = Desk::open(server, &user.api_token).await?;
    let mut times = Times::default();
    let mut ring = desk.next_of("ring").await?;
    while times.0.len() < SAMPLES {
        let offer = json!({ "offer": ring["offer"] });
        desk.say("ring.ack", &offer).await?;
        desk.say("call.answer", &offer).await?;
        desk.next_call_state("connected").await?;
        // The others are waiting by now: five call again as soon as one is gone.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let sent = Instant::now();
        desk.say("call.hangup", &json!({ "call": ring["call"] })).await?;
        ring = desk.next_of("ring").await?;
        times.add(sent.elapsed());
    }
    calling.store(false, Ordering::Relaxed);
    ensure!(callers.join().is_ok_and(|outcome| outcome.is_ok()), "the callers failed");
    Ok(times)
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

struct Desk(Socket);

impl Desk {
    async fn open(server: &Server, token: &str) -> Result<Self> {
        let mut request = format!("ws://{}/core/ws", server.http).into_client_request()?;
        let protocols = format!("cordboard.v1, token.{token}");
        request.headers_mut().insert("sec-websocket-protocol", protocols.parse()?);
        // As browsers do: a frame does not wait for the acknowledgment of the last one.
        let (socket, _) = connect_async_with_config(request, None, true).await?;
        let mut desk = Self(socket);
        desk.say("hello", &json!({ "app": "bench/1", "device": "desk", "tab": "one", "topics": ["calls"] })).await?;
        desk.say("device", &device()).await?;
        Ok(desk)
    }

    async fn say(&mut self, kind: &str, data: &Value) -> Result<()> {
        let frame = json!({ "id": "b", "type": kind, "data": data });
        self.0.send(Message::text(frame.to_string())).await?;
        Ok(())
    }

    async fn next(&mut self) -> Result<(String, Value)> {
        loop {
            let read = tokio::time::timeout(Duration::from_secs(10), self.0.next()).await;
            let text = match read.context("nothing was said for 10 s")? {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(_)) | Err(_)) | None => bail!("the socket has ended"),
                Some(Ok(_)) => continue,
            };
            let mut frame: Value = serde_json::from_str(text.as_str())?;
            let (kind, data) = (frame["type"].as_str().unwrap_or_default().to_owned(), frame["data"].take());
            match kind.as_str() {
                "ping" => {
                    let mut pong = device();
                    pong["t"] = data["t"].clone();
                    self.say("pong", &pong).await?;
                }
                "error" => bail!("the server refused: {data}"),
                _ => return Ok((kind, data)),
            }
        }
    }

    async fn next_of(&mut self, wanted: &str) -> Result<Value> {
        loop {
            let (kind, data) = self.next().await?;
            if kind == wanted {
                return Ok(data);
            }
        }
    }

    async fn next_call_state(&mut self, wanted: &str) -> Result<()> {
        while self.next_of("call.state").await?["state"] != wanted {}
        Ok(())
    }
}

fn device() -> Value {
    json!({ "mic": "granted", "audio": "running", "visible": true, "leader": true })
}

/// Keeps [`WAITING`] calls up; each that ends is made anew.
fn call_again_and_again(server: std::net::SocketAddr, calling: &AtomicBool) -> Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(Duration::from_millis(5)))?;
    let own = socket.local_addr()?;
    let mut open = BTreeSet::new();
    let mut number = 0;
    let mut buffer = vec![0; 65_536];
    while calling.load(Ordering::Relaxed) {
        while open.len() < WAITING {
            number += 1;
            open.insert(number);
            let sdp = format!(
                "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {} RTP/AVP 0\r\n",
                own.port()
            );
            let invite = request("INVITE", "INVITE", number, own, "", &sdp);
            socket.send_to(invite.as_bytes(), server)?;
        }
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let header = |name: &str| message.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
        let call: u32 = header("Call-ID:").split('@').next().unwrap_or_default().parse().unwrap_or(0);
        if message.starts_with("BYE") {
            open.remove(&call);
            let lines =
                ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].map(|name| format!("{name} {}\r\n", header(name)));
            socket
                .send_to(format!("SIP/2.0 200 OK\r\n{}Content-Length: 0\r\n\r\n", lines.concat()).as_bytes(), from)?;
        } else if message.starts_with("SIP/2.0 200") && header("CSeq:").ends_with("INVITE") {
            socket.send_to(request("ACK", "ACK", call, own, header("To:"), "").as_bytes(), server)?;
        } else if message.starts_with("SIP/2.0") && !message.starts_with("SIP/2.0 1") {
            open.remove(&call);
        }
    }
    Ok(())
}

fn request(method: &str, branch: &str, call: u32, own: std::net::SocketAddr, to: &str, body: &str) -> String {
    let to = if to.is_empty() { format!("<sip:{SUPPORT}@127.0.0.1>") } else { to.to_owned() };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} sip:{SUPPORT}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{branch}{call}\r\n\
         From: <sip:+4477009{call:05}@127.0.0.1>;tag=t{call}\r\nTo: {to}\r\nCall-ID: {call}@bench\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:bench@{own}>\r\nMax-Forwards: 70\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
