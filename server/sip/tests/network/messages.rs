//! The parser: what it keeps, what it refuses, and that printing and parsing agree.

use cordboard_sip::message::{
    Defect, Envelope, HeaderId, MAX_HEADERS, Message, Method, NameAddr, ParseError, Request, Scheme, SipUri, Via, parse,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

fn request(text: &str) -> Request {
    match parse(text.as_bytes()).unwrap().message {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a response"),
    }
}

/// RFC 4475 §3.1.1.1, "A Short Tortuous INVITE", in its essentials.
const TORTUOUS: &str = "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\r\n\
TO :\r\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\r\n\
from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8\r\n\
MaX-fOrWaRdS: 0068\r\n\
Call-ID: wsinv.ndaksdj@192.0.2.1\r\n\
Content-Length   : 4\r\n\
cseq: 0009\r\n  INVITE\r\n\
Via  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw\r\n\
s :\r\n\
NewFangledHeader:   newfangled value\r\n continued newfangled value\r\n\
UnknownHeaderWithUnusualValue: ;;,,;;,;\r\n\
Content-Type: application/sdp\r\n\
Route:\r\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\r\n\
v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239\r\n\
m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\r\n      newvalue ;\r\n  secondparam ; q = 0.33\r\n\
\r\nv=0\n";

#[test]
fn a_short_tortuous_invite_is_read() {
    let invite = request(TORTUOUS);
    let envelope = Envelope::read(&invite.headers).unwrap();
    assert_eq!(envelope.to.tag(), Some("1918181833n"));
    assert_eq!(envelope.from.display.as_deref(), Some("J Rosenberg \\\""));
    assert_eq!(envelope.from.tag(), Some("98asjd8"));
    assert_eq!(envelope.max_forwards, Some(68));
    assert_eq!((envelope.cseq.number, &envelope.cseq.method), (9, &Method::Invite));
    assert_eq!((envelope.via.host.as_str(), envelope.branch()), ("192.0.2.2", "390skdjuw"));
    let vias = invite.headers.list(HeaderId::Via);
    assert_eq!(Via::parse(&vias[2]).unwrap().branch(), Some("z9hG4bK30239"));
    let contact = NameAddr::parse(&invite.headers.list(HeaderId::Contact)[0]).unwrap();
    assert_eq!(contact.params.value("q"), Some("0.33"));
    assert_eq!(
        invite.headers.text_of("newfangledheader").as_deref(),
        Some("newfangled value continued newfangled value")
    );
    assert_eq!(invite.body, b"v=0\n");
}

#[test]
fn any_method_is_kept() {
    // RFC 4475 §3.1.1.2: the method holds every character a token may have.
    let text =
        "!interesting-Method0123456789_*+`.%indeed'~ sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKx\r\n\r\n";
    assert_eq!(request(text).method, Method::Other("!interesting-Method0123456789_*+`.%indeed'~".to_owned()));
}

#[test]
fn a_response_without_a_reason_phrase_is_read() {
    // RFC 4475 §3.1.1.13
    let parsed = parse(b"SIP/2.0 100 \r\nCSeq: 1 INVITE\r\n\r\n").unwrap();
    assert!(
        matches!(parsed.message, Message::Response(response) if response.status == 100 && response.reason.is_empty())
    );
}

#[test]
fn what_is_no_message_is_refused() {
    for (text, error) in [
        ("\r\n\r\n", ParseError::KeepAlive),
        ("hello", ParseError::Truncated),
        ("hello\r\n\r\n", ParseError::StartLine),
        ("SIP/2.0 4294967301 better not break\r\n\r\n", ParseError::StartLine),
        ("SIP/2.0 20 OK\r\n\r\n", ParseError::StartLine),
        ("INVITE sip:a@b SIP/2.0\r\nVia: x", ParseError::Truncated),
        ("INVITE sip:a@b SIP/2.0\r\nVia: x\r\n", ParseError::Truncated),
        ("IN\"VITE sip:a@b SIP/2.0\r\n\r\n", ParseError::StartLine),
    ] {
        assert_eq!(parse(text.as_bytes()).unwrap_err(), error, "{text:?}");
    }
    assert_eq!(parse(&vec![b'x'; 70_000]).unwrap_err(), ParseError::TooLong);
}

#[test]
fn too_many_header_fields_are_a_defect_and_are_not_kept() {
    let text = format!("INVITE sip:a@b SIP/2.0\r\n{}\r\n", "X: y\r\n".repeat(1_000));
    let parsed = parse(text.as_bytes()).unwrap();
    assert_eq!(parsed.defect, Some(Defect::TooManyHeaders));
    assert!(matches!(parsed.message, Message::Request(request) if request.headers.len() == MAX_HEADERS));
}

#[test]
fn uris_are_read_and_printed() {
    let uri: SipUri = "sip:%2B4420;tgrp=x:secret@[2001:db8::1]:5070;transport=udp;lr?Subject=a%20b".parse().unwrap();
    assert_eq!(uri.user().as_deref(), Some("+4420"));
    assert_eq!(uri.socket_addr(), "[2001:db8::1]:5070".parse().ok());
    assert_eq!(uri.params.value("transport"), Some("udp"));
    assert!(uri.params.contains("LR"));
    for text in [
        "sip:%2B4420;tgrp=x:secret@[2001:db8::1]:5070;transport=udp;lr?Subject=a%20b",
        "sip:host",
        "sips:a@host:5061",
        "tel:+44-20;phone-context=x",
        "isbn:2983792873",
    ] {
        assert_eq!(text.parse::<SipUri>().unwrap().to_string(), text);
    }
    assert_eq!("tel:+44;isub=1".parse::<SipUri>().unwrap().user().as_deref(), Some("+44"));
    assert_eq!("SIP:a@b".parse::<SipUri>().unwrap().scheme, Scheme::Sip);
    for text in [
        "sip:",
        "sip:@h",
        "sip:a@",
        "a@b",
        "sip:a@b@c",
        "sip:a@h:0",
        "sip:a@h:65536",
        "sip:a@h:+1",
        "sip:a b@h",
        "sip:a@[::1",
        "sip:a@h h",
        ":x",
        "tel:",
    ] {
        assert!(text.parse::<SipUri>().is_err(), "{text}");
    }
    let made = SipUri::new(Some("a b@c"), "192.0.2.1:5060".parse().unwrap());
    assert_eq!(made.to_string().parse::<SipUri>().unwrap().user().as_deref(), Some("a b@c"));
}

#[test]
fn name_addrs_are_read_and_printed() {
    let parse = |text| NameAddr::parse(text).unwrap();
    // RFC 3261 §20: without brackets, parameters belong to the header field.
    let bare = parse("sip:a@b;tag=1");
    assert_eq!((bare.tag(), bare.uri.params.contains("tag")), (Some("1"), false));
    assert_eq!(parse("Bob <sip:a@b;x=1>;tag=2").display.as_deref(), Some("Bob"));
    let quoted = parse("\"<sip:fake@x>, \\\"q\\\"\" <sip:a@b>;tag=3");
    assert_eq!(quoted.display.as_deref(), Some("<sip:fake@x>, \"q\""));
    assert_eq!(parse(&quoted.to_string()), quoted);
    for text in ["", "<sip:a@b", "\"x <sip:a@b>", "\"x\" sip:a@b", "a;b <sip:a@b>", "<sip:a@b>x", "\"x\\"] {
        assert!(NameAddr::parse(text).is_err(), "{text}");
    }
}

#[test]
fn printing_and_parsing_agree_on_generated_messages() {
    let mut rng = ChaCha8Rng::seed_from_u64(4475);
    for _ in 0..2_000 {
        let text = generated(&mut rng);
        let parsed = parse(&text).unwrap();
        assert_eq!(parsed.defect, None, "{}", String::from_utf8_lossy(&text));
        let printed = parsed.message.to_bytes();
        let again = parse(&printed).unwrap();
        assert_eq!(again.defect, None);
        assert_eq!(again.message.to_bytes(), printed);
        assert_eq!(without_length(&again.message), without_length(&parsed.message));
    }
}

/// A message of random header fields, some folded, some not ASCII, with or without Content-Length.
fn generated(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = match rng.next_u32() % 3 {
        0 => b"INVITE sip:a@b SIP/2.0\r\n".to_vec(),
        1 => b"X-Y.Z sip:a@b;c=d SIP/2.0\r\n".to_vec(),
        _ => b"SIP/2.0 486 Busy  Here\r\n".to_vec(),
    };
    for _ in 0..rng.next_u32() % 20 {
        let names: [&[u8]; 8] = [b"Via", b"v", b"From", b"X-Odd", b"m", b"Contact ", b"record-route", b"s"];
        bytes.extend_from_slice(names[rng.next_u32() as usize % names.len()]);
        bytes.push(b':');
        for _ in 0..rng.next_u32() % 30 {
            match rng.next_u32() % 12 {
                0 => bytes.extend_from_slice(b"\r\n "),
                1 => bytes.extend_from_slice("é".as_bytes()),
                2 => bytes.push(0xE9),
                _ => bytes.push(b' ' + u8::try_from(rng.next_u32() % 95).unwrap()),
            }
        }
        // A value cannot end in a fold: what follows would be another header field's line.
        bytes.extend_from_slice(b"x\r\n");
    }
    let body: Vec<u8> = (0..rng.next_u32() % 50).map(|_| rng.next_u32().to_le_bytes()[0]).collect();
    if rng.next_u32().is_multiple_of(2) {
        bytes.extend_from_slice(format!("l: {}\r\n", body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&body);
    bytes
}

type Content = (String, Vec<(String, Vec<u8>)>, Vec<u8>);

/// Start line, header fields but Content-Length, and body.
fn without_length(message: &Message) -> Content {
    let (start, headers, body) = match message {
        Message::Request(request) => {
            (format!("{:?} {:?}", request.method, request.uri), &request.headers, &request.body)
        }
        Message::Response(response) => {
            (format!("{} {:?}", response.status, response.reason), &response.headers, &response.body)
        }
    };
    let kept = headers
        .iter()
        .filter(|header| header.id() != Some(HeaderId::ContentLength))
        .map(|header| (header.name().to_owned(), header.value().to_vec()))
        .collect();
    (start, kept, body.clone())
}
