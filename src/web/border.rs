//! The worker's two ends: commands that come in, messages that go out.

use futures_channel::mpsc::{UnboundedReceiver, unbounded};
use gloo_timers::future::TimeoutFuture;
use serde::Serialize;
use wasm_bindgen::prelude::*;
use web_sys::{Blob, DedicatedWorkerGlobalScope, MessageEvent};

use crate::error::{Error, Result};
use crate::record::{Command, Message, RunState};

/// What files are called in a command or message.
const BLOBS: &str = "blobs";

fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// The page's messages, in the order in which they come.
pub fn listen() -> UnboundedReceiver<JsValue> {
    let (sender, receiver) = unbounded();
    let listener = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        // The receiver lives as long as the worker.
        let _ = sender.unbounded_send(event.data());
    });
    scope().set_onmessage(Some(listener.as_ref().unchecked_ref()));
    listener.forget();
    receiver
}

/// A command, and the files that come with it.
///
/// # Errors
/// [`Error::Format`] for what is no command.
pub fn parse(message: JsValue) -> Result<(Command, Vec<Blob>)> {
    let key = JsValue::from_str(BLOBS);
    let blobs = js_sys::Reflect::get(&message, &key).unwrap_or_default();
    let blobs =
        blobs.dyn_into::<js_sys::Array>().map(|list| list.iter().map(JsCast::unchecked_into).collect());
    // The parser must not see the files.
    if let Some(object) = message.dyn_ref::<js_sys::Object>() {
        let _ = js_sys::Reflect::delete_property(object, &key);
    }
    let command = serde_wasm_bindgen::from_value(message).map_err(|e| Error::Format {
        file: "message".into(),
        field: "command".into(),
        message: e.to_string(),
        remedy: "Reload the page".into(),
    })?;
    Ok((command, blobs.unwrap_or_default()))
}

pub fn post(message: &Message) {
    post_with(message, &[]);
}

/// Posts a message whose `blobs` have these contents.
pub fn post_with(message: &Message, contents: &[js_sys::Uint8Array]) {
    // Maps are objects to the page, as in a record's JSON.
    let serializer = serde_wasm_bindgen::Serializer::new().serialize_maps_as_objects(true);
    let posted = message.serialize(&serializer).map_err(JsValue::from).and_then(|value| {
        if !contents.is_empty() {
            let blob =
                |bytes: &js_sys::Uint8Array| Blob::new_with_u8_array_sequence(&js_sys::Array::of1(bytes));
            let blobs: js_sys::Array = contents.iter().map(blob).collect::<std::result::Result<_, _>>()?;
            js_sys::Reflect::set(&value, &JsValue::from_str(BLOBS), &blobs)?;
        }
        scope().post_message(&value)
    });
    if let Err(error) = posted {
        web_sys::console::error_1(&error);
    }
}

pub fn post_state(state: RunState) {
    post(&Message::State { state });
}

pub fn post_error(error: &Error) {
    post(&Message::Error { name: error.name().into(), message: error.to_string() });
}

/// Lets the browser deliver messages that have come meanwhile: a macrotask, not a microtask.
pub async fn breathe() {
    TimeoutFuture::new(0).await;
}
