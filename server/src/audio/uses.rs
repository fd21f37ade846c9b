//! Where the company names a sound. Pure.

use std::collections::BTreeSet;

use cordboard_shared::api::audio::{AudioUse, AudioUser};
use cordboard_shared::department::{Department, Fallback};
use cordboard_shared::flow::{Flow, Node};

use crate::directory::Directory;

/// A use, the sound as it is named there, and the languages it may be heard in.
pub(super) type Named = (AudioUse, String, Vec<String>);

/// Every sound the company names.
pub fn sounds_of(directory: &Directory) -> Vec<Named> {
    let account = || vec![directory.language.clone()];
    let mut named = Vec::new();
    for flow in &directory.flows {
        let languages = languages_of(flow, directory);
        let user = AudioUse { kind: AudioUser::Flow, id: flow.id.to_string(), name: flow.slug.clone() };
        named.extend(of_flow(flow).into_iter().map(|sound| (user.clone(), sound, languages.clone())));
    }
    for department in &directory.departments {
        let user =
            AudioUse { kind: AudioUser::Department, id: department.id.to_string(), name: department.name.clone() };
        named.extend(of_department(department).into_iter().map(|sound| (user.clone(), sound, account())));
    }
    for mailbox in &directory.mailboxes {
        let user = AudioUse { kind: AudioUser::Mailbox, id: mailbox.name.clone(), name: mailbox.name.clone() };
        named.push((user, mailbox.greeting.clone(), account()));
    }
    if let Some(announcement) = &directory.telephony.recording_announcement {
        let user =
            AudioUse { kind: AudioUser::Telephony, id: String::new(), name: "Recording announcement".to_owned() };
        named.push((user, announcement.clone(), account()));
    }
    named
}

/// Sounds a flow names.
pub fn of_flow(flow: &Flow) -> Vec<String> {
    let audio = |node: &Node| match node {
        Node::Menu { audio, .. }
        | Node::Message { audio, .. }
        | Node::Input { audio, .. }
        | Node::Language { audio, .. } => Some(audio.clone()),
        Node::Voicemail { audio, .. } => audio.clone(),
        Node::Extension { .. } | Node::Department { .. } => None,
    };
    flow.nodes.values().filter_map(audio).filter(|audio| !audio.is_empty()).collect()
}

/// Languages a caller may have come to.
fn languages_of(flow: &Flow, directory: &Directory) -> Vec<String> {
    let mut languages = BTreeSet::from([flow.language.as_ref().unwrap_or(&directory.language).clone()]);
    for node in flow.nodes.values() {
        if let Node::Language { keys, .. } = node {
            languages.extend(keys.values().cloned());
        }
    }
    languages.into_iter().collect()
}

fn of_department(department: &Department) -> Vec<String> {
    let sticky = department.sticky.as_ref().and_then(|sticky| sticky.fallback.as_ref());
    let chosen = department.conditions.iter().map(|condition| &condition.then);
    let fallbacks = department.fallback.iter().chain(&department.closed).chain(sticky).chain(chosen);
    let said = fallbacks.filter_map(|fallback| match fallback {
        Fallback::Message { audio } => Some(audio.clone()),
        Fallback::Voicemail { .. }
        | Fallback::Department { .. }
        | Fallback::Agent { .. }
        | Fallback::Callback
        | Fallback::Disconnect => None,
    });
    said.chain([department.music.clone()]).collect()
}

/// Whether a name means this file.
pub fn is_named(sound: &str, id: &str) -> bool {
    sound.strip_prefix("audio:").unwrap_or(sound) == id
}
