//! The log, its snapshots, and the trace of the engine's inputs.

use cordboard_server::store::{
    Batch, CHECKPOINT_FORMAT, CheckpointRow, EventRow, Historic, SNAPSHOT_FORMAT, SnapshotRow, StoreError, TraceRow,
    Traced,
};
use cordboard_shared::Millis;
use cordboard_shared::id::AccountId;
use serde_json::{Value, json};

use super::{ASHA, RIYA, event, fresh};

#[tokio::test]
async fn event_bodies_keep_every_json_type() {
    let (_dir, store, account) = fresh().await;
    let bodies = [
        json!(null),
        json!(true),
        json!(0),
        json!(-7),
        json!(9_007_199_254_740_993_u64),
        json!(1.5),
        json!(""),
        json!("é \"quoted\" \\ \u{0} 'x' \u{1F600}"),
        json!([1, [2, null], {}]),
        json!({"a": {"b": [true, "c"]}, "z": null}),
    ];
    let events: Vec<_> = (1..).zip(&bodies).map(|(seq, body)| event(account, seq, body.clone())).collect();
    let mut without_agent = event(account, 99, json!({}));
    without_agent.agent = None;
    store.commit(&Batch { events: [events, vec![without_agent]].concat(), ..Batch::default() }).await.unwrap();

    let read = store.events(account, 0).await.unwrap();
    let read_bodies: Vec<Value> = read.iter().map(|event| serde_json::from_str(&event.body).unwrap()).collect();
    assert_eq!(read_bodies[..bodies.len()], bodies);
    assert_eq!(read.last().unwrap().agent, None);
    assert_eq!(store.events(account, 9).await.unwrap().len(), 2);
    assert_eq!(store.events(AccountId::demo(7), 0).await.unwrap(), []);
}

#[tokio::test]
async fn any_number_of_rows_is_written_whole_and_in_order() {
    let (_dir, store, account) = fresh().await;
    let mut seq = 0;
    let mut all = Vec::new();
    for count in [1, 2, 3, 31, 512, 513, 1_100] {
        let events: Vec<_> = (seq + 1..=seq + count)
            .map(|seq| EventRow {
                agent: [Some(ASHA), Some(RIYA), None][usize::try_from(seq % 3).unwrap()],
                ..event(account, seq, json!({ "n": seq }))
            })
            .collect();
        let trace: Vec<_> = (seq + 1..=seq + count)
            .map(|n| {
                let input = if n % 2 == 0 { Traced::Event(n) } else { Traced::Input(format!("{{\"n\":{n}}}")) };
                TraceRow { run: 1, n, at: Millis(5), input }
            })
            .collect();
        // With and without anything beside them.
        store.commit(&Batch { events: events.clone(), ..Batch::default() }).await.unwrap();
        store.commit(&Batch { account, trace: trace.clone(), ..Batch::default() }).await.unwrap();
        let read = store.trace(account, 1, seq, 5_000).await.unwrap();
        assert_eq!(read.into_iter().map(|(row, _)| row).collect::<Vec<_>>(), trace);
        seq += count;
        all.extend(events);
    }
    assert_eq!(store.events(account, 0).await.unwrap(), all);

    // One that is there already fails all of a long batch.
    let doubled: Vec<_> = [seq + 2_000, seq].into_iter().chain(seq + 1..seq + 1_000).collect();
    let events = doubled.into_iter().map(|seq| event(account, seq, json!(0))).collect();
    assert!(matches!(store.commit(&Batch { events, ..Batch::default() }).await, Err(StoreError::Exists(_))));
    assert_eq!(store.events(account, 0).await.unwrap().len(), all.len());
}

#[tokio::test]
async fn a_fold_is_given_the_last_entry_of_each_person_and_all_that_are_about_nobody() {
    let (_dir, store, account) = fresh().await;
    let people = [Some(ASHA), None, Some(RIYA), Some(ASHA), None, Some(ASHA), None, Some(RIYA), None];
    let events: Vec<_> =
        (1..).zip(people).map(|(seq, agent)| EventRow { agent, ..event(account, seq, json!({ "n": seq })) }).collect();
    store.commit(&Batch { events, ..Batch::default() }).await.unwrap();
    let read = async |after, chunk| {
        let chunks = store
            .events_to_fold(account, after, chunk, |rows| async move {
                Ok::<_, StoreError>(rows.iter().map(|row| row.seq).collect::<Vec<_>>())
            })
            .await
            .unwrap();
        chunks.concat()
    };

    assert_eq!(read(0, 3).await, [2, 5, 6, 7, 8, 9]);
    assert_eq!(read(0, 100).await, [2, 5, 6, 7, 8, 9]);
    assert_eq!(read(6, 1).await, [7, 8, 9]);
    assert_eq!(read(9, 1).await, [] as [u64; 0]);
}

#[tokio::test]
async fn a_snapshot_is_replaced_by_a_newer_one_and_never_by_an_older() {
    let (_dir, store, account) = fresh().await;
    assert_eq!(store.snapshot(account).await.unwrap(), None);
    let snapshot =
        |seq| SnapshotRow { seq, at: Millis(5), format: SNAPSHOT_FORMAT, body: json!({ "seq": seq }).to_string() };
    for seq in [7, 20, 13] {
        let batch = Batch { account, snapshot: Some(snapshot(seq)), ..Batch::default() };
        store.commit(&batch).await.unwrap();
    }

    assert_eq!(store.snapshot(account).await.unwrap(), Some(snapshot(20)));
    assert_eq!(store.snapshot(AccountId::demo(7)).await.unwrap(), None);
}

#[tokio::test]
async fn one_persons_history_comes_newest_first_in_pages_and_within_its_times() {
    let (_dir, store, account) = fresh().await;
    let at = |seq: u64, agent, at| EventRow { agent: Some(agent), at: Millis(at), ..event(account, seq, json!(seq)) };
    let events = vec![at(1, ASHA, 10), at(2, RIYA, 11), at(3, ASHA, 12), at(4, ASHA, 13), at(5, ASHA, 14)];
    store.commit(&Batch { events, ..Batch::default() }).await.unwrap();
    let all = Historic { agent: ASHA, from: None, to: None, before: None, limit: 100 };
    let seqs = async |which| -> Vec<u64> {
        store.history(account, which).await.unwrap().iter().map(|event| event.seq).collect()
    };

    assert_eq!(seqs(all).await, [5, 4, 3, 1]);
    assert_eq!(seqs(Historic { limit: 2, ..all }).await, [5, 4]);
    assert_eq!(seqs(Historic { before: Some(4), ..all }).await, [3, 1]);
    assert_eq!(seqs(Historic { from: Some(Millis(12)), to: Some(Millis(14)), ..all }).await, [4, 3]);
    assert_eq!(seqs(Historic { agent: RIYA, ..all }).await, [2]);
    assert_eq!(store.last_event(account).await.unwrap(), 5);
    assert_eq!(store.last_event(AccountId::demo(7)).await.unwrap(), 0);

    // Entries are sorted by person now and then; what came since is found all the same.
    assert!(!store.sort_events(account).await.unwrap(), "all are sorted at once");
    assert_eq!(seqs(all).await, [5, 4, 3, 1]);
    let events = vec![at(6, RIYA, 15), at(7, ASHA, 16)];
    store.commit(&Batch { events, ..Batch::default() }).await.unwrap();
    assert_eq!(seqs(all).await, [7, 5, 4, 3, 1]);
    assert_eq!(seqs(Historic { limit: 2, ..all }).await, [7, 5]);
    assert_eq!(seqs(Historic { before: Some(5), limit: 2, ..all }).await, [4, 3]);
    let last = async |after| -> Vec<u64> {
        let fold = store.events_to_fold(account, after, 100, async |rows| {
            Ok::<_, cordboard_server::store::StoreError>(rows.iter().map(|row| row.seq).collect::<Vec<_>>())
        });
        fold.await.unwrap().concat()
    };
    assert_eq!(last(0).await, [6, 7]);
    assert_eq!(last(6).await, [7]);
}

/// Inputs `1..=n` of a run, ten milliseconds apart from `at`.
fn inputs(run: u64, n: u64, at: i64) -> Vec<TraceRow> {
    let input = |n: u64| TraceRow {
        run,
        n,
        at: Millis(at + 10 * i64::try_from(n).unwrap()),
        input: Traced::Input(json!({ "n": n }).to_string()),
    };
    (1..=n).map(input).collect()
}

fn checkpoint(run: u64, n: u64, at: i64) -> CheckpointRow {
    CheckpointRow { run, n, at: Millis(at), format: CHECKPOINT_FORMAT, body: json!([run, n]).to_string() }
}

#[tokio::test]
async fn a_trace_comes_back_in_order_with_the_entries_it_names() {
    let (_dir, store, account) = fresh().await;
    let mut trace = inputs(3, 4, 1_000);
    trace[1].input = Traced::Event(1);
    let batch =
        Batch { account, events: vec![event(account, 1, json!({"a": 1}))], trace: trace.clone(), ..Batch::default() };
    store.commit(&batch).await.unwrap();

    let read = store.trace(account, 3, 0, 100).await.unwrap();
    assert_eq!(read.iter().map(|(row, _)| row.clone()).collect::<Vec<_>>(), trace);
    assert_eq!(read[1].1, Some(batch.events[0].clone()));
    assert_eq!(read[0].1, None);
    let page: Vec<u64> = store.trace(account, 3, 1, 2).await.unwrap().iter().map(|(row, _)| row.n).collect();
    assert_eq!(page, [2, 3]);
    assert_eq!(store.trace(account, 4, 0, 100).await.unwrap(), []);
    assert_eq!(store.last_run(account).await.unwrap(), 3);
    let doubled = Batch { account, trace: vec![trace[0].clone()], ..Batch::default() };
    assert!(matches!(store.commit(&doubled).await, Err(StoreError::Exists(_))));
}

#[tokio::test]
async fn a_flood_is_sorted_by_people_in_portions_and_read_right_at_every_moment() {
    let (_dir, store, account) = fresh().await;
    let people = [ASHA, RIYA];
    let events: Vec<EventRow> = (1..=1_200)
        .map(|seq| EventRow { agent: Some(people[usize::from(seq % 3 == 0)]), ..event(account, seq, json!(seq)) })
        .collect();
    let expected: Vec<u64> = events.iter().rev().filter(|row| row.agent == Some(RIYA)).map(|row| row.seq).collect();
    store.commit(&Batch { events, ..Batch::default() }).await.unwrap();
    let all = Historic { agent: RIYA, from: None, to: None, before: None, limit: 1_000 };
    let seqs =
        async || -> Vec<u64> { store.history(account, all).await.unwrap().iter().map(|event| event.seq).collect() };
    let mut portions = 1;
    assert_eq!(seqs().await, expected);
    while store.sort_events(account).await.unwrap() {
        assert_eq!(seqs().await, expected, "after {portions}");
        portions += 1;
    }
    assert_eq!(portions, 3);
    assert_eq!(seqs().await, expected);
    assert!(!store.sort_events(account).await.unwrap(), "nothing is left");
}

#[tokio::test]
async fn entries_fed_together_come_back_one_by_one_and_never_across_a_checkpoint() {
    let (_dir, store, account) = fresh().await;
    let events = (1..=6).map(|seq| event(account, seq, json!(seq))).collect();
    let row = |n, at, input| TraceRow { run: 1, n, at: Millis(at), input };
    let trace = vec![
        row(1, 5, Traced::Event(1)),
        row(2, 5, Traced::Event(2)),
        row(3, 5, Traced::Event(3)),
        row(4, 6, Traced::Event(4)),
        row(5, 6, Traced::Input("1".to_owned())),
        row(6, 6, Traced::Event(5)),
        row(7, 6, Traced::Event(6)),
    ];
    let checkpoint = Some(checkpoint(1, 2, 5));
    store.commit(&Batch { account, events, trace: trace.clone(), checkpoint, ..Batch::default() }).await.unwrap();
    let read = async |after, limit| -> Vec<TraceRow> {
        store.trace(account, 1, after, limit).await.unwrap().into_iter().map(|(row, _)| row).collect()
    };

    assert_eq!(read(0, 100).await, trace);
    assert_eq!(read(2, 100).await, trace[2..], "a replay begins after a checkpoint");
    assert_eq!(read(0, 1).await, trace[..2], "what was fed together is one row");
    for (row, event) in store.trace(account, 1, 0, 100).await.unwrap() {
        let seq = if let Traced::Event(seq) = row.input { Some(seq) } else { None };
        assert_eq!(event.map(|event| event.seq), seq);
    }
}

#[tokio::test]
async fn replays_begin_at_the_checkpoint_before_and_at_each_later_run() {
    let (_dir, store, account) = fresh().await;
    for checkpoint in [checkpoint(1, 0, 0), checkpoint(1, 5, 500), checkpoint(1, 9, 900), checkpoint(2, 0, 2_000)] {
        store.commit(&Batch { account, checkpoint: Some(checkpoint), ..Batch::default() }).await.unwrap();
    }
    let starts = async |from, to| -> Vec<(u64, u64)> {
        let starts = store.checkpoints(account, Millis(from), Millis(to)).await.unwrap();
        starts.into_iter().map(|(run, n, _)| (run, n)).collect()
    };

    assert_eq!(starts(600, 700).await, [(1, 5)]);
    assert_eq!(starts(600, 3_000).await, [(1, 5), (2, 0)]);
    assert_eq!(starts(2_500, 3_000).await, [(2, 0)]);
    assert_eq!(starts(-5, 3_000).await, [(1, 0), (2, 0)], "from before the first: from the first");
    assert_eq!(store.checkpoint(account, 1, 5).await.unwrap(), Some(checkpoint(1, 5, 500)));
    assert_eq!(store.checkpoint(account, 1, 6).await.unwrap(), None);
}

#[tokio::test]
async fn old_inputs_are_forgotten_a_few_at_a_time_and_never_what_a_kept_checkpoint_needs() {
    let (_dir, store, account) = fresh().await;
    for batch in [
        Batch { checkpoint: Some(checkpoint(1, 0, 1_000)), trace: inputs(1, 9, 1_000), ..Batch::default() },
        Batch { checkpoint: Some(checkpoint(1, 5, 1_050)), ..Batch::default() },
        Batch { checkpoint: Some(checkpoint(2, 0, 9_000)), trace: inputs(2, 3, 9_000), ..Batch::default() },
    ] {
        store.commit(&Batch { account, ..batch }).await.unwrap();
    }
    let forget = async || store.forget_trace(account, Millis(5_000), 2).await.unwrap();
    let left = async |run| store.trace(account, run, 0, 100).await.unwrap().len();

    assert_eq!((forget().await, forget().await, forget().await, forget().await), (2, 2, 1, 0));

    assert_eq!((left(1).await, left(2).await), (4, 3), "what follows the newest old checkpoint stays");
    assert_eq!(store.checkpoint(account, 1, 0).await.unwrap(), None);
    assert!(store.checkpoint(account, 1, 5).await.unwrap().is_some());
}
