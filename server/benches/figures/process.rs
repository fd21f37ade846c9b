//! A program under measurement: started on loopback, watched by what the system says of it, and ended with its value.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

/// How long it may take to its first answer; a million entries are folded in less.
const START: Duration = Duration::from_mins(2);

/// A running program that is killed with this value.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    /// Starts it; nobody reads what it says.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Ok(Self(child.with_context(|| format!("cannot start {}", command.get_program().display()))?))
    }

    /// Waits until it is ready.
    pub(crate) fn await_ready(&mut self, is_ready: impl Fn() -> bool) -> Result<()> {
        let begun = Instant::now();
        while !is_ready() {
            ensure!(begun.elapsed() < START, "the program did not answer within {} s", START.as_secs());
            ensure!(self.0.try_wait()?.is_none(), "the program has ended");
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Asks it to end and waits until it has.
    pub(crate) fn stop(mut self) -> Result<()> {
        Command::new("kill").arg(self.0.id().to_string()).status()?;
        let begun = Instant::now();
        while self.0.try_wait()?.is_none() {
            ensure!(begun.elapsed() < START, "the program does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Processor time it and its children have used so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let mut sum = Duration::ZERO;
        for entry in fs::read_dir("/proc")? {
            // Some end while the list is read.
            let Ok(stat) = fs::read_to_string(entry?.path().join("stat")) else { continue };
            let (process, rest) = stat.rsplit_once(')').unwrap_or_default();
            let process = process.split(' ').next().and_then(|id| id.parse().ok());
            let fields: Vec<u64> = rest.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
            // proc(5): the parent is field 4, utime and stime are 14 and 15, in hundredths of a second on Linux.
            if let [_, parent, ..] = fields[..]
                && (process == Some(self.0.id()) || parent == u64::from(self.0.id()))
            {
                sum += Duration::from_millis(fields.iter().skip(11).take(2).sum::<u64>() * 10);
            }
        }
        Ok(sum)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A command of the server's binary, built with this program, on these addresses and without rate limits.
pub(crate) fn server(data: &Path, [http, sip, webrtc]: [SocketAddr; 3]) -> Command {
    let mut command = Command::new(PathBuf::from(env!("CARGO_BIN_EXE_cordboard")));
    command
        .args(["serve", "--no-rate-limits", "--rtp-ports", "0", "--data-dir"])
        .arg(data)
        .args(["--http", &http.to_string(), "--sip", &sip.to_string(), "--webrtc", &webrtc.to_string()])
        .env("RUST_LOG", "warn");
    command
}

/// A loopback address whose port is free on TCP and UDP.
pub(crate) fn free() -> Result<SocketAddr> {
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = tcp.local_addr()?;
        if UdpSocket::bind(address).is_ok() {
            return Ok(address);
        }
    }
}

/// Whether a server says that it is well.
pub(crate) fn healthy(http: SocketAddr) -> bool {
    page(http, "/health").is_ok()
}

/// A page of a server.
pub(crate) fn page(http: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&http, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "GET {path}: {}", answer.lines().next().unwrap_or_default());
    Ok(answer)
}
