//! Which header fields of one leg may be seen on the other (RFC 3261 gives a back-to-back user agent no rule: what it
//! does not know it must not let through).

use crate::message::Headers;

/// Names that pass; everything else stays on its leg. `X-Foo :` and other ways to write a name past a list of forbidden
/// ones change nothing: the list says what is allowed, and names were read before.
const PASSES: [&str; 12] = [
    "Subject",
    "Priority",
    "Call-Info",
    "Alert-Info",
    "Organization",
    "User-to-User",
    "Answer-Mode",
    "Accept-Language",
    "In-Reply-To",
    "Reply-To",
    "History-Info",
    "X-Correlation-Id",
];
/// The most that passes, in header fields.
const MOST: usize = 16;
/// The longest value that passes, in bytes.
const LONGEST: usize = 1_024;

/// The header fields of a message that may go out on another leg, ready for
/// [`Invitation::headers`](super::Invitation::headers).
pub fn relayable(headers: &Headers) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|header| PASSES.iter().any(|name| header.name().eq_ignore_ascii_case(name)))
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
            User-to-User: 00c9;encoding=hex\r\nDiversion: <sip:x@y>\r\n\r\n";
        let Ok(Message::Request(request)) = parse(message).map(|parsed| parsed.message) else { panic!("a request") };

        let names: Vec<_> = relayable(&request.headers).into_iter().map(|(name, _)| name).collect();

        assert_eq!(names, ["subject", "User-to-User"]);
    }

    #[test]
    fn what_passes_is_bounded() {
        let mut headers = Headers::default();
        for _ in 0..100 {
            headers.push_header(crate::message::Header::new("Subject", "x"));
        }
        headers.push_header(crate::message::Header::new("Priority", vec![b'x'; 2_000]));
        assert_eq!(relayable(&headers).len(), MOST);
    }
}
