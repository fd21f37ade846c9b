//! Other people's proxies: calls through them, in which both sides hear each other and not themselves.

use anyhow::ensure;
use cordboard_e2e::journey::journey;
use cordboard_e2e::office::{ASHA_DIRECT, Office};
use cordboard_e2e::phone::Softphone;
use cordboard_e2e::proxy::Proxy;
use cordboard_e2e::stack::SOON;

const CALLER_TONE: f64 = 440.0;
const ASHA_TONE: f64 = 1_000.0;

#[test]
fn a_proxy_in_front_stays_on_the_path() {
    journey("kamailio", async |journey| {
        let office = Office::open(journey).await?;
        let phone = office.desk_phone("Asha", "1003", ASHA_TONE).await?;
        let proxy = Proxy::start(journey, office.stack.sip).await?;
        // Either side hangs up once: the BYE of each must find the way through the proxy.
        for by_caller in [true, false] {
            let caller = Softphone::open("+447700900972", proxy.port, CALLER_TONE)?;
            let before = phone.calls();
            let far = caller.dial(ASHA_DIRECT)?;
            let near = phone.expect_call(before, SOON).await?;
            far.expect_hears(ASHA_TONE, &[], SOON).await?;
            near.expect_hears(CALLER_TONE, &[], SOON).await?;
            if by_caller {
                far.hang_up()?;
                near.expect_over(SOON).await?;
            } else {
                near.hang_up()?;
                far.expect_over(SOON).await?;
                let bye = caller.requests("BYE");
                ensure!(bye.len() == 1, "{} BYEs came", bye.len());
                // Kamailio's own Via on top of ours.
                ensure!(bye[0].all("via").count() == 2, "it did not come by the proxy: {:?}", bye[0].headers);
            }
            office.expect_no_calls().await?;
        }
        Ok(())
    });
}
