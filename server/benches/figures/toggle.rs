//! A toggle, in the server's own process: decided, on disk, obeyed.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use cordboard_server::app::{AppHandle, FactWrite};
use cordboard_server::config::{Config, Options};
use cordboard_shared::agent::{Actor, Source, Toggle};
use cordboard_shared::api::availability::FactChange;
use cordboard_shared::api::presence::PresenceChange;
use cordboard_shared::id::AgentId;

use crate::{Section, Times, runtime};

/// How long each number of writers is measured.
const SPAN: Duration = Duration::from_secs(5);

pub(crate) fn measure() -> Result<Section> {
    runtime()?.block_on(async {
        let folder = tempfile::tempdir()?;
        let free = Some(([127, 0, 0, 1], 0).into());
        let options = Options {
            http: free,
            sip: free,
            webrtc: free,
            rtp_ports: Some("0".parse().map_err(|error| anyhow!("{error}"))?),
            data_dir: Some(folder.path().join("data")),
            demo: true,
            ..Options::default()
        };
        let running = cordboard_server::start(Config::load(options)?).await?;
        let mut figures = Vec::new();
        for writers in [1, 32] {
            let begun = Instant::now();
            let tasks: Vec<_> =
                (0..writers).map(|number| tokio::spawn(write(running.app.clone(), number, begun))).collect();
            let mut times = Times::default();
            for task in tasks {
                times.0.extend(task.await??.0);
            }
            let rate = times.0.len() as f64 / begun.elapsed().as_secs_f64();
            figures.push(times.figure(format!("{writers} writers"), Some(rate)));
        }
        running.stop(Duration::from_secs(1)).await;
        Ok(Section {
            name: "Toggle, engine and store in process: decided, on disk, obeyed".to_owned(),
            figures,
            notes: vec![
                "SQLite, WAL, synchronous=FULL, commits grouped by themselves; every toggle changes something"
                    .to_owned(),
            ],
        })
    })
}

async fn write(app: AppHandle, number: u16, begun: Instant) -> Result<Times> {
    const PEOPLE: [u16; 9] = [0x11, 0x12, 0x13, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26];
    let agent = AgentId::demo(PEOPLE[usize::from(number) % PEOPLE.len()]);
    let mut times = Times::default();
    let mut count = 0_u32;
    while begun.elapsed() < SPAN {
        count += 1;
        // A reason nobody gave before: a change, also when somebody else has just set the same state.
        let change = PresenceChange { reason: Some(format!("{number}/{count}")), ..PresenceChange::to(Toggle::Away) };
        let write = FactWrite {
            agent,
            change: FactChange::Toggle(change),
            actor: Actor::system(),
            source: Source::Api,
            intent: None,
            if_match: None,
            request: None,
            resumes: false,
        };
        let sent = Instant::now();
        let written = app.change_fact(write).await.map_err(|problem| anyhow!("{problem:?}"))?;
        times.add(sent.elapsed());
        ensure!(written.applied && written.changed, "a toggle changed nothing");
    }
    Ok(times)
}
