//! The media thread with real sockets on the loopback.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cordboard_media::goertzel::{amplitude, decibels_above};
use cordboard_media::packet::RtpPacket;
use cordboard_media::tone::sine;
use cordboard_media::{BrowserCodecs, Clip, Codec, Command, Event, G711, PlayId, RecordEnd, RtpParams, Source};
use cordboard_shared::id::{LegId, RecordingId};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::error::TryRecvError;

use super::{FromMedia, MediaConfig, MediaHandle, ToMedia, start};

const CALLER: LegId = LegId::demo(1);
const AGENT: LegId = LegId::demo(2);
const RECORDING: RecordingId = RecordingId::demo(3);
const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Nothing here takes longer unless it is broken.
const LIMIT: Duration = Duration::from_secs(20);

struct Bench {
    handle: MediaHandle,
    events: UnboundedReceiver<FromMedia>,
}

impl Bench {
    fn start(dir: &Path, rtp_ports: std::ops::RangeInclusive<u16>) -> Self {
        let (handle, events) = start(MediaConfig {
            webrtc: SocketAddr::new(LOCAL, 0),
            rtp_ip: LOCAL,
            rtp_ports,
            external_ip: None,
            recordings_dir: dir.to_owned(),
            browser_codecs: BrowserCodecs::G711,
        })
        .unwrap();
        Self { handle, events }
    }

    fn command(&self, command: Command) {
        self.handle.send(ToMedia::Command(command));
    }

    /// The first event that `wanted` makes something of.
    fn wait<T>(&mut self, wanted: impl Fn(&FromMedia) -> Option<T>) -> T {
        let limit = Instant::now() + LIMIT;
        loop {
            match self.events.try_recv() {
                Ok(event) => {
                    if let Some(found) = wanted(&event) {
                        return found;
                    }
                }
                Err(TryRecvError::Empty) if Instant::now() < limit => std::thread::sleep(Duration::from_millis(2)),
                Err(error) => panic!("what was waited for did not come: {error}"),
            }
        }
    }

    fn open(&mut self, leg: LegId) -> SocketAddr {
        self.handle.send(ToMedia::OpenRtp { leg });
        self.wait(|event| match event {
            FromMedia::RtpOpened { leg: opened, local } if *opened == leg => Some(*local),
            FromMedia::RtpFailed { error, .. } => panic!("{error}"),
            _ => None,
        })
    }
}

fn phone() -> UdpSocket {
    let socket = UdpSocket::bind((LOCAL, 0)).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket
}

fn params(phone: &UdpSocket) -> RtpParams {
    RtpParams::new(phone.local_addr().unwrap(), Codec::Pcma, 8)
}

/// Says two seconds of a tone, in real time as a phone does.
fn say(phone: UdpSocket, to: SocketAddr, frequency: f64) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let start = Instant::now();
        for (index, frame) in (0_u16..).zip(sine(frequency, 2_000, 16_000.0).chunks(160)) {
            let payload = G711::A.encode_all(frame);
            let timestamp = u32::from(index) * 160;
            let packet = RtpPacket {
                marker: index == 0,
                payload_type: 8,
                sequence: index,
                timestamp,
                ssrc: 1,
                payload: &payload,
            };
            phone.send_to(&packet.to_bytes(), to).unwrap();
            let next = start + Duration::from_millis(20) * (u32::from(index) + 1);
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    })
}

fn listen(phone: &UdpSocket, samples: usize) -> Vec<i16> {
    let mut heard = Vec::new();
    let mut buffer = [0; 2_048];
    while heard.len() < samples {
        let (length, _) = phone.recv_from(&mut buffer).expect("audio in time");
        let packet = RtpPacket::parse(&buffer[..length]).unwrap();
        heard.extend(G711::A.decode_all(packet.payload));
    }
    heard
}

#[test]
fn two_phones_talk_and_one_is_recorded_to_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(dir.path(), 28_000..=28_099);
    let (caller, agent) = (phone(), phone());
    let to_caller_leg = bench.open(CALLER);
    let to_agent_leg = bench.open(AGENT);
    assert_eq!(to_caller_leg.port() % 2, 0);
    for (leg, other, phone) in [(CALLER, AGENT, &caller), (AGENT, CALLER, &agent)] {
        bench.command(Command::AddRtp { leg, params: Some(params(phone)) });
        bench.command(Command::Hear { leg, source: Source::Leg(other) });
    }
    bench.command(Command::Record { leg: CALLER, recording: RECORDING, max_ms: 60_000, silence_ms: None });
    let speakers = [
        say(caller.try_clone().unwrap(), to_caller_leg, 440.0),
        say(agent.try_clone().unwrap(), to_agent_leg, 1_000.0),
    ];

    let heard = [listen(&agent, 7_000), listen(&caller, 7_000)];
    for speaker in speakers {
        speaker.join().unwrap();
    }
    bench.command(Command::Remove { leg: CALLER });

    assert!(decibels_above(&heard[0], 440.0, 1_000.0) > 30.0);
    assert!(decibels_above(&heard[1], 1_000.0, 440.0) > 30.0);
    bench.wait(|event| match event {
        FromMedia::Event(Event::RecordFinished { why: RecordEnd::LegGone, .. }) => Some(()),
        _ => None,
    });
    let (path, ms) = bench.wait(|event| match event {
        FromMedia::Recorded { recording: RECORDING, path, ms, .. } => Some((path.clone(), *ms)),
        _ => None,
    });
    let samples: Vec<i16> =
        hound::WavReader::open(dir.path().join(path)).unwrap().samples().map(Result::unwrap).collect();
    assert!((1_000..20_000).contains(&ms));
    assert_eq!(samples.len() / 8, ms as usize);
    // On a busy machine packets come late and are placed anew; the core's own tests measure the rest.
    assert!(amplitude(&samples[..8_000], 440.0) > 8_000.0);
    assert!(decibels_above(&samples[..8_000], 440.0, 1_000.0) > 20.0);
    assert!(bench.handle.counters().datagrams_received.load(Ordering::Relaxed) >= 100);
}

#[test]
fn a_clip_is_sent_at_the_pace_it_is_heard_at_and_its_end_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(dir.path(), 28_100..=28_199);
    let caller = phone();
    bench.open(CALLER);
    bench.command(Command::AddRtp { leg: CALLER, params: Some(params(&caller)) });
    let clip = Arc::new(Clip::new(sine(600.0, 500, 16_000.0)));
    let begun = Instant::now();
    bench.command(Command::Hear { leg: CALLER, source: Source::Clip { clip, play: PlayId(4) } });

    let heard = listen(&caller, 4_000);
    bench.wait(|event| match event {
        FromMedia::Event(Event::PlayFinished { leg: CALLER, play: PlayId(4) }) => Some(()),
        _ => None,
    });
    assert!(begun.elapsed() >= Duration::from_millis(499));
    assert!(amplitude(&heard, 600.0) > 15_000.0);
}

#[test]
fn ports_are_given_back_and_an_exhausted_range_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(dir.path(), 28_200..=28_201);
    let first = bench.open(CALLER);
    assert_eq!(bench.open(CALLER), first, "asked twice, answered alike");
    bench.command(Command::AddRtp { leg: CALLER, params: None });
    bench.handle.send(ToMedia::OpenRtp { leg: AGENT });
    bench.wait(|event| match event {
        FromMedia::RtpFailed { leg: AGENT, error } => Some(error.clone()),
        _ => None,
    });
    bench.command(Command::Remove { leg: CALLER });

    assert_eq!(bench.open(AGENT), first);
}

#[test]
fn noise_on_the_browsers_port_does_no_harm_and_a_bad_offer_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(dir.path(), 28_300..=28_399);
    let stranger = phone();
    for length in 0..400 {
        let byte = [0x00, 0x16, 0x80, 0xff][length % 4];
        stranger.send_to(&vec![byte; length], bench.handle.webrtc_addr()).unwrap();
    }
    bench.command(Command::PeerOffer { leg: AGENT, sdp: "v=0".into() });

    bench.wait(|event| match event {
        FromMedia::Event(Event::PeerFailed { leg: AGENT, .. }) => Some(()),
        _ => None,
    });
}

#[test]
fn a_shutdown_ends_legs_and_brings_recordings_to_disk_before_the_events_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(dir.path(), 28_400..=28_499);
    let caller = phone();
    bench.open(CALLER);
    bench.command(Command::AddRtp { leg: CALLER, params: Some(params(&caller)) });
    bench.command(Command::Hear { leg: CALLER, source: Source::Silence });
    bench.command(Command::Record { leg: CALLER, recording: RECORDING, max_ms: 60_000, silence_ms: None });
    listen(&caller, 4_000);
    bench.handle.send(ToMedia::Shutdown);

    let path = bench.wait(|event| match event {
        FromMedia::Recorded { path, .. } => Some(path.clone()),
        _ => None,
    });
    assert!(hound::WavReader::open(dir.path().join(path)).unwrap().duration() > 3_000);
    assert_eq!(bench.events.blocking_recv(), None);
    bench.command(Command::Remove { leg: CALLER });
}
