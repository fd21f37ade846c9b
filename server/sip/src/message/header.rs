//! The header field list: names and values as they came, in order.

use std::borrow::Cow;

use super::text;

macro_rules! header_ids {
    ($($(#[$doc:meta])* $id:ident = $name:literal $(, $compact:literal)?;)*) => {
        /// A header field this crate reads or writes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum HeaderId { $($(#[$doc])* $id,)* }

        impl HeaderId {
            /// Finds the id of a name or compact form, whatever its case (RFC 3261 §7.3.1, §7.3.3).
            pub fn of(name: &str) -> Option<Self> {
                $(if name.eq_ignore_ascii_case($name) $(|| name.eq_ignore_ascii_case($compact))? {
                    return Some(Self::$id);
                })*
                None
            }

            /// The name as this crate writes it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$id => $name,)* }
            }
        }
    };
}

header_ids! {
    /// The path a request took (RFC 3261 §20.42).
    Via = "Via", "v";
    /// Who asks.
    From = "From", "f";
    /// Who is asked.
    To = "To", "t";
    /// One dialog's name, together with both tags.
    CallId = "Call-ID", "i";
    /// Order and method within a dialog.
    CSeq = "CSeq";
    /// Where in-dialog requests go.
    Contact = "Contact", "m";
    /// Hops left.
    MaxForwards = "Max-Forwards";
    /// Proxies to go through.
    Route = "Route";
    /// Proxies that want to stay on the path.
    RecordRoute = "Record-Route";
    /// Length of the body in bytes.
    ContentLength = "Content-Length", "l";
    /// Kind of the body.
    ContentType = "Content-Type", "c";
    /// How the body is packed.
    ContentEncoding = "Content-Encoding", "e";
    /// Extensions the other side must know.
    Require = "Require";
    /// Extensions this side knows.
    Supported = "Supported", "k";
    /// Extensions this side was asked for and does not know.
    Unsupported = "Unsupported";
    /// Methods this side takes.
    Allow = "Allow";
    /// Bodies this side takes.
    Accept = "Accept";
    /// Seconds until another try makes sense.
    RetryAfter = "Retry-After";
    /// Why a request was sent or refused (RFC 3326).
    Reason = "Reason";
    /// What a human may want to know about a refusal.
    Warning = "Warning";
    /// The software that asks.
    UserAgent = "User-Agent";
    /// The software that answers.
    Server = "Server";
    /// Who somebody is, and the proof (RFC 3261 §22.2).
    Authorization = "Authorization";
    /// The same to a proxy.
    ProxyAuthorization = "Proxy-Authorization";
    /// What has to be proven.
    WwwAuthenticate = "WWW-Authenticate";
    /// The same by a proxy.
    ProxyAuthenticate = "Proxy-Authenticate";
    /// How long a registration lasts, in seconds.
    Expires = "Expires";
    /// The shortest registration that is taken.
    MinExpires = "Min-Expires";
    /// When the request was sent, in the sender's time.
    Timestamp = "Timestamp";
    /// Whom to call instead (RFC 3515).
    ReferTo = "Refer-To", "r";
    /// Who asked for the call (RFC 3892).
    ReferredBy = "Referred-By", "b";
    /// The dialog an INVITE takes over (RFC 3891).
    Replaces = "Replaces";
    /// How long a session lasts without a refresh (RFC 4028).
    SessionExpires = "Session-Expires", "x";
    /// The shortest such time a side takes.
    MinSe = "Min-SE";
    /// The number of a reliable provisional response (RFC 3262).
    RSeq = "RSeq";
    /// What a PRACK acknowledges.
    RAck = "RAck";
    /// What a NOTIFY is about (RFC 6665).
    Event = "Event", "o";
    /// Whether more NOTIFYs will come.
    SubscriptionState = "Subscription-State";
    /// Who calls, as a trusted network says (RFC 3325).
    PAssertedIdentity = "P-Asserted-Identity";
    /// What of the caller must not be shown (RFC 3323).
    Privacy = "Privacy";
    /// Who diverted the call (RFC 5806).
    Diversion = "Diversion";
}

/// One header field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    id: Option<HeaderId>,
    name: String,
    value: Vec<u8>,
}

impl Header {
    /// Takes a name and a value as they are. Line ends in the value become spaces: no value can start a header field of
    /// its own.
    pub fn new(name: &str, value: impl Into<Vec<u8>>) -> Self {
        let mut value = value.into();
        for byte in &mut value {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        let name: String = name.chars().filter(|&c| u8::try_from(c).is_ok_and(text::is_token_byte)).collect();
        Self { id: HeaderId::of(&name), name, value }
    }

    /// The id, if this crate knows the name.
    pub fn id(&self) -> Option<HeaderId> {
        self.id
    }

    /// The name as written.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value as written, unfolded and trimmed.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// The value as text.
    pub fn text(&self) -> Cow<'_, str> {
        text::decode(&self.value)
    }
}

/// Header fields in the order they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<Header>);

impl Headers {
    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Header> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first with this id.
    pub fn first(&self, id: HeaderId) -> Option<&Header> {
        self.0.iter().find(|header| header.id == Some(id))
    }

    /// All with this id, in order.
    pub fn all(&self, id: HeaderId) -> impl Iterator<Item = &Header> {
        self.0.iter().filter(move |header| header.id == Some(id))
    }

    /// The text of the first with this name, whatever its case; compact forms are found too.
    pub fn text_of(&self, name: &str) -> Option<Cow<'_, str>> {
        let id = HeaderId::of(name);
        self.0
            .iter()
            .find(|header| if id.is_some() { header.id == id } else { header.name.eq_ignore_ascii_case(name) })
            .map(Header::text)
    }

    /// Values of a comma-separated list header, over all its lines, in order (RFC 3261 §7.3.1).
    pub fn list(&self, id: HeaderId) -> Vec<String> {
        self.all(id)
            .flat_map(|header| {
                let text = header.text();
                text::split_outside_quotes(&text, ',').into_iter().map(str::to_owned).collect::<Vec<_>>()
            })
            .filter(|value| !value.is_empty())
            .collect()
    }

    /// Adds one at the end.
    pub fn push(&mut self, id: HeaderId, value: impl Into<Vec<u8>>) {
        self.0.push(Header::new(id.name(), value));
    }

    /// Adds one of any name at the end.
    pub fn push_header(&mut self, header: Header) {
        self.0.push(header);
    }

    /// Replaces the value of the first with this id.
    pub(crate) fn replace_first(&mut self, id: HeaderId, value: Vec<u8>) {
        if let Some(header) = self.0.iter_mut().find(|header| header.id == Some(id)) {
            header.value = value;
        }
    }
}
