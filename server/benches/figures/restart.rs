//! How long a start takes with a million entries in the log: from the newest snapshot, and from the first entry.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use cordboard_routing::Event;
use cordboard_server::app::read_event;
use cordboard_server::store::{Batch, EVENT_FORMAT, EventRow, Store};
use cordboard_shared::Version;
use cordboard_shared::id::AccountId;

use crate::server::Server;
use crate::{Figure, Section, Times, note, runtime};

/// Entries of the long log, and behind the newest snapshot.
const LONG: u64 = 1_000_000;
const BEHIND: u64 = 10_000;
/// Entries in one commit while the log is made.
const AT_ONCE: u64 = 5_000;
/// Starts measured of each kind; the slowest counts.
const STARTS: usize = 3;

pub(crate) fn measure() -> Result<Section> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    Server::start(&data)?.stop()?;
    let mut figures = vec![starts(&data, "a few entries", |_| Ok(()))?];

    note("writing a log of 1,000,000 entries")?;
    runtime()?.block_on(append(&data, LONG))?;
    let forget = |data: &Path| runtime()?.block_on(forget_snapshot(data));
    let folded = starts(&data, "1,000,000 entries, every one of them folded", forget)?;
    figures.push(folded.goal("< 10 s", |it| it.max_us < Some(10_000_000.0)));
    let behind = |data: &Path| {
        // A server that is asked to end leaves a snapshot.
        Server::start(data)?.stop()?;
        runtime()?.block_on(append(data, BEHIND))
    };
    let newest = starts(&data, "1,000,000 entries, from a snapshot 10,000 behind", behind)?;
    figures.push(newest.goal("< 1 s", |it| it.max_us < Some(1_000_000.0)));
    Ok(Section {
        name: "Restart: from the start of the process to its first answer".to_owned(),
        figures,
        notes: vec![
            "the real binary; opening the database, sockets and recordings is part of it".to_owned(),
            "changes of nine people's facts, as the API writes them; the database is in the page cache".to_owned(),
        ],
    })
}

/// Starts the server several times, after a preparation each, and stops it.
fn starts(data: &Path, what: &str, prepare: impl Fn(&Path) -> Result<()>) -> Result<Figure> {
    let mut times = Times::default();
    for _ in 0..STARTS {
        prepare(data)?;
        let server = Server::start(data)?;
        times.add(server.started_in);
        // Killed, so that no newer snapshot is written on the way out.
        drop(server);
    }
    Ok(times.figure(what, None))
}

/// Appends changes of facts to the log, each the next version of a person.
async fn append(data: &Path, count: u64) -> Result<()> {
    let store = open(data).await?;
    let account = AccountId::demo(1);
    let rows = store.events(account, 0).await?;
    let mut seq = rows.last().map_or(0, |row| row.seq);
    let mut people = std::collections::BTreeMap::new();
    for row in &rows {
        if let Event::FactsSet { agent, facts, .. } = read_event(row)? {
            people.insert(agent, facts);
        }
    }
    drop(rows);
    ensure!(!people.is_empty(), "the demo company has nobody");
    let mut written = 0;
    let mut people: Vec<_> = people.into_iter().collect();
    while written < count {
        let mut batch = Batch { account, ..Batch::default() };
        for _ in 0..AT_ONCE.min(count - written) {
            let place = usize::try_from(seq)? % people.len();
            let (agent, held) = &mut people[place];
            let facts = Arc::make_mut(held);
            facts.version = Version { rev: facts.version.rev + 1, ..facts.version };
            facts.toggle.reason = Some(format!("Meeting {seq}"));
            let at = facts.toggle.stamp.since;
            seq += 1;
            let event = Event::FactsSet {
                agent: *agent,
                facts: held.clone(),
                changed: vec!["toggle".to_owned()],
                note: None,
                request: None,
                by: None,
            };
            let body = serde_json::to_string(&event)?;
            batch.events.push(EventRow { account, seq, at, agent: Some(*agent), format: EVENT_FORMAT, body });
            written += 1;
        }
        store.commit(&batch).await?;
    }
    store.close().await;
    Ok(())
}

/// Takes the snapshot away, so that the whole log has to be folded.
async fn forget_snapshot(data: &Path) -> Result<()> {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(data.join("cordboard.sqlite"));
    let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    sqlx::query("DELETE FROM snapshot").execute(&pool).await?;
    pool.close().await;
    Ok(())
}

async fn open(data: &Path) -> Result<Store> {
    Ok(tokio::time::timeout(Duration::from_secs(10), Store::open(&data.join("cordboard.sqlite"))).await??)
}
