//! `cargo xtask run`: the whole product on this machine, with the demo company in it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::child::{self, Running};
use crate::panel::Flavor;
use crate::port::{self, Use};
use crate::{edge, panel, say, tools, workspace};

/// How long the server may take to its first answer, with the demo company to fill in.
const START: Duration = Duration::from_mins(1);
/// Days of past calls in the demo company.
const HISTORY_DAYS: &str = "21";
/// What `demo.json` tells; more stands in it.
#[derive(Debug, Deserialize)]
struct Demo {
    users: Vec<User>,
    #[serde(default)]
    numbers: Vec<Number>,
}

#[derive(Debug, Deserialize)]
struct User {
    name: String,
    role: String,
    email: String,
    password: String,
    extension: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Number {
    number: String,
    goes_to: String,
}

/// Builds the panel and the server's binary with the panel inside, and gives the binary's path.
pub(crate) fn build() -> Result<PathBuf> {
    tools::ensure_debian(&tools::BUILD)?;
    panel::build(Flavor::Release)?;
    say::step("compile the server (release)", || {
        workspace::run(workspace::cargo().args([
            "build",
            "--release",
            "--package",
            "cordboard-server",
            "--bin",
            "cordboard",
        ]))
    })?;
    Ok(workspace::cargo_target().join("release").join("cordboard"))
}

/// Builds all, starts the server on free ports, says where it is and who may sign in, and serves until interrupted.
pub(crate) fn run(data: &Path) -> Result<()> {
    let binary = build()?;
    let interrupted = child::interrupt()?;
    let http = port::free(8080, Use::Tcp)?;
    let sip = port::free(5060, Use::Both)?;
    let webrtc = port::free(8082, Use::Udp)?;
    let rtp = port::free_block(20_000, 1_000)?;

    let mut command = Command::new(binary);
    command
        .current_dir(workspace::root())
        .args(["serve", "--demo", "--demo-history", HISTORY_DAYS, "--data-dir"])
        .arg(data);
    command.arg("--http").arg(format!("127.0.0.1:{http}"));
    command.arg("--sip").arg(format!("127.0.0.1:{sip}"));
    command.arg("--webrtc").arg(format!("127.0.0.1:{webrtc}"));
    command.arg("--rtp-ports").arg(format!("{}-{}", rtp.start(), rtp.end()));
    // Pages that `trunk serve` gives may use the API too.
    command.arg("--allowed-origin").arg(format!("http://127.0.0.1:{}", port::TRUNK));
    // The edge may be started beside it at any time, so the server knows its address and key from the beginning.
    command.arg("--edge-url").arg(edge::url()).arg("--edge-public-key").arg(edge::public_key(data)?);
    let mut server = [Running::start("cordboard", &mut command)?];
    await_health(&mut server[0], http)?;

    let demo = data.join("demo.json");
    let demo = fs::read_to_string(&demo).with_context(|| format!("cannot read {}", demo.display()))?;
    introduce(&serde_json::from_str(&demo).context("demo.json is not as expected")?, http, sip);
    child::attend(&mut server, &interrupted)
}

/// Waits for the server's `/health`.
fn await_health(server: &mut Running, port: u16) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < START {
        server.check()?;
        if healthy(port).unwrap_or(false) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
    bail!("the server did not answer on port {port} within {} s", START.as_secs())
}

fn healthy(port: u16) -> Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream
        .write_all(format!("GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}

fn introduce(demo: &Demo, http: u16, sip: u16) {
    say::line("");
    say::line(format!("Cordboard is at   http://127.0.0.1:{http}"));
    say::line(format!("SIP is at         127.0.0.1:{sip} (UDP)"));
    say::line("");
    say::line(format!("{:<14} {:<9} {:<4} {:<26} {}", "Name", "Role", "Ext", "Email", "Password"));
    for user in &demo.users {
        let extension = user.extension.as_deref().unwrap_or("");
        say::line(format!("{:<14} {:<9} {:<4} {:<26} {}", user.name, user.role, extension, user.email, user.password));
    }
    say::line("");
    for number in &demo.numbers {
        say::line(format!("{:<15} goes to {}", number.number, number.goes_to));
    }
    say::line("");
    say::line("Sign in as Asha Rao, press \"Check this device\", then \"Place a test call\". Ctrl-C ends it all.");
}
