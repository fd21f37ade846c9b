//! Telephones: [`Baresip`], a real SIP phone that plays a tone and records what it hears, [`Linphone`] and [`Rsip`], other
//! makes of phone, [`sipp`], a scripted peer that places many calls, [`Caller`], one caller by the same program, and
//! [`Softphone`], one of our own that does on command what the others cannot.

mod baresip;
mod caller;
mod linphone;
mod rsip;
pub mod sipp;
mod softphone;

use std::time::Duration;

use anyhow::{Result, ensure};

pub use self::baresip::{Baresip, TONE_AMPLITUDE};
pub use self::caller::{Caller, Plan};
pub use self::linphone::Linphone;
pub use self::rsip::{Rsip, RsipCall};
pub use self::softphone::{Direction, Line, Manner, Message, Softphone, State};
use crate::stack::SOON;
use crate::wait::until;

/// Waits until a phone has heard so much more, by a measure of what it has heard.
async fn expect_more(more: Duration, heard: impl Fn() -> Result<Duration>) -> Result<()> {
    let wanted = heard()? + more;
    // As long again: sound comes in its own time, whatever the machine does.
    until(&format!("{} ms more sound", more.as_millis()), more * 2 + SOON, async || {
        let missing = wanted.saturating_sub(heard()?);
        ensure!(missing.is_zero(), "{} ms are missing", missing.as_millis());
        anyhow::Ok(())
    })
    .await
}
