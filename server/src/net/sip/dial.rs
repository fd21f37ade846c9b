//! Connections we make: one per target at a time, with what waits for it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use cordboard_sip::{FlowId, Target, Transport};
use rustls_pki_types::ServerName;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

use super::FlowIds;
use super::connection::{FromStreams, WRITE_QUEUE, carry};
use super::listen::connect;

/// How long a connection may take to stand, TLS included: silence has to move a call on within four seconds.
const DIAL_TIME: Duration = Duration::from_secs(3);
/// Connections being made at once.
const DIALS: usize = 256;
/// Messages that may wait for one.
const WAITING: usize = 64;

/// One connection that is being made.
struct Dial {
    target: Target,
    /// Its number, once it stands.
    flow: Option<FlowId>,
    waiting: Vec<Vec<u8>>,
}

/// All connections that are being made.
pub(super) struct Dialer {
    connector: TlsConnector,
    dials: Vec<Dial>,
}

impl Dialer {
    pub(super) fn new(connector: TlsConnector) -> Self {
        Self { connector, dials: Vec::new() }
    }

    /// Sends this once the connection stands; makes it unless that has begun.
    pub(super) fn send(&mut self, target: Target, bytes: Vec<u8>, ids: &FlowIds, pieces: &mpsc::Sender<FromStreams>) {
        if let Some(dial) = self.dials.iter_mut().find(|dial| dial.target == target) {
            if dial.waiting.len() < WAITING {
                dial.waiting.push(bytes);
            }
            return;
        }
        if self.dials.len() >= DIALS {
            return tracing::debug!(?target, "too many SIP connections are being made");
        }
        self.dials.push(Dial { target: target.clone(), flow: None, waiting: vec![bytes] });
        let (flow, connector, pieces) = (ids.next(), self.connector.clone(), pieces.clone());
        tokio::spawn(async move {
            let dialed = match tokio::time::timeout(DIAL_TIME, dial(&target, flow, connector, &pieces)).await {
                Ok(dialed) => dialed,
                Err(elapsed) => Err(elapsed.into()),
            };
            if let Err(error) = dialed {
                let _ = pieces.send(FromStreams::NotDialed { target, error }).await;
            }
        });
    }

    /// A connection stands: [`Self::waiting`] gives what waited for it.
    pub(super) fn done(&mut self, target: &Target, flow: FlowId) {
        if let Some(dial) = self.dials.iter_mut().find(|dial| dial.target == *target) {
            dial.flow = Some(flow);
        }
    }

    /// What waited for a connection.
    pub(super) fn waiting(&mut self, flow: FlowId) -> Vec<(FlowId, Vec<u8>)> {
        let Some(index) = self.dials.iter().position(|dial| dial.flow == Some(flow)) else { return Vec::new() };
        self.dials.swap_remove(index).waiting.into_iter().map(|bytes| (flow, bytes)).collect()
    }

    /// A connection could not be made: what waited for it is lost.
    pub(super) fn failed(&mut self, target: &Target) {
        self.dials.retain(|dial| dial.target != *target);
    }
}

async fn dial(
    target: &Target,
    flow: FlowId,
    connector: TlsConnector,
    pieces: &mpsc::Sender<FromStreams>,
) -> io::Result<()> {
    let (writer, outgoing) = mpsc::channel(WRITE_QUEUE);
    let dialed =
        |peer: SocketAddr, transport| FromStreams::Dialed { target: target.clone(), flow, peer, transport, writer };
    match target {
        Target::Tcp(address) => {
            let stream = connect(*address).await?;
            if pieces.send(dialed(*address, Transport::Tcp)).await.is_ok() {
                tokio::spawn(carry(stream, flow, outgoing, pieces.clone()));
            }
            Ok(())
        }
        Target::Tls { address, server_name } => {
            let name = match server_name {
                Some(name) => ServerName::try_from(name.clone())
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?,
                None => ServerName::IpAddress(address.ip().into()),
            };
            let stream = connector.connect(name, connect(*address).await?).await?;
            if pieces.send(dialed(*address, Transport::Tls)).await.is_ok() {
                tokio::spawn(carry(stream, flow, outgoing, pieces.clone()));
            }
            Ok(())
        }
        Target::Udp(_) | Target::Flow(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}
