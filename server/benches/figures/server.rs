//! The real server beside this program: the same binary, on loopback, with the demo company and without rate limits.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use cordboard_server::demo::DemoFile;

/// How long it may take to its first answer; a million entries are folded in less.
const START: Duration = Duration::from_mins(2);

/// A process that is killed with this value.
struct Process(Child);

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
        let child = Command::new(binary())
            .args(["serve", "--demo", "--no-rate-limits", "--rtp-ports", "0", "--data-dir"])
            .arg(data)
            .args(["--http", &http.to_string(), "--sip", &sip.to_string(), "--webrtc", &webrtc.to_string()])
            .env("RUST_LOG", "warn")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start the server")?;
        let mut process = Process(child);
        while !healthy(http) {
            ensure!(begun.elapsed() < START, "the server did not answer within {} s", START.as_secs());
            ensure!(process.0.try_wait()?.is_none(), "the server has ended");
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(Self { process, http, sip, started_in: begun.elapsed(), demo: DemoFile::read(data)? })
    }

    /// Asks it to end and waits until it has.
    pub(crate) fn stop(mut self) -> Result<()> {
        Command::new("kill").arg(self.process.0.id().to_string()).status()?;
        let begun = Instant::now();
        while self.process.0.try_wait()?.is_none() {
            ensure!(begun.elapsed() < START, "the server does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// The token of somebody who may change everybody.
    pub(crate) fn admin_token(&self) -> Result<&str> {
        let admin = self.demo.users.iter().find(|user| user.name.starts_with("Meera")).context("no admin")?;
        Ok(&admin.api_token)
    }

    /// Processor time it has used so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.0.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        // proc(5): utime and stime are fields 14 and 15, in hundredths of a second on Linux.
        let ticks: u64 = fields.iter().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Ok(Duration::from_millis(ticks * 10))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The server's binary, built with this program.
fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_cordboard"))
}

fn free() -> Result<SocketAddr> {
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = tcp.local_addr()?;
        if UdpSocket::bind(address).is_ok() {
            return Ok(address);
        }
    }
}

fn healthy(address: SocketAddr) -> bool {
    let ask = || -> Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}
