//! What every backend of the store must do, each test in a fresh database file.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

#[path = "store_conformance/log.rs"]
mod log;

use std::path::Path;

use cordboard_server::demo;
use cordboard_server::store::{
    Batch, CallCursor, CallFilter, EVENT_FORMAT, EventRow, NewAccount, NewPerson, RecordingRow, SessionRow, Store,
    StoreError, TokenRow,
};
use cordboard_shared::Millis;
use cordboard_shared::call::{CallState, CallView, Direction, Party, RecordingKind};
use cordboard_shared::decision::{Decision, MemberDecision, Reason, Then};
use cordboard_shared::id::{AccountId, AgentId, CallId, DepartmentId, RecordingId, SessionId, TokenId};
use serde_json::{Value, json};
use tempfile::TempDir;

const ASHA: AgentId = AgentId::demo(0x21);
const RIYA: AgentId = AgentId::demo(0x22);
const SUPPORT: DepartmentId = DepartmentId::demo(0x1001);
const SALES: DepartmentId = DepartmentId::demo(0x1002);

async fn fresh() -> (TempDir, Store, AccountId) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let directory = demo::directory();
    let account = directory.account;
    let people = directory
        .agents
        .values()
        .map(|profile| NewPerson { profile: profile.clone(), password: "$argon2id$none".to_owned() })
        .collect();
    store.create_account(&NewAccount { directory, people, tokens: vec![], sip_users: vec![] }).await.unwrap();
    (dir, store, account)
}

async fn open(dir: &Path) -> Store {
    Store::open(&dir.join("cordboard.sqlite")).await.unwrap()
}

fn call(number: u8, started_at: i64, version: &str) -> CallView {
    let party = || Party { number: "+447700900001".to_owned().into(), name: None };
    CallView {
        uid: CallId::new(Millis(1), [number; 10]),
        direction: Direction::Inbound,
        state: CallState::Ringing,
        result: None,
        cause: None,
        ended_by: None,
        from: party(),
        to: party(),
        department: None,
        agent: None,
        flow: None,
        started_at: Millis(started_at),
        answered_at: None,
        ended_at: None,
        waited_ms: 0,
        talk_ms: 0,
        sip_status: None,
        recordings: vec![],
        notes: vec![],
        steps: Vec::new(),
        disposition: None,
        made_for: None,
        version: version.to_owned(),
    }
}

fn decision(step: u32, agent: AgentId, then: Then) -> Decision {
    let member = MemberDecision {
        agent,
        name: None,
        reason: Reason::Rung,
        order: 1,
        cell: "1/available".into(),
        rang_ms: Some(5),
        fact: None,
    };
    Decision {
        step,
        at: Millis(5),
        row: 1,
        department: Some(SUPPORT),
        strategy: "serial".into(),
        refused: None,
        slots: 1,
        policy_version: "1".to_owned(),
        state_version: "1.0.1".to_owned(),
        members: vec![member],
        then,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "so that tests can write the JSON in place")]
fn event(account: AccountId, seq: u64, body: Value) -> EventRow {
    EventRow { account, seq, at: Millis(1_000), agent: Some(ASHA), format: EVENT_FORMAT, body: body.to_string() }
}

fn calls_of(account: AccountId, calls: Vec<CallView>) -> Batch {
    Batch { account, calls, ..Batch::default() }
}

fn all(account: AccountId) -> CallFilter {
    CallFilter { account, limit: 100, ..CallFilter::default() }
}

#[tokio::test]
async fn what_was_committed_is_there_after_opening_again() {
    let (dir, store, account) = fresh().await;
    let recording = RecordingRow {
        id: RecordingId::demo(9),
        call: call(1, 10, "1.1").uid,
        kind: RecordingKind::Voicemail,
        mailbox: Some("support".to_owned()),
        path: "2026/11/21/x.wav".to_owned(),
        ms: 2_210,
        bytes: 35_404,
        sha256: "ab".repeat(32),
        at: Millis(77),
    };
    let batch = Batch {
        account,
        events: vec![event(account, 1, json!({"toggle": 0}))],
        calls: vec![call(1, 10, "1.1")],
        decisions: vec![(call(1, 10, "1.1").uid, decision(1, ASHA, Then::Answered))],
        recordings: vec![recording.clone()],
        alive_at: Some(Millis(42)),
        ..Batch::default()
    };
    store.commit(&batch).await.unwrap();
    store.close().await;

    let store = open(dir.path()).await;

    assert_eq!(store.events(account, 0).await.unwrap(), batch.events);
    assert_eq!(store.call(account, batch.calls[0].uid).await.unwrap(), Some(batch.calls[0].clone()));
    assert_eq!(store.decisions(account, batch.calls[0].uid).await.unwrap(), [batch.decisions[0].1.clone()]);
    assert_eq!(store.recording(account, recording.id).await.unwrap(), Some(recording));
    assert_eq!(store.alive_at().await.unwrap(), Some(Millis(42)));
    assert_eq!(store.epoch().await.unwrap(), 1);
}

#[tokio::test]
async fn the_policy_comes_back_as_it_was_written() {
    let (_dir, store, _) = fresh().await;
    let (written, read) = (demo::directory(), store.directory().await.unwrap());

    assert_eq!(format!("{written:?}"), format!("{read:?}"));
}

#[tokio::test]
async fn an_empty_database_has_an_empty_policy_and_refuses_calls_without_an_account() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;

    assert!(store.directory().await.unwrap().agents.is_empty());
    let refused = store.commit(&calls_of(AccountId::default(), vec![call(1, 1, "1.1")])).await;
    assert!(matches!(refused, Err(StoreError::NoAccount)));
    let refused = store.commit(&calls_of(AccountId::demo(7), vec![call(1, 1, "1.1")])).await;
    assert!(matches!(refused, Err(StoreError::Unknown(_))), "{refused:?}");
}

#[tokio::test]
async fn a_company_is_founded_once() {
    let (_dir, store, _) = fresh().await;
    let again = NewAccount { directory: demo::directory(), people: vec![], tokens: vec![], sip_users: vec![] };

    assert!(matches!(store.create_account(&again).await, Err(StoreError::Exists(_))));
}

#[tokio::test]
async fn a_doubled_append_fails_whole() {
    let (_dir, store, account) = fresh().await;
    store
        .commit(&Batch { events: vec![event(account, 1, json!(1)), event(account, 2, json!(2))], ..Batch::default() })
        .await
        .unwrap();

    let doubled = Batch {
        account,
        events: vec![event(account, 3, json!(3)), event(account, 2, json!(22))],
        calls: vec![call(1, 1, "1.1")],
        ..Batch::default()
    };
    assert!(matches!(store.commit(&doubled).await, Err(StoreError::Exists(_))));

    let seqs: Vec<u64> = store.events(account, 0).await.unwrap().iter().map(|event| event.seq).collect();
    assert_eq!(seqs, [1, 2]);
    assert_eq!(store.calls(&all(account)).await.unwrap(), []);
}

#[tokio::test]
async fn a_token_withdrawn_by_another_handle_is_withdrawn_for_all() {
    let (dir, store, account) = fresh().await;
    let other = open(dir.path()).await;
    let token = TokenRow {
        id: TokenId::demo(1),
        account,
        agent: ASHA,
        session: None,
        name: "HRMS".to_owned(),
        secret: [1; 32],
        created_at: Millis(1),
        expires_at: Millis(9_000),
        revoked_at: None,
    };
    store.insert_token(&token).await.unwrap();
    for _ in 0..3 {
        assert_eq!(store.token(token.id).await.unwrap(), Some(token.clone()));
    }

    other.revoke_token(token.id, Millis(1_500)).await.unwrap();

    assert_eq!(store.token(token.id).await.unwrap().unwrap().revoked_at, Some(Millis(1_500)));
}

#[tokio::test]
async fn the_newer_version_of_a_call_wins_in_whatever_order_they_come() {
    let (_dir, store, account) = fresh().await;
    let version = |text: &str| call(1, 10, text);
    let stored = async || store.calls(&all(account)).await.unwrap()[0].version.clone();

    store.commit(&calls_of(account, vec![version("1.9"), version("1.10"), version("1.2")])).await.unwrap();
    assert_eq!(stored().await, "1.10");
    store.commit(&calls_of(account, vec![version("1.9")])).await.unwrap();
    assert_eq!(stored().await, "1.10");
    store.commit(&calls_of(account, vec![version("2.1")])).await.unwrap();
    assert_eq!(stored().await, "2.1");
    assert_eq!(store.calls(&all(account)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn pages_are_whole_and_in_order_although_times_are_equal() {
    let (_dir, store, account) = fresh().await;
    // Three at each of four instants.
    let calls: Vec<_> = (0..12).map(|number| call(number, i64::from(number / 3), "1.1")).collect();
    store.commit(&calls_of(account, calls.clone())).await.unwrap();
    let mut expected: Vec<CallId> = calls.iter().map(|call| call.uid).collect();
    expected.reverse();

    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = store.calls(&CallFilter { limit: 5, before, ..all(account) }).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(CallCursor::from(last).to_string().parse().unwrap());
        seen.extend(page.iter().map(|call| call.uid));
    }

    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_filter_shows_own_calls_those_of_departments_and_those_one_was_considered_for() {
    let (_dir, store, account) = fresh().await;
    let mut taken = call(1, 1, "1.1");
    taken.agent = Some(ASHA);
    let mut of_support = call(2, 2, "1.1");
    of_support.department = Some(SUPPORT);
    let mut of_sales = call(3, 3, "1.1");
    of_sales.department = Some(SALES);
    let considered = call(4, 4, "1.1");
    let decisions = vec![(considered.uid, decision(1, ASHA, Then::Voicemail))];
    let calls = vec![taken, of_support, of_sales, considered];
    store.commit(&Batch { decisions, ..calls_of(account, calls) }).await.unwrap();

    let times = async |agent, departments: Option<Vec<DepartmentId>>| -> Vec<i64> {
        let filter = CallFilter { agent, departments, ..all(account) };
        store.calls(&filter).await.unwrap().iter().map(|call| call.started_at.0).collect()
    };
    assert_eq!(times(None, None).await, [4, 3, 2, 1]);
    assert_eq!(times(Some(ASHA), None).await, [4, 1]);
    assert_eq!(times(Some(ASHA), Some(vec![SUPPORT])).await, [4, 2, 1]);
    assert_eq!(times(Some(RIYA), Some(vec![SALES])).await, [3]);
    assert_eq!(times(Some(RIYA), Some(vec![])).await, Vec::<i64>::new());
    assert!(store.is_call_member(call(4, 4, "").uid, ASHA).await.unwrap());
    assert!(!store.is_call_member(call(4, 4, "").uid, RIYA).await.unwrap());
}

#[tokio::test]
async fn another_account_sees_nothing() {
    let (_dir, store, account) = fresh().await;
    let row = call(1, 1, "1.1");
    let decisions = vec![(row.uid, decision(1, ASHA, Then::Voicemail))];
    store.commit(&Batch { decisions, ..calls_of(account, vec![row.clone()]) }).await.unwrap();
    let other = AccountId::demo(7);

    assert_eq!(store.calls(&all(other)).await.unwrap(), []);
    assert_eq!(store.call(other, row.uid).await.unwrap(), None);
    assert_eq!(store.decisions(other, row.uid).await.unwrap(), []);
}

#[tokio::test]
async fn open_calls_are_those_that_have_not_ended() {
    let (_dir, store, account) = fresh().await;
    let mut ended = call(1, 1, "1.1");
    ended.state = CallState::Ended;
    store.commit(&calls_of(account, vec![ended, call(2, 2, "1.1")])).await.unwrap();

    let open: Vec<i64> = store.open_calls().await.unwrap().iter().map(|call| call.started_at.0).collect();
    assert_eq!(open, [2]);
}

#[tokio::test]
async fn a_decision_is_replaced_by_its_later_self() {
    let (_dir, store, account) = fresh().await;
    let row = call(1, 1, "1.1");
    let first = vec![(row.uid, decision(2, RIYA, Then::Wait)), (row.uid, decision(1, ASHA, Then::NextMember))];
    store.commit(&Batch { decisions: first, ..calls_of(account, vec![row.clone()]) }).await.unwrap();
    let second = vec![(row.uid, decision(2, RIYA, Then::Wait)), (row.uid, decision(2, RIYA, Then::Answered))];
    store.commit(&Batch { account, decisions: second, ..Batch::default() }).await.unwrap();

    let steps: Vec<_> = store.decisions(account, row.uid).await.unwrap().iter().map(|d| (d.step, d.then)).collect();
    assert_eq!(steps, [(1, Then::NextMember), (2, Then::Answered)]);
}

#[tokio::test]
async fn a_sign_in_is_found_by_its_secret_until_it_is_idle_or_ended() {
    let (_dir, store, account) = fresh().await;
    let row =
        SessionRow { id: SessionId::demo(1), account, agent: ASHA, created_at: Millis(1_000), seen_at: Millis(1_000) };
    store.insert_session(&row, &[7; 32]).await.unwrap();

    assert_eq!(store.session(&[7; 32], Millis(999)).await.unwrap(), Some(row));
    assert_eq!(store.session(&[7; 32], Millis(1_000)).await.unwrap(), None);
    assert_eq!(store.session(&[8; 32], Millis(0)).await.unwrap(), None);

    store.touch_session(row.id, Millis(5_000)).await.unwrap();
    assert!(store.is_session_active(row.id, Millis(4_999)).await.unwrap());
    store.expire_sign_ins(Millis(5_000), Millis(0)).await.unwrap();
    assert!(!store.is_session_active(row.id, Millis(0)).await.unwrap());
}

#[tokio::test]
async fn a_panels_token_ends_with_its_sign_in_and_any_token_can_be_revoked() {
    let (_dir, store, account) = fresh().await;
    let at = Millis(1_000);
    let session = SessionRow { id: SessionId::demo(1), account, agent: ASHA, created_at: at, seen_at: at };
    store.insert_session(&session, &[7; 32]).await.unwrap();
    let token = |last, session| TokenRow {
        id: TokenId::demo(last),
        account,
        agent: ASHA,
        session,
        name: "HRMS".to_owned(),
        secret: [9; 32],
        created_at: at,
        expires_at: at + 1_000,
        revoked_at: None,
    };
    let (short, long) = (token(1, Some(session.id)), token(2, None));
    store.insert_token(&short).await.unwrap();
    store.insert_token(&long).await.unwrap();
    assert_eq!(store.token(short.id).await.unwrap(), Some(short.clone()));

    store.delete_session(session.id).await.unwrap();
    store.revoke_token(long.id, Millis(1_500)).await.unwrap();
    store.revoke_token(long.id, Millis(9_999)).await.unwrap();

    assert_eq!(store.token(short.id).await.unwrap(), None);
    assert_eq!(store.token(long.id).await.unwrap().unwrap().revoked_at, Some(Millis(1_500)));
}

#[tokio::test]
async fn people_sign_in_by_email_in_any_spelling() {
    let (_dir, store, _) = fresh().await;

    assert_eq!(store.user_by_email(" Asha@Lantern.Example ").await.unwrap().map(|found| found.agent), Some(ASHA));
    assert!(store.user_by_email("nobody@lantern.example").await.unwrap().is_none());
}

#[tokio::test]
async fn the_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let (dir, _store, _) = fresh().await;
    for name in ["cordboard.sqlite", "cordboard.sqlite-wal"] {
        let mode = std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn something_that_is_no_database_is_refused_by_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cordboard.sqlite");
    std::fs::write(&path, "not a database, and long enough to be looked at as one by anybody who tries".repeat(20))
        .unwrap();

    let error = Store::open(&path).await.unwrap_err();

    assert!(error.to_string().contains("cordboard.sqlite"), "{error}");
}
