//! Start and shutdown order of the whole server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Extension;
use cordboard_shared::Millis;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::{self, AppHandle, RunningApp, Telephony};
use crate::audio::Library;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, create_data_dir};
use crate::http::{self, HttpConfig, HttpState};
use crate::jobs::Jobs;
use crate::keys::Keys;
use crate::net::media::{self, MediaConfig, MediaHandle, ToMedia};
use crate::net::sip::{self, SipHandle};
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::{demo, edge_push};

/// How long running calls may go on after a request to stop, before they are ended.
const DRAIN: Duration = Duration::from_secs(30);

/// How long the far sides may take to answer the last BYEs.
const GOODBYES: Duration = Duration::from_secs(1);
/// Time between two looks at what is still running while the server stops.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A server that listens.
pub struct Running {
    /// Where panel and API answer.
    pub http: SocketAddr,
    /// Where SIP answers.
    pub sip: SocketAddr,
    /// Where browsers send sound.
    pub webrtc: SocketAddr,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// The door to the running account.
    pub app: AppHandle,
    account: RunningApp,
    store: Store,
    sip_handle: SipHandle,
    media: MediaHandle,
    stop_http: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

/// Runs the server until it is asked to stop by SIGTERM or Ctrl-C.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let running = start(config).await?;
    tokio::select! {
        () = stop_requested() => {
            running.stop(DRAIN).await;
            Ok(())
        }
        () = running.app.stopped() => anyhow::bail!("a part of the server has ended; see the log"),
    }
}

/// Opens the store, binds every socket and starts every part. Nothing listens before everything is loaded.
pub async fn start(config: Config) -> anyhow::Result<Running> {
    create_data_dir(&config.data_dir)?;
    let keys = Arc::new(Keys::open(&config.data_dir).context("cannot open the keys")?);
    let store = Store::open(&config.database_path()).await?;
    forget_old_sign_ins(&store, u64::from(config.limits.session_idle_minutes) * 60_000).await?;

    for address in config.sip_listen.all(config.sip) {
        anyhow::ensure!(
            !address.ip().is_unspecified() || config.external_ip.is_some_and(|ip| ip.is_ipv4() == address.is_ipv4()),
            "--sip {address} names no address that phones could answer to; say which one with --external-ip",
        );
    }
    let listener = TcpListener::bind(config.http).await.with_context(|| busy("HTTP", "--http", config.http))?;
    let http_address = listener.local_addr()?;
    let (sip, sip_events) = sip::start(&config.sip_sockets(), u64::from_le_bytes(crate::clock::random()))
        .with_context(|| busy("SIP", "--sip", config.sip))?;
    let sip_address = sip.local_addr();
    let (media, media_events) = media::start(MediaConfig {
        webrtc: config.webrtc,
        rtp_ip: sip_address.ip(),
        rtp_ports: config.rtp_ports.clone(),
        external_ip: config.external_ip,
        recordings_dir: config.recordings_dir(),
        browser_codecs: cordboard_media::BrowserCodecs::G711,
    })
    .with_context(|| busy("browser sound", "--webrtc", config.webrtc))?;
    let webrtc = media.webrtc_addr();
    // After the sockets: a start that fails at a busy port leaves no company behind that nobody can reach.
    if config.demo {
        let addresses = (http_address, sip_address);
        demo::fill(&store, &keys, &config.data_dir, addresses, SystemClock.now(), config.demo_history).await?;
    }

    let sip_handle = sip.clone();
    let telephony = Telephony { sip, sip_events, media: media.clone(), media_events };
    let library = Library::open(config.data_dir.join("audio"), store.clone()).await;
    let library = Arc::new(library.context("cannot open the audio library")?);
    let account = app::start(store.clone(), telephony, &config.recordings_dir(), library).await?;
    let app = account.handle.clone();
    if config.demo {
        demo::write_demo_json(&config.data_dir, http_address, sip_address).context("cannot write demo.json")?;
    }

    let (stop_http, stopping) = watch::channel(false);
    let serving = serve(&config, listener, app.clone(), store.clone(), keys, stopping).await?;
    tracing::info!(http = %http_address, sip = %sip_address, webrtc = %webrtc, "cordboard is ready");
    let data_dir = config.data_dir;
    Ok(Running {
        http: http_address,
        sip: sip_address,
        webrtc,
        data_dir,
        app,
        account,
        store,
        sip_handle,
        media,
        stop_http,
        serving,
    })
}

/// Starts the HTTP side, and the push to the edge where there is one.
async fn serve(
    config: &Config,
    listener: TcpListener,
    app: AppHandle,
    store: Store,
    keys: Arc<Keys>,
    mut stopping: watch::Receiver<bool>,
) -> anyhow::Result<JoinHandle<()>> {
    let settings = HttpConfig::from_config(config)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let feed = match config.edge_url.as_deref() {
        Some(url) => Some(edge_push::start(app.clone(), keys.clone(), clock.clone(), url).await?.0),
        None => None,
    };
    let jobs = Jobs::start(&store, app.directory().account, config.sms.clone(), clock.clone())?;
    let metrics = Arc::new(Metrics::default());
    let state = HttpState::new(app, store, keys, settings, clock, metrics, jobs.messages().clone());
    let router = match feed {
        Some(feed) => http::router(state.clone()).layer(Extension(feed)),
        None => http::router(state.clone()),
    };
    Ok(tokio::spawn(async move {
        let shutdown = async move {
            // A sender that is gone means the same as a request to stop.
            let _ = stopping.wait_for(|stop| *stop).await;
        };
        http::serve(listener, router, shutdown).await;
        state.finish().await;
        jobs.stop().await;
    }))
}

impl Running {
    /// No new calls; running ones may end within `drain`; then everything is written and closed.
    pub async fn stop(self, drain: Duration) {
        tracing::info!("stopping: no new calls are taken");
        self.app.drain().await;
        let calls_over = async {
            while self.app.counts().calls > 0 {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::select! {
            ended = tokio::time::timeout(drain, calls_over) => if ended.is_err() {
                tracing::warn!(calls = self.app.counts().calls, "calls that did not end in time are ended");
            },
            // Asked a second time: now, not when the last caller is done.
            () = stop_requested() => tracing::warn!(calls = self.app.counts().calls, "running calls are ended"),
        }
        self.stop_http.send_replace(true);
        self.account.stop().await;
        // The last BYEs are repeated until they are answered, but not for long.
        let goodbyes = async {
            while self.sip_handle.stats().dialogs > 0 {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        if tokio::time::timeout(GOODBYES, goodbyes).await.is_err() {
            tracing::debug!("some far sides did not answer the last BYE");
        }
        self.media.send(ToMedia::Shutdown);
        if self.serving.await.is_err() {
            tracing::error!("the HTTP side had failed");
        }
        self.store.close().await;
        tracing::info!("stopped");
    }
}

async fn forget_old_sign_ins(store: &Store, idle_ms: u64) -> anyhow::Result<()> {
    let now: Millis = SystemClock.now();
    store.expire_sign_ins(now - idle_ms, now).await.context("cannot look through the sign-ins")
}

fn busy(what: &str, flag: &str, address: SocketAddr) -> String {
    format!("cannot listen for {what} on {address}; choose another address with {flag}")
}

async fn stop_requested() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::error!(%error, "cannot listen for SIGTERM");
            return std::future::pending().await;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
