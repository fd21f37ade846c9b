//! The addresses of the panel.

/// Which half of the panel shows a page; each is loaded as a page of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// For those who take calls.
    Desk,
    /// For those who look after people and routing.
    Manage,
}

impl Program {
    /// The half an address belongs to, whether or not it has such a page.
    pub fn at(path: &str) -> Self {
        let path = path.trim_end_matches('/');
        let manages = path == "/team" || path == "/manage" || path.starts_with("/manage/");
        if manages { Self::Manage } else { Self::Desk }
    }
}

/// A page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Route {
    /// `/`
    Desk,
    /// `/calls`
    Calls,
    /// `/devices`
    Devices,
    /// `/help`
    Help,
    /// `/sign-in`
    SignIn,
    /// `/manage/team`
    Team,
    /// `/manage/bulk`
    Bulk,
    /// `/manage/routing`
    Routing,
    /// `/manage/what-if`
    WhatIf,
    /// `/manage/contacts`
    Contacts,
    /// `/manage/flows`
    Flows,
    /// `/manage/audio`
    Audio,
    /// `/manage/numbers`
    Numbers,
    /// `/manage/telephony`
    Telephony,
    /// `/manage/reachability`
    Reachability,
    /// `/manage/emergency`
    Emergency,
    /// `/manage/blocked`
    Blocked,
    /// `/manage/outbox`
    Outbox,
    /// `/manage/replay`
    Replay,
    /// Anything else.
    Unknown,
}

const ALL: [(Route, &str); 19] = [
    (Route::Desk, "/"),
    (Route::Calls, "/calls"),
    (Route::Devices, "/devices"),
    (Route::Help, "/help"),
    (Route::SignIn, "/sign-in"),
    (Route::Team, "/manage/team"),
    (Route::Bulk, "/manage/bulk"),
    (Route::Routing, "/manage/routing"),
    (Route::WhatIf, "/manage/what-if"),
    (Route::Contacts, "/manage/contacts"),
    (Route::Flows, "/manage/flows"),
    (Route::Audio, "/manage/audio"),
    (Route::Numbers, "/manage/numbers"),
    (Route::Telephony, "/manage/telephony"),
    (Route::Reachability, "/manage/reachability"),
    (Route::Emergency, "/manage/emergency"),
    (Route::Blocked, "/manage/blocked"),
    (Route::Outbox, "/manage/outbox"),
    (Route::Replay, "/manage/replay"),
];

impl Route {
    /// The page at an address.
    pub fn at(path: &str) -> Self {
        match path.trim_end_matches('/') {
            "" => Self::Desk,
            // Its address before management became a page of its own, and the door of that page.
            "/team" | "/manage" => Self::Team,
            path => ALL.iter().find(|(_, known)| *known == path).map_or(Self::Unknown, |(route, _)| *route),
        }
    }

    /// Its address.
    pub fn path(self) -> &'static str {
        ALL.iter().find(|(known, _)| *known == self).map_or("/", |(_, path)| path)
    }

    /// The program that shows it; none shows it when it is unknown to both.
    pub fn program(self) -> Option<Program> {
        match self {
            Self::Desk | Self::Calls | Self::Devices | Self::Help | Self::SignIn => Some(Program::Desk),
            Self::Team
            | Self::Bulk
            | Self::Routing
            | Self::WhatIf
            | Self::Contacts
            | Self::Flows
            | Self::Audio
            | Self::Numbers
            | Self::Telephony
            | Self::Reachability
            | Self::Emergency
            | Self::Blocked
            | Self::Outbox
            | Self::Replay => Some(Program::Manage),
            Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_page_is_found_at_its_own_address() {
        for (route, path) in ALL {
            assert_eq!(Route::at(route.path()), route);
            assert_eq!(route.program() == Some(Program::Manage), path.starts_with("/manage/"));
        }
        assert_eq!(Route::at("/calls/"), Route::Calls);
        assert_eq!(Route::at("/team"), Route::Team);
        assert_eq!(Route::at("/elsewhere"), Route::Unknown);
        for (path, program) in [
            ("/manage", Program::Manage),
            ("/team/", Program::Manage),
            ("/manage/elsewhere", Program::Manage),
            ("/management", Program::Desk),
            ("/", Program::Desk),
        ] {
            assert_eq!(Program::at(path), program, "{path}");
        }
    }
}
