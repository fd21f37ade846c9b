//! What a back-to-back user agent gets wrong at first, one SIPp scenario each, on real sockets.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use cordboard_sip::endpoint::{Destination, OutboundTrunk};
use cordboard_sip::message::NameAddr;
use cordboard_sip::{Command, Event, Invitation, TrunkId};

use crate::shell::{Shell, free_port, sipp};

const SDP: &[u8] =
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 20000 RTP/AVP 0\r\n";

/// SIPp with a scenario of ours; repeats are written out there, not made by SIPp.
fn scenario(name: &str, arguments: &[&str]) -> Child {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sipp/scenarios").join(name).with_extension("xml");
    let file = file.to_str().unwrap();
    sipp(&[&["-sf", file, "-m", "1", "-nr"], arguments].concat())
}

/// SIPp calls us.
fn called_by(name: &str, app: impl FnMut(&mut Shell, Event)) {
    let mut shell = Shell::new();
    let mut sipp = scenario(name, &[&shell.address.to_string()]);
    shell.run_while(&mut sipp, app);
    assert!(sipp.wait().unwrap().success(), "{name}: SIPp says no");
    shell.expect_idle();
}

/// We call SIPp.
fn calling(name: &str, app: impl FnMut(&mut Shell, Event)) {
    let mut shell = Shell::new();
    let port = free_port();
    let mut sipp = scenario(name, &["-p", &port.to_string()]);
    let peer = SocketAddr::from(([127, 0, 0, 1], port));
    dial(&mut shell, peer.into());
    shell.run_while(&mut sipp, app);
    assert!(sipp.wait().unwrap().success(), "{name}: SIPp says no");
    shell.expect_idle();
}

fn dial(shell: &mut Shell, destination: Destination) {
    let dialog = shell.endpoint.new_dialog_id();
    let to = "sip:b@127.0.0.1".parse().unwrap();
    let from = NameAddr::parse(&format!("<sip:test@{}>", shell.address)).unwrap();
    shell.command(Invitation::new(dialog, to, from, destination, SDP.to_vec()).into());
}

fn accept(shell: &mut Shell, event: Event) {
    if let Event::Incoming(call) = event {
        shell.command(Command::Accept { dialog: call.dialog, sdp: SDP.to_vec() });
    }
}

fn hang_up_when_answered(shell: &mut Shell, event: &Event) {
    if let Event::Answered { dialog, .. } = *event {
        shell.command(Command::HangUp { dialog });
    }
}

#[test]
fn our_2xx_is_repeated_until_its_ack_and_not_after_it() {
    called_by("answer_repeated_until_ack", accept);
}

#[test]
fn a_2xx_is_acknowledged_at_once_and_each_time() {
    let mut answered = 0;
    calling("each_answer_acknowledged", |_, event| answered += u32::from(matches!(event, Event::Answered { .. })));
    assert_eq!(answered, 1);
}

#[test]
fn every_request_in_a_dialog_carries_the_route_set() {
    calling("route_set", |shell, event| match event {
        Event::Answered { dialog, .. } => {
            let (content_type, body) = ("text/plain".to_owned(), b"x".to_vec());
            shell.command(Command::Info { dialog, content_type, body });
            shell.command(Command::Offer { dialog, sdp: SDP.to_vec() });
        }
        Event::OfferAnswered { dialog, .. } => shell.command(Command::HangUp { dialog }),
        other => assert!(matches!(other, Event::Ended { .. }), "{other:?}"),
    });
}

#[test]
fn an_ack_is_never_answered() {
    called_by("ack_never_answered", |shell, event| {
        if let Event::Incoming(call) = event {
            let reject = Command::Reject { dialog: call.dialog, status: 486, retry_after: None, reason: None };
            shell.command(reject);
        }
    });
}

#[test]
fn a_cancel_has_no_tag_and_a_crossing_answer_is_hung_up() {
    calling("cancel_crosses_answer", |shell, event| {
        if let Event::Progress { dialog, .. } = event {
            shell.command(Command::HangUp { dialog });
        }
    });
}

#[test]
fn a_reinvite_before_the_ack_draws_491() {
    called_by("reinvite_before_ack", accept);
}

#[test]
fn an_abandoned_call_is_cancelled() {
    calling("abandoned_call_cancelled", |shell, event| {
        if let Event::Progress { dialog, .. } = event {
            shell.command(Command::HangUp { dialog });
        }
    });
}

#[test]
fn a_bye_that_overtakes_the_ack_ends_the_call() {
    called_by("bye_overtakes_ack", accept);
}

#[test]
fn a_reliable_progress_is_acknowledged() {
    calling("reliable_progress", |shell, event| hang_up_when_answered(shell, &event));
}

#[test]
fn a_transfer_is_taken_on_and_told_about() {
    called_by("transfer", |shell, event| match event {
        Event::Refer(transfer) => {
            let dialog = transfer.dialog;
            shell.command(Command::AcceptRefer { dialog });
            shell.command(Command::NotifyRefer { dialog, status: 200, end: true });
        }
        other => accept(shell, other),
    });
}

#[test]
fn a_session_interval_below_ours_is_refused() {
    called_by("interval_too_small", |_, event| panic!("{event:?}"));
}

/// Calls by a trunk whose first target is `first`, whose second one is SIPp; says how long the answer took.
fn failover(first: SocketAddr, mut run_first: impl FnMut() -> Option<Child>) -> Duration {
    let mut shell = Shell::new();
    let port = free_port();
    let mut sipp = sipp(&["-sn", "uas", "-m", "1", "-p", &port.to_string()]);
    let mut refusing = run_first();
    let id = TrunkId("main".to_owned());
    let second = SocketAddr::from(([127, 0, 0, 1], port));
    let trunk = OutboundTrunk::new(id.clone(), vec![first.into(), second.into()]);
    shell.command(Command::SetOutboundTrunks(vec![trunk]));
    let start = Instant::now();
    dial(&mut shell, id.into());
    let mut took = None;
    shell.run_while(&mut sipp, |shell, event| {
        if matches!(event, Event::Answered { .. }) {
            took = Some(start.elapsed());
        }
        hang_up_when_answered(shell, &event);
    });
    assert!(sipp.wait().unwrap().success());
    if let Some(refusing) = &mut refusing {
        assert!(refusing.wait().unwrap().success());
    }
    took.expect("an answer")
}

#[test]
fn a_silent_target_costs_less_than_four_seconds() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let took = failover(silent.local_addr().unwrap(), || None);
    assert!((Duration::from_secs(3)..Duration::from_secs(4)).contains(&took), "{took:?}");
}

#[test]
fn a_full_target_costs_less_than_a_second() {
    let port = free_port();
    let took =
        failover(SocketAddr::from(([127, 0, 0, 1], port)), || Some(scenario("full", &["-p", &port.to_string()])));
    assert!(took < Duration::from_secs(1), "{took:?}");
}
