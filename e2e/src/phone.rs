//! Telephones: [`Baresip`], a real SIP phone that plays a tone and records what it hears, [`sipp`], a
//! scripted peer that places many calls, and [`Caller`], one caller on the wire by the same program.

mod baresip;
mod caller;
pub mod sipp;

pub use self::baresip::{Baresip, TONE_AMPLITUDE};
pub use self::caller::{Caller, Plan};
