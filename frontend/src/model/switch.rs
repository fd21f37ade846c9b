//! The Call Availability switch: it turns when the server has confirmed, never before.

use cordboard_shared::agent::{Presence, Toggle, Verdict};
use cordboard_shared::api::availability::FactChange;
use cordboard_shared::{Millis, Problem, ProblemCode};

use super::notice;

/// One change of the own facts on its way, under a key that makes repeating it safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// What is asked for.
    pub change: FactChange,
    /// `Idempotency-Key`: the same for every try of this press.
    pub key: String,
    /// Intent number: one above the highest the server has told of.
    pub n: u64,
}

/// The switch beside the presence it shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Switch {
    /// Shows what the server confirmed.
    #[default]
    Settled,
    /// Waits for the server.
    Saving(Intent),
    /// Not confirmed; the old value stands.
    Failed {
        /// To be tried again as it is.
        intent: Intent,
        /// A sentence for the person.
        why: String,
    },
}

impl Switch {
    /// A press. While one is on its way a second press is not taken: its outcome is not known yet.
    pub fn press(&mut self, intent: Intent) -> bool {
        match self {
            Self::Saving(_) => false,
            Self::Settled | Self::Failed { .. } => {
                *self = Self::Saving(intent);
                true
            }
        }
    }

    /// Tries the failed press again, with its own key and number.
    pub fn retry(&mut self) -> Option<Intent> {
        let Self::Failed { intent, .. } = self else { return None };
        let intent = intent.clone();
        *self = Self::Saving(intent.clone());
        Some(intent)
    }

    /// The server has answered.
    pub fn answered(&mut self, key: &str, outcome: Result<(), String>) {
        let Self::Saving(intent) = self else { return };
        if intent.key != key {
            return;
        }
        *self = match outcome {
            Ok(()) => Self::Settled,
            Err(why) => Self::Failed { intent: intent.clone(), why },
        };
    }

    /// Somebody else's change came in meanwhile: a failure to reach a value that now holds is no failure any more.
    pub fn presence_changed(&mut self, state: Toggle) {
        if let Self::Failed { intent, .. } = self
            && matches!(&intent.change, FactChange::Toggle(change) if change.state == state)
        {
            *self = Self::Settled;
        }
    }
}

/// Why a press did not take, in a sentence.
pub fn refusal(problem: &Problem) -> String {
    match problem.code() {
        Some(ProblemCode::OutcomeUnknown) => {
            "The server did not say in time whether it took the change. Retry is safe.".to_owned()
        }
        Some(_) | None => problem.detail.clone(),
    }
}

/// What a person should know beside the badge's word: why nothing can ring, and until when. `clock` prints a time of day.
pub fn sentence(presence: &Presence, clock: &dyn Fn(Millis) -> String) -> String {
    let until = |until: Option<Millis>| until.map(|at| format!(" until {}", clock(at))).unwrap_or_default();
    let because = |reason: &Option<String>| reason.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
    match presence.effective.verdict {
        Verdict::Available => "Calls can ring you.".to_owned(),
        Verdict::Ringing => "A call is being offered to you.".to_owned(),
        Verdict::OnCall => match presence.state {
            Toggle::On => "The next call waits or goes to others.".to_owned(),
            Toggle::Away => "You are Away after this call.".to_owned(),
        },
        Verdict::AfterCallWork => "Finishing the last call; then calls can ring you again.".to_owned(),
        Verdict::Away => {
            let reason =
                presence.reason.as_ref().map(|text| format!("{}. ", notice::reason_words(text))).unwrap_or_default();
            let back = presence.until.map(|at| format!(" Back at {}.", clock(at))).unwrap_or_default();
            format!("{reason}Queue calls go to others.{back}")
        }
        Verdict::Dnd => format!("Do Not Disturb holds all calls off{}.", until_of(presence.facts.dnd.as_ref(), &until)),
        Verdict::OptedOut => "You have opted out of business calls. Switch Call Availability on to resume.".to_owned(),
        Verdict::Paused => match &presence.facts.pause {
            Some(pause) => format!(
                "Paused by {}{}{}. Your switch counts again then.",
                pause.stamp.by.name,
                until(pause.until),
                because(&pause.reason)
            ),
            None => "Paused by an admin. Your switch counts again when the pause ends.".to_owned(),
        },
        Verdict::OffSchedule => match presence.facts.schedule.changes_at {
            Some(at) => format!("Outside your hours, back {}.", clock(at)),
            None => "Outside your hours.".to_owned(),
        },
        Verdict::NoDevice => "On, but no device can ring: check this device.".to_owned(),
        Verdict::Disabled => "Your seat is disabled. Ask an admin.".to_owned(),
    }
}

fn until_of(block: Option<&cordboard_shared::agent::Block>, until: &impl Fn(Option<Millis>) -> String) -> String {
    block.map(|block| until(block.until)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use cordboard_shared::api::presence::PresenceChange;

    use super::*;

    fn intent(state: Toggle) -> Intent {
        Intent { change: FactChange::Toggle(PresenceChange::to(state)), key: "k1".to_owned(), n: 4 }
    }

    #[test]
    fn one_press_at_a_time_until_the_server_has_answered() {
        let mut switch = Switch::default();

        assert!(switch.press(intent(Toggle::Away)));
        assert!(!switch.press(intent(Toggle::On)));
        switch.answered("another", Ok(()));
        assert_eq!(switch, Switch::Saving(intent(Toggle::Away)));
        switch.answered("k1", Ok(()));
        assert_eq!(switch, Switch::Settled);
    }

    #[test]
    fn a_failed_press_is_tried_again_under_its_own_key() {
        let mut switch = Switch::Saving(intent(Toggle::Away));
        switch.answered("k1", Err("no network".to_owned()));

        assert_eq!(switch.retry(), Some(intent(Toggle::Away)));
        assert_eq!(switch, Switch::Saving(intent(Toggle::Away)));
    }

    #[test]
    fn a_failure_is_forgotten_once_the_wanted_value_holds() {
        let mut switch = Switch::Failed { intent: intent(Toggle::Away), why: String::new() };

        switch.presence_changed(Toggle::On);
        assert!(matches!(switch, Switch::Failed { .. }));
        switch.presence_changed(Toggle::Away);
        assert_eq!(switch, Switch::Settled);
    }
}
