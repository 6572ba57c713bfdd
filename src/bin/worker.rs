//! The page's dedicated Web Worker.

fn main() {
    #[cfg(target_arch = "wasm32")]
    driftscope::web::start();
}
