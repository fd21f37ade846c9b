//! Two hundred calls to a number that goes to voicemail, forty at a time: all answered, all logged, nothing left behind.

use std::time::Duration;

use anyhow::ensure;
use cordboard_e2e::journey::journey_within;
use cordboard_e2e::log;
use cordboard_e2e::phone::sipp::{self, Load};
use cordboard_e2e::wait::until;
use serde_json::json;
use tokio::time::sleep;

const SUPPORT: &str = "+442079460102";
/// Long enough for the greeting, the beep, and a message of two seconds.
const MESSAGE: Duration = Duration::from_millis(7_500);
/// Memory may have grown by this much after the first fifty calls, in bytes.
const GROWTH: u64 = 20 * 1_024 * 1_024;
/// After this the last transaction timers have run out (RFC 3261, timer J and the like: 32 s).
const QUIET: Duration = Duration::from_secs(40);

#[test]
fn two_hundred_calls_are_answered_and_leave_nothing_behind() {
    journey_within(Duration::from_mins(10), "load", async |journey| {
        let stack = journey.stack().await?;
        let api = stack.api_as("Meera")?;
        let load =
            |calls| Load { number: SUPPORT, server: stack.sip, calls, at_once: 40, talk: MESSAGE, per_second: 20 };

        sipp::place(journey, load(50)).await?;
        let after_fifty = stack.resident_memory()?;
        sipp::place(journey, load(150)).await?;
        sleep(QUIET).await;

        for gauge in ["cordboard_calls_active", "cordboard_legs_active", "cordboard_stuck_agents"] {
            until(&format!("{gauge} to be 0"), Duration::from_secs(1), async || {
                let value = api.metric(gauge).await?;
                ensure!(value == 0.0, "it is {value}");
                anyhow::Ok(())
            })
            .await?;
        }
        let at_the_end = stack.resident_memory()?;
        ensure!(
            at_the_end <= after_fifty + GROWTH,
            "memory grew from {after_fifty} to {at_the_end} bytes between call 50 and the end"
        );

        let calls = api.all_calls().await?;
        ensure!(calls.len() == 200, "{} calls are logged", calls.len());
        let mut seen: Vec<&str> = calls.iter().filter_map(|call| call["uid"].as_str()).collect();
        ensure!(seen.is_sorted_by(|newer, older| newer > older), "the log is not newest first, each call once");
        seen.dedup();
        ensure!(seen.len() == 200, "a call stands twice in the log");
        for call in &calls {
            log::expect(
                call,
                &[
                    ("/state", json!("ended")),
                    ("/result", json!("voicemail")),
                    ("/ended_by", json!("caller")),
                    ("/sip_status", json!(200)),
                ],
            )?;
        }
        stack.program().check()?;
        ensure!(!stack.program().output().contains("panicked"), "the server panicked");
        Ok(())
    });
}
