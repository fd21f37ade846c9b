//! The HTTP shell: panel, API and live socket over one listener.
//!
//! Reaches calls and availability only through [`AppHandle`], records only through the store. Every answer carries
//! a `Request-Id`; every refusal under `/core` and `/edge` is one `application/problem+json` body.

mod body;
mod caller;
mod cookie;
mod core;
mod edge;
mod envelope;
mod error;
mod idempotency;
mod limit;
mod link;
mod live;
mod operations;
mod opt_out_page;
mod origin;
mod panel;
mod permit;
mod server;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::http::HeaderValue;
use axum::routing::{delete, get, post, put};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::VerifyingKey;

use crate::app::AppHandle;
use crate::clock::Clock;
use crate::config::{Config, ConfigError, Limits};
use crate::jobs::Messages;
use crate::keys::Keys;
use crate::store::Store;
use crate::telemetry::Metrics;

pub use caller::{Caller, CallerKind, caller_of_token};
pub use envelope::RequestIdentity;
pub use error::ApiError;
pub use server::{Peer, serve};

use limit::Limiter;

/// Longest body of a request, in bytes.
pub const MAX_BODY: usize = 1_048_576;

/// What every handler works with. One pointer to clone: each request passes it on half a dozen times.
#[derive(Clone)]
pub struct HttpState(Arc<Shared>);

impl std::ops::Deref for HttpState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// What [`HttpState`] points at.
pub struct Shared {
    /// The running account.
    pub app: AppHandle,
    /// Records, sign-ins and tokens.
    pub store: Store,
    /// Check and sign tokens.
    pub keys: Arc<Keys>,
    /// Settings of this shell.
    pub config: HttpConfig,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Text messages to people.
    pub messages: Messages,
    /// Begins the tags of verdicts: none of an earlier run may come again for another verdict.
    started: u64,
    verified: caller::Verified,
    /// Which scripts and connections a page may have.
    policy_header: HeaderValue,
    limiter: Limiter,
    keys_used: idempotency::Keys,
    sockets: Arc<live::Sockets>,
}

/// Settings of this shell.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Origins besides the own one whose pages may use the sign-in.
    pub allowed_origins: Vec<String>,
    /// How much one caller may ask for.
    pub limits: Limits,
    /// Where the edge answers.
    pub edge_url: Option<String>,
    /// Where people reach this server from outside; without one the address they asked at.
    pub public_url: Option<String>,
    /// Checks what the edge signs.
    pub edge_public_key: Option<VerifyingKey>,
    /// Where recordings are.
    pub recordings_dir: PathBuf,
}

impl HttpConfig {
    /// Takes what this shell needs from the settings.
    pub fn from_config(config: &Config) -> Result<Self, ConfigError> {
        let key = config.edge_public_key.as_deref().map(|text| {
            let bytes = URL_SAFE_NO_PAD.decode(text.trim()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            bytes.and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok()).ok_or(ConfigError::Value {
                setting: "edge-public-key",
                reason: "not an Ed25519 public key of 32 bytes in base64url".to_owned(),
            })
        });
        Ok(Self {
            allowed_origins: config.allowed_origins.clone(),
            limits: config.limits.clone(),
            edge_url: config.edge_url.clone(),
            public_url: config.public_url.clone(),
            edge_public_key: key.transpose()?,
            recordings_dir: config.recordings_dir(),
        })
    }
}

impl HttpState {
    /// Joins what the handlers need.
    pub fn new(
        app: AppHandle,
        store: Store,
        keys: Arc<Keys>,
        config: HttpConfig,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        messages: Messages,
    ) -> Self {
        Self(Arc::new(Shared {
            policy_header: envelope::policy_header(config.edge_url.as_deref()),
            verified: caller::Verified::default(),
            started: u64::try_from(clock.now().0 / 1_000).unwrap_or_default() << 20,
            keys_used: idempotency::Keys::new(store.clone()),
            app,
            store,
            keys,
            config,
            clock,
            metrics,
            messages,
            limiter: Limiter::default(),
            sockets: Arc::default(),
        }))
    }

    /// Writes what is still to be written. To be called when nothing is served any more.
    pub async fn finish(&self) {
        self.keys_used.flush().await;
    }
}

/// Everything that is served.
pub fn router(state: HttpState) -> Router {
    use self::core::{calls, decisions, numbers, policy, presence, recordings, session, test_calls, users};

    let routes = Router::new()
        .route("/health", get(operations::health))
        .route("/metrics", get(operations::metrics))
        .route("/core/session", get(session::show).post(session::sign_in).delete(session::sign_out))
        .route("/core/session/token", post(session::token))
        .route("/core/agents/{uuid}/presence", get(presence::read).post(presence::write))
        .route("/core/calls", get(calls::list).post(calls::place))
        .route("/core/calls/{uid}", get(calls::show))
        .route("/core/calls/{uid}/decisions", get(decisions::list))
        .route("/core/recordings/{id}", get(recordings::show))
        .route("/core/test-calls", post(test_calls::place))
        .route("/core/users", get(users::list))
        .route("/core/users/{id}", get(users::show).patch(users::change))
        .route("/core/users/{id}/history", get(users::history))
        .route("/core/departments", get(policy::departments))
        .route("/core/departments/{id}", get(policy::department))
        .route("/core/numbers", get(policy::numbers))
        .route("/core/numbers/{id}", get(policy::number).put(numbers::edit))
        .route("/core/trunks", get(policy::trunks))
        .route("/core/trunks/{id}", get(policy::trunk))
        .route("/core/ws", get(live::open))
        .route("/o/{token}", get(opt_out_page::show).post(opt_out_page::act));
    routes
        .merge(people())
        .merge(routing())
        .merge(telephony())
        .merge(edge::routes())
        .fallback(panel::serve)
        .layer(axum::middleware::from_fn_with_state(state.clone(), idempotency::guard))
        .layer(axum::middleware::from_fn_with_state(state.clone(), envelope::wrap))
        .with_state(state)
}

/// Facts of people, one by one and all together.
fn people() -> Router<HttpState> {
    use self::core::{batch, facts, history, limits, opt_out_link, outbox, presence_list, reach, slots};

    Router::new()
        .route("/core/agents/presence", get(presence_list::list))
        .route("/core/presence/batch", post(batch::write))
        .route("/core/agents/{uuid}/presence/history", get(history::list))
        .route("/core/agents/{uuid}/slots", get(slots::show).put(slots::set))
        .route("/core/agents/{uuid}/pause", put(facts::pause).delete(facts::unpause))
        .route("/core/agents/{uuid}/dnd", put(facts::dnd).delete(facts::end_dnd))
        .route("/core/agents/{uuid}/opt-out", put(facts::opt_out).delete(facts::resume))
        .route("/core/agents/{uuid}/work-anyway", put(facts::work_anyway).delete(facts::work_as_scheduled))
        .route("/core/agents/{uuid}/reach", get(reach::person))
        .route("/core/agents/{uuid}/opt-out-link", post(opt_out_link::send).delete(opt_out_link::revoke))
        .route("/core/outbox", get(outbox::list))
        .route("/core/limits", get(limits::show))
}

/// Telephony settings and call flows.
fn telephony() -> Router<HttpState> {
    use self::core::{audio, flows, telephony};

    Router::new()
        .route("/core/telephony", get(telephony::read).put(telephony::replace))
        .route("/core/telephony/status", get(telephony::status))
        .route("/core/phones/{username}/password", post(telephony::phone_password))
        .route("/core/audio", get(audio::list).post(audio::upload))
        .route("/core/audio/speech", post(audio::speak))
        .route("/core/audio/jobs/{id}", get(audio::job))
        .route("/core/audio/{id}", get(audio::play).delete(audio::delete))
        .route("/core/flows", get(flows::list).post(flows::create))
        .route("/core/flows/{id}", get(flows::show))
        .route("/core/flows/{id}/draft", get(flows::draft).put(flows::save_draft).delete(flows::delete_draft))
        .route("/core/flows/{id}/check", post(flows::check))
        .route("/core/flows/{id}/preview", post(flows::preview))
        .route("/core/flows/{id}/publish", post(flows::publish))
        .route("/core/flows/{id}/disable", post(flows::disable))
        .route("/core/flows/{id}/enable", post(flows::enable))
        .route("/core/flows/{id}/versions", get(flows::versions))
        .route("/core/flows/{id}/versions/{number}", get(flows::version))
        .route("/core/flows/{id}/versions/{number}/restore", post(flows::restore))
}

/// The routing policy, and questions about routing.
fn routing() -> Router<HttpState> {
    use self::core::{blocked, emergencies, lines, reach, route, routing_policy};

    Router::new()
        .route("/core/reachability", get(reach::matrix))
        .route("/core/policy", get(routing_policy::read).put(routing_policy::replace))
        .route("/core/policy/check", post(routing_policy::check))
        .route("/core/blocked", get(blocked::list).post(blocked::block))
        .route("/core/blocked/{number}", delete(blocked::unblock))
        .route("/core/emergencies", get(emergencies::list).post(emergencies::start))
        .route("/core/emergencies/{id}", delete(emergencies::stop))
        .route("/core/departments/{id}/line", get(lines::line))
        .route("/core/callbacks", get(lines::callbacks))
        .route("/core/callbacks/{uid}/done", post(lines::done))
        .route("/core/route/simulate", post(route::simulate))
        .route("/core/route/replay", post(route::replay))
}
