//! The edge worker in workerd, on a port and with storage of its own.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use tokio::process::Command;

use crate::api::Api;
use crate::journey::Journey;
use crate::process::Program;
use crate::stack::Stack;
use crate::wait::until;
use crate::{port, tools};

/// How long workerd may take to its first answer.
const START: Duration = Duration::from_secs(20);

/// An edge that is known to a server before it runs: its address and its keys.
#[derive(Debug, Clone)]
pub struct EdgePlan {
    /// Its HTTP port.
    pub http: u16,
    secret: String,
    public: String,
}

/// A running edge.
#[derive(Debug)]
pub struct Edge {
    program: Program,
    plan: EdgePlan,
}

impl EdgePlan {
    /// Makes the keys and takes a port.
    pub fn new() -> Result<Self> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| anyhow!("no random bytes: {error}"))?;
        let pair = SigningKey::from_bytes(&secret);
        Ok(Self {
            http: port::free()?,
            secret: BASE64_URL_SAFE_NO_PAD.encode(secret),
            public: BASE64_URL_SAFE_NO_PAD.encode(pair.verifying_key().as_bytes()),
        })
    }

    /// The address it will have.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }

    /// What the server has to be started with.
    pub fn server_arguments(&self) -> Vec<String> {
        vec!["--edge-url".to_owned(), self.url(), "--edge-public-key".to_owned(), self.public.clone()]
    }

    /// Starts the edge beside its server and waits until it answers.
    pub async fn start(&self, journey: &Journey, stack: &Stack) -> Result<Edge> {
        let folder = journey.scratch("edge")?;
        let (objects, log) = (folder.join("objects"), folder.join("edge.log"));
        fs::create_dir_all(&objects)?;
        journey.watch_log(&log);
        let key = |name: &str| {
            let path = stack.data().join("keys").join(name);
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            anyhow::Ok(text.trim().to_owned())
        };
        let mut command = Command::new(tools::workerd()?);
        command.arg("serve").arg(tools::edge_config()?).args(["config", "--directory-path"]);
        command.arg(format!("objects={}", objects.display()));
        command.arg("--socket-addr").arg(format!("http=127.0.0.1:{}", self.http));
        command.env("TOKEN_PUBLIC_KEY", key("token.pub")?).env("FEED_PUBLIC_KEY", key("feed.pub")?);
        command.env("EDGE_PRIVATE_KEY", &self.secret).env("SERVER_URL", stack.url());
        let program = Program::start("the edge", command, &log)?;
        let api = Api::at(&self.url())?;
        until("the edge's first answer", START, async || {
            program.check()?;
            api.get("/").await
        })
        .await?;
        Ok(Edge { program, plan: self.clone() })
    }
}

impl Edge {
    /// The API at the edge, without a token.
    pub fn api(&self) -> Result<Api> {
        Api::at(&self.plan.url())
    }

    /// Kills it. workerd may wait for ever for one hung request when it is only asked to end.
    pub async fn kill(&self) -> Result<()> {
        self.program.kill().await
    }
}
