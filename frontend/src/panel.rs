//! What the whole panel shares: the model in signals, and the shells that carry out its effects.

use std::rc::Rc;

use cordboard_frontend::model::link::Link;
use cordboard_frontend::model::log::CallLog;
use cordboard_frontend::model::roster::Roster;
use cordboard_frontend::model::route::Route;
use cordboard_frontend::model::softphone::Softphone;
use cordboard_frontend::model::switch::Switch;
use cordboard_shared::Millis;
use cordboard_shared::agent::{AgentProfile, Presence, Role};
use cordboard_shared::api::session::SessionView;
use cordboard_shared::id::CallId;
use leptos::prelude::*;

use crate::browser::{clock, history, storage};
use crate::device::Device;
use crate::live::Live;
use crate::telephone::Telephone;

/// Who is signed in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Session {
    /// Not asked yet.
    Unknown,
    /// Nobody; a sentence when that was not the person's own doing.
    SignedOut(Option<String>),
    /// Somebody.
    SignedIn(SessionView),
}

/// What the live regions say. The number makes the same words be said twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) times: u32,
}

/// The whole panel: cheap to copy, lives as long as the page.
#[derive(Clone, Copy)]
pub(crate) struct Panel {
    pub(crate) session: RwSignal<Session>,
    /// The page in sight.
    pub(crate) route: RwSignal<Route>,
    pub(crate) link: RwSignal<Link>,
    pub(crate) roster: RwSignal<Roster>,
    pub(crate) phone: RwSignal<Softphone>,
    pub(crate) switch: RwSignal<Switch>,
    pub(crate) log: RwSignal<CallLog>,
    pub(crate) device: RwSignal<Device>,
    /// The server's clock as well as it is known; moves once a second.
    pub(crate) now: RwSignal<Millis>,
    pub(crate) polite: RwSignal<Said>,
    pub(crate) assertive: RwSignal<Said>,
    /// How far the server's clock is ahead of this browser's, in milliseconds.
    pub(crate) ahead: StoredValue<i64>,
    pub(crate) shells: StoredValue<Rc<Shells>, LocalStorage>,
}

/// What carries out effects.
pub(crate) struct Shells {
    /// A stable id of this browser.
    pub(crate) device: String,
    /// This tab.
    pub(crate) tab: String,
    /// The call whose sound was here before the page was reloaded.
    pub(crate) had_sound: Option<CallId>,
    pub(crate) live: Live,
    pub(crate) telephone: Telephone,
}

impl Panel {
    /// A panel nobody is signed in to.
    pub(crate) fn new() -> Self {
        let (tab, had_sound) = storage::tab();
        let shells = Shells {
            device: storage::device(),
            tab,
            had_sound,
            live: Live::default(),
            telephone: Telephone::default(),
        };
        Self {
            session: RwSignal::new(Session::Unknown),
            route: RwSignal::new(history::route()),
            link: RwSignal::new(Link::default()),
            roster: RwSignal::new(Roster::default()),
            phone: RwSignal::new(Softphone::default()),
            switch: RwSignal::new(Switch::default()),
            log: RwSignal::new(CallLog::default()),
            device: RwSignal::new(Device::default()),
            now: RwSignal::new(clock::now()),
            polite: RwSignal::new(Said::default()),
            assertive: RwSignal::new(Said::default()),
            ahead: StoredValue::new(0),
            shells: StoredValue::new_local(Rc::new(shells)),
        }
    }

    /// Goes to a page.
    pub(crate) fn go(self, route: Route) {
        if self.route.get_untracked() != route {
            history::push(route);
            self.route.set(route);
        }
    }

    /// What carries out effects.
    pub(crate) fn shells(self) -> Rc<Shells> {
        self.shells.get_value()
    }

    /// The server's clock this instant.
    pub(crate) fn exactly_now(self) -> Millis {
        Millis(clock::now().0 + self.ahead.get_value())
    }

    /// Says something when there is a pause.
    pub(crate) fn tell(self, text: impl Into<String>) {
        say(self.polite, text.into());
    }

    /// Says something at once.
    pub(crate) fn alert(self, text: impl Into<String>) {
        say(self.assertive, text.into());
    }

    /// The account's zone; tracked.
    pub(crate) fn zone(self) -> String {
        self.session.with(|session| match session {
            Session::SignedIn(view) => view.zone.clone(),
            Session::Unknown | Session::SignedOut(_) => String::new(),
        })
    }

    /// The person signed in; tracked.
    pub(crate) fn user(self) -> Option<AgentProfile> {
        self.session.with(|session| match session {
            Session::SignedIn(view) => Some(view.user.clone()),
            Session::Unknown | Session::SignedOut(_) => None,
        })
    }

    /// Whether the person signed in looks after others; tracked.
    pub(crate) fn is_staff(self) -> bool {
        self.user().is_some_and(|user| match user.role {
            Role::Owner | Role::Admin | Role::Manager => true,
            Role::Agent => false,
        })
    }

    /// The own presence as the server confirmed it; tracked.
    pub(crate) fn presence(self) -> Option<Presence> {
        self.roster.with(|roster| roster.myself()?.presence.clone())
    }

    /// The own presence; not tracked.
    pub(crate) fn presence_untracked(self) -> Option<Presence> {
        self.roster.with_untracked(|roster| roster.myself()?.presence.clone())
    }

    /// The person signed in; not tracked.
    pub(crate) fn user_untracked(self) -> Option<AgentProfile> {
        untrack(|| self.user())
    }

    /// A time of day in the account's zone, with the day when it is another one.
    pub(crate) fn clock(self, at: Millis) -> String {
        clock::time_or_day(at, self.now.get(), &self.zone())
    }

    /// The sign-in has ended: forgets everything about the account.
    pub(crate) fn signed_out(self, why: Option<String>) {
        self.shells().live.close();
        self.shells().telephone.hang_up();
        self.link.set(Link::default());
        self.roster.set(Roster::default());
        let leads = self.phone.with_untracked(Softphone::is_leader);
        let mut phone = Softphone::default();
        phone.handle_input(self.exactly_now(), cordboard_frontend::model::softphone::Input::LeaderChanged(leads));
        self.phone.set(phone);
        self.switch.set(Switch::default());
        self.log.set(CallLog::default());
        self.session.set(Session::SignedOut(why));
    }
}

/// The panel of this page.
pub(crate) fn use_panel() -> Panel {
    expect_context()
}

fn say(region: RwSignal<Said>, text: String) {
    region.update(|said| {
        said.times += 1;
        said.text = text;
    });
}
