//! The endpoint on a real socket against SIPp, as callee and as caller.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod shell;
mod traps;

use std::net::SocketAddr;

use cordboard_sip::message::NameAddr;
use cordboard_sip::sdp::{AudioCodec, Direction, SessionDescription, answer, offer};
use cordboard_sip::{Command, Event, Invitation};

use crate::shell::{Shell, free_port, sipp};

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
