//! What a person should be told about their own availability without asking: set Away by the server, a break that is
//! over, a sign-out that is near, an emergency route that reaches them.

use cordboard_shared::Millis;
use cordboard_shared::agent::{Presence, Source, Toggle, Verdict};
use cordboard_shared::id::DepartmentId;
use cordboard_shared::policy::EmergencyRoute;

/// Time between two `activity` frames, in milliseconds.
pub const ACTIVITY_EVERY_MS: u64 = 60_000;

/// A bar below the top bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The server set this person Away.
    SetAway(String),
    /// A break with an end is over.
    BackAgain(Millis),
    /// Inactivity ends the sign-in then.
    SignOut(Millis),
}

/// What is told beside the facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notices {
    signout_at: Option<Millis>,
    active_at: Option<Millis>,
    /// Emergency routes one may know of.
    pub emergencies: Vec<EmergencyRoute>,
}

impl Notices {
    /// Inactivity ends the sign-in then.
    pub fn signout_soon(&mut self, at: Millis) {
        self.signout_at = Some(at);
    }

    /// The person has done something; whether the server should hear of it now.
    pub fn active(&mut self, now: Millis) -> bool {
        let due =
            self.signout_at.take().is_some() || self.active_at.is_none_or(|last| now.since(last) >= ACTIVITY_EVERY_MS);
        if due {
            self.active_at = Some(now);
        }
        due
    }

    /// The bars to show now, the most urgent first.
    pub fn shown(&self, presence: Option<&Presence>, now: Millis) -> Vec<Notice> {
        let mut shown: Vec<Notice> = self.signout_at.filter(|at| *at > now).map(Notice::SignOut).into_iter().collect();
        shown.extend(presence.and_then(|presence| about(presence, now)));
        shown
    }

    /// The emergency routes that hold now: all, or those of these departments.
    pub fn running(&self, now: Millis, departments: Option<&[DepartmentId]>) -> Vec<EmergencyRoute> {
        let holds = |route: &&EmergencyRoute| match departments {
            Some(own) => own.iter().any(|id| route.covers(*id, now)),
            None => route.starts <= now && now < route.ends,
        };
        self.emergencies.iter().filter(holds).cloned().collect()
    }
}

/// What the facts themselves tell, so that it is still told after a reload or at the next sign-in.
fn about(presence: &Presence, now: Millis) -> Option<Notice> {
    if presence.state != Toggle::Away {
        return None;
    }
    if presence.source == Source::System {
        return presence.reason.as_deref().and_then(by_server).map(Notice::SetAway);
    }
    let over = presence.until.filter(|until| *until <= now)?;
    (presence.effective.verdict == Verdict::Away).then_some(Notice::BackAgain(over))
}

/// `after 2 missed calls`, for the reasons the server itself gives.
pub fn by_server(reason: &str) -> Option<String> {
    if let Some(missed) = reason.strip_prefix("missed_").and_then(|number| number.parse::<u64>().ok()) {
        return Some(format!("after {}", super::duration::count(missed, "missed call")));
    }
    let span = reason.strip_prefix("inactivity_")?;
    if let Some(hours) = span.strip_suffix('h').and_then(|number| number.parse::<u64>().ok()) {
        return Some(format!("after {} without activity", super::duration::count(hours, "hour")));
    }
    let minutes = span.strip_suffix('m')?.parse::<u64>().ok()?;
    Some(format!("after {} without activity", super::duration::count(minutes, "minute")))
}

/// A reason as people read it.
pub fn reason_words(reason: &str) -> String {
    by_server(reason).map_or_else(|| reason.to_owned(), |words| format!("Set Away {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::roster::tests::{ASHA, presence};

    #[test]
    fn set_away_by_the_server_is_told_as_long_as_it_holds() {
        let mut away = presence(ASHA, 3, Verdict::Away);
        away.source = Source::System;
        away.reason = Some("missed_2".to_owned());
        let shown = Notices::default().shown(Some(&away), Millis(9));
        assert_eq!(shown, [Notice::SetAway("after 2 missed calls".to_owned())]);

        away.state = Toggle::On;
        assert_eq!(Notices::default().shown(Some(&away), Millis(9)), []);
    }

    #[test]
    fn a_break_that_is_over_asks() {
        let mut away = presence(ASHA, 3, Verdict::Away);
        away.until = Some(Millis(100));
        assert_eq!(Notices::default().shown(Some(&away), Millis(99)), []);
        assert_eq!(Notices::default().shown(Some(&away), Millis(100)), [Notice::BackAgain(Millis(100))]);
    }

    #[test]
    fn activity_is_told_once_a_minute_and_at_once_before_a_sign_out() {
        let mut notices = Notices::default();
        assert!(notices.active(Millis(0)));
        assert!(!notices.active(Millis(59_999)));
        notices.signout_soon(Millis(900_000));
        assert_eq!(notices.shown(None, Millis(1)), [Notice::SignOut(Millis(900_000))]);
        assert!(notices.active(Millis(59_999)));
        assert_eq!(notices.shown(None, Millis(1)), []);
        assert!(!notices.active(Millis(60_000)));
    }

    #[test]
    fn an_emergency_is_told_to_those_it_can_reach_while_it_holds() {
        let (support, sales) = (DepartmentId::demo(1), DepartmentId::demo(2));
        let route = EmergencyRoute {
            id: cordboard_shared::id::EmergencyId::demo(1),
            name: "Storm".to_owned(),
            reason: "storm".to_owned(),
            departments: vec![support],
            starts: Millis(10),
            ends: Millis(20),
            by: cordboard_shared::agent::Actor::system(),
        };
        let notices = Notices { emergencies: vec![route], ..Notices::default() };
        let told = |now, own: Option<&[DepartmentId]>| notices.running(Millis(now), own).len();
        assert_eq!(told(10, Some(&[sales, support])), 1);
        assert_eq!(told(10, Some(&[sales])), 0);
        assert_eq!(told(10, None), 1);
        assert_eq!((told(9, None), told(20, None)), (0, 0));
    }

    #[test]
    fn the_servers_reasons_have_words() {
        assert_eq!(by_server("inactivity_8h").as_deref(), Some("after 8 hours without activity"));
        assert_eq!(by_server("inactivity_90m").as_deref(), Some("after 90 minutes without activity"));
        assert_eq!(reason_words("Lunch"), "Lunch");
    }
}
