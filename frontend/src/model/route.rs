//! The addresses of the panel.

/// A page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/`
    Desk,
    /// `/calls`
    Calls,
    /// `/team`
    Team,
    /// `/devices`
    Devices,
    /// `/help`
    Help,
    /// `/sign-in`
    SignIn,
    /// Anything else.
    Unknown,
}

impl Route {
    /// The page at an address.
    pub fn at(path: &str) -> Self {
        match path.trim_end_matches('/') {
            "" => Self::Desk,
            "/calls" => Self::Calls,
            "/team" => Self::Team,
            "/devices" => Self::Devices,
            "/help" => Self::Help,
            "/sign-in" => Self::SignIn,
            _ => Self::Unknown,
        }
    }

    /// Its address.
    pub fn path(self) -> &'static str {
        match self {
            Self::Desk | Self::Unknown => "/",
            Self::Calls => "/calls",
            Self::Team => "/team",
            Self::Devices => "/devices",
            Self::Help => "/help",
            Self::SignIn => "/sign-in",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_page_is_found_at_its_own_address() {
        for route in [Route::Desk, Route::Calls, Route::Team, Route::Devices, Route::Help, Route::SignIn] {
            assert_eq!(Route::at(route.path()), route);
        }
        assert_eq!(Route::at("/calls/"), Route::Calls);
        assert_eq!(Route::at("/elsewhere"), Route::Unknown);
    }
}
