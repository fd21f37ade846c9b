use cordboard_server::config::{Config, Limits, LogFormat};
use cordboard_server::store::{Batch, EVENT_FORMAT, EventRow, Store};
use cordboard_shared::Millis;
use cordboard_shared::id::AgentId;
use std::time::{Duration, Instant};

#[tokio::main]
async fn main() {
    let n: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let config = || Config {
        http: any, sip: any, webrtc: any, rtp_ports: 0..=0, external_ip: None, data_dir: folder.path().to_owned(), database: None,
        edge_url: None, edge_public_key: None, demo: true, demo_history: 0, allowed_origins: Vec::new(), limits: Limits::default(),
        log_format: LogFormat::Human, public_url: None, sms: None,
    };
    let server = cordboard_server::start(config()).await.unwrap();
    let account = server.app.directory().account;
    server.stop(Duration::ZERO).await;
    let path = folder.path().join("cordboard.sqlite");
    let store = Store::open(&path).await.unwrap();
    let rows = store.events(account, 0).await.unwrap();
    let base = rows.iter().find(|row| row.agent.is_some()).unwrap().clone();
    let mut seq = rows.last().unwrap().seq;
    let old = base.agent.unwrap().to_string();
    let at = Instant::now();
    let mut left = n;
    while left > 0 {
        let count = left.min(20_000);
        left -= count;
        let events = (0..count).map(|i| {
            seq += 1;
            let agent = AgentId::demo(u16::try_from((seq * 7 + i) % 10_000).unwrap());
            let body = base.body.replace(&old, &agent.to_string());
            EventRow { account, seq, at: Millis(5), agent: Some(agent), format: EVENT_FORMAT, body }
        }).collect();
        store.commit(&Batch { account, events, ..Batch::default() }).await.unwrap();
    }
    println!("inserted in {:?}, body {} bytes", at.elapsed(), base.body.len());
    store.close().await;
    for what in ["fold", "snapshot", "snapshot"] {
        let at = Instant::now();
        let server = cordboard_server::start(config()).await.unwrap();
        println!("{what}: {:?}", at.elapsed());
        server.stop(Duration::ZERO).await;
        println!("  and stop: {:?}, file {} MB", at.elapsed(), std::fs::metadata(&path).unwrap().len() / 1_000_000);
    }
    // with 10,000 rows behind the snapshot
    let store = Store::open(&path).await.unwrap();
    let mut seq = store.last_event(account).await.unwrap();
    let events = (0..10_000_u64).map(|i| {
        seq += 1;
        let agent = AgentId::demo(u16::try_from((seq * 7 + i) % 10_000).unwrap());
        EventRow { account, seq, at: Millis(5), agent: Some(agent), format: EVENT_FORMAT, body: base.body.replace(&old, &agent.to_string()) }
    }).collect();
    store.commit(&Batch { account, events, ..Batch::default() }).await.unwrap();
    store.close().await;
    let at = Instant::now();
    let server = cordboard_server::start(config()).await.unwrap();
    println!("10,000 behind: {:?}", at.elapsed());
    // toggles in process, 32 at a time
    let at = Instant::now();
    let mut tasks = Vec::new();
    for lane in 0..32_u16 {
        let app = server.app.clone();
        tasks.push(tokio::spawn(async move {
            let mut worst = Duration::ZERO;
            let mut all = Vec::new();
            for turn in 0..1_000_u16 {
                let one = Instant::now();
                let change = cordboard_shared::api::presence::PresenceChange::to(if turn % 2 == 0 { cordboard_shared::agent::Toggle::Away } else { cordboard_shared::agent::Toggle::On });
                let write = cordboard_server::app::FactWrite {
                    agent: AgentId::demo(lane * 300 + turn / 4), change: cordboard_shared::api::availability::FactChange::Toggle(change),
                    actor: cordboard_shared::agent::Actor::system(), source: cordboard_shared::agent::Source::Api, intent: None, if_match: None, request: None, resumes: false,
                };
                app.change_fact(write).await.unwrap();
                worst = worst.max(one.elapsed());
                all.push(one.elapsed());
            }
            (worst, all)
        }));
    }
    let mut all = Vec::new();
    for task in tasks { all.extend(task.await.unwrap().1); }
    all.sort();
    println!("32,000 toggles: {:?}, p50 {:?} p99 {:?} max {:?}", at.elapsed(), all[all.len()/2], all[all.len()*99/100], all.last().unwrap());
    server.stop(Duration::ZERO).await;
}
