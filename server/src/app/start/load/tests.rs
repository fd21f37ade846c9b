use cordboard_routing::{Callback, Place};
use cordboard_shared::agent::{Block, Toggle};
use cordboard_shared::id::{AgentId, CallId, DepartmentId};
use cordboard_shared::pii::Pii;
use cordboard_shared::policy::Policy;

use super::*;
use crate::store::{NewAccount, NewPerson, SnapshotRow};

const NOW: Millis = Millis(1_795_249_931_204);
/// Entries of a chunk, so that a short log has many.
const FEW: usize = 64;
const SUPPORT: DepartmentId = DepartmentId::demo(0x1001);

/// A start from any snapshot of the way, from the newest, or from nothing: the same state.
#[tokio::test]
async fn a_fold_comes_to_the_same_wherever_the_snapshot_was_taken() {
    for seed in 1..=6 {
        let (_folder, store, directory) = founded().await;
        let first = load(&store, &directory, NOW, 1).await.unwrap();
        let mut durable = first.engine.durable();
        let mut chance = Chance(seed);
        let (mut rows, mut snapshots) = (Vec::new(), Vec::new());
        for seq in first.last + 1..first.last + 400 {
            let event = chance.event();
            rows.push(EventRow { seq, ..log::row(directory.account, NOW, &event).unwrap() });
            durable.fold(&event, FeedPosition { epoch: 1, bucket: 0, seq });
            if chance.below(50) == 0 {
                snapshots.push(serde_json::to_string(&durable).unwrap());
            }
        }
        store.commit(&Batch { account: directory.account, events: rows, ..Batch::default() }).await.unwrap();

        let folded = folded(&store, &directory).await;
        assert_eq!(folded, durable, "seed {seed}, without a snapshot");
        for body in snapshots {
            let seq = serde_json::from_str::<Durable>(&body).unwrap().position.seq;
            write_snapshot(&store, &directory, seq, SNAPSHOT_FORMAT, body).await;
            assert_eq!(folded_of(&store, &directory).await, durable, "seed {seed}, from {seq}");
        }
    }
}

/// The engine's own entries come onto the disk after it obeys them: a snapshot may hold more than its position says.
#[tokio::test]
async fn entries_that_a_snapshot_holds_already_do_no_harm_when_they_come_again() {
    for seed in 1..=6 {
        let (_folder, store, directory) = founded().await;
        let first = load(&store, &directory, NOW, 1).await.unwrap();
        let mut chance = Chance(seed);
        let mut durable = first.engine.durable();
        let mut position = durable.position;
        let mut rows = Vec::new();
        for seq in first.last + 1..first.last + 200 {
            let event = chance.event();
            rows.push(EventRow { seq, ..log::row(directory.account, NOW, &event).unwrap() });
            let at = FeedPosition { epoch: 1, bucket: 0, seq };
            durable.fold(&event, at);
            if matches!(event, Event::FactsSet { .. } | Event::PolicySet { .. }) {
                position = at;
            }
            if chance.below(20) == 0 {
                let ahead = Durable { position, ..durable.clone() };
                let body = serde_json::to_string(&ahead).unwrap();
                write_snapshot(&store, &directory, position.seq, SNAPSHOT_FORMAT, body).await;
            }
        }
        store.commit(&Batch { account: directory.account, events: rows, ..Batch::default() }).await.unwrap();

        assert_eq!(folded_of(&store, &directory).await, durable, "seed {seed}");
    }
}

#[tokio::test]
async fn a_snapshot_of_another_format_or_of_nonsense_is_thrown_away() {
    let (_folder, store, directory) = founded().await;
    let durable = load(&store, &directory, NOW, 1).await.unwrap().engine.durable();
    for (seq, format, body) in [(3, SNAPSHOT_FORMAT + 1, "{}"), (4, SNAPSHOT_FORMAT, "{}"), (5, SNAPSHOT_FORMAT, "[1]")]
    {
        write_snapshot(&store, &directory, seq, format, body.to_owned()).await;

        let loaded = load(&store, &directory, NOW, 1).await.unwrap();

        assert_eq!(loaded.engine.durable().facts, durable.facts);
        assert_eq!(loaded.engine.durable().policy, durable.policy);
    }
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_stops_the_start_and_is_named() {
    let (_folder, store, directory) = founded().await;
    let last = load(&store, &directory, NOW, 1).await.unwrap().last;
    let bad =
        EventRow { seq: last + 1, ..log::row(directory.account, NOW, &Event::PlaceLeft { call: call(1) }).unwrap() };
    let mut events = vec![EventRow { body: "{\"kind\":\"of_another_world\"}".to_owned(), ..bad.clone() }];
    // Many after it: reading must not wait for a fold that has ended.
    let more = (2..2_000).map(|step| EventRow { seq: last + step, ..bad.clone() });
    events.extend(more);
    store.commit(&Batch { account: directory.account, events, ..Batch::default() }).await.unwrap();

    let mut durable = Durable::default();
    let error = fold_rest(&store, directory.account, 1, FEW, &mut durable).await.unwrap_err();

    assert!(format!("{error:#}").contains(&format!("entry {}", last + 1)), "{error:#}");
}

#[tokio::test]
async fn a_first_start_enters_the_policy_and_everybody_and_a_second_one_nothing() {
    let (_folder, store, directory) = founded().await;

    let first = load(&store, &directory, NOW, 1).await.unwrap();
    let second = load(&store, &directory, NOW + 5, 2).await.unwrap();

    assert_eq!((first.last, second.last), (10, 10), "a policy and nine people");
    assert_eq!(first.engine.policy().departments, directory.departments);
    assert_eq!(first.engine.durable(), second.engine.durable());
}

#[tokio::test]
async fn callers_who_were_waiting_keep_their_place_and_those_who_stayed_away_lose_it() {
    let (_folder, store, directory) = founded().await;
    let last = load(&store, &directory, NOW, 1).await.unwrap().last;
    let place = |number: u64, kept_until| Event::PlaceTaken { place: Place { kept_until, ..place(number) } };
    let events = [place(1, None), place(2, Some(NOW)), place(3, Some(NOW + 99_000))];
    let rows = (last + 1..).zip(&events);
    let events =
        rows.map(|(seq, event)| EventRow { seq, ..log::row(directory.account, NOW, event).unwrap() }).collect();
    store.commit(&Batch { account: directory.account, events, ..Batch::default() }).await.unwrap();

    let loaded = load(&store, &directory, NOW + 1, 1).await.unwrap();

    let kept = |durable: &Durable| durable.places.values().map(|it| (it.number, it.kept_until)).collect::<Vec<_>>();
    let minutes = u64::from(directory.policy.settings.keep_place_minutes);
    let expected = [(1, Some(NOW + 1 + minutes * 60_000)), (3, Some(NOW + 99_000))];
    assert_eq!(kept(&loaded.engine.durable()), expected);
    assert_eq!(kept(&folded(&store, &directory).await), expected, "and so says the log");
}

/// What the log alone comes to.
async fn folded(store: &Store, directory: &Directory) -> Durable {
    let mut durable = Durable::default();
    fold_rest(store, directory.account, 1, FEW, &mut durable).await.unwrap();
    durable
}

/// What a snapshot and the rest of the log come to.
async fn folded_of(store: &Store, directory: &Directory) -> Durable {
    let mut durable = snapshot(store, directory).await.unwrap().unwrap();
    fold_rest(store, directory.account, 1, FEW, &mut durable).await.unwrap();
    durable
}

async fn write_snapshot(store: &Store, directory: &Directory, seq: u64, format: u32, body: String) {
    let snapshot = Some(SnapshotRow { seq, at: NOW, format, body });
    store.commit(&Batch { account: directory.account, snapshot, ..Batch::default() }).await.unwrap();
}

async fn founded() -> (tempfile::TempDir, Store, Directory) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("test.sqlite")).await.unwrap();
    let directory = crate::demo::directory();
    let people =
        directory.agents.values().map(|profile| NewPerson { profile: profile.clone(), password: "-".to_owned() });
    let new = NewAccount {
        directory: directory.clone(),
        people: people.collect(),
        tokens: Vec::new(),
        sip_users: Vec::new(),
    };
    store.create_account(&new).await.unwrap();
    (folder, store, directory)
}

fn call(number: u64) -> CallId {
    CallId::new(Millis(i64::try_from(number).unwrap()), [1; 10])
}

fn place(number: u64) -> Place {
    Place {
        call: call(number),
        department: SUPPORT,
        caller: Some(Pii(format!("+44770090{number:04}"))),
        number,
        since: NOW,
        priority: 0,
        kept_until: None,
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

    fn agent(&mut self) -> AgentId {
        AgentId::demo(0x21 + u16::try_from(self.below(6)).unwrap())
    }

    fn event(&mut self) -> Event {
        let number = self.below(12);
        let (one, at) = (call(number), NOW + self.below(10_000));
        match self.below(13) {
            0..=3 => self.facts(),
            4 => {
                let mut policy = Policy { version: self.below(1_000), ..Policy::default() };
                policy.settings.missed_limit = u32::try_from(self.below(10)).unwrap();
                Event::PolicySet { policy: Box::new(policy) }
            }
            5 => {
                let caller = Pii(format!("+44770090{number:04}"));
                Event::Bound { department: SUPPORT, caller, agent: self.agent(), at }
            }
            6 => Event::PlaceTaken { place: place(number) },
            7 => Event::PlaceLeft { call: one },
            8 => Event::PlaceKept { call: one, until: at },
            9 => {
                let number = Pii("+447700900001".to_owned());
                let (agent, place) = (Some(self.agent()), self.below(99));
                let callback = Callback {
                    call: one,
                    number,
                    department: Some(SUPPORT),
                    agent,
                    place,
                    since: NOW,
                    priority: 1,
                    asked_at: at,
                    due_at: None,
                    attempts: 0,
                    again_at: None,
                    steps: 2,
                };
                Event::CallbackAsked { callback }
            }
            10 => Event::CallbackDue { call: one, at },
            11 => Event::CallbackTried { call: one, attempts: 1, again_at: Some(at) },
            _ => Event::CallbackDone { call: one },
        }
    }

    fn facts(&mut self) -> Event {
        let agent = self.agent();
        let mut facts = facts::initial(NOW, 1);
        facts.version.rev = self.below(1_000);
        facts.toggle.state = if self.below(2) == 0 { Toggle::On } else { Toggle::Away };
        let stamp = facts.toggle.stamp.clone();
        facts.pause = (self.below(2) == 0).then(|| Block { stamp, reason: Some("stock take".to_owned()), until: None });
        Event::FactsSet { agent, facts: Arc::new(facts), changed: Vec::new(), note: None, request: None, by: None }
    }
}
