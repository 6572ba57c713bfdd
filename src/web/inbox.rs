//! The worker's incoming messages, as something that can be waited for.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use futures_channel::oneshot;
use wasm_bindgen::JsValue;

#[derive(Default)]
struct Queue {
    messages: VecDeque<JsValue>,
    waiting: Option<oneshot::Sender<()>>,
}

/// Messages in the order in which they came.
#[derive(Clone, Default)]
pub struct Inbox(Rc<RefCell<Queue>>);

impl Inbox {
    pub fn push(&self, message: JsValue) {
        let mut queue = self.0.borrow_mut();
        queue.messages.push_back(message);
        if let Some(waiting) = queue.waiting.take() {
            let _ = waiting.send(());
        }
    }

    /// The next message, if one has come.
    pub fn pop(&self) -> Option<JsValue> {
        self.0.borrow_mut().messages.pop_front()
    }

    /// Waits for the next message.
    pub async fn next(&self) -> JsValue {
        loop {
            if let Some(message) = self.pop() {
                return message;
            }
            let (sender, receiver) = oneshot::channel();
            self.0.borrow_mut().waiting = Some(sender);
            let _ = receiver.await;
        }
    }
}
