//! What a flow must be like: its form, to be saved; and what would go wrong in a call, to be published. And its preview.
//! Pure.

use std::collections::BTreeSet;

use cordboard_shared::api::flows::{
    FlowFinding, PreviewAnswer, PreviewChoice, PreviewInput, PreviewRequest, PreviewStep,
};
use cordboard_shared::flow::{Flow, Node};
use cordboard_shared::{Millis, Problem, ProblemCode};

use crate::call::flow::walk::{End, Walked, Wants, walk};
use crate::directory::Directory;
use crate::store::DraftRow;

/// Most nodes of a flow.
const MOST_NODES: usize = 200;
/// Longest name of a node, in characters.
const LONGEST_NODE: usize = 32;
/// Longest spoken text, in characters.
const LONGEST_TEXT: usize = cordboard_shared::api::audio::MOST_CHARACTERS;
/// Most inputs of a preview.
const MOST_INPUTS: usize = 200;

/// Refuses what cannot even be saved.
pub(super) fn check_form(flow: &Flow, directory: &Directory, drafts: &[DraftRow]) -> Result<(), Problem> {
    let slug = &flow.slug;
    let fits = (1..=32).contains(&slug.len())
        && slug.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !fits {
        return Err(invalid("/slug", "A short name has 1 to 32 lower-case letters, digits and hyphens."));
    }
    let live = directory.flows.iter().find(|live| live.id == flow.id);
    if live.is_some_and(|live| live.slug != *slug) {
        return Err(invalid("/slug", "Numbers lead to a published flow by its short name; it cannot be changed."));
    }
    let taken = directory.flows.iter().any(|it| it.id != flow.id && it.slug == *slug)
        || drafts.iter().any(|it| it.flow.id != flow.id && it.flow.slug == *slug);
    if taken {
        let sentence = format!("Another flow has the short name {slug:?}. Nothing was changed.");
        return Err(Problem::new(ProblemCode::InUse, sentence).with("pointer", "/slug"));
    }
    if !(1..=64).contains(&flow.name.trim().chars().count()) {
        return Err(invalid("/name", "A flow has a name of 1 to 64 characters."));
    }
    if flow.nodes.is_empty() || flow.nodes.len() > MOST_NODES {
        return Err(invalid("/nodes", "A flow has 1 to 200 nodes."));
    }
    let named = |name: &String| (1..=LONGEST_NODE).contains(&name.chars().count()) && !name.contains(['/', '~']);
    if let Some(name) = flow.nodes.keys().find(|name| !named(name)) {
        let sentence = format!("The node {name:?} has no name of 1 to 32 characters without / and ~.");
        return Err(invalid("/nodes", &sentence));
    }
    Ok(())
}

fn invalid(pointer: &str, sentence: &str) -> Problem {
    Problem::new(ProblemCode::InvalidField, format!("{sentence} Nothing was changed.")).with("pointer", pointer)
}

/// What is wrong with a flow, or doubtful: errors first. `sounds` says whether `audio:<id or name>` exists.
pub fn findings(flow: &Flow, directory: &Directory, sounds: &dyn Fn(&str) -> bool) -> Vec<FlowFinding> {
    let mut check = Check { flow, directory, sounds, found: Vec::new() };
    check.head();
    for (name, node) in &flow.nodes {
        check.node(name, node);
    }
    check.reach();
    let mut found = check.found;
    found.sort_by_key(|finding| !finding.error);
    found
}

struct Check<'a> {
    flow: &'a Flow,
    directory: &'a Directory,
    sounds: &'a dyn Fn(&str) -> bool,
    found: Vec<FlowFinding>,
}

impl Check<'_> {
    fn add(&mut self, error: bool, node: Option<&str>, member: &str, text: String) {
        let pointer = node.map_or_else(|| format!("/{member}"), |node| format!("/nodes/{node}/{member}"));
        let pointer = pointer.trim_end_matches('/').to_owned();
        self.found.push(FlowFinding { pointer, node: node.map(str::to_owned), text, error });
    }

    fn head(&mut self) {
        let flow = self.flow;
        self.leads(None, "start", Some(&flow.start));
        if flow.closed.is_some() {
            self.leads(None, "closed", flow.closed.as_ref());
        }
        if let Some(rings) = flow.missed_call_rings
            && !(1..=2).contains(&rings)
        {
            self.add(true, None, "missed_call_rings", "A missed-call service rings once or twice.".to_owned());
        }
        if let Some(language) = &flow.language {
            self.language(None, "language", language);
        }
        for finding in cordboard_routing::check_hours(&flow.hours) {
            let pointer = format!("/hours{}", finding.pointer);
            self.found.push(FlowFinding { pointer, node: None, text: finding.text, error: finding.error });
        }
    }

    fn node(&mut self, name: &str, node: &Node) {
        let at = Some(name);
        match node {
            Node::Menu { audio, keys, repeat, no_input_seconds, no_input, wrong_key, dial_extensions } => {
                self.audio(name, audio);
                if keys.is_empty() && !dial_extensions {
                    self.add(true, at, "keys", format!("The menu \"{name}\" has no keys."));
                }
                self.keys(name, keys.keys().copied());
                for (key, target) in keys {
                    self.leads(at, &format!("keys/{key}"), Some(target));
                }
                self.range(name, "repeat", *repeat, 0, 10, "A menu is repeated 0 to 10 times");
                self.range(name, "no_input_seconds", *no_input_seconds, 1, 30, "A menu waits 1 to 30 seconds");
                self.leads(at, "no_input", no_input.as_ref());
                if wrong_key.is_some() {
                    self.leads(at, "wrong_key", wrong_key.as_ref());
                }
            }
            Node::Extension { extension, next } => {
                if self.directory.agent_by_extension(extension).is_none() {
                    self.add(true, at, "extension", format!("Nobody has the extension {extension}."));
                }
                if next.is_some() {
                    self.leads(at, "next", next.as_ref());
                }
            }
            Node::Department { department, next } => {
                match self.directory.department_by_slug(department) {
                    None => self.add(true, at, "department", format!("There is no department \"{department}\".")),
                    Some(found) if found.members.is_empty() => {
                        let text = format!("{} has no members: nobody is rung, its fallback is next.", found.name);
                        self.add(false, at, "department", text);
                    }
                    Some(_) => {}
                }
                // Its fallback chain has an end of its own; what follows it is welcome, not needed.
                if next.is_some() {
                    self.leads(at, "next", next.as_ref());
                }
            }
            Node::Message { audio, next } => {
                self.audio(name, audio);
                if next.is_some() {
                    self.leads(at, "next", next.as_ref());
                }
            }
            Node::Voicemail { mailbox, audio, seconds } => {
                let person = self.directory.agents.keys().any(|agent| agent.to_string() == *mailbox);
                if self.directory.mailbox(mailbox).is_none() && !person {
                    self.add(true, at, "box", format!("There is no voicemail box \"{mailbox}\"."));
                }
                if let Some(audio) = audio {
                    self.audio(name, audio);
                }
                if let Some(seconds) = seconds {
                    self.range(name, "seconds", *seconds, 6, 60, "A message may be 6 to 60 seconds long");
                }
            }
            Node::Input { audio, digits_max, no_input_seconds, webhook, timeout_ms, answers, next, failed } => {
                self.audio(name, audio);
                self.range(name, "digits_max", *digits_max, 1, 32, "1 to 32 digits are taken");
                self.range(name, "no_input_seconds", *no_input_seconds, 1, 30, "A caller is given 1 to 30 seconds");
                if let Some(url) = webhook {
                    self.range(name, "timeout_ms", *timeout_ms, 500, 10_000, "A webhook is given 500 to 10,000 ms");
                    self.webhook(name, url);
                } else if !answers.is_empty() {
                    let text = format!("\"{name}\" has answers of a webhook, and no webhook.");
                    self.add(false, at, "answers", text);
                }
                for (word, target) in answers {
                    self.leads(at, &format!("answers/{}", word.replace('~', "~0").replace('/', "~1")), Some(target));
                }
                self.leads(at, "next", next.as_ref());
                if failed.is_some() {
                    self.leads(at, "failed", failed.as_ref());
                }
            }
            Node::Language { audio, keys, next } => {
                self.audio(name, audio);
                if keys.is_empty() {
                    self.add(true, at, "keys", format!("\"{name}\" offers no language."));
                }
                self.keys(name, keys.keys().copied());
                for (key, language) in keys {
                    self.language(at, &format!("keys/{key}"), language);
                }
                self.leads(at, "next", next.as_ref());
            }
        }
    }

    /// A way on: missing, it hangs up on a caller who is waiting for something; naming no node, it does so by mistake.
    fn leads(&mut self, node: Option<&str>, member: &str, target: Option<&String>) {
        let of = node.map_or_else(|| "The flow".to_owned(), |node| format!("\"{node}\""));
        match target {
            None => self.add(false, node, member, format!("{of} ends the call here: nothing follows by \"{member}\".")),
            Some(target) if !self.flow.nodes.contains_key(target) => {
                self.add(true, node, member, format!("{of} leads to \"{target}\", which does not exist."));
            }
            Some(_) => {}
        }
    }

    fn keys(&mut self, name: &str, keys: impl Iterator<Item = char>) {
        for key in keys.filter(|key| !key.is_ascii_digit() && !matches!(key, '*' | '#')) {
            self.add(true, Some(name), "keys", format!("{key:?} is no key of a telephone: 0 to 9, * and #."));
        }
    }

    fn range(&mut self, name: &str, member: &str, value: u32, least: u32, most: u32, text: &str) {
        if !(least..=most).contains(&value) {
            self.add(true, Some(name), member, format!("{text}, not {value}."));
        }
    }

    fn language(&mut self, node: Option<&str>, member: &str, language: &str) {
        let fits = (2..=8).contains(&language.len())
            && language.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-' || byte.is_ascii_digit());
        if !fits {
            self.add(true, node, member, format!("{language:?} is no language such as en or hi."));
        } else if !matches!(language, "en" | "hi") {
            let text = format!("There are no prompts of the product in {language:?}; they are spoken in English.");
            self.add(false, node, member, text);
        }
    }

    fn audio(&mut self, name: &str, audio: &str) {
        if audio.is_empty() {
            return;
        }
        if let Some(text) = audio.strip_prefix("tts:") {
            let count = text.trim().chars().count();
            if !(1..=LONGEST_TEXT).contains(&count) {
                let text = format!("A spoken text has 1 to {LONGEST_TEXT} characters, not {count}.");
                self.add(true, Some(name), "audio", text);
            }
            return;
        }
        let sound = audio.strip_prefix("audio:");
        if !sound.is_some_and(|sound| (self.sounds)(sound)) {
            self.add(true, Some(name), "audio", format!("There is no sound {audio:?} in the library."));
        }
    }

    fn webhook(&mut self, name: &str, url: &str) {
        let networks = &self.directory.telephony.webhook_networks;
        let plain = url.starts_with("http://") && !networks.is_empty();
        if url.len() > 2_000 || !(url.starts_with("https://") || plain) {
            let text = "A webhook is an https:// address of at most 2,000 characters.".to_owned();
            self.add(true, Some(name), "webhook", text);
        }
    }

    /// Nodes no call comes to, and circles nobody is asked in.
    fn reach(&mut self) {
        let flow = self.flow;
        let mut reached: BTreeSet<&str> = BTreeSet::new();
        let mut open: Vec<&str> = vec![&flow.start];
        open.extend(flow.closed.as_deref());
        while let Some(name) = open.pop() {
            if let Some(node) = flow.nodes.get(name)
                && reached.insert(name)
            {
                open.extend(ways(node));
            }
        }
        for name in flow.nodes.keys() {
            if !reached.contains(name.as_str()) {
                self.add(false, Some(name), "", format!("No call comes to \"{name}\"."));
            } else if self.circles(name) {
                let text =
                    format!("\"{name}\" leads back to itself and nobody is asked anything: such a call is hung up.");
                self.add(true, Some(name), "", text);
            }
        }
    }

    /// Whether only messages lead from a node back to it.
    fn circles(&self, name: &str) -> bool {
        let mut at = name;
        for _ in 0..=self.flow.nodes.len() {
            let Some(Node::Message { next: Some(next), .. }) = self.flow.nodes.get(at) else { return false };
            if next == name {
                return true;
            }
            at = next;
        }
        false
    }
}

/// Nodes that can follow.
fn ways(node: &Node) -> Vec<&str> {
    match node {
        Node::Menu { keys, no_input, wrong_key, .. } => {
            keys.values().chain(no_input).chain(wrong_key).map(String::as_str).collect()
        }
        Node::Extension { next, .. }
        | Node::Department { next, .. }
        | Node::Message { next, .. }
        | Node::Language { next, .. } => next.iter().map(String::as_str).collect(),
        Node::Voicemail { .. } => Vec::new(),
        Node::Input { answers, next, failed, .. } => {
            answers.values().chain(next).chain(failed).map(String::as_str).collect()
        }
    }
}

/// Walks a flow as a caller would.
pub fn preview(
    flow: &Flow,
    directory: &Directory,
    now: Millis,
    request: &PreviewRequest,
) -> Result<PreviewAnswer, Problem> {
    if request.inputs.len() > MOST_INPUTS {
        return Err(Problem::new(ProblemCode::InvalidField, "At most 200 inputs are taken.").with("pointer", "/inputs"));
    }
    let mut inputs = request.inputs.iter().cloned();
    let walked = walk(flow, directory, request.at.unwrap_or(now), |_| inputs.next());
    if let End::Unfitting(index) = walked.end {
        let sentence = "The node that waits there does not take this.";
        return Err(Problem::new(ProblemCode::InvalidField, sentence).with("pointer", format!("/inputs/{index}")));
    }
    let last = walked.way.last().and_then(|at| flow.nodes.get(&at.node));
    let wants = match (&walked.end, last) {
        (End::Waits(wants), Some(node)) => choices(node, *wants),
        (_, _) => Vec::new(),
    };
    let ends = ending(&walked.end, directory);
    let steps = walked.way.iter().filter_map(|at| Some(shown(at, flow.nodes.get(&at.node)?))).collect();
    Ok(PreviewAnswer { open: walked.closed.is_none(), closed_because: walked.closed, steps, wants, ends })
}

fn shown(at: &Walked, node: &Node) -> PreviewStep {
    let (kind, text, audio) = match node {
        Node::Menu { audio, repeat, .. } => {
            let text = format!("Asks for a key; played {} of {} times.", at.plays, repeat + 1);
            ("menu", text, Some(audio))
        }
        Node::Extension { extension, .. } => ("extension", format!("Rings extension {extension}."), None),
        Node::Department { department, .. } => ("department", format!("Rings the department {department}."), None),
        Node::Message { audio, .. } => ("message", "Plays a message.".to_owned(), Some(audio)),
        Node::Voicemail { mailbox, audio, .. } => {
            ("voicemail", format!("Takes a message for {mailbox}."), audio.as_ref())
        }
        Node::Input { audio, digits_max, webhook, .. } => {
            let asks = if webhook.is_some() { " and asks the webhook" } else { "" };
            ("input", format!("Takes up to {digits_max} digits{asks}."), Some(audio))
        }
        Node::Language { audio, .. } => ("language", "Lets a key choose the language.".to_owned(), Some(audio)),
    };
    PreviewStep {
        node: at.node.clone(),
        kind: kind.to_owned(),
        text,
        audio: audio.filter(|audio| !audio.is_empty()).cloned(),
        language: at.language.clone(),
        given: at.given.clone(),
    }
}

fn choices(node: &Node, wants: Wants) -> Vec<PreviewChoice> {
    let choice =
        |input, leads_to: Option<&String>, text: String| PreviewChoice { input, leads_to: leads_to.cloned(), text };
    match (node, wants) {
        (Node::Menu { keys, no_input, .. }, _) => keys
            .iter()
            .map(|(key, target)| choice(PreviewInput::Key(*key), Some(target), format!("Press {key}")))
            .chain([choice(PreviewInput::Nothing, no_input.as_ref(), "Press nothing".to_owned())])
            .collect(),
        (Node::Language { keys, next, .. }, _) => keys
            .iter()
            .map(|(key, language)| {
                choice(PreviewInput::Key(*key), next.as_ref(), format!("Press {key} for {language}"))
            })
            .chain([choice(PreviewInput::Nothing, next.as_ref(), "Press nothing".to_owned())])
            .collect(),
        (Node::Input { answers, next, failed, .. }, Wants::Webhook) => answers
            .iter()
            .map(|(word, target)| {
                choice(PreviewInput::Webhook(word.clone()), Some(target), format!("The webhook answers {word}"))
            })
            .chain([choice(
                PreviewInput::Failed,
                failed.as_ref().or(next.as_ref()),
                "The webhook fails or is late".to_owned(),
            )])
            .collect(),
        (Node::Input { next, failed, .. }, _) => vec![
            choice(PreviewInput::Digits("1#".to_owned()), next.as_ref(), "Press digits, then #".to_owned()),
            choice(PreviewInput::Nothing, failed.as_ref().or(next.as_ref()), "Press nothing".to_owned()),
        ],
        (Node::Extension { next, .. } | Node::Department { next, .. }, _) => {
            vec![choice(PreviewInput::Unanswered, next.as_ref(), "Nobody takes the call".to_owned())]
        }
        (Node::Message { .. } | Node::Voicemail { .. }, _) => Vec::new(),
    }
}

fn ending(end: &End, directory: &Directory) -> Option<String> {
    let name = |extension| directory.agent_by_extension(extension).map_or("nobody", |agent| agent.name.as_str());
    Some(match end {
        End::Waits(_) | End::Unfitting(_) => return None,
        End::Dialed(extension) => format!("{} is rung directly at extension {extension}.", name(extension)),
        End::Voicemail(mailbox) => format!("The caller leaves a message in the box {mailbox}."),
        End::OwnVoicemail(extension) => format!("The caller leaves a message for {}.", name(extension)),
        End::MissedCall(1) => "It rings once and ends; the call is listed as missed.".to_owned(),
        End::MissedCall(rings) => format!("It rings {rings} times and ends; the call is listed as missed."),
        End::Closed => "The caller hears that it is closed, and the call ends.".to_owned(),
        End::HungUp => "The call ends.".to_owned(),
        End::Circle => "The flow goes round in a circle; the call is hung up.".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn main() -> (Directory, Flow) {
        let directory = crate::demo::directory();
        let flow = directory.flow("main").unwrap().as_ref().clone();
        (directory, flow)
    }

    fn texts(flow: &Flow, directory: &Directory) -> Vec<(String, bool)> {
        let found = findings(flow, directory, &|name| matches!(name, "welcome" | "menu-main"));
        found.into_iter().map(|it| (it.pointer, it.error)).collect()
    }

    #[test]
    fn the_demos_flow_is_well() {
        let (directory, flow) = main();
        assert_eq!(texts(&flow, &directory), []);
    }

    #[test]
    fn what_would_go_wrong_in_a_call_is_found() {
        let (directory, mut flow) = main();
        let message =
            |audio: &str, next: Option<&str>| Node::Message { audio: audio.to_owned(), next: next.map(str::to_owned) };
        flow.closed = Some("gone".to_owned());
        flow.nodes.insert("alone".to_owned(), message("audio:welcome", None));
        flow.nodes.insert("round".to_owned(), message("audio:nonsense", Some("turn")));
        flow.nodes.insert("turn".to_owned(), message("tts:", Some("round")));
        flow.nodes
            .insert("box".to_owned(), Node::Voicemail { mailbox: "moon".to_owned(), audio: None, seconds: Some(61) });
        flow.nodes.insert(
            "empty".to_owned(),
            Node::Menu {
                audio: "audio:menu-main".to_owned(),
                keys: BTreeMap::new(),
                repeat: 11,
                no_input_seconds: 5,
                no_input: None,
                wrong_key: None,
                dial_extensions: false,
            },
        );
        if let Some(Node::Menu { keys, .. }) = flow.nodes.get_mut("menu") {
            keys.insert('3', "round".to_owned());
            keys.insert('4', "box".to_owned());
            keys.insert('5', "empty".to_owned());
            keys.insert('6', "nowhere".to_owned());
        }
        let error = |pointer: &str| (pointer.to_owned(), true);
        assert_eq!(
            texts(&flow, &directory),
            [
                error("/closed"),
                error("/nodes/box/box"),
                error("/nodes/box/seconds"),
                error("/nodes/empty/keys"),
                error("/nodes/empty/repeat"),
                error("/nodes/menu/keys/6"),
                error("/nodes/round/audio"),
                error("/nodes/turn/audio"),
                error("/nodes/round"),
                error("/nodes/turn"),
                ("/nodes/empty/no_input".to_owned(), false),
                ("/nodes/alone".to_owned(), false),
            ]
        );
    }

    #[test]
    fn a_department_without_members_and_one_that_is_gone_are_told_apart() {
        let (mut directory, mut flow) = main();
        directory.departments[0].members.clear();
        flow.nodes.insert("sales".to_owned(), Node::Department { department: "moon".to_owned(), next: None });
        assert_eq!(
            texts(&flow, &directory),
            [("/nodes/sales/department".to_owned(), true), ("/nodes/support/department".to_owned(), false),]
        );
    }

    #[test]
    fn short_names_are_unique_and_stay() {
        let (directory, flow) = main();
        assert!(check_form(&flow, &directory, &[]).is_ok());
        let other = Flow { id: cordboard_shared::id::FlowId::demo(9), ..flow.clone() };
        assert_eq!(check_form(&other, &directory, &[]).unwrap_err().code(), Some(ProblemCode::InUse));
        let renamed = Flow { slug: "other".to_owned(), ..flow };
        assert_eq!(check_form(&renamed, &directory, &[]).unwrap_err().code(), Some(ProblemCode::InvalidField));
    }

    #[test]
    fn a_preview_shows_the_way_and_what_is_waited_for() {
        let (directory, flow) = main();
        let request = PreviewRequest { inputs: vec![PreviewInput::Key('1')], ..PreviewRequest::default() };
        let seen = preview(&flow, &directory, Millis(1_795_262_400_000), &request).unwrap();
        assert!(seen.open && seen.ends.is_none());
        let steps: Vec<_> = seen.steps.iter().map(|step| (step.node.as_str(), step.kind.as_str())).collect();
        assert_eq!(steps, [("menu", "menu"), ("support", "department")]);
        assert_eq!(seen.steps[0].audio.as_deref(), Some("audio:menu-main"));
        assert_eq!(seen.wants.len(), 1);

        let request = PreviewRequest { inputs: vec![PreviewInput::Unanswered], ..PreviewRequest::default() };
        let refused = preview(&flow, &directory, Millis(0), &request).unwrap_err();
        assert_eq!(refused.more["pointer"], "/inputs/0");
    }
}
