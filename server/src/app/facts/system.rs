//! What time has done: the change of the facts that makes it lasting. The engine behaves so already.

use cordboard_routing::Elapsed;
use cordboard_shared::agent::{Actor, AgentFacts, Apply, Block, Source, Stamp, Toggle, ToggleFact};
use cordboard_shared::{Millis, Version};

use super::{Basis, Decided};
use crate::call::away_reason;

/// The facts after what has elapsed; none when somebody has changed them meanwhile and it does not hold any more.
pub(in crate::app) fn elapsed(facts: &AgentFacts, what: Elapsed, basis: Basis<'_>) -> Option<Decided> {
    let now = basis.now;
    let mut next = facts.clone();
    let changed = match what {
        Elapsed::Pause => {
            next.pause.take_if(|pause| is_over(pause, now))?;
            "pause"
        }
        Elapsed::Dnd => {
            next.dnd.take_if(|dnd| is_over(dnd, now))?;
            "dnd"
        }
        Elapsed::AwayReturned => {
            let over = facts.toggle.until.is_some_and(|until| until <= now);
            if facts.toggle.state != Toggle::Away || !over {
                return None;
            }
            next.toggle = by_system(Toggle::On, None, now);
            "toggle"
        }
        Elapsed::Schedule => {
            let _ = next.work_anyway.take_if(|anyway| is_over(anyway, now));
            "schedule"
        }
        Elapsed::Missed => {
            if facts.toggle.state == Toggle::Away && facts.toggle.apply == Apply::Now {
                return None;
            }
            next.toggle = by_system(Toggle::Away, away_reason(what, basis.settings), now);
            "toggle"
        }
        Elapsed::Inactive => {
            if facts.toggle.state == Toggle::Away {
                return None;
            }
            next.toggle = by_system(Toggle::Away, away_reason(what, basis.settings), now);
            "toggle"
        }
        Elapsed::AfterCall => {
            if facts.toggle.apply != Apply::AfterCall {
                return None;
            }
            // Still the person's own doing; only since when it holds is new.
            next.toggle.apply = Apply::Now;
            next.toggle.stamp.since = now;
            "toggle"
        }
    };
    next.version = Version { epoch: basis.epoch, rev: facts.version.rev + 1 };
    Some(Decided { facts: next, changed: vec![changed.to_owned()], note: None })
}

fn is_over(block: &Block, now: Millis) -> bool {
    block.until.is_some_and(|until| until <= now)
}

fn by_system(state: Toggle, reason: Option<String>, now: Millis) -> ToggleFact {
    let stamp = Stamp { since: now, by: Actor::system(), source: Source::System };
    ToggleFact { state, stamp, reason, until: None, apply: Apply::Now }
}
