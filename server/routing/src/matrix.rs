//! The reachability matrix: call path × state of the person, as data
//! (`availability-and-panel.md` section 2.3).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use cordboard_shared::agent::Verdict;
use cordboard_shared::api::availability::MatrixCell;
use cordboard_shared::policy::{Reach, ReachPatch, ScheduleGates, TransferReach};
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
    /// A message is delivered to the person's voicemail box.
    VoicemailDelivery = 16,
    /// Personal calls to the person's own SIM card.
    PersonalSim = 17,
}

impl Row {
    /// Every row, in order.
    pub const ALL: [Self; 17] = [
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
        Self::VoicemailDelivery,
        Self::PersonalSim,
    ];

    /// Its number in the table.
    pub fn number(self) -> u8 {
        self as u8
    }

    fn index(self) -> usize {
        usize::from(self.number()) - 1
    }

    /// The call path in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Queue => "Department calls",
            Self::AlwaysInclude => "Department calls, always included",
            Self::StickyStrict => "Callers bound to this person, strict",
            Self::StickyLoose => "Callers bound to this person, loose",
            Self::FlowExtension => "Call flow to this extension",
            Self::DirectExtension => "Direct extension",
            Self::Internal => "Calls from colleagues",
            Self::BlindTransfer => "Blind transfers",
            Self::WarmTransfer => "Warm transfers",
            Self::Callback => "Scheduled callbacks",
            Self::Emergency => "Emergency route",
            Self::Pickup => "Pickup at this person's phone",
            Self::TakeWaiting => "Taking a waiting call",
            Self::OwnCallLeg => "Own calls by click",
            Self::Outbound => "Outbound calls",
            Self::VoicemailDelivery => "Voicemail messages",
            Self::PersonalSim => "Personal calls to the SIM",
        }
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
    /// U: not touched by any of this.
    Untouched,
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
            Self::Untouched => 'U',
        }
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
    /// Every column, in the order of the table.
    pub const ALL: [Self; 8] = [
        Self::Available,
        Self::Away,
        Self::Dnd,
        Self::OptedOut,
        Self::Paused,
        Self::OffSchedule,
        Self::NoDevice,
        Self::Busy,
    ];

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

    fn index(self) -> usize {
        self as usize
    }
}

/// Call path × state → letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matrix {
    cells: [[Letter; 8]; 17],
}

impl Default for Matrix {
    fn default() -> Self {
        Self::new(&Reach::default())
    }
}

use Letter::{
    FollowUp as H, NotAllowed as N, PhoneOnly as P, Refused as X, Rings as R, Skipped as S, StickyFallback as F,
    Untouched as U, Voicemail as V, Waits as W,
};

/// The table as it stands with every setting at its default; columns in the order of [`Column`].
const DEFAULTS: [[Letter; 8]; 17] = [
    [R, S, S, S, S, S, S, S],
    [R, R, S, S, S, S, S, S],
    [R, F, F, F, F, F, F, W],
    [R, S, S, S, S, S, S, S],
    [R, V, V, V, V, V, V, V],
    [R, V, V, V, V, V, V, V],
    [R, V, V, V, V, V, V, V],
    [R, R, X, X, X, X, X, X],
    [R, R, X, X, X, X, X, X],
    [R, R, H, H, H, H, H, W],
    [R, R, S, S, S, R, S, S],
    [R, S, S, S, S, S, S, S],
    [R, R, N, N, N, R, N, N],
    [R, R, R, R, R, R, P, N],
    [R, R, R, R, R, R, P, N],
    [R, R, R, R, R, R, R, R],
    [U, U, U, U, U, U, U, U],
];

impl Matrix {
    /// The table under these settings.
    pub fn new(reach: &Reach) -> Self {
        let mut matrix = Self { cells: DEFAULTS };
        let mut set = |row: Row, column: Column, letter: Letter| matrix.cells[row.index()][column.index()] = letter;
        let either = |rings: bool, otherwise: Letter| if rings { R } else { otherwise };
        set(Row::DirectExtension, Column::Away, either(reach.extension_rings_away, V));
        set(Row::FlowExtension, Column::Away, either(reach.flow_extension_follows && reach.extension_rings_away, V));
        set(Row::Internal, Column::Away, either(reach.internal_rings_away, V));
        set(Row::BlindTransfer, Column::Away, either(reach.transfers_reach_away == TransferReach::Any, X));
        set(Row::WarmTransfer, Column::Away, either(reach.transfers_reach_away != TransferReach::None, X));
        set(Row::Callback, Column::Away, either(reach.callbacks_reach_away, H));
        if reach.schedule_gates == ScheduleGates::Queue {
            for row in &Row::ALL[Row::FlowExtension.index()..=Row::Callback.index()] {
                set(*row, Column::OffSchedule, R);
            }
        }
        set(Row::StickyStrict, Column::Busy, if reach.strict_wait_seconds == 0 { F } else { W });
        set(Row::Emergency, Column::OffSchedule, either(reach.emergency_off_schedule, S));
        set(Row::Emergency, Column::OptedOut, either(reach.emergency_opted_out, S));
        for row in [Row::TakeWaiting, Row::Outbound] {
            set(row, Column::Away, either(!reach.own_calls_need_available, N));
            set(row, Column::OffSchedule, either(!reach.own_calls_need_available, N));
        }
        for row in [Row::OwnCallLeg, Row::Outbound] {
            set(row, Column::Paused, either(!reach.pause_stops_outbound, N));
        }
        matrix
    }

    /// What a path does with a person in this state. A person without a seat is skipped by every path.
    pub fn letter(&self, row: Row, verdict: Verdict) -> Letter {
        Column::of(verdict).map_or(Letter::Skipped, |column| self.cells[row.index()][column.index()])
    }

    /// The name of the cell, as a decision shows it: `"1/away"`.
    pub fn cell(row: Row, verdict: Verdict) -> Cow<'static, str> {
        static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
            let columns = || Column::ALL.iter().map(|column| column.name()).chain(["disabled"]);
            Row::ALL.iter().flat_map(|row| columns().map(|name| format!("{}/{name}", row.number()))).collect()
        });
        let column = Column::of(verdict).map_or(Column::ALL.len(), Column::index);
        Cow::Borrowed(&NAMES[row.index() * (Column::ALL.len() + 1) + column])
    }

    /// The setting that may change a cell; none: it can never be changed.
    pub fn setting(row: Row, column: Column) -> Option<&'static str> {
        let named = (Row::FlowExtension..=Row::Callback).contains(&row);
        match (row, column) {
            (Row::AlwaysInclude, Column::Away) => Some("always_include"),
            (Row::DirectExtension, Column::Away) => Some("extension_rings_away"),
            (Row::FlowExtension, Column::Away) => Some("flow_extension_follows"),
            (Row::Internal, Column::Away) => Some("internal_rings_away"),
            (Row::BlindTransfer | Row::WarmTransfer, Column::Away) => Some("transfers_reach_away"),
            (Row::Callback, Column::Away) => Some("callbacks_reach_away"),
            (_, Column::OffSchedule) if named => Some("schedule_gates"),
            (Row::Queue | Row::AlwaysInclude, Column::OffSchedule) => Some("work_outside_slots"),
            (Row::StickyStrict, Column::Busy) => Some("strict_wait_seconds"),
            (Row::Emergency, Column::OffSchedule) => Some("emergency_off_schedule"),
            (Row::Emergency, Column::OptedOut) => Some("emergency_opted_out"),
            (Row::TakeWaiting | Row::Outbound, Column::Away | Column::OffSchedule) => Some("own_calls_need_available"),
            (Row::OwnCallLeg | Row::Outbound, Column::Paused) => Some("pause_stops_outbound"),
            _ => None,
        }
    }

    /// Every cell, for the screen that shows all.
    pub fn all_cells(&self) -> Vec<MatrixCell> {
        let default = Self::default();
        let cells = Row::ALL.iter().flat_map(|row| Column::ALL.iter().map(move |column| (*row, *column)));
        cells
            .map(|(row, column)| MatrixCell {
                cell: format!("{}/{}", row.number(), column.name()),
                letter: self.cells[row.index()][column.index()].as_char(),
                default: default.cells[row.index()][column.index()].as_char(),
                setting: Self::setting(row, column).map(str::to_owned),
            })
            .collect()
    }

    /// Every inbound and outbound row's letter for a person whom these layers block, for `matrix` in the presence body.
    pub fn rows_for(&self, blocked_by: &[Verdict]) -> BTreeMap<u8, char> {
        Row::ALL[..15].iter().map(|row| (row.number(), self.judge(*row, blocked_by).letter.as_char())).collect()
    }

    /// What a path does with a person whom these layers block, in the order of precedence: an override pierces the layer
    /// it is made for and no other, so the first layer that holds decides.
    pub fn judge(&self, row: Row, blocked_by: &[Verdict]) -> Judged {
        let holds = blocked_by.iter().copied().find(|layer| self.letter(row, *layer) != Letter::Rings);
        let layer = holds.or(blocked_by.first().copied()).unwrap_or(Verdict::Available);
        Judged { row, letter: self.letter(row, layer), layer }
    }
}

/// What a path does with one person, and the cell that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The call path.
    pub row: Row,
    /// What it does.
    pub letter: Letter,
    /// The state that decided; when it rings in spite of one, the state that was pierced.
    pub layer: Verdict,
}

impl Judged {
    /// Whether the person rings.
    pub fn rings(self) -> bool {
        self.letter == Letter::Rings
    }

    /// The cell's name.
    pub fn cell(self) -> Cow<'static, str> {
        Matrix::cell(self.row, self.layer)
    }
}

/// The settings under a narrower word of a department or a person: it never widens.
pub(crate) fn narrowed(reach: &Reach, patch: &ReachPatch) -> Reach {
    Reach {
        extension_rings_away: reach.extension_rings_away && patch.extension_rings_away.unwrap_or(true),
        internal_rings_away: reach.internal_rings_away && patch.internal_rings_away.unwrap_or(true),
        transfers_reach_away: reach
            .transfers_reach_away
            .min(patch.transfers_reach_away.unwrap_or(reach.transfers_reach_away)),
        callbacks_reach_away: reach.callbacks_reach_away && patch.callbacks_reach_away.unwrap_or(true),
        schedule_gates: reach.schedule_gates.max(patch.schedule_gates.unwrap_or(reach.schedule_gates)),
        emergency_off_schedule: reach.emergency_off_schedule && patch.emergency_off_schedule.unwrap_or(true),
        emergency_opted_out: reach.emergency_opted_out && patch.emergency_opted_out.unwrap_or(true),
        ..reach.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_is_named_once() {
        let names: std::collections::BTreeSet<_> =
            Matrix::default().all_cells().into_iter().map(|cell| cell.cell).collect();
        assert_eq!(names.len(), 17 * 8);
        assert_eq!(Matrix::cell(Row::Queue, Verdict::Away), "1/away");
        assert_eq!(Matrix::cell(Row::DirectExtension, Verdict::OnCall), "6/busy");
        assert_eq!(Matrix::cell(Row::PersonalSim, Verdict::Disabled), "17/disabled");
    }

    /// Every setting that opens something, all at once.
    fn widest() -> Reach {
        Reach {
            extension_rings_away: true,
            internal_rings_away: true,
            flow_extension_follows: true,
            transfers_reach_away: TransferReach::Any,
            callbacks_reach_away: true,
            schedule_gates: ScheduleGates::Queue,
            work_outside_slots: true,
            emergency_off_schedule: true,
            emergency_opted_out: true,
            strict_wait_seconds: 300,
            pause_stops_outbound: false,
            own_calls_need_available: false,
        }
    }

    #[test]
    fn no_setting_pierces_a_hard_stop() {
        for matrix in [Matrix::default(), Matrix::new(&widest())] {
            for row in Row::ALL.iter().filter(|row| row.number() <= 13) {
                for layer in [Verdict::Dnd, Verdict::Paused, Verdict::Disabled] {
                    assert_ne!(matrix.letter(*row, layer), Letter::Rings, "{row:?} {layer:?}");
                }
                if *row != Row::Emergency {
                    assert_ne!(matrix.letter(*row, Verdict::OptedOut), Letter::Rings, "{row:?}");
                }
            }
        }
    }

    #[test]
    fn a_cell_without_a_setting_is_the_same_under_every_setting() {
        let narrowest = Reach {
            transfers_reach_away: TransferReach::None,
            callbacks_reach_away: false,
            emergency_off_schedule: false,
            strict_wait_seconds: 0,
            pause_stops_outbound: true,
            own_calls_need_available: true,
            ..Reach::default()
        };
        let default = Matrix::default().all_cells();
        for reach in [widest(), narrowest] {
            for (cell, before) in Matrix::new(&reach).all_cells().iter().zip(&default) {
                assert!(cell.setting.is_some() || cell.letter == before.letter, "{}", cell.cell);
            }
        }
    }

    #[test]
    fn an_override_acts_on_its_own_layer_only() {
        let matrix = Matrix::default();
        let pierced = matrix.judge(Row::AlwaysInclude, &[Verdict::Away]);
        assert!(pierced.rings());
        assert_eq!(pierced.cell(), "2/away");
        let held = matrix.judge(Row::AlwaysInclude, &[Verdict::Away, Verdict::NoDevice]);
        assert_eq!((held.rings(), held.layer), (false, Verdict::NoDevice));
    }

    #[test]
    fn a_narrower_word_never_widens() {
        let patch = ReachPatch {
            extension_rings_away: Some(true),
            transfers_reach_away: Some(TransferReach::Any),
            schedule_gates: Some(ScheduleGates::Queue),
            emergency_opted_out: Some(true),
            ..ReachPatch::default()
        };
        let account = Reach { transfers_reach_away: TransferReach::Warm, ..Reach::default() };
        assert_eq!(narrowed(&account, &patch), account);
        let less = ReachPatch { callbacks_reach_away: Some(false), ..ReachPatch::default() };
        assert!(!narrowed(&account, &less).callbacks_reach_away);
    }
}
