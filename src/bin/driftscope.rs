//! The native command line; see `driftscope::cli`.

#[cfg(not(target_arch = "wasm32"))]
fn main() -> anyhow::Result<()> {
    driftscope::cli::run()
}

/// `cargo test` builds every binary, for wasm32 too, where this one has nothing to do.
#[cfg(target_arch = "wasm32")]
fn main() {}
