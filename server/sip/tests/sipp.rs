//! The endpoint on a real socket against SIPp, as callee and as caller.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use cordboard_sip::message::NameAddr;
use cordboard_sip::sdp::{AudioCodec, Direction, SessionDescription, answer, offer};
use cordboard_sip::{Command, Endpoint, EndpointConfig, Event, Input, Invitation, Limits, Output, Stats, Target};

const CALLS: u32 = 200;

#[test]
fn sipp_calls_us_200_times() {
    let mut shell = Shell::new();
    let own = shell.address.to_string();
    let mut sipp = sipp(&["-sn", "uac", &own, "-r", "50", "-m", "200", "-d", "300"]);
    let mut confirmed = 0;
    let mut ended = 0;

    shell.run_while(&mut sipp, |shell, event| match event {
        Event::Incoming(call) => {
            let dialog = call.dialog;
            shell.command(Command::Progress { dialog, status: 180, sdp: None });
            let theirs = SessionDescription::parse(&call.sdp.unwrap()).unwrap();
            let (ours, _) = answer(&theirs, rtp(), 1, 1, &[AudioCodec::Pcmu]).unwrap();
            shell.command(Command::Accept { dialog, sdp: ours.to_bytes() });
        }
        Event::Confirmed { .. } => confirmed += 1,
        Event::Ended { .. } => ended += 1,
        other => panic!("unexpected {other:?}"),
    });

    assert!(sipp.wait().unwrap().success(), "SIPp counts failed calls");
    assert_eq!((confirmed, ended), (CALLS, CALLS));
    shell.expect_idle();
}

#[test]
fn we_call_sipp_50_times() {
    let mut shell = Shell::new();
    let port = free_port();
    let destination = SocketAddr::from(([127, 0, 0, 1], port));
    let mut sipp = sipp(&["-sn", "uas", "-m", "50", "-p", &port.to_string()]);
    for _ in 0..50 {
        let dialog = shell.endpoint.new_dialog_id();
        let to = format!("sip:service@{destination}").parse().unwrap();
        let from = NameAddr::parse(&format!("\"Cordboard\" <sip:test@{}>", shell.address)).unwrap();
        let sdp = offer(rtp(), 1, 1, &[AudioCodec::Pcmu, AudioCodec::Pcma], Direction::SendRecv).to_bytes();
        shell.command(Invitation::new(dialog, to, from, destination, sdp).into());
    }
    let mut answered = 0;
    let mut ended = 0;

    shell.run_while(&mut sipp, |shell, event| match event {
        Event::Progress { status, .. } => assert_eq!(status, 180),
        Event::Answered { dialog, sdp } => {
            answered += 1;
            SessionDescription::parse(&sdp.unwrap()).unwrap();
            shell.command(Command::HangUp { dialog });
        }
        Event::Ended { .. } => ended += 1,
        other => panic!("unexpected {other:?}"),
    });

    assert!(sipp.wait().unwrap().success(), "SIPp counts failed calls");
    assert_eq!((answered, ended), (50, 50));
}

fn rtp() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 20_000))
}

fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn sipp(arguments: &[&str]) -> Child {
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
struct Shell {
    socket: UdpSocket,
    address: SocketAddr,
    endpoint: Endpoint,
    events: Vec<Event>,
    deadline: Option<Instant>,
}

impl Shell {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let local = socket.local_addr().unwrap();
        let (realm, user_agent) = ("test".to_owned(), "test".to_owned());
        let config = EndpointConfig { local: local.into(), realm, user_agent, limits: Limits::default() };
        Self { socket, address: local, endpoint: Endpoint::new(config, 1), events: Vec::new(), deadline: None }
    }

    fn command(&mut self, command: Command) {
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

    fn run_while(&mut self, sipp: &mut Child, mut app: impl FnMut(&mut Self, Event)) {
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
    fn expect_idle(&mut self) {
        self.feed(Instant::now() + Duration::from_secs(75), Input::Timeout);
        assert_eq!(self.endpoint.stats(), Stats::default());
    }
}
