//! The reachability matrix: call path × state of the person, as data
//! (`availability-and-panel.md` section 2.3).

use std::collections::BTreeMap;

use cordboard_shared::agent::Verdict;
use serde::{Deserialize, Serialize};

/// The call paths, by their row number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Row {
    /// Department, ring group or campaign.
    Queue = 1,
    /// The same for a member who is always included.
    AlwaysInclude = 2,
    /// Sticky agent, strict.
    StickyStrict = 3,
    /// Sticky agent, loose.
    StickyLoose = 4,
    /// Extension node of a flow.
    FlowExtension = 5,
    /// Extension dialed by the caller, or a number of one's own.
    DirectExtension = 6,
    /// A colleague dials the extension.
    Internal = 7,
    /// Blind transfer to the person.
    BlindTransfer = 8,
    /// Warm transfer to the person.
    WarmTransfer = 9,
    /// A callback scheduled to the person.
    Callback = 10,
    /// An emergency route.
    Emergency = 11,
    /// Targeted pickup.
    Pickup = 12,
    /// Takes a waiting call.
    TakeWaiting = 13,
    /// Agent leg of a call the agent asked for.
    OwnCallLeg = 14,
    /// Outbound call.
    Outbound = 15,
}

impl Row {
    /// Every row, in order.
    pub const ALL: [Self; 15] = [
        Self::Queue,
        Self::AlwaysInclude,
        Self::StickyStrict,
        Self::StickyLoose,
        Self::FlowExtension,
        Self::DirectExtension,
        Self::Internal,
        Self::BlindTransfer,
        Self::WarmTransfer,
        Self::Callback,
        Self::Emergency,
        Self::Pickup,
        Self::TakeWaiting,
        Self::OwnCallLeg,
        Self::Outbound,
    ];

    /// Its number in the table.
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// What a cell says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Letter {
    /// R: rings, or is allowed.
    Rings,
    /// S: skipped; the next one or the fallback is tried.
    Skipped,
    /// V: voicemail if there is a box, else busy tone and end.
    Voicemail,
    /// F: the sticky fallback.
    StickyFallback,
    /// X: refused, and the person transferring is told why.
    Refused,
    /// H: onto the follow-up list with its due time.
    FollowUp,
    /// W: waits until free, then rings.
    Waits,
    /// N: not allowed.
    NotAllowed,
    /// P: by phone or API only.
    PhoneOnly,
}

impl Letter {
    /// The letter of the table.
    pub fn as_char(self) -> char {
        match self {
            Self::Rings => 'R',
            Self::Skipped => 'S',
            Self::Voicemail => 'V',
            Self::StickyFallback => 'F',
            Self::Refused => 'X',
            Self::FollowUp => 'H',
            Self::Waits => 'W',
            Self::NotAllowed => 'N',
            Self::PhoneOnly => 'P',
        }
    }

    fn from_char(letter: char) -> Option<Self> {
        Some(match letter {
            'R' => Self::Rings,
            'S' => Self::Skipped,
            'V' => Self::Voicemail,
            'F' => Self::StickyFallback,
            'X' => Self::Refused,
            'H' => Self::FollowUp,
            'W' => Self::Waits,
            'N' => Self::NotAllowed,
            'P' => Self::PhoneOnly,
            _ => return None,
        })
    }
}

/// The states, by their column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// All clear.
    Available,
    /// Toggle off.
    Away,
    /// Do Not Disturb.
    Dnd,
    /// Opted out.
    OptedOut,
    /// Paused by an admin.
    Paused,
    /// Outside the slots.
    OffSchedule,
    /// Nothing can ring.
    NoDevice,
    /// Ringing, on a call, or in after-call work.
    Busy,
}

impl Column {
    /// The column a verdict stands in; none for a person without a seat, whom no path reaches.
    pub fn of(verdict: Verdict) -> Option<Self> {
        match verdict {
            Verdict::Available => Some(Self::Available),
            Verdict::Away => Some(Self::Away),
            Verdict::Dnd => Some(Self::Dnd),
            Verdict::OptedOut => Some(Self::OptedOut),
            Verdict::Paused => Some(Self::Paused),
            Verdict::OffSchedule => Some(Self::OffSchedule),
            Verdict::NoDevice => Some(Self::NoDevice),
            Verdict::Ringing | Verdict::OnCall | Verdict::AfterCallWork => Some(Self::Busy),
            Verdict::Disabled => None,
        }
    }

    /// Its name in a decision's `cell`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Away => "away",
            Self::Dnd => "dnd",
            Self::OptedOut => "opted_out",
            Self::Paused => "paused",
            Self::OffSchedule => "off_schedule",
            Self::NoDevice => "no_device",
            Self::Busy => "busy",
        }
    }
}

/// The default letters; columns in the order of [`Column`].
const DEFAULTS: [(Row, &str); 15] = [
    (Row::Queue, "RSSSSSSS"),
    (Row::AlwaysInclude, "RRSSSSSS"),
    (Row::StickyStrict, "RFFFFFFW"),
    (Row::StickyLoose, "RSSSSSSS"),
    (Row::FlowExtension, "RVVVVVVV"),
    (Row::DirectExtension, "RVVVVVVV"),
    (Row::Internal, "RVVVVVVV"),
    (Row::BlindTransfer, "RRXXXXXX"),
    (Row::WarmTransfer, "RRXXXXXX"),
    (Row::Callback, "RRHHHHHW"),
    (Row::Emergency, "RRSSSRSS"),
    (Row::Pickup, "RSSSSSSS"),
    (Row::TakeWaiting, "RRNNNRNN"),
    (Row::OwnCallLeg, "RRRRRRPN"),
    (Row::Outbound, "RRRRRRPN"),
];

/// Call path × state → letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matrix {
    cells: BTreeMap<(Row, Column), Letter>,
}

impl Default for Matrix {
    fn default() -> Self {
        let columns = [
            Column::Available,
            Column::Away,
            Column::Dnd,
            Column::OptedOut,
            Column::Paused,
            Column::OffSchedule,
            Column::NoDevice,
            Column::Busy,
        ];
        let cells = DEFAULTS
            .iter()
            .flat_map(|(row, letters)| {
                columns.iter().zip(letters.chars()).map(move |(column, letter)| (*row, *column, letter))
            })
            .filter_map(|(row, column, letter)| Some(((row, column), Letter::from_char(letter)?)))
            .collect();
        Self { cells }
    }
}

impl Matrix {
    /// What a path does with a person in this state. A person without a seat is skipped by every path.
    pub fn letter(&self, row: Row, verdict: Verdict) -> Letter {
        Column::of(verdict).and_then(|column| self.cells.get(&(row, column)).copied()).unwrap_or(Letter::Skipped)
    }

    /// The name of the cell, as a decision shows it: `"1/away"`.
    pub fn cell(row: Row, verdict: Verdict) -> std::borrow::Cow<'static, str> {
        format!("{}/{}", row.number(), Column::of(verdict).map_or("disabled", Column::name)).into()
    }

    /// Every row's letter for a person in this state, for `matrix` in the presence body.
    pub fn rows_for(&self, verdict: Verdict) -> BTreeMap<u8, char> {
        Row::ALL.iter().map(|row| (row.number(), self.letter(*row, verdict).as_char())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_of_the_table_is_there() {
        assert_eq!(Matrix::default().cells.len(), 15 * 8);
    }

    #[test]
    fn a_hard_stop_is_never_pierced_by_an_inbound_path() {
        let matrix = Matrix::default();
        for row in Row::ALL.iter().filter(|row| row.number() <= 13) {
            for verdict in [Verdict::Dnd, Verdict::Paused, Verdict::OptedOut] {
                assert_ne!(matrix.letter(*row, verdict), Letter::Rings, "{row:?} {verdict:?}");
            }
        }
    }

    #[test]
    fn a_cell_is_named_by_row_and_column() {
        assert_eq!(Matrix::cell(Row::Queue, Verdict::Away), "1/away");
        assert_eq!(Matrix::cell(Row::DirectExtension, Verdict::OnCall), "6/busy");
    }
}
