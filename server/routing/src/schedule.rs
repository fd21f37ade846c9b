//! What weekly hours mean on the calendar: time zones, daylight saving, midnight and overlaps.

use cordboard_shared::Millis;
use cordboard_shared::api::availability::Window;
use cordboard_shared::schedule::{Day, Slot, WeeklyHours};
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// How far ahead the next change is looked for, in milliseconds: beyond any week with a holiday.
const HORIZON_MS: u64 = 15 * 24 * 3_600_000;

/// Hours at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clocked {
    /// Inside a window, or nothing restricts.
    pub(crate) inside: bool,
    /// When that changes next, if it does within the horizon.
    pub(crate) changes_at: Option<Millis>,
    /// When to look again at the latest; none when the hours restrict nothing.
    pub(crate) recheck_at: Option<Millis>,
}

/// Whether this is a time zone of the IANA database.
pub fn check_zone(name: &str) -> bool {
    zone(name).is_some()
}

/// The open windows within `[from, to)`, overlaps merged. Hours without a zone are in the account's; a zone that does
/// not exist is read as UTC, since a window must not vanish by a spelling.
///
/// A wall-clock time that daylight saving skips is moved forward by the gap; one that comes twice is taken the first time.
pub fn windows(hours: &WeeklyHours, account_zone: &str, from: Millis, to: Millis) -> Vec<Window> {
    if to <= from {
        return Vec::new();
    }
    let zone = zone(hours.zone.as_deref().unwrap_or(account_zone)).unwrap_or(TimeZone::UTC);
    let (first, last) = (date_of(from, &zone), date_of(to, &zone));
    let mut open = if hours.open.is_empty() { vec![Window { from, to }] } else { Vec::new() };
    // A window that crosses midnight began on the day before.
    let mut day = first.saturating_sub(1.day());
    while day <= last {
        let slots = hours.open.iter().filter(|slot| slot.days.contains(&weekday(day)));
        open.extend(slots.map(|slot| on_day(slot, day, &zone)));
        let Ok(next) = day.tomorrow() else { break };
        day = next;
    }
    let days_off: Vec<_> = hours
        .holidays
        .iter()
        .filter_map(|holiday| holiday.date.parse::<Date>().ok())
        .map(|date| Window { from: instant(date.at(0, 0, 0, 0), &zone), to: instant(midnight_after(date), &zone) })
        .collect();
    let clipped = merge(open).into_iter().flat_map(|window| without(window, &days_off)).filter_map(|window| {
        let window = Window { from: window.from.max(from), to: window.to.min(to) };
        (window.from < window.to).then_some(window)
    });
    merge(clipped.collect())
}

/// Whether `now` lies in a window, and when that changes.
pub(crate) fn clocked(hours: &WeeklyHours, account_zone: &str, now: Millis) -> Clocked {
    if hours.is_always() {
        return Clocked { inside: true, changes_at: None, recheck_at: None };
    }
    let horizon = now + HORIZON_MS;
    let ahead = windows(hours, account_zone, now, horizon);
    let (inside, changes_at) = match ahead.first() {
        Some(window) if window.from <= now => (true, Some(window.to).filter(|end| *end < horizon)),
        Some(window) => (false, Some(window.from)),
        None => (false, None),
    };
    Clocked { inside, changes_at, recheck_at: Some(changes_at.unwrap_or(horizon)) }
}

fn zone(name: &str) -> Option<TimeZone> {
    match name {
        "" | "UTC" => Some(TimeZone::UTC),
        name => TimeZone::get(name).ok(),
    }
}

fn date_of(at: Millis, zone: &TimeZone) -> Date {
    zone.to_datetime(timestamp(at)).date()
}

fn timestamp(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn instant(at: DateTime, zone: &TimeZone) -> Millis {
    zone.to_ambiguous_timestamp(at).compatible().map_or(Millis(0), |at| Millis(at.as_millisecond()))
}

fn midnight_after(date: Date) -> DateTime {
    date.tomorrow().unwrap_or(date).at(0, 0, 0, 0)
}

fn on_day(slot: &Slot, day: Date, zone: &TimeZone) -> Window {
    let at = |day: Date, minutes: u16| {
        if minutes >= 24 * 60 {
            return instant(midnight_after(day), zone);
        }
        let (hour, minute) = (i8::try_from(minutes / 60).unwrap_or(0), i8::try_from(minutes % 60).unwrap_or(0));
        instant(day.at(hour, minute, 0, 0), zone)
    };
    let end = if slot.to <= slot.from { day.tomorrow().unwrap_or(day) } else { day };
    Window { from: at(day, slot.from.minutes()), to: at(end, slot.to.minutes()) }
}

fn weekday(day: Date) -> Day {
    match day.weekday() {
        Weekday::Monday => Day::Mon,
        Weekday::Tuesday => Day::Tue,
        Weekday::Wednesday => Day::Wed,
        Weekday::Thursday => Day::Thu,
        Weekday::Friday => Day::Fri,
        Weekday::Saturday => Day::Sat,
        Weekday::Sunday => Day::Sun,
    }
}

fn merge(mut windows: Vec<Window>) -> Vec<Window> {
    windows.retain(|window| window.from < window.to);
    windows.sort_unstable_by_key(|window| (window.from, window.to));
    let mut merged: Vec<Window> = Vec::with_capacity(windows.len());
    for window in windows {
        match merged.last_mut() {
            Some(last) if window.from <= last.to => last.to = last.to.max(window.to),
            Some(_) | None => merged.push(window),
        }
    }
    merged
}

/// What is left of a window when the days off are cut out.
fn without(window: Window, days_off: &[Window]) -> Vec<Window> {
    let mut rest = vec![window];
    for off in days_off {
        rest = rest
            .into_iter()
            .flat_map(|it| {
                [Window { from: it.from, to: it.to.min(off.from) }, Window { from: it.from.max(off.to), to: it.to }]
            })
            .filter(|it| it.from < it.to)
            .collect();
    }
    rest
}

#[cfg(test)]
mod tests {
    use cordboard_shared::schedule::Holiday;

    use super::*;

    #[test]
    fn several_windows_a_day_merge_and_cross_midnight() {
        let hours = hours(
            "Europe/Berlin",
            &[("09:00", "12:00", &[Day::Mon]), ("11:00", "13:00", &[Day::Mon]), ("22:00", "02:00", &[Day::Mon])],
        );
        let open = windows(&hours, "UTC", at("2026-11-23T00:00:00+01:00"), at("2026-11-30T00:00:00+01:00"));
        assert_eq!(
            open,
            [
                window("2026-11-23T09:00:00+01:00", "2026-11-23T13:00:00+01:00"),
                window("2026-11-23T22:00:00+01:00", "2026-11-24T02:00:00+01:00"),
            ]
        );
        let night = clocked(&hours, "UTC", at("2026-11-24T01:30:00+01:00"));
        assert_eq!((night.inside, night.changes_at), (true, Some(at("2026-11-24T02:00:00+01:00"))));
    }

    #[test]
    fn an_end_is_not_inside() {
        let hours = hours("UTC", &[("09:00", "18:00", &Day::ALL)]);
        assert!(clocked(&hours, "UTC", at("2026-11-23T17:59:59.999Z")).inside);
        let after = clocked(&hours, "UTC", at("2026-11-23T18:00:00Z"));
        assert_eq!((after.inside, after.changes_at), (false, Some(at("2026-11-24T09:00:00Z"))));
    }

    #[test]
    fn the_night_the_clocks_change_is_read_on_the_wall() {
        // 29 March 2026: 02:00 becomes 03:00 in Berlin. 25 October 2026: 03:00 becomes 02:00.
        let early = hours("Europe/Berlin", &[("02:30", "04:00", &[Day::Sun])]);
        let gap = windows(&early, "UTC", at("2026-03-29T00:00:00Z"), at("2026-03-30T00:00:00Z"));
        assert_eq!(gap, [window("2026-03-29T03:30:00+02:00", "2026-03-29T04:00:00+02:00")]);
        let fold = windows(&early, "UTC", at("2026-10-25T00:00:00Z"), at("2026-10-26T00:00:00Z"));
        assert_eq!(fold, [window("2026-10-25T02:30:00+02:00", "2026-10-25T04:00:00+01:00")]);
        // A day of 25 hours has an hour more between 00:00 and 24:00.
        let whole = hours("Europe/Berlin", &[("00:00", "24:00", &[Day::Sun])]);
        let day = windows(&whole, "UTC", at("2026-10-24T00:00:00Z"), at("2026-10-27T00:00:00Z"));
        assert_eq!(day[0].to.since(day[0].from), 25 * 3_600_000);
    }

    #[test]
    fn a_holiday_closes_its_day_in_the_zone_of_the_hours() {
        let mut hours = hours("Asia/Kolkata", &[("22:00", "06:00", &Day::ALL)]);
        hours.holidays = vec![Holiday { date: "2026-12-25".to_owned(), name: "Christmas".to_owned() }];
        let open = windows(&hours, "UTC", at("2026-12-24T12:00:00+05:30"), at("2026-12-26T12:00:00+05:30"));
        assert_eq!(
            open,
            [
                window("2026-12-24T22:00:00+05:30", "2026-12-25T00:00:00+05:30"),
                window("2026-12-26T00:00:00+05:30", "2026-12-26T06:00:00+05:30"),
            ]
        );
    }

    #[test]
    fn without_windows_only_holidays_close() {
        let hours = WeeklyHours {
            zone: None,
            open: Vec::new(),
            holidays: vec![Holiday { date: "2026-12-25".to_owned(), name: String::new() }],
        };
        let eve = clocked(&hours, "UTC", at("2026-12-24T12:00:00Z"));
        assert_eq!((eve.inside, eve.changes_at), (true, Some(at("2026-12-25T00:00:00Z"))));
        assert!(!clocked(&hours, "UTC", at("2026-12-25T12:00:00Z")).inside);
        let summer = clocked(&hours, "UTC", at("2026-06-01T00:00:00Z"));
        assert_eq!((summer.inside, summer.changes_at), (true, None));
        assert!(summer.recheck_at.is_some());
    }

    fn hours(zone: &str, open: &[(&str, &str, &[Day])]) -> WeeklyHours {
        let open = open.iter().map(|(from, to, days)| Slot {
            days: days.to_vec(),
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
        });
        WeeklyHours { zone: Some(zone.to_owned()), open: open.collect(), holidays: Vec::new() }
    }

    fn at(text: &str) -> Millis {
        text.parse().unwrap()
    }

    fn window(from: &str, to: &str) -> Window {
        Window { from: at(from), to: at(to) }
    }
}
