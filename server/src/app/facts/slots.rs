//! Availability slots: several a day, across midnight, in a zone that exists.

use cordboard_shared::Problem;
use cordboard_shared::agent::{SlotsFact, Stamp};
use cordboard_shared::schedule::{TimeOfDay, WeeklyHours};

use super::invalid;

/// Most windows of one person.
const MOST_WINDOWS: usize = 50;

/// Sets the slots; none of them means always. Whether anything is different.
pub(super) fn set(held: &mut Option<SlotsFact>, hours: &WeeklyHours, stamp: Stamp) -> Result<bool, Problem> {
    check(hours)?;
    let same = held.as_ref().map_or_else(|| hours.open.is_empty(), |held| held.hours == *hours);
    if same {
        return Ok(false);
    }
    *held = (!hours.open.is_empty()).then(|| SlotsFact { stamp, hours: hours.clone() });
    Ok(true)
}

fn check(hours: &WeeklyHours) -> Result<(), Problem> {
    if hours.zone.as_deref().is_some_and(|zone| !cordboard_routing::check_zone(zone)) {
        return Err(invalid("/zone", "zone is an IANA name such as Europe/London."));
    }
    if hours.open.len() > MOST_WINDOWS {
        return Err(invalid("/open", &format!("A person has at most {MOST_WINDOWS} windows.")));
    }
    if !hours.holidays.is_empty() {
        return Err(invalid("/holidays", "Holidays belong to departments, not to people."));
    }
    for (index, slot) in hours.open.iter().enumerate() {
        if slot.days.is_empty() {
            return Err(invalid(&format!("/open/{index}/days"), "A window begins on at least one day."));
        }
        if slot.from == TimeOfDay::END {
            return Err(invalid(&format!("/open/{index}/from"), "A window begins before 24:00."));
        }
    }
    Ok(())
}
