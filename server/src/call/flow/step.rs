//! What follows from what happens at a node: the one place that knows it, for calls, previews and what-if questions
//! alike. Pure.

use cordboard_routing::windows;
use cordboard_shared::Millis;
use cordboard_shared::flow::{Flow, Node};
use cordboard_shared::phone::Extension;

use crate::directory::Directory;

/// Nodes a call may enter before its flow is taken for a circle.
pub(crate) const MOST_HOPS: u32 = 100;
/// Ends digits before their number is complete.
const END_OF_DIGITS: char = '#';
/// How long a language node waits for a key, in seconds.
const LANGUAGE_SECONDS: u32 = 5;

/// What happened at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happened<'a> {
    /// Its prompt is over.
    Played,
    /// A key: all digits since the last step, this one included.
    Key(&'a str),
    /// No key came in time, after these.
    Waited(&'a str),
    /// The webhook said this word.
    WebhookSaid(&'a str),
    /// The webhook failed or was late.
    WebhookFailed,
    /// The person or the department did not take the call.
    Unanswered,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Waits for a first key, so many seconds.
    Wait(u32),
    /// Nothing: what goes on goes on.
    Stay,
    /// Waits for another key; none for the short time between two digits of an extension.
    WaitForMore(Option<u32>),
    /// Plays the prompt once more.
    Again,
    /// Goes to this node; none hangs up.
    Go(Option<String>),
    /// Rings this person.
    Dial(Extension),
    /// From now on in this language.
    Speak(String, Option<String>),
    /// Posts these digits to the webhook.
    Ask(String),
}

/// What digits are, as extensions go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dialed {
    /// A person's.
    Whole(Extension),
    /// The beginning of one.
    Part,
    /// Nobody's.
    None,
}

/// What these digits are among the extensions of the company.
pub(crate) fn dialed(directory: &Directory, digits: &str) -> Dialed {
    if let Ok(extension) = digits.parse::<Extension>()
        && directory.agent_by_extension(&extension).is_some()
    {
        return Dialed::Whole(extension);
    }
    let begins =
        |extension: &Extension| extension.as_str().starts_with(digits) && extension.as_str().len() > digits.len();
    if directory.agents.values().filter_map(|agent| agent.extension.as_ref()).any(begins) {
        Dialed::Part
    } else {
        Dialed::None
    }
}

/// What follows at a node whose prompt has been played `plays` times. `direct` is whether callers may dial extensions
/// anywhere.
pub(crate) fn then(node: &Node, plays: u32, happened: Happened<'_>, directory: &Directory, direct: bool) -> Then {
    match node {
        Node::Menu { .. } => at_menu(node, plays, happened, directory, direct),
        Node::Message { next, .. } => match happened {
            Happened::Played => Then::Go(next.clone()),
            Happened::Key(digits) if direct => match dialed(directory, digits) {
                Dialed::Whole(extension) => Then::Dial(extension),
                Dialed::Part | Dialed::None => Then::Stay,
            },
            Happened::Key(_)
            | Happened::Waited(_)
            | Happened::WebhookSaid(_)
            | Happened::WebhookFailed
            | Happened::Unanswered => Then::Stay,
        },
        Node::Input { digits_max, no_input_seconds, webhook, answers, next, failed, .. } => {
            let failed = || Then::Go(failed.clone().or_else(|| next.clone()));
            let complete = |digits: &str| match webhook {
                Some(_) => Then::Ask(digits.to_owned()),
                None => Then::Go(next.clone()),
            };
            match happened {
                Happened::Played => Then::Wait(*no_input_seconds),
                Happened::Key(digits) => match digits.strip_suffix(END_OF_DIGITS) {
                    Some("") => failed(),
                    Some(digits) => complete(digits),
                    None if count(digits) >= *digits_max => complete(digits),
                    None => Then::WaitForMore(Some(*no_input_seconds)),
                },
                Happened::Waited("") | Happened::WebhookFailed => failed(),
                Happened::Waited(digits) => complete(digits),
                Happened::WebhookSaid(word) => Then::Go(answers.get(word).cloned().or_else(|| next.clone())),
                Happened::Unanswered => Then::Stay,
            }
        }
        Node::Language { keys, next, .. } => match happened {
            Happened::Played => Then::Wait(LANGUAGE_SECONDS),
            Happened::Key(digits) => match digits.chars().last().and_then(|key| keys.get(&key)) {
                Some(language) => Then::Speak(language.clone(), next.clone()),
                None => Then::Wait(LANGUAGE_SECONDS),
            },
            Happened::Waited(_) => Then::Go(next.clone()),
            Happened::WebhookSaid(_) | Happened::WebhookFailed | Happened::Unanswered => Then::Stay,
        },
        Node::Extension { next, .. } | Node::Department { next, .. } => match happened {
            Happened::Unanswered => Then::Go(next.clone()),
            Happened::Played
            | Happened::Key(_)
            | Happened::Waited(_)
            | Happened::WebhookSaid(_)
            | Happened::WebhookFailed => Then::Stay,
        },
        Node::Voicemail { .. } => Then::Stay,
    }
}

fn at_menu(node: &Node, plays: u32, happened: Happened<'_>, directory: &Directory, direct: bool) -> Then {
    let Node::Menu { keys, repeat, no_input_seconds, no_input, wrong_key, dial_extensions, .. } = node else {
        return Then::Stay;
    };
    let once_more = || if plays > *repeat { Then::Go(no_input.clone()) } else { Then::Again };
    let chosen = |digits: &str| {
        let mut pressed = digits.chars();
        let target = match (pressed.next(), pressed.next()) {
            (Some(key), None) => keys.get(&key).cloned(),
            (Some(_), Some(_)) | (None, _) => None,
        };
        match target.or_else(|| wrong_key.clone()) {
            Some(node) => Then::Go(Some(node)),
            None => once_more(),
        }
    };
    match happened {
        Happened::Played => Then::Wait(*no_input_seconds),
        Happened::Key(digits) if *dial_extensions || direct => match dialed(directory, digits) {
            Dialed::Whole(extension) => Then::Dial(extension),
            Dialed::Part => Then::WaitForMore(None),
            Dialed::None => chosen(digits),
        },
        Happened::Waited("") => once_more(),
        Happened::Key(digits) | Happened::Waited(digits) => chosen(digits),
        Happened::WebhookSaid(_) | Happened::WebhookFailed | Happened::Unanswered => Then::Stay,
    }
}

fn count(digits: &str) -> u32 {
    u32::try_from(digits.chars().count()).unwrap_or(u32::MAX)
}

/// Whether a flow is open then; for a closed one why, in words.
pub(crate) fn closed(flow: &Flow, zone: &str, now: Millis) -> Option<String> {
    if flow.hours.is_always() || !windows(&flow.hours, zone, now, now + 1).is_empty() {
        return None;
    }
    // Without its holidays it would be open, or at least another day: then one of them is the reason.
    let mut workday = flow.hours.clone();
    workday.holidays.clear();
    let holiday = flow.hours.holidays.iter().find(|holiday| {
        let mut without = flow.hours.clone();
        without.holidays.retain(|it| it != *holiday);
        !windows(&without, zone, now, now + 1).is_empty()
    });
    Some(holiday.map_or_else(|| "outside its hours".to_owned(), |it| format!("holiday: {}", it.name)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use cordboard_shared::schedule::{Day, Holiday, Slot, WeeklyHours};

    use super::*;

    fn menu(repeat: u32, wrong_key: Option<&str>) -> Node {
        Node::Menu {
            audio: "audio:menu-main".to_owned(),
            keys: BTreeMap::from([('1', "one".to_owned()), ('#', "hash".to_owned())]),
            repeat,
            no_input_seconds: 4,
            no_input: Some("fallback".to_owned()),
            wrong_key: wrong_key.map(str::to_owned),
            dial_extensions: false,
        }
    }

    fn go(node: &str) -> Then {
        Then::Go(Some(node.to_owned()))
    }

    #[test]
    fn a_menu_is_played_once_and_its_repeats() {
        let directory = crate::demo::directory();
        let at = |plays, happened| then(&menu(2, None), plays, happened, &directory, false);
        assert_eq!(at(1, Happened::Played), Then::Wait(4));
        assert_eq!(at(1, Happened::Waited("")), Then::Again);
        assert_eq!(at(2, Happened::Waited("")), Then::Again);
        assert_eq!(at(3, Happened::Waited("")), go("fallback"), "three plays in all");
        assert_eq!(at(1, Happened::Key("9")), Then::Again, "a wrong key costs a play");
        assert_eq!(at(3, Happened::Key("9")), go("fallback"));
        assert_eq!(at(1, Happened::Key("#")), go("hash"));
        assert_eq!(then(&menu(2, Some("oops")), 1, Happened::Key("9"), &directory, false), go("oops"));
    }

    #[test]
    fn extensions_are_dialed_where_the_menu_or_the_account_lets_callers() {
        let directory = crate::demo::directory();
        let at = |digits, direct| then(&menu(0, None), 1, Happened::Key(digits), &directory, direct);
        assert_eq!(at("2", false), go("fallback"), "a wrong key");
        assert_eq!(at("2", true), Then::WaitForMore(None));
        assert_eq!(at("21", true), Then::Dial("21".parse().unwrap()));
        assert_eq!(then(&menu(0, None), 1, Happened::Waited("2"), &directory, true), go("fallback"));
        let message = Node::Message { audio: "audio:welcome".to_owned(), next: Some("menu".to_owned()) };
        assert_eq!(then(&message, 1, Happened::Key("21"), &directory, false), Then::Stay);
        assert_eq!(then(&message, 1, Happened::Key("21"), &directory, true), Then::Dial("21".parse().unwrap()));
        assert_eq!(then(&message, 1, Happened::Played, &directory, true), go("menu"));
    }

    #[test]
    fn digits_end_by_their_number_the_hash_key_or_time() {
        let directory = crate::demo::directory();
        let input = |webhook: Option<&str>, failed: Option<&str>| Node::Input {
            audio: String::new(),
            digits_max: 4,
            no_input_seconds: 3,
            webhook: webhook.map(str::to_owned),
            timeout_ms: 2_000,
            answers: BTreeMap::from([("gold".to_owned(), "vip".to_owned())]),
            next: Some("next".to_owned()),
            failed: failed.map(str::to_owned),
        };
        let asks = |happened| then(&input(Some("https://example.com/"), Some("sorry")), 1, happened, &directory, false);
        assert_eq!(asks(Happened::Key("12")), Then::WaitForMore(Some(3)));
        assert_eq!(asks(Happened::Key("1234")), Then::Ask("1234".to_owned()));
        assert_eq!(asks(Happened::Key("12#")), Then::Ask("12".to_owned()));
        assert_eq!(asks(Happened::Waited("12")), Then::Ask("12".to_owned()));
        assert_eq!(asks(Happened::Key("#")), go("sorry"));
        assert_eq!(asks(Happened::Waited("")), go("sorry"));
        assert_eq!(asks(Happened::WebhookSaid("gold")), go("vip"));
        assert_eq!(asks(Happened::WebhookSaid("lead")), go("next"));
        assert_eq!(asks(Happened::WebhookFailed), go("sorry"));
        let plain = |happened| then(&input(None, None), 1, happened, &directory, false);
        assert_eq!(plain(Happened::Key("1234")), go("next"));
        assert_eq!(plain(Happened::Waited("")), go("next"));
    }

    #[test]
    fn a_language_is_chosen_by_key_or_not_at_all() {
        let directory = crate::demo::directory();
        let language = Node::Language {
            audio: String::new(),
            keys: BTreeMap::from([('2', "hi".to_owned())]),
            next: Some("menu".to_owned()),
        };
        let at = |happened| then(&language, 1, happened, &directory, false);
        assert_eq!(at(Happened::Key("2")), Then::Speak("hi".to_owned(), Some("menu".to_owned())));
        assert_eq!(at(Happened::Key("72")), Then::Speak("hi".to_owned(), Some("menu".to_owned())));
        assert_eq!(at(Happened::Key("7")), Then::Wait(LANGUAGE_SECONDS));
        assert_eq!(at(Happened::Waited("")), go("menu"));
    }

    #[test]
    fn a_closed_flow_says_why() {
        let mut flow = crate::demo::directory().flow("main").unwrap().as_ref().clone();
        // Saturday, 21 November 2026, 12:00 in London.
        let noon: Millis = Millis(1_795_262_400_000);
        assert_eq!(closed(&flow, "Europe/London", noon), None);
        let slot = |day| Slot { days: vec![day], from: "09:00".parse().unwrap(), to: "18:00".parse().unwrap() };
        flow.hours = WeeklyHours { zone: None, open: vec![slot(Day::Sat)], holidays: Vec::new() };
        assert_eq!(closed(&flow, "Europe/London", noon), None);
        assert_eq!(closed(&flow, "Asia/Tokyo", noon).as_deref(), Some("outside its hours"));
        flow.hours.holidays = vec![Holiday { date: "2026-11-21".to_owned(), name: "Founders' Day".to_owned() }];
        assert_eq!(closed(&flow, "Europe/London", noon).as_deref(), Some("holiday: Founders' Day"));
        assert_eq!(closed(&flow, "Asia/Tokyo", noon).as_deref(), Some("outside its hours"));
    }
}
