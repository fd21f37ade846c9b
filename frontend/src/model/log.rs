//! The call log: newest first, page by page, with new records on top as they come.

use cordboard_shared::Millis;
use cordboard_shared::api::calls::CallPage;
use cordboard_shared::call::{CallCause, CallResult, CallView, Direction, RecordingKind, RecordingView};

/// How far the log is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// Nothing was asked for yet.
    #[default]
    Idle,
    /// A page is on its way.
    Loading,
    /// All that was asked for is here.
    Loaded,
    /// The last page did not come; the sentence says why.
    Failed(String),
}

/// The call log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallLog {
    rows: Vec<CallView>,
    next: Option<String>,
    progress: Progress,
}

impl CallLog {
    /// The records, newest first.
    pub fn rows(&self) -> &[CallView] {
        &self.rows
    }

    /// How far the log is.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The cursor of the next page, while there is one.
    pub fn next(&self) -> Option<&str> {
        self.next.as_deref()
    }

    /// A page was asked for; false while one is on its way already.
    pub fn ask(&mut self) -> bool {
        let free = self.progress != Progress::Loading;
        self.progress = Progress::Loading;
        free
    }

    /// The first page, or the one after `after`, has come.
    pub fn page(&mut self, after: Option<&str>, page: CallPage) {
        for call in page.calls {
            self.put(call);
        }
        // A first page that is loaded again, after a lost link, must not throw away how far one had read.
        if after.is_some() || self.next.is_none() {
            self.next = page.next;
        }
        self.progress = Progress::Loaded;
    }

    /// The page did not come.
    pub fn failed(&mut self, why: String) {
        self.progress = Progress::Failed(why);
    }

    /// A record was written, or written again.
    pub fn logged(&mut self, call: CallView) {
        self.put(call);
    }

    /// The records since an instant, newest first.
    pub fn since(&self, start: Millis) -> Vec<CallView> {
        self.rows.iter().take_while(|call| call.started_at >= start).cloned().collect()
    }

    fn put(&mut self, call: CallView) {
        if let Some(known) = self.rows.iter_mut().find(|known| known.uid == call.uid) {
            *known = call;
            return;
        }
        let place = self.rows.partition_point(|known| (known.started_at, known.uid) > (call.started_at, call.uid));
        self.rows.insert(place, call);
    }
}

/// How a call came out, in a word.
pub fn result_word(call: &CallView) -> &'static str {
    match call.result {
        Some(CallResult::Answered) => "Answered",
        Some(CallResult::Missed) => "Missed",
        Some(CallResult::Voicemail) => "Voicemail",
        Some(CallResult::Lost) => "Lost",
        Some(CallResult::Rejected) => "Rejected",
        None => "In progress",
    }
}

/// Why nobody answered, in words.
pub fn cause_words(cause: CallCause) -> &'static str {
    match cause {
        CallCause::OutOfHours => "closed at that time",
        CallCause::NoLineFree => "every line was busy",
        CallCause::NoFlow => "the number leads nowhere",
        CallCause::AbandonedInIvr => "caller hung up in the menu",
        CallCause::ShortAbandoned => "caller hung up within ten seconds",
        CallCause::NoAvailableAgent => "nobody could be rung",
        CallCause::AgentsDidNotAnswer => "nobody picked up",
        CallCause::AbandonedInQueue => "caller hung up while waiting",
        CallCause::Busy => "the number was busy",
        CallCause::Declined => "the other side declined",
        CallCause::NoAnswer => "nobody answered there",
        CallCause::Unreachable => "the number could not be reached",
        CallCause::OwnDeviceDidNotAnswer => "the own device was not answered",
        CallCause::NotAllowed => "not allowed by a rule of the account",
    }
}

/// The voicemail message of a call, if one was left.
pub fn voicemail(call: &CallView) -> Option<&RecordingView> {
    call.recordings.iter().find(|recording| recording.kind == RecordingKind::Voicemail)
}

/// The number of the far side, for calling it: who called us, or whom we called.
pub fn other_number(call: &CallView) -> Option<String> {
    let party = if call.direction == Direction::Inbound { &call.from } else { &call.to };
    let number = &party.number.0;
    number.chars().any(|c| c.is_ascii_digit()).then(|| number.clone())
}

/// Name or number of the calling party.
pub fn caller(call: &CallView) -> String {
    let number = || match call.from.number.0.as_str() {
        "" | "anonymous" => "Number withheld".to_owned(),
        number => number.to_owned(),
    };
    call.from.name.as_ref().map_or_else(number, |name| name.0.clone())
}

#[cfg(test)]
pub(crate) mod tests {
    use cordboard_shared::Pii;
    use cordboard_shared::call::{CallState, Direction, Party};
    use cordboard_shared::id::CallId;

    use super::*;

    pub(crate) fn call(at: i64) -> CallView {
        let party = |number: &str| Party { number: Pii(number.to_owned()), name: None };
        CallView {
            uid: CallId::new(Millis(at), [0; 10]),
            direction: Direction::Inbound,
            state: CallState::Ended,
            result: Some(CallResult::Answered),
            cause: None,
            ended_by: None,
            from: party("+442079460199"),
            to: party("+442079460102"),
            department: None,
            agent: None,
            flow: None,
            started_at: Millis(at),
            answered_at: None,
            ended_at: None,
            waited_ms: 0,
            talk_ms: 0,
            sip_status: None,
            recordings: Vec::new(),
            notes: Vec::new(),
            steps: Vec::new(),
            disposition: None,
            made_for: None,
            version: "1.1".to_owned(),
        }
    }

    #[test]
    fn rows_are_newest_first_whatever_the_order_they_come_in() {
        let mut log = CallLog::default();
        log.page(None, CallPage { calls: vec![call(3_000), call(1_000)], next: Some("c".to_owned()) });
        log.logged(call(2_000));
        log.logged(call(4_000));
        log.page(Some("c"), CallPage { calls: vec![call(500)], next: None });

        let times: Vec<i64> = log.rows().iter().map(|call| call.started_at.0).collect();
        assert_eq!(times, [4_000, 3_000, 2_000, 1_000, 500]);
        assert_eq!(log.next(), None);
        assert_eq!(log.since(Millis(2_000)).len(), 3);
    }

    #[test]
    fn a_record_written_again_takes_its_own_place() {
        let mut log = CallLog::default();
        log.logged(call(1_000));
        let mut again = call(1_000);
        again.talk_ms = 7;
        log.logged(again);

        assert_eq!(log.rows().len(), 1);
        assert_eq!(log.rows()[0].talk_ms, 7);
    }

    #[test]
    fn one_page_at_a_time() {
        let mut log = CallLog::default();
        assert!(log.ask());
        assert!(!log.ask());
        log.failed("no network".to_owned());
        assert!(log.ask());
    }

    #[test]
    fn a_withheld_number_has_words() {
        let mut withheld = call(0);
        withheld.from.number = Pii("anonymous".to_owned());
        assert_eq!(caller(&withheld), "Number withheld");
    }
}
