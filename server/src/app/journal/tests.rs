use cordboard_routing::DeviceId;
use cordboard_shared::decision::Then;
use cordboard_shared::id::AgentId;
use sqlx::Connection as _;

use super::*;
use crate::app::facts;

const ANYWHERE: (std::net::SocketAddr, std::net::SocketAddr) = {
    let nowhere = std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
    (nowhere, nowhere)
};

/// A database that another process has locked: no commit goes through until it lets go.
#[tokio::test]
async fn a_fact_is_refused_and_records_wait_while_the_database_is_locked() {
    let stage = Stage::open().await;
    let (entries, mut written, task) = open(stage.store.clone(), stage.account, 0);

    let lock = stage.lock().await;
    entries.send(Entry::Decision(call_id(), Box::new(decision()))).await.unwrap();
    entries.send(remembered(call_id())).await.unwrap();
    entries.send(decided(0x21, 0)).await.unwrap();
    assert_eq!(written.recv().await, Some(Written::Failed));
    entries.send(decided(0x22, 0)).await.unwrap();

    lock.close().await.unwrap();
    entries.send(decided(0x23, 1)).await.unwrap();

    let mut reported = Vec::new();
    let mut last = 0;
    while reported.is_empty() {
        let Some(Written::Committed { decided, last: up_to }) = written.recv().await else { panic!("not written") };
        reported.extend(decided);
        last = up_to;
    }
    drop(entries);
    task.await.unwrap();
    assert_eq!((reported, last), (vec![2], 2));
    let rows = stage.store.events(stage.account, 0).await.unwrap();
    let people: Vec<_> = rows.iter().map(|row| (row.seq, row.agent)).collect();
    assert_eq!(
        people,
        [(1, None), (2, Some(AgentId::demo(0x23)))],
        "what was remembered stays, in front and without a gap"
    );
    let decisions = stage.store.decisions(stage.account, call_id()).await.unwrap();
    assert_eq!(decisions.len(), 1, "the record waited and was written");
}

#[tokio::test]
async fn what_is_decided_while_a_commit_fails_is_refused_with_it_and_records_keep_their_order() {
    let stage = Stage::open().await;
    let (entries, mut written, task) = open(stage.store.clone(), stage.account, 0);
    let lock = stage.lock().await;

    entries.send(decided(0x21, 0)).await.unwrap();
    entries.send(remembered(call_id())).await.unwrap();
    // The journal has taken these in: their commit waits for the lock.
    while entries.capacity() < entries.max_capacity() {
        tokio::task::yield_now().await;
    }
    entries.send(decided(0x22, 0)).await.unwrap();
    entries.send(remembered(CallId::new(Millis(2), [9; 10]))).await.unwrap();
    while entries.capacity() < entries.max_capacity() {
        tokio::task::yield_now().await;
    }
    assert_eq!(written.recv().await, Some(Written::Failed));
    lock.close().await.unwrap();
    entries.send(decided(0x23, 1)).await.unwrap();
    drop(entries);
    task.await.unwrap();

    assert!(written.try_recv().is_ok_and(|it| matches!(it, Written::Committed { .. })), "refused only once");
    let rows = stage.store.events(stage.account, 0).await.unwrap();
    let people: Vec<_> = rows.iter().map(|row| row.agent).collect();
    assert_eq!(people, [None, None, Some(AgentId::demo(0x23))]);
    assert!(rows[0].body.contains(&call_id().to_string()), "in their order: {rows:?}");
}

#[tokio::test]
async fn what_follows_from_an_input_is_never_on_disk_without_it() {
    let stage = Stage::open().await;
    let (entries, _written, task) = open(stage.store.clone(), stage.account, 0);
    let input = Routing::DeviceGone(AgentId::demo(0x21), DeviceId(7));
    for n in 1..=3 {
        let fed = Fed { run: 1, n, at: Millis(5), input: Box::new(input.clone()) };
        entries.send(Entry::Trace(vec![fed])).await.unwrap();
    }
    entries.send(Entry::Decision(call_id(), Box::new(decision()))).await.unwrap();

    while stage.store.decisions(stage.account, call_id()).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }

    let trace = stage.store.trace(stage.account, 1, 0, 10).await.unwrap();
    assert_eq!(trace.iter().map(|(row, _)| row.n).collect::<Vec<_>>(), [1, 2, 3]);
    let Traced::Input(body) = &trace[0].0.input else { panic!("an input of its own") };
    assert_eq!(serde_json::from_str::<Routing>(body).unwrap(), input);
    drop(entries);
    task.await.unwrap();
}

#[tokio::test]
async fn an_obeyed_entry_stands_in_the_trace_by_its_number() {
    let stage = Stage::open().await;
    let (entries, mut written, task) = open(stage.store.clone(), stage.account, 0);
    entries.send(decided(0x21, 0)).await.unwrap();
    assert_eq!(written.recv().await, Some(Written::Committed { decided: vec![1], last: 1 }));
    let Entry::Event { event, .. } = decided(0x21, 0) else { unreachable!() };
    let at = cordboard_shared::FeedPosition { epoch: 1, bucket: 0, seq: 1 };
    let input = Box::new(Routing::Obey { event: event.clone(), at });
    entries.send(Entry::Trace(vec![Fed { run: 1, n: 1, at: Millis(6), input }])).await.unwrap();
    drop(entries);
    task.await.unwrap();

    let trace = stage.store.trace(stage.account, 1, 0, 10).await.unwrap();

    assert_eq!(trace[0].0.input, Traced::Event(1));
    assert_eq!(crate::app::read_event(trace[0].1.as_ref().unwrap()).unwrap(), *event);
}

/// A commit that was refused to its callers and is on disk all the same.
#[tokio::test]
async fn a_log_that_is_longer_than_what_was_acknowledged_ends_the_journal() {
    let stage = Stage::open().await;
    let (entries, mut written, task) = open(stage.store.clone(), stage.account, 0);
    let row = log::row(stage.account, Millis(1), &Event::PlaceLeft { call: call_id() }).unwrap();
    let events = vec![EventRow { seq: 1, ..row }];
    stage.store.commit(&Batch { account: stage.account, events, ..Batch::default() }).await.unwrap();

    entries.send(decided(0x21, 0)).await.unwrap();

    assert_eq!(written.recv().await, Some(Written::Failed));
    entries.send(decided(0x21, 1)).await.unwrap();
    task.await.unwrap();
    assert_eq!(written.recv().await, None);
}

struct Stage {
    folder: tempfile::TempDir,
    store: Store,
    account: AccountId,
}

impl Stage {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("test.sqlite")).await.unwrap();
        let keys = std::sync::Arc::new(crate::keys::Keys::open(folder.path()).unwrap());
        crate::demo::fill(&store, &keys, folder.path(), ANYWHERE, Millis(1), 0).await.unwrap();
        let account = store.directory().await.unwrap().account;
        Self { folder, store, account }
    }

    /// Another process that has the database for itself, until it is closed.
    async fn lock(&self) -> sqlx::SqliteConnection {
        let path = self.folder.path().join("test.sqlite");
        let mut holder = sqlx::SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut holder).await.unwrap();
        holder
    }
}

fn call_id() -> CallId {
    CallId::new(Millis(5), [1; 10])
}

fn remembered(call: CallId) -> Entry {
    Entry::Event { event: Box::new(Event::PlaceLeft { call }), at: Millis(1), generation: None }
}

fn decided(agent: u16, generation: u64) -> Entry {
    let facts = std::sync::Arc::new(facts::initial(Millis(1), 1));
    let event = Event::FactsSet {
        agent: AgentId::demo(agent),
        facts,
        changed: Vec::new(),
        note: None,
        request: None,
        by: None,
    };
    Entry::Event { event: Box::new(event), at: Millis(1), generation: Some(generation) }
}

fn decision() -> Decision {
    Decision {
        step: 1,
        at: Millis(5),
        row: 1,
        department: None,
        strategy: "serial".into(),
        policy_version: "1".to_owned(),
        state_version: "1.0.1".to_owned(),
        refused: None,
        slots: 0,
        members: Vec::new(),
        then: Then::Wait,
    }
}
