//! The telephony settings in words: what may go out, what trunks do, what is wrong with a target.

use cordboard_shared::api::telephony::{TrunkHealth, TrunkStatus};
use cordboard_shared::phone::E164;
use cordboard_shared::telephony::{Guard, Telephony};

/// Country codes with the words people know them by; of several that fit the longest counts.
const COUNTRIES: [(&str, &str); 70] = [
    ("+1", "the United States, Canada and the Caribbean"),
    ("+1242", "the Bahamas"),
    ("+1246", "Barbados"),
    ("+1876", "Jamaica"),
    ("+1900", "premium numbers of North America"),
    ("+20", "Egypt"),
    ("+212", "Morocco"),
    ("+234", "Nigeria"),
    ("+254", "Kenya"),
    ("+27", "South Africa"),
    ("+30", "Greece"),
    ("+31", "the Netherlands"),
    ("+32", "Belgium"),
    ("+33", "France"),
    ("+34", "Spain"),
    ("+351", "Portugal"),
    ("+352", "Luxembourg"),
    ("+353", "Ireland"),
    ("+354", "Iceland"),
    ("+358", "Finland"),
    ("+359", "Bulgaria"),
    ("+36", "Hungary"),
    ("+370", "Lithuania"),
    ("+371", "Latvia"),
    ("+372", "Estonia"),
    ("+380", "Ukraine"),
    ("+385", "Croatia"),
    ("+386", "Slovenia"),
    ("+39", "Italy"),
    ("+40", "Romania"),
    ("+41", "Switzerland"),
    ("+420", "Czechia"),
    ("+421", "Slovakia"),
    ("+43", "Austria"),
    ("+44", "the United Kingdom"),
    ("+449", "premium numbers of the United Kingdom"),
    ("+45", "Denmark"),
    ("+46", "Sweden"),
    ("+47", "Norway"),
    ("+48", "Poland"),
    ("+49", "Germany"),
    ("+49900", "premium numbers of Germany"),
    ("+52", "Mexico"),
    ("+54", "Argentina"),
    ("+55", "Brazil"),
    ("+56", "Chile"),
    ("+57", "Colombia"),
    ("+60", "Malaysia"),
    ("+61", "Australia"),
    ("+62", "Indonesia"),
    ("+63", "the Philippines"),
    ("+64", "New Zealand"),
    ("+65", "Singapore"),
    ("+66", "Thailand"),
    ("+81", "Japan"),
    ("+82", "South Korea"),
    ("+84", "Vietnam"),
    ("+852", "Hong Kong"),
    ("+86", "China"),
    ("+870", "satellite phones"),
    ("+88", "satellite phones and far networks"),
    ("+880", "Bangladesh"),
    ("+886", "Taiwan"),
    ("+90", "Türkiye"),
    ("+91", "India"),
    ("+92", "Pakistan"),
    ("+94", "Sri Lanka"),
    ("+966", "Saudi Arabia"),
    ("+971", "the United Arab Emirates"),
    ("+972", "Israel"),
];

/// The country a prefix belongs to, where it is known.
pub fn country(prefix: &str) -> Option<&'static str> {
    COUNTRIES
        .iter()
        .filter(|(code, _)| prefix.starts_with(code))
        .max_by_key(|(code, _)| code.len())
        .map(|(_, name)| *name)
}

/// A prefix as people write it, or what is wrong with it.
pub fn prefix(text: &str) -> Result<String, String> {
    let bare: String = text.chars().filter(|letter| !letter.is_whitespace() && *letter != '-').collect();
    match bare.strip_prefix('+') {
        Some(digits) if (1..=15).contains(&digits.len()) && digits.chars().all(|one| one.is_ascii_digit()) => Ok(bare),
        Some(_) | None => {
            Err(format!("“{}” is no prefix; write the country first, such as +44 or +442079.", text.trim()))
        }
    }
}

/// What opening a prefix means, before it is opened.
pub fn warning(prefix: &str) -> String {
    let place = country(prefix).map_or_else(|| "the numbers that begin so".to_owned(), str::to_owned);
    let wide = if prefix.len() <= 2 {
        " That is a whole zone of the world, with numbers that cost a lot: open longer prefixes where you can."
    } else {
        ""
    };
    format!(
        "Everybody who may call out, and whoever gets hold of their sign-in or desk phone, can then call {place} ({prefix}…), at your cost.{wide}"
    )
}

/// Whether a number could be called, and by which rule.
pub fn would_go(guard: &Guard, number: &E164) -> String {
    let begins = |list: &[String]| {
        list.iter()
            .filter(|one| !one.is_empty() && number.as_str().starts_with(one.as_str()))
            .max_by_key(|one| one.len())
            .cloned()
    };
    match (begins(&guard.prefixes), begins(&guard.closed)) {
        (None, _) => format!("{number} cannot be called: no open prefix fits."),
        (Some(_), Some(closed)) => format!("{number} cannot be called: {closed} is closed."),
        (Some(open), None) => format!("{number} can be called: {open} is open."),
    }
}

/// What is wrong with a target: `host:port`, with `;transport=tcp` or `;transport=tls`.
pub fn target(text: &str) -> Option<String> {
    let (place, transport) = text.split_once(';').map_or((text, None), |(place, rest)| (place, Some(rest)));
    let known = matches!(transport, None | Some("transport=udp" | "transport=tcp" | "transport=tls"));
    let (host, port) = match place.rsplit_once(':') {
        // The colons of a bare IPv6 address are none of a port's.
        Some((host, _)) if host.contains(':') && !host.ends_with(']') => (place, None),
        Some((host, port)) => (host, Some(port)),
        None => (place, None),
    };
    let host_is_well = !host.is_empty() && !host.contains(char::is_whitespace);
    let port_is_well = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    (!known || !host_is_well || !port_is_well)
        .then(|| "Write host:port, such as sip.example.net:5060, with ;transport=tcp or ;transport=tls at the end where needed.".to_owned())
}

/// What a trunk does now: the word, and its tone.
pub fn health(status: Option<&TrunkStatus>) -> (&'static str, &'static str) {
    match status {
        None => ("Not known yet", "tone-away"),
        Some(status) => match (status.state, status.registered) {
            (TrunkHealth::Down, _) => ("Down", "tone-bad"),
            (TrunkHealth::Up | TrunkHealth::Unknown, Some(false)) => ("Not registered", "tone-warn"),
            (TrunkHealth::Up, Some(true)) => ("Up, registered", "tone-on"),
            (TrunkHealth::Up, None) => ("Up", "tone-on"),
            (TrunkHealth::Unknown, Some(true)) => ("Registered", "tone-on"),
            (TrunkHealth::Unknown, None) => ("Not asked", "tone-away"),
        },
    }
}

/// What differs, in words; no password is in it.
pub fn differences(before: &Telephony, after: &Telephony) -> Vec<String> {
    let mut found = Vec::new();
    lists("Ways out", &before.outbound, &after.outbound, &|one| one.trunk.to_string(), &mut found);
    lists("Desk phones", &before.phones, &after.phones, &|one| one.username.clone(), &mut found);
    lists("Mobiles", &before.mobiles, &after.mobiles, &|one| one.number.as_str().to_owned(), &mut found);
    for (word, old, new) in [
        ("Opened", &before.guard.prefixes, &after.guard.prefixes),
        ("Closed", &before.guard.closed, &after.guard.closed),
    ] {
        let gone: Vec<&str> = old.iter().filter(|one| !new.contains(one)).map(String::as_str).collect();
        let more: Vec<&str> = new.iter().filter(|one| !old.contains(one)).map(String::as_str).collect();
        if !more.is_empty() {
            found.push(format!("{word}: {}", more.join(", ")));
        }
        if !gone.is_empty() {
            found.push(format!("No longer {}: {}", word.to_lowercase(), gone.join(", ")));
        }
    }
    for (name, old, new) in [
        ("Outgoing calls at once", before.guard.calls, after.guard.calls),
        ("Outgoing calls a minute", before.guard.per_minute, after.guard.per_minute),
        ("Longest outgoing call, minutes", before.guard.minutes, after.guard.minutes),
        ("Seconds of silence that end a call", before.silence_seconds, after.silence_seconds),
    ] {
        if old != new {
            found.push(format!("{name}: {old} → {new}"));
        }
    }
    if before.direct_dialing != after.direct_dialing {
        found.push(format!("Direct dialing: {}", if after.direct_dialing { "off → on" } else { "on → off" }));
    }
    for (name, changed) in [
        ("Dispositions changed", before.dispositions != after.dispositions),
        ("Announcement of recordings changed", before.recording_announcement != after.recording_announcement),
        ("Networks of webhooks changed", before.webhook_networks != after.webhook_networks),
        ("Codec of browsers changed", before.browser_codec != after.browser_codec),
        ("Codecs of trunks and phones changed", before.phone_codec != after.phone_codec),
        ("Encryption of calls in changed", before.inbound != after.inbound),
        ("Header fields that go with a call changed", before.relay_headers != after.relay_headers),
    ] {
        if changed {
            found.push(name.to_owned());
        }
    }
    found
}

/// `Desk phones: 1001 new, 1002 changed`
fn lists<T: PartialEq>(name: &str, before: &[T], after: &[T], key: &dyn Fn(&T) -> String, found: &mut Vec<String>) {
    let find = |list: &[T], wanted: &str| list.iter().position(|one| key(one) == wanted);
    let mut parts = Vec::new();
    for one in after {
        let id = key(one);
        match find(before, &id) {
            None => parts.push(format!("{id} new")),
            Some(place) if before.get(place) != Some(one) => parts.push(format!("{id} changed")),
            Some(_) => {}
        }
    }
    for one in before {
        let id = key(one);
        if find(after, &id).is_none() {
            parts.push(format!("{id} removed"));
        }
    }
    if parts.is_empty() && before != after {
        parts.push("their order".to_owned());
    }
    if !parts.is_empty() {
        found.push(format!("{name}: {}", parts.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_names_its_country_and_warns() {
        assert_eq!(country("+442079"), Some("the United Kingdom"));
        assert_eq!(country("+12425550100"), Some("the Bahamas"));
        assert_eq!(country("+999"), None);
        assert_eq!(prefix("+44 20"), Ok("+4420".to_owned()));
        assert!(prefix("+").is_err());
        assert!(prefix("0044").is_err());
        assert!(warning("+1").contains("whole zone"));
        assert!(warning("+49").contains("Germany"));
    }

    #[test]
    fn a_number_goes_out_by_a_rule_that_is_named() {
        let number = "+442079460100".parse().unwrap();
        let mut guard = Guard::default();
        assert!(would_go(&guard, &number).contains("no open prefix"));
        guard.prefixes = vec!["+44".to_owned(), String::new()];
        assert_eq!(would_go(&guard, &number), "+442079460100 can be called: +44 is open.");
        guard.closed = vec!["+44207".to_owned()];
        assert_eq!(would_go(&guard, &number), "+442079460100 cannot be called: +44207 is closed.");
    }

    #[test]
    fn targets_are_host_port_and_transport() {
        for good in [
            "sip.example.net",
            "sip.example.net:5061;transport=tls",
            "[2001:db8::1]:5060",
            "192.0.2.1:5060;transport=tcp",
        ] {
            assert_eq!(target(good), None, "{good}");
        }
        for bad in ["", "a b", "sip.example.net:0", "sip.example.net:sip", "sip.example.net;transport=ws"] {
            assert!(target(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn differences_name_what_is_opened_and_never_a_password() {
        let before = Telephony::default();
        let mut after = before.clone();
        after.guard.prefixes.push("+44".to_owned());
        after.guard.calls = 5;
        after.direct_dialing = true;
        assert_eq!(
            differences(&before, &after),
            ["Opened: +44", "Outgoing calls at once: 10 → 5", "Direct dialing: off → on"]
        );
        assert_eq!(differences(&after, &before)[0], "No longer opened: +44");
    }
}
