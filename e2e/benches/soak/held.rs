//! One call that is held all the time. Its sequence numbers begin near the largest and roll over meanwhile; the caller
//! hears music without a gap, in time with the clock, and both hear each other again at the end.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use cordboard_e2e::desk::Desk;
use cordboard_e2e::office::{ASHA_DIRECT, Office};
use cordboard_e2e::phone::Softphone;
use cordboard_e2e::soak::{drift_ppm, keeps_time};
use cordboard_e2e::stack::SOON;
use serde_json::json;
use tokio::time::sleep;

pub(crate) const ASHA_TONE: f64 = 1_000.0;
const CALLER_TONE: f64 = 440.0;
const CALLER: &str = "+447700900501";
/// The caller's first sequence number: ten seconds before the largest.
const FIRST_SEQUENCE: u16 = u16::MAX - 500;
/// How often the music is listened to.
const LISTEN: Duration = Duration::from_secs(10);
/// G.711's sampling rate.
const RATE: u32 = 8_000;
/// So much of a hundred seconds of music may be missing on a machine that has more to do: frames that come too late to be
/// of use are left out.
const MISSING_OF_HUNDRED: f64 = 1.0;

/// How the call was.
#[derive(Debug)]
pub(crate) struct Report {
    held: Duration,
    ppm: f64,
    jitter: Duration,
    lost: usize,
    /// Seconds of the stream's own time that were not heard.
    missing: f64,
    sequence: u16,
}

impl Report {
    pub(crate) fn line(&self) -> String {
        format!(
            "held for {:.0} s, sequence numbers from {FIRST_SEQUENCE} over the largest to {}; music's clock {:+.0} ppm, \
             jitter {:.1} ms, {} packets lost, {:.2} s of music left out; sound both ways again",
            self.held.as_secs_f64(),
            self.sequence,
            self.ppm,
            self.jitter.as_secs_f64() * 1_000.0,
            self.lost,
            self.missing
        )
    }
}

/// Places the call, holds it until then, takes it back, and hangs up.
pub(crate) async fn hold(office: &Office<'_>, asha: &Desk, phone: &Softphone, until: Instant) -> Result<Report> {
    let caller = Softphone::open(CALLER, office.stack.sip, CALLER_TONE)?;
    caller.keep_sending_while_held();
    caller.begin_sequences_at(FIRST_SEQUENCE);
    let talk = office.connect(&caller, ASHA_DIRECT, phone).await?;
    asha.must("call.hold", &json!({ "call": talk.uid })).await?;
    talk.caller.expect_held(true, SOON).await?;
    talk.caller.expect_other_sound(&[ASHA_TONE], SOON).await?;

    let ((begun, stamp), mark) = (talk.caller.clock()?, talk.caller.mark());
    let lost_before = talk.caller.jitter_and_loss().1;
    while Instant::now() < until {
        sleep(LISTEN.min(until.saturating_duration_since(Instant::now()))).await;
        talk.caller.expect_other_sound(&[ASHA_TONE], SOON).await?;
    }
    let ((ended, last), heard) = (talk.caller.clock()?, talk.caller.mark() - mark);
    let (held, went_on) = (ended.saturating_duration_since(begun), last.wrapping_sub(stamp));
    let (jitter, lost) = talk.caller.jitter_and_loss();
    let lost = lost - lost_before;
    let sequence = talk.caller.next_sequence();
    ensure!(sequence < FIRST_SEQUENCE, "the sequence numbers have not rolled over: the next is {sequence}");

    asha.must("call.resume", &json!({ "call": talk.uid })).await?;
    talk.caller.expect_held(false, SOON).await?;
    talk.expect_both_hear(CALLER_TONE, ASHA_TONE, &[]).await?;
    asha.must("call.hangup", &json!({ "call": talk.uid })).await?;
    talk.caller.expect_over(SOON).await?;
    office.expect_ended(&talk.uid).await?;

    let ppm = drift_ppm(went_on, RATE, held);
    ensure!(keeps_time(ppm, held), "the music's clock is {ppm:+.0} ppm off over {} s", held.as_secs());
    let heard = f64::from(u32::try_from(heard)?) / f64::from(RATE);
    let missing = (f64::from(went_on) / f64::from(RATE) - heard).max(0.0);
    ensure!(
        missing * 100.0 <= held.as_secs_f64() * MISSING_OF_HUNDRED,
        "{missing:.2} s of {} s of music are missing, {lost} packets by their numbers",
        held.as_secs()
    );
    Ok(Report { held, ppm, jitter, lost, missing, sequence })
}
