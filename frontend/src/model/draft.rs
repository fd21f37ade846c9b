//! The routing policy while it is edited: moving, merging with somebody else's change, and differences in words.

use cordboard_shared::department::{Department, Fallback, Relax};
use cordboard_shared::id::AgentId;
use cordboard_shared::policy::{Contact, Policy};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Moves an item of a list one place up or down; whether it moved.
pub fn shift<T>(list: &mut [T], index: usize, up: bool) -> bool {
    let other = if up { index.checked_sub(1) } else { Some(index + 1) };
    match other.filter(|other| *other < list.len() && index < list.len()) {
        Some(other) => {
            list.swap(index, other);
            true
        }
        None => false,
    }
}

/// Moves an item of a list to another place.
pub fn relocate<T>(list: &mut Vec<T>, from: usize, to: usize) {
    if from < list.len() && to < list.len() {
        let item = list.remove(from);
        list.insert(to, item);
    }
}

/// Numbers the members in the order they stand.
pub fn renumber(department: &mut Department) {
    for (member, order) in department.members.iter_mut().zip(1..) {
        member.order = order;
    }
}

/// My changes on top of theirs, setting by setting: what only one side has changed is that side's; where both have
/// changed the same setting, mine stands. None when the result is no policy, which two policies cannot give.
pub fn merge(base: &Policy, mine: &Policy, theirs: &Policy) -> Option<Policy> {
    Some(Policy { version: theirs.version, ..merge_documents(base, mine, theirs)? })
}

/// As [`merge`], for any document; the version in it may be anybody's.
pub fn merge_documents<T: Serialize + DeserializeOwned>(base: &T, mine: &T, theirs: &T) -> Option<T> {
    crate::decode::read(&merge_values(&value(base), &value(mine), &value(theirs))).ok()
}

fn merge_values(base: &Value, mine: &Value, theirs: &Value) -> Value {
    match (base, mine, theirs) {
        _ if mine == base => theirs.clone(),
        _ if theirs == base => mine.clone(),
        (Value::Object(base), Value::Object(mine), Value::Object(theirs)) => {
            let mut merged = Map::new();
            for key in mine.keys().chain(theirs.keys().filter(|key| !mine.contains_key(*key))) {
                let of = |side: &Map<String, Value>| side.get(key).cloned();
                if let Some(kept) = merge_sides(of(base), of(mine), of(theirs)) {
                    merged.insert(key.clone(), kept);
                }
            }
            Value::Object(merged)
        }
        (Value::Array(base), Value::Array(mine), Value::Array(theirs)) if has_ids(mine) && has_ids(theirs) => {
            let find = |list: &[Value], wanted: &Value| list.iter().find(|item| id(item) == Some(wanted)).cloned();
            let new = mine.iter().filter(|item| !theirs.iter().any(|other| id(other) == id(item)));
            let ids = theirs.iter().chain(new).filter_map(id);
            let merged = ids.filter_map(|id| merge_sides(find(base, id), find(mine, id), find(theirs, id)));
            Value::Array(merged.collect())
        }
        _ => mine.clone(),
    }
}

/// One member of both sides; a side without it has removed it, or never had it.
fn merge_sides(base: Option<Value>, mine: Option<Value>, theirs: Option<Value>) -> Option<Value> {
    match (base, mine, theirs) {
        (Some(base), Some(mine), Some(theirs)) => Some(merge_values(&base, &mine, &theirs)),
        (Some(base), one, other) => one.or(other).filter(|kept| *kept != base),
        (None, mine, theirs) => mine.or(theirs),
    }
}

fn has_ids(list: &[Value]) -> bool {
    list.iter().all(|item| id(item).is_some())
}

/// What an item of a list is known by: its id, the number of a contact, a blocked caller or a mobile, the user of a desk
/// phone, the trunk of a way out.
fn id(item: &Value) -> Option<&Value> {
    ["id", "number", "username", "trunk"].iter().find_map(|name| item.get(*name))
}

/// What differs, in words: `Support: ring seconds 25 → 20`.
pub fn differences(before: &Policy, after: &Policy) -> Vec<String> {
    let mut found = Vec::new();
    for department in &after.departments {
        match before.departments.iter().find(|known| known.id == department.id) {
            Some(known) if known != department => {
                compare(&department.name, &value(known), &value(department), &mut found);
            }
            Some(_) => {}
            None => found.push(format!("{}: new", department.name)),
        }
    }
    let gone = before.departments.iter().filter(|known| !after.departments.iter().any(|new| new.id == known.id));
    found.extend(gone.map(|department| format!("{}: removed", department.name)));
    compare("Account", &value(&before.settings), &value(&after.settings), &mut found);
    for (name, changed) in [
        ("Block list changed", before.blocked != after.blocked),
        ("Emergency routes changed", before.emergencies != after.emergencies),
        ("People's own reach changed", before.people != after.people),
    ] {
        if changed {
            found.push(name.to_owned());
        }
    }
    found.extend(contacts(&before.contacts, &after.contacts));
    found
}

/// `Contacts: 2 new, 1 changed`
fn contacts(before: &[Contact], after: &[Contact]) -> Option<String> {
    let find = |list: &[Contact], one: &Contact| list.iter().find(|known| known.number == one.number).cloned();
    let mut counts = [0, 0, 0];
    for contact in after {
        match find(before, contact) {
            None => counts[0] += 1,
            Some(known) if known != *contact => counts[1] += 1,
            Some(_) => {}
        }
    }
    counts[2] = before.iter().filter(|contact| find(after, contact).is_none()).count();
    let parts: Vec<String> = counts
        .iter()
        .zip(["new", "changed", "removed"])
        .filter(|(count, _)| **count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    match parts.is_empty() {
        false => Some(format!("Contacts: {}", parts.join(", "))),
        true if before != after => Some("Contacts: their order".to_owned()),
        true => None,
    }
}

/// By way of text: that code is there anyway to send the policy, another way of writing it would be as large again.
fn value<T: Serialize>(thing: &T) -> Value {
    serde_json::to_string(thing).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    if before == after {
        return;
    }
    if let (Value::Object(old), Value::Object(new)) = (before, after) {
        for (key, new) in new {
            let name = key.replace('_', " ");
            let separator = if path.contains(':') { ", " } else { ": " };
            compare(&format!("{path}{separator}{name}"), old.get(key).unwrap_or(&Value::Null), new, found);
        }
        for key in old.keys().filter(|key| !new.contains_key(*key)) {
            found.push(format!("{path}: {} removed", key.replace('_', " ")));
        }
        return;
    }
    match (plain(before), plain(after)) {
        (Some(before), Some(after)) => found.push(format!("{path} {before} → {after}")),
        _ => found.push(format!("{path} changed")),
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

/// A link of the fallback chain, in words.
pub fn fallback(link: &Fallback, policy: &Policy, name: &dyn Fn(AgentId) -> String) -> String {
    match link {
        Fallback::Voicemail { mailbox } => format!("voicemail of {}", mailbox_name(mailbox, policy, name)),
        Fallback::Department { department } => {
            let found = policy.departments.iter().find(|known| known.slug == *department);
            found.map_or_else(|| department.clone(), |known| known.name.clone())
        }
        Fallback::Agent { agent } => name(*agent),
        Fallback::Message { audio } => format!("message “{}”", audio.trim_start_matches("audio:")),
        Fallback::Callback => "callback".to_owned(),
        Fallback::Disconnect => "the call ends".to_owned(),
    }
}

/// Whose box it is.
pub fn mailbox_name(mailbox: &str, policy: &Policy, name: &dyn Fn(AgentId) -> String) -> String {
    if let Some(department) = policy.departments.iter().find(|known| known.slug == mailbox) {
        return department.name.clone();
    }
    mailbox.parse().map_or_else(|_| mailbox.to_owned(), name)
}

/// `tax 3, french 5` as skills, or what is wrong with the text.
pub fn skills(text: &str) -> Result<Vec<(String, u8)>, String> {
    pairs(text, |name, level| {
        let level: u8 = level.parse().ok().filter(|level| (1..=10).contains(level))?;
        Some((name.to_owned(), level))
    })
    .ok_or_else(|| "Write each skill with its level from 1 to 10, such as: tax 3, french 5".to_owned())
}

/// `60 2, 120 0` as steps of relaxing: after so many seconds the level needed.
pub fn relaxing(text: &str) -> Result<Vec<Relax>, String> {
    pairs(text, |after, level| {
        let level = level.parse().ok().filter(|level| *level <= 10)?;
        Some(Relax { after_seconds: after.parse().ok()?, level })
    })
    .ok_or_else(|| "Write seconds and level, such as: 60 2, 120 0".to_owned())
}

fn pairs<T>(text: &str, read: impl Fn(&str, &str) -> Option<T>) -> Option<Vec<T>> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| part.rsplit_once(' ').and_then(|(first, second)| read(first.trim(), second)))
        .collect()
}

#[cfg(test)]
mod tests {
    use cordboard_shared::department::Strategy;
    use cordboard_shared::id::DepartmentId;

    use super::*;

    fn policy() -> Policy {
        let support = Department::new(DepartmentId::demo(1), "support", "Support", Strategy::Serial);
        let sales = Department::new(DepartmentId::demo(2), "sales", "Sales", Strategy::Serial);
        Policy { version: 3, departments: vec![support, sales], ..Policy::default() }
    }

    #[test]
    fn items_move_within_their_list() {
        let mut list = vec![1, 2, 3];
        assert!(shift(&mut list, 1, true));
        assert!(!shift(&mut list, 0, true));
        assert!(!shift(&mut list, 2, false));
        relocate(&mut list, 0, 2);
        assert_eq!(list, [1, 3, 2]);
    }

    #[test]
    fn a_merge_keeps_what_only_one_side_has_changed() {
        let base = policy();
        let (mut mine, mut theirs) = (policy(), policy());
        mine.departments[0].ring_seconds = 40;
        theirs.departments[1].ring_seconds = 15;
        theirs.version = 4;

        let merged = merge(&base, &mine, &theirs).unwrap();
        assert_eq!((merged.departments[0].ring_seconds, merged.departments[1].ring_seconds), (40, 15));
        assert_eq!(merged.version, 4);
        assert_eq!(differences(&theirs, &merged), ["Support: ring seconds 25 → 40"]);
    }

    #[test]
    fn a_merge_goes_down_to_the_single_setting_and_keeps_new_and_removed_departments() {
        let base = policy();
        let (mut mine, mut theirs) = (policy(), policy());
        mine.departments[0].ring_seconds = 40;
        mine.departments[0].weight = 2;
        theirs.departments[0].weight = 3;
        theirs.departments[0].callback = true;
        theirs.departments.remove(1);
        let new = Department::new(DepartmentId::demo(3), "night", "Night", Strategy::Balanced);
        mine.departments.push(new.clone());

        let merged = merge(&base, &mine, &theirs).unwrap();
        let support = &merged.departments[0];
        assert_eq!((support.ring_seconds, support.weight, support.callback), (40, 2, true));
        assert_eq!(merged.departments.len(), 2);
        assert_eq!(merged.departments[1], new);
    }

    #[test]
    fn differences_name_department_and_setting() {
        let (before, mut after) = (policy(), policy());
        after.departments[0].callback = true;
        after.settings.reach.extension_rings_away = true;
        after.departments.pop();
        assert_eq!(
            differences(&before, &after),
            ["Support: callback off → on", "Sales: removed", "Account: reach, extension rings away off → on"]
        );
    }

    #[test]
    fn contacts_are_merged_by_number_and_counted() {
        let contact = |number: &str, name: &str| Contact {
            number: number.parse().unwrap(),
            name: name.to_owned(),
            agent: None,
            priority: 0,
            tags: Vec::new(),
        };
        let base =
            Policy { contacts: vec![contact("+442079460100", "Priya"), contact("+12025550100", "Sam")], ..policy() };
        let (mut mine, mut theirs) = (base.clone(), base.clone());
        mine.contacts[0].priority = 5;
        mine.contacts.push(contact("+12025550101", "New"));
        theirs.contacts[0].name = "Priya Shah".to_owned();
        theirs.contacts.remove(1);

        let merged = merge(&base, &mine, &theirs).unwrap();
        assert_eq!(
            merged.contacts,
            [Contact { priority: 5, ..contact("+442079460100", "Priya Shah") }, contact("+12025550101", "New"),]
        );
        assert_eq!(differences(&base, &merged), ["Contacts: 1 new, 1 changed, 1 removed"]);
    }

    #[test]
    fn skills_and_relaxing_are_read_or_complained_about() {
        assert_eq!(skills("tax 3, old french 5"), Ok(vec![("tax".to_owned(), 3), ("old french".to_owned(), 5)]));
        assert_eq!(skills(""), Ok(Vec::new()));
        assert!(skills("tax").is_err());
        assert!(skills("tax 11").is_err());
        assert_eq!(relaxing("60 2"), Ok(vec![Relax { after_seconds: 60, level: 2 }]));
    }
}
