//! The test messages of RFC 4475 and RFC 5118, in their essentials: each at the section of its RFC.

use cordboard_sip::Stats;
use cordboard_sip::message::{Message, parse};

use crate::peer::{OFFER, Stage};

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

/// Sends a message made of a start line, header fields in place of the usual ones of the same name, and a body.
fn fate(start: &str, changed: &str, body: &str) -> Fate {
    let usual = [
        ("Via", "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKkdjuw".to_owned()),
        ("Max-Forwards", "70".to_owned()),
        ("From", "<sip:caller@example.com>;tag=323".to_owned()),
        ("To", "<sip:user@example.com>".to_owned()),
        ("Call-ID", "torture.1@192.0.2.9".to_owned()),
        ("CSeq", format!("8 {}", start.split(' ').next().unwrap())),
        ("Contact", "<sip:caller@192.0.2.9>".to_owned()),
        ("Content-Length", body.len().to_string()),
    ];
    let mut text = format!("{start}\r\n");
    for (name, value) in usual {
        if !changed.lines().any(|line| line.starts_with(name) && !line.starts_with(&format!("{name}+"))) {
            text.extend([name, ": ", value.as_str(), "\r\n"]);
        }
    }
    for line in changed.lines().filter(|line| !line.ends_with(": -")) {
        text.push_str(&line.replacen("+:", ":", 1));
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.push_str(body);
    send(text.as_bytes())
}

fn send(bytes: &[u8]) -> Fate {
    let mut stage = Stage::new();
    stage.send(bytes);
    if stage.event().is_some() {
        return Call;
    }
    assert_eq!(stage.net.stats(stage.us), Stats::default());
    let Some((_, bytes)) = stage.net.take(stage.peer) else { return Silence };
    assert!(stage.net.take(stage.peer).is_none(), "one answer, whatever follows");
    match parse(&bytes).unwrap().message {
        Message::Response(response) => Status(response.status),
        Message::Request(request) => panic!("{request:?}"),
    }
}

#[test]
fn valid_messages_are_taken() {
    let user = "sip:user@example.com";
    let long = "x".repeat(2_000);
    for (section, got, wanted) in [
        (
            "3.1.1.2",
            fate(
                "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0",
                "",
                "",
            ),
            Status(501),
        ),
        (
            "3.1.1.3",
            fate("INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0", "To: sip:%75se%72@example.com", ""),
            Call,
        ),
        (
            "3.1.1.4",
            fate(
                "OPTIONS sip:example.com SIP/2.0",
                "To: sip:null-%00-null@example.com\nFrom: sip:null-%00-null@example.com;tag=839923423",
                "",
            ),
            Status(200),
        ),
        (
            "3.1.1.5",
            fate("RE%47IST%45R sip:registrar.example.com SIP/2.0", "To: \"%Z%45\" <sip:resource@example.com>", ""),
            Status(501),
        ),
        (
            "3.1.1.6",
            fate(&format!("OPTIONS {user} SIP/2.0"), "From: caller<sip:caller@example.com>;tag=323", ""),
            Status(200),
        ),
        (
            "3.1.1.7",
            fate(
                &format!("INVITE {user} SIP/2.0"),
                &format!(
                    "From: sip:{long}@example.com;tag=1{long}\nTo: \"I have a user name of {long}\" <sip:{long}:{long}@example.com>\nX-{long}: {long}"
                ),
                "",
            ),
            Call,
        ),
        (
            "3.1.1.8",
            fate(
                "OPTIONS sip:example.com SIP/2.0",
                "Content-Length: 0",
                "\r\n\r\nINVITE sip:joe@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9\r\n\r\n",
            ),
            Status(200),
        ),
        ("3.1.1.9", fate("OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0", "", ""), Status(200)),
        (
            "3.1.1.10",
            fate(
                &format!("OPTIONS {user} SIP/2.0"),
                "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKa\nVia+: SIP/2.0/UNKNOWN t6.example.com;branch=z9hG4bKb",
                "",
            ),
            Status(200),
        ),
        ("3.1.2.10", fate(&format!("OPTIONS {user} SIP/2.0  "), "", ""), Status(200)),
        ("3.1.2.12", fate(&format!("INVITE {user} SIP/2.0"), "Date: Fri, 01 Jan 2010 16:00:00 EST", ""), Call),
        (
            "3.2.1",
            fate(&format!("OPTIONS {user} SIP/2.0"), "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK", ""),
            Status(200),
        ),
        (
            "3.3.4",
            fate(
                "OPTIONS sip:example.com SIP/2.0",
                "To: isbn:2983792873\nFrom: <http://www.example.com>;tag=3234233",
                "",
            ),
            Status(200),
        ),
        (
            "3.4.1",
            fate(
                "INVITE sip:UserB@example.com SIP/2.0",
                "Via: SIP/2.0/UDP 192.0.2.9\nFrom: <sip:+13035551111@ift.client.example.net;user=phone>\nRecord-Route: <sip:UserB@example.com;maddr=ss1.example.com>\nContent-Type: application/sdp",
                OFFER,
            ),
            Call,
        ),
    ] {
        assert_eq!(got, wanted, "RFC 4475 §{section}");
    }
}

#[test]
fn invalid_messages_are_refused() {
    let user = "sip:user@example.com";
    let invite = format!("INVITE {user} SIP/2.0");
    let options = format!("OPTIONS {user} SIP/2.0");
    for (section, got, wanted) in [
        ("3.1.2.1", fate(&invite, "To: sip:j.user@example.com;;,;,;,", ""), Status(400)),
        ("3.1.2.2", fate(&invite, "Content-Length: 9999\nContent-Type: application/sdp", OFFER), Status(400)),
        ("3.1.2.3", fate(&invite, "Content-Length: -999", ""), Status(400)),
        ("3.1.2.4", fate("OPTIONS sip:example.com SIP/2.0", "CSeq: 36893488147419103232 OPTIONS", ""), Status(400)),
        ("3.1.2.4", fate("OPTIONS sip:example.com SIP/2.0", "Max-Forwards: 300", ""), Status(400)),
        ("3.1.2.5", fate("SIP/2.0 503 Service Unavailable", "CSeq: 9292394834772304023312 OPTIONS", ""), Silence),
        ("3.1.2.6", fate(&options, "To: \"Mr. J. User <sip:j.user@example.com>", ""), Status(400)),
        ("3.1.2.7", fate("INVITE <sip:user@example.com> SIP/2.0", "", ""), Status(400)),
        ("3.1.2.8", fate("INVITE sip:user@example.com; lr SIP/2.0", "", ""), Status(400)),
        ("3.1.2.9", fate("INVITE  sip:user@example.com  SIP/2.0", "", ""), Status(400)),
        ("3.1.2.11", fate("INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0", "", ""), Status(400)),
        (
            "3.1.2.14",
            fate("OPTIONS sip:user@example.org SIP/2.0", "To: \"Watson, Thomas\" < sip:t.watson@example.org >", ""),
            Status(400),
        ),
        ("3.1.2.15", fate(&options, "From: Bell, Alexander <sip:a.g.bell@example.com>;tag=43", ""), Status(400)),
        ("3.1.2.16", fate("OPTIONS sip:t.watson@example.org SIP/7.0", "", ""), Status(505)),
        ("3.1.2.17", fate(&options, "CSeq: 8 INVITE", ""), Status(400)),
        ("3.1.2.18", fate("NEWMETHOD sip:user@example.com SIP/2.0", "CSeq: 8 INVITE", ""), Status(400)),
        ("3.1.2.19", fate("SIP/2.0 4294967301 better not break the receiver", "CSeq: 353494 INVITE", ""), Silence),
        ("3.3.1", fate(&invite, "Call-ID: -\nFrom: -\nTo: -", ""), Status(400)),
        ("3.3.2", fate("OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0", "", ""), Status(416)),
        ("3.3.3", fate("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0", "", ""), Status(416)),
        ("3.3.5", fate(&options, "Require: nothingSupportsThis, nothingSupportsThisEither", ""), Status(420)),
        ("3.3.6", fate(&invite, "Content-Type: application/unknownformat", "<audio/>"), Status(415)),
        ("3.3.8", fate(&invite, "CSeq: 8 INVITE\nCSeq+: 59 INVITE", ""), Status(400)),
        ("3.3.8", fate(&invite, "Call-ID: a\nCall-ID+: b", ""), Status(400)),
        ("3.3.8", fate(&invite, "From: <sip:a@b>;tag=1\nFrom+: <sip:c@d>;tag=2", ""), Status(400)),
        ("3.3.9", fate(&options, "Content-Length: 13\nContent-Length+: 5", "There's no way"), Status(400)),
        ("3.3.11", fate(&options, "Max-Forwards: 0", ""), Status(483)),
        ("3.3.15", fate(&invite, "Accept: text/nobodyKnowsThis\nContent-Type: application/sdp", OFFER), Status(406)),
    ] {
        assert_eq!(got, wanted, "RFC 4475 §{section}");
    }
}

#[test]
fn ipv6_references_are_told_from_ports() {
    let options = |uri: &str, changed: &str| fate(&format!("OPTIONS {uri} SIP/2.0"), changed, "");
    for (section, got, wanted) in [
        (
            "4.1",
            options("sip:user@[2001:db8::10]", "Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111"),
            Status(200),
        ),
        ("4.2", options("sip:2001:db8::10", ""), Status(400)),
        ("4.3", options("sip:[2001:db8::10:5070]", ""), Status(200)),
        ("4.4", options("sip:[2001:db8::10]:5070", ""), Status(200)),
        (
            "4.5",
            options(
                "sip:user@example.com",
                "Via: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3",
            ),
            Status(200),
        ),
        ("4.10", options("sip:user@[::ffff:192.0.2.10]:19823", ""), Status(200)),
    ] {
        assert_eq!(got, wanted, "RFC 5118 §{section}");
    }
}
