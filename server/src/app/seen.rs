//! What trunks and desk phones were last heard to do, for people who look.

use std::collections::{BTreeMap, BTreeSet};

use cordboard_shared::Millis;
use cordboard_shared::api::telephony::{PhoneStatus, TrunkHealth, TrunkStatus};
use cordboard_shared::id::TrunkId;
use cordboard_shared::telephony::OutboundTrunk;
use cordboard_sip::Event;

use crate::directory::Directory;

/// The last news of each trunk and phone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    trunks: BTreeMap<TrunkId, (TrunkNews, Millis)>,
    phones: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TrunkNews {
    registered: Option<bool>,
    reachable: bool,
    refused: Option<u16>,
}

impl Seen {
    /// Takes note of an event of the SIP side; false when it says nothing new.
    pub(super) fn note(&mut self, event: &Event, now: Millis) -> bool {
        if let Event::TrunkState { trunk, health } = event {
            let Ok(trunk) = trunk.0.parse() else { return false };
            let news =
                TrunkNews { registered: health.registered, reachable: health.reachable, refused: health.refused };
            if self.trunks.get(&trunk).is_some_and(|(held, _)| *held == news) {
                return false;
            }
            self.trunks.insert(trunk, (news, now));
            true
        } else if let Event::Registered { username, .. } = event {
            self.phones.insert(username.clone())
        } else if let Event::Unregistered { username } = event {
            self.phones.remove(username)
        } else {
            false
        }
    }

    /// Trunks of the settings, in their order.
    pub fn trunks(&self, directory: &Directory) -> Vec<TrunkStatus> {
        let status = |way: &OutboundTrunk| {
            let trunk = way.trunk;
            // A trunk that is never asked and where nothing registers is not known to be there.
            let asked = way.options_seconds > 0 || way.registrar.is_some();
            let news = self.trunks.get(&trunk).filter(|(news, _)| asked || !news.reachable);
            let name = directory.telephony.trunks.iter().find(|it| it.id == trunk).map(|it| it.name.clone());
            TrunkStatus {
                trunk,
                name: name.unwrap_or_default(),
                state: match news {
                    None => TrunkHealth::Unknown,
                    Some((news, _)) if news.reachable && news.registered != Some(false) => TrunkHealth::Up,
                    Some(_) => TrunkHealth::Down,
                },
                registered: news.and_then(|(news, _)| news.registered),
                since: news.map(|(_, at)| *at),
                detail: news.and_then(|(news, _)| detail(*news)),
            }
        };
        directory.telephony.outbound.iter().map(status).collect()
    }

    /// Desk phones of the settings.
    pub fn phones(&self, directory: &Directory) -> Vec<PhoneStatus> {
        let has_password = |name: &str| directory.phone_users.iter().any(|user| user.username == name);
        let status = |phone: &cordboard_shared::telephony::Phone| PhoneStatus {
            username: phone.username.clone(),
            agent: phone.agent,
            registered: self.phones.contains(&phone.username),
            has_password: has_password(&phone.username),
        };
        directory.telephony.phones.iter().map(status).collect()
    }
}

fn detail(news: TrunkNews) -> Option<String> {
    match (news.refused, news.reachable) {
        (Some(408), _) => Some("Nobody answered the registration.".to_owned()),
        (Some(status), _) => Some(format!("The registration was refused with {status}.")),
        (None, false) => Some("No target answers.".to_owned()),
        (None, true) => None,
    }
}

#[cfg(test)]
mod tests {
    use cordboard_shared::telephony::{Encryption, Telephony};

    use super::*;

    #[test]
    fn the_last_news_of_each_are_shown() {
        let mut directory = crate::demo::directory();
        let trunk = directory.telephony.trunks[0].id;
        let outbound = OutboundTrunk {
            trunk,
            targets: Vec::new(),
            credentials: None,
            registrar: None,
            options_seconds: 30,
            encryption: Encryption::Off,
        };
        let telephony = Telephony { outbound: vec![outbound], ..Telephony::clone(&directory.telephony) };
        directory.telephony = std::sync::Arc::new(telephony);
        let mut seen = Seen::default();
        assert_eq!(seen.trunks(&directory)[0].state, TrunkHealth::Unknown);

        let health = |reachable, refused: Option<u16>| cordboard_sip::endpoint::TrunkHealth {
            registered: refused.map(|_| false),
            reachable,
            refused,
        };
        let id = cordboard_sip::endpoint::TrunkId(trunk.to_string());
        let state = |reachable, refused| Event::TrunkState { trunk: id.clone(), health: health(reachable, refused) };
        assert!(seen.note(&state(true, None), Millis(1)) && !seen.note(&state(true, None), Millis(2)));
        assert_eq!(
            (seen.trunks(&directory)[0].state, seen.trunks(&directory)[0].since),
            (TrunkHealth::Up, Some(Millis(1)))
        );
        let mut silent = directory.clone();
        let mut telephony = Telephony::clone(&silent.telephony);
        telephony.outbound[0].options_seconds = 0;
        silent.telephony = std::sync::Arc::new(telephony);
        assert_eq!(seen.trunks(&silent)[0].state, TrunkHealth::Unknown, "nobody asks whether it is there");
        assert!(seen.note(&state(true, Some(403)), Millis(3)));
        let shown = seen.trunks(&directory).remove(0);
        assert_eq!(
            (shown.state, shown.detail.as_deref()),
            (TrunkHealth::Down, Some("The registration was refused with 403."))
        );

        assert!(seen.note(&Event::Registered { username: "1001".to_owned(), contacts: 1 }, Millis(4)));
        let registered: Vec<_> = seen.phones(&directory).iter().map(|phone| phone.registered).collect();
        assert_eq!(registered, [true, false]);
        assert!(seen.note(&Event::Unregistered { username: "1001".to_owned() }, Millis(5)));
        assert!(!seen.phones(&directory)[0].registered);
    }
}
