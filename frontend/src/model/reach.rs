//! A person's or a department's own word on what may reach them: always narrower than the account's.

use cordboard_shared::policy::{Reach, ReachPatch, ScheduleGates, TransferReach};

/// One of the yes-or-no rules that can be narrowed.
pub struct Rule {
    /// Its name, as on the Reachability page.
    pub name: &'static str,
    /// What the account allows.
    pub account: fn(&Reach) -> bool,
    /// The own word.
    pub own: fn(&ReachPatch) -> Option<bool>,
    /// Sets the own word.
    pub set: fn(&mut ReachPatch, Option<bool>),
    /// What happens when it is allowed.
    pub on: &'static str,
    /// What happens when it is not.
    pub off: &'static str,
}

/// The rules.
pub const RULES: [Rule; 5] = [
    Rule {
        name: "Direct extension rings while Away",
        account: |reach| reach.extension_rings_away,
        own: |patch| patch.extension_rings_away,
        set: |patch, word| patch.extension_rings_away = word,
        on: "A dialed extension rings while Away.",
        off: "A dialed extension goes to voicemail while Away.",
    },
    Rule {
        name: "Colleagues' calls ring while Away",
        account: |reach| reach.internal_rings_away,
        own: |patch| patch.internal_rings_away,
        set: |patch, word| patch.internal_rings_away = word,
        on: "A colleague's call rings while Away.",
        off: "A colleague's call goes to voicemail while Away.",
    },
    Rule {
        name: "Callbacks reach Away",
        account: |reach| reach.callbacks_reach_away,
        own: |patch| patch.callbacks_reach_away,
        set: |patch, word| patch.callbacks_reach_away = word,
        on: "A scheduled callback rings while Away.",
        off: "A scheduled callback moves to the follow-up list while Away.",
    },
    Rule {
        name: "Emergency routes reach off schedule",
        account: |reach| reach.emergency_off_schedule,
        own: |patch| patch.emergency_off_schedule,
        set: |patch, word| patch.emergency_off_schedule = word,
        on: "An emergency route rings outside the slots.",
        off: "An emergency route leaves alone outside the slots.",
    },
    Rule {
        name: "Emergency routes reach opted-out people",
        account: |reach| reach.emergency_opted_out,
        own: |patch| patch.emergency_opted_out,
        set: |patch, word| patch.emergency_opted_out = word,
        on: "An emergency route rings in spite of an opt-out.",
        off: "An emergency route leaves alone after an opt-out.",
    },
];

impl Rule {
    /// What holds, in words, and by whose word.
    pub fn effect(&self, account: &Reach, patch: &ReachPatch) -> String {
        match ((self.account)(account), (self.own)(patch)) {
            (true, Some(false)) => format!("{} The account allows it, this narrows it.", self.off),
            (true, Some(true) | None) => format!("{} As the account.", self.on),
            (false, Some(_) | None) => {
                format!("{} The account does not allow it; nothing here can widen that.", self.off)
            }
        }
    }
}

/// Which transfers reach Away, in words, and by whose word.
pub fn transfers(account: &Reach, patch: &ReachPatch) -> String {
    let allowed = account.transfers_reach_away;
    let own = patch.transfers_reach_away.filter(|own| *own < allowed);
    let word = match own.unwrap_or(allowed) {
        TransferReach::Any => "Blind and warm transfers ring while Away.",
        TransferReach::Warm => "Only warm transfers ring while Away; blind ones are refused.",
        TransferReach::None => "No transfer rings while Away.",
    };
    let whose = match (own, patch.transfers_reach_away) {
        (Some(_), _) => "Narrower than the account.",
        (None, Some(wider)) if wider > allowed => "The account allows no more.",
        (None, _) => "As the account.",
    };
    format!("{word} {whose}")
}

/// What the slots hold back, in words, and by whose word.
pub fn slots(account: &Reach, patch: &ReachPatch) -> String {
    let own = patch.schedule_gates.filter(|own| *own > account.schedule_gates);
    let word = match own.unwrap_or(account.schedule_gates) {
        ScheduleGates::Queue => "Outside the slots department calls do not ring; calls to the person by name do.",
        ScheduleGates::QueueAndNamed => "Outside the slots neither department calls nor calls by name ring.",
    };
    let whose = match (own, patch.schedule_gates) {
        (Some(_), _) => "Narrower than the account.",
        (None, Some(wider)) if wider < account.schedule_gates => "The account holds back more.",
        (None, _) => "As the account.",
    };
    format!("{word} {whose}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_word_narrows_and_never_widens() {
        let account = Reach { callbacks_reach_away: true, extension_rings_away: false, ..Reach::default() };
        let callbacks = RULES.iter().find(|rule| rule.name.starts_with("Callbacks")).unwrap();
        let extension = RULES.iter().find(|rule| rule.name.starts_with("Direct")).unwrap();
        let mut patch = ReachPatch::default();
        assert!(callbacks.effect(&account, &patch).ends_with("As the account."));

        (callbacks.set)(&mut patch, Some(false));
        (extension.set)(&mut patch, Some(true));
        assert_eq!(
            callbacks.effect(&account, &patch),
            "A scheduled callback moves to the follow-up list while Away. The account allows it, this narrows it."
        );
        assert!(extension.effect(&account, &patch).contains("nothing here can widen that"));
    }

    #[test]
    fn transfers_and_slots_say_whose_word_holds() {
        let account = Reach { transfers_reach_away: TransferReach::Warm, ..Reach::default() };
        let patch = |transfers| ReachPatch { transfers_reach_away: Some(transfers), ..ReachPatch::default() };
        assert!(transfers(&account, &ReachPatch::default()).ends_with("As the account."));
        assert!(transfers(&account, &patch(TransferReach::None)).starts_with("No transfer"));
        assert!(transfers(&account, &patch(TransferReach::Any)).ends_with("The account allows no more."));

        let open = Reach { schedule_gates: ScheduleGates::Queue, ..Reach::default() };
        let narrow = ReachPatch { schedule_gates: Some(ScheduleGates::QueueAndNamed), ..ReachPatch::default() };
        assert!(slots(&open, &narrow).ends_with("Narrower than the account."));
        assert!(slots(&open, &ReachPatch::default()).contains("by name do"));
    }
}
