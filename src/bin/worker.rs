//! The page's dedicated Web Worker.

#[cfg(target_arch = "wasm32")]
fn main() {
    use wasm_bindgen::JsCast;
    if let Ok(scope) = js_sys::global().dyn_into::<web_sys::DedicatedWorkerGlobalScope>() {
        // A failed post has no one to report to.
        let _ = scope.post_message(&wasm_bindgen::JsValue::from_str("ready"));
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {}
