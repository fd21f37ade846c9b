//! A toggle over HTTP: closed loop, each client sends its next when the last is answered. The clients are one thread
//! over kept-alive connections, so that most of the machine is the server's.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::peer;
use crate::server::Server;
use crate::{Figure, Section, Times};

/// With so many clients a database commits beside us.
const COMPARED: usize = 32;
/// Before the measurement, and in it.
const WARM_UP: Duration = Duration::from_secs(1);
const SPAN: Duration = Duration::from_secs(6);

pub(crate) fn measure() -> Result<Section> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(&folder.path().join("data"))?;
    let mut figures = Vec::new();
    let mut notes = vec![
        "SQLite, WAL, synchronous=FULL, rate limits off; every answer is 200 with \"changed\":true, so it is on disk and obeyed".to_owned(),
        "the demo company's nine people, so up to four clients write the same person at once".to_owned(),
        "the clients share the machine's cores with the server".to_owned(),
    ];
    for clients in [1, 32, 256] {
        let (figure, per_toggle) = load(&server, clients)?;
        notes.push(format!("{clients} clients: {:.1} µs of the server's processor time per toggle", per_toggle * 1e6));
        if clients != COMPARED {
            figures.push(figure);
            continue;
        }
        let figure =
            figure.goal("≥ 30,000/s at p99 ≤ 3 ms", |it| it.rate >= Some(30_000.0) && it.p99_within(3_000.0));
        match peer::update(clients)? {
            None => notes.push("PostgreSQL is not installed: nothing to compare with".to_owned()),
            Some((rate, times)) => {
                let peer = times.figure(format!("pgbench, one-row UPDATE, {clients} clients"), Some(rate));
                let ratio =
                    |own: Option<f64>, other: Option<f64>| own.zip(other).map_or(f64::NAN, |(own, other)| own / other);
                notes.push(format!(
                    "against pgbench in the same minute: {:.2} x the rate, {:.2} x the p99 (the goal, where it was set: \
                     1.30 x and 0.91 x)",
                    ratio(figure.rate, peer.rate),
                    ratio(figure.p99_us, peer.p99_us)
                ));
                figures.push(peer);
            }
        }
        figures.push(figure);
    }
    server.stop()?;
    Ok(Section { name: "Toggle over HTTP, real server: durable and obeyed".to_owned(), figures, notes })
}

struct Client {
    stream: TcpStream,
    head: String,
    number: usize,
    count: u64,
    sent: Instant,
    out: Vec<u8>,
    read: Vec<u8>,
}

fn load(server: &Server, clients: usize) -> Result<(Figure, f64)> {
    let mut poll = Poll::new()?;
    let mut all = Vec::new();
    for number in 0..clients {
        let agent = server.demo.users[number % server.demo.users.len()].uuid;
        let mut client = Client::connect(server.http, &agent.to_string(), server.admin_token()?, number)?;
        poll.registry().register(&mut client.stream, Token(number), Interest::READABLE | Interest::WRITABLE)?;
        all.push(client);
    }
    for client in &mut all {
        client.ask();
    }
    let begun = Instant::now();
    let mut times = Times::default();
    let mut cpu = server.cpu()?;
    let mut warm = false;
    let mut events = Events::with_capacity(1_024);
    while begun.elapsed() < WARM_UP + SPAN {
        if !warm && begun.elapsed() >= WARM_UP {
            (warm, times, cpu) = (true, Times::default(), server.cpu()?);
        }
        poll.poll(&mut events, Some(Duration::from_secs(1)))?;
        for event in &events {
            let client = &mut all[event.token().0];
            client.flush()?;
            while let Some(time) = client.answered()? {
                times.add(time);
                client.ask();
                client.flush()?;
            }
        }
    }
    let per_toggle = server.cpu()?.saturating_sub(cpu).as_secs_f64() / times.0.len().max(1) as f64;
    let rate = times.0.len() as f64 / SPAN.as_secs_f64();
    Ok((times.figure(format!("{clients} clients"), Some(rate)), per_toggle))
}

impl Client {
    fn connect(server: SocketAddr, agent: &str, token: &str, number: usize) -> Result<Self> {
        let stream = std::net::TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let head = format!(
            "POST /core/agents/{agent}/presence HTTP/1.1\r\nhost: {server}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: "
        );
        let stream = TcpStream::from_std(stream);
        Ok(Self { stream, head, number, count: 0, sent: Instant::now(), out: Vec::new(), read: Vec::new() })
    }

    fn ask(&mut self) {
        self.count += 1;
        let body = format!("{{\"state\":0,\"reason\":\"{}/{}\"}}", self.number, self.count);
        self.out.extend_from_slice(format!("{}{}\r\n\r\n{body}", self.head, body.len()).as_bytes());
        self.sent = Instant::now();
    }

    fn flush(&mut self) -> Result<()> {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(written) => drop(self.out.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads what is there; the time since the question when the answer is whole.
    fn answered(&mut self) -> Result<Option<Duration>> {
        let mut chunk = [0; 8_192];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(read) => self.read.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
        let head = std::str::from_utf8(&self.read[..end])?;
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .context("an answer without content-length")?
            .parse()?;
        if self.read.len() < end + 4 + length {
            return Ok(None);
        }
        let body = std::str::from_utf8(&self.read[end + 4..end + 4 + length])?;
        ensure!(head.starts_with("HTTP/1.1 200") && body.contains("\"changed\":true"), "{head}\n{body}");
        self.read.drain(..end + 4 + length);
        Ok(Some(self.sent.elapsed()))
    }
}
