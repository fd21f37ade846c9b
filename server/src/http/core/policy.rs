//! `GET /core/{departments,numbers,trunks}` and `/{id}`: the account as everybody in it sees it.

use axum::Json;
use axum::extract::{Path, State};
use cordboard_shared::ProblemCode;
use serde::Serialize;
use serde_json::{Value, json};

use crate::app::{Directory, without_secrets};
use crate::http::{ApiError, Caller, HttpState};
use crate::rights;

/// Makes the two handlers of a resource: the whole list, and the item that fits the path's id.
macro_rules! resource {
    ($list:ident, $one:ident, $directory:ident => $items:expr, |$item:ident, $id:ident| $fits:expr) => {
        #[doc = concat!("`GET /core/", stringify!($list), "`")]
        pub(in crate::http) async fn $list(
            State(state): State<HttpState>,
            caller: Caller,
        ) -> Result<Json<Value>, ApiError> {
            caller.require(rights::POLICY_READ)?;
            caller.count_list(&state)?;
            let $directory: &Directory = &state.app.directory();
            Ok(Json(json!({ stringify!($list): $items.collect::<Vec<_>>() })))
        }

        #[doc = concat!("`GET /core/", stringify!($list), "/{id}`")]
        pub(in crate::http) async fn $one(
            State(state): State<HttpState>,
            caller: Caller,
            Path($id): Path<String>,
        ) -> Result<Json<Value>, ApiError> {
            caller.require(rights::POLICY_READ)?;
            caller.count_read(&state)?;
            let $directory: &Directory = &state.app.directory();
            one($items.find(|$item| $fits))
        }
    };
}

resource!(departments, department, directory => directory.departments.iter(), |item, id| {
    item.id.to_string() == id || item.slug == id
});
resource!(numbers, number, directory => directory.numbers.iter(), |item, id| item.id.to_string() == id);
resource!(trunks, trunk, directory => without_secrets(&directory.telephony).trunks.into_iter(), |item, id| item.id.to_string() == id);

fn one<T: Serialize>(item: Option<T>) -> Result<Json<Value>, ApiError> {
    let item = item.ok_or_else(|| ApiError::new(ProblemCode::NotFound, "There is no such thing in this account."))?;
    serde_json::to_value(item).map(Json).map_err(|_| ApiError::new(ProblemCode::Internal, "It cannot be shown."))
}
