//! What telephony settings must be like, and what of them is secret. Pure.

use std::collections::BTreeSet;

use cordboard_shared::api::policy::PolicyFinding;
use cordboard_shared::department::Destination;
use cordboard_shared::id::AgentId;
use cordboard_shared::telephony::{Encryption, OutboundTrunk, Telephony, TrunkCredentials};
use cordboard_shared::{Problem, ProblemCode};
use cordboard_sip::Network;
use md5::{Digest as _, Md5};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::REALM;
use crate::directory::Directory;
use crate::hex::hex;
use crate::store::SipUser;

/// Most entries of one list.
const MOST: usize = 1_000;
/// Most further header fields.
const MOST_RELAYED: usize = 16;
/// Most addresses of one trunk.
const MOST_ADDRESSES: usize = 64;
/// Longest name of a trunk, in characters.
const LONGEST_NAME: usize = 64;
/// Longest disposition, in characters.
const LONGEST_DISPOSITION: usize = 64;

/// The settings as they may be shown: without passwords.
pub fn without_secrets(telephony: &Telephony) -> Telephony {
    let mut shown = telephony.clone();
    let trunks = shown.trunks.iter_mut().map(|trunk| &mut trunk.credentials);
    let outbound = shown.outbound.iter_mut().map(|trunk| &mut trunk.credentials);
    trunks.chain(outbound).flatten().for_each(|credentials| credentials.password.clear());
    shown
}

/// A new document: an empty password of a trunk keeps the one of the same trunk and user.
pub(super) fn with_kept_secrets(mut next: Telephony, held: &Telephony) -> Telephony {
    next.version = held.version;
    for trunk in &mut next.trunks {
        let before = held.trunks.iter().find(|it| it.id == trunk.id);
        keep_password(&mut trunk.credentials, before.and_then(|it| it.credentials.as_ref()));
    }
    for trunk in &mut next.outbound {
        let before = held.outbound.iter().find(|it| it.trunk == trunk.trunk);
        keep_password(&mut trunk.credentials, before.and_then(|it| it.credentials.as_ref()));
    }
    next
}

fn keep_password(next: &mut Option<TrunkCredentials>, held: Option<&TrunkCredentials>) {
    let (Some(next), Some(held)) = (next, held) else { return };
    if next.password.is_empty() && next.username == held.username {
        next.password.clone_from(&held.password);
    }
}

/// What a phone's password is kept as (RFC 7616 §3.4.2): nobody can read it back.
pub fn sip_user(username: &str, agent: AgentId, password: &str) -> SipUser {
    let a1 = format!("{username}:{REALM}:{password}");
    SipUser {
        username: username.to_owned(),
        agent,
        realm: REALM.to_owned(),
        ha1_sha256: hex(&Sha256::digest(a1.as_bytes())),
        ha1_md5: Some(hex(&Md5::digest(a1.as_bytes()))),
    }
}

/// Refuses settings that cannot be obeyed, with everything that was found.
pub(super) fn check(telephony: &Telephony, directory: &Directory) -> Result<(), Problem> {
    let findings = findings(telephony, directory);
    let Some(first) = findings.first() else { return Ok(()) };
    let sentence = format!("{} Nothing was changed.", first.text);
    let pointer = first.pointer.clone();
    Err(Problem::new(ProblemCode::InvalidField, sentence).with("pointer", pointer).with("findings", json!(findings)))
}

/// What is unwise, and obeyed all the same.
pub fn warnings(telephony: &Telephony) -> Vec<PolicyFinding> {
    let in_the_open = |target: &String| !target.ends_with(";transport=tls");
    let exposed =
        |trunk: &OutboundTrunk| trunk.encryption == Encryption::Required && trunk.targets.iter().any(in_the_open);
    let trunks = telephony.outbound.iter().enumerate().filter(|(_, trunk)| exposed(trunk));
    let warning = |(at, _)| PolicyFinding {
        pointer: format!("/outbound/{at}/encryption"),
        text:
            "The keys of encrypted calls stand in SIP, and SIP to a target of this trunk is in the clear: whoever can \
               read it can listen. Use ;transport=tls."
                .to_owned(),
        error: false,
    };
    trunks.map(warning).collect()
}

fn findings(telephony: &Telephony, directory: &Directory) -> Vec<PolicyFinding> {
    let mut found = Found(Vec::new());
    for (list, length) in [
        ("trunks", telephony.trunks.len()),
        ("outbound", telephony.outbound.len()),
        ("phones", telephony.phones.len()),
        ("mobiles", telephony.mobiles.len()),
        ("dispositions", telephony.dispositions.len()),
        ("webhook_networks", telephony.webhook_networks.len()),
        ("inbound", telephony.inbound.len()),
    ] {
        found.unless(length <= MOST, format!("/{list}"), || format!("At most {MOST} entries are taken here."));
    }
    trunks(telephony, directory, &mut found);
    ways(telephony, &mut found);
    relayed(telephony, &mut found);
    people(telephony, directory, &mut found);
    guard(telephony, &mut found);
    for (at, word) in telephony.dispositions.iter().enumerate() {
        let fits = !word.trim().is_empty() && word.chars().count() <= LONGEST_DISPOSITION;
        let once = telephony.dispositions.iter().filter(|other| *other == word).count() == 1;
        found.unless(fits && once, format!("/dispositions/{at}"), || {
            format!("A disposition has 1 to {LONGEST_DISPOSITION} characters and stands here once.")
        });
    }
    found.unless((10..=600).contains(&telephony.silence_seconds), "/silence_seconds".to_owned(), || {
        "A silent leg ends its call after 10 to 600 seconds.".to_owned()
    });
    for (at, network) in telephony.webhook_networks.iter().enumerate() {
        found.unless(network.parse::<Network>().is_ok(), format!("/webhook_networks/{at}"), || {
            format!("{network:?} is no address and no network such as 10.1.0.0/16.")
        });
    }
    found.0
}

fn relayed(telephony: &Telephony, found: &mut Found) {
    let names = &telephony.relay_headers;
    found.unless(names.len() <= MOST_RELAYED, "/relay_headers".to_owned(), || {
        format!("At most {MOST_RELAYED} header fields are named here.")
    });
    for (at, name) in names.iter().enumerate() {
        let own = name.get(2..).is_some_and(|rest| {
            (1..=64).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        });
        let fits = own && name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-"));
        // What ties the server's own calls together is nobody else's to set.
        let ours = name.get(..12).is_some_and(|start| start.eq_ignore_ascii_case("x-cordboard-"));
        found.unless(fits && !ours, format!("/relay_headers/{at}"), || {
            format!("{name:?} is no header field of the form X-Name.")
        });
    }
}

/// Whom calls are taken from.
fn trunks(telephony: &Telephony, directory: &Directory, found: &mut Found) {
    let (mut ids, mut users, mut networks) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (at, trunk) in telephony.trunks.iter().enumerate() {
        let place = format!("/trunks/{at}");
        found.unless(ids.insert(trunk.id), format!("{place}/id"), || "A trunk stands here once.".to_owned());
        let named = (1..=LONGEST_NAME).contains(&trunk.name.trim().chars().count());
        found.unless(named, format!("{place}/name"), || format!("A trunk's name has 1 to {LONGEST_NAME} characters."));
        found.unless(trunk.addresses.len() <= MOST_ADDRESSES, format!("{place}/addresses"), || {
            format!("A trunk has {MOST_ADDRESSES} addresses at most.")
        });
        found.unless(!trunk.addresses.is_empty() || trunk.credentials.is_some(), format!("{place}/addresses"), || {
            "A trunk is known by its addresses, by a password, or by both.".to_owned()
        });
        for (nth, text) in trunk.addresses.iter().enumerate() {
            let pointer = format!("{place}/addresses/{nth}");
            let Ok(network) = text.parse::<Network>() else {
                found.unless(false, pointer, || {
                    format!("{text:?} is no address and no network such as 198.51.100.0/24.")
                });
                continue;
            };
            // Who is let in by the address alone is let in with the account's money.
            found.unless(!network.is_broad() || trunk.credentials.is_some(), pointer.clone(), || {
                format!(
                    "{text} is half the world: it could call in as this trunk. Name addresses, or ask for a password."
                )
            });
            found.unless(networks.insert(text.trim()), pointer, || format!("{text} stands here twice."));
        }
        if let Some(credentials) = &trunk.credentials {
            let place = format!("{place}/credentials");
            let user = &credentials.username;
            let fits = !user.is_empty() && !credentials.password.is_empty();
            found.unless(fits, place.clone(), || "A user and a password are needed.".to_owned());
            let phone = telephony.phones.iter().any(|phone| phone.username == *user);
            found.unless(users.insert(user) && !phone, place, || {
                format!("{user:?} is the user of another trunk or of a desk phone.")
            });
        }
        for (name, value) in [("max_calls", trunk.max_calls), ("requests_per_second", trunk.requests_per_second)] {
            found.unless((1..=10_000).contains(&value), format!("{place}/{name}"), || "It is 1 to 10,000.".to_owned());
        }
    }
    for number in directory.numbers.iter().filter(|number| !ids.contains(&number.trunk)) {
        found.unless(false, "/trunks".to_owned(), || {
            format!("{} comes by a trunk that is not in the list any more.", number.number)
        });
    }
}

/// What is asked of calls in, and where calls go out.
fn ways(telephony: &Telephony, found: &mut Found) {
    let exists = |id| telephony.trunks.iter().any(|trunk| trunk.id == id);
    let mut inbound = BTreeSet::new();
    for (at, trunk) in telephony.inbound.iter().enumerate() {
        found.unless(exists(trunk.trunk) && inbound.insert(trunk.trunk), format!("/inbound/{at}/trunk"), || {
            "A trunk of this account stands here once.".to_owned()
        });
    }
    let mut seen = BTreeSet::new();
    for (at, trunk) in telephony.outbound.iter().enumerate() {
        let place = format!("/outbound/{at}");
        found.unless(exists(trunk.trunk), format!("{place}/trunk"), || {
            "There is no such trunk in this account.".to_owned()
        });
        found.unless(seen.insert(trunk.trunk), format!("{place}/trunk"), || "A trunk stands here once.".to_owned());
        found.unless((1..=8).contains(&trunk.targets.len()), format!("{place}/targets"), || {
            "A trunk has 1 to 8 targets, in the order they are tried.".to_owned()
        });
        for (nth, target) in trunk.targets.iter().enumerate() {
            found.unless(is_target(target), format!("{place}/targets/{nth}"), || not_a_target(target));
        }
        if let Some(registrar) = &trunk.registrar {
            found.unless(is_target(registrar), format!("{place}/registrar"), || not_a_target(registrar));
            found.unless(trunk.credentials.is_some(), format!("{place}/credentials"), || {
                "A trunk that registers needs a user and a password.".to_owned()
            });
        }
        if let Some(credentials) = &trunk.credentials {
            let fits = !credentials.username.is_empty() && !credentials.password.is_empty();
            found.unless(fits, format!("{place}/credentials"), || "A user and a password are needed.".to_owned());
        }
        let options = trunk.options_seconds;
        found.unless(options == 0 || (10..=600).contains(&options), format!("{place}/options_seconds"), || {
            "OPTIONS ask every 10 to 600 seconds, or never (0).".to_owned()
        });
    }
}

fn not_a_target(text: &str) -> String {
    format!("{text:?} is no host:port, with ;transport=tcp or ;transport=tls where it is not UDP.")
}

/// `host[:port]`, perhaps with a transport.
fn is_target(text: &str) -> bool {
    let (address, transport) = text.split_once(';').map_or((text, None), |(address, rest)| (address, Some(rest)));
    let transport_fits = transport.is_none_or(|it| matches!(it, "transport=udp" | "transport=tcp" | "transport=tls"));
    let (host, port) = match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None => return false,
        },
        None => address.split_once(':').map_or((address, None), |(host, port)| (host, Some(port))),
    };
    let host_fits = if address.starts_with('[') {
        host.parse::<std::net::Ipv6Addr>().is_ok()
    } else {
        !host.is_empty()
            && host.len() <= 253
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
    };
    host_fits && transport_fits && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

fn people(telephony: &Telephony, directory: &Directory, found: &mut Found) {
    let mut seen = BTreeSet::new();
    for (at, phone) in telephony.phones.iter().enumerate() {
        let place = format!("/phones/{at}");
        let name = &phone.username;
        let fits = (1..=32).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        found.unless(fits, format!("{place}/username"), || {
            "A phone's user has 1 to 32 letters, digits, hyphens, dots or underscores.".to_owned()
        });
        found.unless(seen.insert(name), format!("{place}/username"), || format!("{name:?} stands here twice."));
        known(directory, phone.agent, format!("{place}/agent"), found);
    }
    let mut mobiles = BTreeSet::new();
    for (at, mobile) in telephony.mobiles.iter().enumerate() {
        let place = format!("/mobiles/{at}");
        known(directory, mobile.agent, format!("{place}/agent"), found);
        found.unless(mobiles.insert(mobile.agent), format!("{place}/agent"), || "A person has one mobile.".to_owned());
        found.unless(!mobile.rings || telephony.guard.allows(&mobile.number), format!("{place}/number"), || {
            "The guard does not let calls go to this number; open its prefix first.".to_owned()
        });
    }
}

fn known(directory: &Directory, agent: AgentId, pointer: String, found: &mut Found) {
    found.unless(directory.agents.contains_key(&agent), pointer, || {
        "There is no such person in this account.".to_owned()
    });
}

fn guard(telephony: &Telephony, found: &mut Found) {
    let guard = &telephony.guard;
    for (list, prefixes) in [("prefixes", &guard.prefixes), ("closed", &guard.closed)] {
        for (at, prefix) in prefixes.iter().enumerate() {
            let digits = prefix.strip_prefix('+').unwrap_or_default();
            let fits = (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
            found.unless(fits, format!("/guard/{list}/{at}"), || {
                "A prefix is + and 1 to 15 digits, such as +44.".to_owned()
            });
        }
    }
    for (name, value, most) in
        [("calls", guard.calls, 1_000), ("per_minute", guard.per_minute, 1_000), ("minutes", guard.minutes, 1_440)]
    {
        found.unless((1..=most).contains(&value), format!("/guard/{name}"), || format!("It is 1 to {most}."));
    }
}

/// Refuses a destination that does not exist.
pub(super) fn check_destination(goes_to: &Destination, directory: &Directory) -> Result<(), Problem> {
    let (exists, sentence) = match goes_to {
        Destination::Flow(slug) => {
            (directory.flow(slug).is_some(), format!("There is no published call flow {slug:?}."))
        }
        Destination::Department(slug) => {
            (directory.department_by_slug(slug).is_some(), format!("There is no department {slug:?}."))
        }
        Destination::Extension(extension) => {
            (directory.agent_by_extension(extension).is_some(), format!("Nobody has the extension {extension}."))
        }
    };
    if exists {
        return Ok(());
    }
    let sentence = format!("{sentence} Nothing was changed.");
    Err(Problem::new(ProblemCode::InvalidField, sentence).with("pointer", "/goes_to"))
}

struct Found(Vec<PolicyFinding>);

impl Found {
    fn unless(&mut self, fits: bool, pointer: String, text: impl FnOnce() -> String) {
        if !fits {
            self.0.push(PolicyFinding { pointer, text: text(), error: true });
        }
    }
}

#[cfg(test)]
mod tests {
    use cordboard_shared::telephony::{Phone, Trunk};

    use super::*;

    fn trunk(directory: &Directory, password: &str) -> OutboundTrunk {
        OutboundTrunk {
            trunk: directory.telephony.trunks[0].id,
            targets: vec!["sip.example.com:5061;transport=tls".to_owned(), "[2001:db8::1]:5060".to_owned()],
            credentials: Some(TrunkCredentials { username: "u".to_owned(), password: password.to_owned() }),
            registrar: None,
            options_seconds: 30,
            encryption: Encryption::Off,
        }
    }

    #[test]
    fn a_password_is_never_shown_and_an_empty_one_keeps_it() {
        let directory = crate::demo::directory();
        let held = Telephony { outbound: vec![trunk(&directory, "hush")], ..Telephony::default() };
        let shown = without_secrets(&held);
        assert!(!serde_json::to_string(&shown).unwrap().contains("hush"));
        assert_eq!(with_kept_secrets(shown.clone(), &held), held);

        let mut other = shown;
        other.outbound[0].credentials.as_mut().unwrap().username = "v".to_owned();
        let next = with_kept_secrets(other, &held);
        assert!(check(&next, &directory).is_err(), "another user's password is not kept");
    }

    #[test]
    fn every_mistake_is_named_by_its_place() {
        let directory = crate::demo::directory();
        let good = Telephony { outbound: vec![trunk(&directory, "x")], ..Telephony::clone(&directory.telephony) };
        assert_eq!(findings(&good, &directory), []);
        let mut bad = good;
        bad.outbound[0].targets = vec!["host:0".to_owned(), "a b".to_owned(), "h;transport=x".to_owned()];
        bad.outbound[0].options_seconds = 5;
        bad.phones.push(Phone {
            username: "1001".to_owned(),
            agent: AgentId::demo(0x99),
            rings: true,
            encryption: Encryption::Off,
        });
        bad.guard.prefixes = vec!["44".to_owned()];
        bad.guard.calls = 0;
        bad.silence_seconds = 1;
        bad.webhook_networks = vec!["10.0.0.0/33".to_owned()];
        let pointers: Vec<_> = findings(&bad, &directory).into_iter().map(|it| it.pointer).collect();
        assert_eq!(
            pointers,
            [
                "/outbound/0/targets/0",
                "/outbound/0/targets/1",
                "/outbound/0/targets/2",
                "/outbound/0/options_seconds",
                "/phones/2/username",
                "/phones/2/agent",
                "/guard/prefixes/0",
                "/guard/calls",
                "/silence_seconds",
                "/webhook_networks/0",
            ]
        );
    }

    #[test]
    fn keys_in_open_sip_are_warned_of_and_not_refused() {
        let directory = crate::demo::directory();
        let mut telephony =
            Telephony { outbound: vec![trunk(&directory, "x")], ..Telephony::clone(&directory.telephony) };
        telephony.outbound[0].encryption = Encryption::Required;
        let found = warnings(&telephony);
        assert_eq!((found.len(), found[0].pointer.as_str(), found[0].error), (1, "/outbound/0/encryption", false));
        assert_eq!(findings(&telephony, &directory), []);
        telephony.outbound[0].targets.pop();
        assert_eq!(warnings(&telephony), [], "the one that is left is TLS");
    }

    #[test]
    fn only_fields_of_ones_own_are_relayed() {
        let directory = crate::demo::directory();
        let telephony = Telephony {
            relay_headers: ["X-Customer-Id", "Via", "X-", "X-Cordboard-Test-Call", "X-A:b"].map(str::to_owned).into(),
            ..Telephony::clone(&directory.telephony)
        };
        let pointers: Vec<_> = findings(&telephony, &directory).into_iter().map(|it| it.pointer).collect();
        assert_eq!(pointers, ["/relay_headers/1", "/relay_headers/2", "/relay_headers/3", "/relay_headers/4"]);
    }

    #[test]
    fn a_phones_password_is_kept_as_digests() {
        let user = sip_user("1001", AgentId::demo(0x23), "secret");
        // Made with md5sum and sha256sum of "1001:cordboard:secret".
        assert_eq!(user.ha1_md5.as_deref(), Some("b89b1d23a5d8015c4b29d6bbd14c4d1b"));
        assert_eq!(user.ha1_sha256, "81da064d7063662dbf4fd3fd5130efb3beafae9fec648096814cef8856f0bd9c");
    }

    #[test]
    fn a_trunk_is_known_by_its_addresses_or_a_password_and_stays_while_a_number_needs_it() {
        let directory = crate::demo::directory();
        let wrong_with = |change: &dyn Fn(&mut Trunk)| {
            let mut telephony = Telephony::clone(&directory.telephony);
            change(&mut telephony.trunks[0]);
            findings(&telephony, &directory).into_iter().map(|found| found.pointer).collect::<Vec<_>>()
        };
        let carrier =
            |password: &str| Some(TrunkCredentials { username: "carrier".to_owned(), password: password.to_owned() });

        assert_eq!(wrong_with(&|trunk| trunk.addresses = vec!["203.0.113.7".to_owned()]), [""; 0]);
        assert_eq!(wrong_with(&|trunk| trunk.addresses.clear()), ["/trunks/0/addresses"]);
        assert_eq!(wrong_with(&|trunk| (trunk.addresses, trunk.credentials) = (Vec::new(), carrier("x"))), [""; 0]);
        assert_eq!(wrong_with(&|trunk| trunk.credentials = carrier("")), ["/trunks/0/credentials"]);
        for everybody in ["0.0.0.0/0", "128.0.0.0/1", "10.0.0.0/7", "::/0"] {
            assert_eq!(wrong_with(&|trunk| trunk.addresses = vec![everybody.to_owned()]), ["/trunks/0/addresses/0"]);
        }
        let twice = ["203.0.113.7", "203.0.113.7", "sip.example"].map(str::to_owned).to_vec();
        let places = ["/trunks/0/addresses/1", "/trunks/0/addresses/2"];
        assert_eq!(wrong_with(&|trunk| trunk.addresses.clone_from(&twice)), places);
        let places = ["/trunks/0/name", "/trunks/0/max_calls", "/trunks/0/requests_per_second"];
        let nothing = |trunk: &mut Trunk| {
            trunk.name = " ".to_owned();
            (trunk.max_calls, trunk.requests_per_second) = (0, 0);
        };
        assert_eq!(wrong_with(&nothing), places);
        let phone = directory.telephony.phones[0].username.clone();
        let as_phone = Some(TrunkCredentials { username: phone, password: "x".to_owned() });
        assert_eq!(wrong_with(&|trunk| trunk.credentials.clone_from(&as_phone)), ["/trunks/0/credentials"]);
        let gone = Telephony { trunks: Vec::new(), ..Telephony::clone(&directory.telephony) };
        assert_eq!(findings(&gone, &directory).len(), directory.numbers.len(), "each number is named");
    }
}
