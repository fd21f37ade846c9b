//! Request methods.

/// A request method; case-sensitive (RFC 3261 §7.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Starts or changes a session.
    Invite,
    /// Confirms a final response to INVITE.
    Ack,
    /// Ends a session.
    Bye,
    /// Withdraws a pending INVITE.
    Cancel,
    /// Asks for capabilities.
    Options,
    /// Carries application data in a dialog (RFC 6086).
    Info,
    /// Changes a session without touching the INVITE (RFC 3311).
    Update,
    /// Binds an address of record.
    Register,
    /// Asks for notifications (RFC 6665).
    Subscribe,
    /// Notifies (RFC 6665).
    Notify,
    /// Publishes event state (RFC 3903).
    Publish,
    /// Asks to contact somebody else (RFC 3515).
    Refer,
    /// An instant message (RFC 3428).
    Message,
    /// Acknowledges a reliable provisional response (RFC 3262).
    Prack,
    /// Any other token.
    Other(String),
}

impl Method {
    /// Reads a token; whether it is one is the caller's to check.
    pub fn from_token(token: &str) -> Self {
        match token {
            "INVITE" => Self::Invite,
            "ACK" => Self::Ack,
            "BYE" => Self::Bye,
            "CANCEL" => Self::Cancel,
            "OPTIONS" => Self::Options,
            "INFO" => Self::Info,
            "UPDATE" => Self::Update,
            "REGISTER" => Self::Register,
            "SUBSCRIBE" => Self::Subscribe,
            "NOTIFY" => Self::Notify,
            "PUBLISH" => Self::Publish,
            "REFER" => Self::Refer,
            "MESSAGE" => Self::Message,
            "PRACK" => Self::Prack,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The token on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Options => "OPTIONS",
            Self::Info => "INFO",
            Self::Update => "UPDATE",
            Self::Register => "REGISTER",
            Self::Subscribe => "SUBSCRIBE",
            Self::Notify => "NOTIFY",
            Self::Publish => "PUBLISH",
            Self::Refer => "REFER",
            Self::Message => "MESSAGE",
            Self::Prack => "PRACK",
            Self::Other(token) => token,
        }
    }
}
