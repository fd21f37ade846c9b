//! A phone whose SIP is `rsipstack`'s, another stack written in Rust; its bit of G.711 is ours. It calls from outside: its
//! digest gives up at the name of SHA-256 (RFC 8760), which a desk phone is offered first.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use rsipstack::EndpointBuilder;
use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::dialog::invitation::InviteOption;
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::sip::{Header, Method, Uri};
use rsipstack::transaction::TransactionReceiver;
use rsipstack::transport::TransportLayer;
use rsipstack::transport::udp::UdpConnection;
use tokio::net::UdpSocket;
use tokio::time::interval;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::sound::{self, Sound};
use crate::tone;

/// G.711's sampling rate.
const RATE: u32 = 8_000;
/// Samples of a packet.
const PACKET: u16 = 160;

/// A telephone of the outside world.
pub struct Rsip {
    number: String,
    server: u16,
    address: SocketAddr,
    dialogs: Arc<DialogLayer>,
    media: Arc<Media>,
    _stop: DropGuard,
}

/// The call it made.
pub struct RsipCall {
    dialog: InviteDialog,
    media: Arc<Media>,
}

struct Media {
    socket: UdpSocket,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    to: Option<SocketAddr>,
    heard: Vec<f32>,
}

impl Rsip {
    /// Opens a phone that plays a tone of `hertz`.
    pub async fn open(number: &str, server: u16, hertz: f64) -> Result<Self> {
        let stop = CancellationToken::new();
        let transport = TransportLayer::new(stop.clone());
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let connection = UdpConnection::create_connection(here, None, Some(stop.clone())).await.map_err(failed)?;
        let address = connection.get_addr().get_socketaddr().map_err(failed)?;
        transport.add_transport(connection.into());
        let endpoint = EndpointBuilder::new().with_transport_layer(transport).with_cancel_token(stop.clone()).build();
        let dialogs = Arc::new(DialogLayer::new(endpoint.inner.clone()));
        tokio::spawn(take_requests(endpoint.incoming_transactions().map_err(failed)?, Arc::clone(&dialogs)));
        tokio::spawn(async move { endpoint.serve().await });
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let media = Arc::new(Media { socket, state: Mutex::default() });
        tokio::spawn(play(Arc::clone(&media), hertz, stop.clone()));
        tokio::spawn(listen(Arc::clone(&media), stop.clone()));
        let number = number.to_owned();
        Ok(Self { number, server, address, dialogs, media, _stop: stop.drop_guard() })
    }

    /// Calls, and waits for the answer.
    pub async fn call(&self, number: &str) -> Result<RsipCall> {
        let option = InviteOption {
            callee: self.uri(&format!("sip:{number}@127.0.0.1:{}", self.server))?,
            caller: self.uri(&format!("sip:{}@127.0.0.1:{}", self.number, self.server))?,
            contact: self.uri(&format!("sip:{}@{}", self.number, self.address))?,
            content_type: Some("application/sdp".to_owned()),
            offer: Some(self.offer("sendrecv", 1)?.into_bytes()),
            ..InviteOption::default()
        };
        let (states, _) = self.dialogs.new_dialog_state_channel();
        let (dialog, answer) = self.dialogs.do_invite(option, states).await.map_err(failed)?;
        let answer = answer.context("no answer")?;
        ensure!(answer.status_code.code() == 200, "it was answered with {}", answer.status_code.code());
        let to = remote(&String::from_utf8_lossy(&answer.body)).context("no address for sound in the answer")?;
        self.media.lock().to = Some(to);
        Ok(RsipCall { dialog, media: Arc::clone(&self.media) })
    }

    /// Its offer of PCMU, in this direction, as this version.
    pub fn offer(&self, direction: &str, version: u32) -> Result<String> {
        let port = self.media.socket.local_addr()?.port();
        Ok(format!(
            "v=0\r\no=- 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na={direction}\r\n"
        ))
    }

    fn uri(&self, text: &str) -> Result<Uri> {
        Uri::try_from(text).map_err(|error| anyhow!("{text} of {}: {error:?}", self.number))
    }
}

impl RsipCall {
    /// Offers its sound anew (a re-INVITE); the direction that was answered.
    pub async fn offer(&self, offer: String) -> Result<String> {
        let kind = vec![Header::ContentType("application/sdp".into())];
        let answer = self.dialog.reinvite(Some(kind), Some(offer.into_bytes())).await.map_err(failed)?;
        let answer = answer.context("no answer to the re-INVITE")?;
        ensure!(answer.status_code.code() == 200, "it was answered with {}", answer.status_code.code());
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        let found = ["sendrecv", "sendonly", "recvonly", "inactive"]
            .into_iter()
            .find(|direction| body.contains(&format!("a={direction}")));
        Ok(found.unwrap_or("sendrecv").to_owned())
    }

    /// Hangs up.
    pub async fn hang_up(&self) -> Result<()> {
        self.dialog.bye().await.map_err(failed)
    }

    /// Waits until it has heard so much more.
    pub async fn expect_more(&self, more: Duration) -> Result<()> {
        super::expect_more(more, || Ok(self.heard().length())).await
    }

    /// What it has heard so far.
    pub fn heard(&self) -> Sound {
        Sound { rate: RATE, samples: self.media.lock().heard.clone() }
    }
}

impl Media {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn failed(error: rsipstack::Error) -> anyhow::Error {
    anyhow!("rsipstack: {error}")
}

/// Requests of the other side within a call.
async fn take_requests(mut incoming: TransactionReceiver, dialogs: Arc<DialogLayer>) {
    while let Some(mut transaction) = incoming.recv().await {
        if transaction.original.method == Method::Ack {
            continue;
        }
        if let Some(mut dialog) = dialogs.match_dialog(&transaction) {
            tokio::spawn(async move { dialog.handle(&mut transaction).await });
        }
    }
}

/// Where sound is to be sent, of an SDP body.
fn remote(body: &str) -> Option<SocketAddr> {
    let address = body.lines().find_map(|line| line.strip_prefix("c=IN IP4 "))?.trim().parse::<Ipv4Addr>().ok()?;
    let port = body.lines().find_map(|line| line.strip_prefix("m=audio "))?.split(' ').next()?.parse().ok()?;
    Some((address, port).into())
}

/// Plays its tone as soon as it knows to whom.
async fn play(media: Arc<Media>, hertz: f64, stop: CancellationToken) {
    let tone = Sound::tone(RATE, hertz, super::TONE_AMPLITUDE, tone::LONG);
    let mut ticks = interval(Duration::from_millis(20));
    for (packet, number) in tone.samples.chunks_exact(usize::from(PACKET)).zip(1_u16..) {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        let Some(to) = media.lock().to else { continue };
        // Version 2, PCMU; number, timestamp and source (RFC 3550 §5.1).
        let mut bytes = vec![0x80, 0];
        bytes.extend(number.to_be_bytes());
        bytes.extend((u32::from(number) * u32::from(PACKET)).to_be_bytes());
        bytes.extend(0x5253_4950_u32.to_be_bytes());
        bytes.extend(packet.iter().map(|sample| sound::ulaw(*sample)));
        // A far side that is gone says so at the next packet; the journey sees it by itself.
        let _ = media.socket.send_to(&bytes, to).await;
    }
}

/// Keeps what it hears.
async fn listen(media: Arc<Media>, stop: CancellationToken) {
    let mut bytes = [0; 2_048];
    loop {
        let received = tokio::select! {
            received = media.socket.recv_from(&mut bytes) => received,
            () = stop.cancelled() => return,
        };
        if let Ok((length, _)) = received
            && length > 12
            && matches!(bytes[1], 0 | 0x80)
        {
            media.lock().heard.extend(bytes[12..length].iter().map(|byte| sound::from_ulaw(*byte)));
        }
    }
}
