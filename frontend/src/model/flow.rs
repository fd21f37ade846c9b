//! A call flow while it is edited: its nodes in the order callers meet them, links, and differences in words.

use std::collections::BTreeMap;

use cordboard_shared::flow::{Flow, Node};
use serde_json::Value;

/// The kinds of nodes: the name in the document, and the word.
pub const KINDS: [(&str, &str); 7] = [
    ("menu", "Menu"),
    ("message", "Message"),
    ("department", "Department"),
    ("extension", "Extension"),
    ("voicemail", "Voicemail"),
    ("input", "Input and response"),
    ("language", "Language"),
];

/// The keys of a phone a menu can use.
pub const KEYS: [char; 12] = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '0', '*', '#'];

/// A node's kind.
pub fn kind(node: &Node) -> &'static str {
    match node {
        Node::Menu { .. } => "menu",
        Node::Extension { .. } => "extension",
        Node::Department { .. } => "department",
        Node::Message { .. } => "message",
        Node::Voicemail { .. } => "voicemail",
        Node::Input { .. } => "input",
        Node::Language { .. } => "language",
    }
}

/// A kind's word.
pub fn kind_word(kind: &str) -> &'static str {
    KINDS.iter().find(|(known, _)| *known == kind).map_or("Node", |(_, word)| word)
}

/// A new node with usual settings; `first` is where it leads when it needs something: a department's short name, an
/// extension, a box. None when there is no such thing yet.
pub fn new_node(kind: &str, first: &str) -> Option<Node> {
    let audio = || "tts:".to_owned();
    Some(match kind {
        "menu" => Node::Menu {
            audio: audio(),
            keys: BTreeMap::new(),
            repeat: 2,
            no_input_seconds: 5,
            no_input: None,
            wrong_key: None,
            dial_extensions: false,
        },
        "extension" => Node::Extension { extension: first.parse().ok()?, next: None },
        "department" | "voicemail" if first.is_empty() => return None,
        "department" => Node::Department { department: first.to_owned(), next: None },
        "voicemail" => Node::Voicemail { mailbox: first.to_owned(), audio: None, seconds: None },
        "input" => Node::Input {
            audio: audio(),
            digits_max: 8,
            no_input_seconds: 5,
            webhook: None,
            timeout_ms: 3_000,
            answers: BTreeMap::new(),
            next: None,
            failed: None,
        },
        "language" => Node::Language { audio: audio(), keys: BTreeMap::new(), next: None },
        _ => Node::Message { audio: audio(), next: None },
    })
}

/// Where a node leads, in the order it is read: why, and to which node.
pub fn links(node: &Node) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut one = |why: &str, to: &Option<String>| found.extend(to.iter().map(|to| (why.to_owned(), to.clone())));
    match node {
        Node::Menu { keys, no_input, wrong_key, .. } => {
            for key in KEYS {
                one(&format!("key {key}"), &keys.get(&key).cloned());
            }
            one("no key", no_input);
            one("another key", wrong_key);
        }
        Node::Extension { next, .. } | Node::Department { next, .. } => one("nobody answers", next),
        Node::Message { next, .. } | Node::Language { next, .. } => one("then", next),
        Node::Voicemail { .. } => {}
        Node::Input { answers, next, failed, .. } => {
            for (word, to) in answers {
                one(&format!("answer {word}"), &Some(to.clone()));
            }
            one("then", next);
            one("nothing, or the webhook fails", failed);
        }
    }
    found
}

/// The nodes in the order callers meet them, and whether callers can meet them at all.
pub fn order(flow: &Flow) -> Vec<(String, bool)> {
    let mut seen: Vec<String> = Vec::new();
    let mut open = vec![flow.start.clone()];
    open.extend(flow.closed.clone());
    open.reverse();
    while let Some(name) = open.pop() {
        let Some(node) = flow.nodes.get(&name) else { continue };
        if seen.contains(&name) {
            continue;
        }
        seen.push(name);
        open.extend(links(node).into_iter().rev().map(|(_, to)| to));
    }
    let lost: Vec<String> = flow.nodes.keys().filter(|name| !seen.contains(name)).cloned().collect();
    seen.into_iter().map(|name| (name, true)).chain(lost.into_iter().map(|name| (name, false))).collect()
}

/// Which nodes lead to this one.
pub fn sources(flow: &Flow, name: &str) -> Vec<String> {
    flow.nodes
        .iter()
        .filter(|(_, node)| links(node).iter().any(|(_, to)| to == name))
        .map(|(from, _)| from.clone())
        .collect()
}

/// Changes each link of a node; a link that is turned to none is gone.
fn relink(node: &mut Node, turn: &dyn Fn(String) -> Option<String>) {
    let one = |link: &mut Option<String>| *link = link.take().and_then(turn);
    match node {
        Node::Menu { keys, no_input, wrong_key, .. } => {
            *keys = std::mem::take(keys).into_iter().filter_map(|(key, to)| Some((key, turn(to)?))).collect();
            one(no_input);
            one(wrong_key);
        }
        Node::Extension { next, .. }
        | Node::Department { next, .. }
        | Node::Message { next, .. }
        | Node::Language { next, .. } => one(next),
        Node::Voicemail { .. } => {}
        Node::Input { answers, next, failed, .. } => {
            *answers = std::mem::take(answers).into_iter().filter_map(|(word, to)| Some((word, turn(to)?))).collect();
            one(next);
            one(failed);
        }
    }
}

/// Takes a node out; what led to it ends the call.
pub fn remove(flow: &mut Flow, name: &str) {
    flow.nodes.remove(name);
    for node in flow.nodes.values_mut() {
        relink(node, &|to| (to != name).then_some(to));
    }
    if flow.closed.as_deref() == Some(name) {
        flow.closed = None;
    }
    if flow.start == name {
        flow.start = flow.nodes.keys().next().cloned().unwrap_or_default();
    }
}

/// Gives a node another name, everywhere.
pub fn rename(flow: &mut Flow, from: &str, to: &str) {
    let Some(node) = flow.nodes.remove(from) else { return };
    flow.nodes.insert(to.to_owned(), node);
    let turn = |name: String| Some(if name == from { to.to_owned() } else { name });
    for node in flow.nodes.values_mut() {
        relink(node, &turn);
    }
    if flow.start == from {
        to.clone_into(&mut flow.start);
    }
    flow.closed = flow.closed.take().and_then(turn);
}

/// What is wrong with a name for a node.
pub fn name_complaint(flow: &Flow, name: &str) -> Option<String> {
    let well = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-' || letter == '_';
    if name.is_empty() || name.len() > 32 || !name.chars().all(well) {
        return Some("A node’s name has 1 to 32 lower-case letters, digits and hyphens.".to_owned());
    }
    flow.nodes.contains_key(name).then(|| format!("There is a node “{name}” already."))
}

/// A name nobody has yet, such as `menu-2`.
pub fn free_name(flow: &Flow, kind: &str) -> String {
    let names = std::iter::once(kind.to_owned()).chain((2..).map(|number| format!("{kind}-{number}")));
    names.into_iter().find(|name| !flow.nodes.contains_key(name)).unwrap_or_default()
}

/// The JSON pointer of a node.
pub fn pointer(name: &str) -> String {
    format!("/nodes/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// What differs, in words: `welcome: repeat 1 → 2`.
pub fn differences(before: &Flow, after: &Flow) -> Vec<String> {
    let mut found = Vec::new();
    for (name, node) in &after.nodes {
        match before.nodes.get(name) {
            None => found.push(format!("{name}: new {}", kind_word(kind(node)).to_lowercase())),
            Some(known) if known != node => compare(name, &value(known), &value(node), &mut found),
            Some(_) => {}
        }
    }
    found.extend(
        before.nodes.keys().filter(|name| !after.nodes.contains_key(*name)).map(|name| format!("{name}: removed")),
    );
    let top = |flow: &Flow| {
        let mut all = value(flow);
        if let Value::Object(map) = &mut all {
            for name in ["id", "version", "state", "nodes"] {
                map.remove(name);
            }
        }
        all
    };
    compare("The flow", &top(before), &top(after), &mut found);
    found
}

fn value<T: serde::Serialize>(thing: &T) -> Value {
    serde_json::to_string(thing).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    if before == after {
        return;
    }
    if let (Value::Object(old), Value::Object(new)) = (before, after) {
        let separator = if path.contains(':') { " " } else { ": " };
        for (key, new) in new {
            let name = key.replace('_', " ");
            compare(&format!("{path}{separator}{name}"), old.get(key).unwrap_or(&Value::Null), new, found);
        }
        for (key, old) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
            compare(&format!("{path}{separator}{}", key.replace('_', " ")), old, &Value::Null, found);
        }
        return;
    }
    match (plain(before), plain(after)) {
        (Some(before), Some(after)) => found.push(format!("{path} {before} → {after}")),
        (Some(_) | None, Some(_) | None) => found.push(format!("{path} changed")),
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("none".to_owned()),
        Value::Bool(true) => Some("on".to_owned()),
        Value::Bool(false) => Some("off".to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use cordboard_shared::flow::FlowState;
    use cordboard_shared::id::FlowId;
    use cordboard_shared::schedule::WeeklyHours;

    use super::*;

    fn message(next: Option<&str>) -> Node {
        Node::Message { audio: "tts:Hello".to_owned(), next: next.map(str::to_owned) }
    }

    /// A welcome, a menu with two keys, and a node nobody reaches.
    fn flow() -> Flow {
        let mut menu = new_node("menu", "").unwrap();
        if let Node::Menu { keys, no_input, .. } = &mut menu {
            keys.insert('1', "sales".to_owned());
            keys.insert('2', "support".to_owned());
            *no_input = Some("support".to_owned());
        }
        let nodes = [
            ("welcome", message(Some("menu"))),
            ("menu", menu),
            ("sales", new_node("department", "sales").unwrap()),
            ("support", new_node("department", "support").unwrap()),
            ("lost", message(None)),
            ("shut", message(None)),
        ];
        Flow {
            id: FlowId::demo(1),
            slug: "main".to_owned(),
            version: 1,
            state: FlowState::Draft,
            name: "Main".to_owned(),
            language: None,
            hours: WeeklyHours::default(),
            closed: Some("shut".to_owned()),
            missed_call_rings: None,
            start: "welcome".to_owned(),
            nodes: nodes.into_iter().map(|(name, node)| (name.to_owned(), node)).collect(),
        }
    }

    #[test]
    fn nodes_stand_in_the_order_callers_meet_them() {
        let names: Vec<_> = order(&flow()).into_iter().collect();
        let names: Vec<_> = names.iter().map(|(name, met)| (name.as_str(), *met)).collect();
        assert_eq!(
            names,
            [("welcome", true), ("menu", true), ("sales", true), ("support", true), ("shut", true), ("lost", false)]
        );
        assert_eq!(sources(&flow(), "support"), ["menu"]);
    }

    #[test]
    fn a_removed_node_is_linked_no_longer() {
        let mut flow = flow();
        remove(&mut flow, "support");
        assert_eq!(links(&flow.nodes["menu"]), [("key 1".to_owned(), "sales".to_owned())]);
        remove(&mut flow, "shut");
        assert_eq!(flow.closed, None);
        remove(&mut flow, "welcome");
        assert!(flow.nodes.contains_key(&flow.start));
    }

    #[test]
    fn a_renamed_node_is_renamed_everywhere() {
        let mut flow = flow();
        rename(&mut flow, "support", "help");
        assert!(links(&flow.nodes["menu"]).contains(&("no key".to_owned(), "help".to_owned())));
        rename(&mut flow, "welcome", "hello");
        assert_eq!(flow.start, "hello");
        rename(&mut flow, "shut", "night");
        assert_eq!(flow.closed.as_deref(), Some("night"));
    }

    #[test]
    fn names_are_checked_and_found() {
        let flow = flow();
        assert!(name_complaint(&flow, "menu").unwrap().contains("already"));
        assert!(name_complaint(&flow, "Über").is_some());
        assert_eq!(name_complaint(&flow, "menu-2"), None);
        assert_eq!(free_name(&flow, "menu"), "menu-2");
        assert_eq!(pointer("a/b~c"), "/nodes/a~1b~0c");
    }

    #[test]
    fn differences_name_node_and_setting() {
        let (before, mut after) = (flow(), flow());
        remove(&mut after, "lost");
        after.nodes.insert("extra".to_owned(), message(None));
        if let Some(Node::Menu { repeat, .. }) = after.nodes.get_mut("menu") {
            *repeat = 3;
        }
        after.closed = None;
        after.version = 9;
        assert_eq!(
            differences(&before, &after),
            ["extra: new message", "menu: repeat 2 → 3", "lost: removed", "The flow: closed shut → none"]
        );
    }
}
