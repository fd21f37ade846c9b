//! Telephones: [`Baresip`], a real SIP phone that plays a tone and records what it hears, and [`sipp`], a scripted
//! peer that places many calls.

mod baresip;
pub mod sipp;

pub use self::baresip::{Baresip, TONE_AMPLITUDE};
