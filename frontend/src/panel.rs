//! What the whole panel shares: the model in signals, and the shells that carry out its effects.

use std::rc::Rc;

use crate::model::floor::Floor;
use crate::model::link::Link;
use crate::model::log::CallLog;
use crate::model::notice::Notices;
use crate::model::roster::Roster;
use crate::model::route::{Program, Route};
use crate::model::softphone::Softphone;
use crate::model::switch::Switch;
use cordboard_shared::Millis;
use cordboard_shared::agent::{AgentProfile, Presence, Role};
use cordboard_shared::api::routing::CallbackView;
use cordboard_shared::api::session::SessionView;
use cordboard_shared::event::{DeviceState, LiveCall, Ring};
use cordboard_shared::id::{AgentId, CallId};
use leptos::prelude::*;

use crate::browser::{clock, history, storage};
use crate::decode::{Message, Reader};
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

/// What is open over the page; one thing at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Popover {
    #[default]
    Closed,
    /// The menu of the switch.
    Switch,
    /// What can ring me now.
    Reach,
    /// Whether to resume from an opt-out.
    Resume,
    /// The account menu.
    Account,
}

/// What one half of the panel does with what only it shows. The desk has a telephone; management has none, and does
/// not carry its code.
pub(crate) struct Hooks {
    pub(crate) program: Program,
    /// How frames about calls are read.
    pub(crate) reader: Reader,
    /// The device, as the server is told.
    pub(crate) device: fn(Panel) -> DeviceState,
    /// A snapshot has come, with offers and calls.
    pub(crate) begin: fn(Panel, AgentId, Vec<Ring>, Vec<LiveCall>),
    /// A message about calls, callbacks or notices.
    pub(crate) hear: fn(Panel, Message),
    /// The sign-in has ended.
    pub(crate) end: fn(Panel),
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
    /// Calls one may take, own devices, words for filing.
    pub(crate) floor: RwSignal<Floor>,
    pub(crate) switch: RwSignal<Switch>,
    pub(crate) log: RwSignal<CallLog>,
    pub(crate) device: RwSignal<Device>,
    pub(crate) notices: RwSignal<Notices>,
    pub(crate) callbacks: RwSignal<Vec<CallbackView>>,
    pub(crate) popover: RwSignal<Popover>,
    /// Version of the routing policy, once it is known.
    pub(crate) policy_version: RwSignal<u64>,
    pub(crate) hooks: &'static Hooks,
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
    pub(crate) fn new(hooks: &'static Hooks) -> Self {
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
            floor: RwSignal::new(Floor::default()),
            switch: RwSignal::new(Switch::default()),
            log: RwSignal::new(CallLog::default()),
            device: RwSignal::new(Device::default()),
            notices: RwSignal::new(Notices::default()),
            callbacks: RwSignal::new(Vec::new()),
            popover: RwSignal::new(Popover::Closed),
            policy_version: RwSignal::new(0),
            hooks,
            now: RwSignal::new(clock::now()),
            polite: RwSignal::new(Said::default()),
            assertive: RwSignal::new(Said::default()),
            ahead: StoredValue::new(0),
            shells: StoredValue::new_local(Rc::new(shells)),
        }
    }

    /// Goes to a page; one of the other program is loaded.
    pub(crate) fn go(self, route: Route) {
        self.popover.set(Popover::Closed);
        if route.program().is_some_and(|program| program != self.hooks.program) {
            history::load(route);
        } else if self.route.get_untracked() != route {
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

    /// Whether the person signed in sees and changes the whole account; tracked.
    pub(crate) fn is_admin(self) -> bool {
        self.user().is_some_and(|user| user.role.is_admin())
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
        self.link.set(Link::default());
        self.roster.set(Roster::default());
        self.notices.set(Notices::default());
        self.callbacks.set(Vec::new());
        self.floor.set(Floor::default());
        (self.hooks.end)(self);
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
