//! A WebSocket that speaks text, closed when dropped.

use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{CloseEvent, MessageEvent, WebSocket};

use super::window;

/// An open socket with its listeners.
pub(crate) struct Socket {
    inner: WebSocket,
    _open: Closure<dyn FnMut()>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _close: Closure<dyn FnMut(CloseEvent)>,
}

impl Socket {
    /// Opens a socket to a path of this page's own server.
    pub(crate) fn open(
        path: &str,
        on_open: impl Fn() + 'static,
        on_text: impl Fn(&str) + 'static,
        on_close: impl Fn(u16) + 'static,
    ) -> Option<Self> {
        let location = window().location();
        let scheme = if location.protocol().ok()? == "https:" { "wss" } else { "ws" };
        let socket = WebSocket::new(&format!("{scheme}://{}{path}", location.host().ok()?)).ok()?;
        let open = Closure::<dyn FnMut()>::new(on_open);
        let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            if let Some(text) = event.data().as_string() {
                on_text(&text);
            }
        });
        let close = Closure::<dyn FnMut(CloseEvent)>::new(move |event: CloseEvent| on_close(event.code()));
        socket.set_onopen(open.as_ref().dyn_ref());
        socket.set_onmessage(message.as_ref().dyn_ref());
        socket.set_onclose(close.as_ref().dyn_ref());
        Some(Self { inner: socket, _open: open, _message: message, _close: close })
    }

    /// Sends a text; false when the socket is not open.
    pub(crate) fn send(&self, text: &str) -> bool {
        self.inner.ready_state() == WebSocket::OPEN && self.inner.send_with_str(text).is_ok()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.inner.set_onopen(None);
        self.inner.set_onmessage(None);
        self.inner.set_onclose(None);
        // Closing a closed socket is fine.
        let _ = self.inner.close();
    }
}
