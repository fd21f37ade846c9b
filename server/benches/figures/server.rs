//! The real server beside this program: the same binary, on loopback, with the demo company and without rate limits.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use cordboard_server::demo::DemoFile;

use crate::process::{Process, free, healthy, server};

/// A started server.
pub(crate) struct Server {
    process: Process,
    pub(crate) http: SocketAddr,
    pub(crate) sip: SocketAddr,
    pub(crate) demo: DemoFile,
    /// From the start of the process to the first answer.
    pub(crate) started_in: Duration,
}

impl Server {
    pub(crate) fn start(data: &Path) -> Result<Self> {
        let [http, sip, webrtc] = [free()?, free()?, free()?];
        let begun = Instant::now();
        let mut process = Process::start(server(data, [http, sip, webrtc]).arg("--demo"))?;
        process.await_ready(|| healthy(http))?;
        Ok(Self { process, http, sip, started_in: begun.elapsed(), demo: DemoFile::read(data)? })
    }

    /// Asks it to end and waits until it has.
    pub(crate) fn stop(self) -> Result<()> {
        self.process.stop()
    }

    /// The token of somebody who may change everybody.
    pub(crate) fn admin_token(&self) -> Result<&str> {
        let admin = self.demo.users.iter().find(|user| user.name.starts_with("Meera")).context("no admin")?;
        Ok(&admin.api_token)
    }

    /// Processor time it has used so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        self.process.cpu()
    }
}
