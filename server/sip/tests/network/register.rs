//! Desk phones: challenges, contacts, what expires, and who an INVITE is from.

use std::time::Duration;

use cordboard_sip::digest::Challenge;
use cordboard_sip::message::{HeaderId, Method, Response};
use cordboard_sip::{Command, Event, Input, Origin, Target, Transport, TrunkId, TrunkPeers};

use crate::bare::{Bare, PHONE, text, user};
use crate::peer::OFFER;

const US: &str = "sip:192.0.2.1";

/// Sends a request, answers its challenge as this user, and gives what came of it.
fn as_user(bare: &mut Bare, method: &str, name: &str, password: &str, number: u32, more: &str) -> Response {
    let via = format!("UDP {PHONE};rport");
    bare.datagram(PHONE, text(method, US, &via, number, more, ""));
    let (_, response) = bare.response();
    if response.status != 401 {
        return response;
    }
    let (id, challenge) = Challenge::of_response(&response.headers).remove(0);
    let answer = challenge.answer(name, password, method, US, "cnonce", 1);
    let more = format!("{more}{}: {answer}\r\n", id.name());
    bare.datagram(PHONE, text(method, US, &via, number + 1, &more, ""));
    bare.response().1
}

fn register(bare: &mut Bare, number: u32, more: &str) -> Response {
    as_user(bare, "REGISTER", "ada", "open", number, more)
}

fn contacts(response: &Response) -> Vec<String> {
    response.headers.list(HeaderId::Contact)
}

#[test]
fn a_phone_registers_refreshes_and_signs_off() {
    let mut bare = Bare::registrar();
    let ok = register(&mut bare, 1, &format!("Contact: <sip:ada@{PHONE}>\r\n"));
    assert_eq!((ok.status, contacts(&ok)), (200, vec![format!("<sip:ada@{PHONE}>;expires=3600")]));
    assert_eq!(bare.events, [Event::Registered { username: "ada".to_owned(), contacts: 1 }]);
    bare.events.clear();

    bare.wait(Duration::from_secs(100));
    let query = register(&mut bare, 3, "");
    assert_eq!(contacts(&query), [format!("<sip:ada@{PHONE}>;expires=3500")]);
    register(&mut bare, 5, &format!("Contact: <sip:ada@{PHONE}>;expires=300\r\n"));
    assert_eq!(bare.events, [], "a refresh is no news");
    assert_eq!(bare.endpoint.contacts("ada").len(), 1);

    let gone = register(&mut bare, 7, "Contact: *\r\nExpires: 0\r\n");
    assert_eq!((gone.status, contacts(&gone)), (200, vec![]));
    assert_eq!(bare.events, [Event::Unregistered { username: "ada".to_owned() }]);
    bare.expect_idle();
}

#[test]
fn a_phone_that_gives_up_at_sha_256_is_offered_md5_alone() {
    for (agent, offered) in [("baresip v1.0.0 (x86_64/linux)", 1), ("baresip v3.2.0", 2), ("Phone of baresip v1.0", 2)]
    {
        for name in ["ada", "nobody"] {
            let mut bare = Bare::registrar();
            let more = format!("User-Agent: {agent}\r\nAuthorization: Digest username=\"{name}\"\r\n");
            bare.datagram(PHONE, text("REGISTER", US, &format!("UDP {PHONE};rport"), 1, &more, ""));
            let refused = bare.response().1;
            let challenges: Vec<_> = refused.headers.all(HeaderId::WwwAuthenticate).map(|it| it.text()).collect();
            assert_eq!(challenges.len(), offered, "{agent}, {name}");
            assert!(challenges[offered - 1].contains("algorithm=MD5"), "{challenges:?}");
        }
    }
    let mut bare = Bare::registrar();
    let more = format!("User-Agent: baresip v1.0.0\r\nContact: <sip:ada@{PHONE}>\r\n");
    assert_eq!(register(&mut bare, 1, &more).status, 200);
}

#[test]
fn a_contact_that_is_not_refreshed_expires() {
    let mut bare = Bare::registrar();
    register(&mut bare, 1, &format!("Contact: <sip:ada@{PHONE}>;expires=60, <sip:ada@192.0.2.51>\r\n"));
    bare.wait(Duration::from_secs(61));
    let name = || "ada".to_owned();
    assert_eq!(
        bare.events,
        [Event::Registered { username: name(), contacts: 2 }, Event::Registered { username: name(), contacts: 1 }]
    );
    bare.wait(Duration::from_hours(1));
    assert_eq!(bare.events.last(), Some(&Event::Unregistered { username: name() }));
    bare.expect_idle();
}

#[test]
fn what_a_registrar_has_to_refuse_is_refused() {
    let mut bare = Bare::registrar();
    let brief = register(&mut bare, 1, &format!("Contact: <sip:ada@{PHONE}>;expires=10\r\n"));
    assert_eq!(brief.status, 423);
    assert_eq!(brief.headers.first(HeaderId::MinExpires).unwrap().text(), "60");
    assert_eq!(register(&mut bare, 3, "Contact: *\r\n").status, 400, "* without Expires: 0");
    assert_eq!(register(&mut bare, 5, "Contact: *, <sip:a@b>\r\nExpires: 0\r\n").status, 400);
    assert_eq!(register(&mut bare, 7, "Contact: nonsense\r\n").status, 400);
    let other = as_user(&mut bare, "REGISTER", "bo", "other", 9, &format!("Contact: <sip:bo@{PHONE}>\r\n"));
    assert_eq!(other.status, 403, "a password is good for its own address of record");
    assert_eq!(bare.events, []);
    // RFC 3261 §10.3: a late request of the same Call-ID changes nothing.
    register(&mut bare, 21, &format!("Contact: <sip:ada@{PHONE}>\r\n"));
    assert_eq!(register(&mut bare, 11, &format!("Contact: <sip:ada@{PHONE}>;expires=0\r\n")).status, 500);
    assert_eq!(bare.endpoint.contacts("ada").len(), 1);
}

#[test]
fn preference_and_instance_are_kept() {
    let mut bare = Bare::registrar();
    let device =
        |port: u16, q: &str| format!("Contact: <sip:ada@192.0.2.50:{port}>;q={q};+sip.instance=\"<urn:uuid:{q}>\"\r\n");
    register(&mut bare, 1, &device(6_000, "0.3"));
    register(&mut bare, 3, &device(6_001, "0.9"));
    register(&mut bare, 5, &device(7_000, "0.3"));
    let ports: Vec<_> = bare.endpoint.contacts("ada").iter().map(|binding| binding.uri.port.unwrap()).collect();
    assert_eq!(ports, [6_001, 7_000], "by preference; the device that moved has one contact");
}

#[test]
fn wrong_passwords_and_unknown_names_look_the_same_and_go_unanswered_in_the_end() {
    let mut bare = Bare::registrar();
    bare.command(Command::SetTrunks(Vec::new()));
    let strip = |response: Response| {
        let text = String::from_utf8(response.to_bytes()).unwrap();
        text.lines().filter(|line| !line.starts_with("WWW-") && !line.starts_with("To:")).collect::<String>()
    };
    let wrong = strip(as_user(&mut bare, "REGISTER", "ada", "wrong", 1, ""));
    let unknown = strip(as_user(&mut bare, "REGISTER", "eve", "wrong", 1, ""));
    assert_eq!(wrong, unknown);
    for number in 0..8 {
        bare.wait(Duration::from_secs(2));
        bare.datagram(PHONE, text("REGISTER", US, &format!("UDP {PHONE}"), 100 + number, "", ""));
        let (_, response) = bare.response();
        let (_, challenge) = Challenge::of_response(&response.headers).remove(0);
        let answer = challenge.answer(&format!("user{number}"), "guess", "REGISTER", US, "c", 1);
        let more = format!("Authorization: {answer}\r\n");
        bare.datagram(PHONE, text("REGISTER", US, &format!("UDP {PHONE}"), 200 + number, &more, ""));
        bare.response();
    }
    bare.datagram(PHONE, text("REGISTER", US, &format!("UDP {PHONE}"), 300, "", ""));
    assert!(bare.sent.is_empty(), "ten wrong passwords: silence");
    bare.datagram("192.0.2.60:5060", text("REGISTER", US, "UDP 192.0.2.60", 1, "", ""));
    assert_eq!(bare.response().1.status, 401, "others are answered");
    bare.wait(Duration::from_secs(301));
    assert_eq!(register(&mut bare, 400, "").status, 200);
}

#[test]
fn a_replay_draws_a_new_challenge_that_says_stale() {
    let mut bare = Bare::registrar();
    let via = format!("UDP {PHONE}");
    bare.datagram(PHONE, text("REGISTER", US, &via, 1, "", ""));
    let (_, challenge) = Challenge::of_response(&bare.response().1.headers).remove(0);
    assert!(!challenge.stale);
    let more = format!("Authorization: {}\r\n", challenge.answer("ada", "open", "REGISTER", US, "c", 1));
    bare.datagram(PHONE, text("REGISTER", US, &via, 2, &more, ""));
    assert_eq!(bare.response().1.status, 200);
    // The same proof in another transaction; the same in the same one is a repeat and gets the same answer.
    bare.datagram(PHONE, text("REGISTER", US, &via, 2, &more, ""));
    assert_eq!(bare.response().1.status, 200);
    bare.datagram(PHONE, text("REGISTER", US, &via, 3, &more, ""));
    let (_, refused) = bare.response();
    assert_eq!(refused.status, 401);
    assert!(Challenge::of_response(&refused.headers)[0].1.stale);
}

#[test]
fn a_phone_behind_a_translator_is_reached_where_it_came_from_and_kept_reachable() {
    let mut bare = Bare::registrar();
    let public = "198.51.100.7:33000";
    let via = "UDP 10.0.0.5:5060;rport";
    let more = "Contact: <sip:ada@10.0.0.5:5060>\r\n";
    bare.datagram(public, text("REGISTER", US, via, 1, more, ""));
    let (_, challenge) = Challenge::of_response(&bare.response().1.headers).remove(0);
    let more = format!("{more}Authorization: {}\r\n", challenge.answer("ada", "open", "REGISTER", US, "c", 1));
    bare.datagram(public, text("REGISTER", US, via, 2, &more, ""));
    assert_eq!(bare.response().0, Target::Udp(public.parse().unwrap()));
    assert_eq!(bare.endpoint.contacts("ada")[0].flow.remote, public.parse().unwrap());

    bare.wait(Duration::from_secs(26));
    let (to, ping) = bare.request();
    assert_eq!((to, &ping.method), (Target::Udp(public.parse().unwrap()), &Method::Options));
    assert_eq!(ping.uri, b"sip:ada@10.0.0.5:5060");
    bare.datagram(public, Response::to_request(&ping, 405, Some("x")).to_bytes());
    bare.sent.clear();
    bare.wait(Duration::from_secs(200));
    assert_eq!(
        bare.events.last(),
        Some(&Event::Unregistered { username: "ada".to_owned() }),
        "three without an answer"
    );
    bare.sent.clear();
    bare.expect_idle();
}

#[test]
fn what_registered_by_a_connection_is_called_by_it_and_goes_with_it() {
    let mut bare = Bare::registrar();
    let flow = bare.open(1, "198.51.100.7:33000", Transport::Tcp);
    let more = "Contact: <sip:ada@10.0.0.5:5060;transport=tcp>\r\n";
    bare.bytes(flow, text("REGISTER", US, "TCP 10.0.0.5", 1, more, ""));
    let (_, challenge) = Challenge::of_response(&bare.response().1.headers).remove(0);
    let more = format!("{more}Authorization: {}\r\n", challenge.answer("ada", "open", "REGISTER", US, "c", 1));
    bare.bytes(flow, text("REGISTER", US, "TCP 10.0.0.5", 2, &more, ""));
    assert_eq!(bare.response().1.status, 200);
    bare.wait(Duration::from_mins(1));
    assert!(bare.closed.is_empty(), "a phone that has proven itself may be silent");
    assert_eq!(bare.endpoint.contacts("ada")[0].flow.stream, Some(flow));
    bare.feed(Input::StreamClosed { flow });
    assert_eq!(bare.events.last(), Some(&Event::Unregistered { username: "ada".to_owned() }));
    bare.expect_idle();
}

#[test]
fn an_invite_is_from_a_phone_a_trunk_or_nobody() {
    let mut bare = Bare::registrar();
    let trunk = |id: &str, addresses: &[&str], digest| TrunkPeers {
        id: TrunkId(id.to_owned()),
        addresses: addresses.iter().map(|it| it.parse().unwrap()).collect(),
        digest,
        rate_per_second: 0,
    };
    let trunks = vec![trunk("open", &["203.0.113.0/24"], None), trunk("closed", &[], Some(user("carrier", "deal")))];
    bare.command(Command::SetTrunks(trunks));
    let contact = "Contact: <sip:x@192.0.2.50>\r\nP-Asserted-Identity: <tel:+15550100>\r\n";
    let origin = |bare: &mut Bare| match bare.events.pop() {
        Some(Event::Incoming(call)) => Some((call.origin, call.asserted.is_some())),
        _ => None,
    };

    bare.datagram(
        "203.0.113.9:5060",
        text("INVITE", "sip:100@192.0.2.1", "UDP 203.0.113.9", 1, contact, OFFER)
            .replace("Contact:", "Content-Type: application/sdp\r\nContact:"),
    );
    assert_eq!(origin(&mut bare), Some((Origin::Trunk(TrunkId("open".to_owned())), true)));
    bare.sent.clear();
    assert_eq!(as_user(&mut bare, "INVITE", "ada", "open", 11, contact).status, 100);
    assert_eq!(origin(&mut bare), Some((Origin::Phone("ada".to_owned()), false)));
    // The number of a proof is its CSeq here; another Call-ID keeps them apart.
    let carrier = as_user(&mut bare, "INVITE", "carrier", "deal", 21, contact);
    assert_eq!(carrier.status, 100);
    assert_eq!(origin(&mut bare), Some((Origin::Trunk(TrunkId("closed".to_owned())), true)));
    assert_eq!(as_user(&mut bare, "INVITE", "bo", "other", 31, contact).status, 403, "From names another user");
    assert_eq!(as_user(&mut bare, "INVITE", "ada", "guess", 41, contact).status, 401);
    assert_eq!(origin(&mut bare), None);
}

#[test]
fn a_phone_at_the_address_of_a_trunk_proves_who_it_is() {
    let mut bare = Bare::registrar();
    bare.command(Command::SetTrunks(vec![TrunkPeers {
        id: TrunkId("here".to_owned()),
        addresses: vec!["192.0.2.0/24".parse().unwrap()],
        digest: None,
        rate_per_second: 0,
    }]));
    let contact = "Contact: <sip:x@192.0.2.50>\r\n";
    assert_eq!(register(&mut bare, 1, contact).status, 200);
    assert_eq!(as_user(&mut bare, "INVITE", "ada", "open", 11, contact).status, 100);
    let Some(Event::Incoming(call)) = bare.events.pop() else { panic!("no call") };
    assert_eq!(call.origin, Origin::Phone("ada".to_owned()));
}

#[test]
fn a_trunk_above_its_rate_hears_503_and_its_calls_go_on() {
    let mut bare = Bare::new();
    bare.command(Command::SetTrunks(vec![TrunkPeers {
        id: TrunkId("t".to_owned()),
        addresses: vec!["192.0.2.50".parse().unwrap()],
        digest: None,
        rate_per_second: 10,
    }]));
    let mut statuses = Vec::new();
    for number in 0..30 {
        bare.datagram(PHONE, text("OPTIONS", US, &format!("UDP {PHONE}"), number, "", ""));
        let (_, response) = bare.response();
        assert_eq!(response.status == 503, response.headers.first(HeaderId::RetryAfter).is_some());
        statuses.push(response.status);
    }
    assert_eq!(statuses.iter().filter(|&&status| status == 200).count(), 10);
    let bye = text("BYE", US, &format!("UDP {PHONE}"), 99, "", "")
        .replace("<sip:ada@192.0.2.1>\r\nCall", "<sip:ada@192.0.2.1>;tag=x\r\nCall");
    bare.datagram(PHONE, bye);
    assert_eq!(bare.response().1.status, 481, "what belongs to a dialog is taken");
    for number in 0..200 {
        bare.datagram("192.0.2.66:5060", text("OPTIONS", US, "UDP 192.0.2.66", number, "", ""));
    }
    assert_eq!(bare.sent.len(), 120, "a stranger above its rate hears nothing");
}
