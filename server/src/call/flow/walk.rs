//! Walks a flow without a call, by the same steps a call takes: for previews and what-if questions. Pure.

use cordboard_shared::Millis;
use cordboard_shared::api::flows::PreviewInput;
use cordboard_shared::flow::{Flow, Node};
use cordboard_shared::phone::Extension;

use super::step::{self, Happened, MOST_HOPS, Then};
use crate::directory::Directory;

/// What a walk stands before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    /// A key, or that none comes.
    Key,
    /// What the webhook says.
    Webhook,
    /// Whether the person or the department takes the call.
    Answer,
}

/// A node on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Walked {
    /// Its name.
    pub(crate) node: String,
    /// In which language it speaks.
    pub(crate) language: String,
    /// What happened there.
    pub(crate) given: Vec<PreviewInput>,
    /// How often it was played.
    pub(crate) plays: u32,
}

/// Where a walk stands or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// At the last node, which waits for this.
    Waits(Wants),
    /// An extension was dialed: the person is rung, then their voicemail box takes the call.
    Dialed(Extension),
    /// In this voicemail box.
    Voicemail(String),
    /// The person did not answer: in their own voicemail box.
    OwnVoicemail(Extension),
    /// A missed-call service: rings and ends.
    MissedCall(u32),
    /// The flow is closed and has no node for that: a prompt, then the end.
    Closed,
    /// Nothing follows: the call is hung up.
    HungUp,
    /// It went round and round.
    Circle,
    /// This input, counted from 0, does not fit the node.
    Unfitting(usize),
}

/// A walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Walk {
    /// Why the flow is closed, if it is.
    pub(crate) closed: Option<String>,
    /// The nodes, in order.
    pub(crate) way: Vec<Walked>,
    /// Where it stands or ended.
    pub(crate) end: End,
}

/// Walks a flow for a call that comes then. `next` is asked for what happens whenever a node waits; none stops there.
pub(crate) fn walk(
    flow: &Flow,
    directory: &Directory,
    now: Millis,
    mut next: impl FnMut(Wants) -> Option<PreviewInput>,
) -> Walk {
    let mut walk = Walk { closed: None, way: Vec::new(), end: End::HungUp };
    if let Some(rings) = flow.missed_call_rings {
        walk.end = End::MissedCall(rings);
        return walk;
    }
    walk.closed = step::closed(flow, &directory.zone, now);
    let mut name = if walk.closed.is_some() {
        let Some(closed) = flow.closed.clone() else {
            walk.end = End::Closed;
            return walk;
        };
        Some(closed)
    } else {
        Some(flow.start.clone())
    };
    let mut language = flow.language.as_ref().unwrap_or(&directory.language).clone();
    let mut taken = 0;
    for _ in 0..MOST_HOPS {
        let Some((at, node)) = name.and_then(|name| flow.nodes.get(&name).map(|node| (name, node))) else {
            walk.end = End::HungUp;
            return walk;
        };
        walk.way.push(Walked { node: at, language: language.clone(), given: Vec::new(), plays: 1 });
        match at_node(node, directory, &mut walk, &mut taken, &mut next) {
            Ok((chosen, follows)) => {
                if let Some(chosen) = chosen {
                    language = chosen;
                }
                name = follows;
            }
            Err(end) => {
                walk.end = end;
                return walk;
            }
        }
    }
    walk.end = End::Circle;
    walk
}

/// What one node does: the language chosen there and the node that follows, or the end of the walk.
fn at_node(
    node: &Node,
    directory: &Directory,
    walk: &mut Walk,
    taken: &mut usize,
    next: &mut impl FnMut(Wants) -> Option<PreviewInput>,
) -> Result<(Option<String>, Option<String>), End> {
    let direct = directory.telephony.direct_dialing;
    let Some(walked) = walk.way.last_mut() else { return Err(End::HungUp) };
    let mut wants = match node {
        Node::Voicemail { mailbox, .. } => return Err(End::Voicemail(mailbox.clone())),
        Node::Extension { .. } | Node::Department { .. } => Wants::Answer,
        Node::Menu { .. } | Node::Message { .. } | Node::Input { .. } | Node::Language { .. } => Wants::Key,
    };
    let mut digits = String::new();
    // Keys of one input that are still to be pressed.
    let mut keys: Vec<char> = Vec::new();
    let mut then =
        if wants == Wants::Key { step::then(node, 1, Happened::Played, directory, direct) } else { Then::Stay };
    loop {
        match then {
            Then::Go(follows) => {
                return match (node, follows) {
                    (Node::Extension { extension, .. }, None) => Err(End::OwnVoicemail(extension.clone())),
                    (_, follows) => Ok((None, follows)),
                };
            }
            Then::Speak(language, follows) => return Ok((Some(language), follows)),
            Then::Dial(extension) => return Err(End::Dialed(extension)),
            Then::Again => {
                walked.plays += 1;
                digits.clear();
            }
            Then::Ask(_) => wants = Wants::Webhook,
            Then::Stay | Then::Wait(_) | Then::WaitForMore(_) => {}
        }
        if let Some(key) = keys.pop() {
            digits.push(key);
            then = step::then(node, walked.plays, Happened::Key(&digits), directory, direct);
            if keys.is_empty() && matches!(then, Then::WaitForMore(_)) {
                // Nothing follows the last one.
                then = step::then(node, walked.plays, Happened::Waited(&digits), directory, direct);
                digits.clear();
            }
            continue;
        }
        let Some(input) = next(wants) else { return Err(End::Waits(wants)) };
        let index = *taken;
        *taken += 1;
        let happened = match (&input, wants) {
            (PreviewInput::Key(key), Wants::Key) => {
                digits.push(*key);
                Happened::Key(&digits)
            }
            (PreviewInput::Digits(text), Wants::Key) if !text.is_empty() => {
                keys = text.chars().rev().collect();
                walked.given.push(input);
                then = Then::Stay;
                continue;
            }
            (PreviewInput::Nothing, Wants::Key) => Happened::Waited(&digits),
            (PreviewInput::Webhook(word), Wants::Webhook) => Happened::WebhookSaid(word),
            (PreviewInput::Failed, Wants::Webhook) => Happened::WebhookFailed,
            (PreviewInput::Unanswered, Wants::Answer) => Happened::Unanswered,
            (
                PreviewInput::Key(_)
                | PreviewInput::Digits(_)
                | PreviewInput::Nothing
                | PreviewInput::Webhook(_)
                | PreviewInput::Failed
                | PreviewInput::Unanswered,
                Wants::Key | Wants::Webhook | Wants::Answer,
            ) => return Err(End::Unfitting(index)),
        };
        let mut pause = matches!(input, PreviewInput::Nothing);
        then = step::then(node, walked.plays, happened, directory, direct);
        if then == Then::WaitForMore(None) {
            // One key was pressed, and no extension.
            then = step::then(node, walked.plays, Happened::Waited(&digits), directory, direct);
            pause = true;
        }
        if pause {
            digits.clear();
        }
        walked.given.push(input);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Millis = Millis(1_795_262_400_000);

    fn through(inputs: &[PreviewInput]) -> (Vec<String>, End) {
        let directory = crate::demo::directory();
        let flow = directory.flow("main").unwrap().clone();
        let mut inputs = inputs.iter().cloned();
        let walk = walk(&flow, &directory, NOON, |_| inputs.next());
        (walk.way.into_iter().map(|it| it.node).collect(), walk.end)
    }

    #[test]
    fn a_walk_goes_where_a_call_would() {
        assert_eq!(through(&[]), (vec!["menu".to_owned()], End::Waits(Wants::Key)));
        let sales = vec!["menu".to_owned(), "sales".to_owned()];
        // 2 also begins the extensions from 21 on: one key alone is the menu's.
        assert_eq!(through(&[PreviewInput::Key('2')]), (sales, End::Waits(Wants::Answer)));
        let (_, end) = through(&[PreviewInput::Digits("21".to_owned())]);
        assert_eq!(end, End::Dialed("21".parse().unwrap()));
        let (way, _) = through(&[PreviewInput::Nothing, PreviewInput::Nothing]);
        assert_eq!(way, ["menu", "support"], "two plays, then the fallback");
        assert_eq!(through(&[PreviewInput::Failed]).1, End::Unfitting(0));
        let (_, end) = through(&[PreviewInput::Nothing, PreviewInput::Nothing, PreviewInput::Unanswered]);
        assert_eq!(end, End::HungUp);
    }
}
