//! `GET` and `POST /core/calls`.

use serde::{Deserialize, Serialize};

use crate::call::CallView;
use crate::id::{CallId, DepartmentId};

/// A page of calls, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallPage {
    /// The calls.
    pub calls: Vec<CallView>,
    /// Cursor of the next page; null at the end.
    pub next: Option<String>,
}

/// Click-to-call: the own device is called first, then the other side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceCall {
    /// A number, as people write it, or an extension.
    pub to: String,
    /// The department whose number is shown; none is the first of one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<DepartmentId>,
    /// The own device, by [`DeviceView::id`](crate::event::DeviceView::id); none is a desk phone that is there, else the
    /// tab that rings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

/// The call it made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallPlaced {
    /// As in the call log.
    pub uid: CallId,
}
