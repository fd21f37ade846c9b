//! Which header fields of one leg may be seen on the other (RFC 3261 gives a back-to-back user agent no rule: what it
//! does not know it must not let through).

use crate::message::Headers;

/// Names that pass; everything else stays on its leg. `X-Foo :` and other ways to write a name past a list of forbidden
/// ones change nothing: the list says what is allowed, and names were read before. What makes a phone answer by itself
/// (`Answer-Mode`, `Alert-Info`, `Call-Info`) is not on it: nobody outside opens a microphone.
const PASSES: [&str; 9] = [
    "Subject",
    "Priority",
    "Organization",
    "User-to-User",
    "Accept-Language",
    "In-Reply-To",
    "Reply-To",
    "History-Info",
    "X-Correlation-Id",
];
/// Those of them that name the caller: they stay behind when the caller wants to stay unnamed (RFC 3323 §4.1).
const NAMES: [&str; 4] = ["Subject", "Organization", "Reply-To", "History-Info"];
/// The most that passes, in header fields.
const MOST: usize = 16;
/// The longest value that passes, in bytes.
const LONGEST: usize = 1_024;

/// The header fields of a message that may go out on another leg, ready for
/// [`Invitation::headers`](super::Invitation::headers): those of the list, and those named in `more`, which are an
/// extension's own (`X-…`).
pub fn relayable(headers: &Headers, more: &[String], privacy: bool) -> Vec<(String, String)> {
    let names = |list: &[&str], name: &str| list.iter().any(|it| name.eq_ignore_ascii_case(it));
    let extension = |name: &str| {
        name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-"))
            && more.iter().any(|it| name.eq_ignore_ascii_case(it))
    };
    headers
        .iter()
        .filter(|header| names(&PASSES, header.name()) || extension(header.name()))
        .filter(|header| !(privacy && names(&NAMES, header.name())))
        .filter(|header| header.value().len() <= LONGEST)
        .take(MOST)
        .map(|header| (header.name().to_owned(), header.text().into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Message, parse};

    #[test]
    fn only_what_is_listed_passes() {
        let message = b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nsubject: hello\r\n\
            P-Asserted-Identity: <sip:boss@b>\r\nX-Foo : bar\r\nRoute: <sip:evil@h>\r\nRemote-Party-ID: x\r\n\
            User-to-User: 00c9;encoding=hex\r\nDiversion: <sip:x@y>\r\nX-Order: 7\r\nAlert-Info: info=auto\r\n\r\n";
        let Ok(Message::Request(request)) = parse(message).map(|parsed| parsed.message) else { panic!("a request") };

        let names = |more: &[&str], privacy| {
            let more: Vec<_> = more.iter().map(|it| (*it).to_owned()).collect();
            relayable(&request.headers, &more, privacy).into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };

        assert_eq!(names(&[], false), ["subject", "User-to-User"]);
        assert_eq!(names(&["x-order", "Route"], false), ["subject", "User-to-User", "X-Order"]);
        assert_eq!(names(&["X-Order"], true), ["User-to-User", "X-Order"]);
    }

    #[test]
    fn what_passes_is_bounded() {
        let mut headers = Headers::default();
        for _ in 0..100 {
            headers.push_header(crate::message::Header::new("Subject", "x"));
        }
        headers.push_header(crate::message::Header::new("Priority", vec![b'x'; 2_000]));
        assert_eq!(relayable(&headers, &[], false).len(), MOST);
    }
}
