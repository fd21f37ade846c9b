//! Weekly hours: availability slots of a person, opening hours of a department (`availability-and-panel.md` section 2.4).
//!
//! Plain wall-clock times; what they mean on a given day, daylight saving included, is worked out by the routing engine.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Day {
    /// The whole week, from Monday.
    pub const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];

    /// The short name people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mon => "Mon",
            Self::Tue => "Tue",
            Self::Wed => "Wed",
            Self::Thu => "Thu",
            Self::Fri => "Fri",
            Self::Sat => "Sat",
            Self::Sun => "Sun",
        }
    }
}

/// A time of day in minutes since midnight, `"HH:MM"`; `"24:00"` is the end of the day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    /// The end of the day.
    pub const END: Self = Self(24 * 60);

    /// From minutes since midnight; none above 24:00.
    pub fn from_minutes(minutes: u16) -> Option<Self> {
        (minutes <= 24 * 60).then_some(Self(minutes))
    }

    /// Minutes since midnight, 0 to 1,440.
    pub fn minutes(self) -> u16 {
        self.0
    }
}

/// The text is no time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time of day is HH:MM, from 00:00 to 24:00")]
pub struct ParseTimeOfDayError;

impl FromStr for TimeOfDay {
    type Err = ParseTimeOfDayError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (hours, minutes) = text.split_once(':').ok_or(ParseTimeOfDayError)?;
        let number = |part: &str| {
            let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            if digits { part.parse::<u16>().map_err(|_| ParseTimeOfDayError) } else { Err(ParseTimeOfDayError) }
        };
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        if minutes > 59 {
            return Err(ParseTimeOfDayError);
        }
        Self::from_minutes(hours * 60 + minutes).ok_or(ParseTimeOfDayError)
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl fmt::Debug for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = ParseTimeOfDayError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

/// A weekly window, `[from, to)`. When `to` is not after `from`, it ends on the next day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The days it begins on.
    pub days: Vec<Day>,
    /// Begin.
    pub from: TimeOfDay,
    /// End; on the next day when not after the begin.
    pub to: TimeOfDay,
}

/// Weekly windows in one time zone. Overlaps merge. No window at all means: always.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeeklyHours {
    /// IANA name; none is the account's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The windows.
    #[serde(default)]
    pub open: Vec<Slot>,
    /// Days on which nothing is open, whatever the windows say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holidays: Vec<Holiday>,
}

impl WeeklyHours {
    /// Whether nothing restricts: no windows and no holidays.
    pub fn is_always(&self) -> bool {
        self.open.is_empty() && self.holidays.is_empty()
    }
}

/// A day off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holiday {
    /// The date, `YYYY-MM-DD`, in the zone of the hours.
    pub date: String,
    /// What people call it.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_read_strictly() {
        assert_eq!("09:30".parse::<TimeOfDay>().unwrap().minutes(), 570);
        assert_eq!("24:00".parse::<TimeOfDay>().unwrap(), TimeOfDay::END);
        for text in ["9:30", "24:01", "12:60", "ab:cd", "+1:00", "12", ""] {
            assert!(text.parse::<TimeOfDay>().is_err(), "{text}");
        }
    }
}
