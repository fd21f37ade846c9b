//! Who is where: the contacts that phones registered (RFC 3261 §10, the useful half of RFC 5626).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::flow::{Flow, FlowId};
use crate::message::{NameAddr, SipUri};
use crate::transaction::timer::TimerTable;

/// Contacts of one user; another one takes the place of the one that would expire first.
const MOST_CONTACTS: usize = 10;
/// Contacts of all users.
const MOST_BINDINGS: usize = 50_000;
/// The shortest registration that is taken; below it 423.
pub(crate) const SHORTEST: Duration = Duration::from_mins(1);
/// The longest.
const LONGEST: Duration = Duration::from_hours(1);
/// What is granted when nothing is asked.
const USUAL: Duration = Duration::from_hours(1);
/// How often a phone behind an address translator is sent something, so that the way to it stays open (RFC 5626 §4.4.2
/// asks for 24 to 29 seconds).
const PING_EVERY: Duration = Duration::from_secs(25);
/// Pings without an answer after which a contact is gone.
const PINGS: u32 = 3;

/// One contact of one user, by a number of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BindingId(u64);

/// One contact of one user.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// The Contact, as it goes into the Request-URI.
    pub uri: SipUri,
    /// The way to it: the connection it registered by, or the address it sent from.
    pub flow: Flow,
    /// Preference in thousandths; 1,000 when nothing was said.
    pub q: u16,
    /// When it is forgotten.
    pub expires: Instant,
    /// `+sip.instance`: the same for one device, whatever its address (RFC 5626 §4.1).
    pub instance: Option<String>,
    id: BindingId,
    call_id: String,
    number: u32,
    /// Whether the way to it has to be kept open by us.
    pinged: bool,
    missed: u32,
}

/// One contact of a REGISTER, read and checked.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) uri: SipUri,
    pub(crate) q: u16,
    pub(crate) instance: Option<String>,
    /// Zero takes it away.
    pub(crate) expires: Duration,
}

/// Why a contact is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unwanted {
    /// It cannot be read.
    Malformed,
    /// It would expire too soon.
    TooBrief,
}

impl Wanted {
    /// Reads one value of Contact; `otherwise` is what Expires says.
    pub(crate) fn read(value: &str, otherwise: Option<Duration>) -> Result<Self, Unwanted> {
        let contact = NameAddr::parse(value).map_err(|_| Unwanted::Malformed)?;
        let expires = match contact.params.value("expires") {
            Some(seconds) => seconds_of(seconds),
            None => otherwise,
        };
        let expires = expires.unwrap_or(USUAL);
        if !expires.is_zero() && expires < SHORTEST {
            return Err(Unwanted::TooBrief);
        }
        let instance = contact.params.value("+sip.instance").map(|instance| instance.trim_matches('"').to_owned());
        let q = contact.params.value("q").map_or(1_000, thousandths);
        Ok(Self { uri: contact.uri, q, instance, expires: expires.min(LONGEST) })
    }
}

/// A number of seconds; RFC 3261 §20.19 counts to 2^32, and takes a malformed one for 3600.
pub(crate) fn seconds_of(text: &str) -> Option<Duration> {
    text.trim().parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()))
}

fn thousandths(q: &str) -> u16 {
    let (whole, fraction) = q.trim().split_once('.').unwrap_or((q.trim(), ""));
    if whole == "1" {
        return 1_000;
    }
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    digits.parse().unwrap_or(0)
}

/// The same request came late, after a newer one (RFC 3261 §10.3 step 7).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OutOfOrder;

/// A contact to be asked whether it is there.
#[derive(Debug)]
pub(crate) enum Due {
    /// The user's contacts have become fewer.
    Expired(String),
    /// Send this one an OPTIONS.
    Ping(BindingId, SipUri, Flow),
}

/// All contacts.
#[derive(Debug)]
pub(crate) struct Registrar {
    users: BTreeMap<String, Vec<Binding>>,
    owners: BTreeMap<BindingId, String>,
    /// How many contacts each address has.
    places: BTreeMap<IpAddr, usize>,
    timers: TimerTable<(BindingId, Reason)>,
    next: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    Expire,
    Ping,
}

impl Registrar {
    pub(crate) fn new() -> Self {
        Self {
            users: BTreeMap::new(),
            owners: BTreeMap::new(),
            places: BTreeMap::new(),
            timers: TimerTable::new(),
            next: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.owners.len()
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.timers.next_deadline()
    }

    /// A user's contacts, preferred first, then newest first.
    pub(crate) fn contacts(&self, username: &str) -> Vec<Binding> {
        let mut contacts = self.users.get(username).cloned().unwrap_or_default();
        contacts.sort_by_key(|binding| (std::cmp::Reverse(binding.q), std::cmp::Reverse(binding.id)));
        contacts
    }

    /// Whether a phone has registered from this address.
    pub(crate) fn is_at(&self, address: IpAddr) -> bool {
        self.places.contains_key(&address)
    }

    /// Whether a phone has registered from there by an address translator.
    pub(crate) fn is_behind_nat(&self, remote: SocketAddr) -> bool {
        self.is_at(remote.ip())
            && self.users.values().flatten().any(|binding| binding.pinged && binding.flow.remote == remote)
    }

    /// Takes the contacts of one REGISTER, all of them or none.
    pub(crate) fn register(
        &mut self,
        now: Instant,
        username: &str,
        wanted: Vec<Wanted>,
        flow: Flow,
        pinged: bool,
        (call_id, number): (&str, u32),
    ) -> Result<(), OutOfOrder> {
        let known = self.users.get(username).map(Vec::as_slice).unwrap_or_default();
        let late = |binding: &Binding| binding.call_id == call_id && number <= binding.number;
        if wanted.iter().any(|it| known.iter().any(|binding| is_same(binding, it) && late(binding))) {
            return Err(OutOfOrder);
        }
        for it in wanted {
            let old = self.users.get(username).and_then(|all| all.iter().find(|binding| is_same(binding, &it)));
            if let Some(old) = old.map(|binding| binding.id) {
                self.remove(old);
            }
            if it.expires.is_zero() {
                continue;
            }
            self.make_room(username);
            self.next += 1;
            let id = BindingId(self.next);
            let expires = now + it.expires;
            let Wanted { uri, q, instance, .. } = it;
            let call_id = call_id.to_owned();
            let binding = Binding { uri, flow, q, expires, instance, id, call_id, number, pinged, missed: 0 };
            self.timers.arm((id, Reason::Expire), expires);
            if pinged {
                self.timers.arm((id, Reason::Ping), now + PING_EVERY);
            }
            self.owners.insert(id, username.to_owned());
            *self.places.entry(flow.remote.ip()).or_default() += 1;
            self.users.entry(username.to_owned()).or_default().push(binding);
        }
        Ok(())
    }

    /// `Contact: *` (RFC 3261 §10.3 step 6).
    pub(crate) fn clear(&mut self, username: &str, (call_id, number): (&str, u32)) -> Result<(), OutOfOrder> {
        let known = self.users.get(username).map(Vec::as_slice).unwrap_or_default();
        if known.iter().any(|binding| binding.call_id == call_id && number <= binding.number) {
            return Err(OutOfOrder);
        }
        let all: Vec<_> = known.iter().map(|binding| binding.id).collect();
        for id in all {
            self.remove(id);
        }
        Ok(())
    }

    /// Users that are not these any more lose their contacts; gives those that had some.
    pub(crate) fn retain(&mut self, stays: impl Fn(&str) -> bool) -> Vec<String> {
        let gone: Vec<_> = self.users.keys().filter(|username| !stays(username)).cloned().collect();
        for username in &gone {
            let all: Vec<_> = self.users.get(username).into_iter().flatten().map(|binding| binding.id).collect();
            for id in all {
                self.remove(id);
            }
        }
        gone
    }

    /// A connection is gone, and with it what registered by it; gives whose contacts became fewer.
    pub(crate) fn stream_closed(&mut self, stream: FlowId) -> Vec<String> {
        let on_it = |binding: &&Binding| binding.flow.stream == Some(stream);
        let gone: Vec<_> = self.users.values().flatten().filter(on_it).map(|binding| binding.id).collect();
        gone.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// A ping was answered, or not; gives whose contacts became fewer.
    pub(crate) fn pong(&mut self, id: BindingId, answered: bool) -> Option<String> {
        let binding = self.users.get_mut(self.owners.get(&id)?)?.iter_mut().find(|binding| binding.id == id)?;
        binding.missed = if answered { 0 } else { binding.missed + 1 };
        if binding.missed < PINGS {
            return None;
        }
        self.remove(id)
    }

    /// What has to be done now.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Due> {
        loop {
            match self.timers.pop_due(now)? {
                (id, Reason::Expire) => {
                    if let Some(username) = self.remove(id) {
                        return Some(Due::Expired(username));
                    }
                }
                (id, Reason::Ping) => {
                    let owner = self.owners.get(&id).and_then(|owner| self.users.get(owner));
                    if let Some(binding) = owner.and_then(|all| all.iter().find(|binding| binding.id == id)) {
                        self.timers.arm((id, Reason::Ping), now + PING_EVERY);
                        return Some(Due::Ping(id, binding.uri.clone(), binding.flow));
                    }
                }
            }
        }
    }

    fn make_room(&mut self, username: &str) {
        let crowded = self.users.get(username).filter(|all| all.len() >= MOST_CONTACTS);
        let first = match crowded {
            Some(all) => all.iter().min_by_key(|binding| binding.expires).map(|binding| binding.id),
            None if self.owners.len() >= MOST_BINDINGS => self.owners.keys().next().copied(),
            None => None,
        };
        if let Some(first) = first {
            self.remove(first);
        }
    }

    fn remove(&mut self, id: BindingId) -> Option<String> {
        let username = self.owners.remove(&id)?;
        self.timers.disarm((id, Reason::Expire));
        self.timers.disarm((id, Reason::Ping));
        if let Some(all) = self.users.get_mut(&username) {
            let place = all.iter().find(|binding| binding.id == id).map(|binding| binding.flow.remote.ip());
            if let Some((place, count)) = place.and_then(|place| Some((place, self.places.get_mut(&place)?))) {
                *count -= 1;
                if *count == 0 {
                    self.places.remove(&place);
                }
            }
            all.retain(|binding| binding.id != id);
            if all.is_empty() {
                self.users.remove(&username);
            }
        }
        Some(username)
    }
}

/// One device has one contact: known by its instance, else by its URI (RFC 3261 §10.3 step 7).
fn is_same(binding: &Binding, wanted: &Wanted) -> bool {
    if let (Some(one), Some(other)) = (&binding.instance, &wanted.instance) {
        return one == other;
    }
    let (one, other) = (&binding.uri, &wanted.uri);
    one.scheme == other.scheme
        && one.userinfo == other.userinfo
        && one.host.eq_ignore_ascii_case(&other.host)
        && one.port == other.port
        && one.transport() == other.transport()
}
