//! `POST /core/test-calls`: a real inbound call without a phone.

use serde::{Deserialize, Serialize};

use crate::id::CallId;
use crate::phone::E164;

/// Which of the account's numbers to call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceTestCall {
    /// The number.
    pub to: E164,
}

/// The call it made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestCallPlaced {
    /// As in the call log.
    pub uid: CallId,
}
