//! `GET /core/calls`.

use serde::{Deserialize, Serialize};

use crate::call::CallView;

/// A page of calls, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallPage {
    /// The calls.
    pub calls: Vec<CallView>,
    /// Cursor of the next page; null at the end.
    pub next: Option<String>,
}
