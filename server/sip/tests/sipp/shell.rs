//! What stands around the endpoint in these tests: a socket with a loop, and SIPp.

use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use cordboard_sip::{Command, Endpoint, EndpointConfig, Event, Input, Limits, Output, Stats, Target};

pub(crate) fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(crate) fn sipp(arguments: &[&str]) -> Child {
    let mut command = Process::new("sipp");
    command.args(arguments).args(["-i", "127.0.0.1", "-nostdin", "-timeout", "60s", "-timeout_error"]);
    if !arguments.contains(&"-p") {
        command.args(["-p", &free_port().to_string()]);
    }
    command
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("SIPp must be installed: Debian package sip-tester")
}

/// The smallest shell around the core: one socket, one loop.
pub(crate) struct Shell {
    socket: UdpSocket,
    pub(crate) address: SocketAddr,
    pub(crate) endpoint: Endpoint,
    events: Vec<Event>,
    deadline: Option<Instant>,
}

impl Shell {
    pub(crate) fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let local = socket.local_addr().unwrap();
        let (realm, user_agent) = ("test".to_owned(), "test".to_owned());
        let config = EndpointConfig { local: local.into(), realm, user_agent, limits: Limits::default() };
        Self { socket, address: local, endpoint: Endpoint::new(config, 1), events: Vec::new(), deadline: None }
    }

    pub(crate) fn command(&mut self, command: Command) {
        self.feed(Instant::now(), Input::Command(command));
    }

    fn feed(&mut self, now: Instant, input: Input) {
        self.endpoint.handle_input(now, input);
        loop {
            match self.endpoint.poll_output() {
                Output::Transmit { to: Target::Udp(to), bytes } => {
                    self.socket.send_to(&bytes, to).unwrap();
                }
                Output::Transmit { to, .. } => panic!("{to:?} over UDP"),
                Output::Close { flow } => panic!("{flow:?} over UDP"),
                Output::Event(event) => self.events.push(event),
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    return;
                }
            }
        }
    }

    pub(crate) fn run_while(&mut self, sipp: &mut Child, mut app: impl FnMut(&mut Self, Event)) {
        let limit = Instant::now() + Duration::from_secs(90);
        let mut buffer = vec![0; 65_536];
        while sipp.try_wait().unwrap().is_none() {
            assert!(Instant::now() < limit, "SIPp did not finish");
            let now = Instant::now();
            let patience = self.deadline.map_or(Duration::from_millis(20), |at| at.saturating_duration_since(now));
            let patience = patience.clamp(Duration::from_millis(1), Duration::from_millis(20));
            self.socket.set_read_timeout(Some(patience)).unwrap();
            let input = match self.socket.recv_from(&mut buffer) {
                Ok((length, from)) => Input::Datagram { from, bytes: buffer[..length].to_vec() },
                Err(_) => Input::Timeout,
            };
            self.feed(Instant::now(), input);
            for event in std::mem::take(&mut self.events) {
                app(self, event);
            }
        }
    }

    /// The linger timers are virtual time to the core: nobody has to wait for them.
    pub(crate) fn expect_idle(&mut self) {
        self.feed(Instant::now() + Duration::from_secs(75), Input::Timeout);
        assert_eq!(self.endpoint.stats(), Stats::default());
    }
}
