//! A started server with the demo company in a folder of its own, on ports nobody else uses.

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tokio::process::Command;

use crate::api::Api;
use crate::browser::Tab;
use crate::journey::Journey;
use crate::process::Program;
use crate::wait::until;
use crate::{port, tools};

/// How long the server may take to its first answer; filling the demo company hashes nine passwords.
const START: Duration = Duration::from_mins(1);
/// How long the server may take to end after it was asked to.
const STOP: Duration = Duration::from_secs(20);
/// How long a page may take to show what it is asked for.
pub const SOON: Duration = Duration::from_secs(10);
/// UDP ports for RTP.
const RTP_PORTS: u16 = 120;

/// What may differ from one stack to another.
#[derive(Debug, Default)]
pub struct Options {
    /// More arguments of `cordboard serve`.
    pub arguments: Vec<String>,
}

/// What `demo.json` tells.
#[derive(Debug, Deserialize)]
pub struct Demo {
    /// The people.
    pub users: Vec<Person>,
    /// The departments.
    pub departments: Vec<Department>,
}

/// One person of the demo company.
#[derive(Debug, Clone, Deserialize)]
pub struct Person {
    /// First and last name.
    pub name: String,
    /// What they may do.
    pub role: String,
    /// What they sign in with.
    pub email: String,
    /// What they sign in with.
    pub password: String,
    /// Their id.
    pub uuid: String,
    /// A token of the public API.
    pub api_token: String,
}

/// One department of the demo company.
#[derive(Debug, Clone, Deserialize)]
pub struct Department {
    /// Its short name.
    pub slug: String,
    /// Its id.
    pub uuid: String,
}

/// A server.
#[derive(Debug)]
pub struct Stack {
    /// The HTTP port.
    pub http: u16,
    /// The SIP port.
    pub sip: u16,
    /// What `demo.json` tells.
    pub demo: Demo,
    data: PathBuf,
    log: PathBuf,
    command: Vec<String>,
    program: Mutex<Arc<Program>>,
    binary: PathBuf,
}

impl Stack {
    /// Starts a server with the demo company and waits until it serves.
    pub(crate) async fn start(journey: &Journey, options: Options) -> Result<Self> {
        let binary = tools::cordboard()?;
        let folder = journey.scratch("server")?;
        let (data, log) = (folder.join("data"), folder.join("server.log"));
        journey.watch_log(&log);
        let (http, sip, webrtc) = (port::free()?, port::free()?, port::free()?);
        let rtp: RangeInclusive<u16> = port::block(RTP_PORTS)?;
        let mut command: Vec<String> = ["serve", "--demo", "--data-dir"].map(String::from).into();
        command.push(data.display().to_string());
        for (flag, value) in [
            ("--http", format!("127.0.0.1:{http}")),
            ("--sip", format!("127.0.0.1:{sip}")),
            ("--webrtc", format!("127.0.0.1:{webrtc}")),
            ("--rtp-ports", format!("{}-{}", rtp.start(), rtp.end())),
        ] {
            command.extend([flag.to_owned(), value]);
        }
        command.extend(options.arguments);
        let program = launch(&binary, &command, &log)?;
        await_health(&program, http).await?;
        let demo = data.join("demo.json");
        let demo = fs::read_to_string(&demo).with_context(|| format!("cannot read {}", demo.display()))?;
        let demo = serde_json::from_str(&demo).context("demo.json is not as expected")?;
        Ok(Self { http, sip, demo, data, log, command, program: Mutex::new(program.into()), binary })
    }

    /// The address of the panel and the API.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }

    /// The API without a token.
    pub fn api(&self) -> Result<Api> {
        Api::at(&self.url())
    }

    /// The API with a person's token, found by their first name.
    pub fn api_as(&self, first_name: &str) -> Result<Api> {
        Ok(self.api()?.with_token(&self.person(first_name)?.api_token))
    }

    /// A person, found by their first name.
    pub fn person(&self, first_name: &str) -> Result<&Person> {
        let found = self.demo.users.iter().find(|person| person.name.split(' ').next() == Some(first_name));
        found.with_context(|| format!("nobody in the demo company is called {first_name}"))
    }

    /// The folder of the database, keys and recordings.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The running program.
    pub fn program(&self) -> Arc<Program> {
        Arc::clone(&self.program.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Kills the server as a power cut would.
    pub async fn kill(&self) -> Result<()> {
        self.program().kill().await
    }

    /// Asks the server to end and waits until it has.
    pub async fn stop(&self) -> Result<()> {
        let status = self.program().stop(STOP).await?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }

    /// Starts the server again on the same data and ports.
    pub async fn start_again(&self) -> Result<()> {
        let program = launch(&self.binary, &self.command, &self.log)?;
        await_health(&program, self.http).await?;
        *self.program.lock().unwrap_or_else(PoisonError::into_inner) = program.into();
        Ok(())
    }

    /// Makes a call flow of a single node, in the database of the stopped server: the API cannot change flows yet.
    pub async fn set_flow(&self, slug: &str, node: &serde_json::Value) -> Result<()> {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.data.join("cordboard.sqlite"));
        let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        let changed = sqlx::query(
            "UPDATE flow SET body = json_set(body, '$.start', 'only', '$.nodes', json_object('only', json($1)))
             WHERE slug = $2",
        )
        .bind(node.to_string())
        .bind(slug)
        .execute(&pool)
        .await?;
        pool.close().await;
        ensure!(changed.rows_affected() == 1, "there is no flow {slug}");
        Ok(())
    }

    /// Resident memory in bytes.
    pub fn resident_memory(&self) -> Result<u64> {
        let id = self.program().id().context("the server does not run")?;
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes * 1_024)
    }

    /// Signs a person in and waits for the desk.
    pub async fn sign_in(&self, tab: &Tab, first_name: &str) -> Result<()> {
        let person = self.person(first_name)?;
        tab.goto(&format!("{}/sign-in", self.url())).await?;
        // The person has "Clean up my voice" off on the Devices page: a steady tone would be taken for noise.
        tab.evaluate("localStorage.setItem('cordboard.clean-voice', 'off')").await?;
        tab.role("textbox", "Email").fill(&person.email).await?;
        tab.role("textbox", "Password").fill(&person.password).await?;
        tab.button("Sign in").click().await?;
        tab.role("switch", "Call availability").expect(SOON).await?;
        tab.expect_text("#link-state", "Live", SOON).await
    }

    /// Signs a person in and makes their device ready for calls.
    pub async fn at_work(&self, tab: &Tab, first_name: &str) -> Result<()> {
        self.sign_in(tab, first_name).await?;
        tab.button("Check this device").click().await?;
        tab.expect_text("#device-state", "Ready", SOON).await?;
        tab.expect_text("#availability-word", "Available", SOON).await
    }
}

fn launch(binary: &Path, arguments: &[String], log: &Path) -> Result<Program> {
    let mut command = Command::new(binary);
    command.args(arguments).env("RUST_BACKTRACE", "1");
    Program::start("the server", command, log)
}

async fn await_health(program: &Program, port: u16) -> Result<()> {
    let api = Api::at(&format!("http://127.0.0.1:{port}"))?;
    until("the server's /health", START, async || {
        // A server that ended will not answer: say so at once in the last look.
        program.check()?;
        let answer = api.get("/health").await?;
        ensure!(answer.status.is_success() && answer.json()?["status"] == "ok", "{}", answer.text());
        anyhow::Ok(())
    })
    .await
}
