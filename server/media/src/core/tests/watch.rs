//! Verdicts, lost media, and the reports of RTCP.

use super::bench::{AGENT, Bench, CALLER, Network, config, params};
use crate::core::{BrowserCodecs, CoreConfig, Input};
use crate::rtcp;
use crate::{AudioVerdict, Codec, Command, Event, Flow, LegId, RtcpTo, RtpParams, Source};

fn verdicts(bench: &Bench, of: LegId) -> Vec<(u64, AudioVerdict)> {
    bench
        .events
        .iter()
        .filter_map(|(at, event)| match event {
            Event::Audio { leg, verdict } if *leg == of => Some((*at, *verdict)),
            _ => None,
        })
        .collect()
}

fn desk() -> Bench {
    let mut bench = Bench::new();
    bench.add_phone(CALLER, Codec::Pcmu, 440.0);
    bench.add_browser(AGENT, &[Codec::Pcmu], 1_000.0);
    bench.join(CALLER, AGENT);
    bench
}

#[test]
fn a_good_call_says_nothing() {
    let mut bench = desk();
    bench.run(30_000);

    assert_eq!((verdicts(&bench, CALLER), verdicts(&bench, AGENT)), (vec![], vec![]));
}

#[test]
fn a_microphone_that_gives_nothing_is_named_within_two_seconds_of_the_gate() {
    let mut bench = desk();
    bench.command(Command::Gate { leg: AGENT, open: false });
    bench.browsers.get_mut(&AGENT).unwrap().level = 0.0;
    bench.run(5_000);
    assert_eq!(verdicts(&bench, AGENT), [], "behind the gate it may be silent");

    let opened = bench.ms();
    bench.command(Command::Gate { leg: AGENT, open: true });
    bench.run(5_000);
    let [(at, AudioVerdict::MicrophoneSilent)] = verdicts(&bench, AGENT)[..] else {
        panic!("{:?}", verdicts(&bench, AGENT));
    };
    assert!(at - opened <= 2_000, "{} ms", at - opened);
    assert_eq!(verdicts(&bench, CALLER), [], "a caller may be silent");

    bench.clear();
    bench.browsers.get_mut(&AGENT).unwrap().level = 20.0;
    bench.run(1_000);
    assert_eq!(
        verdicts(&bench, AGENT).into_iter().map(|(_, verdict)| verdict).collect::<Vec<_>>(),
        [AudioVerdict::Fine]
    );
}

#[test]
fn a_microphone_in_opus_is_called_silent_only_where_that_is_known() {
    for (phone, named) in [(Codec::Opus, false), (Codec::Pcmu, true)] {
        let mut bench = Bench::with(CoreConfig { browser_codecs: BrowserCodecs::G711, ..config() });
        bench.command(Command::SetBrowserCodecs(BrowserCodecs::Opus));
        bench.add_phone(CALLER, phone, 440.0);
        bench.add_browser(AGENT, &[Codec::Pcmu], 1_000.0);
        bench.join(CALLER, AGENT);
        bench.run(5_000);
        assert_eq!(verdicts(&bench, AGENT), [], "{phone:?}: it speaks");

        bench.browsers.get_mut(&AGENT).unwrap().level = 0.0;
        bench.run(5_000);
        let said = verdicts(&bench, AGENT);
        if named {
            assert!(matches!(said[..], [(_, AudioVerdict::MicrophoneSilent)]), "{said:?}");
        } else {
            assert_eq!(said, [], "what is passed on as it is tells nothing");
        }
    }
}

#[test]
fn a_browser_that_says_how_loud_it_is_need_not_be_decoded() {
    let mut bench = Bench::with(CoreConfig { browser_codecs: BrowserCodecs::Opus, ..config() });
    bench.add_phone(CALLER, Codec::Opus, 440.0);
    bench.add_browser(AGENT, &[Codec::Pcmu], 1_000.0);
    bench.join(CALLER, AGENT);
    bench.browsers.get_mut(&AGENT).unwrap().says = Some(-30);
    bench.run(5_000);
    assert_eq!(verdicts(&bench, AGENT), []);

    bench.browsers.get_mut(&AGENT).unwrap().says = Some(-127);
    bench.run(3_000);
    let said = verdicts(&bench, AGENT);
    assert!(matches!(said[..], [(_, AudioVerdict::MicrophoneSilent)]), "{said:?}");
}

#[test]
fn packets_that_stay_away_are_named_by_whose_they_are() {
    let mut bench = desk();
    bench.run(1_000);
    let since = bench.ms();
    bench.phones.get_mut(&CALLER).unwrap().tone = None;
    bench.browsers.get_mut(&AGENT).unwrap().tone = None;
    bench.run(4_000);
    let ([(carrier, AudioVerdict::NothingFromCarrier)], [(browser, AudioVerdict::NothingFromBrowser)]) =
        (&verdicts(&bench, CALLER)[..], &verdicts(&bench, AGENT)[..])
    else {
        panic!("{:?}", bench.events);
    };
    assert!(carrier - since <= 2_000 && browser - since <= 2_000);

    bench.clear();
    let now = bench.now;
    let phone = bench.phones.get_mut(&CALLER).unwrap();
    phone.tone = Some(440.0);
    phone.speak_from(now);
    bench.run(1_000);
    assert_eq!(verdicts(&bench, CALLER).len(), 1);
    assert_eq!(verdicts(&bench, CALLER)[0].1, AudioVerdict::Fine);
}

#[test]
fn a_poor_network_is_named_and_so_is_its_end() {
    let mut bench = desk();
    bench.run(1_000);
    let since = bench.ms();
    bench.network = Some(Network::new(15, 20, 3));
    bench.run(10_000);
    let [(at, AudioVerdict::NetworkPoor)] = verdicts(&bench, CALLER)[..] else {
        panic!("{:?}", verdicts(&bench, CALLER));
    };
    assert!(at - since <= 2_200, "{} ms", at - since);

    bench.clear();
    bench.network = Some(Network::new(0, 2, 3));
    bench.run(10_000);
    assert_eq!(
        verdicts(&bench, CALLER).into_iter().map(|(_, verdict)| verdict).collect::<Vec<_>>(),
        [AudioVerdict::Fine]
    );
}

#[test]
fn a_phone_that_is_gone_is_lost_once_and_back_at_its_first_packet() {
    let mut bench = Bench::new();
    bench.add_phone(CALLER, Codec::Pcmu, 440.0);
    bench.command(Command::Hear { leg: CALLER, source: Source::Silence });
    bench.run(1_000);
    bench.phones.get_mut(&CALLER).unwrap().tone = None;
    bench.run(40_000);
    let lost: Vec<u64> = bench
        .events
        .iter()
        .filter(|(_, event)| *event == Event::MediaLost { leg: CALLER })
        .map(|(at, _)| *at)
        .collect();
    assert!(lost.len() == 1 && (10_900..=11_300).contains(&lost[0]), "{lost:?}");

    let now = bench.now;
    let phone = bench.phones.get_mut(&CALLER).unwrap();
    phone.tone = Some(440.0);
    phone.speak_from(now);
    bench.run(20);
    assert!(bench.has_event(&Event::MediaBack { leg: CALLER }));
}

#[test]
fn a_phone_on_hold_or_not_yet_sent_to_is_not_missed() {
    for flow in [Some(Flow::Send), Some(Flow::Neither), None] {
        let mut bench = Bench::new();
        bench.add_phone(CALLER, Codec::Pcmu, 440.0);
        bench.phones.get_mut(&CALLER).unwrap().tone = None;
        if let Some(flow) = flow {
            let params = RtpParams { flow, ..params(bench.phones[&CALLER].address, Codec::Pcmu) };
            bench.command(Command::UpdateRtp { leg: CALLER, params });
            bench.command(Command::Hear { leg: CALLER, source: Source::Silence });
        }
        bench.run(60_000);

        assert!(!bench.has_event(&Event::MediaLost { leg: CALLER }), "{flow:?}");
        let sent = bench.phones[&CALLER].got.len();
        assert_eq!(sent > 2_900, flow == Some(Flow::Send), "{flow:?}: {sent} packets");
    }
}

#[test]
fn reports_go_out_come_in_and_say_goodbye() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.run(5_010);
    let (_, to, bytes) = bench.reports.iter().find(|(leg, ..)| *leg == CALLER).cloned().unwrap();
    let phone = bench.phones[&CALLER].address;
    assert_eq!((to.ip(), to.port()), (phone.ip(), phone.port() + 1));
    let told = rtcp::parse(&bytes, 0xabc).unwrap();
    let block = told.block.unwrap();
    assert_eq!((block.lost, block.fraction, block.last_report), (0, 0, 0));
    assert_eq!(block.highest, 65_500 + 249);
    let ours = u32::from_be_bytes(bytes[4..8].try_into().unwrap());

    // The phone answers 100 ms later, having waited 40 ms: the way there and back takes 60.
    bench.run(100);
    let answer = rtcp::Block {
        ssrc: ours,
        lost: 7,
        last_report: told.sender_time.unwrap(),
        since: 65_536 * 4 / 100,
        ..rtcp::Block::default()
    };
    let report = rtcp::compound(0xabc, None, Some(answer), "phone", false);
    bench.input(Input::Rtcp { leg: CALLER, from: "192.0.2.99:5".parse().unwrap(), bytes: &report });
    bench.input(Input::Rtcp { leg: CALLER, from: to, bytes: &report });
    let stats = bench.core.stats(CALLER);
    assert_eq!(stats.remote_lost, 7);
    assert!((68_000..=71_000).contains(&stats.rtt_us.unwrap()), "{:?}", stats.rtt_us);
    assert_eq!(stats.refused, 1, "the stranger");

    bench.reports.clear();
    bench.command(Command::Remove { leg: CALLER });
    assert!(rtcp::parse(&bench.reports[0].2, 0).unwrap().goodbye);
}

#[test]
fn reports_share_the_port_of_the_audio_where_that_was_agreed_on() {
    let mut bench = Bench::new();
    bench.add_phone(CALLER, Codec::Pcmu, 440.0);
    let address = bench.phones[&CALLER].address;
    bench.command(Command::UpdateRtp {
        leg: CALLER,
        params: RtpParams { rtcp: RtcpTo::Mux, ..params(address, Codec::Pcmu) },
    });
    bench.phones.get_mut(&CALLER).unwrap().takes_reports = true;
    bench.run(5_010);
    assert_eq!(bench.phones[&CALLER].muxed_reports, 1);
    assert!(bench.reports.is_empty());

    let ours = rtcp::compound(0xabc, None, None, "phone", false);
    bench.input(Input::Rtp { leg: CALLER, from: address, bytes: &ours });
    assert_eq!(bench.core.stats(CALLER).refused, 0);
}
