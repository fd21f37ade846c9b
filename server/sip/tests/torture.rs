//! The test messages of RFC 4475 and RFC 5118, whole, each at the section of its RFC: over UDP and over a stream.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use cordboard_sip::message::{Message, parse};
use cordboard_sip::{
    Command, Endpoint, EndpointConfig, Event, FlowId, Input, Limits, LocalAddresses, Opened, Output, Secret, SipUser,
    Stats, Transport,
};

/// What must come of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// A call at the application.
    Call,
    /// A response with this status.
    Status(u16),
    /// Nothing.
    Silence,
}

use Fate::{Call, Silence, Status};

/// File, over UDP, over a stream. 401, 405 and 481 stand where an endpoint refuses safely before it looks as deep as the
/// section is about; the header tests look there.
const MESSAGES: [(&str, Fate, Fate); 61] = [
    // A To tag of a dialog that is not there.
    ("rfc4475-3.1.1.1-wsinv", Status(481), Status(481)),
    ("rfc4475-3.1.1.2-intmeth", Status(501), Status(501)),
    ("rfc4475-3.1.1.3-esc01", Call, Call),
    ("rfc4475-3.1.1.4-escnull", Status(401), Status(401)),
    // "It is not REGISTER": an unknown method, whatever its escapes say.
    ("rfc4475-3.1.1.5-esc02", Status(501), Status(501)),
    ("rfc4475-3.1.1.6-lwsdisp", Status(200), Status(200)),
    ("rfc4475-3.1.1.7-longreq", Call, Call),
    // What follows the first message is ignored over UDP.
    ("rfc4475-3.1.1.8-dblreq", Status(401), Status(401)),
    ("rfc4475-3.1.1.9-semiuri", Status(200), Status(200)),
    ("rfc4475-3.1.1.10-transports", Status(200), Status(200)),
    ("rfc4475-3.1.1.11-mpart01", Status(405), Status(405)),
    ("rfc4475-3.1.1.12-unreason", Silence, Silence),
    ("rfc4475-3.1.1.13-noreason", Silence, Silence),
    ("rfc4475-3.1.2.1-badinv01", Status(400), Status(400)),
    // A stream waits for the rest.
    ("rfc4475-3.1.2.2-clerr", Status(400), Silence),
    ("rfc4475-3.1.2.3-ncl", Status(400), Status(400)),
    ("rfc4475-3.1.2.4-scalar02", Status(400), Status(400)),
    ("rfc4475-3.1.2.5-scalarlg", Silence, Silence),
    ("rfc4475-3.1.2.6-quotbal", Status(400), Status(400)),
    ("rfc4475-3.1.2.7-ltgtruri", Status(400), Status(400)),
    ("rfc4475-3.1.2.8-lwsruri", Status(400), Status(400)),
    ("rfc4475-3.1.2.9-lwsstart", Status(400), Status(400)),
    ("rfc4475-3.1.2.10-trws", Status(200), Status(200)),
    ("rfc4475-3.1.2.11-escruri", Status(400), Status(400)),
    // "An element wishing to be liberal in what it accepts could ignore the contents of the Date header field".
    ("rfc4475-3.1.2.12-baddate", Call, Call),
    ("rfc4475-3.1.2.13-regbadct", Status(401), Status(401)),
    ("rfc4475-3.1.2.14-badaspec", Status(400), Status(400)),
    ("rfc4475-3.1.2.15-baddn", Status(400), Status(400)),
    ("rfc4475-3.1.2.16-badvers", Status(505), Status(505)),
    ("rfc4475-3.1.2.17-mismatch01", Status(400), Status(400)),
    ("rfc4475-3.1.2.18-mismatch02", Status(400), Status(400)),
    ("rfc4475-3.1.2.19-bigcode", Silence, Silence),
    ("rfc4475-3.2.1-badbranch", Status(200), Status(200)),
    ("rfc4475-3.3.1-insuf", Status(400), Status(400)),
    ("rfc4475-3.3.2-unkscm", Status(416), Status(416)),
    ("rfc4475-3.3.3-novelsc", Status(416), Status(416)),
    ("rfc4475-3.3.4-unksm2", Status(401), Status(401)),
    ("rfc4475-3.3.5-bext01", Status(420), Status(420)),
    ("rfc4475-3.3.6-invut", Status(415), Status(415)),
    ("rfc4475-3.3.7-regaut01", Status(401), Status(401)),
    ("rfc4475-3.3.8-multi01", Status(400), Status(400)),
    ("rfc4475-3.3.9-mcl01", Status(400), Status(400)),
    ("rfc4475-3.3.10-bcast", Silence, Silence),
    ("rfc4475-3.3.11-zeromf", Status(483), Status(483)),
    ("rfc4475-3.3.12-cparam01", Status(401), Status(401)),
    ("rfc4475-3.3.13-cparam02", Status(401), Status(401)),
    ("rfc4475-3.3.14-regescrt", Status(401), Status(401)),
    ("rfc4475-3.3.15-sdp01", Status(406), Status(406)),
    // No Contact: nothing could be sent in the dialog it would make. On a stream it lacks its length, too.
    ("rfc4475-3.4.1-inv2543", Status(400), Status(400)),
    ("rfc5118-4.1-ipv6-good", Status(401), Status(401)),
    ("rfc5118-4.2-ipv6-bad", Status(400), Status(400)),
    ("rfc5118-4.3-port-ambiguous", Status(401), Status(401)),
    ("rfc5118-4.4-port-unambiguous", Status(401), Status(401)),
    ("rfc5118-4.5-via-received-param-with-delim", Status(401), Status(401)),
    ("rfc5118-4.5-via-received-param-no-delim", Status(401), Status(401)),
    ("rfc5118-4.6-ipv6-in-sdp", Call, Call),
    ("rfc5118-4.7-mult-ip-in-header", Call, Call),
    ("rfc5118-4.8-mult-ip-in-sdp", Call, Call),
    ("rfc5118-4.9-ipv4-mapped-ipv6", Call, Call),
    ("rfc5118-4.10-ipv6-bug-abnf-3-colons", Status(401), Status(401)),
    ("rfc5118-4.10-ipv6-correct-abnf-2-colons", Status(401), Status(401)),
];

#[test]
fn each_message_of_the_torture_tests_meets_its_fate_by_udp() {
    let mut failed = Vec::new();
    for (name, wanted, _) in MESSAGES {
        let from = SocketAddr::from(([192, 0, 2, 9], 5_060));
        let got = fate(vec![Input::Datagram { from, bytes: read(name) }]);
        failed.extend((got != wanted).then(|| format!("{name}: {got:?}, not {wanted:?}")));
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn each_message_of_the_torture_tests_meets_its_fate_on_a_stream() {
    let mut failed = Vec::new();
    for (name, _, wanted) in MESSAGES {
        let (flow, peer) = (FlowId(1), SocketAddr::from(([192, 0, 2, 9], 40_000)));
        let opened = Input::StreamOpened { flow, peer, transport: Transport::Tcp, opened: Opened::ByPeer };
        let bytes = read(name);
        let pieces = bytes.chunks(17).map(|piece| Input::StreamBytes { flow, bytes: piece.to_vec() });
        let got = fate(std::iter::once(opened).chain(pieces).collect());
        failed.extend((got != wanted).then(|| format!("{name}: {got:?}, not {wanted:?}")));
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/message").join(name)).unwrap()
}

/// The first thing that comes of these inputs.
fn fate(inputs: Vec<Input>) -> Fate {
    let local = LocalAddresses::udp(SocketAddr::from(([192, 0, 2, 1], 5_060)));
    let (realm, user_agent) = ("cordboard".to_owned(), "test".to_owned());
    let mut endpoint = Endpoint::new(EndpointConfig { local, realm, user_agent, limits: Limits::default() }, 1);
    let is_register = inputs.iter().any(|input| {
        let (Input::Datagram { bytes, .. } | Input::StreamBytes { bytes, .. }) = input else { return false };
        bytes.starts_with(b"REGISTER")
    });
    let mut now = Instant::now();
    // A registrar would ask for a password before it takes an INVITE of a stranger.
    if is_register {
        let secret = Secret::Password("open".to_owned());
        let users = vec![SipUser { username: "ada".to_owned(), secret }];
        endpoint.handle_input(now, Input::Command(Command::SetUsers(users)));
    }
    let mut seen = None;
    let mut note = |endpoint: &mut Endpoint| loop {
        match endpoint.poll_output() {
            Output::Event(Event::Incoming(call)) => {
                seen = Some(Call);
                return Some(call.dialog);
            }
            Output::Transmit { bytes, .. } => {
                // What is no message is the answer to a ping.
                if let Ok(Message::Response(response)) = parse(&bytes).map(|parsed| parsed.message)
                    && response.status > 100
                {
                    seen.get_or_insert(Status(response.status));
                }
            }
            Output::Event(_) | Output::Close { .. } => {}
            Output::Timeout(_) => return None,
        }
    };
    let begun = Instant::now();
    for input in inputs {
        endpoint.handle_input(now, input);
        while let Some(dialog) = note(&mut endpoint) {
            endpoint.handle_input(now, Input::Command(Command::HangUp { dialog }));
        }
    }
    assert!(begun.elapsed() < Duration::from_millis(200), "no message takes long, on a busy machine either");
    let fate = seen.unwrap_or(Silence);
    while let Output::Timeout(Some(deadline)) = endpoint.poll_output() {
        now = now.max(deadline);
        endpoint.handle_input(now, Input::Timeout);
        while !matches!(endpoint.poll_output(), Output::Timeout(_)) {}
    }
    assert_eq!(endpoint.stats(), Stats::default(), "nothing stays behind");
    fate
}
