//! Weekly hours while they are edited, and as a week reads: overlaps merged, nights carried over.

use cordboard_shared::schedule::{Day, Slot, TimeOfDay, WeeklyHours};

const DAY: u32 = 24 * 60;
const WEEK: u32 = 7 * DAY;

/// Minutes from Monday 00:00 that are open, merged, in order; a stretch may run past Sunday's end.
fn stretches(open: &[Slot]) -> Vec<(u32, u32)> {
    let mut all: Vec<(u32, u32)> = open
        .iter()
        .flat_map(|slot| {
            let (from, to) = (u32::from(slot.from.minutes()), u32::from(slot.to.minutes()));
            let length = if to > from { to - from } else { to + DAY - from };
            slot.days.iter().map(move |day| {
                let start = day_number(*day) * DAY + from;
                (start, start + length)
            })
        })
        .collect();
    // What runs past Sunday is Monday's beginning, too.
    let over: Vec<(u32, u32)> = all.iter().filter(|(_, to)| *to > WEEK).map(|(_, to)| (0, to - WEEK)).collect();
    all.extend(over);
    for stretch in &mut all {
        stretch.1 = stretch.1.min(WEEK);
    }
    let mut ordered: Vec<(u32, u32)> = Vec::with_capacity(all.len());
    for stretch in all {
        ordered.insert(ordered.partition_point(|known| *known <= stretch), stretch);
    }
    let mut merged: Vec<(u32, u32)> = Vec::new();
    for (from, to) in ordered {
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            Some(_) | None => merged.push((from, to)),
        }
    }
    merged
}

fn day_number(day: Day) -> u32 {
    Day::ALL.iter().zip(0..).find(|(known, _)| **known == day).map_or(0, |(_, number)| number)
}

/// What a week of these hours is like, one line a day: `Mon 09:00–12:30, 13:00–24:00`.
pub fn week(hours: &WeeklyHours) -> Vec<String> {
    let open = stretches(&hours.open);
    Day::ALL
        .into_iter()
        .zip(0..)
        .map(|(day, number)| {
            let (start, end) = (number * DAY, (number + 1) * DAY);
            let parts: Vec<String> = open
                .iter()
                .map(|(from, to)| (*from.max(&start), *to.min(&end)))
                .filter(|(from, to)| from < to)
                .map(|(from, to)| format!("{}–{}", clock(from - start), clock(to - start)))
                .collect();
            let text = match parts.is_empty() {
                _ if hours.open.is_empty() => "always".to_owned(),
                true => "closed".to_owned(),
                false => parts.join(", "),
            };
            format!("{} {text}", day.word())
        })
        .collect()
}

fn clock(minutes: u32) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// What is wrong with the hours, before they are sent.
pub fn complaints(hours: &WeeklyHours) -> Vec<String> {
    let mut found = Vec::new();
    for (slot, number) in hours.open.iter().zip(1..) {
        if slot.days.is_empty() {
            found.push(format!("Window {number} has no day."));
        }
        if slot.from == TimeOfDay::END {
            found.push(format!("Window {number} cannot begin at 24:00."));
        }
    }
    for holiday in &hours.holidays {
        if holiday.date.len() != 10 {
            found.push("A holiday has no date.".to_owned());
        }
    }
    found
}

/// A new window: working days, nine to five.
pub fn usual() -> Slot {
    let at = |hour: u16| TimeOfDay::from_minutes(hour * 60).unwrap_or(TimeOfDay::END);
    Slot { days: Day::ALL[..5].to_vec(), from: at(9), to: at(17) }
}

/// Whether a window runs into the next day.
pub fn crosses_midnight(slot: &Slot) -> bool {
    slot.to <= slot.from
}

/// Puts a day in or takes it out; days stay in the week's order.
pub fn toggle_day(slot: &mut Slot, day: Day) {
    if slot.days.contains(&day) {
        slot.days.retain(|known| *known != day);
    } else {
        slot.days.insert(slot.days.partition_point(|known| *known < day), day);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(days: &[Day], from: &str, to: &str) -> Slot {
        Slot { days: days.to_vec(), from: from.parse().unwrap(), to: to.parse().unwrap() }
    }

    fn hours(open: Vec<Slot>) -> WeeklyHours {
        WeeklyHours { open, ..WeeklyHours::default() }
    }

    #[test]
    fn overlaps_merge_and_nights_carry_over_even_past_sunday() {
        let week = week(&hours(vec![
            slot(&[Day::Mon], "09:00", "12:00"),
            slot(&[Day::Mon], "11:00", "13:30"),
            slot(&[Day::Tue], "22:00", "06:00"),
            slot(&[Day::Sun], "20:00", "02:00"),
        ]));
        assert_eq!(week[0], "Mon 00:00–02:00, 09:00–13:30");
        assert_eq!(week[1], "Tue 22:00–24:00");
        assert_eq!(week[2], "Wed 00:00–06:00");
        assert_eq!(week[3], "Thu closed");
        assert_eq!(week[6], "Sun 20:00–24:00");
    }

    #[test]
    fn no_window_is_always_and_a_window_without_days_is_wrong() {
        assert_eq!(week(&hours(Vec::new()))[0], "Mon always");
        assert_eq!(complaints(&hours(vec![slot(&[], "09:00", "17:00")])), ["Window 1 has no day."]);
    }

    #[test]
    fn days_stay_in_order() {
        let mut slot = usual();
        toggle_day(&mut slot, Day::Mon);
        toggle_day(&mut slot, Day::Sat);
        toggle_day(&mut slot, Day::Mon);
        assert_eq!(slot.days.first(), Some(&Day::Mon));
        assert_eq!(slot.days.last(), Some(&Day::Sat));
    }
}
