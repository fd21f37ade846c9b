//! People who take call after call: each is answered, held, taken back, handed to a colleague and hung up.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use cordboard_e2e::office::Office;
use cordboard_e2e::phone::{Direction, Softphone};
use cordboard_e2e::stack::SOON;
use cordboard_e2e::telephony::has_step;
use tokio::time::sleep;

const CALLER_TONE: f64 = 440.0;
/// Who takes calls, and who gets them: first name, extension, desk phone, tone.
const PEOPLE: [[(&str, &str, &str, f64); 2]; 3] = [
    [("Riya", "22", "1101", 620.0), ("Tom", "24", "1104", 1_150.0)],
    [("Dev", "23", "1102", 700.0), ("Nadia", "25", "1105", 1_300.0)],
    [("Ken", "26", "1103", 780.0), ("Luis", "13", "1106", 1_450.0)],
];
/// Between two calls.
const BREATH: Duration = Duration::from_millis(300);
/// More failures than this are not told one by one.
const MOST_TOLD: usize = 20;

/// What came of all calls.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) placed: u32,
    pub(crate) completed: usize,
    pub(crate) failures: Vec<String>,
}

/// Somebody who takes calls, and a colleague.
pub(crate) struct Pair {
    extension: &'static str,
    taker: Softphone,
    colleague_extension: &'static str,
    colleague: Softphone,
}

/// Everybody, with their desk phones registered.
pub(crate) async fn pairs(office: &Office<'_>) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    for [(who, extension, user, tone), (colleague, colleague_extension, colleague_user, colleague_tone)] in PEOPLE {
        pairs.push(Pair {
            extension,
            taker: office.desk_phone(who, user, tone).await?,
            colleague_extension,
            colleague: office.desk_phone(colleague, colleague_user, colleague_tone).await?,
        });
    }
    Ok(pairs)
}

/// One call after the other until then.
pub(crate) async fn keep_calling(office: &Office<'_>, pair: &Pair, until: Instant, tally: &RefCell<Tally>) {
    while Instant::now() < until {
        let number = {
            let mut tally = tally.borrow_mut();
            tally.placed += 1;
            tally.placed
        };
        let outcome = one_call(office, pair, number).await;
        {
            let mut tally = tally.borrow_mut();
            match outcome {
                Ok(()) => tally.completed += 1,
                Err(error) if tally.failures.len() < MOST_TOLD => {
                    tally.failures.push(format!("call {number} to {}: {error:#}", pair.taker.number));
                }
                Err(_) => {}
            }
        }
        sleep(BREATH).await;
    }
}

async fn one_call(office: &Office<'_>, pair: &Pair, number: u32) -> Result<()> {
    let caller = Softphone::open(&format!("+44770091{number:04}"), office.stack.sip, CALLER_TONE)?;
    let talk = office.connect(&caller, &format!("442079460101,{}", pair.extension), &pair.taker).await?;
    // Whatever goes wrong from here on, the call ends with its caller.
    let outcome = async {
        talk.person.offer(Direction::SendOnly, SOON).await?;
        talk.caller.expect_other_sound(&[pair.taker.tone], SOON).await?;
        talk.person.expect_silence(SOON).await?;
        talk.person.offer(Direction::SendRecv, SOON).await?;
        talk.expect_both_hear(CALLER_TONE, pair.taker.tone, &[]).await?;

        let before = pair.colleague.calls();
        talk.person.refer(&format!("sip:{}@127.0.0.1:{}", pair.colleague_extension, office.stack.sip), None)?;
        let there = pair.colleague.expect_call(before, SOON).await?;
        there.expect_hears(CALLER_TONE, &[], SOON).await?;
        talk.caller.expect_hears(pair.colleague.tone, &[pair.taker.tone], SOON).await?;
        // Either side hangs up.
        if number.is_multiple_of(2) {
            talk.caller.hang_up()?;
            there.expect_over(SOON).await?;
        } else {
            there.hang_up()?;
            talk.caller.expect_over(SOON).await?;
        }
        let call = office.expect_ended(&talk.uid).await?;
        ensure!(has_step(&call, "transfer"), "the record has no transfer: {call:#}");
        Ok(())
    };
    let outcome = outcome.await;
    if outcome.is_err() {
        talk.caller.hang_up()?;
    }
    outcome
}
