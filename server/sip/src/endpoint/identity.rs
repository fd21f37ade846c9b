//! Who calls, who may know it, and where a call was sent from or to: P-Asserted-Identity (RFC 3325), Privacy (RFC
//! 3323), Diversion (RFC 5806) and the Contacts of a redirect (RFC 3261 §8.1.3.4).

use crate::message::{HeaderId, Headers, NameAddr, Scheme, SipUri};

/// The From of a caller who is not to be named (RFC 3323 §4.1.1.3).
pub(super) fn anonymous() -> NameAddr {
    NameAddr::new(
        Some("Anonymous"),
        SipUri {
            scheme: Scheme::Sip,
            userinfo: Some("anonymous".to_owned()),
            host: "anonymous.invalid".to_owned(),
            port: None,
            params: crate::message::Params::default(),
            headers: None,
        },
    )
}

/// Whether the caller wants to stay unnamed, said by `Privacy` or by the From that RFC 3323 asks for.
pub(super) fn wants_privacy(headers: &Headers, from: &NameAddr) -> bool {
    let asked = headers.all(HeaderId::Privacy).any(|header| {
        // RFC 3323 §4.2: the values are split by semicolons.
        header
            .text()
            .split(';')
            .any(|value| matches!(value.trim().to_ascii_lowercase().as_str(), "id" | "user" | "header" | "history"))
    });
    asked
        || from.uri.host.eq_ignore_ascii_case("anonymous.invalid")
        || from.uri.user().is_some_and(|user| user.eq_ignore_ascii_case("anonymous"))
}

/// The caller as the trunk vouches for it: a number before a name, if both stand there (RFC 3325 §9.1).
pub(super) fn asserted(headers: &Headers) -> Option<NameAddr> {
    let all: Vec<_> =
        headers.list(HeaderId::PAssertedIdentity).iter().filter_map(|value| NameAddr::parse(value).ok()).collect();
    let number = all.iter().position(|identity| identity.uri.scheme == Scheme::Tel);
    all.into_iter().nth(number.unwrap_or(0))
}

/// Who diverted the call last; the topmost stands first (RFC 5806 §5).
pub(super) fn diversion(headers: &Headers) -> Option<NameAddr> {
    NameAddr::parse(headers.list(HeaderId::Diversion).first()?).ok()
}

/// Where a 3xx sends the call, by falling `q`, then as written (RFC 3261 §8.1.3.4).
pub(super) fn redirect_contacts(headers: &Headers) -> Vec<NameAddr> {
    let mut contacts: Vec<_> =
        headers.list(HeaderId::Contact).iter().filter_map(|value| NameAddr::parse(value).ok()).collect();
    contacts.sort_by_key(|contact| std::cmp::Reverse(preference(contact)));
    contacts
}

/// `q` in thousandths; 1.0 if nothing is said.
fn preference(contact: &NameAddr) -> u32 {
    let Some(q) = contact.params.value("q") else { return 1_000 };
    let (whole, fraction) = q.trim().split_once('.').unwrap_or((q.trim(), ""));
    if whole == "1" {
        return 1_000;
    }
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Header;

    fn headers(lines: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in lines {
            headers.push_header(Header::new(name, *value));
        }
        headers
    }

    #[test]
    fn the_number_is_taken_where_name_and_number_are_asserted() {
        let both = headers(&[
            ("P-Asserted-Identity", "\"Ada\" <sip:ada@example.com>"),
            ("P-Asserted-Identity", "<tel:+442079460100>"),
        ]);
        assert_eq!(asserted(&both).unwrap().uri.user().as_deref(), Some("+442079460100"));
        assert_eq!(asserted(&headers(&[("P-Asserted-Identity", "not an address")])), None);
    }

    #[test]
    fn privacy_is_asked_by_header_or_by_from() {
        let named = NameAddr::parse("<sip:+15550100@192.0.2.9>").unwrap();
        assert!(!wants_privacy(&headers(&[("Privacy", "none")]), &named));
        assert!(wants_privacy(&headers(&[("Privacy", "critical; id")]), &named));
        assert!(wants_privacy(&Headers::default(), &anonymous()));
    }

    #[test]
    fn contacts_of_a_redirect_come_by_preference() {
        let list = headers(&[("Contact", "<sip:low@h>;q=0.2, <sip:first@h>, <sip:mid@h>;q=0.75")]);
        let users: Vec<_> = redirect_contacts(&list).iter().filter_map(|contact| contact.uri.user()).collect();
        assert_eq!(users, ["first", "mid", "low"]);
    }
}
