//! The time now, and instants as people read them, in the account's zone.

use cordboard_shared::Millis;
use js_sys::{Date, Object, Reflect};
use wasm_bindgen::JsValue;

/// This browser's clock.
pub(crate) fn now() -> Millis {
    millis(Date::now())
}

#[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 are far below 2^53")]
fn millis(number: f64) -> Millis {
    Millis(number as i64)
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^53")]
fn date(at: Millis) -> Date {
    Date::new(&JsValue::from_f64(at.0 as f64))
}

/// `14:02`
pub(crate) fn time(at: Millis, zone: &str) -> String {
    format(at, zone, &[("hour", "2-digit"), ("minute", "2-digit")])
}

/// `14:02:11`
pub(crate) fn time_with_seconds(at: Millis, zone: &str) -> String {
    format(at, zone, &[("hour", "2-digit"), ("minute", "2-digit"), ("second", "2-digit")])
}

/// `21 Nov`
pub(crate) fn day(at: Millis, zone: &str) -> String {
    format(at, zone, &[("day", "numeric"), ("month", "short")])
}

/// `Saturday 21 November 2026`
pub(crate) fn long_day(at: Millis, zone: &str) -> String {
    format(at, zone, &[("weekday", "long"), ("day", "numeric"), ("month", "long"), ("year", "numeric")])
}

/// `Sat 21 Nov`
pub(crate) fn weekday(at: Millis, zone: &str) -> String {
    format(at, zone, &[("weekday", "short"), ("day", "numeric"), ("month", "short")])
}

/// `14:02` today, `20 Nov, 14:02` on another day.
pub(crate) fn time_or_day(at: Millis, now: Millis, zone: &str) -> String {
    let (that_day, today) = (day(at, zone), day(now, zone));
    if that_day == today { time(at, zone) } else { format!("{that_day}, {}", time(at, zone)) }
}

/// The midnight before this instant in a zone.
pub(crate) fn start_of_day(now: Millis, zone: &str) -> Millis {
    let clock = time_with_seconds(now, zone);
    let mut parts = clock.split(':').map(|part| part.parse::<u64>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    let seconds = next() % 24 * 3_600 + next() * 60 + next();
    now - (seconds * 1_000 + now.0.rem_euclid(1_000).unsigned_abs())
}

/// `2026-11-21T14:02`, as fields for date and time hold it.
pub(crate) fn field(at: Millis, zone: &str) -> String {
    let text = format(
        at,
        zone,
        &[("year", "numeric"), ("month", "2-digit"), ("day", "2-digit"), ("hour", "2-digit"), ("minute", "2-digit")],
    );
    let parts: Vec<&str> = text.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty()).collect();
    match parts[..] {
        [day, month, year, hour, minute] => format!("{year}-{month}-{day}T{hour}:{minute}"),
        _ => String::new(),
    }
}

/// The instant a field for date and time names in a zone. An hour that a zone skips is the one after it.
pub(crate) fn of_field(text: &str, zone: &str) -> Option<Millis> {
    let wanted = wall(text)?;
    // The zone's distance is not known before the instant is: the second look is right but in a skipped hour.
    let mut at = Millis(wanted);
    for _ in 0..2 {
        at = Millis(at.0 + wanted - wall(&field(at, zone))?);
    }
    Some(at)
}

/// A wall clock as if it were UTC, in milliseconds.
fn wall(text: &str) -> Option<i64> {
    let at = Date::parse(&format!("{text}:00Z"));
    at.is_finite().then(|| millis(at).0)
}

fn format(at: Millis, zone: &str, parts: &[(&str, &str)]) -> String {
    let options = Object::new();
    let set = |name: &str, value: JsValue| {
        // Setting a member of a fresh object cannot fail.
        let _ = Reflect::set(&options, &name.into(), &value);
    };
    for (name, value) in parts {
        set(name, (*value).into());
    }
    set("hourCycle", "h23".into());
    if !zone.is_empty() {
        set("timeZone", zone.into());
    }
    String::from(date(at).to_locale_string("en-GB", &options))
}
