//! Every cell of the reachability matrix, call path × state, as a call that comes in (`availability-and-panel.md` 2.3).
//!
//! The table is written out here a second time, from the specification: the engine's own is never read.

use super::floor::*;
use cordboard_shared::id::EmergencyId;
use cordboard_shared::policy::{ReachPatch, ScheduleGates, TransferReach};

/// Columns: Available, Away, DND, opted out, paused, off schedule, no device, on a call.
const TABLE: [(Row, &str); 17] = [
    (Row::Queue, "R S S S S S S S"),
    (Row::AlwaysInclude, "R R S S S S S S"),
    (Row::StickyStrict, "R F F F F F F W"),
    (Row::StickyLoose, "R S S S S S S S"),
    (Row::FlowExtension, "R V V V V V V V"),
    (Row::DirectExtension, "R V V V V V V V"),
    (Row::Internal, "R V V V V V V V"),
    (Row::BlindTransfer, "R R X X X X X X"),
    (Row::WarmTransfer, "R R X X X X X X"),
    (Row::Callback, "R R H H H H H W"),
    (Row::Emergency, "R R S S S R S S"),
    (Row::Pickup, "R S S S S S S S"),
    (Row::TakeWaiting, "R R N N N R N N"),
    (Row::OwnCallLeg, "R R R R R R P N"),
    (Row::Outbound, "R R R R R R P N"),
    (Row::VoicemailDelivery, "R R R R R R R R"),
    (Row::PersonalSim, "U U U U U U U U"),
];

const COLUMNS: [&str; 8] = ["available", "away", "dnd", "opted_out", "paused", "off_schedule", "no_device", "busy"];
const CALLER: &str = "+442079460900";

/// Asha is called by the path; Riya is the next one in Support. Dev only talks to somebody.
pub(super) struct Case {
    pub(super) floor: Floor,
    row: Row,
    column: usize,
}

impl Case {
    pub(super) fn new(row: Row, column: usize, change: impl FnOnce(&mut Policy)) -> Self {
        let mut policy = policy();
        let support = &mut policy.departments[0];
        support.members.pop();
        support.members[0].always_include = row == Row::AlwaysInclude;
        if let Row::StickyStrict | Row::StickyLoose = row {
            let mode = if row == Row::StickyStrict { StickyMode::Strict } else { StickyMode::Loose };
            let fallback = Some(Fallback::Message { audio: "audio:your-agent-is-out".to_owned() });
            support.sticky = Some(Sticky { mode, hours: 24, fallback });
            policy.contacts = vec![Contact {
                number: CALLER.parse().unwrap(),
                name: String::new(),
                agent: Some(ASHA),
                priority: 0,
                tags: Vec::new(),
            }];
        }
        if row == Row::Emergency {
            policy.emergencies = vec![EmergencyRoute {
                id: EmergencyId::default(),
                name: "Flood".to_owned(),
                reason: "the river".to_owned(),
                departments: Vec::new(),
                starts: NOW,
                ends: NOW + 7_200_000,
                by: Actor::user(DEV, "Dev"),
            }];
        }
        change(&mut policy);
        let mut case = Self { floor: Floor::with(policy, &[ASHA, RIYA, DEV]), row, column };
        case.put_asha_into(column);
        case
    }

    /// The columns, each set up in the one way a person gets into it.
    fn put_asha_into(&mut self, column: usize) {
        let floor = &mut self.floor;
        match COLUMNS[column] {
            "available" => {}
            "away" => drop(floor.toggle_only(NOW, ASHA, Toggle::Away)),
            "dnd" => drop(floor.set(NOW, ASHA, |facts| facts.dnd = Some(block(NOW, None)))),
            "opted_out" => drop(floor.set(NOW, ASHA, |facts| facts.opt_out = Some(block(NOW, None)))),
            "paused" => drop(floor.set(NOW, ASHA, |facts| facts.pause = Some(block(NOW, None)))),
            "off_schedule" => drop(floor.set(NOW, ASHA, |facts| facts.slots = Some(slots("09:00", "11:00")))),
            "no_device" => drop(floor.feed(NOW, Input::DeviceGone(ASHA, device(ASHA)))),
            "busy" => {
                let talk = floor.call_by(NOW, Target::Agent(ASHA), Row::Internal);
                floor.answer(NOW, talk);
            }
            other => panic!("no such column: {other}"),
        }
    }

    /// Places the call and reads the letter from what happened to it. Then the reason and cell of the ledger are checked.
    pub(super) fn letter(&mut self) -> char {
        match self.row {
            Row::Queue | Row::AlwaysInclude | Row::StickyStrict | Row::StickyLoose | Row::Emergency => {
                self.through_support()
            }
            Row::FlowExtension
            | Row::DirectExtension
            | Row::Internal
            | Row::BlindTransfer
            | Row::WarmTransfer
            | Row::Callback
            | Row::Pickup => self.by_name(),
            Row::TakeWaiting => self.takes_a_waiting_call(),
            Row::OwnCallLeg | Row::Outbound => self.calls_out(),
            Row::VoicemailDelivery | Row::PersonalSim => self.in_the_table(),
        }
    }

    fn through_support(&mut self) -> char {
        let call = self.floor.call_from(NOW, Target::Department(SUPPORT), Row::Queue, Some(CALLER));
        if self.floor.rung(call) == [ASHA] {
            self.ledger(call, true);
            return 'R';
        }
        self.ledger(call, false);
        if self.floor.rung(call) == [RIYA] {
            return 'S';
        }
        match self.floor.ended(call) {
            None => {
                assert!(self.floor.seen.contains(&Output::Waiting { call, department: Some(SUPPORT) }));
                self.floor.feed(NOW + 59_999, Input::Timeout);
                assert_eq!(self.floor.ended(call), None, "waits out its 60 s");
                self.talk_ends(NOW + 59_999);
                assert_eq!(self.floor.rung(call), [ASHA], "then rings");
                'W'
            }
            Some(Exhausted::Message { audio }) if audio == "audio:your-agent-is-out" => 'F',
            other => panic!("{}/{}: {other:?}", self.row.number(), COLUMNS[self.column]),
        }
    }

    fn by_name(&mut self) -> char {
        let call = self.floor.call_from(NOW, Target::Agent(ASHA), self.row, Some(CALLER));
        if self.floor.rung(call) == [ASHA] {
            self.ledger(call, true);
            return 'R';
        }
        self.ledger(call, false);
        match self.floor.ended(call) {
            None => {
                self.talk_ends(NOW + 600_000);
                assert_eq!(self.floor.rung(call), [ASHA], "waits, then rings");
                'W'
            }
            Some(Exhausted::Voicemail { mailbox }) => {
                assert_eq!(mailbox, ASHA.to_string());
                'V'
            }
            Some(Exhausted::FollowUp { agent }) => {
                let due = self.floor.engine.callbacks();
                assert_eq!((agent, due[0].agent, due[0].due_at), (Some(ASHA), Some(ASHA), Some(NOW)));
                'H'
            }
            // Whoever transfers or picks up is told why; the caller goes on to the next one by their hand.
            Some(Exhausted::Refused { reason }) => {
                assert_eq!(reason, skipped_as(self.column));
                if self.row == Row::Pickup { 'S' } else { 'X' }
            }
            other => panic!("{}/{}: {other:?}", self.row.number(), COLUMNS[self.column]),
        }
    }

    fn takes_a_waiting_call(&mut self) -> char {
        let floor = &mut self.floor;
        floor.toggle_only(NOW, DEV, Toggle::On);
        let talk = floor.call_by(NOW, Target::Agent(RIYA), Row::Internal);
        floor.answer(NOW, talk);
        // Asha has passed this one on before, so that it waits for Riya and does not ring Asha by itself.
        let waiting = floor.call(NOW, Target::Department(SUPPORT));
        if let Some((offer, _)) = floor.ringing(waiting) {
            floor.feed(NOW, Input::OfferDeclined(offer));
        }
        let waits = floor.engine.state.lines.get(&waiting).is_some_and(|line| line.state == LineState::Waiting);
        assert!(waits);
        match floor.feed_any(NOW, Input::TakeWaiting(ASHA, waiting)) {
            Ok(outputs) => {
                assert!(outputs.iter().any(|it| matches!(it, Output::Connect { agent: ASHA, .. })));
                let cell = floor.last(waiting).members[0].cell.to_string();
                assert_eq!(cell, format!("13/{}", COLUMNS[self.column]));
                'R'
            }
            Err(EngineError::NotAllowed(verdict)) => {
                assert_eq!(verdict, verdict_of(self.column));
                'N'
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    fn calls_out(&mut self) -> char {
        let call = CallId::new(NOW, [9; 10]);
        let row = self.row;
        match self.floor.feed_any(NOW, Input::own_call(ASHA, call, row)) {
            Ok(_) => {
                assert_eq!(self.floor.engine.agent(ASHA).unwrap().load, Load::OnCall(call));
                'R'
            }
            Err(EngineError::NotAllowed(Verdict::NoDevice)) => {
                // By phone it goes: the same call once the phone is there.
                self.floor.feed(NOW, Input::DeviceReady(ASHA, DeviceId(77), DeviceKind::Phone));
                self.floor.feed(NOW, Input::own_call(ASHA, call, row));
                'P'
            }
            Err(EngineError::NotAllowed(verdict)) => {
                assert_eq!(verdict, verdict_of(self.column));
                'N'
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    /// Messages and the own SIM card have no call path through the engine: the table alone speaks of them.
    fn in_the_table(&self) -> char {
        let cell = format!("{}/{}", self.row.number(), COLUMNS[self.column]);
        self.floor.engine.matrix_cells().into_iter().find(|it| it.cell == cell).unwrap().letter
    }

    fn talk_ends(&mut self, now: Millis) {
        let Load::OnCall(talk) = self.floor.engine.agent(ASHA).unwrap().load else { panic!("no talk") };
        self.floor.feed(now, Input::CallEnded(talk));
    }

    /// The ledger names the cell, and the reason is the closed list's word for it.
    fn ledger(&self, call: CallId, rings: bool) {
        let first = &self.floor.decisions(call)[0];
        let asha = first.members.iter().find(|it| it.agent == ASHA).unwrap();
        let (row, column) = (self.row, COLUMNS[self.column]);
        let place = format!("{}/{column}", row.number());
        let reason = match (row, column) {
            _ if !rings => skipped_as(self.column),
            (Row::AlwaysInclude, "away") => Reason::RungAlwaysInclude,
            (Row::FlowExtension | Row::DirectExtension | Row::Internal, "away") => Reason::RungExtensionRule,
            (Row::BlindTransfer | Row::WarmTransfer, _) => Reason::RungTransfer,
            (Row::Callback, _) => Reason::RungCallback,
            (Row::Emergency, "available") => Reason::Rung,
            (Row::Emergency, _) => Reason::RungEmergency,
            _ => Reason::Rung,
        };
        assert_eq!(asha.reason, reason, "{place}");
        // While an emergency route holds it is what rings people, or does not; only who needs none is reached, or waited
        // for, by the ordinary row.
        let own_row = row != Row::Emergency || !matches!(column, "available" | "busy");
        let named = if own_row { place } else { format!("1/{column}") };
        assert_eq!(asha.cell, named);
        let blocked = !rings;
        assert_eq!(asha.fact.is_some(), blocked, "{}: the fact that decided", asha.cell);
    }
}

fn skipped_as(column: usize) -> Reason {
    [
        Reason::NotReached,
        Reason::SkippedAway,
        Reason::SkippedDnd,
        Reason::SkippedOptedOut,
        Reason::SkippedPaused,
        Reason::SkippedOffSchedule,
        Reason::SkippedNoDevice,
        Reason::SkippedOnCall,
    ][column]
}

fn verdict_of(column: usize) -> Verdict {
    [
        Verdict::Available,
        Verdict::Away,
        Verdict::Dnd,
        Verdict::OptedOut,
        Verdict::Paused,
        Verdict::OffSchedule,
        Verdict::NoDevice,
        Verdict::OnCall,
    ][column]
}

fn cell(row: Row, column: &str, change: impl FnOnce(&mut Reach)) -> char {
    let column = COLUMNS.iter().position(|it| *it == column).unwrap();
    Case::new(row, column, |policy| change(&mut policy.settings.reach)).letter()
}

#[test]
fn every_cell_does_what_the_table_says() {
    for (row, letters) in TABLE {
        for (column, letter) in letters.split(' ').enumerate() {
            let mut case = Case::new(row, column, |_| {});
            assert_eq!(case.floor.verdict(ASHA), verdict_of(column));
            assert_eq!(case.letter().to_string(), letter, "{}/{}", row.number(), COLUMNS[column]);
        }
    }
}

#[test]
fn the_presence_body_and_the_screen_show_the_same_letters() {
    for (row, letters) in TABLE {
        for (column, letter) in letters.split(' ').enumerate() {
            let case = Case::new(row, column, |_| {});
            let name = format!("{}/{}", row.number(), COLUMNS[column]);
            let cells = case.floor.engine.matrix_cells();
            let shown = cells.iter().find(|it| it.cell == name).unwrap();
            assert_eq!((shown.letter.to_string().as_str(), shown.default), (letter, shown.letter), "{name}");
            let body = case.floor.engine.rows_for(ASHA).unwrap();
            assert_eq!(body.len(), 15);
            if row.number() <= 15 {
                assert_eq!(body[&row.number()].to_string(), letter, "{name}");
            }
        }
    }
}

#[test]
fn the_extension_rule_and_its_like_open_away_and_nothing_else() {
    let extension = |reach: &mut Reach| reach.extension_rings_away = true;
    let follows = |reach: &mut Reach| (reach.extension_rings_away, reach.flow_extension_follows) = (true, true);
    let internal = |reach: &mut Reach| reach.internal_rings_away = true;
    assert_eq!(cell(Row::DirectExtension, "away", extension), 'R');
    assert_eq!(cell(Row::FlowExtension, "away", extension), 'V', "the node does not follow by itself");
    assert_eq!(cell(Row::FlowExtension, "away", follows), 'R');
    assert_eq!(cell(Row::FlowExtension, "away", |reach| reach.flow_extension_follows = true), 'V', "there is no rule");
    assert_eq!(cell(Row::Internal, "away", extension), 'V');
    assert_eq!(cell(Row::Internal, "away", internal), 'R');
    for column in COLUMNS.iter().filter(|it| !matches!(**it, "available" | "away")) {
        assert_eq!(cell(Row::DirectExtension, column, extension), 'V', "a full opt-out and the like beat the rule");
        assert_eq!(cell(Row::Internal, column, internal), 'V');
    }
}

#[test]
fn transfers_reach_away_as_the_account_says() {
    let set = |to: TransferReach| move |reach: &mut Reach| reach.transfers_reach_away = to;
    let both =
        |to: TransferReach| (cell(Row::BlindTransfer, "away", set(to)), cell(Row::WarmTransfer, "away", set(to)));
    assert_eq!(both(TransferReach::Any), ('R', 'R'));
    assert_eq!(both(TransferReach::Warm), ('X', 'R'));
    assert_eq!(both(TransferReach::None), ('X', 'X'));
}

#[test]
fn callbacks_that_do_not_reach_away_go_onto_the_list() {
    assert_eq!(cell(Row::Callback, "away", |reach| reach.callbacks_reach_away = false), 'H');
}

#[test]
fn a_schedule_that_gates_the_queue_only_lets_named_calls_through() {
    let gates = |reach: &mut Reach| reach.schedule_gates = ScheduleGates::Queue;
    for (row, letters) in TABLE {
        let usual = letters.chars().nth(10).unwrap();
        let letter = if (5..=10).contains(&row.number()) { 'R' } else { usual };
        assert_eq!(cell(row, "off_schedule", gates), letter, "row {}", row.number());
    }
}

#[test]
fn working_anyway_makes_the_whole_column_available_while_it_lasts() {
    for (row, letters) in TABLE {
        let mut case = Case::new(row, 5, |policy| policy.settings.reach.work_outside_slots = true);
        case.floor.set(NOW, ASHA, |facts| facts.work_anyway = Some(block(NOW, Some(NOW + 60_000))));
        assert_eq!(case.floor.verdict(ASHA), Verdict::Available);
        case.column = 0;
        assert_eq!(case.letter(), letters.chars().next().unwrap(), "row {}", row.number());

        let mut case = Case::new(row, 5, |_| {});
        case.floor.set(NOW, ASHA, |facts| facts.work_anyway = Some(block(NOW, Some(NOW + 60_000))));
        let off = letters.chars().nth(10).unwrap();
        assert_eq!(case.letter(), off, "row {}: the account does not allow it", row.number());
    }
}

#[test]
fn an_emergency_reaches_whom_the_account_lets_it() {
    assert_eq!(cell(Row::Emergency, "off_schedule", |reach| reach.emergency_off_schedule = false), 'S');
    assert_eq!(cell(Row::Emergency, "opted_out", |reach| reach.emergency_opted_out = true), 'R');
    for column in ["dnd", "paused", "no_device", "busy"] {
        assert_eq!(cell(Row::Emergency, column, |reach| reach.emergency_opted_out = true), 'S', "{column}");
    }
}

#[test]
fn a_strict_caller_does_not_wait_where_the_wait_is_none() {
    assert_eq!(cell(Row::StickyStrict, "busy", |reach| reach.strict_wait_seconds = 0), 'F');
}

#[test]
fn a_pause_stops_own_calls_only_where_the_account_says_so() {
    let stops = |reach: &mut Reach| reach.pause_stops_outbound = true;
    for row in [Row::OwnCallLeg, Row::Outbound] {
        assert_eq!(cell(row, "paused", stops), 'N');
        assert_eq!(cell(row, "dnd", stops), 'R');
    }
}

#[test]
fn own_calls_may_need_available() {
    let needs = |reach: &mut Reach| reach.own_calls_need_available = true;
    for row in [Row::TakeWaiting, Row::Outbound] {
        for column in ["away", "off_schedule"] {
            assert_eq!(cell(row, column, needs), 'N', "{row:?} {column}");
        }
        assert_eq!(cell(row, "available", needs), 'R');
    }
    assert_eq!(cell(Row::OwnCallLeg, "away", needs), 'R');
}

#[test]
fn always_include_is_a_flag_of_the_member_in_that_department() {
    let mut case = Case::new(Row::AlwaysInclude, 1, |policy| policy.departments[0].members[0].always_include = false);
    let call = case.floor.call(NOW, Target::Department(SUPPORT));
    assert_eq!(case.floor.rung(call), [RIYA]);
    assert_eq!(case.floor.last(call).members[0].cell, "1/away");
}

#[test]
fn a_seat_that_is_off_is_reached_by_no_path() {
    for (row, letters) in TABLE.iter().filter(|(row, _)| row.number() <= 15) {
        let mut case = Case::new(*row, 0, |_| {});
        case.floor.set(NOW, ASHA, |facts| facts.seat = Seat::Disabled);
        assert_eq!(case.floor.verdict(ASHA), Verdict::Disabled);
        let target =
            if row.number() <= 4 || *row == Row::Emergency { Target::Department(SUPPORT) } else { Target::Agent(ASHA) };
        if *row == Row::TakeWaiting || row.number() >= 14 {
            let call = CallId::new(NOW, [9; 10]);
            let own = Input::own_call(ASHA, call, *row);
            assert_eq!(case.floor.feed_error(NOW, own), EngineError::NotAllowed(Verdict::Disabled));
            continue;
        }
        let call =
            case.floor.call_from(NOW, target, if target == Target::Agent(ASHA) { *row } else { Row::Queue }, None);
        assert!(!case.floor.rung(call).contains(&ASHA), "row {} {letters}", row.number());
        let asha = &case.floor.decisions(call)[0].members[0];
        assert_eq!(asha.reason, Reason::SkippedSeatDisabled);
    }
}

#[test]
fn a_person_may_narrow_what_the_account_opens_and_never_widen_it() {
    let own = |patch: ReachPatch| move |policy: &mut Policy| policy.people = [(ASHA, patch)].into();
    let less = ReachPatch {
        extension_rings_away: Some(false),
        transfers_reach_away: Some(TransferReach::Warm),
        callbacks_reach_away: Some(false),
        schedule_gates: Some(ScheduleGates::QueueAndNamed),
        emergency_off_schedule: Some(false),
        ..ReachPatch::default()
    };
    let narrow = |row: Row, column: usize| {
        let patch = less.clone();
        let change = |policy: &mut Policy| {
            policy.settings.reach.extension_rings_away = true;
            policy.settings.reach.schedule_gates = ScheduleGates::Queue;
            own(patch)(policy);
        };
        Case::new(row, column, change).letter()
    };
    assert_eq!(narrow(Row::DirectExtension, 1), 'V');
    assert_eq!((narrow(Row::BlindTransfer, 1), narrow(Row::WarmTransfer, 1)), ('X', 'R'));
    assert_eq!(narrow(Row::Callback, 1), 'H');
    assert_eq!(narrow(Row::DirectExtension, 5), 'V');
    assert_eq!(narrow(Row::Emergency, 5), 'S');

    let more = ReachPatch {
        extension_rings_away: Some(true),
        internal_rings_away: Some(true),
        schedule_gates: Some(ScheduleGates::Queue),
        emergency_opted_out: Some(true),
        ..ReachPatch::default()
    };
    let widen = |row: Row, column: usize| Case::new(row, column, own(more.clone())).letter();
    assert_eq!(widen(Row::DirectExtension, 1), 'V');
    assert_eq!(widen(Row::Internal, 1), 'V');
    assert_eq!(widen(Row::DirectExtension, 5), 'V');
    assert_eq!(widen(Row::Emergency, 3), 'S');
}

#[test]
fn a_department_may_narrow_an_emergency() {
    let mut case = Case::new(Row::Emergency, 5, |policy| {
        policy.departments[0].reach.emergency_off_schedule = Some(false);
    });
    assert_eq!(case.letter(), 'S');
}

pub(super) fn slots(from: &str, to: &str) -> SlotsFact {
    let window = Slot { days: Day::ALL.to_vec(), from: from.parse().unwrap(), to: to.parse().unwrap() };
    SlotsFact { stamp: stamp(NOW), hours: WeeklyHours { zone: None, open: vec![window], holidays: Vec::new() } }
}
