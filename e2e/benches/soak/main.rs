//! The soak: calls are placed, answered, held, transferred and hung up without a pause, each party by its tone, while one
//! call is held all the time and its sequence numbers roll over. Every ten seconds the server's memory and tables are
//! looked at. It ends with a report, and fails when something grew, was stuck, or could not be heard.
//!
//! `cargo xtask soak [MINUTES]` builds the release and runs this. Everything is on loopback.

mod held;
mod load;

use std::cell::RefCell;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use cordboard_e2e::desk::{Desk, Habit};
use cordboard_e2e::journey::{Journey, journey_within};
use cordboard_e2e::office::Office;
use cordboard_e2e::soak::{Sample, grown, megabytes};
use serde_json::json;
use tokio::time::{interval, sleep};

use crate::load::Tally;

/// How long a call is held unless another time is asked for.
const MINUTES: f64 = 30.0;
/// The shortest and the longest soak, in minutes.
const LEAST: f64 = 0.5;
const MOST: f64 = 240.0;
/// How often the server is looked at.
const LOOK: Duration = Duration::from_secs(10);
/// After this the last transaction timers have run out (RFC 3261, timer J and the like: 32 s).
const QUIET: Duration = Duration::from_secs(40);

fn main() -> ExitCode {
    let minutes = std::env::args().skip(1).find_map(|argument| argument.parse::<f64>().ok()).unwrap_or(MINUTES);
    let span = Duration::from_secs_f64(minutes.clamp(LEAST, MOST) * 60.0);
    let limit = span + Duration::from_mins(5);
    let run = || journey_within(limit, "soak", async |journey| soak(journey, span).await);
    // The reasons were printed when it panicked.
    if std::panic::catch_unwind(run).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn soak(journey: &Journey, span: Duration) -> Result<()> {
    let office = Office::open(journey).await?;
    office.change_telephony(|telephony| telephony["direct_dialing"] = json!(true)).await?;
    let phone = office.desk_phone("Asha", "1100", held::ASHA_TONE).await?;
    let asha = Desk::open(&office.stack, "Asha", Habit::Watches).await?;
    let pairs = load::pairs(&office).await?;
    say(&format!("{} calls at once and one held call, for {} s", pairs.len(), span.as_secs()))?;

    let begun = Instant::now();
    let until = begun + span;
    let tally = RefCell::new(Tally::default());
    let talking = async {
        let workers = pairs.iter().map(|pair| load::keep_calling(&office, pair, until, &tally));
        let (held, _) =
            tokio::join!(held::hold(&office, &asha, &phone, until), futures_util::future::join_all(workers));
        held
    };
    let samples = RefCell::new(Vec::new());
    let held = tokio::select! {
        // It only ends when the server cannot be looked at any more.
        Err(error) = sample(&office, begun, &tally, &samples) => return Err(error),
        held = talking => held,
    };
    let samples = samples.into_inner();
    say(&format!("waiting {} s for the last timers", QUIET.as_secs()))?;
    sleep(QUIET).await;
    let last = look(&office, begun).await?;
    say(&last.line())?;

    let tally = tally.into_inner();
    let mut wrong = grown(&samples);
    wrong.extend(tally.failures.iter().cloned());
    match &held {
        Ok(report) => say(&report.line())?,
        Err(error) => wrong.push(format!("the held call: {error:#}")),
    }
    wrong.extend(last.left_behind().iter().map(|(what, count)| format!("{count} {what} were left behind")));
    wrong.extend(records(&office, tally.completed + usize::from(held.is_ok())).await.err().map(|it| format!("{it:#}")));
    if office.stack.program().output().contains("panicked") {
        wrong.push("the server panicked".to_owned());
    }
    let memory = |sample: Option<&Sample>| sample.map_or(0.0, |sample| megabytes(sample.memory));
    say(&format!(
        "{} calls completed, each answered, held, taken back, transferred and hung up; memory {:.1} MB at the first look, \
         {:.1} MB at the last, {:.1} MB at rest",
        tally.completed,
        memory(samples.first()),
        memory(samples.last()),
        megabytes(last.memory)
    ))?;
    ensure!(wrong.is_empty(), "{} things are wrong:\n  - {}", wrong.len(), wrong.join("\n  - "));
    say("nothing grew, nothing was stuck, everybody was heard")
}

/// Looks at the server until the load is over, which ends this too.
async fn sample(
    office: &Office<'_>,
    begun: Instant,
    tally: &RefCell<Tally>,
    samples: &RefCell<Vec<Sample>>,
) -> Result<()> {
    let mut tick = interval(LOOK);
    tick.tick().await;
    loop {
        tick.tick().await;
        let sample = look(office, begun).await?;
        let (completed, failed) = (tally.borrow().completed, tally.borrow().failures.len());
        say(&format!("{}  completed {completed:>4}  failed {failed}", sample.line()))?;
        samples.borrow_mut().push(sample);
    }
}

async fn look(office: &Office<'_>, begun: Instant) -> Result<Sample> {
    let page = office.admin.get("/metrics").await?.text();
    let gauge = |name: &str| {
        let value =
            page.lines().find_map(|line| line.strip_prefix("cordboard_")?.strip_prefix(name)?.strip_prefix(' '));
        value.and_then(|value| value.trim().parse().ok()).with_context(|| format!("no metric {name}"))
    };
    Ok(Sample {
        at: begun.elapsed(),
        memory: office.stack.resident_memory()?,
        calls: gauge("calls_active")?,
        legs: gauge("legs_active")?,
        transactions: gauge("sip_transactions")?,
        dialogs: gauge("sip_dialogs")?,
        timers: gauge("sip_timers")?,
        media_legs: gauge("media_legs")?,
        stuck: gauge("stuck_agents")?,
    })
}

/// Every call has its record, and every record has ended.
async fn records(office: &Office<'_>, completed: usize) -> Result<()> {
    let calls = office.admin.all_calls().await?;
    ensure!(calls.len() >= completed, "{} records of {completed} completed calls", calls.len());
    let open = calls.iter().filter(|call| call["state"] != "ended").count();
    ensure!(open == 0, "{open} records have not ended");
    Ok(())
}

/// Tells the person who waits.
fn say(text: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}
