//! Sending a file, with how much of it has gone. `fetch` does not tell that.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Promise;
use wasm_bindgen::JsCast;
use wasm_bindgen::JsValue;
use wasm_bindgen::closure::Closure;
use wasm_bindgen_futures::JsFuture;
use web_sys::{File, HtmlInputElement, ProgressEvent, XmlHttpRequest};

use super::window;
use crate::api::{Answer, ApiError};

/// Hears that a request is over, whichever way.
type Settled = Closure<dyn FnMut()>;

/// The file that is chosen in a field.
pub(crate) fn chosen(field: &str) -> Option<File> {
    let field = window().document()?.get_element_by_id(field)?.dyn_into::<HtmlInputElement>().ok()?;
    field.files()?.get(0)
}

/// A file's size in bytes.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size is a whole number of bytes")]
pub(crate) fn size(file: &File) -> u64 {
    file.size() as u64
}

/// Posts a file as it is, and says in percent how much has gone.
pub(crate) async fn send(path: &str, file: &File, progress: impl Fn(u8) + 'static) -> Result<Answer, ApiError> {
    let request = XmlHttpRequest::new().map_err(|_| ApiError::Offline)?;
    let opened = request.open("POST", path).and_then(|()| {
        request.set_request_header("idempotency-key", &super::uuid())?;
        request.set_request_header("content-type", "application/octet-stream")
    });
    opened.map_err(|_| ApiError::Offline)?;
    let gone = Closure::<dyn FnMut(ProgressEvent)>::new(move |event: ProgressEvent| progress(percent(&event)));
    if let Ok(upload) = request.upload() {
        upload.set_onprogress(Some(gone.as_ref().unchecked_ref()));
    }
    let settled: Rc<RefCell<Option<Settled>>> = Rc::default();
    let over = Promise::new(&mut |resolve, _| {
        let over = Settled::new(move || {
            // A promise is settled once; what comes after is of no use.
            let _ = resolve.call0(&JsValue::NULL);
        });
        request.set_onloadend(Some(over.as_ref().unchecked_ref()));
        settled.replace(Some(over));
    });
    request.send_with_opt_blob(Some(file)).map_err(|_| ApiError::Offline)?;
    let waited = JsFuture::from(over).await;
    drop((gone, settled));
    if waited.is_err() {
        return Err(ApiError::Offline);
    }
    // 0: it never got there.
    let status = request.status().unwrap_or_default();
    let text = request.response_text().ok().flatten().unwrap_or_default();
    Answer::of(status, text)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 100")]
fn percent(event: &ProgressEvent) -> u8 {
    let total = event.total();
    if total > 0.0 { (event.loaded() / total * 100.0).clamp(0.0, 100.0) as u8 } else { 0 }
}
