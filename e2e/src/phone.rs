//! Telephones: [`Baresip`], a real SIP phone that plays a tone and records what it hears, [`sipp`], a
//! scripted peer that places many calls, [`Linphone`] and [`Rsip`], other makes of phone, [`Caller`], one caller on the wire by the same program, and [`Softphone`], one of
//! our own that does on command what the others cannot.

mod baresip;
mod caller;
mod linphone;
mod rsip;
pub mod sipp;
mod softphone;

pub use self::baresip::{Baresip, TONE_AMPLITUDE};
pub use self::caller::{Caller, Plan};
pub use self::linphone::Linphone;
pub use self::rsip::{Rsip, RsipCall};
pub use self::softphone::{Direction, Line, Manner, Message, Softphone, State};
