//! Session timers (RFC 4028): who refreshes a session, and when it is taken for dead. Plain data.

use std::time::Duration;

use crate::message::{Header, HeaderId, Headers, Params};

/// How long a session lasts without a refresh, if it is ours to say; seconds.
pub(crate) const DEFAULT_SECONDS: u32 = 1_800;
/// The shortest such time we take (RFC 4028 §5: "MUST NOT be less than 90 seconds").
pub(crate) const MIN_SECONDS: u32 = 90;
/// The longest that is believed: what is above would overflow somebody's clock.
const MAX_SECONDS: u32 = 7 * 24 * 3_600;
/// RFC 4028 §10: the BYE leaves "the minimum of 32 seconds and one third of the session interval" before the end.
const LEAD_SECONDS: u32 = 32;
/// The option tag.
pub(crate) const TIMER: &str = "timer";

/// Which side of a request refreshes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refresher {
    /// Who sent the request.
    Uac,
    /// Who answered it.
    Uas,
}

/// A session interval and who keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) seconds: u32,
    pub(crate) refresher: Refresher,
    /// Whether the side that asks knows session timers: only then it can be relied on.
    uac_knows: bool,
}

/// The interval asked for is below [`MIN_SECONDS`]: answer 422.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooSmall;

impl Terms {
    /// What we answer to a request that opens, changes or refreshes a session (RFC 4028 §9). `we_refresh` says who did
    /// so far.
    pub(crate) fn answer(headers: &Headers, we_refresh: Option<bool>) -> Result<Self, TooSmall> {
        let uac_knows = supports(headers, TIMER);
        let floor = seconds(headers, HeaderId::MinSe).unwrap_or(MIN_SECONDS).clamp(MIN_SECONDS, MAX_SECONDS);
        let Some((asked, named)) = session_expires(headers) else {
            let seconds = DEFAULT_SECONDS.max(floor);
            return Ok(Self { seconds, refresher: Refresher::Uas, uac_knows });
        };
        // "If an incoming request contains a Supported header field with a value 'timer' and a Session Expires header
        // field, the UAS MAY reject the INVITE request with a 422".
        if asked < MIN_SECONDS && uac_knows {
            return Err(TooSmall);
        }
        // Who refreshes is ours to say if they do not; the one who did goes on, and at first it is us: our timer we
        // know to work.
        let refresher = match named {
            Some(named) if uac_knows => named,
            None if uac_knows && we_refresh == Some(false) => Refresher::Uac,
            Some(_) | None => Refresher::Uas,
        };
        Ok(Self { seconds: asked.min(DEFAULT_SECONDS).max(floor), refresher, uac_knows })
    }

    /// What a 2xx says to a request of ours (RFC 4028 §7.2). When it says nothing the far side knows no session timers,
    /// and we refresh all the same: a session whose far side is gone ends by it.
    pub(crate) fn learn(headers: &Headers) -> Self {
        let (seconds, refresher) = session_expires(headers).unwrap_or((DEFAULT_SECONDS, None));
        let seconds = seconds.max(MIN_SECONDS);
        Self { seconds, refresher: refresher.unwrap_or(Refresher::Uac), uac_knows: true }
    }

    /// The header fields of our 2xx.
    pub(crate) fn headers(self) -> Vec<Header> {
        let role = match self.refresher {
            Refresher::Uac => "uac",
            Refresher::Uas => "uas",
        };
        let mut headers = vec![Header::new("Session-Expires", format!("{};refresher={role}", self.seconds))];
        // RFC 4028 §9: "If the refresher parameter is set to 'uac', the UAS MUST place a Require header field into the
        // response with the value 'timer'."
        if self.refresher == Refresher::Uac {
            headers.push(Header::new("Require", TIMER));
        }
        headers
    }

    /// The timer these terms mean for us.
    pub(crate) fn timer(self, us: Refresher) -> SessionTimer {
        SessionTimer { seconds: self.seconds, we_refresh: self.refresher == us }
    }
}

/// The timer of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionTimer {
    pub(crate) seconds: u32,
    pub(crate) we_refresh: bool,
}

impl SessionTimer {
    /// RFC 4028 §7.2: "It is RECOMMENDED that the refresh be sent once half the session interval has elapsed."
    pub(crate) fn refresh_after(self) -> Duration {
        Duration::from_secs(u64::from(self.seconds / 2))
    }

    /// When the session is taken for dead and hung up, counted from the last refresh.
    pub(crate) fn lapse_after(self) -> Duration {
        Duration::from_secs(u64::from(self.seconds - LEAD_SECONDS.min(self.seconds / 3)))
    }
}

/// What our own INVITE, re-INVITE or UPDATE asks for.
pub(crate) fn request_headers(seconds: u32, min: u32, refresher: Option<Refresher>) -> Vec<Header> {
    let refresher = match refresher {
        Some(Refresher::Uac) => ";refresher=uac",
        Some(Refresher::Uas) => ";refresher=uas",
        None => "",
    };
    vec![
        Header::new("Session-Expires", format!("{}{refresher}", seconds.max(min))),
        Header::new("Min-SE", min.to_string()),
    ]
}

/// The shortest interval a 422 asks for (RFC 4028 §6).
pub(crate) fn min_se(headers: &Headers) -> Option<u32> {
    seconds(headers, HeaderId::MinSe).filter(|&seconds| seconds <= MAX_SECONDS)
}

/// Whether `Supported` or `Require` lists an option.
pub(crate) fn supports(headers: &Headers, option: &str) -> bool {
    [HeaderId::Supported, HeaderId::Require]
        .into_iter()
        .any(|id| headers.list(id).iter().any(|listed| listed.eq_ignore_ascii_case(option)))
}

fn session_expires(headers: &Headers) -> Option<(u32, Option<Refresher>)> {
    let text = headers.first(HeaderId::SessionExpires)?.text();
    let (seconds, params) = text.split_once(';').unwrap_or((&text, ""));
    let refresher = match Params::parse(params).value("refresher") {
        Some(role) if role.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
        Some(role) if role.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
        Some(_) | None => None,
    };
    Some((delta_seconds(seconds)?, refresher))
}

fn seconds(headers: &Headers, id: HeaderId) -> Option<u32> {
    let text = headers.first(id)?.text();
    delta_seconds(text.split(';').next().unwrap_or_default())
}

/// Digits; more than fit mean "as long as possible".
fn delta_seconds(text: &str) -> Option<u32> {
    let digits = text.trim();
    let numeric = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    numeric.then(|| digits.parse().unwrap_or(MAX_SECONDS).min(MAX_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in lines {
            headers.push_header(Header::new(name, *value));
        }
        headers
    }

    #[test]
    fn too_small_an_interval_is_refused_of_those_who_can_ask_again() {
        let small = [("Session-Expires", "60"), ("Supported", "timer")];
        assert_eq!(Terms::answer(&headers(&small), None), Err(TooSmall));
        let ignorant = Terms::answer(&headers(&small[..1]), None).unwrap();
        assert_eq!((ignorant.seconds, ignorant.refresher), (90, Refresher::Uas));
    }

    #[test]
    fn the_refresher_is_who_they_say_then_who_it_was_then_us() {
        let of = |value, was| {
            Terms::answer(&headers(&[("x", value), ("Supported", "timer")]), was).map(|terms| terms.refresher)
        };
        assert_eq!(of("1800;refresher=uac", None), Ok(Refresher::Uac));
        assert_eq!(of("1800", None), Ok(Refresher::Uas));
        assert_eq!(of("1800", Some(false)), Ok(Refresher::Uac));
    }

    #[test]
    fn hostile_numbers_are_bounded() {
        let huge = headers(&[("Session-Expires", "99999999999999999999"), ("Min-SE", "99999999999")]);
        assert_eq!(Terms::answer(&huge, None).unwrap().seconds, MAX_SECONDS);
        let odd = headers(&[("Session-Expires", "-5"), ("Min-SE", "x")]);
        assert_eq!(Terms::answer(&odd, None).unwrap().seconds, DEFAULT_SECONDS);
        assert_eq!(Terms::learn(&headers(&[("Session-Expires", "0;refresher=uas")])).seconds, MIN_SECONDS);
    }

    #[test]
    fn the_end_comes_a_little_before_the_interval_is_over() {
        let timer = |seconds| SessionTimer { seconds, we_refresh: false }.lapse_after().as_secs();
        assert_eq!(timer(1_800), 1_768);
        assert_eq!(timer(90), 60);
    }
}
