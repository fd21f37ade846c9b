//! One connection: a task that reads and writes until either side has had enough.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use cordboard_sip::{FlowId, Target, Transport};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;

/// Messages that may wait to be written; a far side that reads none of them is given up.
pub(super) const WRITE_QUEUE: usize = 256;
/// How long one message may take to be written.
const WRITE_TIME: Duration = Duration::from_secs(10);
/// Bytes read at once.
const PIECE: usize = 16 * 1_024;

/// What connections tell the loop, in their order.
#[derive(Debug)]
pub(super) enum FromStreams {
    /// A far side connected.
    Accepted { flow: FlowId, peer: SocketAddr, transport: Transport, writer: mpsc::Sender<Vec<u8>> },
    /// A connection of ours stands.
    Dialed { target: Target, flow: FlowId, peer: SocketAddr, transport: Transport, writer: mpsc::Sender<Vec<u8>> },
    /// A connection of ours could not be made.
    NotDialed { target: Target, error: io::Error },
    /// Bytes came.
    Bytes { flow: FlowId, bytes: Vec<u8> },
    /// A connection is gone.
    Closed { flow: FlowId },
}

/// Carries one connection to its end.
pub(super) async fn carry(
    stream: impl AsyncRead + AsyncWrite,
    flow: FlowId,
    outgoing: mpsc::Receiver<Vec<u8>>,
    pieces: mpsc::Sender<FromStreams>,
) {
    let (reader, writer) = tokio::io::split(stream);
    tokio::select! {
        ended = write(writer, outgoing) => {
            if let Err(error) = ended {
                tracing::debug!(%error, flow = flow.0, "a SIP connection could not be written to");
            }
        }
        () = read(reader, flow, &pieces) => {}
    }
    let _ = pieces.send(FromStreams::Closed { flow }).await;
}

async fn write(mut writer: impl AsyncWrite + Unpin, mut outgoing: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    while let Some(bytes) = outgoing.recv().await {
        let written = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        tokio::time::timeout(WRITE_TIME, written).await??;
    }
    tokio::time::timeout(WRITE_TIME, writer.shutdown()).await?
}

async fn read(mut reader: impl AsyncRead + Unpin, flow: FlowId, pieces: &mpsc::Sender<FromStreams>) {
    let mut buffer = vec![0; PIECE];
    // An error and an end mean the same: nothing more will come.
    while let Ok(length @ 1..) = reader.read(&mut buffer).await {
        let bytes = buffer.get(..length).unwrap_or_default().to_vec();
        if pieces.send(FromStreams::Bytes { flow, bytes }).await.is_err() {
            return;
        }
    }
}
