//! The listener: accepts, limits how long a client may take, and stops gracefully.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// How long a request's head may take to arrive, and a connection may idle between two requests.
const HEAD_TIME: Duration = Duration::from_secs(20);
/// Most headers of a request.
const MAX_HEADERS: usize = 100;
/// How long running requests may take to end when the server stops.
const LAST_REQUESTS: Duration = Duration::from_secs(5);
/// Pause after a failed accept: with no file left a loop without one would burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The address a request came from, in its extensions.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Serves until `shutdown`, then lets running requests end.
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()> + Send) {
    let stopping = CancellationToken::new();
    let connections = TaskTracker::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                connections.spawn(connection(stream, peer, router.clone(), stopping.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    stopping.cancel();
    connections.close();
    if tokio::time::timeout(LAST_REQUESTS, connections.wait()).await.is_err() {
        tracing::warn!("some requests were cut off by the end of the server");
    }
}

/// One connection to its end; an upgrade to a socket is an end, too.
async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, stopping: CancellationToken) {
    // An answer of two small segments must not wait for the client's delayed ACK.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        let router = router.clone();
        async move {
            let Ok(response) = router.oneshot(request).await;
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let done = tokio::select! {
        done = connection.as_mut() => done,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = done {
        tracing::debug!(%error, "a connection ended in disorder");
    }
}
