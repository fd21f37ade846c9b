//! What a restart finds: all that was acknowledged, whether the last run ended well or its disk was all that was left.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use cordboard_server::app::{FactWrite, PolicyEdit};
use cordboard_server::config::{Config, Limits, LogFormat, SipListen};
use cordboard_server::store::Store;
use cordboard_server::{Running, start};
use cordboard_shared::Millis;
use cordboard_shared::agent::{Actor, Presence, Source, Toggle};
use cordboard_shared::api::availability::{BlockChange, FactChange};
use cordboard_shared::api::presence::PresenceChange;
use cordboard_shared::api::routing::ReplayRequest;
use cordboard_shared::id::AgentId;
use cordboard_shared::policy::BlockedCaller;
use tempfile::TempDir;

const PEOPLE: [u16; 9] = [0x11, 0x12, 0x13, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26];
/// Longest wait for something that takes milliseconds on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn every_fact_and_the_policy_are_as_they_were_after_a_restart() {
    for seed in [1_u64, 77, 4_242] {
        let folder = tempfile::tempdir().unwrap();
        let server = serve(folder.path()).await;
        let mut chance = Chance(seed);
        for step in 0..200 {
            let _ = server.app.change_fact(chance.write()).await;
            if step % 50 == 0 {
                block(&server, step).await;
            }
        }
        let (before, policy) = (facts(&server).await, server.app.policy());
        server.stop(Duration::ZERO).await;

        let server = serve(folder.path()).await;

        assert_eq!(facts(&server).await, before, "seed {seed}");
        assert_eq!(server.app.policy(), policy, "seed {seed}");
        assert_eq!(policy.blocked.len(), 4);
        server.stop(Duration::ZERO).await;
    }
}

/// The disk as a cut of the power would leave it, while changes are on their way.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_whenever_the_power_fails() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path()).await;
    for round in 0..4_u64 {
        let writers = (0..8).map(|lane| {
            let app = server.app.clone();
            tokio::spawn(async move {
                let mut chance = Chance(round * 100 + lane + 1);
                for _ in 0..25 {
                    let _ = app.change_fact(chance.write()).await;
                }
            })
        });
        let writers: Vec<_> = writers.collect();
        tokio::task::yield_now().await;
        let acknowledged = facts(&server).await;
        let image = power_cut(folder.path());
        let later = facts(&server).await;
        for writer in writers {
            writer.await.unwrap();
        }

        let revived = serve(image.path()).await;

        let found = facts(&revived).await;
        for ((agent, version, _), ((_, before, _), (_, after, _))) in found.iter().zip(acknowledged.iter().zip(&later))
        {
            // What was obeyed before the cut is there; a change that was on its way may be, and no more than that.
            assert!(before <= version, "{agent}: {version} of {before}, round {round}");
            assert!(version.rev <= after.rev + 8, "{agent}: {version} of {after}, round {round}");
        }
        revived.stop(Duration::ZERO).await;
    }
    server.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn time_that_passed_while_nobody_ran_is_written_down_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path()).await;
    let until = now() + 300;
    let set = Some(BlockChange { reason: Some("stock take".to_owned()), until: Some(until) });
    let paused = server.app.change_fact(write(0x21, FactChange::Pause { set })).await.unwrap();
    server.stop(Duration::ZERO).await;
    within(PATIENCE, async || now() > until).await;

    let server = serve(folder.path()).await;

    let (presence, _) = server.app.presence(AgentId::demo(0x21)).await.unwrap().unwrap();
    assert!(presence.facts.pause.is_none());
    assert_eq!(presence.version.rev, paused.presence.version.rev + 1, "a change of its own, which the edge learns of");
    server.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn a_pause_that_ends_by_time_is_an_ordinary_change() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path()).await;
    let mut feed = server.app.subscribe();
    let set = Some(BlockChange { reason: Some("stock take".to_owned()), until: Some(now() + 150) });
    let paused = server.app.change_fact(write(0x21, FactChange::Pause { set })).await.unwrap().presence;

    let ended = async {
        loop {
            let event = feed.recv().await.unwrap();
            if event.presence.facts.pause.is_none() && event.presence.version > paused.version {
                break event;
            }
        }
    };
    let ended = tokio::time::timeout(PATIENCE, ended).await.expect("the pause ends by itself");

    assert_eq!(ended.presence.version.rev, paused.version.rev + 1);
    assert!(ended.pos.seq > 0);
    server.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn a_start_that_fails_at_a_busy_port_leaves_no_company_behind() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = Config { http: taken.local_addr().unwrap(), ..config(folder.path()) };

    let error = start(busy).await.err().unwrap();

    assert!(error.to_string().contains("--http"), "{error:#}");
    assert!(!folder.path().join("demo.json").exists());
    let server = serve(folder.path()).await;
    let demo = std::fs::read_to_string(folder.path().join("demo.json")).unwrap();
    assert!(demo.contains(&server.http.to_string()) && demo.contains(&server.sip.to_string()));
    server.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn a_dry_run_tells_and_changes_nothing_and_the_batch_then_does_as_told() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path()).await;
    let away = |last| write(last, FactChange::Toggle(PresenceChange::to(Toggle::Away)));
    let no_reason = write(0x24, FactChange::Pause { set: Some(BlockChange::default()) });
    let writes = vec![away(0x21), no_reason, away(0x77), away(0x21)];
    let before = facts(&server).await;

    let told = server.app.batch(writes.clone(), true).await.unwrap();
    assert_eq!(facts(&server).await, before);
    let done = server.app.batch(writes, false).await.unwrap();

    let outcome = |answer: &cordboard_shared::api::availability::BatchAnswer| -> Vec<_> {
        answer.results.iter().map(|result| (result.status, result.changed, result.after)).collect()
    };
    assert_eq!(outcome(&told), outcome(&done));
    let statuses: Vec<_> = done.results.iter().map(|result| (result.status, result.changed)).collect();
    assert_eq!(statuses, [(200, true), (422, false), (404, false), (200, false)]);
    assert!(told.dry_run && !done.dry_run);
    assert_eq!(told.impact, done.impact);
    server.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn the_policy_is_changed_by_version_and_in_force_when_it_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path()).await;
    let first = server.app.policy();
    let mut next = (*first).clone();
    next.departments[0].ring_seconds = 15;

    let changed =
        server.app.edit_policy(PolicyEdit::Replace(Box::new(next.clone())), Some(first.version)).await.unwrap();

    assert_eq!((changed.version, changed.departments[0].ring_seconds), (first.version + 1, 15));
    assert_eq!(server.app.directory().departments[0].ring_seconds, 15);
    let again = server.app.edit_policy(PolicyEdit::Replace(Box::new(next.clone())), None).await.unwrap();
    assert_eq!(again.version, changed.version, "the same again is no new version");
    let late = server.app.edit_policy(PolicyEdit::Replace(Box::new(next.clone())), Some(first.version)).await;
    assert_eq!(late.unwrap_err().status, 412);
    next.departments.remove(0);
    let broken = server.app.edit_policy(PolicyEdit::Replace(Box::new(next)), None).await.unwrap_err();
    assert_eq!(broken.status, 422);
    assert!(broken.more["findings"].as_array().is_some_and(|findings| !findings.is_empty()));
    assert_eq!(server.app.policy().version, changed.version);
    server.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn a_live_count_moves_with_the_verdict_and_never_repeats_one_of_an_earlier_run() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path()).await;
    let asha = AgentId::demo(0x21);
    let count = async |server: &Running| server.app.presence(asha).await.unwrap().unwrap().1;
    let first = count(&server).await;
    server.app.change_fact(write(0x21, FactChange::Dnd { set: Some(BlockChange::default()) })).await.unwrap();
    let second = count(&server).await;
    server.stop(Duration::ZERO).await;

    let server = serve(folder.path()).await;

    assert!(first < second && second < count(&server).await);
    server.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn a_replay_of_a_quiet_time_finds_nothing_and_a_wrong_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path()).await;
    let (from, to) = (now() - 1_000, now() + 60_000);

    let answer = server.app.replay(ReplayRequest { from, to, policy: None }).await.unwrap();

    assert_eq!((answer.calls, answer.decisions, answer.changed.len()), (0, 0, 0));
    let wrong = server.app.replay(ReplayRequest { from: to, to: from, policy: None }).await;
    assert_eq!(wrong.unwrap_err().status, 422);
    server.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn calls_of_an_earlier_run_are_decided_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    let from = now();
    let server = serve(folder.path()).await;
    let account = server.app.directory().account;
    let store = Store::open(&folder.path().join("cordboard.sqlite")).await.unwrap();
    server.app.change_fact(write(0x21, FactChange::Dnd { set: Some(BlockChange::default()) })).await.unwrap();
    let call = server.app.place_test_call("+442079460102".parse().unwrap()).await.unwrap();
    within(PATIENCE, async || !store.decisions(account, call).await.unwrap().is_empty()).await;
    let running = server.app.replay(ReplayRequest { from, to: now() + 1, policy: None }).await.unwrap();
    assert_eq!(running.calls, 0, "a call that runs is left out: {:?}", running.assumptions);
    server.stop(Duration::ZERO).await;

    let server = serve(folder.path()).await;
    let decided = store.decisions(account, call).await.unwrap();
    let again = server.app.replay(ReplayRequest { from, to: now(), policy: None }).await.unwrap();

    assert_eq!((again.calls, again.changed), (1, vec![]), "{:?}", again.assumptions);
    assert_eq!((again.decisions, again.same), (u32::try_from(decided.len()).unwrap(), again.decisions));
    let mut policy = (*server.app.policy()).clone();
    policy.departments[0].members.remove(0);
    let tried = ReplayRequest { from, to: now(), policy: Some(Box::new(policy)) };
    let other = server.app.replay(tried).await.unwrap();
    assert_eq!((other.calls, other.changed.len()), (1, 1), "one member fewer was looked at");
    store.close().await;
    server.stop(Duration::ZERO).await;
}

/// What is lasting of everybody's presence, by person.
async fn facts(server: &Running) -> Vec<(AgentId, cordboard_shared::Version, String)> {
    let (_, everybody) = server.app.presences().await.unwrap();
    let lasting = |it: Presence| {
        let text = format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {}",
            it.state,
            it.since,
            it.actor,
            it.reason,
            it.until,
            it.facts.pause,
            it.facts.dnd,
            it.facts.opt_out,
            it.intent
        );
        (it.uuid, it.version, text)
    };
    everybody.into_iter().map(lasting).collect()
}

async fn block(server: &Running, step: u32) {
    let number = format!("+4477009{step:05}").parse().unwrap();
    let blocked = BlockedCaller { number, reason: "nuisance".to_owned(), by: Actor::system(), since: now() };
    server.app.edit_policy(PolicyEdit::Block(blocked), None).await.unwrap();
}

/// A copy of the database as it lies on the disk at this instant, its journal included.
fn power_cut(folder: &Path) -> TempDir {
    let image = tempfile::tempdir().unwrap();
    // The journal's beginning names its generation: when a new one began meanwhile, the two copies do not belong together.
    let generation = |folder: &Path| std::fs::read(folder.join("cordboard.sqlite-wal")).unwrap()[..32].to_vec();
    for _ in 0..1_000 {
        let before = generation(folder);
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let name = entry.file_name();
            if entry.path().is_file() && name != "cordboard.sqlite-wal" && name != "cordboard.sqlite-shm" {
                std::fs::copy(entry.path(), image.path().join(name)).unwrap();
            }
        }
        std::fs::copy(folder.join("cordboard.sqlite-wal"), image.path().join("cordboard.sqlite-wal")).unwrap();
        if generation(image.path()) == before {
            return image;
        }
    }
    panic!("the journal began anew during each of 1,000 copies");
}

/// Waits for something, and not for ever.
async fn within(patience: Duration, holds: impl AsyncFn() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(patience, waiting).await.expect("what was waited for does not come");
}

async fn serve(folder: &Path) -> Running {
    start(config(folder)).await.unwrap()
}

fn config(folder: &Path) -> Config {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    Config {
        http: any,
        sip: any,
        sip_listen: SipListen::default(),
        webrtc: any,
        // A pair that is taken is passed over.
        rtp_ports: 33_000..=33_399,
        external_ip: None,
        data_dir: folder.to_owned(),
        database: None,
        edge_url: None,
        edge_public_key: None,
        demo: true,
        demo_history: 0,
        allowed_origins: Vec::new(),
        limits: Limits::default(),
        log_format: LogFormat::Human,
        public_url: None,
        sms: None,
    }
}

fn now() -> Millis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Millis(i64::try_from(since.as_millis()).unwrap())
}

fn write(last: u16, change: FactChange) -> FactWrite {
    FactWrite {
        agent: AgentId::demo(last),
        change,
        actor: Actor::user(AgentId::demo(0x12), "Meera Nair"),
        source: Source::Admin,
        intent: None,
        if_match: None,
        request: None,
        resumes: false,
    }
}

/// Numbers that follow from a seed (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % end
    }

    fn write(&mut self) -> FactWrite {
        let person = PEOPLE[usize::try_from(self.below(9)).unwrap()];
        let mut block = || {
            let until = (self.below(3) == 0).then(|| now() + 3_600_000 + self.below(1_000));
            let reason = Some(format!("reason {}", self.below(5)));
            (self.below(3) > 0).then_some(BlockChange { reason, until })
        };
        let set = block();
        let change = match self.below(4) {
            0 => FactChange::Pause { set },
            1 => FactChange::Dnd { set },
            2 => FactChange::OptOut { set: set.map(|set| BlockChange { until: None, ..set }) },
            _ => {
                let state = if self.below(2) == 0 { Toggle::Away } else { Toggle::On };
                FactChange::Toggle(PresenceChange::to(state))
            }
        };
        FactWrite { resumes: self.below(4) == 0, ..write(person, change) }
    }
}
